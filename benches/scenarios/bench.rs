//! What all scenarios share: their sizes, the place for their files, and the command under test.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The run of the bench.
pub(crate) struct Bench {
    is_full: bool,
    directory: TempDir,
}

impl Bench {
    pub(crate) fn new(is_full: bool) -> Self {
        Self { is_full, directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// What fits the size of the run.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.is_full { full } else { quick }
    }

    /// How often every program takes its turn.
    pub(crate) fn rounds(&self) -> usize {
        self.pick(3, 5)
    }

    /// Where files may lie; they are removed when the run is over.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of the file that records go to.
    pub(crate) fn records(&self) -> PathBuf {
        self.directory().join("records.ndjson")
    }

    /// A list of URLs in a file.
    pub(crate) fn list(&self, name: &str, urls: impl IntoIterator<Item = impl Display>) -> PathBuf {
        let path = self.directory().join(name);
        let mut file = BufWriter::new(File::create(&path).expect("a file in the temporary directory"));
        for url in urls {
            writeln!(file, "{url}").expect("room in the temporary directory");
        }
        file.flush().expect("room in the temporary directory");
        path
    }

    /// The program under test, writing its records to [`Bench::records`], and with nothing of the environment that it reads.
    pub(crate) fn gather(&self, list: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gather"));
        let harmless = |name: &std::ffi::OsStr| name == "PATH" || name == "TMPDIR";
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| harmless(name)));
        command.arg(list).args(arguments).args(["--no-config", "--force"]).arg("-o").arg(self.records());
        command
    }

    /// How many records of the last run were not ok; checks that every line has its record.
    pub(crate) fn failures(&self, lines: usize) -> usize {
        let file = BufReader::new(File::open(self.records()).expect("the run has written its records"));
        let mut failures = 0;
        let mut records = 0;
        for record in file.split(b'\n') {
            let record = record.expect("the records can be read");
            records += 1;
            failures += usize::from(memchr::memmem::find(&record, br#""ok":true"#).is_none());
        }
        assert_eq!(records, lines, "every line must have its record");
        failures
    }
}
