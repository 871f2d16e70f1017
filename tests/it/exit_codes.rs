//! How a run ended, as a script sees it: one exit code for each end, and what was sent by then.

use std::io::Write as _;

use crate::support::{Reply, Server, gather, records};

/// 200 for all but `/missing`.
fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/missing" => Reply::status(404),
        _ => Reply::ok("hello"),
    })
}

#[test]
fn it_is_0_when_every_line_is_ok() {
    let server = server();
    let output = gather().args([server.url("/a"), server.url("/b")]).assert().code(0);
    assert_eq!(records(&output.get_output().stdout).len(), 2);
}

#[test]
fn it_is_1_when_a_line_is_not_ok() {
    let server = server();
    let output = gather().args([server.url("/a"), server.url("/missing")]).assert().code(1);
    assert_eq!(records(&output.get_output().stdout).len(), 2);
    gather().arg(server.url("/missing")).args(["--accept", "404"]).assert().code(0);
}

#[test]
fn it_is_1_for_a_url_that_does_not_parse_and_its_record_says_why() {
    let output = gather().arg("http://[::1").assert().code(1);
    assert_eq!(records(&output.get_output().stdout)[0]["error"]["kind"], "url_invalid");
}

#[test]
fn it_is_2_and_nothing_is_sent_where_the_run_cannot_start() {
    let server = server();
    let existing = tempfile::NamedTempFile::new().expect("a temporary file");
    let existing = existing.path().to_str().expect("a path in UTF-8");
    for (arguments, said) in [
        (["--concurrency", "none"], "--concurrency"),
        (["-o", existing], "--force"),
        (["-o", "/no/such/directory/file"], "/no/such/directory"),
        (["--cacert", "/no/such/roots.pem"], "/no/such/roots.pem"),
        (["--no-progress", "no-such-list"], "no-such-list"),
    ] {
        let output = gather().arg(server.url("/a")).args(arguments).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        assert!(stderr.contains(said), "{arguments:?} said {stderr}");
        assert!(output.get_output().stdout.is_empty(), "{arguments:?} has records");
    }
    assert_eq!(server.log().connections(), 0);
}

#[test]
fn it_is_2_after_the_run_where_the_input_breaks_off_half_way() {
    let server = server();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    writeln!(packed, "{}\n# {}", server.url("/a"), "x".repeat(100_000)).expect("written");
    let packed = packed.finish().expect("packed");
    let output = gather().arg("-").write_stdin(&packed[..packed.len() - 9]).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("cannot be read beyond line 1"), "{stderr}");
    assert_eq!(records(&output.get_output().stdout).len(), 1);
}

#[test]
fn it_is_3_where_records_cannot_be_written() {
    let server = server();
    let output = gather().arg(server.url("/a")).args(["-o", "/dev/full"]).assert().code(3);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("/dev/full") && stderr.contains("No space left"), "{stderr}");
}

#[test]
fn it_is_4_for_an_input_without_urls_unless_that_is_allowed() {
    let output = gather().write_stdin("# nothing\n\n").assert().code(4);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("no URL"), "{stderr}");
    gather().write_stdin("").assert().code(4);
    gather().arg("--allow-empty").write_stdin("").assert().code(0).stdout("");
}

#[test]
fn it_is_5_when_failures_stop_the_run_and_what_is_written_is_whole() {
    let server = server();
    let list = [server.url("/a"), server.url("/missing")].join("\n") + "\n" + &(server.url("/a") + "\n").repeat(1000);
    let output = gather().args(["--fail-early", "-c", "1"]).write_stdin(list).assert().code(5);
    let records = records(&output.get_output().stdout);
    assert!((2..100).contains(&records.len()), "{} records", records.len());
    assert_eq!(records[1]["status"], 404);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("stopped by --fail-early"), "{stderr}");
}

#[test]
fn failures_stop_the_run_also_while_an_older_line_is_on_its_way() {
    let server = Server::start(|request| match request.target.as_str() {
        "/0" => Reply::nothing().hang(),
        _ => Reply::status(404),
    });
    let list: String = (0..500).map(|line| server.url(&format!("/{line}\n"))).collect();
    let arguments = ["--max-failures", "3", "-c", "4", "--grace", "0", "--max-time", "5"];
    let output = gather().args(arguments).write_stdin(list).assert().code(5);
    // Those that were on their way when the third failed may have arrived.
    let requests = server.log().requests().len();
    assert!((4..=10).contains(&requests), "{requests} requests");
    let records = records(&output.get_output().stdout);
    assert_eq!(records[0]["error"]["kind"], "canceled");
    assert_eq!(records[1]["status"], 404);
    assert!(records.len() <= requests, "{} records", records.len());
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("stopped by --fail-early or --max-failures"), "{stderr}");
}

#[test]
fn it_is_5_when_the_deadline_stops_the_run() {
    let server = Server::start(|_| Reply::nothing().hang());
    let output = gather().args(["--deadline", "500ms", "--grace", "0", &server.url("/hang")]).assert().code(5);
    assert_eq!(records(&output.get_output().stdout)[0]["error"]["kind"], "canceled");
}

#[test]
fn quiet_says_nothing_and_the_code_is_the_same() {
    let server = server();
    gather().args(["-q", &server.url("/missing")]).assert().code(1).stderr("");
}

#[test]
fn a_dry_run_prints_the_requests_and_sends_none() {
    let server = server();
    let list = format!("{}\nDELETE {}\n", server.url("/a"), server.url("/b"));
    let output = gather().args(["--dry-run", "-u", "user:canary"]).write_stdin(list).assert().code(0);
    let stdout = String::from_utf8_lossy(&output.get_output().stdout);
    let expected =
        format!("GET {}  authorization: ***\nDELETE {}  authorization: ***\n", server.url("/a"), server.url("/b"));
    assert_eq!(stdout, expected);
    assert_eq!(server.log().connections(), 0);
}
