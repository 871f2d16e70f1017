//! What is tried again, when, and what a server that asks for patience gets.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Log, Reply, Running, Server, gather, records};

/// Nobody listens there: the servers of all tests are at 127.0.0.1.
const NOBODY: &str = "http://127.0.0.2:9/";

fn run(arguments: &[&str], lines: &[String]) -> Vec<Value> {
    let mut program = gather();
    program.args(arguments).write_stdin(lines.join("\n"));
    records(&program.assert().get_output().stdout)
}

/// The status, else the kind of failure, of each attempt.
fn attempts(record: &Value) -> Vec<String> {
    let outcome =
        |attempt: &Value| attempt["error"]["kind"].as_str().map_or(attempt["status"].to_string(), str::to_owned);
    record["attempts"].as_array().into_iter().flatten().map(outcome).collect()
}

/// The path of every request at `name`, in the order of arrival.
fn targets_at<'a>(log: &'a Log, name: &str) -> Vec<&'a str> {
    let requests = log.requests().iter().filter(|request| request.host().starts_with(name));
    requests.map(|request| request.target.as_str()).collect()
}

#[test]
fn a_status_that_may_pass_is_tried_again_and_makes_the_line_flaky() {
    let server = Server::start(|request| if request.nth == 1 { Reply::status(503) } else { Reply::ok("hello") });
    let records = run(&[], &[server.url("/a")]);
    let record = &records[0];
    assert_eq!((&record["verdict"], &record["ok"], &record["status"]), (&json!("flaky"), &json!(true), &json!(200)));
    assert_eq!((&record["num_retries"], attempts(record)), (&json!(1), vec!["503".to_owned(), "200".to_owned()]));
    assert_eq!(record["attempts"][0]["followed_by"], "retry: status 503");
    assert_eq!(server.log().targets(), ["/a", "/a"]);
}

#[test]
fn the_record_tells_every_attempt_and_has_the_last_one_only() {
    let server = Server::start(|request| match request.nth {
        1 => Reply::new(500, "first").header("x-attempt", 1),
        2 => Reply::raw("HTTP/1.1 200 OK\r\nx-attempt: 2\r\ncontent-length: 9\r\n\r\ncut").reset(),
        _ => Reply::new(502, "third").header("x-attempt", 3),
    });
    let records = run(&[], &[server.url("/a")]);
    let record = &records[0];
    assert_eq!(
        (&record["verdict"], &record["status"], &record["body"]),
        (&json!("failed"), &json!(502), &json!("third"))
    );
    assert_eq!((&record["headers"]["x-attempt"], record.get("error")), (&json!(["3"]), None));
    assert_eq!(attempts(record), ["500", "reset", "502"]);
    assert_eq!((&record["num_retries"], &record["retry_stopped_by"]), (&json!(2), &json!("attempts")));
    assert_eq!(server.log().requests().len(), 3);
}

#[test]
fn as_many_attempts_are_made_as_allowed() {
    let server = Server::start(|_| Reply::status(503));
    for (arguments, requests) in [(&["--retry", "0"][..], 1), (&["--retry", "1"], 2), (&[], 3)] {
        let before = server.log().requests().len();
        let records = run(arguments, &[server.url("/a")]);
        assert_eq!((&records[0]["status"], &records[0]["retry_stopped_by"]), (&json!(503), &json!("attempts")));
        assert_eq!(server.log().requests().len() - before, requests, "{arguments:?}");
    }
}

#[test]
fn a_line_may_have_its_own_number_of_attempts() {
    let server = Server::start(|_| Reply::status(503));
    run(&["--retry", "0"], &[json!({"url": server.url("/a"), "retry": 1}).to_string()]);
    assert_eq!(server.log().requests().len(), 2);
}

#[test]
fn the_statuses_that_are_tried_again_can_be_chosen() {
    let server = Server::start(|request| Reply::status(request.target[1..].parse().expect("a status")));
    let tried_again = |arguments: &[&str]| {
        let before = server.log().requests().len();
        let lines = ["404", "418", "501", "503"].map(|status| server.url(&format!("/{status}")));
        run(&[&["--retry", "1"], arguments].concat(), &lines);
        let log = server.log();
        let mut targets: Vec<_> = log.targets().split_off(before).into_iter().map(str::to_owned).collect();
        targets.sort();
        let twice = targets.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0][1..].to_owned());
        twice.collect::<Vec<_>>()
    };
    assert_eq!(tried_again(&[]), ["503"]);
    assert_eq!(tried_again(&["--retry-on", "404,418"]), ["404", "418"]);
    assert_eq!(tried_again(&["--retry-on", "5xx,!501"]), ["503"]);
    // What is accepted is no reason to try again.
    assert_eq!(tried_again(&["--accept", "503"]), [""; 0]);
}

