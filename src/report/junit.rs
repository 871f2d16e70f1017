//! XML of `JUnit`, as Jenkins, GitLab, Azure and the actions for GitHub read it: one test case a line of input.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use quick_junit::{FlakyOrRerun, NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::case::{self, Mark};
use super::document::Draft;
use super::spool::Spool;
use super::units::time;
use crate::model::{ExchangeRecord, FlakyRule, Record, Standing, Verdict};

/// One suite for each source, one case for each line.
///
/// A response that is not as it should be is a `failure`, no usable response an `error`; earlier attempts are `rerunFailure`
/// or `rerunError`, those of a flaky line `flakyFailure` or `flakyError`. Known failures and lines that the run did not come
/// to are `skipped`, so that no reader fails for them. Fits the schema that Jenkins' xUnit plugin has (`junit-10.xsd`), but for
/// `file` and `line` of a case: those are what GitLab and the actions for GitHub look for.
///
/// Counts stand in the head, so cases wait in a [`Spool`]: each is made to text by `quick-junit` as it comes, and memory does
/// not grow with the input.
pub(super) struct Junit {
    rule: FlakyRule,
    spool: Spool,
    suites: Vec<Suite>,
    by_source: HashMap<Option<Arc<str>>, usize>,
}

#[derive(Debug, Default)]
struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    time: Duration,
}

impl Junit {
    pub(super) fn new(rule: FlakyRule) -> Self {
        Self { rule, spool: Spool::default(), suites: Vec::new(), by_source: HashMap::new() }
    }

    fn suite(&mut self, record: &Record) -> usize {
        if let Some(&number) = self.by_source.get(&record.source) {
            return number;
        }
        let name = match record.source.as_deref() {
            None => "command line".to_owned(),
            Some("-") => "stdin".to_owned(),
            Some(source) => clean(source),
        };
        self.suites.push(Suite { name, ..Suite::default() });
        self.by_source.insert(record.source.clone(), self.suites.len() - 1);
        self.suites.len() - 1
    }
}

impl Draft for Junit {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let case = case_of(record, self.rule);
        let number = self.suite(record);
        let suite = &mut self.suites[number];
        suite.tests += 1;
        suite.time += case.time.unwrap_or_default();
        match &case.status {
            TestCaseStatus::Success { .. } => {}
            TestCaseStatus::Skipped { .. } => suite.skipped += 1,
            TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => suite.failures += 1,
            TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => suite.errors += 1,
        }
        self.spool.push(number, record.index, xml_of(case)?.as_bytes())
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let sum = |count: fn(&Suite) -> usize| self.suites.iter().map(count).sum();
        let mut report = Report::new("gather");
        report.tests = sum(|suite| suite.tests);
        report.failures = sum(|suite| suite.failures);
        report.errors = sum(|suite| suite.errors);
        report.skipped = sum(|suite| suite.skipped);
        report.time = Some(self.suites.iter().map(|suite| suite.time).sum());
        report.test_suites = self.suites.iter().map(Suite::without_cases).collect();
        let xml = report.to_string().map_err(io::Error::other)?;
        // The schema has this count for suites only.
        let xml = xml.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1);
        // An element without content is written as `<testsuite …/>`; in no attribute does `<` or `>` stand raw.
        let mut rest = xml.as_str();
        for number in 0..self.suites.len() {
            let start = rest.find("<testsuite ").expect("there is an element for each suite");
            let end = start + rest[start..].find("/>").expect("a suite has at least one case and is empty here");
            writeln!(out, "{}>", &rest[..end])?;
            self.spool.write_group(number, out)?;
            out.write_all(b"    </testsuite>")?;
            rest = &rest[end + "/>".len()..];
        }
        out.write_all(rest.as_bytes())
    }
}

impl Suite {
    fn without_cases(&self) -> TestSuite {
        let mut suite = TestSuite::new(&self.name);
        suite.tests = self.tests;
        suite.failures = self.failures;
        suite.errors = self.errors;
        suite.skipped = self.skipped;
        suite.time = Some(self.time);
        suite
    }
}

