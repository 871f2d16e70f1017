//! HTTP/2: streams and connections that end, stall, or break the rules, over TLS and with prior knowledge.

use std::time::Duration;

use serde_json::{Value, json};

use super::row::{Outcome, Row, answers, fails, fails_as, status};
use super::section::{SILENCE, run, run_with};
use crate::support::frames::{code, data, field, flag, frame, goaway, head, kind, reset, settings};
use crate::support::{Authority, Reply, Request, Server, gather, records};

/// The pause of a flood that goes on until a time limit ends it: tens of thousands of frames a second are flood enough.
const MOMENT: Duration = Duration::from_millis(1);

/// What becomes of one GET.
struct Case {
    name: &'static str,
    greeting: Option<Vec<u8>>,
    answer: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    outcome: Outcome,
    limit: Option<Duration>,
}

/// A server that answers a request with these frames, by the stream that it came on, and keeps the connection.
fn case<const N: usize>(
    name: &'static str,
    frames: impl Fn(u32) -> [Vec<u8>; N] + Send + Sync + 'static,
    outcome: Outcome,
) -> Case {
    ends(name, move |stream| Reply::frames(frames(stream)), outcome)
}

/// A server that answers a request with this reply, by the stream that it came on.
fn ends(name: &'static str, reply: impl Fn(u32) -> Reply + Send + Sync + 'static, outcome: Outcome) -> Case {
    Case { name, greeting: None, answer: Box::new(move |request| reply(request.stream())), outcome, limit: None }
}

/// A server that sends these frames before it is asked, and then answers as it should.
fn greets(name: &'static str, frames: &[Vec<u8>], outcome: Outcome) -> Case {
    let answer = ends(name, |stream| Reply::stream(stream, "ok"), outcome);
    Case { greeting: Some(frames.concat()), ..answer }
}

impl Case {
    fn silent(self) -> Self {
        Self { limit: Some(SILENCE), ..self }
    }

    fn row(self, authority: Option<&Authority>) -> Row {
        let mut server = Server::builder().http2();
        if let Some(authority) = authority {
            server = server.tls(authority.certificate("localhost"));
        }
        if let Some(greeting) = self.greeting {
            server = server.greeting(move |_| Reply::raw(&greeting).keep());
        }
        let row = Row::at(self.name, server.start(self.answer)).get("/", self.outcome);
        let row = Row { limit: self.limit.unwrap_or(row.limit), ..row };
        // Whether a request leaves before a greeting has been read is chance.
        if row.name.starts_with("greeting") { row.any_requests() } else { row }
    }
}

/// A whole response.
fn whole(stream: u32) -> Vec<u8> {
    [head(flag::END_HEADERS, stream, &[]), data(flag::END_STREAM, stream, "ok")].concat()
}

/// The first half of a response.
fn begun(stream: u32) -> Vec<u8> {
    [head(flag::END_HEADERS, stream, &[]), data(flag::NONE, stream, "o")].concat()
}

