//! What an output writes to, and whether it can take bytes back.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::PathBuf;

/// What an output writes to.
pub(super) trait Target: Write + Send {
    /// Called once, before the first byte or at the end of an output without any.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Takes the last `count` bytes back, where that is possible.
    fn take_back(&mut self, count: u64) -> io::Result<()> {
        let _ = count;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A pipe, a terminal, a device, any writer: what is written is gone.
pub(super) struct Stream<W>(pub(super) W);

/// A file with a length.
pub(super) struct RegularFile {
    pub(super) file: File,
    /// Whether what stands in it goes when the first byte comes.
    pub(super) replaces: bool,
    /// Its path, where it was made for this output and nothing was begun yet.
    pub(super) unused: Option<PathBuf>,
}

impl<W: Write + Send> Target for Stream<W> {}

impl<W: Write> Write for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Target for RegularFile {
    fn begin(&mut self) -> io::Result<()> {
        self.unused = None;
        if self.replaces { self.file.set_len(0) } else { Ok(()) }
    }

    fn take_back(&mut self, count: u64) -> io::Result<()> {
        let end = self.file.stream_position()?;
        let is_ours = self.file.metadata()?.len() == end;
        // Someone else may write to the same file, as in `(gather a & gather b) >> out`: what stands after ours stays.
        let start = end.checked_sub(count).filter(|_| is_ours).ok_or(io::ErrorKind::Unsupported)?;
        self.file.set_len(start)?;
        self.file.seek(SeekFrom::Start(start)).map(drop)
    }
}

impl Write for RegularFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for RegularFile {
    fn drop(&mut self) {
        let is_empty = || self.file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        if let Some(path) = self.unused.take()
            && is_empty()
        {
            // There is nobody left to tell if this fails; the empty file stays.
            let _ = std::fs::remove_file(path);
        }
    }
}
