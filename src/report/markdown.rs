//! Markdown: the figures of the run, and a table of the lines that are not ok. For a file, and for the summary of a step.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::case::{self, Mark};
use super::document::Draft;
use super::spool::Spool;
use super::units::{count, plural, time};
use crate::model::{FlakyRule, Record, Standing};

/// A page in Markdown as GitHub and GitLab show it. Lines that passed are counted and not listed, but for those that are fixed.
#[derive(Debug)]
pub(super) struct Markdown {
    rule: FlakyRule,
    /// Most bytes of the rows; what is more is counted.
    limit: u64,
    rows: Spool,
    left_out: u64,
    counts: Counts,
    stopped: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    lines: u64,
    passed: u64,
    flaky: u64,
    failed: u64,
    known: u64,
    fixed: u64,
    skipped: u64,
}

impl Markdown {
    pub(super) fn new(rule: FlakyRule) -> Self {
        Self::up_to(u64::MAX, rule)
    }

    /// A page whose table has about so many bytes at most.
    pub(super) fn up_to(limit: u64, rule: FlakyRule) -> Self {
        Self { rule, limit, rows: Spool::default(), left_out: 0, counts: Counts::default(), stopped: None }
    }
}

impl Draft for Markdown {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let mark = Mark::of(record, self.rule);
        self.counts.add(record, mark);
        if mark == Mark::Passed && record.baseline.is_none() {
            return Ok(());
        }
        let row = row(record, mark);
        if self.left_out > 0 || self.rows.size() + row.len() as u64 > self.limit {
            self.left_out += 1;
            return Ok(());
        }
        self.rows.push(0, record.index, row.as_bytes())
    }

    fn stopped_early(&mut self, how: &str) {
        self.stopped = Some(how.to_owned());
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.counts.head().as_bytes())?;
        if let Some(how) = &self.stopped {
            writeln!(out, "\n> {}", cell(how))?;
        }
        if self.rows.size() > 0 {
            out.write_all(b"\n| | Line | Request | Seen | Time |\n| --- | --- | --- | --- | ---: |\n")?;
            self.rows.write_group(0, out)?;
        }
        if self.left_out > 0 {
            writeln!(out, "\n… and {} more", count(self.left_out))?;
        }
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, record: &Record, mark: Mark) {
        self.lines += 1;
        self.fixed += u64::from(record.baseline == Some(Standing::Fixed));
        *match mark {
            Mark::Passed => &mut self.passed,
            Mark::Flaky => &mut self.flaky,
            Mark::Failed => &mut self.failed,
            Mark::Known => &mut self.known,
            Mark::Skipped => &mut self.skipped,
        } += 1;
    }

    fn head(&self) -> String {
        let (glyph, title) = match self.failed {
            0 => ("✅", "no line failed".to_owned()),
            failed => ("❌", format!("{} of {} failed", count(failed), plural(self.lines, "line"))),
        };
        let mut head = format!("## {glyph} gather: {title}\n\n| lines |");
        let columns = [
            ("ok", self.passed),
            ("flaky", self.flaky),
            ("failed", self.failed),
            ("known", self.known),
            ("fixed", self.fixed),
            ("skipped", self.skipped),
        ];
        // What did not happen has no column, but for the two that everyone looks for.
        let shown: Vec<_> =
            columns.into_iter().filter(|&(name, number)| number > 0 || ["ok", "failed"].contains(&name)).collect();
        let row = |cell: &dyn Fn(&(&str, u64)) -> String| shown.iter().map(cell).collect::<String>();
        let names = row(&|(name, _)| format!(" {name} |"));
        let rule = row(&|_| " ---: |".to_owned());
        let numbers = row(&|&(_, number)| format!(" {} |", count(number)));
        write!(head, "{names}\n| ---: |{rule}\n| {} |{numbers}\n", count(self.lines))
            .expect("a string takes every write");
        head
    }
}

fn row(record: &Record, mark: Mark) -> String {
    let glyph = match mark {
        Mark::Passed => "✅",
        Mark::Flaky => "⚠️",
        Mark::Failed => "❌",
        Mark::Known => "🔸",
        Mark::Skipped => "⏭️",
    };
    let word = case::word(record, mark);
    let place = match (case::file(record), record.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (None, Some(line)) => line.to_string(),
        _ => format!("#{}", record.index + 1),
    };
    let request = case::request(record);
    let name = case::name(record);
    let request = if name == request { request } else { format!("{name}: {request}") };
    let mut seen = case::message(record);
    if mark == Mark::Failed && record.attempts.len() > 1 && record.verdict != crate::model::Verdict::Flaky {
        let attempts = record.attempts.len() as u64;
        write!(seen, " · {}: {}", plural(attempts, "attempt"), case::outcomes(&record.attempts))
            .expect("a string takes every write");
    }
    let taken = record.time_total.map(time).unwrap_or_default();
    let [place, request, seen] = [place, request, seen].map(|text| cell(&text));
    format!("| {glyph} {word} | {place} | {request} | {seen} | {taken} |\n")
}

/// Text that is nothing but text, in a cell of a table: no markup, no HTML, no mention of somebody, no formula.
fn cell(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 8);
    for character in super::escape(text).chars() {
        match character {
            '&' | '<' | '>' | '@' | '$' => {
                write!(shown, "&#{};", u32::from(character)).expect("a string takes every write");
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '#' | '!' => shown.extend(['\\', character]),
            character => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_nothing_but_text() {
        assert_eq!(
            cell("a|b `c` <img> @you [x](y) *z* \\ \u{1b}\n$x$"),
            "a\\|b \\`c\\` &#60;img&#62; &#64;you \\[x\\](y) \\*z\\* \\\\ \\\\u{1b}\\\\n&#36;x&#36;"
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut page = Markdown::up_to(1000, FlakyRule::Warn);
        for index in 0..100 {
            let record = Record { index, url: "http://h.example/".into(), status: Some(500), ..Record::default() };
            page.record(&record).expect("there is room");
        }
        let mut text = Vec::new();
        page.write(&mut text).expect("memory takes every write");
        let text = String::from_utf8(text).expect("text");
        let rows = text.lines().filter(|line| line.starts_with("| ❌")).count();
        assert!(rows > 3 && text.ends_with(&format!("\n… and {} more\n", 100 - rows)), "{text}");
    }
}
