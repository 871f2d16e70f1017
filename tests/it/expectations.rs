//! What is expected of lines: where it may stand, what it makes of them, and what is told before anything is sent.

use serde_json::{Value, json};

use crate::support::{Authority, Reply, Running, Server, gather, list, records};

fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/flaky" if request.nth == 1 => Reply::status(503),
        "/down" => Reply::new(200, r#"{"status": "down"}"#),
        "/gone" => Reply::status(404),
        "/cut" => Reply::raw("HTTP/1.1 500 Oops\r\ncontent-length: 9\r\n\r\n1234"),
        _ => Reply::new(200, r#"{"status": "up", "items": [1, 2]}"#).header("content-type", "application/json"),
    })
}

fn verdicts(records: &[Value]) -> Vec<(&str, &Value)> {
    records.iter().map(|record| (record["verdict"].as_str().expect("a verdict"), &record["failed"])).collect()
}

#[test]
fn every_form_of_input_may_expect_and_failures_are_told_with_what_was_seen() {
    let server = server();
    let (up, down) = (server.url("/up"), server.url("/down"));
    let text = list(format!("{up} jq .status == \"up\"; size < 1kB\nGET {down} jq .status == \"up\"\n"));
    let line = |url: &str, expect: Value| json!({"url": url, "expect": expect}).to_string();
    let jsonl = line(&up, json!("jq .items | length == 2"))
        + "\n"
        + &line(&down, json!(["status == 200", "jq .status == \"up\""]));
    let csv =
        format!("expect,url\n\"jq .status == \"\"up\"\"; time < 30s\",{up}\n\"jq .status == \"\"up\"\"\",{down}\n");
    let told = json!(["jq .status == \"up\", but it was false"]);
    for lines in [std::fs::read_to_string(text.path()).expect("the list"), jsonl, csv] {
        let output = gather().write_stdin(lines.clone()).assert().code(1);
        let records = records(&output.get_output().stdout);
        assert_eq!(verdicts(&records), [("ok", &Value::Null), ("failed", &told)], "of {lines}");
        assert_eq!(records[1]["ok"], false);
    }
}

#[test]
fn what_is_expected_of_all_lines_holds_beside_their_own() {
    let server = server();
    let lines = format!("{}\n{} jq .items\n", server.url("/down"), server.url("/down"));
    let output = gather()
        .args(["--expect", "jq .status == \"up\"", "--expect", "status == 200"])
        .write_stdin(lines.clone())
        .assert()
        .code(1);
    let records = records(&output.get_output().stdout);
    assert_eq!(records[0]["failed"], json!(["jq .status == \"up\", but it was false"]));
    assert_eq!(records[1]["failed"], json!(["jq .status == \"up\", but it was false", "jq .items, but it was null"]));
    gather().env("GATHER_EXPECT", "status == 200\nbody contains status").write_stdin(lines).assert().code(1);
    gather().env("GATHER_EXPECT", "status == 200\nbody contains status").arg(server.url("/up")).assert().code(0);
}

#[test]
fn a_status_that_is_expected_replaces_accept_and_is_not_tried_again() {
    let server = server();
    gather().args([&server.url("/gone"), "--expect", "status == 404"]).assert().code(0);
    gather().args([&server.url("/up"), "--expect", "status == 404"]).assert().code(1);
    gather().args([&server.url("/gone"), "--expect", "time < 30s"]).assert().code(1);
    gather().args([&server.url("/flaky"), "--expect", "status == 503"]).assert().code(0);
    assert_eq!(server.log().targets().iter().filter(|target| **target == "/flaky").count(), 1);
}

#[test]
fn what_held_only_after_a_retry_is_flaky_and_what_had_an_error_tells_it_alone() {
    let server = server();
    let output = gather()
        .args([server.url("/flaky"), server.url("/cut"), "http://127.0.0.2:9/".to_owned()])
        .args(
            ["--expect", "status == 200; jq .status == \"up\"; cert_days > 1 "]
                .map(|text| text.replace("; cert_days > 1", "")),
        )
        .args(["--retry", "1"])
        .assert()
        .code(1);
    let records = records(&output.get_output().stdout);
    assert_eq!(verdicts(&records), [("flaky", &Value::Null), ("failed", &Value::Null), ("failed", &Value::Null)]);
    assert_eq!(records[1]["error"]["kind"], "body_truncated");
}

#[test]
fn bodies_are_looked_at_also_where_no_record_shows_them() {
    let server = server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let into = directory.path().to_str().expect("UTF-8");
    for arguments in [&["--no-body"][..], &["--output-dir", into], &["--fields", "verdict"]] {
        let expect = ["--expect", "jq .items | length == 2; body contains up; body not contains down"];
        gather().arg(server.url("/up")).args(expect).args(arguments).assert().code(0);
        let output = gather().arg(server.url("/down")).args(expect).args(arguments).assert().code(1);
        let records = records(&output.get_output().stdout);
        assert!(records[0].get("body").is_none(), "{}", records[0]);
    }
    let written = directory.path().join("000");
    assert_eq!(std::fs::read_dir(written).expect("bodies").count(), 2);
}

