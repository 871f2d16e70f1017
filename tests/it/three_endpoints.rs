//! What the program is for: three endpoints asked together, the results in the order asked for, in the time of the slowest.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Reply, Server, gather, records};

/// In units of which nothing depends on the length.
const UNIT: Duration = Duration::from_millis(100);

/// When the first request of a record left and when its last was over, in seconds.
fn span(record: &Value) -> (f64, f64) {
    let timestamp = record["timestamp"].as_str().expect("a timestamp");
    let left = humantime::parse_rfc3339(timestamp).expect("RFC 3339 in UTC");
    let left = left.duration_since(std::time::UNIX_EPOCH).expect("a time after 1970").as_secs_f64();
    (left, left + record["time_total"].as_f64().expect("a time"))
}

#[test]
fn are_answered_in_order_and_in_less_time_than_one_after_the_other() {
    let server = Server::start(|request| {
        let units = if request.target == "/posts" { 2 } else { 1 };
        Reply::ok(&request.target).after(UNIT * units)
    });
    let paths = ["/users", "/posts", "/comments"];
    let output = gather().args(paths.map(|path| server.url(path))).assert().code(0);
    let records = records(&output.get_output().stdout);
    assert_eq!(records.iter().map(|record| record["body"].as_str()).collect::<Vec<_>>(), paths.map(Some));
    assert_eq!(server.log().most_at_once(), 3);
    let spans: Vec<_> = records.iter().map(span).collect();
    let start = spans.iter().map(|span| span.0).fold(f64::INFINITY, f64::min);
    let end = spans.iter().map(|span| span.1).fold(0.0, f64::max);
    let in_turn: f64 = spans.iter().map(|(left, over)| over - left).sum();
    assert!(end - start < 0.9 * in_turn, "{:.3} s together, {in_turn:.3} s in turn", end - start);
}
