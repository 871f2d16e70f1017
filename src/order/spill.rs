//! Finished records that wait for an older line, in temporary files that no directory names.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::model::Record;

/// A segment that is larger takes no more records. It is deleted when all its records are read, so that the disk holds
/// little more than what is waiting.
const SEGMENT_SIZE: u64 = 64 << 20;

/// Bytes that are written at once.
const WRITE_SIZE: usize = 1 << 20;

/// Records on disk. The files are unlinked as soon as they are created, so that nothing is left of them whatever happens.
#[derive(Debug)]
pub(super) struct Spill {
    /// Bytes from which on no more records are taken.
    limit: u64,
    segments: VecDeque<Option<Segment>>,
    /// The number of the first of the `segments`.
    first: u64,
    /// The end of the last segment, which is not written yet.
    tail: Vec<u8>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    /// Bytes in the file; those of the tail come after them.
    size: u64,
    waiting: usize,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spilled {
    segment: u64,
    offset: u64,
    size: usize,
}

impl Spill {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, segments: VecDeque::new(), first: 0, tail: Vec::new(), buffer: Vec::new() }
    }

    /// Takes a record. When that fails, nothing is changed.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<Spilled> {
        if self.size() + self.tail.len() as u64 >= self.limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.tail.len() >= WRITE_SIZE {
            self.write_tail()?;
        }
        let has_room = |segment: &Segment| segment.size < SEGMENT_SIZE;
        if !self.segments.back().is_some_and(|last| last.as_ref().is_some_and(has_room)) {
            self.write_tail()?;
            self.segments.push_back(Some(Segment { file: tempfile::tempfile()?, size: 0, waiting: 0 }));
        }
        let number = self.first + self.segments.len() as u64 - 1;
        let segment =
            self.segments.back_mut().and_then(Option::as_mut).expect("the last segment has just been checked");
        let start = self.tail.len();
        serde_json::to_writer(&mut self.tail, record)?;
        segment.waiting += 1;
        Ok(Spilled { segment: number, offset: segment.size + start as u64, size: self.tail.len() - start })
    }

    /// Reads a record back, once.
    pub(super) fn read(&mut self, spilled: Spilled) -> io::Result<Record> {
        let place = usize::try_from(spilled.segment - self.first).expect("there are few segments");
        let is_last = place + 1 == self.segments.len();
        let slot = &mut self.segments[place];
        let segment = slot.as_mut().expect("a segment stays until its records are read");
        let record = if spilled.offset >= segment.size {
            let start = usize::try_from(spilled.offset - segment.size).expect("the tail is in memory");
            serde_json::from_slice(&self.tail[start..start + spilled.size])?
        } else {
            self.buffer.resize(spilled.size, 0);
            segment.file.read_exact_at(&mut self.buffer, spilled.offset)?;
            serde_json::from_slice(&self.buffer)?
        };
        segment.waiting -= 1;
        if segment.waiting == 0 {
            *slot = None;
            if is_last {
                self.tail.clear();
            }
        }
        while matches!(self.segments.front(), Some(None)) {
            self.segments.pop_front();
            self.first += 1;
        }
        Ok(record)
    }

    fn write_tail(&mut self) -> io::Result<()> {
        if let Some(Some(segment)) = self.segments.back_mut() {
            segment.file.write_all_at(&self.tail, segment.size)?;
            segment.size += self.tail.len() as u64;
        }
        self.tail.clear();
        Ok(())
    }

    /// Bytes that the files hold.
    fn size(&self) -> u64 {
        self.segments.iter().flatten().map(|segment| segment.size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(index: u64) -> Record {
        Record { index, body: Some("x".repeat(1 << 20)), ..Record::default() }
    }

    #[test]
    fn what_is_written_is_read_back_in_any_order_and_its_space_is_given_back() {
        let mut spill = Spill::new(u64::MAX);
        let written: Vec<Spilled> = (0..130).map(|index| spill.write(&record(index)).expect("there is room")).collect();
        assert!(spill.size() > 2 * SEGMENT_SIZE);
        for (index, spilled) in written.into_iter().enumerate().rev() {
            assert_eq!(spill.read(spilled).expect("it is there").index, index as u64);
        }
        assert_eq!(spill.size(), 0);
        let again = spill.write(&record(7)).expect("there is room");
        assert_eq!(spill.read(again).expect("it is there"), record(7));
    }
}
