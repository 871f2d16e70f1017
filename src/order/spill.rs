//! Finished records that wait for an older line, in temporary files that no directory names.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::model::Record;

/// A segment that is larger takes no more records. It is deleted when all its records are read, so that the disk holds
/// little more than what is waiting.
const SEGMENT_SIZE: u64 = 64 << 20;

/// Records on disk. The files are unlinked as soon as they are created, so that nothing is left of them whatever happens.
#[derive(Debug, Default)]
pub(super) struct Spill {
    segments: VecDeque<Option<Segment>>,
    /// The number of the first of the `segments`.
    first: u64,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    file: File,
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
    /// Writes a record away. When that fails, nothing is changed.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<Spilled> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, record)?;
        if !matches!(self.segments.back(), Some(Some(segment)) if segment.size < SEGMENT_SIZE) {
            let file = tempfile::tempfile()?;
            self.segments.push_back(Some(Segment { file, size: 0, waiting: 0 }));
        }
        let number = self.first + self.segments.len() as u64 - 1;
        let segment =
            self.segments.back_mut().and_then(Option::as_mut).expect("the last segment has just been checked");
        segment.file.write_all_at(&self.buffer, segment.size)?;
        let spilled = Spilled { segment: number, offset: segment.size, size: self.buffer.len() };
        segment.size += self.buffer.len() as u64;
        segment.waiting += 1;
        Ok(spilled)
    }

    /// Reads a record back, once.
    pub(super) fn read(&mut self, spilled: Spilled) -> io::Result<Record> {
        let place = usize::try_from(spilled.segment - self.first).expect("there are few segments");
        let slot = &mut self.segments[place];
        let segment = slot.as_mut().expect("a segment stays until its records are read");
        self.buffer.resize(spilled.size, 0);
        segment.file.read_exact_at(&mut self.buffer, spilled.offset)?;
        segment.waiting -= 1;
        if segment.waiting == 0 {
            *slot = None;
        }
        while matches!(self.segments.front(), Some(None)) {
            self.segments.pop_front();
            self.first += 1;
        }
        Ok(serde_json::from_slice(&self.buffer)?)
    }

    /// Bytes that the files hold.
    #[cfg(test)]
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
        let mut spill = Spill::default();
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
