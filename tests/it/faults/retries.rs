//! What is tried again, how often, and what asks for more patience than there is.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::row::{Outcome, Row, answers, fails, status};
use super::section::run;
use crate::support::{Reply, Server};

/// The time that two retries of one second each may wait at most.
const WITH_RETRIES: Duration = Duration::from_secs(5);

/// A server that asks once for patience with these fields, and then answers.
fn once(name: &str, fields: &[(&'static str, String)], outcome: Outcome, requests: usize) -> Row {
    let fields = fields.to_vec();
    let answer = move |request: &crate::support::Request| match request.nth {
        1 => fields.iter().fold(Reply::status(503), |reply, (name, value)| reply.header(name, value)),
        _ => Reply::ok("hello"),
    };
    Row::asks(name, answer, outcome).requests(requests).limit(WITH_RETRIES)
}

fn retry_after(value: impl Into<String>) -> [(&'static str, String); 1] {
    [("retry-after", value.into())]
}

/// A row for a server that fails so once, and then answers.
fn flaky(name: &str, first: Reply) -> Row {
    let answer =
        move |request: &crate::support::Request| if request.nth == 1 { first.clone() } else { Reply::ok("hello") };
    Row::asks(name, answer, answers("hello")).requests(2).limit(WITH_RETRIES)
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    let year = Duration::from_hours(365 * 24);
    let date = |time: SystemTime| ("date", httpdate::fmt_http_date(time));
    let until = |time: SystemTime| ("retry-after", httpdate::fmt_http_date(time));
    let (now, ago) = (SystemTime::now(), SystemTime::now() - year);
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx";
    run(
        &["--retry=2"],
        &[
            once("Retry-After in seconds", &retry_after("1"), answers("hello"), 2),
            once("Retry-After: 10^12", &retry_after("1000000000000"), fails("rate_limited"), 1),
            once("Retry-After: 10^40", &retry_after("1".repeat(40)), fails("rate_limited"), 1),
            once("Retry-After: -1", &retry_after("-1"), answers("hello"), 2),
            once("Retry-After: soon", &retry_after("soon"), answers("hello"), 2),
            once("Retry-After: nothing", &retry_after(""), answers("hello"), 2),
            once("Retry-After in the past", &[until(ago)], answers("hello"), 2),
            once(
                "Retry-After by the response's Date",
                &[date(ago), until(ago + Duration::from_secs(1))],
                answers("hello"),
                2,
            ),
            once("Retry-After far behind the response's Date", &[date(ago), until(now)], fails("rate_limited"), 1),
            once(
                "Retry-After in the form of RFC 850",
                &retry_after("Sunday, 06-Nov-94 08:49:37 GMT"),
                answers("hello"),
                2,
            ),
            once("Retry-After in the form of asctime", &retry_after("Sun Nov  6 08:49:37 1994"), answers("hello"), 2),
            Row::of("always 500", Reply::status(500), status(500)).requests(3).limit(WITH_RETRIES),
            Row::of("404", Reply::status(404), status(404)),
            Row::of("what will not pass", Reply::raw("hello\r\n\r\n"), fails("http_parse")),
            Row::of(
                "an ambiguous length",
                Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nx"),
                fails("http_ambiguous_length"),
            ),
            Row::of(
                "a body above the limit",
                Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n"),
                fails("body_too_large"),
            ),
            flaky("RST in the body: only the last attempt's bytes come out", Reply::raw(head).reset()),
            flaky("FIN in the body: only the last attempt's bytes come out", Reply::raw(head)),
            flaky("close with 0 bytes", Reply::nothing()),
            flaky("reset before the head", Reply::nothing().reset()),
            flaky("408", Reply::status(408)),
            flaky("425", Reply::status(425)),
            flaky("522", Reply::status(522)),
            Row::at("POST after send", Server::start(|_| Reply::nothing())).ask(
                "/",
                json!({"method": "POST", "body": "x"}),
                fails("http_empty_reply"),
            ),
            Row::at("PATCH after send", Server::start(|_| Reply::status(503))).ask(
                "/",
                json!({"method": "PATCH", "body": "x"}),
                status(503),
            ),
            Row::at(
                "PUT after send",
                Server::start(|request| if request.nth == 1 { Reply::nothing() } else { Reply::ok("hello") }),
            )
            .ask("/", json!({"method": "PUT", "body": "x"}), answers("hello"))
            .requests(2)
            .limit(WITH_RETRIES),
            Row::at("a line with a number of its own", Server::start(|_| Reply::nothing())).ask(
                "/",
                json!({"retry": 0}),
                fails("http_empty_reply"),
            ),
        ],
    );
}

#[test]
fn a_time_limit_shorter_than_the_wait_stops_now() {
    let patient = once("time limit shorter than the backoff", &retry_after("30"), status(503), 1).limit(Duration::ZERO);
    run(&["--retry=2", "--retry-max-time=5"], &[patient]);
}

#[test]
fn everything_429_ends() {
    let server = Server::start(|_| Reply::status(429));
    let row = (0..20).fold(Row::at("everything 429", server), |row, line| row.get(&format!("/{line}"), status(429)));
    run(&[], &[row]);
}
