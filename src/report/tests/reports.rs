//! One corpus of test cases through all reports.

use proptest::prelude::*;
use quick_junit::{NonSuccessKind, TestCaseStatus};

use super::{Shared, corpus, failed, is_unsafe, record};
use crate::model::escape::any_text;
use crate::model::{FailureKind, FlakyRule, Record, Standing, Verdict};
use crate::report::{Output, ReportKind, ReportRules, open_report};

/// The corpus of all formats, and one record for each mark that a case can have.
fn cases() -> Vec<Record> {
    let mut cases = corpus();
    let mut unmet = record(14, "https://api.example.com/health");
    unmet.ok = false;
    unmet.verdict = Verdict::Failed;
    unmet.failed = vec!["body contains \"<ok>\" — \"]]> | `down` @all\"".into(), "time < 50ms — 84ms".into()];
    unmet.id = Some(Box::new("health, 100%: #1".into()));

    let mut known = record(15, "https://api.example.com/old");
    known.ok = false;
    known.verdict = Verdict::Failed;
    known.status = Some(500);
    known.baseline = Some(Standing::Known);

    let mut fixed = record(16, "https://api.example.com/repaired");
    fixed.baseline = Some(Standing::Fixed);

    let canceled = "the run was stopped while this line waited for its turn";
    let skipped = failed(17, "https://api.example.com/late", FailureKind::Canceled, canceled);

    let mut argument = record(18, "https://api.example.com/argument");
    (argument.source, argument.line) = (None, None);
    argument.ok = false;
    argument.verdict = Verdict::Failed;
    argument.status = Some(410);
    cases.extend([unmet, known, fixed, skipped, argument]);
    cases
}

/// What a report makes of the records, and of the step's summary.
fn both(records: &[Record], kind: ReportKind, flaky: FlakyRule, stopped: Option<&str>) -> (String, String) {
    let (shared, page) = (Shared::default(), Shared::default());
    let rules = ReportRules { flaky, step_summary: Some(Output::new(page.clone())), title: "urls.txt".to_owned() };
    let mut report = open_report(kind, Output::new(shared.clone()), rules);
    for record in records {
        report.record(record).expect("memory takes every write");
    }
    if let Some(how) = stopped {
        report.stopped_early(how);
    }
    report.finish().expect("memory takes every write");
    (shared.text(), page.text())
}

fn reported(records: &[Record], kind: ReportKind, flaky: FlakyRule) -> String {
    both(records, kind, flaky, None).0
}

fn junit(records: &[Record], flaky: FlakyRule) -> quick_junit::Report {
    let xml = reported(records, ReportKind::Junit, flaky);
    quick_junit::Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"))
}

#[test]
fn junit_xml() {
    insta::assert_snapshot!(reported(&cases(), ReportKind::Junit, FlakyRule::Warn));
}

#[test]
fn github() {
    let (annotations, page) = both(&cases(), ReportKind::Github, FlakyRule::Warn, None);
    insta::assert_snapshot!(format!("{annotations}\n{page}"));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(both(&cases(), ReportKind::Markdown, FlakyRule::Warn, Some("stopped by --deadline")).0);
}

#[test]
fn tap() {
    insta::assert_snapshot!(both(&cases(), ReportKind::Tap, FlakyRule::Warn, Some("stopped by --deadline")).0);
}

#[test]
fn junit_counts_are_those_of_its_cases_and_there_is_one_for_each_record() {
    for rule in [FlakyRule::Fail, FlakyRule::Warn, FlakyRule::Ok] {
        let report = junit(&cases(), rule);
        assert_eq!(report.tests, cases().len());
        assert_eq!(
            report.test_suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>(),
            ["list.txt", "command line"]
        );
        for suite in &report.test_suites {
            let count =
                |is: &dyn Fn(&TestCaseStatus) -> bool| suite.test_cases.iter().filter(|case| is(&case.status)).count();
            let is_kind = |of: NonSuccessKind| {
                count(&|status| matches!(status, TestCaseStatus::NonSuccess { kind, .. } if *kind == of))
            };
            assert_eq!(suite.tests, suite.test_cases.len());
            assert_eq!(suite.failures, is_kind(NonSuccessKind::Failure));
            assert_eq!(suite.errors, is_kind(NonSuccessKind::Error));
            assert_eq!(suite.skipped, count(&|status| matches!(status, TestCaseStatus::Skipped { .. })));
        }
        let sum = |of: fn(&quick_junit::TestSuite) -> usize| report.test_suites.iter().map(of).sum::<usize>();
        assert_eq!([report.failures, report.errors], [sum(|suite| suite.failures), sum(|suite| suite.errors)]);
        let flaky_fails = usize::from(rule == FlakyRule::Fail);
        let skipped = sum(|suite| suite.skipped);
        assert_eq!([report.failures, report.errors, skipped], [3 + flaky_fails, 4, 2]);
    }
}