fn ends_of_connections() -> Vec<Case> {
    vec![
        case("a response that is right, for comparison", move |stream| [whole(stream)], answers("ok")),
        case("GOAWAY before our stream", |_| [goaway(0, code::NO_ERROR)], fails("h2_goaway")),
        case("GOAWAY before our stream, with a fault", |_| [goaway(0, code::ENHANCE_YOUR_CALM)], fails("h2_goaway")),
        greets("greeting: GOAWAY", &[settings(&[]), goaway(0, code::NO_ERROR)], fails("h2_goaway")),
        case(
            "GOAWAY that spares our stream",
            move |stream| [goaway(stream, code::NO_ERROR), whole(stream)],
            answers("ok"),
        ),
        case(
            "GOAWAY in our stream, which ends well",
            move |stream| [begun(stream), goaway(stream, code::NO_ERROR), data(flag::END_STREAM, stream, "k")],
            answers("ok"),
        ),
        ends(
            "GOAWAY in our stream, with a fault",
            move |stream| Reply::frames([begun(stream), goaway(0, code::INTERNAL_ERROR)]).close(),
            fails("h2_goaway"),
        ),
        ends(
            "GOAWAY that spares our stream, which breaks off",
            move |stream| Reply::frames([begun(stream), goaway(stream, code::NO_ERROR)]).close(),
            fails("body_truncated"),
        ),
        ends("close before the head", |_| Reply::nothing(), fails("http_empty_reply")),
        ends("close in the body", move |stream| Reply::frames([begun(stream)]).close(), fails("body_truncated")),
        ends(
            "close in a frame",
            move |stream| Reply::frames([begun(stream), b"\0\0\x09\0".to_vec()]).close(),
            fails("body_truncated"),
        ),
        // What is seen first, the reset or the end, is chance.
        ends(
            "TCP reset in the body",
            move |stream| Reply::frames([begun(stream)]).reset(),
            fails_as(&["reset", "body_truncated"]),
        ),
        ends("silence before the head", |_| Reply::nothing().hang(), fails("read_timeout")).silent(),
        ends("silence in the body", move |stream| Reply::frames([begun(stream)]).hang(), fails("read_timeout"))
            .silent(),
    ]
}

fn ends_of_streams() -> Vec<Case> {
    vec![
        case("REFUSED_STREAM", |stream| [reset(stream, code::REFUSED_STREAM)], fails("h2_refused")),
        case("RST before the head: CANCEL", |stream| [reset(stream, code::CANCEL)], fails("reset")),
        case(
            "RST before the head: PROTOCOL_ERROR",
            |stream| [reset(stream, code::PROTOCOL_ERROR)],
            fails("h2_protocol"),
        ),
        case("RST before the head: a code that is none", |stream| [reset(stream, 0xffff_ffff)], fails("h2_protocol")),
        case("RST mid-body: CANCEL", move |stream| [begun(stream), reset(stream, code::CANCEL)], fails("reset")),
        case("RST mid-body: NO_ERROR", move |stream| [begun(stream), reset(stream, code::NO_ERROR)], fails("reset")),
        case(
            "RST instead of a body: NO_ERROR",
            |stream| [head(flag::END_HEADERS, stream, &[]), reset(stream, code::NO_ERROR)],
            fails("reset"),
        ),
        case(
            "RST mid-body, coded: NO_ERROR",
            |stream| {
                let coded = head(flag::END_HEADERS, stream, &[("content-encoding", "br")]);
                [coded, data(flag::NONE, stream, b"\x0b\x02\x80hello\x03"), reset(stream, code::NO_ERROR)]
            },
            fails("reset"),
        ),
        case(
            "RST mid-body: INTERNAL_ERROR",
            move |stream| [begun(stream), reset(stream, code::INTERNAL_ERROR)],
            fails("reset"),
        ),
        case(
            "RST mid-body: REFUSED_STREAM",
            move |stream| [begun(stream), reset(stream, code::REFUSED_STREAM)],
            fails("h2_refused"),
        ),
        case(
            "RST after the whole response",
            move |stream| [whole(stream), reset(stream, code::NO_ERROR)],
            answers("ok"),
        ),
        case(
            "DATA shorter than content-length",
            |stream| {
                [head(flag::END_HEADERS, stream, &[("content-length", "3")]), data(flag::END_STREAM, stream, "ok")]
            },
            fails("h2_protocol"),
        ),
        case(
            "DATA longer than content-length",
            |stream| {
                [head(flag::END_HEADERS, stream, &[("content-length", "1")]), data(flag::END_STREAM, stream, "ok")]
            },
            fails("h2_protocol"),
        ),
        case(
            "content-length without DATA",
            |stream| [head(flag::WHOLE, stream, &[("content-length", "3")])],
            fails("h2_protocol"),
        ),
        case(
            "trailers",
            |stream| {
                [
                    head(flag::END_HEADERS, stream, &[]),
                    data(flag::NONE, stream, "ok"),
                    frame(kind::HEADERS, flag::WHOLE, stream, field("x", "y")),
                ]
            },
            answers("ok"),
        ),
        case(
            "an early response",
            |stream| {
                [
                    frame(kind::HEADERS, flag::END_HEADERS, stream, [0x08, 3, b'1', b'0', b'3']),
                    head(flag::END_HEADERS, stream, &[]),
                    data(flag::END_STREAM, stream, "ok"),
                ]
            },
            answers("ok"),
        ),
        case("204 without a body", |stream| [frame(kind::HEADERS, flag::WHOLE, stream, [0x89])], status(204)),
    ]
}

