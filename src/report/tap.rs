//! TAP: the Test Anything Protocol, version 14. One test point a line of input, the plan at the end.

use std::io::{self, Write as _};

use super::case::{self, Mark};
use super::records::Render;
use crate::model::{FlakyRule, Record};

/// Test points as records come; their numbers are the positions in the input, from 1.
///
/// A known failure is a `TODO`, which may fail; a line that the run did not come to is a `SKIP`; a run that was stopped bails
/// out at its end. Strings in the diagnostics are those of JSON, which YAML reads too.
#[derive(Debug)]
pub(super) struct Tap {
    rule: FlakyRule,
    /// The highest number so far.
    points: u64,
    stopped: Option<String>,
}

impl Tap {
    pub(super) fn new(rule: FlakyRule) -> Self {
        Self { rule, points: 0, stopped: None }
    }
}

impl Render for Tap {
    fn head(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.extend_from_slice(b"TAP version 14\n");
        Ok(())
    }

    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mark = Mark::of(record, self.rule);
        let number = record.index + 1;
        self.points = self.points.max(number);
        let (result, directive) = match mark {
            Mark::Passed | Mark::Flaky => ("ok", String::new()),
            Mark::Failed => ("not ok", String::new()),
            Mark::Known => ("not ok", " # TODO known failure".to_owned()),
            Mark::Skipped => ("ok", format!(" # SKIP {}", case::message(record))),
        };
        writeln!(buffer, "{result} {number} - {}{directive}", description(&case::name(record)))?;
        if mark != Mark::Skipped && (mark != Mark::Passed || record.baseline.is_some()) {
            diagnostics(record, mark, buffer)?;
        }
        Ok(())
    }

    fn stopped_early(&mut self, how: &str) {
        self.stopped = Some(how.to_owned());
    }

    fn tail(&mut self, buffer: &mut Vec<u8>) {
        let plan = match self.points {
            0 => "1..0 # SKIP the input had no line\n".to_owned(),
            points => format!("1..{points}\n"),
        };
        buffer.extend_from_slice(plan.as_bytes());
        if let Some(how) = &self.stopped {
            buffer.extend_from_slice(format!("Bail out! {}\n", super::escape(how)).as_bytes());
        }
    }
}

/// A number sign would begin a directive.
fn description(name: &str) -> String {
    name.replace('\\', "\\\\").replace('#', "\\#")
}

fn diagnostics(record: &Record, mark: Mark, buffer: &mut Vec<u8>) -> io::Result<()> {
    let string = |text: &str| serde_json::Value::from(text).to_string();
    writeln!(buffer, "  ---")?;
    writeln!(buffer, "  message: {}", string(&case::message(record)))?;
    let severity = if matches!(mark, Mark::Failed | Mark::Known) { "fail" } else { "comment" };
    writeln!(buffer, "  severity: {severity}")?;
    if let (Some(file), Some(line)) = (case::file(record), record.line) {
        writeln!(buffer, "  at:\n    file: {}\n    line: {line}", string(&file))?;
    }
    if let Some(time) = record.time_total {
        writeln!(buffer, "  seconds: {:.3}", time.as_secs_f64())?;
    }
    // A block and no list of strings, for which the reader that comes with Perl is too simple.
    writeln!(buffer, "  details: |")?;
    for line in case::details(record) {
        writeln!(buffer, "    {line}")?;
    }
    writeln!(buffer, "  ...")
}
