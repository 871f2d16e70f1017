//! The command line: flags as they are written ([`args`]), the environment, and the [`Settings`] that are made of both.
//!
//! The only room that knows clap and the environment. It validates and decides, and does nothing else: no list is read and
//! nothing is sent here.

mod args;
pub(crate) mod log;
mod process;
mod resolve;
mod settings;
mod values;
mod variables;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};

use clap::CommandFactory;
use clap::error::ErrorKind;
use gather::report::{escape, is_unsafe};

pub(crate) use process::Process;
pub(crate) use settings::{CheckSettings, OutputSettings, Place, ProgressForm, Rules, Settings, Talk};

/// Makes settings of the words of a command line, the program's name first.
///
/// The error is what clap would say and holds its exit code; `--help` and `--version` are such errors, with code 0.
pub(crate) fn settings(words: &[OsString], process: &Process) -> Result<Settings, clap::Error> {
    let args = variables::parse(words, process)?;
    resolve::resolve(&args, process)
        .map_err(|error| args::Args::command().error(ErrorKind::ValueValidation, error.to_string()))
}

/// Prints what clap has to say, whether an error or help, and gives its exit code. A closed stream is no error.
///
/// An error may repeat any of the words and variables. If one of them could act on the terminal, the error is escaped and has no
/// colours, as these cannot be told from what the words do.
pub(crate) fn say(error: &clap::Error, words: &[OsString], process: &Process) -> std::process::ExitCode {
    let acts = |word: &OsStr| word.to_string_lossy().contains(is_unsafe);
    let _ = if error.use_stderr() && (words.iter().any(|word| acts(word)) || process.values_read().any(acts)) {
        io::stderr().write_all(escaped_lines(&error.to_string()).as_bytes())
    } else {
        error.print()
    };
    std::process::ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn escaped_lines(text: &str) -> String {
    text.lines().map(|line| escape(line).into_owned() + "\n").collect()
}
