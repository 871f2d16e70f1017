//! A record as a test case, in the words that all reports share. What comes out is one line of clean text each.

use std::borrow::Cow;

use super::escape;
use super::fit::shorten_end;
use super::hosts::host;
use super::style::Style;
use super::units::{plural, time};
use crate::model::{ExchangeRecord, FlakyRule, Record, RetryStop, Standing, Verdict};

/// Columns of a message; what is longer is cut, and stands whole among the details.
const MESSAGE_WIDTH: usize = 300;

/// What a line is to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it should be.
    Passed,
    /// As it should be, but only after a retry, of which `--flaky warn` warns.
    Flaky,
    /// Not as it should be; with `--flaky fail` also a flaky line.
    Failed,
    /// Not as it should be, as in the baseline.
    Known,
    /// The run was stopped before anything was sent for it.
    Skipped,
}

impl Mark {
    pub(super) fn of(record: &Record, rule: FlakyRule) -> Self {
        match record.verdict {
            _ if record.is_skipped() => Self::Skipped,
            _ if record.baseline == Some(Standing::Known) => Self::Known,
            verdict if rule.fails(verdict) => Self::Failed,
            Verdict::Flaky if rule == FlakyRule::Warn => Self::Flaky,
            _ => Self::Passed,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Flaky => "flaky",
            Self::Failed => "failed",
            Self::Known => "known",
            Self::Skipped => "skipped",
        }
    }
}

/// What the line is to the run, or `fixed` if it was not as it should be in the baseline. A flaky line that nobody is warned of is
/// `ok`.
pub(super) fn word(record: &Record, mark: Mark) -> &'static str {
    if record.baseline == Some(Standing::Fixed) { Standing::Fixed.name() } else { mark.name() }
}

/// The user's own name of the line, else method and URL.
pub(super) fn name(record: &Record) -> String {
    let name = match record.id.as_deref() {
        Some(serde_json::Value::String(id)) if !id.is_empty() => Cow::Borrowed(id.as_str()),
        None | Some(serde_json::Value::String(_) | serde_json::Value::Null) => request(record).into(),
        Some(id) => Cow::Owned(id.to_string()),
    };
    escape(&name).into_owned()
}

/// Method and URL.
pub(super) fn request(record: &Record) -> String {
    escape(format!("{} {}", record.method, record.url).trim_start()).into_owned()
}

/// The name of the source; none for a URL of the command line and for standard input.
pub(super) fn file(record: &Record) -> Option<String> {
    let source = record.source.as_deref().filter(|&source| source != "-")?;
    Some(escape(source).into_owned())
}

/// The source and the host, as far as there are any: `list.txt/api.example.com`.
pub(super) fn class(record: &Record) -> String {
    let source = record.source.as_deref().map(|source| if source == "-" { "stdin" } else { source });
    let parts: Vec<Cow<'_, str>> = source.map(Cow::Borrowed).into_iter().chain(host(record)).collect();
    escape(&parts.join("/")).into_owned()
}

/// What was seen and should not have been, or is worth a remark; for a line without blemish, its status.
pub(super) fn message(record: &Record) -> String {
    let message = match (&record.error, record.status) {
        _ if record.is_skipped() => "the run was stopped before this line had its turn".to_owned(),
        _ if record.verdict == Verdict::Flaky => {
            let earlier = record.attempts.split_last().map(|(_, earlier)| outcomes(earlier)).unwrap_or_default();
            format!("ok only after {}: {earlier}", retries(record.num_retries))
        }
        (Some(error), _) => error.to_string(),
        _ if !record.failed.is_empty() => record.failed.join("; "),
        (None, Some(status)) if record.verdict == Verdict::Failed => format!("status {status} is not accepted"),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "no response".to_owned(),
    };
    shorten_end(&escape(&message), MESSAGE_WIDTH, &Style::default())
}

/// What is known of the line besides its name, a line each.
pub(super) fn details(record: &Record) -> Vec<String> {
    let mut lines = vec![request(record)];
    lines.extend(record.failed.iter().map(|failed| format!("expected: {failed}")));
    lines.extend(record.error.as_ref().map(|error| format!("error: {error}")));
    if let Some(status) = record.status {
        let taken = record.time_total.map(|taken| format!(" after {}", time(taken))).unwrap_or_default();
        lines.push(format!("status: {status}{taken}"));
    }
    if record.num_redirects > 0 {
        let to = record.url_effective.as_deref().unwrap_or("an unknown place");
        lines.push(format!("{} to {to}", plural(record.num_redirects.into(), "redirect")));
    }
    for (number, attempt) in record.attempts.iter().enumerate() {
        let taken = attempt.time_total.map(|taken| format!(" after {}", time(taken))).unwrap_or_default();
        lines.push(format!("attempt {}: {}{taken}", number + 1, attempt_message(attempt)));
    }
    match (record.retry_stopped_by, record.retry_after) {
        (None | Some(RetryStop::Attempts), _) => {}
        (Some(RetryStop::MaxRetryAfter), Some(wait)) => {
            lines.push(format!("not retried: the server asks for {}", time(wait)));
        }
        (Some(stop), _) => lines.push(format!("not retried: {}", stop.name())),
    }
    lines.extend(record.remote_ip.map(|address| format!("address: {address}")));
    lines.extend(standing(record).map(str::to_owned));
    lines.iter().map(|line| escape(line).into_owned()).collect()
}

/// What the baseline says of the line.
pub(super) fn standing(record: &Record) -> Option<&'static str> {
    record.baseline.map(|standing| match standing {
        Standing::Known => "known: it failed in the baseline too",
        Standing::Fixed => "fixed: it failed in the baseline",
    })
}

/// What came of an attempt: its failure, else its status.
pub(super) fn attempt_message(attempt: &ExchangeRecord) -> String {
    match (&attempt.error, attempt.status) {
        (Some(error), _) => error.to_string(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => "no response".to_owned(),
    }
}

/// What came of attempts, shortly: `503, read_timeout`.
pub(super) fn outcomes(attempts: &[ExchangeRecord]) -> String {
    let outcome = |attempt: &ExchangeRecord| match (&attempt.error, attempt.status) {
        (Some(error), _) => error.kind.to_string(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "-".to_owned(),
    };
    attempts.iter().map(outcome).collect::<Vec<_>>().join(", ")
}

fn retries(count: u32) -> String {
    if count == 1 { "1 retry".to_owned() } else { format!("{count} retries") }
}
