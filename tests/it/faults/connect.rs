//! Connections that do not come about: plain, through TLS, through a proxy.

use std::net::{SocketAddr, TcpStream};

use super::row::{Line, Outcome, Row, answers, fails, fails_as};
use super::section::{SILENCE, run};
use crate::support::{Authority, Reply, Server};

/// A listener whose queue is full, so that nobody answers: what a firewall does to packets.
struct Blackhole {
    address: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queued: Vec<TcpStream>,
    _runtime: tokio::runtime::Runtime,
}

impl Blackhole {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = {
            let _entered = runtime.enter();
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
            socket.listen(0).expect("a listener")
        };
        let address = listener.local_addr().expect("an address");
        let queue = || TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200));
        let queued = std::iter::repeat_with(queue).map_while(Result::ok).collect();
        Self { address, _listener: listener, _queued: queued, _runtime: runtime }
    }
}

/// A row for a server that greets every connection with `reply`, whatever it is asked for over TLS.
fn greeted_over_tls(name: &str, reply: Reply, outcome: Outcome) -> Row {
    secure(name, Server::on_connect(reply), outcome)
}

/// A row for a server of plain TCP that is asked for over TLS.
fn secure(name: &str, server: Server, outcome: Outcome) -> Row {
    let url = server.url("/").replace("http://", "https://");
    let line = Line { json: serde_json::json!({ "url": url }), outcome };
    Row { lines: vec![line], ..Row::at(name, server) }.requests(0).connections(1)
}

