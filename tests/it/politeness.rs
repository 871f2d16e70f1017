//! What keeps the program polite, as the server counts it.

use std::time::Duration;

use crate::support::{Reply, Server, gather, records};

fn list(server: &Server, lines: usize) -> String {
    (0..lines).map(|line| server.url(&format!("/{line}")) + "\n").collect()
}

#[test]
fn a_rate_is_never_exceeded() {
    for option in ["--rate", "--rate-per-host"] {
        let server = Server::start(|_| Reply::ok("hello"));
        gather().args([option, "50/s"]).write_stdin(list(&server, 20)).assert().code(0);
        let log = server.log();
        let arrived: Vec<_> = log.requests().iter().map(|request| request.arrived).collect();
        // A server sees requests a little earlier or later than they left, so single pairs say nothing; the whole does.
        let took = arrived.iter().max().zip(arrived.iter().min()).map(|(last, first)| *last - *first);
        assert!(took >= Some(Duration::from_millis(19 * 20 - 15)), "{option}: 20 requests within {took:?}");
    }
}

#[test]
fn an_origin_that_always_fails_gets_few_retries() {
    let server = Server::start(|_| Reply::status(500));
    let output =
        gather().args(["-q", "--max-per-host", "32"]).write_stdin(list(&server, 2_000)).output().expect("it runs");
    let records = records(&output.stdout);
    assert_eq!(records.len(), 2_000);
    let sent = server.log().requests().len();
    assert!(sent <= 2_000 + 200 + 10, "{sent} requests for 2,000 lines");
    assert!(records.iter().any(|record| record["retry_stopped_by"] == "host_budget"));
}

#[test]
fn a_rate_limit_that_is_used_up_closes_the_gate_of_its_host_alone() {
    let server = Server::start(|request| match request.target.as_str() {
        "/first" => Reply::ok("hello").header("RateLimit-Remaining", "0").header("RateLimit-Reset", "1"),
        _ => Reply::ok("hello"),
    });
    let limited = ["/first", "/second"].map(|target| server.url_at("limited.test", target));
    let other: Vec<String> = (0..20).map(|line| server.url_at("other.test", &format!("/{line}"))).collect();
    let list = [&limited[..], &other[..]].concat().join("\n");
    let hosts = ["limited.test", "other.test"].map(|host| server.resolve(host));
    gather()
        .args(["--max-per-host", "1", "--resolve", &hosts[0], "--resolve", &hosts[1]])
        .write_stdin(list)
        .assert()
        .code(0);
    let log = server.log();
    let arrived = |target: &str| log.requests_for(target)[0].arrived;
    assert!(arrived("/second") - arrived("/first") >= Duration::from_secs(1));
    assert!(arrived("/19") < arrived("/second"), "the other host waited too");
}

#[test]
fn the_summary_tells_what_was_learned_of_a_host() {
    let server =
        Server::start(
            |request| if request.target == "/0" && request.nth == 1 { Reply::status(429) } else { Reply::ok("hello") },
        );
    let output = gather().args(["--no-progress"]).write_stdin(list(&server, 4)).output().expect("it runs");
    let summary = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(summary.contains("settled at"), "{summary}");
    assert!(summary.contains("× 429"), "{summary}");
}
