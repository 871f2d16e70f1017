//! GitHub: annotations of a workflow, and the summary of its step.

use std::fmt;
use std::io::{self, Write as _};

use super::case::{self, Mark};
use super::document::Document;
use super::markdown::Markdown;
use super::{Output, Report};
use crate::model::{FlakyRule, Record};

/// Most annotations of a severity that GitHub shows for a step.
const MOST: u64 = 10;

/// Most bytes of the table in the summary of a step. GitHub takes 1 MiB for the whole summary, and shows nothing of a longer one.
const SUMMARY_LIMIT: u64 = 900 << 10;

/// Workflow commands as records come: an `error` for each line that failed, a `warning` for each flaky one. Of each the first
/// ten, as GitHub shows no more; at the end a `notice` says how many others there were.
pub(super) struct Github {
    output: Output,
    rule: FlakyRule,
    errors: u64,
    warnings: u64,
    stopped: Option<String>,
    step_summary: Option<Document<Markdown>>,
}

impl Github {
    pub(super) fn new(output: Output, rule: FlakyRule, step_summary: Option<Output>) -> Self {
        let page = |output| Document::new(output, Markdown::up_to(SUMMARY_LIMIT, rule));
        Self { output, rule, errors: 0, warnings: 0, stopped: None, step_summary: step_summary.map(page) }
    }
}

impl Report for Github {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        if let Some(page) = &mut self.step_summary {
            page.record(record)?;
        }
        let (command, count) = match Mark::of(record, self.rule) {
            Mark::Failed => ("error", &mut self.errors),
            Mark::Flaky => ("warning", &mut self.warnings),
            Mark::Passed | Mark::Known | Mark::Skipped => return Ok(()),
        };
        *count += 1;
        if *count > MOST {
            return Ok(());
        }
        self.output.unit(|buffer| buffer.write_all(annotation(command, record).as_bytes()))
    }

    fn is_full(&self) -> bool {
        self.output.is_full()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn stopped_early(&mut self, how: &str) {
        self.stopped = Some(how.to_owned());
        if let Some(page) = &mut self.step_summary {
            page.stopped_early(how);
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let left = [("failed", self.errors), ("are flaky", self.warnings)];
        let left = left.map(|(what, count)| (what, count.saturating_sub(MOST)));
        let more =
            left.iter().filter(|(_, more)| *more > 0).map(|(what, more)| format!("… and {more} more that {what}"));
        let notes: Vec<String> = more.chain(self.stopped.take()).collect();
        for note in notes {
            let line = format!("::notice title=gather::{}\n", data(&super::escape(&note)));
            self.output.unit(|buffer| buffer.write_all(line.as_bytes()))?;
        }
        self.output.finish()?;
        self.step_summary.as_mut().map_or(Ok(()), Report::finish)
    }
}

impl fmt::Debug for Github {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Github").field("output", &self.output).finish_non_exhaustive()
    }
}

fn annotation(command: &str, record: &Record) -> String {
    let mut properties = Vec::new();
    if let Some(file) = case::file(record) {
        properties.push(format!("file={}", property(&file)));
        properties.extend(record.line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(&case::name(record))));
    let message = case::message(record);
    // What the first line says need not be said again.
    let details = case::details(record).into_iter().filter(|line| !line.ends_with(&message));
    let message = std::iter::once(message.clone()).chain(details).collect::<Vec<_>>().join("\n");
    format!("::{command} {}::{}\n", properties.join(","), data(&message))
}

/// The rules of the toolkit's `core/src/command.ts`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
