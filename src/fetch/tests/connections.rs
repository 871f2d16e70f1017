//! Connections: opened, kept, used again, lost; and what is told of them.

use http::Method;

use super::*;

#[tokio::test]
async fn nobody_listening_is_refused_by_name_and_address() {
    let address = nobody();
    let exchange = transport(FetchOptions::default()).exchange(get(format!("http://{address}/"))).await;
    assert_eq!(kind(&exchange), FailureKind::ConnectRefused);
    assert_eq!(message(&exchange), format!("connection refused by {address}"));
    assert_eq!(exchange.remote_ip, Some(address.ip()));
    assert!(exchange.response.is_none());
}

#[tokio::test]
async fn a_kept_connection_is_used_again_and_has_no_phases_of_its_own() {
    let server = Server::start([Reply::ok("", "x")]).await;
    let transport = transport(FetchOptions::default());
    let url = format!("http://localhost:{}/", server.address().port());
    let first = transport.exchange(get(&url)).await;
    let timing = first.timing;
    let (lookup, connect) = (timing.namelookup.expect("looked up"), timing.connect.expect("connected"));
    let (head, total) = (timing.starttransfer.expect("a head"), timing.total);
    assert!(lookup <= connect && connect <= head && head <= total, "{timing:?}");
    assert_eq!(timing.appconnect, None, "there is no TLS");
    let second = transport.exchange(get(&url)).await;
    assert_eq!(server.connections(), 1);
    let timing = second.timing;
    assert_eq!((timing.namelookup, timing.connect, timing.appconnect), (None, None, None));
    assert!(timing.starttransfer.is_some());
    assert_eq!(second.remote_ip, Some([127, 0, 0, 1].into()));
}

#[tokio::test]
async fn an_address_is_not_looked_up() {
    let timing = exchange(Reply::ok("", "x")).await.timing;
    assert!(timing.namelookup.is_none() && timing.connect.is_some(), "{timing:?}");
}

#[tokio::test]
async fn a_request_on_a_connection_that_was_lost_can_be_sent_anew() {
    for (lost, failure) in [
        (Reply::bytes("").then_close(), FailureKind::HttpEmptyReply),
        (Reply::bytes("").then_reset(), FailureKind::Reset),
    ] {
        let server = Server::start([Reply::ok("", "first"), lost, Reply::ok("", "again")]).await;
        let transport = transport(FetchOptions::default());
        assert_eq!(text(transport.exchange(get(server.url("/1"))).await), "first");
        let second = transport.exchange(get(server.url("/2"))).await;
        assert_eq!((kind(&second), second.resend), (failure, Some(Duration::ZERO)));
        let third = transport.exchange(get(server.url("/2"))).await;
        assert!(third.timing.connect.is_some(), "the second connection is its own");
        assert_eq!((third.resend, text(third)), (None, "again".into()));
        assert_eq!((server.connections(), server.requests().len()), (2, 3));
    }
}

#[tokio::test]
async fn a_new_connection_that_is_lost_is_not_tried_again() {
    let server = Server::start([Reply::bytes("").then_close(), Reply::ok("", "again")]).await;
    let exchange = transport(FetchOptions::default()).exchange(get(server.url("/"))).await;
    assert_eq!((kind(&exchange), exchange.resend), (FailureKind::HttpEmptyReply, None));
    assert_eq!(server.requests().len(), 1);
    assert!(exchange.timing.connect.is_some(), "the connection stood");
}

#[tokio::test]
async fn a_post_on_a_connection_that_was_lost_is_not_sent_anew() {
    let server = Server::start([Reply::ok("", ""), Reply::bytes("").then_close(), Reply::ok("", "again")]).await;
    let transport = transport(FetchOptions::default());
    let mut request = Request::new(server.url("/").parse().expect("a URL"));
    request.method = Method::POST;
    request.body = Some("x".into());
    whole(transport.exchange(call(request.clone())).await);
    let lost = transport.exchange(call(request)).await;
    assert_eq!((kind(&lost), lost.resend, server.requests().len()), (FailureKind::HttpEmptyReply, None, 2));
}

#[tokio::test]
async fn connections_beyond_the_places_are_closed_after_use() {
    let options = FetchOptions { max_idle: 1, ..FetchOptions::default() };
    let (one, two) = (Server::start([Reply::ok("", "x")]).await, Server::start([Reply::ok("", "x")]).await);
    let transport = transport(options);
    for server in [&one, &two, &one] {
        whole(transport.exchange(get(server.url("/"))).await);
    }
    assert_eq!(one.connections(), 1, "it has the place");
    assert!(one.requests().iter().all(|request| !request.contains("connection: close")));
    assert!(two.requests()[0].contains("\r\nconnection: close\r\n"), "{}", two.requests()[0]);
}

#[tokio::test]
async fn a_response_that_says_close_frees_its_place() {
    let options = FetchOptions { max_idle: 1, ..FetchOptions::default() };
    let one = Server::start([Reply::ok("Connection: close\r\n", "x").then_close()]).await;
    let two = Server::start([Reply::ok("", "x")]).await;
    let transport = transport(options);
    whole(transport.exchange(get(one.url("/"))).await);
    whole(transport.exchange(get(two.url("/"))).await);
    assert!(!two.requests()[0].contains("connection: close"));
}

#[tokio::test]
async fn bytes_after_a_response_do_not_become_the_next_one() {
    let server = Server::start([
        Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        Reply::ok("", "good"),
    ])
    .await;
    let transport = transport(FetchOptions::default());
    assert_eq!(text(transport.exchange(get(server.url("/"))).await), "ok");
    assert_eq!(text(transport.exchange(get(server.url("/"))).await), "good");
}

#[tokio::test]
async fn http2_with_prior_knowledge_tells_of_a_server_that_does_not_speak_it() {
    let options =
        FetchOptions { http_version: super::super::HttpVersions::Http2PriorKnowledge, ..FetchOptions::default() };
    let exchange = exchange_with(options, Reply::bytes("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")).await;
    assert_eq!(kind(&exchange), FailureKind::H2Protocol, "{}", message(&exchange));
}
