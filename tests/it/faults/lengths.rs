//! Content-Length and Transfer-Encoding: what says how long a body is, and must say it in one way.

use std::time::Duration;

use serde_json::json;

use super::row::{Row, answers, fails, status};
use super::section::{SILENCE, run};
use crate::support::{Reply, Server, list};

/// `hello` with these bytes for its length.
fn length(value: &str) -> Reply {
    framed(&format!("content-length: {value}\r\n"))
}

/// `hello` with these fields, and the end of the connection.
fn framed(fields: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello"))
}

/// `hello` in one chunk, with these bytes for its coding.
fn coded(value: &str) -> Reply {
    chunked(&format!("transfer-encoding: {value}\r\n"))
}

/// `hello` in one chunk, with these fields, and the end of the connection.
fn chunked(fields: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n"))
}

/// A server whose first reply is `first`, and each other `good`, on connections that it keeps.
fn first(first: Reply) -> Server {
    Server::start(move |request| if request.target == "/first" { first.clone().keep() } else { Reply::ok("good") })
}

/// These bytes, and a while later a body that nobody waits for.
fn late(bytes: &str) -> Reply {
    Reply::raw(bytes).then_after(Duration::from_millis(100)).then("hello")
}

#[test]
fn lengths_that_cannot_be_trusted() {
    let mut rows: Vec<Row> = [
        "-1",
        "-0",
        "+5",
        "5x",
        "x5",
        "0x5",
        "5.0",
        "5e0",
        "five",
        "",
        " ",
        ",",
        "5,",
        ",5",
        "5 5",
        "5;5",
        "5,6",
        "5, 5, 6",
        "\"5\"",
        "18446744073709551616",
        "99999999999999999999999999",
        "\u{ff15}",
        "1_0",
    ]
    .map(|value| Row::of(format!("Content-Length: {value}"), length(value), fails("http_ambiguous_length")))
    .into();
    rows.extend([
        Row::of(
            "two different lengths",
            framed("content-length: 5\r\ncontent-length: 4\r\n"),
            fails("http_ambiguous_length"),
        ),
        Row::of(
            "a length and none",
            framed("content-length: 5\r\ncontent-length:\r\n"),
            fails("http_ambiguous_length"),
        ),
        Row::of(
            "length and chunked",
            chunked("content-length: 5\r\ntransfer-encoding: chunked\r\n"),
            fails("http_ambiguous_length"),
        ),
        Row::of(
            "chunked and length",
            chunked("transfer-encoding: chunked\r\ncontent-length: 15\r\n"),
            fails("http_ambiguous_length"),
        ),
        Row::of(
            "chunked and a length of 0",
            chunked("transfer-encoding: chunked\r\ncontent-length: 0\r\n"),
            fails("http_ambiguous_length"),
        ),
        Row::of("a length behind a vertical tab", length("\x0b5"), fails("http_parse")),
        Row::of("space before the colon of a length", framed("content-length : 5\r\n"), fails("http_parse")),
        // The HTTP library calls them too large in the same words as heads.
        Row::of("2^64 - 1", length("18446744073709551615"), fails("http_header_too_large")),
        Row::of("2^63", length("9223372036854775808"), fails("body_too_large")),
        Row::of("the same length twice", framed("content-length: 5\r\ncontent-length: 5\r\n"), answers("hello")),
        Row::of("the same length twice in one line", length("5, 5"), answers("hello")),
        Row::of("a length with zeros", length("0005"), answers("hello")),
        Row::of("a length in white space", length("\t 5 \t"), answers("hello")),
        Row::of("no length", framed(""), answers("hello")),
        Row::of("a length of 0", Reply::ok(""), answers("")),
    ]);
    run(&[], &rows);
}

