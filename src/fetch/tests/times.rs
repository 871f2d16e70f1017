//! Time limits: each has its own kind, and a server that sends a byte now and then does not escape them.

use super::*;

const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_mins(1);

fn silent_for(read_timeout: Duration) -> FetchOptions {
    FetchOptions { read_timeout, ..FetchOptions::default() }
}

/// The exchange with a server that gives `reply`, within `time_limit`.
async fn within(time_limit: Duration, options: FetchOptions, reply: Reply) -> Exchange {
    let server = Server::start([reply]).await;
    transport(options).exchange(Call { time_limit, ..get(server.url("/")) }).await
}

#[tokio::test]
async fn silence_before_the_head_and_in_the_body_is_a_read_timeout() {
    let before = within(LONG, silent_for(SHORT), Reply::bytes("")).await;
    assert_eq!(kind(&before), FailureKind::ReadTimeout);
    assert!(message(&before).contains("before the response head"), "{}", message(&before));
    assert!(before.response.is_none() && before.timing.connect.is_some());
    assert_eq!(before.remote_ip, Some([127, 0, 0, 1].into()));
    for headers in ["Content-Length: 9", "Content-Length: 9\r\nContent-Encoding: gzip"] {
        let inside =
            within(LONG, silent_for(SHORT), Reply::bytes(format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"))).await;
        assert_eq!(kind(&inside), FailureKind::ReadTimeout);
        assert!(message(&inside).contains("in the body"), "{}", message(&inside));
        assert!(inside.response.is_some());
    }
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_escape_the_limit_of_the_whole() {
    // The last is gzip with a file name that never ends.
    for head in [
        &b"HTTP/1.1 200 O"[..],
        b"HTTP/1.1 200 OK\r\nX-A: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\xff",
    ] {
        let exchange = within(3 * SHORT, silent_for(LONG), Reply::bytes(head).then_drip()).await;
        assert_eq!(kind(&exchange), FailureKind::AttemptTimeout, "{}", head.escape_ascii());
        assert!(exchange.timing.total >= 3 * SHORT, "{:?}", exchange.timing.total);
    }
}

#[tokio::test]
async fn a_silent_tls_handshake_is_a_connect_timeout_and_no_silence() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let options = FetchOptions { connect_timeout: 3 * SHORT, read_timeout: SHORT, ..FetchOptions::default() };
    let exchange = transport(options).exchange(get(format!("https://{address}/"))).await;
    assert_eq!(kind(&exchange), FailureKind::ConnectTimeout);
    assert!(message(&exchange).contains("TLS handshake"), "{}", message(&exchange));
    assert!(exchange.timing.connect.is_some() && exchange.timing.appconnect.is_none());
    assert_eq!(exchange.remote_ip, Some(address.ip()));
}

#[tokio::test]
async fn the_whole_can_be_over_while_the_connection_is_being_opened() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let exchange = transport(FetchOptions::default()).exchange(Call { time_limit: SHORT, ..get(url) }).await;
    assert_eq!(kind(&exchange), FailureKind::AttemptTimeout);
    assert!(message(&exchange).contains("being opened"), "{}", message(&exchange));
    assert!(exchange.in_connect);
    let answering = within(SHORT, silent_for(LONG), Reply::bytes("")).await;
    assert_eq!((kind(&answering), answering.in_connect), (FailureKind::AttemptTimeout, false));
}

#[tokio::test]
async fn no_limit_is_too_long() {
    let exchange = within(Duration::MAX, silent_for(Duration::MAX), Reply::ok("", "x")).await;
    assert_eq!(text(exchange), "x");
}
