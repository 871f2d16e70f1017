//! Opening the output: what is refused, and why, before anything is sent.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::escape;
use super::target::{RegularFile, Stream, Target};

/// Why an output cannot be written to. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The file exists, and nobody said that it may go.
    #[error("{}: the file exists; `--force` overwrites it", shown(.0))]
    Exists(PathBuf),
    /// The file is also one of the inputs, which would be lost, or never end.
    #[error("{}: is also an input; write to another file", shown(.0))]
    IsInput(PathBuf),
    /// Standard output goes to a file that is also one of the inputs, which would never end.
    #[error("standard output goes to a file that is also an input ({}); write to another file", shown(.0))]
    StdoutIsInput(PathBuf),
    /// Another run writes to the same file.
    #[error("{}: another process is writing to this file; wait for it, or write to another one", shown(.0))]
    Locked(PathBuf),
    /// Two outputs of this run are the same file.
    #[error("{}: is given for two outputs; each needs a file of its own", shown(.0))]
    Twice(PathBuf),
    /// The directory that the file should be in does not exist.
    #[error("{}: the directory {} does not exist", shown(.0), shown(parent(.0)))]
    NoDirectory(PathBuf),
    /// It is a directory.
    #[error("{}: is a directory; give the name of a file", shown(.0))]
    IsDirectory(PathBuf),
    /// The system refuses.
    #[error("{}: cannot be written to: {}", shown(.path), .source)]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The first of `inputs` that is the same regular file as `file`, whatever its name (by device and inode).
///
/// Inputs that cannot be looked at are not the same as anything: reading them gives the better error. Devices, pipes and
/// terminals can well be read and written at once.
pub fn same_file<'a>(file: &Metadata, inputs: &'a [PathBuf]) -> Option<&'a Path> {
    let is_same =
        |input: &&PathBuf| fs::metadata(input).is_ok_and(|input| input.is_file() && identity(&input) == identity(file));
    inputs.iter().find(is_same).map(PathBuf::as_path)
}

pub(super) fn open(path: &Path, force: bool, inputs: &[PathBuf]) -> Result<Box<dyn Target>, OutputError> {
    let refused = |source| OutputError::Refused { path: path.to_owned(), source };
    let existing = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(refused(error)),
    };
    match &existing {
        Some(metadata) if metadata.is_dir() => return Err(OutputError::IsDirectory(path.to_owned())),
        Some(metadata) if same_file(metadata, inputs).is_some() => return Err(OutputError::IsInput(path.to_owned())),
        Some(metadata) if metadata.is_file() && !force => return Err(OutputError::Exists(path.to_owned())),
        None if !parent(path).is_dir() => return Err(OutputError::NoDirectory(path.to_owned())),
        _ => {}
    }
    // Never with `truncate`: what stands in the file goes only when the first byte comes.
    let mut options = OpenOptions::new();
    options.write(true).create(force).create_new(existing.is_none() && !force);
    let file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => OutputError::Exists(path.to_owned()),
        _ => refused(error),
    })?;
    if !file.metadata().map_err(refused)?.is_file() {
        return Ok(Box::new(Stream(file)));
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(OutputError::Locked(path.to_owned())),
        // A file system without locks is no reason not to write.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    let unused = existing.is_none().then(|| path.to_owned());
    Ok(Box::new(RegularFile { file, replaces: true, unused }))
}

/// A file that something is appended to, whatever stands in it already; made where it does not exist.
pub(super) fn append(path: &Path) -> Result<Box<dyn Target>, OutputError> {
    let refused = |source| OutputError::Refused { path: path.to_owned(), source };
    let file = OpenOptions::new().append(true).create(true).open(path).map_err(refused)?;
    // As a stream: what others append meanwhile stays where it is.
    Ok(Box::new(Stream(file)))
}

pub(super) fn stdout(inputs: &[PathBuf]) -> Result<Box<dyn Target>, OutputError> {
    let Some(file) = stdout_file() else {
        return Ok(Box::new(Stream(io::stdout())));
    };
    let Some(metadata) = file.metadata().ok().filter(Metadata::is_file) else {
        return Ok(Box::new(Stream(file)));
    };
    if let Some(input) = same_file(&metadata, inputs) {
        return Err(OutputError::StdoutIsInput(input.to_owned()));
    }
    Ok(Box::new(RegularFile { file, replaces: false, unused: None }))
}

/// Standard output as a file of its own, past the line buffer of the standard library.
#[cfg(unix)]
fn stdout_file() -> Option<File> {
    use std::os::fd::AsFd as _;

    io::stdout().as_fd().try_clone_to_owned().ok().map(File::from)
}