fn floods_and_stalls() -> Vec<Case> {
    vec![
        ends(
            "CONTINUATION flood",
            |stream| {
                Reply::frames([head(flag::NONE, stream, &[])]).then_forever(frame(
                    kind::CONTINUATION,
                    flag::NONE,
                    stream,
                    field("x", "y"),
                ))
            },
            fails("h2_protocol"),
        ),
        ends(
            "CONTINUATION flood of empty frames",
            |stream| {
                Reply::frames([head(flag::NONE, stream, &[])]).then_forever(frame(
                    kind::CONTINUATION,
                    flag::NONE,
                    stream,
                    "",
                ))
            },
            fails("h2_protocol"),
        ),
        ends(
            "PING flood",
            |_| Reply::nothing().then_every(MOMENT, frame(kind::PING, flag::NONE, 0, [0; 8]).repeat(50)),
            fails("read_timeout"),
        )
        .silent(),
        ends(
            "SETTINGS flood",
            |_| Reply::nothing().then_every(MOMENT, settings(&[(3, 100)]).repeat(50)),
            fails("read_timeout"),
        )
        .silent(),
        ends(
            "flood of unknown frames",
            |_| Reply::nothing().then_every(MOMENT, frame(99, 0, 0, [0; 100]).repeat(50)),
            fails("read_timeout"),
        )
        .silent(),
        ends(
            "empty-DATA flood",
            |stream| {
                Reply::frames([head(flag::END_HEADERS, stream, &[])])
                    .then_forever(data(flag::NONE, stream, "").repeat(50))
            },
            fails("h2_protocol"),
        ),
        ends(
            "RST flood for streams that are none",
            |_| Reply::nothing().then_forever(reset(1, code::CANCEL).repeat(50)),
            fails("reset"),
        ),
        ends(
            "endless body, beyond our window",
            |stream| {
                Reply::frames([head(flag::END_HEADERS, stream, &[])]).then_forever(data(
                    flag::NONE,
                    stream,
                    [b'x'; 10_000],
                ))
            },
            fails_as(&["h2_protocol", "body_too_large"]),
        ),
        ends(
            "flood of early responses",
            |stream| {
                Reply::nothing()
                    .then_every(MOMENT, frame(kind::HEADERS, flag::END_HEADERS, stream, [0x08, 3, b'1', b'0', b'3']))
            },
            fails("read_timeout"),
        )
        .silent(),
        greets("greeting: MAX_CONCURRENT_STREAMS 1", &[settings(&[(3, 1)])], answers("ok")),
    ]
}