#[test]
fn lengths_that_are_wrong() {
    let second = |name: &str, reply: Reply, outcome| {
        Row::at(name, first(reply)).get("/first", outcome).get("/second", answers("good"))
    };
    run(
        &[],
        &[
            Row::of("Content-Length larger than sent, closed", length("6"), fails("body_truncated")),
            Row::of("Content-Length larger than sent, kept open", length("6").hang(), fails("read_timeout"))
                .limit(SILENCE),
            second("Content-Length smaller than sent", length("2"), answers("he")).connections(2),
            second(
                "two responses to one request",
                Reply::raw(
                    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
                ),
                answers("ok"),
            )
            .connections(2),
            second(
                "two responses to one request, the second large",
                Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .then(format!("HTTP/1.1 200 OK\r\ncontent-length: 500000\r\n\r\n{}", "evil".repeat(125_000))),
                answers("ok"),
            ),
            second(
                "something after the last chunk",
                Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil"),
                answers("ok"),
            )
            .connections(2),
            second("204 with a body", Reply::raw("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello"), status(204))
                .connections(2),
            second("304 with a body", Reply::raw("HTTP/1.1 304 Not\r\ncontent-length: 5\r\n\r\nhello"), status(304))
                .connections(2),
            second(
                "204 with chunks",
                Reply::raw("HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
                status(204),
            )
            .connections(2),
            Row::at("HEAD with a body", first(Reply::ok("hello")))
                .ask("/first", json!({"method": "HEAD"}), status(200))
                .get("/second", answers("good"))
                .connections(2),
            Row::at(
                "HEAD with a length, as it should be",
                first(Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")),
            )
            .ask("/first", json!({"method": "HEAD"}), status(200))
            .get("/second", answers("good"))
            .connections(1),
            // What comes late is read by the next request, which is then sent anew.
            Row::at("HEAD with a body that comes late", first(late("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")))
                .ask("/first", json!({"method": "HEAD"}), status(200))
                .get("/second", answers("good"))
                .any_requests()
                .connections(2),
            second("204 with a body that comes late", late("HTTP/1.1 204 No\r\n\r\n"), status(204))
                .any_requests()
                .connections(2),
            second(
                "smaller than sent, and the rest comes late",
                late("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
                answers("ok"),
            )
            .any_requests()
            .connections(2),
            second("a response that is right, for comparison", Reply::ok("hello"), answers("hello")).connections(1),
            Row::asks(
                "kept-alive connection closed as we write",
                |request| if request.nth_on_connection == 1 { Reply::ok("hello") } else { Reply::nothing() },
                answers("hello"),
            )
            .get("/second", answers("hello"))
            .requests(3)
            .connections(2),
            Row::asks(
                "kept-alive connection reset as we write",
                |request| if request.nth_on_connection == 1 { Reply::ok("hello") } else { Reply::nothing().reset() },
                answers("hello"),
            )
            .get("/second", answers("hello"))
            .requests(3)
            .connections(2),
            Row::at(
                "early 413 while we send",
                Server::builder().before_body().start(|_| Reply::new(413, "too large").close()),
            )
            .ask("/", json!({"method": "POST", "body": "x".repeat(50_000)}), status(413)),
            Row::at(
                "early 413 while we send, closed",
                Server::builder()
                    .before_body()
                    .start(|_| Reply::new(413, "too large").header("connection", "close").close()),
            )
            .ask("/", json!({"method": "PUT", "body": "x".repeat(50_000)}), status(413)),
        ],
    );
}

#[test]
fn early_413_while_we_send() {
    let body = list("x".repeat(4 << 20));
    let data = format!("--data=@{}", body.path().to_str().expect("a path in UTF-8"));
    let early = |name: &str, reply: Reply, outcome| {
        Row::at(name, Server::builder().before_body().start(move |_| reply.clone())).get("/", outcome)
    };
    let refusal = Reply::new(413, "too large").header("connection", "close");
    let cut = Reply::raw("HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo");
    run(
        &[&data, "--request=PUT"],
        &[
            early("early 413, and the rest is read", refusal.clone().close(), status(413)),
            early("early 413, and silence", refusal.hang(), status(413)),
            early("early 413 that breaks off", cut, fails("body_truncated")),
            early("nothing, and the connection is closed while we send", Reply::nothing(), fails("http_empty_reply")),
            early("nothing, and the connection is reset while we send", Reply::nothing().reset(), fails("reset")),
            early("silence while we send", Reply::nothing().hang(), fails("read_timeout")).limit(SILENCE),
        ],
    );
}

#[test]
fn transfer_codings() {
    let mut rows: Vec<Row> = [
        "gzip, chunked",
        "gzip",
        "identity",
        "identity, chunked",
        "chunked, chunked",
        "chunked, gzip",
        "chunked, identity",
        "chunked;q=1",
        "chunked; x=y",
        "xchunked",
        "chunkedx",
        "chunke",
        "chunked x",
        "\"chunked\"",
        "'chunked'",
        "",
        "chunked,",
        ",chunked",
        "cow",
        "none",
        "c\u{212a}hunked",
        "[chunked]",
        "chunked\u{a0}",
    ]
    .map(|value| {
        Row::of(format!("Transfer-Encoding: {value}"), coded(value), fails("http_unsupported_transfer_encoding"))
    })
    .into();
    rows.extend(
        ["chunked", "Chunked", "CHUNKED", " \tchunked \t"]
            .map(|value| Row::of(format!("Transfer-Encoding: {value:?}"), coded(value), answers("hello"))),
    );
    let twice =
        |first: &str, second: &str| chunked(&format!("transfer-encoding: {first}\r\ntransfer-encoding: {second}\r\n"));
    let unsupported = fails("http_unsupported_transfer_encoding");
    rows.extend([
        Row::of("chunked in two lines", twice("chunked", "chunked"), unsupported.clone()),
        Row::of("gzip, then chunked in two lines", twice("gzip", "chunked"), unsupported.clone()),
        Row::of("chunked, then identity in two lines", twice("chunked", "identity"), unsupported.clone()),
        Row::of("chunked, then nothing in two lines", twice("chunked", ""), unsupported.clone()),
        Row::of(
            "chunked in HTTP/1.0",
            Reply::raw("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
            unsupported.clone(),
        ),
        Row::of("a coding and a length", chunked("transfer-encoding: gzip\r\ncontent-length: 5\r\n"), unsupported),
        Row::of("chunked behind a vertical tab", coded("\x0bchunked"), fails("http_parse")),
        Row::of("chunked behind a NUL", coded("\0chunked"), fails("http_parse")),
        Row::of("chunked in a folded line", coded("\r\n chunked"), fails("http_parse")),
        Row::of("space before the colon of a coding", chunked("transfer-encoding : chunked\r\n"), fails("http_parse")),
        Row::of(
            "a redirect with a coding",
            Reply::raw("HTTP/1.1 302 Found\r\nlocation: /x\r\ntransfer-encoding: gzip\r\n\r\n"),
            fails("http_unsupported_transfer_encoding"),
        ),
    ]);
    run(&[], &rows);
}
