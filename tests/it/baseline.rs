//! `--baseline`: failures that an older run had too are known, and do not fail this one.

use std::io::Write as _;

use serde_json::Value;

use crate::support::{Reply, Server, gather, list, records};

fn server() -> Server {
    Server::start(|request| match request.target.split('?').next() {
        Some("/repaired") if request.nth > 1 => Reply::ok("hello"),
        Some("/old" | "/repaired" | "/new") => Reply::status(404),
        _ => Reply::ok("hello"),
    })
}

fn string(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().expect("UTF-8")
}

fn standings(stdout: &[u8]) -> Vec<Value> {
    records(stdout).iter().map(|record| record["baseline"].clone()).collect()
}

#[test]
fn what_failed_before_is_known_what_is_repaired_is_fixed_and_only_what_is_new_fails() {
    let server = server();
    let urls = ["/old?token=canary", "/repaired", "/a"].map(|path| server.url(path)).join("\n");
    let first = gather().args(["--retry", "0"]).write_stdin(urls.clone()).assert().code(1);
    let old = list(&first.get_output().stdout);
    let arguments = ["--retry", "0", "--baseline", string(&old)];

    let again = gather().args(arguments).write_stdin(urls.clone()).assert().code(0);
    assert_eq!(standings(&again.get_output().stdout), ["known".into(), "fixed".into(), Value::Null]);
    assert_eq!(records(&again.get_output().stdout)[0]["ok"], false);
    let stderr = String::from_utf8_lossy(&again.get_output().stderr);
    assert!(stderr.contains("3 URLs · 2 ok · 1 known · 1 fixed · "), "{stderr}");

    let text = gather().args(arguments).args(["--format", "text"]).write_stdin(urls.clone()).assert().code(0);
    let text = String::from_utf8_lossy(&text.get_output().stdout).into_owned();
    assert!(text.lines().next().expect("a line").ends_with("known"), "{text}");

    let worse = format!("{}\n{urls}", server.url("/new"));
    let worse = gather().args(arguments).write_stdin(worse).assert().code(1);
    assert_eq!(standings(&worse.get_output().stdout), [Value::Null, "known".into(), "fixed".into(), Value::Null]);
}

#[test]
fn a_known_failure_does_not_stop_the_run_early_and_fails_no_report() {
    let server = server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let old = list(format!("{{\"method\":\"GET\",\"url\":\"{}\",\"verdict\":\"failed\"}}\n", server.url("/old")));
    gather()
        .args(["--fail-early", "--baseline", string(&old), "--report", "github"])
        .args(["--report", &format!("junit={}", path("junit.xml")), "--report", &format!("tap={}", path("tap"))])
        .args([server.url("/old"), server.url("/a")])
        .assert()
        .code(0);
    let text = |name| std::fs::read_to_string(path(name)).expect("a report");
    assert!(
        text("junit.xml").contains("tests=\"2\" skipped=\"1\" errors=\"0\" failures=\"0\""),
        "{}",
        text("junit.xml")
    );
    assert!(text("tap").contains("not ok 1 - ") && text("tap").contains(" # TODO known failure\n"), "{}", text("tap"));
}

#[test]
fn a_flaky_line_that_was_flaky_before_is_known_where_flaky_lines_fail() {
    let line = |server: &Server| {
        format!("{{\"method\":\"GET\",\"url\":\"{}\",\"verdict\":\"flaky\"}}\n", server.url("/flaky"))
    };
    for (rule, code, standing) in [("fail", 0, Value::from("known")), ("warn", 0, Value::Null)] {
        let server = Server::start(|request| Reply::status(if request.nth == 1 { 503 } else { 200 }));
        let old = list(line(&server));
        let arguments = ["--flaky", rule, "--baseline", string(&old), &server.url("/flaky")];
        let output = gather().args(arguments).assert().code(code);
        let records = records(&output.get_output().stdout);
        assert_eq!((&records[0]["verdict"], &records[0]["baseline"]), (&"flaky".into(), &standing), "{rule}");
    }
}

#[test]
fn a_baseline_may_be_packed() {
    let server = server();
    let line = format!("{{\"method\":\"GET\",\"url\":\"{}\",\"ok\":false}}\n", server.url("/old"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("old.ndjson.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(line.as_bytes()).expect("memory takes every write");
    std::fs::write(&path, packed.finish().expect("packed")).expect("a file");
    gather().arg("--baseline").arg(path).arg(server.url("/old")).assert().code(0);
}

#[test]
fn a_baseline_that_is_none_is_refused_by_its_line_before_anything_is_sent() {
    let server = server();
    for (text, said) in [
        ("{\"url\":\"/\",\"ok\":true}\nhello\n", "line 2: it is no JSON object"),
        ("index,url\n", "line 1: it is no JSON object"),
        ("{\"url\":\"/\"}\n", "line 1: it has neither `verdict` nor `ok`"),
    ] {
        let old = list(text);
        let output = gather().args(["--baseline", string(&old), &server.url("/a")]).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        assert!(stderr.contains(said) && stderr.contains(string(&old)), "{stderr}");
    }
    let old = list("");
    let output = gather().args(["--baseline", string(&old), "-o", string(&old), "--force", &server.url("/a")]).assert();
    let stderr = String::from_utf8_lossy(&output.code(2).get_output().stderr).into_owned();
    assert!(stderr.contains("is also an input"), "{stderr}");
    assert_eq!(server.log().connections(), 0);
}