#[cfg(not(unix))]
fn stdout_file() -> Option<File> {
    None
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;

    (metadata.dev(), metadata.ino())
}

/// Without inodes, files of the same age and length are taken for the same: better to refuse one too many.
#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> (Option<std::time::SystemTime>, u64) {
    (metadata.created().ok(), metadata.len())
}

/// The directory that holds `path`.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Record;
    use crate::report::{Format, Output, Rendering, Report};

    fn json(output: Output) -> Box<dyn Report> {
        crate::report::open(Format::Json, output, Rendering::default())
    }

    fn refusal(path: &Path, force: bool, inputs: &[PathBuf]) -> OutputError {
        Output::file(path, force, inputs).expect_err("it must be refused")
    }

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).expect("it can be read")
    }

    #[test]
    fn an_existing_file_is_refused_by_name_and_left_as_it_is() {
        let directory = directory();
        let path = directory.path().join("out.json");
        fs::write(&path, "old").expect("it can be written");
        let error = refusal(&path, false, &[]);
        assert!(matches!(error, OutputError::Exists(_)));
        assert_eq!(error.to_string(), format!("{}: the file exists; `--force` overwrites it", path.display()));
        assert_eq!(text(&path), "old");
    }

    #[test]
    fn with_force_the_old_content_goes_with_the_first_byte() {
        let directory = directory();
        let path = directory.path().join("out.json");
        let old = "old ".repeat(1000);
        fs::write(&path, &old).expect("it can be written");
        drop(json(Output::file(&path, true, &[]).expect("force was given")));
        assert_eq!(text(&path), old);
        let mut report = json(Output::file(&path, true, &[]).expect("force was given"));
        report.record(&Record::default()).expect("it is buffered");
        assert_eq!(text(&path), old);
        report.flush().expect("there is room");
        assert!(text(&path).starts_with("[\n{"));
        report.finish().expect("there is room");
        assert!(text(&path).ends_with("}\n]\n"));
    }

    #[test]
    fn a_new_file_is_removed_if_the_run_never_starts_and_stays_if_it_is_empty() {
        let directory = directory();
        let path = directory.path().join("out.ndjson");
        let open = || {
            crate::report::open(
                Format::Ndjson,
                Output::file(&path, false, &[]).expect("it is new"),
                Rendering::default(),
            )
        };
        drop(open());
        assert!(!path.exists());
        open().finish().expect("there is room");
        assert_eq!(text(&path), "");
    }

    #[test]
    fn two_runs_cannot_write_to_one_file() {
        let directory = directory();
        let path = directory.path().join("out.json");
        let first = Output::file(&path, false, &[]).expect("it is new");
        assert!(matches!(refusal(&path, true, &[]), OutputError::Locked(_)));
        let mut report = json(first);
        report.finish().expect("there is room");
        drop(report);
        Output::file(&path, true, &[]).expect("the first run is over");
    }

    #[test]
    #[cfg(unix)]
    fn an_input_is_never_the_output_whatever_its_name() {
        let directory = directory();
        let (list, link) = (directory.path().join("list.txt"), directory.path().join("link"));
        fs::write(&list, "https://api.example.com/").expect("it can be written");
        std::os::unix::fs::symlink(&list, &link).expect("it can be linked");
        let inputs = [PathBuf::from("/dev/null"), directory.path().join("missing"), link.clone()];
        assert!(matches!(refusal(&list, true, &inputs), OutputError::IsInput(_)));
        assert!(matches!(refusal(&link, false, &[list]), OutputError::IsInput(_)));
        Output::file(Path::new("/dev/null"), false, &inputs).expect("a device can be both");
    }

    #[test]
    fn what_cannot_be_a_file_is_refused_by_name() {
        let directory = directory();
        let error = refusal(&directory.path().join("no/out.json"), false, &[]).to_string();
        assert!(error.ends_with("/no does not exist"), "{error}");
        assert!(matches!(refusal(directory.path(), true, &[]), OutputError::IsDirectory(_)));
        let file = directory.path().join("file");
        fs::write(&file, "").expect("it can be written");
        assert!(matches!(refusal(&file.join("out.json"), false, &[]), OutputError::Refused { .. }));
        let error = refusal(Path::new("no\u{1b}[2J/out.json"), false, &[]).to_string();
        assert_eq!(error, "no\\u{1b}[2J/out.json: the directory no\\u{1b}[2J does not exist");
    }
}
