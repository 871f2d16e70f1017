//! Response heads, good and bad, and the requests that lead to them.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Version};

use super::*;

#[tokio::test]
async fn a_good_response_is_told_whole() {
    let exchange = exchange(Reply::ok("X-A: 1\r\nx-a: 2\r\n", "hello")).await;
    assert_eq!(exchange.remote_ip, Some([127, 0, 0, 1].into()));
    let response = whole(exchange);
    assert_eq!((response.status.as_u16(), response.version), (200, Version::HTTP_11));
    assert_eq!(response.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(response.body, Body::Text("hello".into()));
    assert_eq!((response.size_download, response.size_decoded, response.sha256), (5, 5, None));
}

#[tokio::test]
async fn the_request_says_what_is_understood_and_who_asks() {
    let server = Server::start([Reply::ok("", "")]).await;
    transport(FetchOptions::default()).exchange(get(server.url("/x?y#z"))).await;
    let request = &server.requests()[0];
    assert!(request.starts_with("GET /x?y HTTP/1.1\r\n"), "{request}");
    for line in [
        "accept: */*",
        "accept-encoding: gzip, br, zstd, deflate",
        concat!("user-agent: gather/", env!("CARGO_PKG_VERSION")),
        &format!("host: {}", server.address()),
    ] {
        assert!(request.lines().any(|own| own == line), "{line} is not in {request}");
    }
}

#[tokio::test]
async fn headers_that_the_user_gave_stand_but_for_the_length() {
    let server = Server::start([Reply::ok("", "")]).await;
    let mut headers = HeaderMap::new();
    for (name, value) in [("user-agent", "me"), ("accept", "text/x"), ("accept-encoding", "br"), ("host", "h.example")]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("content-length", HeaderValue::from_static("99"));
    headers.insert("transfer-encoding", HeaderValue::from_static("gzip"));
    let mut request = Request::new(server.url("/").parse().expect("a URL"));
    request.headers = Arc::new(headers);
    whole(transport(FetchOptions::default()).exchange(call(request)).await);
    let request = &server.requests()[0];
    for line in ["user-agent: me", "accept: text/x", "accept-encoding: br", "host: h.example"] {
        assert!(request.lines().any(|own| own == line), "{line} is not in {request}");
    }
    assert!(!request.contains("content-length") && !request.contains("transfer-encoding"), "{request}");
}

#[tokio::test]
async fn a_part_is_not_asked_for_in_coded_form() {
    let server = Server::start([Reply::ok("", "")]).await;
    let mut request = Request::new(server.url("/").parse().expect("a URL"));
    request.headers = Arc::new(HeaderMap::from_iter([(http::header::RANGE, HeaderValue::from_static("bytes=0-9"))]));
    transport(FetchOptions::default()).exchange(call(request)).await;
    assert!(!server.requests()[0].contains("accept-encoding"), "{:?}", server.requests());
}

#[tokio::test]
async fn a_body_is_sent_with_its_length_and_a_post_without_one_says_so() {
    let server = Server::start([Reply::ok("", "")]).await;
    let transport = transport(FetchOptions::default());
    let mut request = Request::new(server.url("/").parse().expect("a URL"));
    request.method = Method::POST;
    transport.exchange(call(request.clone())).await;
    request.body = Some("k=v".into());
    transport.exchange(call(request)).await;
    let requests = server.requests();
    assert!(requests[0].contains("\r\ncontent-length: 0\r\n"), "{}", requests[0]);
    assert!(requests[1].contains("\r\ncontent-length: 3\r\n") && requests[1].ends_with("k=v"), "{}", requests[1]);
}

#[tokio::test]
async fn replies_that_are_not_http_have_their_kinds() {
    use FailureKind as Kind;

    let head = |headers: &str| Reply::bytes(format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).then_close();
    let long = format!("X-A: {}\r\n", "a".repeat(2_000_000));
    for (reply, expected) in [
        (Reply::bytes("").then_close(), Kind::HttpEmptyReply),
        (Reply::bytes("").then_reset(), Kind::Reset),
        (Reply::bytes("SSH-2.0-OpenSSH_9.6\r\n"), Kind::HttpParse),
        (Reply::bytes("<html>HTTP/0.9</html>").then_close(), Kind::HttpParse),
        (Reply::bytes("HTTP/3.1 200 OK\r\n\r\n"), Kind::HttpParse),
        (Reply::bytes("HTTP/1.1 2000 OK\r\n\r\n"), Kind::HttpParse),
        (head("X-A: a\0b\r\n"), Kind::HttpParse),
        (head("X-A: a\r\n folded\r\n"), Kind::HttpParse),
        (head("Content-Length: 1\r\nContent-Length: 2\r\n"), Kind::HttpAmbiguousLength),
        (head("Content-Length: -1\r\n"), Kind::HttpAmbiguousLength),
        (head("Content-Length: 18446744073709551616\r\n"), Kind::HttpAmbiguousLength),
        (head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Kind::HttpAmbiguousLength),
        (head("Transfer-Encoding: gzip, chunked\r\n"), Kind::HttpUnsupportedTransferEncoding),
        (head("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), Kind::HttpUnsupportedTransferEncoding),
        (head("Transfer-Encoding: identity\r\n"), Kind::HttpUnsupportedTransferEncoding),
        (head(&"X-A: a\r\n".repeat(101)), Kind::HttpTooManyHeaders),
        (head(&"X-A: a\r\n".repeat(512)), Kind::HttpTooManyHeaders),
        (head(&"X-A: a\r\n".repeat(513)), Kind::HttpHeaderTooLarge),
        (head(&long), Kind::HttpHeaderTooLarge),
        (Reply::bytes("HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), Kind::HttpUnexpectedUpgrade),
    ] {
        let seen = exchange(reply.clone()).await.failure.map(|failure| failure.kind);
        assert_eq!(seen, Some(expected), "{}", format!("{reply:?}").split_at(100).0);
    }
}

#[tokio::test]
async fn odd_replies_that_are_http_pass() {
    for reply in [
        Reply::bytes(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
        Reply::bytes("HTTP/1.0 200 OK\r\n\r\nok").then_close(),
        Reply::bytes("HTTP/1.1 200\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
        Reply::ok("X-A: caf\u{e9}\r\n", "ok"),
        Reply::ok(&"X-A: a\r\n".repeat(99), "ok"),
        Reply::ok(&format!("X-A: {}\r\n", "a".repeat(100 * 1024)), "ok"),
        Reply::bytes(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nX-T: t\r\n\r\n",
        ),
    ] {
        assert_eq!(text(exchange(reply).await), "ok");
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_trusted_is_still_in_the_record() {
    let exchange = exchange(Reply::bytes("HTTP/1.1 404 No\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")).await;
    assert_eq!(kind(&exchange), FailureKind::HttpUnsupportedTransferEncoding);
    assert_eq!(exchange.status().map(|status| status.as_u16()), Some(404));
}

#[tokio::test]
async fn responses_that_have_no_body_are_not_decoded() {
    let transport = transport(FetchOptions::default());
    for (method, status) in [(Method::HEAD, "200 OK"), (Method::GET, "204 No"), (Method::GET, "304 Not")] {
        let head = format!("HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\nTransfer-Encoding: x\r\n\r\n");
        let server = Server::start([Reply::bytes(head)]).await;
        let mut request = Request::new(server.url("/").parse().expect("a URL"));
        request.method = method;
        let response = whole(transport.exchange(call(request)).await);
        assert_eq!((response.body, response.size_decoded), (Body::Discarded, 0), "{status}");
    }
}

#[tokio::test]
async fn a_message_shows_no_control_characters_of_the_server() {
    let exchange = exchange(Reply::ok("Content-Encoding: \u{9b}31m\r\n", "x")).await;
    assert_eq!(kind(&exchange), FailureKind::UnsupportedContentEncoding);
    assert!(!message(&exchange).contains(char::is_control), "{:?}", message(&exchange));
}

#[tokio::test]
async fn header_values_do_not_keep_the_read_buffer_alive() {
    let body = "x".repeat(5_000);
    let response = whole(exchange_with(FetchOptions::default(), Reply::ok("X-One: 1\r\nX-Two: 22\r\n", &body)).await);
    let one = response.headers["x-one"].as_bytes().as_ptr_range();
    let two = response.headers["x-two"].as_bytes().as_ptr_range();
    // In a read buffer, the name of the second field and its punctuation stand between the two values.
    let apart = (two.start as usize).abs_diff(one.end as usize);
    assert!(apart < "\r\nX-Two: ".len(), "the values are {apart} bytes apart");
    assert_eq!(response.headers["x-two"], "22");
}
