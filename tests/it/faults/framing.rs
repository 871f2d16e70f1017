//! Chunks, and bodies that never end or break off.

use std::time::Duration;

use serde_json::json;

use super::row::{Outcome, Row, answers, fails};
use super::section::{SILENCE, run};
use crate::support::Reply;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// A body in these chunks, and the end of the connection.
fn chunks(chunks: impl AsRef<[u8]>) -> Reply {
    Reply::raw(CHUNKED).then(chunks)
}

/// `hello` after this line with its size.
fn size(line: &str) -> Reply {
    chunks(format!("{line}hello\r\n0\r\n\r\n"))
}

fn body(length: usize) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello"))
}

#[test]
fn chunks_that_are_no_http() {
    let mut rows: Vec<Row> = [
        "x\r\n",
        "0x5\r\n",
        "+5\r\n",
        "-5\r\n",
        " 5\r\n",
        "5 5\r\n",
        "5,\r\n",
        "5_0\r\n",
        "\r\n",
        "\r\n5\r\n",
        ";a=b\r\n",
        "5\n",
        "5\r",
        "5\r\r\n",
        "5;a\n",
        "5\0\r\n",
        "5\x0b\r\n",
        "\u{ff15}\r\n",
        "fffffffffffffffff\r\n",
        "10000000000000005\r\n",
        "5;\0a\n",
    ]
    .map(|line| Row::of(format!("chunk size {line:?}"), size(line), fails("http_parse")))
    .into();
    let bad = |name: &str, reply: Reply| Row::of(name, reply, fails("http_parse"));
    rows.extend([
        bad("a chunk longer than its size", chunks("3\r\nhello\r\n0\r\n\r\n")),
        bad("a chunk shorter than its size", chunks("6\r\nhello\r\n0\r\n\r\n")),
        bad("a chunk that ends with LF", chunks("5\r\nhello\n0\r\n\r\n")),
        bad("a chunk without an end", chunks("5\r\nhello0\r\n\r\n")),
        bad("a last chunk that goes on", chunks("5\r\nhello\r\n0\r\nx\r\n\r\n")),
        bad("a trailer without a colon", chunks("5\r\nhello\r\n0\r\nhello\r\n\r\n")),
        bad("a trailer with a NUL", chunks("5\r\nhello\r\n0\r\nx: a\0b\r\n\r\n")),
        bad("huge trailers", chunks(format!("5\r\nhello\r\n0\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)))),
        bad("endless trailers", chunks("5\r\nhello\r\n0\r\n").then_forever("x: y\r\n".repeat(100))),
        bad("5,000 trailers", chunks(format!("5\r\nhello\r\n0\r\n{}\r\n", "x: y\r\n".repeat(5_000)))),
        bad("an endless chunk extension", chunks("5;").then_forever("x".repeat(1_000))),
        bad("chunk extensions of 40 KB in all", chunks(format!("1;{}\r\nx\r\n", "y".repeat(2_000)).repeat(20))),
    ]);
    run(&[], &rows);
}

#[test]
fn bodies_that_break_off() {
    let cut = |name: &str, reply: Reply| Row::of(name, reply, fails("body_truncated"));
    run(
        &[],
        &[
            cut("FIN in the body", body(6)),
            cut("FIN in a body of HTTP/1.0", Reply::raw("HTTP/1.0 200 OK\r\ncontent-length: 6\r\n\r\nhello")),
            cut("FIN before the body", Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")),
            cut("truncated chunks: no last chunk", chunks("5\r\nhello\r\n")),
            cut("truncated chunks: in a chunk", chunks("5\r\nhel")),
            cut("truncated chunks: after a chunk", chunks("5\r\nhello")),
            cut("truncated chunks: in a size", chunks("5\r\nhello\r\n1")),
            cut("truncated chunks: in an extension", chunks("5;a")),
            cut("truncated chunks: before the first", chunks("")),
            cut("truncated chunks: before the very last line end", chunks("5\r\nhello\r\n0\r\n")),
            cut("truncated chunks: in the trailers", chunks("5\r\nhello\r\n0\r\nx: y\r\n")),
            cut("a chunk of 2^64 - 1 bytes", chunks("ffffffffffffffff\r\nhello")),
            Row::of("RST in the body", body(6).reset(), fails("reset")),
            Row::of("RST in a chunk", chunks("6\r\nhello").reset(), fails("reset")),
            Row::of("RST in a body without length", Reply::raw("HTTP/1.1 200 OK\r\n\r\nhello").reset(), fails("reset")),
            Row::of("silence in the body", body(6).hang(), fails("read_timeout")).limit(SILENCE),
            Row::of("silence in a chunk", chunks("6\r\nhello").hang(), fails("read_timeout")).limit(SILENCE),
            Row::of("silence after the last chunk", chunks("5\r\nhello\r\n0\r\n").hang(), fails("read_timeout"))
                .limit(SILENCE),
            Row::of(
                "silence in a body without length",
                Reply::raw("HTTP/1.1 200 OK\r\n\r\nhello").hang(),
                fails("read_timeout"),
            )
            .limit(SILENCE),
        ],
    );
}

#[test]
fn bodies_that_never_end() {
    let slow = |name: &str, reply: Reply| {
        let server = crate::support::Server::start(move |_| reply.clone());
        let row = Row::at(name, server).ask("/", json!({"timeout": 3}), fails("attempt_timeout"));
        row.limit(Duration::from_secs(3))
    };
    let large = |name: &str, reply: Reply| Row::of(name, reply, fails("body_too_large"));
    let every = Duration::from_millis(100);
    run(
        &["--max-filesize=200KiB"],
        &[
            large("endless body", Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then_forever("x".repeat(10_000))),
            large("endless chunks", chunks("").then_forever(format!("3e8\r\n{}\r\n", "x".repeat(1_000)))),
            large("endless 1-byte chunks", chunks("").then_forever("1\r\nx\r\n".repeat(1_000))),
            large("a chunk of 2^63 bytes", chunks("8000000000000000\r\n").then_forever("x".repeat(10_000))),
            large("a length above the limit", Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 204801\r\n\r\n").hang()),
            slow("body one byte a second", body(1_000).then_dripped("x".repeat(900), every)),
            slow("chunks of one byte a second", chunks("").then_dripped("1\r\nx\r\n".repeat(200), every)),
            slow(
                "a body without length, one byte a second",
                Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then_dripped("x".repeat(900), every),
            ),
        ],
    );
}

#[test]
fn chunks_that_are_odd_and_right() {
    let right = |name: &str, reply: Reply| -> Row { Row::of(name, reply, answers("hello")) };
    let rows: Vec<Row> =
        ["5;a\r\n", "5;a=b\r\n", "5;a=\"b;c\"\r\n", "5 ;a\r\n", "5\t\r\n", "005\r\n", "00000000000000000000005\r\n"]
            .map(|line| right(&format!("chunk size {line:?}"), size(line)))
            .into_iter()
            .chain([
                right("chunks of one byte", chunks("1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n")),
                right("trailers", chunks("5\r\nhello\r\n0\r\nx: y\r\nz: a\r\n\r\n")),
                right("a trailer that would be a length", chunks("5\r\nhello\r\n0\r\ncontent-length: 1\r\n\r\n")),
                right("many zeros for the last chunk", chunks("5\r\nhello\r\n0000\r\n\r\n")),
                right("byte by byte", chunks("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").dripped(Duration::from_millis(1))),
                Row::of(
                    "hexadecimal in both cases",
                    chunks(format!("a\r\n{0}\r\nA\r\n{0}\r\n0\r\n\r\n", "0123456789")),
                    Outcome::Answers(200, Some("0123456789".repeat(2))),
                ),
            ])
            .collect();
    run(&[], &rows);
}