fn broken_rules() -> Vec<Case> {
    let bad = |name, frames: fn(u32) -> Vec<u8>| case(name, move |stream| [frames(stream)], fails("h2_protocol"));
    vec![
        bad("a head that HPACK does not know", |stream| frame(kind::HEADERS, flag::WHOLE, stream, [0xff; 20])),
        bad("a head without a status", |stream| frame(kind::HEADERS, flag::WHOLE, stream, field("x", "y"))),
        bad("a head with two statuses", |stream| frame(kind::HEADERS, flag::WHOLE, stream, [0x88, 0x88])),
        bad("status 99", |stream| frame(kind::HEADERS, flag::WHOLE, stream, [0x08, 2, b'9', b'9'])),
        bad("status 20x", |stream| frame(kind::HEADERS, flag::WHOLE, stream, [0x08, 3, b'2', b'0', b'x'])),
        bad("a field in capitals", |stream| head(flag::WHOLE, stream, &[("X", "y")])),
        bad("a field of the connection", |stream| head(flag::WHOLE, stream, &[("connection", "close")])),
        bad("a transfer coding", |stream| head(flag::WHOLE, stream, &[("transfer-encoding", "chunked")])),
        bad("a field with a line end", |stream| head(flag::WHOLE, stream, &[("x", "a\r\nb: c")])),
        bad("DATA before the head", |stream| data(flag::END_STREAM, stream, "ok")),
        bad("DATA on no stream", |_| data(flag::END_STREAM, 0, "ok")),
        bad("a head on no stream", |_| head(flag::WHOLE, 0, &[])),
        bad("a stream of the server's", |_| head(flag::WHOLE, 2, &[])),
        bad("a stream that was never opened", |_| head(flag::WHOLE, 99, &[])),
        bad("a promise", |stream| {
            frame(kind::PUSH_PROMISE, flag::END_HEADERS, stream, [&[0, 0, 0, 2][..], &[0x82, 0x84, 0x86]].concat())
        }),
        bad("a frame larger than allowed", |stream| data(flag::NONE, stream, [0; 20_000])),
        bad("padding longer than its frame", |stream| frame(kind::DATA, 8, stream, [9, 1, 2])),
        bad("SETTINGS of odd length", |_| frame(kind::SETTINGS, flag::NONE, 0, [0; 5])),
        bad("SETTINGS on a stream", |stream| frame(kind::SETTINGS, flag::NONE, stream, "")),
        bad("SETTINGS that are not allowed", |_| settings(&[(4, 0xffff_ffff)])),
        bad("WINDOW_UPDATE of 0", |_| frame(kind::WINDOW_UPDATE, flag::NONE, 0, [0; 4])),
        bad("a window that overflows", |_| {
            frame(kind::WINDOW_UPDATE, flag::NONE, 0, [0x7f, 0xff, 0xff, 0xff]).repeat(2)
        }),
        bad("PING of odd length", |_| frame(kind::PING, flag::NONE, 0, [0; 7])),
        bad("CONTINUATION of nothing", |stream| frame(kind::CONTINUATION, flag::END_HEADERS, stream, "")),
        bad("another frame within a head", |stream| {
            [head(flag::NONE, stream, &[]), frame(kind::PING, flag::NONE, 0, [0; 8])].concat()
        }),
        bad("HTTP/1.1 instead", |_| b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()),
        // Where the connection is found out before the request leaves, hyper does not tell the request why.
        greets(
            "greeting: HTTP/1.1",
            &[b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()],
            fails_as(&["h2_protocol", "http_empty_reply"]),
        ),
        // h2 passes over it, and the record does not show it.
        case("a field of a request", |stream| [head(flag::WHOLE, stream, &[(":path", "/")])], status(200)),
        case(
            "an unknown frame",
            |stream| {
                [
                    frame(99, 0, 0, "hello"),
                    frame(99, 0, stream, "hello"),
                    head(flag::END_HEADERS, stream, &[]),
                    data(flag::END_STREAM, stream, "ok"),
                ]
            },
            answers("ok"),
        ),
    ]
}

fn sections() -> [fn() -> Vec<Case>; 4] {
    [ends_of_connections, ends_of_streams, floods_and_stalls, broken_rules]
}

#[test]
fn over_tls() {
    let authority = Authority::new();
    let roots = authority.pem_file();
    let roots = format!("--cacert={}", roots.path().to_str().expect("a path in UTF-8"));
    for section in sections() {
        let rows: Vec<Row> = section().into_iter().map(|case| case.row(Some(&authority))).collect();
        run(&[&roots], &rows);
    }
}

