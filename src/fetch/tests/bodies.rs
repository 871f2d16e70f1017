//! Bodies: bounds, truncation, and what a redirect does with its own.

use super::super::Bodies;
use super::*;

fn capped(cap: u64) -> FetchOptions {
    FetchOptions { max_filesize: Some(cap), ..FetchOptions::default() }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_truncated_and_its_head_is_kept() {
    for head in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\na\r\nhello"] {
        let exchange = exchange(Reply::bytes(format!("HTTP/1.1 200 OK\r\n{head}")).then_close()).await;
        assert_eq!(kind(&exchange), FailureKind::BodyTruncated, "{head}");
        let response = exchange.response.expect("the head came");
        assert_eq!((response.status.as_u16(), response.size_download), (200, 5), "{head}");
        assert_eq!(response.body, Body::Discarded, "{head}");
    }
}

#[tokio::test]
async fn a_reset_in_the_body_says_so() {
    let reply = Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").then_reset();
    let exchange = exchange(reply).await;
    assert_eq!(kind(&exchange), FailureKind::Reset);
    assert!(message(&exchange).contains("in the body"), "{}", message(&exchange));
    assert!(exchange.response.is_some());
}

#[tokio::test]
async fn malformed_chunks_are_not_http() {
    for chunks in ["x\r\n", "ffffffffffffffffff\r\n", "2\r\nabc\r\n0\r\n\r\n"] {
        let exchange =
            exchange(Reply::bytes(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"))).await;
        assert_eq!(kind(&exchange), FailureKind::HttpParse, "{chunks}");
    }
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_cap_and_no_larger() {
    assert_eq!(text(exchange_with(capped(5), Reply::ok("", "hello")).await), "hello");
    let streamed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n";
    for reply in [Reply::ok("", "hello!"), Reply::bytes(streamed)] {
        let exchange = exchange_with(capped(5), reply).await;
        assert_eq!(kind(&exchange), FailureKind::BodyTooLarge);
        assert!(message(&exchange).contains("--max-filesize"), "{}", message(&exchange));
    }
}

#[tokio::test]
async fn a_length_over_the_cap_fails_before_the_body() {
    let reply = Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    let exchange = exchange_with(capped(5), reply).await;
    assert_eq!(kind(&exchange), FailureKind::BodyTooLarge);
    assert_eq!(exchange.response.expect("the head came").size_download, 0);
}

#[tokio::test]
async fn an_endless_body_ends_at_the_cap() {
    let reply = Reply::bytes("HTTP/1.1 200 OK\r\n\r\n").then_drip();
    assert_eq!(kind(&exchange_with(capped(3), reply).await), FailureKind::BodyTooLarge);
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_counted_and_hashed() {
    let options = FetchOptions { bodies: Bodies::Discard, sha256: true, ..FetchOptions::default() };
    let response = whole(exchange_with(options, Reply::ok("", "hello")).await);
    assert_eq!((response.body, response.size_decoded), (Body::Discarded, 5));
    let digest = response.sha256.expect("it was asked for");
    // sha256sum of "hello"
    assert_eq!(digest[..4], [0x2c, 0xf2, 0x4d, 0xba]);
}

#[tokio::test]
async fn what_is_not_text_is_binary() {
    let response = whole(exchange(Reply::ok("Content-Type: image/png\r\n", b"\x89PNG")).await);
    assert_eq!(response.body, Body::Binary(b"\x89PNG"[..].into()));
    let latin = Reply::ok("Content-Type: text/plain; charset=iso-8859-1\r\n", b"caf\xe9");
    assert_eq!(text(exchange(latin).await), "café");
}

#[tokio::test]
async fn the_body_of_a_redirect_is_not_read_unless_it_is_small() {
    let small = "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 5\r\n\r\nhello";
    let endless = "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Encoding: nonsense\r\n\r\n";
    let large = "HTTP/1.1 307 Found\r\nLocation: /x\r\nContent-Length: 20000\r\n\r\n";
    for (reply, connections) in
        [(Reply::bytes(small), 1), (Reply::bytes(endless).then_drip(), 2), (Reply::bytes(large).then_drip(), 2)]
    {
        let server = Server::start([reply, Reply::ok("", "next")]).await;
        let transport = transport(FetchOptions::default());
        let first = whole(transport.exchange(get(server.url("/"))).await);
        assert_eq!(first.body, Body::Discarded);
        assert_eq!(text(transport.exchange(get(server.url("/x"))).await), "next");
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn the_body_of_a_redirect_that_is_not_followed_is_wanted() {
    let server =
        Server::start([Reply::bytes("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 5\r\n\r\nhello")]).await;
    let transport = transport(FetchOptions::default());
    let call = Call { follows_redirects: false, ..get(server.url("/")) };
    assert_eq!(text(transport.exchange(call).await), "hello");
    let elsewhere = Server::start([Reply::bytes("HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nhello")]).await;
    assert_eq!(text(transport.exchange(get(elsewhere.url("/"))).await), "hello", "it has no Location");
}