#[test]
fn the_certificate_is_that_of_the_server_also_over_a_kept_connection() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.certificate("localhost")).start(|_| Reply::ok("hello"));
    let roots = authority.pem_file();
    let output = gather()
        .args(["--cacert", roots.path().to_str().expect("UTF-8"), "-c", "1", "--expect", "cert_days > 14"])
        .args([server.url("/a"), server.url("/b")])
        .assert()
        .code(0);
    assert_eq!((records(&output.get_output().stdout).len(), server.log().connections()), (2, 1));
    let plain = self::server();
    let output = gather().args([&plain.url("/up"), "--expect", "cert_days > 14"]).assert().code(1);
    assert_eq!(
        records(&output.get_output().stdout)[0]["failed"],
        json!(["cert_days > 14, but there is no certificate"])
    );
}

#[test]
fn an_expectation_that_is_wrong_is_told_before_anything_is_sent_with_its_place() {
    let server = server();
    let output = gather().args([&server.url("/up"), "--expect", "tiem < 500ms"]).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(stderr.contains("--expect: ") && stderr.contains("\n  tiem < 500ms\n  ^^^^"), "{stderr}");

    let good = format!("{} status == 200\n", server.url("/up"));
    let lines = good.repeat(1000) + &good.replace("==", "=") + &good.repeat(9) + &good.replace("200", "2oo");
    let file = list(&lines);
    let path = file.path().to_str().expect("UTF-8");
    let output = gather().arg(path).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(stderr.contains(&format!("`{path}`, line 1001: `==`")), "{stderr}");
    assert!(stderr.contains("\n  status = 200\n         ^\n") && stderr.contains("line 1011: "), "{stderr}");
    assert!(output.get_output().stdout.is_empty());
    assert_eq!(server.log().connections(), 0);
}

#[test]
fn an_expectation_that_is_wrong_in_a_stream_is_the_failure_of_its_line() {
    let server = server();
    let mut program = Running::gather(["-q"]);
    program.write(&format!("{0}\n{0} status = 200\n{0} status == 200\n", server.url("/up")));
    let ended = program.end();
    let records = records(&ended.stdout);
    assert_eq!((ended.code, records.len()), (Some(1), 3));
    assert_eq!((&records[1]["error"]["kind"], &records[1]["line"]), (&json!("input_malformed"), &json!(2)));
    assert_eq!(server.log().targets().len(), 2);
}

#[test]
fn variables_fill_headers_and_bodies_and_are_never_shown() {
    let server = server();
    let line = json!({
        "url": server.url("/up"), "headers": {"x-key": "k ${KEY}"}, "body": {"a": "${KEY}\u{22}", "b": "$${KEY}"}, "method": "PUT"
    });
    let file = list(line.to_string() + "\n");
    let mut program = gather();
    program.env("KEY", "can\"ary").args(["-vvv", file.path().to_str().expect("UTF-8")]);
    let shown = |output: &std::process::Output| {
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
    };
    let output = program.assert().code(0);
    assert!(!shown(output.get_output()).contains("ary"), "{}", shown(output.get_output()));
    let log = server.log();
    assert_eq!(log.requests()[0].header("x-key"), Some("k can\"ary"));
    let body: Value = serde_json::from_slice(&log.requests()[0].body).expect("JSON");
    assert_eq!(body, json!({"a": "can\"ary\"", "b": "${KEY}"}));
    let output = program.arg("--dry-run").assert().code(0);
    assert!(!shown(output.get_output()).contains("ary") && shown(output.get_output()).contains("x-key: ***"));

    let output = gather().arg(file.path()).assert().code(2);
    assert!(
        shown(output.get_output()).contains("line 1: the header `x-key` names the variable `KEY`, which is not set")
    );
    let output = gather().write_stdin(line.to_string()).assert().code(1);
    assert_eq!(records(&output.get_output().stdout)[0]["error"]["kind"], "input_malformed");
    assert_eq!(server.log().targets().len(), 1);
}

#[test]
fn filters_that_would_not_end_are_refused_or_given_up() {
    let server = Server::start(|_| Reply::ok(format!("[{}]", vec!["1"; 1000].join(","))));
    gather().args([&server.url("/"), "--expect", "jq [range(1e9)] | length"]).assert().code(2);
    gather().args([&server.url("/"), "--expect", "jq def f: f; f"]).assert().code(2);
    let output = gather().args([&server.url("/"), "--expect", "jq [.[] + .[] + .[] + .[]]"]).assert().code(1);
    let record = &records(&output.get_output().stdout)[0];
    assert_eq!(record["failed"], json!(["jq [.[] + .[] + .[] + .[]], but it took too long, and was given up"]));
}

#[test]
fn people_see_what_failed_on_its_line_and_what_is_expected_in_a_dry_run() {
    let server = server();
    let arguments = [&server.url("/down"), "--expect", "jq .status == \"up\""];
    let output = gather().args(arguments).args(["--format", "text"]).assert().code(1);
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.contains("jq .status == \"up\", but it was false"), "{text}");
    let summary = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(summary.contains("failed by kind: expectation"), "{summary}");
    gather()
        .args(arguments)
        .arg("--dry-run")
        .assert()
        .code(0)
        .stdout(format!("GET {}  expect: jq .status == \"up\"\n", server.url("/down")));
}
