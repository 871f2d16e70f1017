//! Where reports and the summary go.

use std::path::Path;

use gather::input::Source;
use gather::report::ReportKind;

use super::UsageError;
use crate::cli::args::Checks;
use crate::cli::process::Process;
use crate::cli::settings::{CheckSettings, Place};

pub(super) fn resolve(
    checks: &Checks,
    records_on_stdout: bool,
    sources: &[Source],
    process: &Process,
) -> Result<CheckSettings, UsageError> {
    let mut stdout_is = records_on_stdout.then(|| "the records".to_owned());
    let mut place = |path: &Path, option: String| {
        if path.as_os_str().is_empty() {
            return Err(UsageError(format!("{option} is empty: the name of a file is needed")));
        }
        if path.as_os_str() != "-" {
            return Ok(Place::File(path.to_owned()));
        }
        match stdout_is.replace(option.clone()) {
            None => Ok(Place::Stdout),
            Some(other) => {
                let advice = if records_on_stdout { "; --output puts the records in a file" } else { "" };
                Err(UsageError(format!("{option} cannot be standard output: {other} go there{advice}")))
            }
        }
    };
    let mut reports = Vec::new();
    for report in &checks.reports {
        let place = match &report.path {
            Some(path) => place(path, format!("--report {}", report.kind))?,
            None => Place::Stderr,
        };
        if place == Place::Stderr && reports.contains(&(report.kind, Place::Stderr)) {
            return Err(UsageError(format!("--report {} is given twice", report.kind)));
        }
        reports.push((report.kind, place));
    }
    let summary = checks.summary.as_deref().map(|path| place(path, "--summary".to_owned())).transpose()?;
    let is_for_github = reports.iter().any(|(kind, _)| *kind == ReportKind::Github);
    let step_summary = process.variable("GITHUB_STEP_SUMMARY").filter(|_| is_for_github).map(Into::into);
    let title = sources.iter().filter_map(name).collect::<Vec<_>>().join(", ");
    Ok(CheckSettings { reports, title, step_summary, summary, baseline: checks.baseline.clone() })
}

/// The name of a list; URLs of their own have none.
fn name(source: &Source) -> Option<String> {
    match source {
        Source::File(path) => Some(path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()),
        Source::Stdin => Some("standard input".to_owned()),
        Source::Url(_) => None,
    }
}
