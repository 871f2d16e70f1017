//! The bytes' way out: buffered, whole units only, and cut back to the last whole one where a write fails.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, OutputError};
use super::target::{Stream, Target};

/// When as many bytes wait, it is time to flush.
const CAPACITY: usize = 64 * 1024;

/// When as many bytes wait, they are written even if nobody has flushed.
const MOST_WAITING: usize = 16 * CAPACITY;

/// More memory than this is given back after a large unit.
const KEEP: usize = 1024 * 1024;

/// The pause before a write that would block is tried again.
const PAUSE: Duration = Duration::from_millis(5);

/// Where a report goes: a file, standard output, or any writer. Buffered; see [`Report::flush`](super::Report::flush).
///
/// It takes *units*, each of which is written whole or not at all: a record, the header line. Where a write fails half-way
/// (disk full, quota, file size limit) and the target is a regular file, the file is cut back to the last whole unit;
/// pipes, terminals and devices stay as they are. Nothing is written after a failure.
///
/// A file that grows beyond `ulimit -f` raises SIGXFSZ, which kills the process unless it is caught or ignored: only then
/// is it an error (`EFBIG`) that can be answered here.
pub struct Output {
    target: Box<dyn Target>,
    buffer: Vec<u8>,
    /// Where units end, in bytes since the start: those in `buffer`, and before them the last two that were written.
    ends: Vec<u64>,
    /// Bytes written.
    written: u64,
    is_ready: bool,
    failed: Option<io::ErrorKind>,
}

impl Output {
    /// Any writer; it should not buffer by itself.
    pub fn new(writer: impl io::Write + Send + 'static) -> Self {
        Self::to(Box::new(Stream(writer)))
    }

    /// Standard output, without the line buffer of [`std::io::stdout`].
    ///
    /// Refused where it is a regular file that is also one of `inputs`, which would then never end. Standard input
    /// takes part in this as `/dev/stdin`.
    pub fn stdout(inputs: &[PathBuf]) -> Result<Self, OutputError> {
        file::stdout(inputs).map(Self::to)
    }

    /// The file at `path`: a new one, or with `force` one that may exist. See [`OutputError`] for what is refused.
    ///
    /// It is locked until the output is dropped. What stood in it is kept until the first byte is written, and a new file
    /// is removed again if none ever is, not even by [`Report::finish`](super::Report::finish): so it is safe to open
    /// the output before it is known whether the run can start. A path that is no regular file (`/dev/null`, a named
    /// pipe) is written to as it is.
    pub fn file(path: &Path, force: bool, inputs: &[PathBuf]) -> Result<Self, OutputError> {
        file::open(path, force, inputs).map(Self::to)
    }

    /// The file at `path`, after what stands in it. Neither locked nor cut when a write fails, as others append to it too.
    pub fn append(path: &Path) -> Result<Self, OutputError> {
        file::append(path).map(Self::to)
    }

    pub(super) fn to(target: Box<dyn Target>) -> Self {
        Self {
            target,
            buffer: Vec::with_capacity(CAPACITY),
            ends: Vec::new(),
            written: 0,
            is_ready: false,
            failed: None,
        }
    }

    /// Takes what `render` appends as one unit.
    pub(super) fn unit(&mut self, render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        self.refuse_after_failure()?;
        let start = self.buffer.len();
        if let Err(error) = render(&mut self.buffer) {
            self.buffer.truncate(start);
            return Err(error);
        }
        self.ends.push(self.written + self.buffer.len() as u64);
        if self.buffer.len() < MOST_WAITING { Ok(()) } else { self.flush() }
    }

    /// Whether so much waits that it should be flushed.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= CAPACITY
    }

    /// Writes every unit taken so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.refuse_after_failure()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.make_ready()?;
        let (sent, result) = send(&mut *self.target, &self.buffer);
        self.written += sent as u64;
        if let Err(error) = result {
            return Err(self.fail(error));
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEEP);
        self.ends.drain(..self.ends.len().saturating_sub(2));
        Ok(())
    }

    /// Writes every unit taken so far, and makes the target what it should be even if there was none.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.make_ready()
    }

    /// Writes what is too large for memory, as it comes from `write`. It is all that the output gets: where a write fails,
    /// nothing is left of it, as far as the target allows.
    pub(super) fn document(&mut self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
        self.refuse_after_failure()?;
        self.make_ready()?;
        let mut sink = io::BufWriter::with_capacity(CAPACITY, Sink { output: self });
        let result = write(&mut sink).and_then(|()| io::Write::flush(&mut sink));
        // What is still buffered after a failure must not be written when the buffer is dropped.
        drop(sink.into_parts());
        result.map_err(|error| self.fail(error))
    }

    /// After a failure that could be cut: appends what closes the format. Gives up one more unit if that is what it takes.
    pub(super) fn close_after_failure(&mut self, tail: &[u8]) {
        if self.failed.is_none() || tail.is_empty() {
            return;
        }
        while self.ends.last() == Some(&self.written) {
            let (sent, result) = send(&mut *self.target, tail);
            self.written += sent as u64;
            if result.is_ok() || self.ends.len() < 2 {
                return;
            }
            self.ends.pop();
            self.cut();
        }
    }

    fn make_ready(&mut self) -> io::Result<()> {
        if !self.is_ready {
            self.is_ready = true;
            self.target.begin().map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        self.failed = Some(error.kind());
        self.buffer = Vec::new();
        self.ends.retain(|&end| end <= self.written);
        self.cut();
        error
    }

    /// Cuts back to the last end of a unit. Where that is impossible, `written` stays beyond it.
    fn cut(&mut self) {
        let whole = self.ends.last().copied().unwrap_or(0);
        if whole == self.written || self.target.take_back(self.written - whole).is_ok() {
            self.written = whole;
        }
    }

    fn refuse_after_failure(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

/// Writes straight to the target of an output, and counts.
struct Sink<'a> {
    output: &'a mut Output,
}

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (sent, result) = send(&mut *self.output.target, bytes);
        self.output.written += sent as u64;
        result.map(|()| sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.target.flush()
    }
}

