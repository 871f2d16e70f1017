//! Opening sources: checked before anything is sent, unpacked by their first bytes.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::error::InputError;
use super::format::Hint;
use super::options::{InputFormat, InputOptions, Source};
use super::shown;

/// How much is looked at before the run, in unpacked bytes.
const HEAD_SIZE: u64 = 4 << 10;

/// The first bytes of what can be unpacked: gzip (RFC 1952), zstd and its skippable frames (RFC 8878, section 3.1.2).
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Checks everything that can be known of the sources without waiting: nothing has been sent when this fails.
///
/// Only regular files are opened. Opening a pipe may wait for its writer, and closing it again would break the pipe.
pub(super) fn check(sources: &[Source], options: &InputOptions) -> Result<(), InputError> {
    let mut pipes = Pipes::default();
    for source in sources {
        match source {
            Source::Url(_) => {}
            Source::Stdin => pipes.add_stdin()?,
            Source::File(path) => {
                let metadata = path.metadata().map_err(|error| refused(path, error))?;
                if metadata.is_dir() {
                    return Err(InputError::Directory { name: path_name(path) });
                }
                pipes.add(path, &metadata)?;
                let hint = hint(path, options.format);
                if metadata.is_file() {
                    check_head(path, hint, options.url_column())?;
                }
            }
        }
    }
    Ok(())
}

/// What is known of the form of the lines in a file.
pub(super) fn hint(path: &Path, format: Option<InputFormat>) -> Hint {
    match format {
        Some(format) => Hint::Certain(format),
        None => Hint::from_name(path),
    }
}

/// The unpacked bytes of a file; for a pipe this waits for its writer.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, InputError> {
    let file = File::open(path).map_err(|error| refused(path, error))?;
    unpacked(file, &path.to_string_lossy())
}

/// The unpacked bytes of standard input; waits for the first of them.
pub(super) fn open_stdin() -> Result<Box<dyn Read>, InputError> {
    unpacked(io::stdin().lock(), "-")
}

/// Refuses what is certainly no list of ours: UTF-16 or a JSON array.
pub(super) fn check_encoding(start: &[u8], name: &str) -> Result<(), InputError> {
    match encoding_rs::Encoding::for_bom(start) {
        Some((encoding, _)) if encoding != encoding_rs::UTF_8 => Err(InputError::Utf16 { name: shown::name(name) }),
        _ => Ok(()),
    }
}

/// Without the byte order mark that UTF-8 may start with.
pub(super) fn without_bom(start: &[u8]) -> &[u8] {
    start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start)
}

fn check_head(path: &Path, hint: Hint, url_column: &str) -> Result<(), InputError> {
    let name = path.to_string_lossy();
    let mut head = Vec::new();
    match open(path)?.take(HEAD_SIZE).read_to_end(&mut head) {
        // What fails later has lines before it; they are taken, and the reader meets the failure again.
        Err(error) if head.is_empty() => return Err(refused(path, error)),
        _ => {}
    }
    check_encoding(&head, &name)?;
    let head = without_bom(&head).trim_ascii_start();
    if let Some(first_line) = head.split(|&byte| byte == b'\n').next().filter(|line| !line.is_empty()) {
        hint.settle(first_line, &name, url_column)?;
    }
    Ok(())
}

fn refused(path: &Path, error: io::Error) -> InputError {
    match error.kind() {
        io::ErrorKind::NotFound => InputError::Missing { name: path_name(path) },
        _ => InputError::Unreadable { name: path_name(path), error },
    }
}

fn path_name(path: &Path) -> String {
    shown::name(&path.to_string_lossy())
}

/// The pipes among the sources, to find one that is given twice: the second reading would wait for ever.
#[derive(Default)]
struct Pipes {
    has_stdin: bool,
    #[cfg(unix)]
    seen: Vec<(u64, u64)>,
}

