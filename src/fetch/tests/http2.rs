//! HTTP/2: one connection for many exchanges, and the ways in which a server can end them.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, StatusCode, Version};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::super::HttpVersions;
use super::*;

/// What the server does with a stream.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// `ok` as the body.
    Answer,
    /// `RST_STREAM` before the head.
    Reset(Reason),
    /// `RST_STREAM` in the body.
    ResetInBody(Reason),
    /// Two bytes where three were announced.
    TooShort,
    /// The connection is closed.
    Close,
    /// A head of 300 KiB.
    LargeHead,
}

/// A server that does `act` with every stream, and its URL. It counts its connections by the order in which it answers.
async fn server(act: Act) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let task = tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            number += 1;
            let Ok(mut connection) = h2::server::handshake(stream).await else { continue };
            while let Some(Ok((request, respond))) = connection.accept().await {
                if let Act::Close = act {
                    break;
                }
                let Some(mut body) = answer(act, number, &request, respond) else { continue };
                // A reset overtakes what is not sent yet; this sends it.
                assert!(futures::poll!(std::pin::pin!(connection.accept())).is_pending());
                if let Act::ResetInBody(reason) = act {
                    body.send_reset(reason);
                }
            }
        }
    });
    (url, AbortOnDropHandle::new(task))
}

/// The body that is left open, if the stream is not over.
fn answer(
    act: Act,
    number: u32,
    request: &http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Option<SendStream<Bytes>> {
    if let Act::Reset(reason) = act {
        respond.send_reset(reason);
        return None;
    }
    let mut headers = HeaderMap::new();
    headers.insert("x-connection", number.into());
    headers.insert("x-authority", request.uri().authority().expect("one").as_str().parse().expect("a value"));
    if matches!(act, Act::TooShort) {
        headers.insert("content-length", 3.into());
    }
    if matches!(act, Act::LargeHead) {
        headers.insert("x-large", "a".repeat(300 * 1024).parse().expect("a value"));
    }
    let mut response = http::Response::new(());
    *response.status_mut() = StatusCode::OK;
    *response.headers_mut() = headers;
    let mut body = respond.send_response(response, false).expect("the stream is open");
    let ends = !matches!(act, Act::ResetInBody(_));
    body.send_data(if ends { "ok" } else { "o" }.into(), ends).expect("the stream is open");
    (!ends).then_some(body)
}

fn prior_knowledge() -> HttpTransport {
    transport(FetchOptions { http_version: HttpVersions::Http2PriorKnowledge, ..FetchOptions::default() })
}

#[tokio::test]
async fn exchanges_share_one_connection() {
    let (url, _server) = server(Act::Answer).await;
    let transport = prior_knowledge();
    let exchanges = futures::future::join_all((0..5).map(|_| transport.exchange(get(&url)))).await;
    let opened = exchanges.iter().filter(|exchange| exchange.timing.connect.is_some()).count();
    assert_eq!(opened, 1, "one of them opened the connection");
    for exchange in exchanges {
        let response = whole(exchange);
        assert_eq!(
            (response.version, &response.headers["x-connection"]),
            (Version::HTTP_2, &"1".parse().expect("a value"))
        );
        assert!(url.contains(response.headers["x-authority"].to_str().expect("text")));
        assert_eq!(response.body, Body::Text("ok".into()));
    }
}

#[tokio::test]
async fn a_large_head_is_taken() {
    let (url, _server) = server(Act::LargeHead).await;
    assert_eq!(text(prior_knowledge().exchange(get(url)).await), "ok");
}

#[tokio::test]
async fn the_ends_of_streams_have_their_kinds() {
    for (act, expected, head_came) in [
        (Act::Reset(Reason::REFUSED_STREAM), FailureKind::H2Refused, false),
        (Act::Reset(Reason::INTERNAL_ERROR), FailureKind::Reset, false),
        (Act::Reset(Reason::PROTOCOL_ERROR), FailureKind::H2Protocol, false),
        (Act::ResetInBody(Reason::CANCEL), FailureKind::Reset, true),
        (Act::TooShort, FailureKind::H2Protocol, true),
        (Act::Close, FailureKind::HttpEmptyReply, false),
    ] {
        let (url, _server) = server(act).await;
        let exchange = prior_knowledge().exchange(get(url)).await;
        assert_eq!(kind(&exchange), expected, "{act:?}: {}", message(&exchange));
        assert_eq!(exchange.response.is_some(), head_came, "{act:?}");
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_says_so() {
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    for code in [0, 11] {
        // The last stream that was processed is 0, so ours was not.
        let goaway = [&b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0"[..], &[code]].concat();
        let server = Server::start_raw([Reply::bytes([&settings[..], &goaway].concat())]).await;
        let exchange = prior_knowledge().exchange(get(server.url("/"))).await;
        assert_eq!(kind(&exchange), FailureKind::H2Goaway, "{code}: {}", message(&exchange));
    }
}

/// What is logged while `work` is done, by us and by the libraries, at the level that says most and without a filter.
#[cfg(feature = "cli")]
async fn logged(work: impl Future<Output = ()>) -> String {
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    work.await;
    drop(guard);
    let lines = lines.0.lock().expect("no panic");
    String::from_utf8_lossy(&lines).into_owned()
}

/// The libraries are part of this: what they log below our own words must not have a field, a path or credentials in it.
#[cfg(feature = "cli")]
#[tokio::test]
async fn no_level_of_the_log_shows_a_secret_in_either_version() {
    let (http2, _server) = server(Act::Answer).await;
    let http1 = Server::start([Reply::ok("Set-Cookie: canary\r\n", "x")]).await;
    let request = |url: &str| {
        let mut request = Request::new(url.replace("://", "://user:canary@").parse().expect("a URL"));
        let mut secret = http::HeaderValue::from_static("canary");
        secret.set_sensitive(true);
        std::sync::Arc::make_mut(&mut request.headers).insert("x-api-key", secret);
        call(request)
    };
    let said = logged(async {
        whole(prior_knowledge().exchange(request(&format!("{http2}?token=canary"))).await);
        whole(transport(FetchOptions::default()).exchange(request(&http1.url("/?token=canary"))).await);
    })
    .await;
    assert!(http1.requests()[0].contains("x-api-key: canary"), "the secret was not even sent");
    assert!(said.contains("h2::") && said.contains("TRACE") && said.contains("token=***"), "the log is silent: {said}");
    let line = said.lines().find(|line| line.contains("canary") || line.contains("dXNlcjpjYW5hcnk"));
    assert_eq!(line, None);
}
