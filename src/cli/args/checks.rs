//! What makes the run fail, and who is told.

use std::path::PathBuf;

use clap::ValueEnum;
use gather::model::FlakyRule;
use gather::report::ReportKind;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct Checks {
    /// Report every line as a test case: `junit=FILE`, `github`, `markdown=FILE`, `tap=FILE`, `html=FILE`.
    ///
    /// May be repeated. `-` as the file is standard output, if records go elsewhere. `github` writes annotations to standard
    /// error, or to a file, and appends a table to the file that `GITHUB_STEP_SUMMARY` names.
    #[arg(long = "report", value_name = "KIND[=FILE]", value_parser = report)]
    pub(crate) reports: Vec<ReportAsked>,

    /// What a line is that was ok only after a retry.
    ///
    /// `fail`: a failure. `warn`: ok, with a warning in reports. `ok`: ok.
    #[arg(long, value_name = "RULE", value_enum, default_value = "warn")]
    pub(crate) flaky: FlakyName,

    /// Records of an older run (NDJSON): what failed then too is `known` and no failure.
    ///
    /// Lines are the same if their `id` is, or else method and URL; of several the first is the first, and so on. A line that
    /// failed then and is ok now is `fixed`.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Write the end summary to this file as JSON.
    ///
    /// Also when the run is stopped early. `-` is standard output, if records go elsewhere.
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
}

/// A report, and the file that it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportAsked {
    pub(crate) kind: ReportKind,
    pub(crate) path: Option<PathBuf>,
}

/// The names of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlakyName {
    Fail,
    Warn,
    Ok,
}

impl From<FlakyName> for FlakyRule {
    fn from(name: FlakyName) -> Self {
        match name {
            FlakyName::Fail => Self::Fail,
            FlakyName::Warn => Self::Warn,
            FlakyName::Ok => Self::Ok,
        }
    }
}

/// `KIND` or `KIND=FILE`.
fn report(text: &str) -> Result<ReportAsked, String> {
    let (kind, path) = match text.split_once('=') {
        Some((kind, path)) => (kind, Some(path)),
        None => (text, None),
    };
    let kind: ReportKind = kind.parse().map_err(|error| format!("{error}"))?;
    match path {
        Some("") => Err(format!("the name of a file is needed after `{kind}=`")),
        None if kind.needs_file() => Err(format!("`{kind}` needs a file: `{kind}=FILE`")),
        path => Ok(ReportAsked { kind, path: path.map(Into::into) }),
    }
}
