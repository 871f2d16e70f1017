//! Bytes to lines, in a buffer that never grows: a line of 1 GB is counted and skipped, not kept.

use std::io::{self, Read};

/// The longest line, in bytes without its line feed; the rest of a longer one is skipped.
pub(super) const LINE_LIMIT: usize = 64 << 10;

/// How much of a line that is too long is kept to show it, in bytes.
const START_LIMIT: usize = 4 << 10;

/// Twice the longest line, so that there is always room to read a whole one behind the beginning of the next.
const BUFFER_SIZE: usize = 2 * LINE_LIMIT;

/// Splits what a reader gives at line feeds.
///
/// Reading and splitting are apart, so that the caller knows when the next read may block: [`Lines::buffered`] never reads,
/// [`Lines::fill`] reads once.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// Where the unread bytes start and end in the buffer.
    start: usize,
    end: usize,
    /// How many of the unread bytes are known to hold no line feed.
    searched: usize,
    /// How many bytes of the current line were thrown away.
    skipped: u64,
    /// The start of the line that is being skipped.
    skipped_start: Vec<u8>,
    number: u64,
    ended: bool,
}

/// One line, without its line feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It is longer than [`LINE_LIMIT`].
    TooLong {
        /// Its first bytes.
        start: &'a [u8],
        /// Its length in bytes.
        length: u64,
    },
}

impl<'a> Line<'a> {
    /// Its first bytes, all of them unless it is too long.
    pub(super) fn start(self) -> &'a [u8] {
        match self {
            Self::Whole(start) | Self::TooLong { start, .. } => start,
        }
    }
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER_SIZE].into_boxed_slice(),
            start: 0,
            end: 0,
            searched: 0,
            skipped: 0,
            skipped_start: Vec::new(),
            number: 0,
            ended: false,
        }
    }

    /// How many lines were given out.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a read has met the end of the input.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next line and its number, from 1, if it is whole in the buffer; at the end of the input also one without a line feed.
    pub(super) fn buffered(&mut self) -> Option<(u64, Line<'_>)> {
        let unread = &self.buffer[self.start..self.end];
        let (length, taken) = match memchr::memchr(b'\n', &unread[self.searched..]) {
            Some(at) => (self.searched + at, self.searched + at + 1),
            None if self.ended && (!unread.is_empty() || self.skipped > 0) => (unread.len(), unread.len()),
            None => {
                self.searched = unread.len();
                self.skip_if_too_long();
                return None;
            }
        };
        let line = &self.buffer[self.start..self.start + length];
        let whole_length = std::mem::take(&mut self.skipped) + length as u64;
        self.start += taken;
        self.searched = 0;
        self.number += 1;
        let line = if whole_length > length as u64 {
            Line::TooLong { start: &self.skipped_start, length: whole_length }
        } else if length > LINE_LIMIT {
            Line::TooLong { start: &line[..START_LIMIT], length: whole_length }
        } else {
            Line::Whole(line)
        };
        Some((self.number, line))
    }

    /// Reads once, which may block.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 && self.buffer.len() - self.end < LINE_LIMIT {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let count = self.reader.read(&mut self.buffer[self.end..])?;
        self.end += count;
        self.ended = count == 0;
        Ok(())
    }

    /// Throws the unread bytes away if they belong to a line that is already too long.
    fn skip_if_too_long(&mut self) {
        let unread = &self.buffer[self.start..self.end];
        if self.skipped == 0 {
            if unread.len() <= LINE_LIMIT {
                return;
            }
            self.skipped_start.clear();
            self.skipped_start.extend_from_slice(&unread[..START_LIMIT]);
        }
        self.skipped += unread.len() as u64;
        self.start = 0;
        self.end = 0;
        self.searched = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of `reader`, as text or as the length of what is too long.
    fn all(reader: impl Read) -> Vec<Result<String, u64>> {
        let mut lines = Lines::new(reader);
        let mut all = Vec::new();
        loop {
            while let Some((_, line)) = lines.buffered() {
                all.push(match line {
                    Line::Whole(line) => Ok(String::from_utf8_lossy(line).into_owned()),
                    Line::TooLong { length, .. } => Err(length),
                });
            }
            if lines.ended {
                assert_eq!(lines.number(), all.len() as u64);
                return all;
            }
            lines.fill().expect("these readers do not fail");
        }
    }

    /// Gives its bytes one at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn the_last_line_needs_no_line_feed_and_empty_lines_count() {
        for (text, lines) in [
            ("", vec![]),
            ("\n", vec![""]),
            ("a", vec!["a"]),
            ("a\n", vec!["a"]),
            ("a\n\nb\r\nc", vec!["a", "", "b\r", "c"]),
        ] {
            let lines: Vec<_> = lines.into_iter().map(|line| Ok(line.to_owned())).collect();
            assert_eq!(all(text.as_bytes()), lines, "of {text:?}");
            assert_eq!(all(Drip(text.as_bytes())), lines, "of {text:?}, a byte at a time");
        }
    }

    #[test]
    fn a_line_of_64_kib_is_whole_and_one_byte_more_is_too_long() {
        let fits = "x".repeat(LINE_LIMIT);
        assert_eq!(all(format!("{fits}\nb").as_bytes()), [Ok(fits.clone()), Ok("b".into())]);
        assert_eq!(all(Drip(fits.as_bytes())), [Ok(fits.clone())]);
        assert_eq!(all(format!("a\n{fits}y\nb").as_bytes()), [Ok("a".into()), Err(65_537), Ok("b".into())]);
        assert_eq!(all(Drip(format!("a\n{fits}y\nb").as_bytes())), [Ok("a".into()), Err(65_537), Ok("b".into())]);
        assert_eq!(all(format!("{fits}y").as_bytes()), [Err(65_537)]);
    }

    #[test]
    fn a_line_of_a_gigabyte_is_skipped_in_a_buffer_that_does_not_grow() {
        let endless = io::repeat(b'x').take(1 << 30).chain(&b"\nb\n"[..]);
        let mut lines = Lines::new(endless);
        let mut seen = Vec::new();
        loop {
            while let Some((_, line)) = lines.buffered() {
                seen.push(match line {
                    Line::Whole(line) => line.to_vec(),
                    Line::TooLong { start, length } => {
                        assert_eq!((start.len(), length), (START_LIMIT, 1 << 30));
                        start.to_vec()
                    }
                });
            }
            assert_eq!(lines.buffer.len(), BUFFER_SIZE);
            assert!(lines.skipped_start.capacity() <= START_LIMIT);
            if lines.has_ended() {
                break;
            }
            lines.fill().expect("this reader does not fail");
        }
        assert_eq!(seen, [vec![b'x'; START_LIMIT], b"b".to_vec()]);
    }
}