/// The element of one case on lines of its own, as `quick-junit` writes it within a report.
fn xml_of(case: TestCase) -> io::Result<String> {
    let mut suite = TestSuite::new("");
    suite.add_test_case(case);
    let mut report = Report::new("");
    report.add_test_suite(suite);
    let xml = report.to_string().map_err(io::Error::other)?;
    let start = xml.find("        <testcase ").expect("the report has a case, which is indented by twice four");
    let end = xml.rfind("    </testsuite>").expect("the suite has a case, and so an end");
    Ok(xml[start..end].to_owned())
}

fn case_of(record: &Record, rule: FlakyRule) -> TestCase {
    let mut case = TestCase::new(clean(&case::name(record)), status(record, rule));
    case.set_classname(clean(&case::class(record)));
    case.time = Some(record.time_total.unwrap_or_default());
    if let Some(file) = case::file(record) {
        case.extra.insert("file".into(), clean(&file).into());
    }
    if let Some(line) = record.line {
        case.extra.insert("line".into(), line.to_string().into());
    }
    if record.baseline == Some(Standing::Fixed) {
        case.system_out = case::standing(record).map(Into::into);
    }
    case
}

fn status(record: &Record, rule: FlakyRule) -> TestCaseStatus {
    let mark = Mark::of(record, rule);
    let mut status = match mark {
        Mark::Passed | Mark::Flaky => TestCaseStatus::success(),
        Mark::Known | Mark::Skipped => TestCaseStatus::skipped(),
        Mark::Failed if record.error.is_some() => TestCaseStatus::non_success(NonSuccessKind::Error),
        Mark::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    if matches!(mark, Mark::Failed | Mark::Known | Mark::Skipped) {
        let known = if mark == Mark::Known { "known failure: " } else { "" };
        status.set_message(clean(&format!("{known}{}", case::message(record))));
        if mark == Mark::Failed {
            status.set_type(kind(record));
        }
        status.set_description(clean(&case::details(record).join("\n")));
    }
    if let (Mark::Passed | Mark::Flaky | Mark::Failed, Some((_, earlier))) = (mark, record.attempts.split_last()) {
        status.add_reruns(earlier.iter().map(rerun));
        if mark == Mark::Failed && record.verdict == Verdict::Flaky {
            status.set_rerun_kind(FlakyOrRerun::Flaky);
        }
    }
    status
}

/// The type of what is wrong: stable words, by which readers group.
fn kind(record: &Record) -> &'static str {
    match &record.error {
        Some(error) => error.kind.name(),
        None if record.verdict == Verdict::Flaky => "flaky",
        None if record.failed.is_empty() => "status",
        None => "expectation",
    }
}

fn rerun(attempt: &ExchangeRecord) -> TestRerun {
    let kind = if attempt.error.is_some() { NonSuccessKind::Error } else { NonSuccessKind::Failure };
    let mut rerun = TestRerun::new(kind);
    let message = clean(&super::escape(&case::attempt_message(attempt)));
    // The schema has no attribute for the time of an attempt.
    let taken = attempt.time_total.map(|taken| format!(" after {}", time(taken))).unwrap_or_default();
    rerun.set_type(attempt.error.as_ref().map_or("status", |error| error.kind.name()));
    rerun.set_stack_trace(format!("{message}{taken}"));
    rerun.set_message(message);
    rerun
}

/// Without the two characters that are neither controls nor allowed in XML (XML 1.0, section 2.2). Controls are visible
/// already.
fn clean(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_xml_has_not_are_replaced_and_markup_is_text() {
        let url = "http://h.example/\u{fffe}\u{ffff}\u{0}<a b='c'>&amp;]]>".to_owned();
        let xml = xml_of(case_of(&Record { url, ..Record::default() }, FlakyRule::Warn)).expect("XML");
        let name = "name=\"http://h.example/\u{fffd}\u{fffd}\\u{0}&lt;a b=&apos;c&apos;&gt;&amp;amp;]]&gt;\"";
        assert!(xml.contains(name), "{xml}");
    }
}
