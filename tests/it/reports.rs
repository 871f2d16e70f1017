//! Reports beside the records: one case for each line, whatever becomes of it, and files that are opened before anything is sent.

use std::path::Path;

use quick_junit::TestCaseStatus;
use serde_json::{Value, json};

use crate::support::{Latch, Reply, Running, Server, gather, list, records};

/// A bit of every way in which a line can end.
fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/flaky" if request.nth == 1 => Reply::status(503),
        "/busy" => Reply::status(503),
        "/missing" => Reply::status(404),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        "/hang" => Reply::nothing().hang(),
        _ => Reply::ok("hello"),
    })
}

/// A list with lines that end in every way, beside comments.
fn lines(server: &Server) -> String {
    let url = |path| server.url(path);
    format!(
        "# a comment\n{}\n{}\n\n{}\n{}\nftp://h.test/\n{}?token=canary\n{}\n{}\nnot a URL at all\n",
        url("/a"),
        url("/flaky"),
        url("/missing"),
        url("/hang"),
        url("/b"),
        url("/cut"),
        url("/busy"),
    )
}

/// A directory for reports.
struct Reports(tempfile::TempDir);

impl Reports {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn junit(&self, name: &str) -> quick_junit::Report {
        let xml = self.text(name);
        quick_junit::Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"))
    }
}