#[test]
fn junit_cases_of_records_that_come_as_they_finish_stand_in_the_order_of_the_input() {
    let mut records: Vec<Record> = (0..9).map(|index| record(index, &format!("https://h.example/{index}"))).collect();
    records.reverse();
    records.swap(2, 5);
    records[3].source = Some("other.txt".into());
    let lines = |suite: &quick_junit::TestSuite| -> Vec<String> {
        suite.test_cases.iter().map(|case| case.extra["line"].as_str().to_owned()).collect()
    };
    let report = junit(&records, FlakyRule::Warn);
    assert_eq!(lines(&report.test_suites[0]), ["1", "2", "3", "4", "5", "7", "8", "9"]);
    assert_eq!(lines(&report.test_suites[1]), ["6"]);
}

#[test]
fn a_run_without_lines_has_whole_reports() {
    let report = junit(&[], FlakyRule::Warn);
    assert_eq!((report.tests, report.test_suites.len()), (0, 0));
    assert_eq!(reported(&[], ReportKind::Tap, FlakyRule::Warn), "TAP version 14\n1..0 # SKIP the input had no line\n");
    assert_eq!(reported(&[], ReportKind::Github, FlakyRule::Warn), "");
}

#[test]
fn github_gets_ten_annotations_of_a_severity_and_is_told_how_many_more_there_are() {
    let not_found = |index| Record { ok: false, verdict: Verdict::Failed, ..record(index, "https://h.example/") };
    let records: Vec<Record> = (0..25).map(not_found).collect();
    let text = reported(&records, ReportKind::Github, FlakyRule::Warn);
    assert_eq!(text.lines().filter(|line| line.starts_with("::error ")).count(), 10);
    assert!(text.ends_with("::notice title=gather::… and 15 more that failed\n"), "{text}");
}

#[test]
fn a_flaky_line_is_what_the_rule_says_in_every_report() {
    let mut flaky = corpus().swap_remove(2);
    flaky.index = 0;
    for (rule, tap, github) in [
        (FlakyRule::Fail, "\nnot ok 1 ", "::error "),
        (FlakyRule::Warn, "\nok 1 ", "::warning "),
        (FlakyRule::Ok, "\nok 1 ", ""),
    ] {
        let records = std::slice::from_ref(&flaky);
        assert!(reported(records, ReportKind::Tap, rule).contains(tap), "{rule:?}");
        let annotations = reported(records, ReportKind::Github, rule);
        assert!(annotations.starts_with(github) && annotations.is_empty() == github.is_empty(), "{annotations}");
        assert_eq!(junit(records, rule).failures, usize::from(rule == FlakyRule::Fail));
        let xml = reported(records, ReportKind::Junit, rule);
        assert!(xml.contains("<flakyFailure "), "{xml}");
        let page = reported(records, ReportKind::Html, rule);
        let row = page.lines().find_map(|line| serde_json::from_str::<Vec<serde_json::Value>>(line).ok());
        let word = if rule == FlakyRule::Fail { "failed" } else { "flaky" };
        assert_eq!(row.expect("the record is in the page")[6], word);
        assert_eq!(page.contains("<td>✗ "), rule == FlakyRule::Fail, "{rule:?}");
    }
}

#[test]
fn nothing_raw_is_in_any_report() {
    for kind in ReportKind::ALL {
        let (text, page) = both(&cases(), kind, FlakyRule::Warn, Some("\u{1b}[2J\n::error::x"));
        let raw = (text + &page).chars().find(|&c| is_unsafe(c) && c != '\n');
        assert_eq!(raw, None, "{kind}");
    }
}

proptest! {
    #[test]
    fn every_text_makes_whole_reports(texts in proptest::collection::vec(any_text(), 4)) {
        let mut case = record(0, &texts[0]);
        case.ok = false;
        case.verdict = Verdict::Failed;
        case.source = Some(texts[1].as_str().into());
        case.id = Some(Box::new(texts[2].as_str().into()));
        case.failed = vec![texts[3].clone()];
        let report = junit(std::slice::from_ref(&case), FlakyRule::Warn);
        prop_assert_eq!(report.test_suites[0].test_cases.len(), 1);
        let lines = |kind| reported(std::slice::from_ref(&case), kind, FlakyRule::Warn).lines().count();
        prop_assert_eq!(lines(ReportKind::Github), 1);
        // Head, rule and numbers, the head and rule of the table, its one row, and the lines between.
        prop_assert_eq!(lines(ReportKind::Markdown), 9);
        let tap = reported(std::slice::from_ref(&case), ReportKind::Tap, FlakyRule::Warn);
        prop_assert!(tap.lines().skip(2).all(|line| line.starts_with("  ") || line == "1..1"), "{}", tap);
    }
}
