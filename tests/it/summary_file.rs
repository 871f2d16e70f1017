//! `--summary`: what came of the run as one JSON object, however it ended.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::schema::Schema;
use crate::support::{Reply, Running, Server, gather};

fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/flaky" if request.nth == 1 => Reply::status(503),
        "/missing" => Reply::status(404),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        "/hang" => Reply::nothing().hang(),
        _ => Reply::ok("hello"),
    })
}

/// A name for a summary, and its directory.
fn file() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("summary.json").to_str().expect("UTF-8").to_owned();
    (directory, path)
}

/// The summary in a file, which must fit its schema.
fn summary(path: &str) -> Value {
    let text = std::fs::read_to_string(path).expect("a summary");
    let summary = serde_json::from_str(&text).expect("JSON");
    Schema::published("summary").check(&summary).unwrap_or_else(|wrong| panic!("{wrong}\nin {summary}"));
    summary
}

#[test]
fn it_counts_every_record_and_says_how_the_run_ended() {
    let server = server();
    let (_directory, path) = file();
    let urls = ["/a", "/flaky", "/missing", "/missing", "/cut"].map(|path| server.url(path));
    let list = urls.join("\n") + "\nnot a URL\n";
    gather().args(["--retry", "1", "--summary", &path]).write_stdin(list).assert().code(1);
    let summary = summary(&path);
    let expected = json!({
        "exit_code": 1, "reason": "some_failed", "stopped_early": false,
        "lines": 6, "ok": 1, "flaky": 1, "failed": 4, "known": 0, "fixed": 0, "skipped": 0, "not_started": 0,
        "by_status": {"200": 3, "404": 2},
        "has_more_hosts": false,
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(summary[field], *value, "{field} in {summary}");
    }
    assert_eq!(summary["by_kind"]["status"], 2);
    assert_eq!(summary["by_kind"].as_object().expect("an object").len(), 3);
    let host = &summary["hosts"][0];
    assert_eq!(
        (&host["host"], &host["lines"], &host["failed"]),
        (&json!(server.address().to_string()), &json!(5), &json!(3))
    );
    let times = &summary["time_total"];
    assert!(times["p50"].as_f64() <= times["p99"].as_f64() && times["p99"].as_f64() <= times["max"].as_f64());
}

#[test]
fn it_is_written_when_the_run_is_stopped_too() {
    let server = server();
    for (arguments, code, reason) in
        [(["--deadline", "300ms"], 5, "deadline"), (["--max-failures", "1"], 5, "failures")]
    {
        let (_directory, path) = file();
        let list = format!("{}\n{}\n", server.url("/missing"), server.url("/hang"));
        let run = gather().args(arguments).args(["--grace", "0", "--summary", &path]).write_stdin(list).assert();
        run.code(code);
        let summary = summary(&path);
        assert_eq!((&summary["exit_code"], &summary["reason"]), (&json!(code), &json!(reason)));
        assert_eq!(summary["stopped_early"], true);
    }
    for (signal, code, reason) in [(Signal::TERM, 143, "sigterm"), (Signal::INT, 130, "sigint")] {
        let (_directory, path) = file();
        let mut program = Running::gather(["--grace", "0", "--summary", &path]);
        let before = server.log().requests().len();
        program.write(&format!("{}\n", server.url("/hang")));
        server.wait_until("the request", move |log| log.requests().len() > before);
        program.signal(signal);
        assert_eq!(program.end().code, Some(code));
        assert_eq!(summary(&path)["reason"], reason);
    }
}

#[test]
fn it_is_written_for_an_input_without_urls_and_not_where_the_run_cannot_start() {
    let (_directory, path) = file();
    gather().args(["--summary", &path]).write_stdin("# nothing\n").assert().code(4);
    let summary = summary(&path);
    assert_eq!((&summary["reason"], &summary["lines"]), (&json!("empty"), &json!(0)));
    assert!(summary.get("time_total").is_none());
    let (_directory, path) = file();
    gather().args(["--summary", &path, "--cacert", "/no/such/roots.pem", "http://127.0.0.1:9/"]).assert().code(2);
    assert!(!std::path::Path::new(&path).exists());
}
