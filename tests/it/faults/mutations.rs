//! Replies that are right but for a few bytes, by the hundred: whatever comes, it has a name, and nothing breaks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::row::phase;
use super::section::check_message;
use crate::bodies::{brotli, gzip, zstd};
use crate::support::frames::{data, field, flag, frame, goaway, head, kind, settings};
use crate::support::{Reply, Server, gather, records};

/// Replies that are made of each good one.
const OF_EACH: usize = 120;

/// What stands out in a reply, so that a change often matters.
const PIECES: [&[u8]; 16] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b",",
    b";",
    b"0",
    b"-1",
    b"9999999999",
    b"chunked",
    b"HTTP/1.1 ",
    b"\xff",
    b"content-length: 1\r\n",
    b"transfer-encoding: chunked\r\n",
];

/// `good` with one to three changes.
fn mutated(good: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..rng.usize(1..=3) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(1..=8)).min(bytes.len());
        match rng.u8(..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            1 if at < bytes.len() => bytes[at] = rng.u8(..),
            2 => drop(bytes.splice(at..at, PIECES[rng.usize(..PIECES.len())].iter().copied())),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// Runs a list with a line for each reply that `server` has, and counts what came of them.
fn outcomes(arguments: &[&str], server: &Server, lines: usize, check: impl Fn(&Value)) -> BTreeMap<String, usize> {
    let list = (0..lines).fold(String::new(), |mut list, line| {
        writeln!(list, "{}", server.url(&format!("/{line}"))).expect("a string takes every write");
        list
    });
    let limits = ["-q", "--retry=0", "--read-timeout=1", "--max-time=3", "--max-redirs=0", "--max-per-host=64"];
    let output = gather().args(limits).args(arguments).write_stdin(list).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let records = records(&output.stdout);
    assert_eq!(records.len(), lines);
    let mut outcomes = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["index"], index, "{record}");
        check(record);
        *outcomes.entry(outcome(record)).or_default() += 1;
    }
    outcomes
}

/// The kind of failure, or the status.
fn outcome(record: &Value) -> String {
    let Some(kind) = record["error"]["kind"].as_str() else {
        return record["status"].to_string();
    };
    assert_eq!(record["error"]["phase"], phase(kind), "{record}");
    let message = record["error"]["message"].as_str().expect("a message");
    check_message(message).unwrap_or_else(|fault| panic!("{fault}: {record}"));
    kind.to_owned()
}

#[test]
fn of_http1_each_has_a_name() {
    let text = "hello world ".repeat(30);
    let length = |fields: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}content-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: y\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nt: u\r\n\r\n";
    let early = "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
    let good = [
        length("content-type: text/plain; charset=utf-8\r\nserver: x\r\n", b"hello"),
        length("content-encoding: gzip\r\n", &gzip(text.as_bytes())),
        length("content-encoding: br\r\n", &brotli(text.as_bytes())),
        length("content-encoding: zstd, gzip\r\n", &gzip(&zstd(text.as_bytes()))),
        chunked.into(),
        early.into(),
        b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec(),
    ];
    let mut rng = fastrand::Rng::with_seed(4);
    let replies: Vec<_> =
        good.iter().flat_map(|good| vec![good; OF_EACH]).map(|good| mutated(good, &mut rng)).collect();
    let lines = replies.len();
    let server =
        Server::start(move |request| Reply::raw(&replies[request.target[1..].parse::<usize>().expect("a number")]));
    let outcomes = outcomes(&["--http1.1"], &server, lines, |record| {
        // gzip has a checksum, so what comes through it is right, or nothing.
        if record["headers"]["content-encoding"] == json!(["gzip"]) && record["error"].is_null() {
            let body = record["body"].as_str().unwrap_or_default();
            assert!(body.is_empty() || body == text, "{record}");
            assert!(record["body_base64"].is_null(), "{record}");
        }
    });
    // They are neither all good nor all bad, nor bad in one way.
    assert!(outcomes.len() > 8 && outcomes["200"] > lines / 20 && outcomes["200"] < lines / 2, "{outcomes:?}");
}

#[test]
fn of_http1_none_spoils_the_line_after_it() {
    const SERVERS: usize = 20;
    const REPLIES_OF_EACH: usize = 10;
    let good = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello";
    let mut rng = fastrand::Rng::with_seed(5);
    let mut server = || {
        let replies: Vec<_> = (0..REPLIES_OF_EACH).map(|_| mutated(good, &mut rng)).collect();
        // On a connection that is kept, every other line has a good answer.
        Server::start(move |request| match request.target[1..].parse::<usize>().expect("a number") {
            line if line % 2 == 0 => Reply::raw(&replies[line / 2]).keep(),
            _ => Reply::ok("good"),
        })
    };
    let servers: Vec<_> = (0..SERVERS).map(|_| server()).collect();
    let lines =
        servers.iter().flat_map(|server| (0..2 * REPLIES_OF_EACH).map(|line| server.url(&format!("/{line}\n"))));
    let limits = ["-q", "--retry=0", "--read-timeout=500ms", "--max-per-host=1"];
    let output = gather().args(limits).write_stdin(lines.collect::<String>()).output().expect("it runs");
    let records = records(&output.stdout);
    assert_eq!(records.len(), 2 * SERVERS * REPLIES_OF_EACH);
    for pair in records.chunks(2) {
        assert_eq!(pair[1]["body"], "good", "{} after {}", pair[1], pair[0]);
    }
}

#[test]
fn of_http2_each_has_a_name() {
    const REPLIES: usize = 500;
    let good = |stream| {
        let fields = [("content-length", "5"), ("content-type", "text/plain")];
        let more = [frame(kind::PING, flag::NONE, 0, [7; 8]), settings(&[(4, 70_000)])].concat();
        let trailers = frame(kind::HEADERS, flag::WHOLE, stream, field("x", "y"));
        [
            head(flag::END_HEADERS, stream, &fields),
            data(flag::NONE, stream, "he"),
            more,
            data(flag::NONE, stream, "llo"),
            trailers,
            goaway(stream, 0),
        ]
        .concat()
    };
    let mut rng = fastrand::Rng::with_seed(4);
    // Each connection has one request, for it is the first that fails.
    let replies: Vec<_> = (0..REPLIES).map(|_| mutated(&good(1), &mut rng)).collect();
    let server =
        Server::builder().http2().start(move |request| Reply::raw(&replies[(request.connection - 1) % REPLIES]));
    let outcomes = outcomes(&["--http2-prior-knowledge", "--concurrency=1"], &server, REPLIES, |_| {});
    assert!(outcomes.len() > 3 && outcomes["200"] > REPLIES / 50 && outcomes["200"] < REPLIES / 2, "{outcomes:?}");
}