fn string(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Options that make a run of [`lines`] short.
const QUICK: [&str; 4] = ["--read-timeout", "300ms", "--retry", "1"];

#[test]
fn every_line_is_one_case_in_every_report_and_agrees_with_its_record() {
    let server = server();
    let list = list(lines(&server));
    let reports = Reports::new();
    let output = gather()
        .args(QUICK)
        .args(["--report", &format!("junit={}", reports.path("junit.xml"))])
        .args(["--report", &format!("tap={}", reports.path("out.tap"))])
        .args(["--report", &format!("markdown={}", reports.path("out.md"))])
        .args(["--report", "github"])
        .arg(list.path())
        .env("GITHUB_STEP_SUMMARY", reports.path("step.md"))
        .assert()
        .code(1);
    let records = records(&output.get_output().stdout);
    assert_eq!(records.len(), 9);

    let junit = reports.junit("junit.xml");
    let suite = &junit.test_suites[0];
    assert_eq!((junit.tests, junit.failures, junit.errors, suite.skipped), (9, 2, 4, 0));
    assert_eq!((junit.test_suites.len(), suite.name.as_str()), (1, string(list.path())));
    for (record, case) in records.iter().zip(&suite.test_cases) {
        assert_eq!(case.extra["line"].as_str(), record["line"].to_string());
        assert_eq!(case.extra["file"].as_str(), string(list.path()));
        let failed = matches!(case.status, TestCaseStatus::NonSuccess { .. });
        assert_eq!(json!(!failed), record["ok"], "{record}");
        if let TestCaseStatus::NonSuccess { ty, .. } = &case.status {
            let expected = record["error"]["kind"].as_str().unwrap_or("status");
            assert_eq!(ty.as_deref(), Some(expected));
        }
        let attempts = record["attempts"].as_array().map_or(1, Vec::len);
        let reruns = match &case.status {
            TestCaseStatus::Success { flaky_runs } => flaky_runs.len(),
            TestCaseStatus::NonSuccess { reruns, .. } => reruns.runs.len(),
            TestCaseStatus::Skipped { .. } => 0,
        };
        assert_eq!(reruns + 1, attempts, "{record}");
    }

    let tap = reports.text("out.tap");
    let points: Vec<&str> = tap.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).collect();
    for (number, (record, point)) in records.iter().zip(&points).enumerate() {
        let result = if record["ok"] == true { "ok" } else { "not ok" };
        let expected = format!("{result} {} - ", number + 1);
        assert!(point.starts_with(&expected), "{point} is not {expected}");
    }
    assert!(points.len() == 9 && tap.starts_with("TAP version 14\n") && tap.ends_with("\n1..9\n"), "{tap}");

    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    let bad: Vec<&Value> = records.iter().filter(|record| record["ok"] == false).collect();
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("::error ")).collect();
    assert_eq!(errors.len(), bad.len());
    for (record, error) in bad.iter().zip(&errors) {
        assert!(error.contains(&format!(",line={},title=", record["line"])), "{error}");
    }
    assert_eq!(stderr.lines().filter(|line| line.starts_with("::warning ")).count(), 1);

    let page = reports.text("out.md");
    assert_eq!(page, reports.text("step.md"));
    assert_eq!(page.lines().filter(|line| line.starts_with("| ❌ failed | ")).count(), 6);
    assert_eq!(page.lines().filter(|line| line.starts_with("| ⚠️ flaky | ")).count(), 1);
    for text in [reports.text("junit.xml"), tap, page, stderr.into_owned()] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn of_a_thousand_lines_the_thirty_broken_ones_are_in_every_report_once_and_no_other() {
    let server = Server::start(|request| match request.target.split('/').nth(1) {
        Some("bad0") => Reply::status(404),
        Some("bad1") => Reply::status(501),
        Some("bad2") => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        Some("bad3") => Reply::nothing().close(),
        Some("bad4") => Reply::raw("SSH-2.0-OpenSSH\r\n"),
        Some("bad5") => Reply::redirect(&request.target),
        Some("bad6") => Reply::ok("no gzip").header("content-encoding", "gzip"),
        Some("bad7") => Reply::status(429).header("retry-after", 3600),
        Some("bad8") => Reply::redirect("ftp://h.test/"),
        _ => Reply::ok("hello"),
    });
    // The 30 broken lines are every 33rd, each in one of ten ways.
    let broken = |line: usize| line.is_multiple_of(33) && line < 33 * 30;
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/endpoints.txt");
    let reports = Reports::new();
    let path = |kind: &str| format!("{kind}={}", reports.path(kind));
    let output = gather()
        .args(["--retry", "0", "-q", "--max-per-host", "0", "--summary", &reports.path("summary")])
        .args(["--report", &path("junit"), "--report", &path("tap"), "--report", &path("markdown")])
        .args(["--report", &path("github"), "--report", &path("html")])
        .args(["--base-url", &server.url("/")])
        .arg(&list)
        .assert()
        .code(1);
    assert_eq!(records(&output.get_output().stdout).len(), 1000);
    let expected: Vec<usize> = (0..1000).filter(|&line| broken(line)).map(|line| line + 1).collect();
    assert_eq!(expected.len(), 30);

    let junit = reports.junit("junit");
    assert_eq!((junit.tests, junit.failures + junit.errors), (1000, 30));
    let bad = junit.test_suites[0].test_cases.iter();
    let bad =
        bad.filter(|case| !matches!(&case.status, TestCaseStatus::Success { flaky_runs } if flaky_runs.is_empty()));
    let lines: Vec<usize> = bad.map(|case| case.extra["line"].as_str().parse().expect("a number")).collect();
    assert_eq!(lines, expected);

    let numbers = |name: &str, before: &str, after: &str| -> Vec<usize> {
        let text = reports.text(name);
        let number = |line: &str| line.strip_prefix(before)?.split_once(after)?.0.parse().ok();
        text.lines().filter_map(number).collect()
    };
    assert_eq!(numbers("tap", "not ok ", " - "), expected);
    assert_eq!(numbers("tap", "ok ", " - ").len(), 970);
    let place = format!("| ❌ failed | {}:", string(&list));
    assert_eq!(numbers("markdown", &place, " |"), expected);
    assert_eq!(reports.text("markdown").matches("/good/").count(), 0);
    let place = format!("::error file={},line=", string(&list));
    assert_eq!(numbers("github", &place, ","), expected[..10]);
    assert!(reports.text("github").ends_with("… and 20 more that failed\n"));
    let page = reports.text("html");
    let rows = page.lines().filter_map(|line| serde_json::from_str::<Vec<Value>>(line.trim_end_matches(',')).ok());
    let failed = rows.filter(|row| row.get(6) == Some(&json!("failed")));
    let lines: Vec<u64> = failed.filter_map(|row| row[1].as_u64()).collect();
    assert_eq!(lines, expected.iter().map(|&line| line as u64).collect::<Vec<_>>());
    let summary: Value = serde_json::from_str(&reports.text("summary")).expect("JSON");
    assert_eq!((&summary["ok"], &summary["failed"]), (&json!(970), &json!(30)));
}