#[test]
fn a_post_that_may_have_been_processed_is_not_sent_twice() {
    let server = Server::start(|request| match request.target.as_str() {
        "/status" => Reply::status(503),
        "/empty" => Reply::nothing(),
        _ => Reply::nothing().reset(),
    });
    let paths = ["/status", "/empty", "/reset"].map(|path| server.url(path));
    let once = run(&["-d", "x=1"], &paths);
    for record in &once {
        assert_eq!((&record["retry_stopped_by"], record.get("attempts")), (&json!("method"), None), "{record}");
    }
    assert_eq!(server.log().requests().len(), 3);
    let all = run(&["-d", "x=1", "--retry", "1", "--retry-all-methods"], &paths);
    assert_eq!(all.iter().map(attempts).collect::<Vec<_>>(), [["503", "503"], ["http_empty_reply"; 2], ["reset"; 2]]);
    let log = server.log();
    assert_eq!(log.requests().len(), 3 + 6);
    assert!(log.requests().iter().all(|request| request.method == "POST" && request.body == b"x=1"));
}

#[test]
fn a_post_that_was_certainly_not_sent_is_tried_again() {
    let records = run(&["-d", "x=1"], &[NOBODY.to_owned()]);
    assert_eq!(attempts(&records[0]), ["connect_refused"; 3]);
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    // Two origins: on a connection that a line before it has used, the odd answer might be that line's, and is asked for anew.
    let servers = [Server::start(|_| Reply::status(404)), Server::start(|_| Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"))];
    let records = run(&[], &servers.each_ref().map(|server| server.url("/")));
    assert!(records.iter().all(|record| record.get("retry_stopped_by").is_none() && record.get("attempts").is_none()));
    assert_eq!(servers.map(|server| server.log().requests().len()), [1, 1]);
}

#[test]
fn nothing_goes_to_an_origin_before_its_retry_after_is_over() {
    let server = Server::start(|request| match (request.target.as_str(), request.nth) {
        ("/busy", 1) => Reply::status(429).header("retry-after", 1),
        _ => Reply::ok("hello"),
    });
    let lines = ["/busy", "/1", "/2", "/3"].map(|path| server.url(path));
    let records = run(&["--max-per-host", "1"], &lines);
    assert!(records.iter().all(|record| record["status"] == 200), "{records:?}");
    let log = server.log();
    assert_eq!(log.targets(), ["/busy", "/busy", "/1", "/2", "/3"]);
    let [first, later @ ..] = log.requests() else { panic!("nothing was sent") };
    for request in later {
        let after = request.arrived.duration_since(first.arrived);
        assert!(after >= Duration::from_secs(1), "{} came after {after:?}", request.target);
    }
    assert!(records[0]["time_wait"].as_f64() >= Some(1.0), "{}", records[0]);
}

#[test]
fn an_origin_that_asks_for_patience_holds_up_no_other() {
    let server = Server::start(|request| match request.target.as_str() {
        "/busy" => Reply::status(503).header("retry-after", 3600),
        _ => Reply::ok("hello"),
    });
    // One place in the pool, and the first line would have it for an hour if it waited in there.
    let patient = ["--max-retry-after", "2h", "--retry-max-time", "3h", "--resolve", &server.resolve("*")];
    let mut program = Running::gather([&["-q", "-c", "1", "--order", "completion", "-"], &patient[..]].concat());
    let lines = ["busy.test/busy", "busy.test/1", "busy.test/2", "free.test/3", "free.test/4"];
    for line in lines {
        let (name, path) = line.split_once('/').expect("a host and a path");
        program.write(&(server.url_at(name, &format!("/{path}")) + "\n"));
    }
    assert_eq!([program.record(), program.record()].map(|record| record["index"].as_u64()), [Some(3), Some(4)]);
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(143));
    let log = server.log();
    assert_eq!((targets_at(&log, "busy"), targets_at(&log, "free")), (vec!["/busy"], vec!["/3", "/4"]));
}

#[test]
fn a_wait_that_is_longer_than_allowed_is_told_and_not_waited_for() {
    let server = Server::start(|request| match request.target.as_str() {
        "/busy" => Reply::status(429).header("retry-after", 61),
        _ => Reply::ok("hello"),
    });
    let records = run(&["-c", "1"], &[server.url("/busy"), server.url("/next")]);
    let busy = &records[0];
    assert_eq!((&busy["status"], &busy["error"]["kind"]), (&json!(429), &json!("rate_limited")));
    assert_eq!((&busy["retry_stopped_by"], busy["retry_after"].as_f64()), (&json!("max_retry_after"), Some(61.0)));
    assert_eq!(records[1]["status"], 200);
    assert_eq!(server.log().targets(), ["/busy", "/next"]);
}

#[test]
fn a_retry_after_that_makes_no_sense_is_as_good_as_none() {
    for value in ["-1", "0", "soon", "1.5", ""] {
        let server = Server::start(move |request| match request.nth {
            1 => Reply::status(503).header("retry-after", value),
            _ => Reply::ok("hello"),
        });
        let records = run(&[], &[server.url("/a")]);
        assert_eq!((&records[0]["verdict"], server.log().requests().len()), (&json!("flaky"), 2), "{value:?}");
    }
    let server = Server::start(|_| Reply::status(503).header("retry-after", "9".repeat(40)));
    let records = run(&[], &[server.url("/a")]);
    assert_eq!((&records[0]["error"]["kind"], server.log().requests().len()), (&json!("rate_limited"), 1));
}

#[test]
fn no_attempt_starts_after_the_time_of_the_line() {
    let server = Server::start(|_| Reply::status(503).header("retry-after", 30));
    let records = run(&["--retry-max-time", "5"], &[server.url("/a")]);
    assert_eq!((&records[0]["status"], &records[0]["retry_stopped_by"]), (&json!(503), &json!("retry_max_time")));
    assert_eq!(server.log().requests().len(), 1);
}

#[test]
fn a_kept_connection_that_has_died_costs_no_attempt() {
    let server = Server::start(|request| match request.nth_on_connection {
        1 => Reply::ok("hello"),
        _ => Reply::nothing(),
    });
    let lines = ["/a", "/b"].map(|path| server.url(path));
    let records = run(&["-c", "1", "--retry", "0"], &lines);
    assert_eq!(records.iter().map(|record| &record["verdict"]).collect::<Vec<_>>(), ["ok", "ok"]);
    let log = server.log();
    // The second line found its connection dead and took another one.
    let seen: Vec<_> = log.requests().iter().map(|request| (request.target.as_str(), request.connection)).collect();
    assert_eq!(seen, [("/a", 1), ("/b", 1), ("/b", 2)]);
}

#[test]
fn no_request_is_sent_anew_a_second_time() {
    let server = Server::start(|request| match request.target.as_str() {
        // Both lines wait for one another, so that two connections are open and kept.
        "/a" | "/b" => Reply::ok("hello").held_until(|log| log.requests().len() >= 2),
        _ => Reply::nothing(),
    });
    let mut program = Running::gather(["--retry", "0", "-o", "-"]);
    program.write(&format!("{}\n{}\n", server.url("/a"), server.url("/b")));
    assert!([program.record(), program.record()].iter().all(|record| record["ok"] == true));
    program.write(&format!("{}\n", server.url("/c")));
    let record = program.record();
    assert_eq!(record["error"]["kind"], "http_empty_reply", "{record}");
    assert_eq!(program.end().code, Some(1));
    let log = server.log();
    let connections: Vec<_> = log.requests_for("/c").iter().map(|request| request.connection).collect();
    assert!(matches!(connections[..], [first, second] if first != second && first.max(second) <= 2), "{connections:?}");
}

#[test]
fn a_post_on_a_kept_connection_that_has_died_is_not_sent_twice() {
    let server = Server::start(|request| match request.nth_on_connection {
        1 => Reply::ok("hello"),
        _ => Reply::nothing(),
    });
    let lines = [server.url("/a"), format!("POST {}", server.url("/b"))];
    let records = run(&["-c", "1"], &lines);
    assert_eq!((&records[1]["error"]["phase"], &records[1]["retry_stopped_by"]), (&json!("http"), &json!("method")));
    assert_eq!(server.log().targets(), ["/a", "/b"]);
}
