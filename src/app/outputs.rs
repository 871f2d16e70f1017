//! All that a run writes to: opened before anything is sent, fed with records, and closed whatever happens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gather::model::{FlakyRule, Record};
use gather::report::{
    self, Account, Output, OutputError, Report, ReportKind, ReportRules, Screen, escape, open_report, same_file,
};

use crate::cli::{CheckSettings, OutputSettings, Place};

/// Why no more records can be written.
pub(super) enum Lost {
    /// Nobody reads them any more.
    Reader,
    /// What cannot be written to, and why.
    Output(String, io::Error),
    /// A body could not be written to its file.
    Body(String),
}

/// The records, and what is written beside them.
pub(super) struct Outputs {
    /// The records first, then the other reports, each with its name in messages.
    reports: Vec<(String, Box<dyn Report>)>,
    summary: Option<(String, Output)>,
}

/// What is open already, and what must not be written to.
struct Opening<'a> {
    inputs: &'a [PathBuf],
    force: bool,
    files: Vec<PathBuf>,
    screen: &'a Screen,
}

impl Outputs {
    /// Opens everything. Where something is refused, files that were made for what came before it are removed again.
    pub(super) fn open(
        records: OutputSettings,
        checks: &CheckSettings,
        flaky: FlakyRule,
        inputs: &[PathBuf],
        screen: &Screen,
    ) -> Result<Self, String> {
        let said = |error: OutputError| error.to_string();
        let mut opening = Opening { inputs, force: records.force, files: Vec::new(), screen };
        let place = records.path.map_or(Place::Stdout, Place::File);
        let (name, output) = opening.open(&place).map_err(said)?;
        let mut reports = vec![(name, report::open(records.format, output, records.rendering))];
        for (kind, place) in &checks.reports {
            let (name, output) = opening.open(place).map_err(said)?;
            let step_summary = checks.step_summary.as_deref().filter(|_| *kind == ReportKind::Github);
            let step_summary = step_summary.map(Output::append).transpose();
            let step_summary = step_summary.map_err(|error| format!("GITHUB_STEP_SUMMARY: {error}"))?;
            reports.push((
                name,
                open_report(*kind, output, ReportRules { flaky, step_summary, title: checks.title.clone() }),
            ));
        }
        let summary = checks.summary.as_ref().map(|place| opening.open(place)).transpose().map_err(said)?;
        Ok(Self { reports, summary })
    }

    pub(super) fn record(&mut self, record: &Record) -> Result<(), Lost> {
        self.try_each(|report| report.record(record))
    }

    pub(super) fn is_full(&self) -> bool {
        self.reports.iter().any(|(_, report)| report.is_full())
    }

    pub(super) fn flush(&mut self) -> Result<(), Lost> {
        self.try_each(|report| report.flush())
    }

    pub(super) fn stopped_early(&mut self, how: &str) {
        for (_, report) in &mut self.reports {
            report.stopped_early(how);
        }
    }

    /// Ends every report, also where another one cannot be.
    pub(super) fn finish(&mut self) -> Result<(), Lost> {
        self.try_each(|report| report.finish())
    }

    /// Whether the summary is written as JSON.
    pub(super) fn wants_account(&self) -> bool {
        self.summary.is_some()
    }

    /// Writes the summary as JSON, where that is asked for.
    pub(super) fn write_account(&mut self, account: &Account) -> Result<(), Lost> {
        let Some((name, output)) = &mut self.summary else { return Ok(()) };
        account.write(output).map_err(|error| Lost::Output(name.clone(), error))
    }

    /// Does the same with every report, also after one that fails; gives the first failure.
    fn try_each(&mut self, mut act: impl FnMut(&mut dyn Report) -> io::Result<()>) -> Result<(), Lost> {
        let mut result = Ok(());
        for (number, (name, report)) in self.reports.iter_mut().enumerate() {
            let Err(error) = act(&mut **report) else { continue };
            // Whoever stops reading the records has what he wants; half of another report is none.
            let is_reader = number == 0 && error.kind() == io::ErrorKind::BrokenPipe;
            let lost = if is_reader { Lost::Reader } else { Lost::Output(name.clone(), error) };
            result = result.and(Err(lost));
        }
        result
    }
}

impl Opening<'_> {
    fn open(&mut self, place: &Place) -> Result<(String, Output), OutputError> {
        match place {
            Place::Stdout => Ok(("standard output".to_owned(), Output::stdout(self.inputs)?)),
            Place::Stderr => Ok(("standard error".to_owned(), Output::new(self.screen.clone()))),
            Place::File(path) => Ok((escape(&path.to_string_lossy()).into_owned(), self.open_file(path)?)),
        }
    }

    fn open_file(&mut self, path: &Path) -> Result<Output, OutputError> {
        if fs::metadata(path).is_ok_and(|file| same_file(&file, &self.files).is_some()) {
            return Err(OutputError::Twice(path.to_owned()));
        }
        let output = Output::file(path, self.force, self.inputs)?;
        self.files.push(path.to_owned());
        Ok(output)
    }
}
