//! Records to bytes: one file a format, the terminal, the summary, progress. Sees nothing but records.
//!
//! A format only renders into memory (`records::Render`); an [`Output`] brings the bytes out, whole records only;
//! [`open`] puts the two together to a [`Report`]. Whatever a person may read has passed [`escape()`].

mod account;
mod case;
mod cell;
mod csv;
mod document;
mod file;
mod fit;
mod format;
mod github;
mod hosts;
mod html;
mod json;
mod junit;
mod kind;
mod markdown;
mod ndjson;
mod object;
mod output;
#[cfg(feature = "cli")]
mod progress;
mod records;
mod spool;
mod style;
mod summary;
mod tap;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod units;

use std::fmt;
use std::io;

pub use account::{Account, Ending, HostAccount, Reason, Times};
pub use file::{OutputError, same_file};
pub use format::{Format, ParseFormatError};
pub use html::html;
pub use kind::{ParseReportKindError, ReportKind};
pub use output::Output;
#[cfg(feature = "cli")]
pub use progress::{Progress, ProgressState, Screen};
pub use style::Style;
pub use summary::Summary;

pub use crate::model::{escape, is_unsafe};

use crate::model::{Field, FlakyRule, Record};
use document::Document;
use records::Records;

/// Takes records in the order in which they come out.
///
/// An error means that the output can no longer be written to: stop the run. What was written is valid as it is, as far
/// as the target allows (see [`Output`]), and later calls give an error of the same kind. A reader who went away is
/// [`io::ErrorKind::BrokenPipe`]: end quietly.
pub trait Report: fmt::Debug + Send {
    /// Takes one record. It is rendered at once, and written at the next [`Report::flush`], at the latest when about 1 MiB waits.
    fn record(&mut self, record: &Record) -> io::Result<()>;

    /// Whether so much waits that it should be flushed now.
    fn is_full(&self) -> bool;

    /// Makes everything taken so far visible to the reader, which blocks for as long as the reader likes. To be called when
    /// the report is full, and when no record is at hand.
    fn flush(&mut self) -> io::Result<()>;

    /// Hears that the run was stopped before its input ended, and how, in words for a person. Called before
    /// [`Report::finish`], if at all; what says nothing of the run as a whole ignores it.
    fn stopped_early(&mut self, how: &str) {
        let _ = how;
    }

    /// Writes what comes after the last record, and everything taken so far. The last call, also of a run that ended early.
    fn finish(&mut self) -> io::Result<()>;
}

/// How records are rendered.
#[derive(Debug, Clone, Default)]
pub struct Rendering {
    /// Which fields, in which order, `--fields`; `None`: all, in the order of the record. A second mention is dropped.
    pub fields: Option<Vec<Field>>,
    /// How lines for people look.
    pub style: Style,
    /// Whether CSV and TSV leave text as it is that a spreadsheet would run as a formula, `--csv-raw`.
    pub csv_raw: bool,
}

/// A report of all records in `format` to `output`.
pub fn open(format: Format, output: Output, rendering: Rendering) -> Box<dyn Report> {
    let Rendering { fields, style, csv_raw } = rendering;
    let fields = fields.map(without_repeats);
    let on_terminal = style.width.is_some();
    match format {
        Format::Ndjson => Box::new(Records::new(output, ndjson::Ndjson { fields })),
        Format::Json => Box::new(Records::new(output, json::Json::new(fields))),
        Format::Csv => Box::new(Records::new(output, csv::Csv::new(b',', fields, csv_raw, on_terminal))),
        Format::Tsv => Box::new(Records::new(output, csv::Csv::new(b'\t', fields, csv_raw, on_terminal))),
        Format::Text => Box::new(Records::new(output, text::Text { style, fields })),
    }
}

/// What a report for CI is told.
#[derive(Debug, Default)]
pub struct ReportRules {
    /// What a flaky line is to the run, `--flaky`.
    pub flaky: FlakyRule,
    /// Where the summary of a step goes that [`ReportKind::Github`] writes beside its annotations.
    pub step_summary: Option<Output>,
    /// What was fetched, such as the names of the lists, for [`ReportKind::Html`].
    pub title: String,
}

/// A report of the lines of a run as test cases, one for each record. Cases stand in the order of the input where the report is
/// written at the end (`JUnit`, Markdown), and as records come, with their numbers, where it is written on the way.
///
/// What has to wait for the end waits in a temporary file, so that memory does not grow with the input. Of a document that
/// cannot be written whole nothing is left, as far as the target allows.
pub fn open_report(kind: ReportKind, output: Output, rules: ReportRules) -> Box<dyn Report> {
    let ReportRules { flaky, step_summary, title } = rules;
    match kind {
        ReportKind::Junit => Box::new(Document::new(output, junit::Junit::new(flaky))),
        ReportKind::Github => Box::new(github::Github::new(output, flaky, step_summary)),
        ReportKind::Markdown => Box::new(Document::new(output, markdown::Markdown::new(flaky))),
        ReportKind::Tap => Box::new(Records::new(output, tap::Tap::new(flaky))),
        ReportKind::Html => html(output, &title, flaky),
    }
}

/// A JSON object must not have a name twice (RFC 8259, section 4).
fn without_repeats(fields: Vec<Field>) -> Vec<Field> {
    let mut kept = Vec::with_capacity(fields.len());
    for field in fields {
        if !kept.contains(&field) {
            kept.push(field);
        }
    }
    kept
}
