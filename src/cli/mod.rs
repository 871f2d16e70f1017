//! The command line: flags as they are written ([`args`]), a file and the environment below them ([`layers`]), and the
//! [`Settings`] that are made of all three.
//!
//! The only room that knows clap and the environment. It validates and decides, and does nothing else: no list is read and
//! nothing is sent here.

mod args;
mod config;
mod generate;
mod given;
mod hosts;
mod layers;
pub(crate) mod log;
mod process;
mod resolve;
mod settings;
mod stand_in;
mod values;
mod variables;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;
use gather::report::{escape, is_unsafe};

pub(crate) use given::GivenOption;
pub(crate) use process::Process;
pub(crate) use settings::{CheckSettings, OutputSettings, Place, ProgressForm, Rules, Settings, Talk};

/// What the program says where it does not run.
pub(crate) enum Instead {
    /// What clap says, an error or help, with its exit code.
    Clap {
        /// What it says.
        error: clap::Error,
        /// Whether it may repeat something that acts on a terminal.
        may_act: bool,
    },
    /// A text that was asked for.
    Text(Vec<u8>),
}

/// Makes settings of the words of a command line, the program's name first.
pub(crate) fn settings(words: &[OsString], process: &Process) -> Result<Settings, Instead> {
    let parsed = layers::parse(words, process)
        .map_err(|refusal| Instead::clap(refusal.error, words, process, &refusal.config))?;
    if let Some(what) = parsed.args.talk.generate {
        return Err(Instead::Text(generate::generate(what)));
    }
    resolve::resolve(&parsed, process).map_err(|error| {
        let mut message = error.to_string();
        for place in given::places(&parsed.given, &message) {
            message = format!("{message}\n{place}");
        }
        let error = args::Args::command().error(ErrorKind::ValueValidation, message);
        Instead::clap(error, words, process, &parsed.config)
    })
}

impl Instead {
    fn clap(error: clap::Error, words: &[OsString], process: &Process, config: &str) -> Self {
        let acts = |word: &OsStr| word.to_string_lossy().contains(is_unsafe);
        let config_acts = || config.contains(|letter| is_unsafe(letter) && !"\r\n\t".contains(letter));
        let may_act = words.iter().any(|word| acts(word)) || process.values_read().any(acts) || config_acts();
        Self::Clap { error, may_act }
    }

    /// Prints it and gives the exit code. A closed stream is no error.
    ///
    /// An error may repeat any of the words, variables and keys. If one of them could act on the terminal, the error is escaped
    /// and has no colours, as these cannot be told from what the words do.
    pub(crate) fn say(&self) -> ExitCode {
        let (error, may_act) = match self {
            Self::Clap { error, may_act } => (error, *may_act),
            Self::Text(text) => {
                return match io::stdout().write_all(text).and_then(|()| io::stdout().flush()) {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                        let _ = writeln!(io::stderr(), "error: standard output: cannot be written to: {error}");
                        ExitCode::from(3)
                    }
                    _ => ExitCode::SUCCESS,
                };
            }
        };
        let _ = if error.use_stderr() && may_act {
            io::stderr().write_all(escaped_lines(&error.to_string()).as_bytes())
        } else {
            error.print()
        };
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    }
}

#[cfg(test)]
impl std::fmt::Display for Instead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clap { error, .. } => error.fmt(f),
            Self::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
        }
    }
}

fn escaped_lines(text: &str) -> String {
    text.lines().map(|line| escape(line).into_owned() + "\n").collect()
}