/// Writes all of `bytes`, and tells how many of them were written in any case.
fn send(target: &mut dyn Target, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match target.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another program made the pipe or terminal that we share non-blocking, as Node.js does.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, target.flush())
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("written", &self.written).field("failed", &self.failed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::model::Record;
    use crate::report::tests::{Shared, record};
    use crate::report::{Format, Rendering, Report, open};

    /// A disk with so much room, which takes a few bytes at a time and can take them back.
    #[derive(Clone)]
    struct SmallDisk {
        content: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl SmallDisk {
        fn new(room: usize) -> Self {
            Self { content: Arc::default(), room }
        }

        fn text(&self) -> String {
            String::from_utf8(self.content.lock().expect("no writer panicked").clone()).expect("reports are UTF-8")
        }
    }

    impl Write for SmallDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut content = self.content.lock().expect("no writer panicked");
            let count = bytes.len().min(self.room - content.len()).min(7);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for SmallDisk {
        fn take_back(&mut self, count: u64) -> io::Result<()> {
            let mut content = self.content.lock().expect("no writer panicked");
            let left = content.len() - usize::try_from(count).expect("it is small");
            content.truncate(left);
            Ok(())
        }
    }

    /// Ten records to `target`, made visible after every third; as a run does, it stops at an error.
    fn write_ten(format: Format, target: Box<dyn Target>) -> io::Result<()> {
        let mut report = open(format, Output::to(target), Rendering::default());
        let written = write_into(&mut *report);
        if written.is_err() {
            assert!(report.finish().is_err(), "a report that failed must not recover");
        }
        written
    }

    fn write_into(report: &mut dyn Report) -> io::Result<()> {
        for index in 0..10 {
            report.record(&record(index, "https://api.example.com/users"))?;
            if index % 3 == 2 {
                report.flush()?;
            }
        }
        report.finish()
    }

    #[test]
    fn a_document_is_written_whole_or_not_at_all() {
        let write = |room| {
            let disk = SmallDisk::new(room);
            let mut output = Output::to(Box::new(disk.clone()));
            let written = output.document(|out| (0..100_000).try_for_each(|number| writeln!(out, "{number:06}")));
            (written.map_err(|error| error.kind()), output.finish().is_ok(), disk.text().len())
        };
        assert_eq!(write(1 << 20), (Ok(()), true, 700_000));
        assert_eq!(write(699_999), (Err(io::ErrorKind::StorageFull), false, 0));
        assert_eq!(write(10), (Err(io::ErrorKind::StorageFull), false, 0));
    }

    #[test]
    fn a_full_disk_leaves_whole_ndjson_records() {
        let whole = SmallDisk::new(1 << 20);
        write_ten(Format::Ndjson, Box::new(whole.clone())).expect("there is room");
        let whole = whole.text();
        for room in (0..whole.len()).step_by(13) {
            let disk = SmallDisk::new(room);
            let error = write_ten(Format::Ndjson, Box::new(disk.clone())).expect_err("there is no room");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            let text = disk.text();
            let records = whole[..room].matches('\n').count();
            assert_eq!(text.matches('\n').count(), records, "with room for {room} bytes");
            assert!(whole.starts_with(&text) && (text.is_empty() || text.ends_with('\n')));
        }
    }

    #[test]
    fn a_full_disk_leaves_a_closed_json_array() {
        let whole = SmallDisk::new(1 << 20);
        write_ten(Format::Json, Box::new(whole.clone())).expect("there is room");
        let whole = whole.text();
        // Every length at which the last bytes of a record, the comma or the bracket no longer fit, and those around.
        for room in 4..whole.len() {
            let disk = SmallDisk::new(room);
            write_ten(Format::Json, Box::new(disk.clone())).expect_err("there is no room");
            let text = disk.text();
            let records: Vec<Record> =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{room}: {error}: {text}"));
            let fitting = whole[..room - 3].matches("}\n").count() + whole[..room - 3].matches("},\n").count();
            assert!(records.len() + 1 >= fitting, "{room}: {} of {fitting}", records.len());
        }
    }

    #[test]
    fn a_record_is_seen_after_a_flush_and_not_before() {
        let shared = Shared::default();
        let mut report = open(Format::Ndjson, Output::new(shared.clone()), Rendering::default());
        report.record(&record(0, "https://api.example.com/users")).expect("memory takes every write");
        assert_eq!(shared.text(), "");
        report.flush().expect("memory takes every write");
        assert_eq!(shared.text().matches('\n').count(), 1);
    }

    #[test]
    fn many_records_are_written_without_a_flush() {
        let shared = Shared::default();
        let mut output = Output::new(shared.clone());
        let mut take = || output.unit(|buffer| buffer.write_all(&vec![b'x'; CAPACITY / 2])).map(|()| output.is_full());
        assert!(!take().expect("memory takes every write"));
        assert!(take().expect("memory takes every write"), "it is not said to be full");
        for _ in 2..=MOST_WAITING / (CAPACITY / 2) {
            take().expect("memory takes every write");
        }
        assert_eq!(shared.text().len(), MOST_WAITING);
    }

    #[test]
    fn a_unit_that_cannot_be_rendered_leaves_nothing() {
        let shared = Shared::default();
        let mut output = Output::new(shared.clone());
        output.unit(|buffer| buffer.write_all(b"one\n")).expect("memory takes every write");
        let failed =
            output.unit(|buffer| buffer.write_all(b"tw").and_then(|()| Err(io::ErrorKind::InvalidData.into())));
        failed.expect_err("it could not be rendered");
        output.unit(|buffer| buffer.write_all(b"three\n")).expect("one bad unit is no failure of the output");
        output.finish().expect("memory takes every write");
        assert_eq!(shared.text(), "one\nthree\n");
    }

    #[test]
    fn memory_of_a_large_unit_is_given_back() {
        let mut output = Output::new(io::sink());
        output.unit(|buffer| buffer.write_all(&vec![b'x'; 8 << 20])).expect("a sink takes every write");
        assert!(output.buffer.capacity() <= KEEP, "{}", output.buffer.capacity());
    }

    #[test]
    fn a_reader_that_went_away_is_told_by_the_kind_of_the_error() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut report = open(Format::Json, Output::new(writer), Rendering::default());
        report.record(&Record::default()).expect("it is buffered");
        assert_eq!(report.flush().expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(report.record(&Record::default()).expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(report.finish().expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_pipe_that_would_block_is_tried_again() {
        struct Busy(u32, Shared);
        impl Write for Busy {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(io::ErrorKind::WouldBlock.into()),
                    2 => Err(io::ErrorKind::Interrupted.into()),
                    _ => self.1.write(bytes),
                }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let shared = Shared::default();
        let mut output = Output::new(Busy(0, shared.clone()));
        output.unit(|buffer| buffer.write_all(b"one\n")).expect("it is buffered");
        output.flush().expect("the third try goes through");
        assert_eq!(shared.text(), "one\n");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_device_that_is_full_is_an_error() {
        let output =
            Output::file(Path::new("/dev/full"), false, &[]).expect("a device exists and is no reason to refuse");
        let mut report = open(Format::Json, output, Rendering::default());
        report.record(&Record::default()).expect("it is buffered");
        assert_eq!(report.finish().expect_err("it is full").kind(), io::ErrorKind::StorageFull);
    }

    /// With a real file and a real limit, in a process of its own: this test, started again by a shell that sets the limit.
    #[test]
    #[cfg(unix)]
    fn a_file_that_may_not_grow_ends_with_a_whole_record() {
        const CHILD: &str = "GATHER_TEST_FILE_THAT_MAY_NOT_GROW";
        #[expect(clippy::disallowed_methods, reason = "the test tells itself where to write")]
        if let Some(path) = std::env::var_os(CHILD) {
            let output = Output::file(Path::new(&path), true, &[]).expect("the directory is there");
            let mut report = open(Format::Json, output, Rendering::default());
            write_into(&mut *report).expect_err("ten records are more than 1,024 bytes");
            return;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("out.json");
        std::fs::write(&path, "x".repeat(900)).expect("it can be written");
        let status = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" --exact \"$1\""])
            .arg(std::env::current_exe().expect("this test has a path"))
            .arg("report::output::tests::a_file_that_may_not_grow_ends_with_a_whole_record")
            .env(CHILD, &path)
            .stdout(std::process::Stdio::null())
            .status()
            .expect("there is a shell");
        assert!(status.success());
        let text = std::fs::read_to_string(&path).expect("it was written");
        let records: Vec<Record> = serde_json::from_str(&text).expect("the array is closed");
        assert!(!records.is_empty() && text.len() <= 2048, "{} records in {} bytes", records.len(), text.len());
    }
}
