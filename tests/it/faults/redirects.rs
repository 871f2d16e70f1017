//! Redirects that lead nowhere, or should not be followed.

use super::row::{Row, answers, fails, status};
use super::section::run;
use crate::support::{Reply, Request};

/// A server that redirects `/` to this place, and answers at every other.
fn to(location: &str) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    let location = location.to_owned();
    move |request| if request.target == "/" { Reply::redirect(&location) } else { Reply::ok(&request.target) }
}

/// A row for a location that is not followed.
fn refused(location: &str, kind: &'static str) -> Row {
    Row::asks(format!("Location: {location:?}"), to(location), fails(kind))
}

/// A row for a location that leads to a target.
fn leads(location: &str, target: &str) -> Row {
    Row::asks(format!("Location: {location:?}"), to(location), answers(target)).requests(2)
}

#[test]
fn they_are_followed_or_refused_by_name() {
    let endless = |head: &str| {
        Reply::raw(format!("HTTP/1.1 302 Found\r\nlocation: /x\r\n{head}\r\n")).then_forever([b'x'; 1_000])
    };
    let body = |name: &str, reply: Reply| {
        Row::asks(
            name,
            move |request| if request.target == "/" { reply.clone() } else { Reply::ok("end") },
            answers("end"),
        )
        .requests(2)
    };
    let next = |request: &Request| {
        let number: u32 = request.target[1..].parse().unwrap_or_default();
        Reply::redirect(format!("/{}", number + 1))
    };
    let mut rows = vec![
        Row::asks("loops", |_| Reply::redirect("/"), fails("redirect_loop")),
        Row::asks(
            "loops of two",
            |request| Reply::redirect(if request.target == "/" { "/x" } else { "/" }),
            fails("redirect_loop"),
        )
        .requests(2),
        Row::asks("over the limit", next, fails("redirect_limit")).requests(11),
        refused("", "redirect_invalid_location"),
        refused("http://", "redirect_invalid_location"),
        refused("http://[::1", "redirect_invalid_location"),
        refused("http://a.test:65536/", "redirect_invalid_location"),
        refused("//", "redirect_invalid_location"),
        refused("///127.0.0.1/x", "redirect_invalid_location"),
        refused("file:///etc/passwd", "redirect_scheme"),
        refused("ftp://127.0.0.1/", "redirect_scheme"),
        refused("data:text/plain,hello", "redirect_scheme"),
        refused("javascript:alert(1)", "redirect_scheme"),
        refused("gopher://127.0.0.1:9/", "redirect_scheme"),
        leads("/a/../b", "/b"),
        leads("/a b", "/a%20b"),
        leads("/caf\u{e9}", "/caf%C3%A9"),
        leads("x?y=z#w", "/x?y=z"),
        leads("?y", "/?y"),
        Row::asks(
            "Location twice",
            |_| Reply::redirect("/x").header("location", "/y"),
            fails("redirect_invalid_location"),
        ),
        Row::asks(
            "Location twice and the same",
            |request| {
                if request.target == "/" { Reply::redirect("/x").header("location", "/x") } else { Reply::ok("end") }
            },
            answers("end"),
        )
        .requests(2),
        Row::of("no Location", Reply::status(301), status(301)),
        body("body of a redirect endless", endless("")),
        body(
            "body of a redirect that never comes",
            Reply::raw("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 9\r\n\r\n").hang(),
        ),
        body("body of a redirect a bomb", endless("content-encoding: gzip\r\n")),
        body("body of a redirect in an unknown coding", endless("content-encoding: x\r\n")),
        body(
            "body of a redirect broken off",
            Reply::raw("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 9\r\n\r\nx"),
        ),
        body(
            "body of a redirect reset",
            Reply::raw("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 9\r\n\r\nx").reset(),
        ),
    ];
    // What is at the other end of a redirect fails as it would by itself.
    for (name, reply, kind) in [
        ("to a close with 0 bytes", Reply::nothing(), "http_empty_reply"),
        ("to what is no HTTP", Reply::raw("hello\r\n\r\n"), "http_parse"),
        ("to a body that breaks off", Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"), "body_truncated"),
    ] {
        let answer = move |request: &Request| {
            if request.target == "/" {
                Reply::redirect("/x").header("connection", "close").close()
            } else {
                reply.clone()
            }
        };
        rows.push(Row::asks(format!("a redirect {name}"), answer, fails(kind)).requests(2));
    }
    run(&[], &rows);
}
