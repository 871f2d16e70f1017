//! What the process finds when it starts: its environment and its three streams.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;

use console::Term;
use gather::model::Secret;

/// What the process finds when it starts.
///
/// The whole program reads its environment here, once, so that all that depends on it can be tried out with another one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    /// The environment.
    pub(super) variables: HashMap<OsString, Secret<OsString>>,
    /// Where a file with options is looked for that nobody named; `None`: nowhere.
    pub(super) config_file: Option<PathBuf>,
    /// Whether standard input is a terminal.
    pub(crate) stdin_is_terminal: bool,
    /// Standard output, if it is a terminal.
    pub(crate) stdout: Option<Terminal>,
    /// Standard error, if it is a terminal.
    pub(crate) stderr: Option<Terminal>,
}

/// A terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Its columns, if it tells.
    pub(crate) width: Option<usize>,
}

impl Process {
    /// The real one.
    pub(crate) fn current() -> Self {
        Self {
            variables: std::env::vars_os().map(|(name, value)| (name, value.into())).collect(),
            config_file: Some("gather.toml".into()),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout: Terminal::at(&std::io::stdout(), &Term::stdout()),
            stderr: Terminal::at(&std::io::stderr(), &Term::stderr()),
        }
    }

    /// The value of an environment variable; an empty one is as good as none, as in curl.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variable_or_empty(name).filter(|value| !value.is_empty())
    }

    /// The values of all variables that this program may read, and so may repeat in a message.
    pub(crate) fn values_read(&self) -> impl Iterator<Item = &OsStr> {
        let is_read = |name: &OsStr| {
            let name = name.to_string_lossy().to_ascii_lowercase();
            name.starts_with("gather_") || name.ends_with("_proxy") || name == "rust_log"
        };
        self.variables.iter().filter(move |(name, _)| is_read(name)).map(|(_, value)| value.expose().as_os_str())
    }

    /// The value of an environment variable, which may be empty.
    pub(crate) fn variable_or_empty(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(|value| value.expose().as_os_str())
    }
}

impl Terminal {
    fn at(stream: &impl IsTerminal, term: &Term) -> Option<Self> {
        let width = || term.size_checked().map(|(_, columns)| usize::from(columns)).filter(|&columns| columns > 0);
        stream.is_terminal().then(|| Self { width: width() })
    }
}

#[cfg(test)]
impl Process {
    /// A process without terminals that has these variables.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|&(name, value)| (name.into(), OsString::from(value).into())).collect();
        Self { variables, ..Self::default() }
    }
}