impl Pipes {
    fn add_stdin(&mut self) -> Result<(), InputError> {
        if std::mem::replace(&mut self.has_stdin, true) {
            return Err(InputError::Twice { name: "standard input".to_owned() });
        }
        #[cfg(unix)]
        {
            use std::os::fd::AsFd as _;

            let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
            if let Ok(metadata) = stdin.and_then(|stdin| stdin.metadata()) {
                self.add(Path::new("-"), &metadata)?;
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn add(&mut self, path: &Path, metadata: &Metadata) -> Result<(), InputError> {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

        let identity = (metadata.dev(), metadata.ino());
        if !metadata.file_type().is_fifo() {
            return Ok(());
        }
        if self.seen.contains(&identity) {
            return Err(InputError::Twice { name: path_name(path) });
        }
        self.seen.push(identity);
        Ok(())
    }

    #[cfg(not(unix))]
    fn add(&mut self, _: &Path, _: &Metadata) -> Result<(), InputError> {
        Ok(())
    }
}

/// What `reader` gives, unpacked if its first bytes say so.
fn unpacked(reader: impl Read + 'static, name: &str) -> Result<Box<dyn Read>, InputError> {
    let mut reader = Patient(reader);
    let broken = |error| InputError::Broken { name: shown::name(name), line: 0, error };
    let start = magic(&mut reader).map_err(broken)?;
    let named = match Path::new(name).extension().map(OsStr::to_ascii_lowercase) {
        Some(extension) if extension == "gz" => Some("gzip"),
        Some(extension) if extension == "zst" => Some("zstd"),
        _ => None,
    };
    let is_gzip = start.starts_with(&GZIP);
    let is_zstd = start.starts_with(&ZSTD) || start.get(1..).is_some_and(|rest| rest.starts_with(&ZSTD_SKIPPABLE));
    let whole = io::Cursor::new(start).chain(reader);
    match named {
        _ if is_gzip => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(whole)))),
        _ if is_zstd => Ok(Box::new(zstd::Decoder::new(whole).map_err(broken)?)),
        Some(packing) => Err(InputError::NotPacked { name: shown::name(name), packing }),
        None => Ok(Box::new(whole)),
    }
}

/// Reads as far as the bytes may still be the start of something packed, and no further: the first line may be short.
fn magic(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let may_be_packed = |start: &[u8]| match start {
        [] => true,
        [0x50..=0x5f, rest @ ..] => ZSTD_SKIPPABLE.starts_with(rest),
        start => GZIP.starts_with(start) || ZSTD.starts_with(start),
    };
    let mut start = Vec::with_capacity(4);
    while start.len() < 4 && may_be_packed(&start) {
        let mut more = [0; 4];
        let room = more.len() - start.len();
        match reader.read(&mut more[..room])? {
            0 => break,
            count => start.extend_from_slice(&more[..count]),
        }
    }
    Ok(start)
}

/// Reads until something comes, as every reader above it expects.
///
/// Standard input can be non-blocking because a program that shares it made it so.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Asking 50 times a second costs next to nothing, and waiting for a descriptor needs unsafe code.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(20)),
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails as a non-blocking descriptor and a signal make reads fail, then gives its bytes.
    struct Shy {
        failures: Vec<io::ErrorKind>,
        content: &'static [u8],
    }

    impl Read for Shy {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.failures.pop() {
                Some(kind) => Err(kind.into()),
                None => self.content.read(buffer),
            }
        }
    }

    /// Gives one byte and must not be asked again, like a pipe whose writer is slow.
    struct OneByte(Option<u8>);

    impl Read for OneByte {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer[0] = self.0.take().expect("no second read");
            Ok(1)
        }
    }

    #[test]
    fn a_reader_that_has_nothing_yet_is_waited_for() {
        let failures = vec![io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock];
        let mut reader = unpacked(Shy { failures, content: b"http://h/\n" }, "-").expect("no failure that stays");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("no failure that stays");
        assert_eq!(text, "http://h/\n");
    }

    #[test]
    fn no_more_is_read_than_tells_whether_it_is_packed() {
        for (mut content, read) in [(&b"h\nmore"[..], 4), (b"\x1f\x8b", 2), (b"\x1f", 1), (b"", 0)] {
            assert_eq!(magic(&mut content).expect("a slice").len(), read);
        }
        assert_eq!(magic(&mut OneByte(Some(b'h'))).expect("one byte"), b"h");
        assert_eq!(magic(&mut OneByte(Some(b'\n'))).expect("one byte"), b"\n");
    }
}