#[test]
fn connections_that_fail() {
    let blackhole = Blackhole::open();
    let blackhole_url = |scheme: &str| format!("{scheme}://{}/", blackhole.address);
    let authority = Authority::new();
    let tls_only = Server::builder().tls(authority.certificate("localhost")).start(|_| Reply::ok("hello"));
    let plain = format!("http://127.0.0.1:{}/", tls_only.port());
    let alert = |level: u8, description: u8| Reply::raw([0x15, 3, 1, 0, 2, level, description]);
    let hello = [&b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"[..], &[7; 32], b"\0\0\x2f\0"].concat();
    run(
        &[],
        &[
            Row::nobody("refused", "http://127.0.0.2:9/", fails("connect_refused")),
            Row::nobody("refused, over TLS", "https://127.0.0.2:9/", fails("connect_refused")),
            Row::nobody("blackhole", blackhole_url("http"), fails("connect_timeout")).limit(SILENCE),
            Row::nobody("blackhole, over TLS", blackhole_url("https"), fails("connect_timeout")).limit(SILENCE),
            Row::at("RST after accept", Server::on_connect(Reply::nothing().reset()))
                .get("/", fails_as(&["reset", "connect_reset"]))
                .requests(0),
            Row::at("FIN after accept", Server::on_connect(Reply::nothing()))
                .get("/", fails("http_empty_reply"))
                .requests(0),
            Row::at("accept and silence", Server::on_connect(Reply::nothing().hang()))
                .get("/", fails("read_timeout"))
                .requests(0)
                .limit(SILENCE),
            greeted_over_tls("EOF in the handshake", Reply::nothing(), fails("tls_handshake")),
            greeted_over_tls(
                "EOF in the handshake, after a part of it",
                Reply::raw(&hello[..20]),
                fails("tls_handshake"),
            ),
            greeted_over_tls("RST in the handshake", Reply::nothing().reset(), fails("connect_reset")),
            greeted_over_tls("silence in the handshake", Reply::nothing().hang(), fails("connect_timeout"))
                .limit(SILENCE),
            greeted_over_tls(
                "silence in the handshake, after a part of it",
                Reply::raw(&hello[..20]).hang(),
                fails("connect_timeout"),
            )
            .limit(SILENCE),
            greeted_over_tls(
                "plain HTTP on a TLS port",
                Reply::raw("HTTP/1.1 400 Bad Request\r\n\r\n"),
                fails("tls_handshake"),
            ),
            greeted_over_tls(
                "an SSH banner on a TLS port",
                Reply::raw("SSH-2.0-OpenSSH_9.6\r\n"),
                fails("tls_handshake"),
            ),
            greeted_over_tls("rubbish on a TLS port", Reply::raw([0xff; 1_000]), fails("tls_handshake")),
            greeted_over_tls(
                "an endless record",
                Reply::raw([0x16, 3, 3, 0xff, 0xff]).then_forever([0; 1_000]),
                fails("tls_handshake"),
            ),
            greeted_over_tls("only TLS 1.1: its ServerHello", Reply::raw(&hello), fails("tls_protocol_version")),
            greeted_over_tls("only TLS 1.1: its alert", alert(2, 70), fails("tls_protocol_version")),
            greeted_over_tls("an alert: handshake_failure", alert(2, 40), fails("tls_handshake")),
            greeted_over_tls("an alert: internal_error", alert(2, 80), fails("tls_handshake")),
            greeted_over_tls("an alert: unrecognized_name", alert(2, 112), fails("tls_handshake")),
            Row::nobody("TLS on a plain port", plain, fails("http_parse")),
            Row::at(
                "self-signed, over TLS",
                Server::builder().tls(authority.certificate("localhost")).start(|_| Reply::ok("hello")),
            )
            .get("/", fails("tls_cert_untrusted"))
            .requests(0),
        ],
    );
}

#[test]
fn proxies_that_fail() {
    for (name, reply, kind) in [
        ("407", Reply::status(407).header("proxy-authenticate", "Basic realm=x"), "proxy_auth"),
        ("CONNECT 502", Reply::status(502), "proxy_connect"),
        ("CONNECT 200 with no HTTP version", Reply::raw("200 OK\r\n\r\n"), "proxy_connect"),
        ("closed", Reply::nothing(), "proxy_connect"),
        ("reset", Reply::nothing().reset(), "proxy_connect"),
        ("an endless head", Reply::raw("HTTP/1.1 200 OK\r\nx: ").then_forever([b'x'; 1_000]), "proxy_connect"),
        ("silence", Reply::nothing().hang(), "connect_timeout"),
        ("200, then no TLS", Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then("hello hello"), "tls_handshake"),
    ] {
        let proxy = Server::start(move |_| reply.clone());
        let row = Row::nobody(format!("proxy: {name}"), "https://a.test/", fails(kind));
        run(&["--proxy", &proxy.url(""), "--noproxy=127.0.0.1"], &[row.limit(SILENCE)]);
        assert_eq!(proxy.log().targets(), ["a.test:443"], "{name}");
    }
    let row = Row::nobody("proxy refused", "https://a.test/", fails("proxy_connect"));
    run(&["--proxy=http://127.0.0.2:9", "--noproxy=127.0.0.1"], &[row]);
}

#[test]
fn bodies_that_somebody_else_ends() {
    let authority = Authority::new();
    let roots = authority.pem_file();
    let secure = |name: &str, reply: Reply, outcome: Outcome| {
        let server = Server::builder().tls(authority.certificate("localhost")).start(move |_| reply.clone());
        Row::at(name, server).get("/", outcome)
    };
    let open_ended = Reply::raw("HTTP/1.1 200 OK\r\n\r\nhello");
    let head = Reply::raw("HTTP/1.1 200 OK\r\ncontent-le");
    run(
        &["--cacert", roots.path().to_str().expect("a path in UTF-8")],
        &[
            secure("a body without length, closed by the server", open_ended.clone(), answers("hello")),
            secure("a body without length, cut off", open_ended.clone().cut(), fails("body_truncated")),
            secure("a body without length, reset", open_ended.reset(), fails("reset")),
            secure("a whole body, then cut off", Reply::ok("hello").cut(), answers("hello")),
            secure(
                "a body with a length, cut off",
                Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello").cut(),
                fails("body_truncated"),
            ),
            secure(
                "chunks cut off",
                Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").cut(),
                fails("body_truncated"),
            ),
            secure("a head cut off", head.clone().cut(), fails("http_empty_reply")),
            secure("a head closed by the server", head, fails("http_empty_reply")),
            secure("no head, cut off", Reply::nothing().cut(), fails("http_empty_reply")),
        ],
    );
}
