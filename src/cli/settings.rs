//! All that a run is told, decided: what the options, their variables and the process come to.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use gather::engine::Plan;
use gather::fetch::FetchOptions;
use gather::input::{InputOptions, Source};
use gather::model::FlakyRule;
use gather::report::{Format, Rendering, ReportKind, Style};

use super::args::LogFormat;
use super::given::GivenOption;

/// All that a run is told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where lines come from, in this order; at least one.
    pub(crate) sources: Vec<Source>,
    /// How lines become jobs.
    pub(crate) input: InputOptions,
    /// What the transport is told.
    pub(crate) fetch: FetchOptions,
    /// How the run is made.
    pub(crate) plan: Plan,
    /// Where records go.
    pub(crate) output: OutputSettings,
    /// What else is written.
    pub(crate) checks: CheckSettings,
    /// What ends the run early, and what is no error.
    pub(crate) rules: Rules,
    /// Whether requests are printed and none is sent.
    pub(crate) dry_run: bool,
    /// The options that are set, and where.
    pub(crate) given: Vec<GivenOption>,
    /// What is said on standard error beside the log.
    pub(crate) talk: Talk,
    /// What is logged.
    pub(crate) log: LogSettings,
}

/// Where records go, and in which form.
#[derive(Debug, Clone)]
pub(crate) struct OutputSettings {
    /// The file; `None`: standard output.
    pub(crate) path: Option<PathBuf>,
    /// Whether an existing file is overwritten.
    pub(crate) force: bool,
    /// The form of the records.
    pub(crate) format: Format,
    /// How they are rendered in that form.
    pub(crate) rendering: Rendering,
}

/// What is written beside the records, and what the records are compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CheckSettings {
    /// Reports, each with its place.
    pub(crate) reports: Vec<(ReportKind, Place)>,
    /// What is fetched, for the title of a page.
    pub(crate) title: String,
    /// The file that the table of a step is appended to, if annotations for GitHub are written.
    pub(crate) step_summary: Option<PathBuf>,
    /// Where the summary goes as JSON.
    pub(crate) summary: Option<Place>,
    /// The records of an older run.
    pub(crate) baseline: Option<PathBuf>,
}

/// Where something is written beside the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Stdout,
    Stderr,
    File(PathBuf),
}

/// What ends the run early, and what is no error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The run is stopped this much time after its start.
    pub(crate) deadline: Option<Duration>,
    /// The run is stopped when so many lines are not ok.
    pub(crate) max_failures: Option<NonZeroU64>,
    /// What a flaky line is.
    pub(crate) flaky: FlakyRule,
    /// An input without URLs is no error.
    pub(crate) allow_empty: bool,
}

/// What is said on standard error beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Talk {
    /// Whether the run is summed up at its end.
    pub(crate) summary: bool,
    /// How progress is shown.
    pub(crate) progress: ProgressForm,
    /// How all of it looks.
    pub(crate) style: Style,
    /// Whether the summary says that certificates were not checked.
    pub(crate) is_insecure: bool,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressForm {
    /// Not at all.
    Hidden,
    /// As a line that is drawn over and over.
    Drawn,
    /// As a plain line from time to time.
    Plain,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Directives in the form of `RUST_LOG`.
    pub(crate) filter: String,
    /// The form of log lines.
    pub(crate) format: LogFormat,
    /// Whether log lines are coloured.
    pub(crate) colored: bool,
}
