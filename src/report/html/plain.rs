//! What the page shows where no script runs: the counts and the lines that failed.

use std::fmt::Write as _;

use super::page::escaped;
use crate::model::{FlakyRule, Record};
use crate::report::Summary;
use crate::report::case::Mark;
use crate::report::units::{count, plural, time_in_prose};

/// Most failed lines that are listed.
const LISTED: u64 = 200;

/// Most characters of a URL or a message.
const SHOWN: usize = 300;

/// Counts, and the first failed lines as markup.
#[derive(Default)]
pub(super) struct Plain {
    summary: Summary,
    /// Lines that failed, flaky ones included where they count as failed.
    failed: u64,
    rows: String,
}

impl Plain {
    pub(super) fn add(&mut self, record: &Record, rule: FlakyRule) {
        self.summary.add(record);
        if Mark::of(record, rule) == Mark::Failed {
            self.failed += 1;
            if self.failed <= LISTED {
                self.rows.push_str(&row(record));
            }
        }
    }

    pub(super) fn render(&self) -> String {
        let summary = &self.summary;
        let mut parts = vec![plural(summary.records(), "line")];
        let verdicts = [
            (summary.ok(), "ok"),
            (summary.flaky(), "flaky"),
            (summary.failed(), "failed"),
            (summary.known(), "known"),
            (summary.fixed(), "fixed"),
        ];
        parts.extend(verdicts.iter().filter(|(n, _)| *n > 0).map(|(n, verdict)| format!("{} {verdict}", count(*n))));
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            parts.extend(summary.percentile(share).map(|time| format!("{name} {}", time_in_prose(time))));
        }
        let mut markup = format!("<p>{}</p>\n", parts.join(" · "));
        if !self.rows.is_empty() {
            markup.push_str("<table>\n<caption>Lines that failed</caption>\n<thead><tr><th scope=\"col\">Line</th>");
            markup.push_str("<th scope=\"col\">URL</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
            markup.push_str(&self.rows);
            markup.push_str("</tbody>\n</table>\n");
        }
        if let Some(more) = self.failed.checked_sub(LISTED).filter(|&more| more > 0) {
            writeln!(markup, "<p>… and {} more</p>", count(more)).expect("a string takes every write");
        }
        markup
    }
}

fn row(record: &Record) -> String {
    let place = match (&record.source, record.line) {
        (Some(source), Some(line)) => format!("{source}:{line}"),
        (None, Some(line)) => line.to_string(),
        _ => (record.index + 1).to_string(),
    };
    let [place, url, why] = [&place, &record.url, &why(record)].map(|text| escaped(&shortened(text)));
    format!("<tr><td>✗ {place}</td><td>{url}</td><td>{why}</td></tr>\n")
}

fn why(record: &Record) -> String {
    let status = record.status.map(|status| format!("status {status}"));
    let error = record.error.as_ref().map(ToString::to_string);
    let reasons: Vec<String> = if record.failed.is_empty() {
        error.or(status).into_iter().collect()
    } else {
        error.into_iter().chain(record.failed.iter().take(8).cloned()).collect()
    };
    reasons.join("; ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
