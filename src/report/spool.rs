//! Rendered cases that wait for the end of the run, because what must stand before them is known only then.

use std::fmt;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// As many bytes are kept in memory; with more, all of them are in a temporary file that no directory names.
const IN_MEMORY: usize = 1 << 20;

/// Rendered cases in groups. They come in any order and are given back in that of their indices.
///
/// Memory does not grow with cases that come in order; 40 bytes are kept for each stretch of them without a gap.
pub(super) struct Spool {
    file: BufWriter<SpooledTempFile>,
    size: u64,
    stretches: Vec<Stretch>,
}

/// Cases of one group that follow one another.
struct Stretch {
    group: usize,
    /// The index of the first.
    first: u64,
    /// One more than the index of the last.
    end: u64,
    offset: u64,
    size: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { file: BufWriter::new(SpooledTempFile::new(IN_MEMORY)), size: 0, stretches: Vec::new() }
    }
}

impl Spool {
    /// Keeps one case of a group.
    pub(super) fn push(&mut self, group: usize, index: u64, case: &[u8]) -> io::Result<()> {
        self.file.write_all(case)?;
        let (offset, size) = (self.size, case.len() as u64);
        self.size += size;
        match self.stretches.last_mut() {
            Some(last) if last.group == group && last.end == index => {
                last.end = index + 1;
                last.size += size;
            }
            _ => self.stretches.push(Stretch { group, first: index, end: index + 1, offset, size }),
        }
        Ok(())
    }

    /// Bytes kept.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Writes the cases of a group, in the order of their indices.
    pub(super) fn write_group(&mut self, group: usize, out: &mut dyn Write) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_mut();
        self.stretches.sort_by_key(|stretch| stretch.first);
        for stretch in self.stretches.iter().filter(|stretch| stretch.group == group) {
            file.seek(SeekFrom::Start(stretch.offset))?;
            io::copy(&mut file.take(stretch.size), out)?;
        }
        file.seek(SeekFrom::End(0)).map(drop)
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(spool: &mut Spool, group: usize) -> String {
        let mut out = Vec::new();
        spool.write_group(group, &mut out).expect("memory takes every write");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn cases_come_back_by_group_and_in_order_also_from_disk() {
        let mut spool = Spool::default();
        for index in [0, 1, 4, 3, 2, 5, 6] {
            let case = format!("{index}{}\n", "x".repeat(IN_MEMORY / 4));
            spool.push(usize::from(index > 4), index, case.as_bytes()).expect("there is room");
        }
        let firsts = |text: &str| text.lines().map(|line| line[..1].to_owned()).collect::<String>();
        assert_eq!([0, 1].map(|number| firsts(&group(&mut spool, number))), ["01234", "56"]);
        assert_eq!(spool.size(), 7 * (IN_MEMORY as u64 / 4 + 2));
    }

    #[test]
    fn cases_in_order_take_no_memory_each() {
        let mut spool = Spool::default();
        for index in 0..1000 {
            spool.push(0, index, b"x").expect("there is room");
        }
        assert_eq!(spool.stretches.len(), 1);
    }
}