#[test]
fn endpoints_that_fail_once_are_flaky_and_the_run_is_green() {
    const FLAKY: [&str; 5] = ["/good/100", "/good/300", "/good/500", "/good/700", "/good/900"];
    let server = Server::start(|request| match request.nth {
        1 if FLAKY.contains(&request.target.as_str()) => Reply::status(503),
        _ => Reply::ok("hello"),
    });
    let endpoints = include_str!("../../fixtures/endpoints.txt").lines().filter(|line| line.starts_with("/good/"));
    let list = list(endpoints.collect::<Vec<_>>().join("\n"));
    for flaky in [5, 0] {
        let reports = Reports::new();
        let junit = format!("junit={}", reports.path("junit"));
        gather()
            .args(["-q", "--max-per-host", "0", "--report", &junit, "--summary", &reports.path("summary")])
            .args(["--base-url", &server.url("/")])
            .arg(list.path())
            .assert()
            .code(0);
        let summary: Value = serde_json::from_str(&reports.text("summary")).expect("JSON");
        assert_eq!(
            (&summary["flaky"], &summary["failed"], &summary["exit_code"]),
            (&json!(flaky), &json!(0), &json!(0))
        );
        assert_eq!(reports.text("junit").matches("<flakyFailure").count(), flaky);
    }
}

#[test]
fn a_flaky_line_fails_the_run_only_where_it_is_told_to() {
    for (rule, code, failures) in [("fail", 1, 1), ("warn", 0, 0), ("ok", 0, 0)] {
        let server = server();
        let reports = Reports::new();
        let junit = format!("junit={}", reports.path("junit.xml"));
        let arguments = ["--flaky", rule, "--report", &junit, &server.url("/flaky"), &server.url("/a")];
        let output = gather().args(arguments).assert().code(code);
        assert_eq!(records(&output.get_output().stdout)[0]["verdict"], "flaky");
        assert_eq!(reports.junit("junit.xml").failures, failures, "{rule}");
    }
}

#[test]
fn a_flaky_line_counts_as_a_failure_for_an_early_stop_too() {
    for (rule, code) in [("fail", 5), ("warn", 0)] {
        let server = server();
        gather().args(["--flaky", rule, "--fail-early", &server.url("/flaky")]).assert().code(code);
    }
}

#[test]
fn a_run_that_is_stopped_has_whole_reports_of_the_lines_that_have_a_record() {
    let server = Server::start(|request| match request.target.as_str() {
        "/hang" => Reply::nothing().hang(),
        _ => Reply::ok("hello"),
    });
    let list = list([server.url("/hang"), server.url("/hang"), server.url("/a"), String::new()].join("\n"));
    let reports = Reports::new();
    let output = gather()
        .args(["-c", "2", "--deadline", "500ms", "--grace", "0", "-m", "1h", "--read-timeout", "1h"])
        .args(["--report", &format!("junit={}", reports.path("junit.xml"))])
        .args(["--report", &format!("tap={}", reports.path("out.tap"))])
        .arg(list.path())
        .assert()
        .code(5);
    let records = records(&output.get_output().stdout);
    assert_eq!(reports.junit("junit.xml").tests, records.len());
    let tap = reports.text("out.tap");
    assert!(tap.contains(&format!("\n1..{}\nBail out! stopped by --deadline", records.len())), "{tap}");
}

