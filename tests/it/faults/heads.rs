//! Response heads: what is no HTTP, what is too much of it, and what is odd and yet right.

use std::time::Duration;

use super::row::{Row, answers, fails, status};
use super::section::{SILENCE, run};
use crate::support::{Reply, Server};

/// A reply with this status line and a body of `ok`.
fn line(line: &str) -> Reply {
    Reply::raw(format!("{line}\r\ncontent-length: 2\r\n\r\nok"))
}

/// A good reply with these bytes between its fields.
fn fields(fields: impl AsRef<[u8]>) -> Reply {
    Reply::raw([b"HTTP/1.1 200 OK\r\n", fields.as_ref(), b"content-length: 2\r\n\r\nok"].concat())
}

/// A row for each reply that is no HTTP.
fn not_http(name: &str, replies: impl IntoIterator<Item = (String, Reply)>) -> Vec<Row> {
    let row = |(what, reply)| Row::of(format!("{name}: {what}"), reply, fails("http_parse"));
    replies.into_iter().map(row).collect()
}

#[test]
fn heads_that_end_too_early() {
    let cut = |name: &str, bytes: &str| Row::of(name, Reply::raw(bytes), fails("http_empty_reply"));
    run(
        &[],
        &[
            cut("close with 0 bytes", ""),
            // The HTTP library does not tell whether the head had begun.
            cut("half a status line", "HTTP/1.1 20"),
            cut("a status line without its end", "HTTP/1.1 200 OK\r"),
            cut("half a head", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"),
            cut("half a head, in a name", "HTTP/1.1 200 OK\r\ncontent-le"),
            cut("lone 100, then close", "HTTP/1.1 100 Continue\r\n\r\n"),
            Row::of("reset before the head", Reply::nothing().reset(), fails("reset")),
            Row::of("reset in the head", Reply::raw("HTTP/1.1 200 OK\r\nx").reset(), fails("reset")),
            Row::of("silence before the head", Reply::nothing().hang(), fails("read_timeout")).limit(SILENCE),
            Row::of("silence in the head", Reply::raw("HTTP/1.1 200").hang(), fails("read_timeout")).limit(SILENCE),
            Row::of(
                "lone 100, then silence",
                Reply::raw("HTTP/1.1 100 Continue\r\n\r\n").hang(),
                fails("read_timeout"),
            )
            .limit(SILENCE),
            Row::of(
                "header one byte a second",
                fields("x: y\r\n".repeat(1_000)).dripped(Duration::from_millis(50)),
                fails("read_timeout"),
            )
            .limit(SILENCE),
        ],
    );
}

#[test]
fn heads_that_are_no_http() {
    let banner = Reply::raw("SSH-2.0-OpenSSH_9.6\r\n");
    let mut rows = vec![
        Row::of("SSH banner after the request", banner.clone().hang(), fails("http_parse")),
        Row::of("HTTP/0.9", Reply::raw("<html>hello</html>"), fails("http_parse")),
        Row::of("only line ends", Reply::raw("\r\n\r\n\r\n"), fails("http_empty_reply")),
        Row::of("a space before the status line", line(" HTTP/1.1 200 OK"), fails("http_parse")),
        Row::of("a byte order mark before the status line", line("\u{feff}HTTP/1.1 200 OK"), fails("http_parse")),
        Row::of("rubbish", Reply::raw([0xff; 1_000]), fails("http_parse")),
        Row::of("a TLS alert on a plain port", Reply::raw(b"\x15\x03\x03\0\x02\x02\x0a"), fails("http_parse")),
        Row::of("frames of HTTP/2", Reply::raw(b"\0\0\0\x04\0\0\0\0\0"), fails("http_parse")),
        Row::of("a request for a reply", Reply::raw("GET / HTTP/1.1\r\nhost: x\r\n\r\n"), fails("http_parse")),
    ];
    let greeted = Server::on_connect(banner.hang());
    rows.push(Row::at("SSH banner before the request", greeted).get("/", fails("http_parse")).requests(0));
    rows.extend(not_http(
        "bad version",
        [
            "HTTP/1.2 200 OK",
            "HTTP/2.0 200 OK",
            "HTTP/2 200 OK",
            "HTTP/3.1 200 OK",
            "HTTP/0.9 200 OK",
            "http/1.1 200 OK",
            "HTTP/1. 200 OK",
            "HTTP/11 200 OK",
            "HTTP/1.10 200 OK",
            "HTTP/1,1 200 OK",
            "HTTP 1.1 200 OK",
            "HTTP/1.1200 OK",
            "ICY 200 OK",
            "HTTPS/1.1 200 OK",
            "HTTP/+1.1 200 OK",
        ]
        .map(|text| (text.to_owned(), line(text))),
    ));
    rows.extend(not_http(
        "bad status",
        ["099", "000", "1000", "20", "2", "20x", "+200", "-20", " 200", "0x1", "2O0", "200.0", "200\u{660}", ""]
            .map(|text| (text.to_owned(), line(&format!("HTTP/1.1 {text} OK")))),
    ));
    rows.extend(not_http(
        "bad reason",
        [("NUL", "a\0b"), ("CR", "a\rb"), ("escape", "a\x1bb"), ("DEL", "a\x7fb")]
            .map(|(what, text)| (what.to_owned(), line(&format!("HTTP/1.1 200 {text}")))),
    ));
    run(&[], &rows);
}

#[test]
fn fields_that_are_no_http() {
    let rows = not_http(
        "field",
        [
            ("folded header", &b"x: a\r\n b\r\n"[..]),
            ("folded header, with a tab", b"x: a\r\n\tb\r\n"),
            ("folded first header", b" x: a\r\n"),
            ("folded and empty", b"x:\r\n \r\n"),
            ("NUL in a value", b"x: a\0b\r\n"),
            ("NUL in a name", b"x\0y: a\r\n"),
            ("bare CR in a value", b"x: a\rb\r\n"),
            ("bare CR as a line end", b"x: a\ry: b\r\n"),
            ("CR CR LF", b"x: a\r\r\n"),
            ("escape in a value", b"x: \x1b[31m\r\n"),
            ("DEL in a value", b"x: a\x7f\r\n"),
            ("vertical tab in a value", b"x: a\x0bb\r\n"),
            ("space before the colon", b"x : a\r\n"),
            ("tab before the colon", b"x\t: a\r\n"),
            ("space in a name", b"x y: a\r\n"),
            ("no colon", b"hello\r\n"),
            ("no name", b": a\r\n"),
            ("a name that is not ASCII", "caf\u{e9}: a\r\n".as_bytes()),
            ("a name in quotes", b"\"x\": a\r\n"),
            ("a name with a slash", b"x/y: a\r\n"),
        ]
        .map(|(what, text)| (what.to_owned(), fields(text))),
    );
    run(&[], &rows);
}

#[test]
fn heads_that_are_too_much() {
    let many = |count: usize| fields("x: y\r\n".repeat(count));
    let early = |status: u16| format!("HTTP/1.1 {status} Early\r\n\r\n");
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    run(
        &[],
        &[
            Row::of("100 header fields", many(99), answers("ok")),
            Row::of("101 header fields", many(100), fails("http_too_many_headers")),
            Row::of("300 header fields", many(299), fails("http_too_many_headers")),
            // The HTTP library does not tell of what there is too much.
            Row::of("3,000 header fields", many(2_999), fails("http_header_too_large")),
            Row::of("100,000 header fields", many(99_999), fails("http_header_too_large")),
            Row::of(
                "endless header fields",
                Reply::raw("HTTP/1.1 200 OK\r\n").then_forever("x: y\r\n".repeat(100)),
                fails("http_header_too_large"),
            ),
            Row::of("100 KiB header", fields(format!("x: {}\r\n", "y".repeat(100 << 10))), answers("ok")),
            Row::of("1 MiB header", fields(format!("x: {}\r\n", "y".repeat(1 << 20))), fails("http_header_too_large")),
            Row::of(
                "a name of 70,000 bytes",
                fields(format!("{}: x\r\n", "y".repeat(70_000))),
                fails("http_header_too_large"),
            ),
            Row::of(
                "endless header",
                Reply::raw("HTTP/1.1 200 OK\r\nx: ").then_forever("y".repeat(1_000)),
                fails("http_header_too_large"),
            ),
            Row::of(
                "endless name of a header",
                Reply::raw("HTTP/1.1 200 OK\r\n").then_forever("y".repeat(1_000)),
                fails("http_header_too_large"),
            ),
            Row::of(
                "endless reason",
                Reply::raw("HTTP/1.1 200 ").then_forever("y".repeat(1_000)),
                fails("http_header_too_large"),
            ),
            Row::of(
                "flood of 1xx",
                Reply::nothing().then_every(Duration::from_millis(1), early(103).repeat(20)),
                fails("read_timeout"),
            )
            .limit(SILENCE),
            Row::of("a flood of 1xx that ends", Reply::raw(early(102).repeat(5_000) + ok), answers("ok")),
            Row::of("100, 103, then the response", Reply::raw(early(100) + &early(103) + ok), answers("ok")),
            Row::of(
                "103 with a length, then the response",
                Reply::raw(format!("HTTP/1.1 103 Early\r\ncontent-length: 5\r\n\r\n{ok}")),
                answers("ok"),
            ),
            Row::of(
                "101",
                Reply::raw("HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").hang(),
                fails("http_unexpected_upgrade"),
            ),
            Row::of("101, then a response", Reply::raw(early(101) + ok), fails("http_unexpected_upgrade")),
        ],
    );
}

#[test]
fn heads_that_are_odd_and_right() {
    run(
        &[],
        &[
            Row::of("no reason", line("HTTP/1.1 200"), answers("ok")),
            Row::of("an empty reason", line("HTTP/1.1 200 "), answers("ok")),
            Row::of("a reason in UTF-8", line("HTTP/1.1 200 d\u{e9}j\u{e0}"), answers("ok")),
            Row::of("a long reason", line(&format!("HTTP/1.1 200 {}", "x".repeat(5_000))), answers("ok")),
            Row::of("HTTP/1.0", line("HTTP/1.0 200 OK"), answers("ok")),
            Row::of("HTTP/1.0 that is kept", line("HTTP/1.0 200 OK").header("connection", "keep-alive"), answers("ok")),
            Row::of("status 299", line("HTTP/1.1 299 Odd"), status(299)),
            Row::of("status 600", line("HTTP/1.1 600 Odd"), status(600)),
            Row::of("status 999", line("HTTP/1.1 999 Odd"), status(999)),
            Row::of("line ends before the status line", line("\r\n\nHTTP/1.1 200 OK"), answers("ok")),
            Row::of("bare LF", Reply::raw("HTTP/1.1 200 OK\nx: y\ncontent-length: 2\n\nok"), answers("ok")),
            Row::of("invalid UTF-8 in a header value", fields(b"x: \xff\xfe\x80\r\n"), answers("ok")),
            Row::of("an empty value", fields("x:\r\ny: \t \r\n"), answers("ok")),
            Row::of("a value in white space", fields("x: \t a \t \r\n"), answers("ok")),
            Row::of("every character of a token in a name", fields("!#$%&'*+-.^_`|~09aZ: x\r\n"), answers("ok")),
            Row::of("the same field twice", fields("x: a\r\nX: b\r\n"), answers("ok")),
            Row::of("byte by byte", line("HTTP/1.1 200 OK").dripped(Duration::from_millis(1)), answers("ok")),
            Row::of("3xx without Location", Reply::new(302, "hello"), status(302)),
            Row::of("300 with Location", Reply::status(300).header("location", "/x"), status(300)),
        ],
    );
}