#[test]
fn with_prior_knowledge() {
    let good = Server::builder().http2().start(|request| Reply::stream(request.stream(), "good"));
    for section in sections() {
        let rows: Vec<Row> = section().into_iter().map(|case| case.row(None)).collect();
        run_with(&["--http2-prior-knowledge"], &rows, &good, |_| "good".into());
    }
}

#[test]
fn streams_that_wait_for_one_another() {
    let good = Server::builder().http2().start(|request| Reply::stream(request.stream(), "good"));
    let one = Server::builder()
        .http2()
        .greeting(|_| Reply::frames([settings(&[(3, 1)])]))
        .start(|request| Reply::stream(request.stream(), "one"));
    let stalled = Server::builder().http2().start(|_| Reply::nothing().hang());
    let one =
        (0..8).fold(Row::at("MAX_CONCURRENT_STREAMS 1", one), |row, _| row.get("/", answers("one"))).connections(1);
    let stalled = Row::at("flow-control stall", stalled)
        .ask("/", json!({"method": "PUT", "body": "x".repeat(60_000)}), fails("read_timeout"))
        .limit(SILENCE);
    // A request may leave before the first settings have come, so the second line is the one that they hold up.
    let none = Server::builder().http2().start(|request| {
        let stream = request.stream();
        Reply::frames([
            settings(&[(3, 0)]),
            head(flag::END_HEADERS, stream, &[]),
            data(flag::END_STREAM, stream, "last"),
        ])
    });
    let none = Row::at("MAX_CONCURRENT_STREAMS 0", none)
        .get("/", answers("last"))
        .get("/", fails("read_timeout"))
        .requests(1)
        .limit(SILENCE);
    let early = Server::builder()
        .http2()
        .start(|request| Reply::frames([whole(request.stream()), reset(request.stream(), code::NO_ERROR)]));
    // RFC 9113, section 8.1: so a server says that it needs no more of a request.
    let early = Row::at("a whole response while we send", early).ask(
        "/",
        json!({"method": "PUT", "body": "x".repeat(60_000)}),
        answers("ok"),
    );
    run_with(&["--http2-prior-knowledge"], &[one, none, stalled, early], &good, |_| "good".into());
}

#[test]
fn a_connection_that_dies_under_100_streams_costs_no_line() {
    const STREAMS: usize = 100;
    let server = Server::builder().http2().start(|request| match (request.connection, request.nth_on_connection) {
        (1, STREAMS) => Reply::nothing().reset(),
        (1, _) => Reply::nothing().keep(),
        _ => Reply::stream(request.stream(), "ok"),
    });
    let lines: String = (0..STREAMS).map(|line| server.url(&format!("/{line}\n"))).collect();
    let arguments = ["-q", "--http2-prior-knowledge", "--max-per-host=100", "--concurrency=100", "--no-adaptive"];
    let output = gather().args(arguments).write_stdin(lines).output().expect("it runs");
    let records = records(&output.stdout);
    let answered = records.iter().filter(|record| record["body"] == "ok").count();
    let kinds: Vec<&Value> =
        records.iter().map(|record| &record["error"]["kind"]).filter(|kind| !kind.is_null()).collect();
    assert_eq!((records.len(), answered, kinds), (STREAMS, STREAMS, vec![]));
    let log = server.log();
    // Each was sent again once, and no more: on few connections, for all that they came at once.
    assert_eq!(log.requests().len(), 2 * STREAMS);
    assert!(log.connections() <= 1 + STREAMS / 10, "{} connections", log.connections());
    // Nor all at the same moment.
    let again = || log.requests().iter().filter(|request| request.connection > 1).map(|request| request.arrived);
    let spread = again().max().zip(again().min()).map(|(last, first)| last - first);
    assert!(spread >= Some(Duration::from_millis(50)), "{spread:?}");
}