#[test]
fn a_line_that_a_stop_left_out_is_skipped_and_no_failure() {
    // The first line holds its host's only place; a line of another host beyond it is in flight when the run is stopped.
    let server = Server::start(|_| Reply::nothing().hang());
    let other = Server::start(|_| Reply::nothing().hang());
    let list = list([server.url("/1"), server.url("/2"), other.url("/3"), String::new()].join("\n"));
    let reports = Reports::new();
    let program = Running::gather([
        "--max-per-host",
        "1",
        "--grace",
        "0",
        "--report",
        &format!("junit={}", reports.path("junit.xml")),
        string(list.path()),
    ]);
    server.wait_until("the first request", |log| log.requests().len() == 1);
    other.wait_until("the third line's", |log| log.requests().len() == 1);
    program.signal(rustix::process::Signal::TERM);
    let ended = program.end();
    assert_eq!((ended.code, records(&ended.stdout).len()), (Some(143), 3));
    let junit = reports.junit("junit.xml");
    assert_eq!((junit.tests, junit.errors, junit.test_suites[0].skipped), (3, 2, 1));
    assert!(ended.stderr.contains("1 skipped"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_sent() {
    let server = server();
    let reports = Reports::new();
    let existing = list("old");
    let urls = list(server.url("/a"));
    let (old, urls) = (string(existing.path()).to_owned(), string(urls.path()).to_owned());
    let new = reports.path("new");
    let cases: [(&[&str], &str); 13] = [
        (&["--report", "junit"], "`junit` needs a file"),
        (&["--report", "junit="], "name of a file"),
        (&["--report", "xml=x"], "not a report"),
        (&["--report", "junit=-"], "cannot be standard output: the records go there; --output"),
        (&["-o", &new, "--report", "tap=-", "--summary", "-"], "--summary cannot be standard output: --report tap"),
        (&["--report", "github", "--report", "github"], "given twice"),
        (&["--report", &format!("junit={old}")], "--force"),
        (&["--summary", &old], "--force"),
        (&["--report", &format!("tap={new}/no/such")], "does not exist"),
        (&["--report", &format!("tap={urls}"), "--force"], "is also an input"),
        (&["--report", &format!("tap={new}"), "--report", &format!("junit={new}")], "given for two outputs"),
        (&["-o", &new, "--summary", &format!("{}/../{}/new", reports.path(""), leaf(&reports))], "for two outputs"),
        (&["--report", "github", "--baseline", "/no/such/records"], "/no/such/records"),
    ];
    for (arguments, said) in cases {
        let output = gather().arg(&urls).args(arguments).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        assert!(stderr.contains(said), "{arguments:?} said {stderr}");
        assert!(!Path::new(&new).exists(), "{arguments:?} left a file");
    }
    let output = gather().args(["--report", "github", &urls]).env("GITHUB_STEP_SUMMARY", "/no/such/page").assert();
    let stderr = String::from_utf8_lossy(&output.code(2).get_output().stderr).into_owned();
    assert!(stderr.contains("GITHUB_STEP_SUMMARY: /no/such/page"), "{stderr}");
    assert_eq!(server.log().connections(), 0);
    assert_eq!(std::fs::read_to_string(existing.path()).expect("the file"), "old");
    gather().args([&urls, "--force", "--report", &format!("junit={old}")]).assert().code(0);
    assert!(std::fs::read_to_string(existing.path()).expect("the file").ends_with("</testsuites>\n"));
}

/// The last part of the directory's name.
fn leaf(reports: &Reports) -> String {
    string(reports.0.path()).rsplit('/').next().expect("a name").to_owned()
}

#[test]
fn a_report_that_cannot_be_written_ends_the_run_with_3_and_the_others_are_whole() {
    let server = server();
    for kind in ["junit", "tap", "markdown", "github", "html"] {
        let reports = Reports::new();
        let junit = format!("junit={}", reports.path("junit.xml"));
        let full = format!("{kind}=/dev/full");
        let output = gather().args(["--report", &full, "--report", &junit, &server.url("/missing")]).assert().code(3);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        assert!(stderr.contains("/dev/full: cannot be written to: No space left"), "{kind}: {stderr}");
        assert_eq!(records(&output.get_output().stdout).len(), 1, "{kind}");
        assert_eq!(reports.junit("junit.xml").tests, 1, "{kind}");
    }
    let output = gather().args(["--summary", "/dev/full", &server.url("/a")]).assert().code(3);
    assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("/dev/full"));
}

#[test]
fn a_report_can_be_standard_output_where_records_are_not() {
    let server = server();
    let reports = Reports::new();
    let output =
        gather().args(["-o", &reports.path("out.ndjson"), "--report", "tap=-", &server.url("/a")]).assert().code(0);
    let expected = format!("TAP version 14\nok 1 - GET {}\n1..1\n", server.url("/a"));
    assert_eq!(String::from_utf8_lossy(&output.get_output().stdout), expected);
}

#[test]
fn the_summary_of_a_step_is_appended_to() {
    let server = server();
    let page = list("before\n");
    let run =
        || gather().args(["--report", "github", &server.url("/a")]).env("GITHUB_STEP_SUMMARY", page.path()).assert();
    run().code(0);
    run().code(0);
    let text = std::fs::read_to_string(page.path()).expect("the page");
    assert!(text.starts_with("before\n## ✅ gather: no line failed\n"), "{text}");
    assert_eq!(text.matches("## ✅").count(), 2);
}

#[test]
fn reports_of_records_that_come_as_they_finish_stand_in_the_order_of_the_input() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/1" => Reply::status(404).held_by(&held),
        _ => Reply::status(404),
    });
    let list = list((1..=4).map(|number| server.url(&format!("/{number}\n"))).collect::<String>());
    let reports = Reports::new();
    let junit = format!("junit={}", reports.path("junit.xml"));
    let mut program = Running::gather(["--order", "completion", "--report", &junit, string(list.path())]);
    for _ in 2..=4 {
        assert_ne!(program.record()["index"], 0);
    }
    latch.release();
    assert_eq!(program.end().code, Some(1));
    let junit = reports.junit("junit.xml");
    let lines: Vec<&str> = junit.test_suites[0].test_cases.iter().map(|case| case.extra["line"].as_str()).collect();
    assert_eq!(lines, ["1", "2", "3", "4"]);
}
