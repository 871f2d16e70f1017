//! Requests through proxies.

use super::super::Proxies;
use super::*;

fn through(proxy: &str) -> FetchOptions {
    let url: Url = proxy.parse().expect("a URL");
    let proxies =
        Proxies { http: Some(url.clone().into()), https: Some(url.into()), bypass: "direct.localhost".into() };
    FetchOptions { proxies, ..FetchOptions::default() }
}

#[tokio::test]
async fn a_plain_request_goes_through_the_proxy_with_its_credentials() {
    let proxy = Server::start([Reply::ok("", "x")]).await;
    let transport = transport(through(&format!("http://al:secret@{}/", proxy.address())));
    let exchange = transport.exchange(get("http://a.invalid/path")).await;
    assert_eq!((exchange.timing.namelookup, exchange.timing.connect), (None, None));
    assert_eq!(text(exchange), "x");
    let request = &proxy.requests()[0];
    assert!(request.starts_with("GET http://a.invalid/path HTTP/1.1\r\n"), "{request}");
    // base64 of "al:secret"
    assert!(request.contains("proxy-authorization: Basic YWw6c2VjcmV0\r\n"), "{request}");
}

#[tokio::test]
async fn a_bypassed_host_is_reached_directly() {
    let server = Server::start([Reply::ok("", "x")]).await;
    let url = format!("http://direct.localhost:{}/", server.address().port());
    assert_eq!(text(transport(through("http://127.0.0.1:1/")).exchange(get(url)).await), "x");
}

#[tokio::test]
async fn a_proxy_that_does_not_let_through_has_its_own_kinds() {
    let refused = nobody();
    let unauthorized = Server::start([Reply::bytes("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")]).await;
    let forbidding = Server::start([Reply::bytes("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")]).await;
    let closing = Server::start([Reply::bytes("").then_close()]).await;
    for (proxy, url, expected) in [
        (format!("http://{refused}/"), "http://a.invalid/", FailureKind::ProxyConnect),
        (format!("http://{refused}/"), "https://a.invalid/", FailureKind::ProxyConnect),
        (format!("socks5h://{refused}/"), "http://a.invalid/", FailureKind::ProxyConnect),
        (format!("http://{NO_NAME}/"), "http://a.invalid/", FailureKind::ProxyConnect),
        (format!("http://u:secret@{}/", unauthorized.address()), "https://a.invalid/", FailureKind::ProxyAuth),
        (format!("http://u:secret@{}/", forbidding.address()), "https://a.invalid/", FailureKind::ProxyConnect),
        (format!("http://u:secret@{}/", closing.address()), "https://a.invalid/", FailureKind::ProxyConnect),
    ] {
        let exchange = transport(through(&proxy)).exchange(get(url)).await;
        assert_eq!(kind(&exchange), expected, "{proxy} {url}: {}", message(&exchange));
        assert!(!message(&exchange).contains("secret"), "{}", message(&exchange));
    }
}

#[tokio::test]
async fn a_name_that_is_looked_up_for_a_proxy_is_not_the_proxys_fault() {
    let exchange = transport(through("socks5://127.0.0.1:1/")).exchange(get(format!("http://{NO_NAME}/"))).await;
    assert_eq!(kind(&exchange).phase(), crate::model::Phase::Dns, "{}", message(&exchange));
}

#[tokio::test]
async fn a_407_to_a_plain_request_is_the_proxys_and_keeps_its_status() {
    let proxy = Server::start([Reply::bytes("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")]).await;
    let exchange = transport(through(&format!("http://{}/", proxy.address()))).exchange(get("http://a.invalid/")).await;
    assert_eq!(kind(&exchange), FailureKind::ProxyAuth);
    assert_eq!(exchange.response.map(|response| response.status.as_u16()), Some(407));
}

#[tokio::test]
async fn a_407_of_an_origin_is_a_response() {
    let server = Server::start([Reply::bytes("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")]).await;
    let url = format!("http://direct.localhost:{}/", server.address().port());
    assert_eq!(whole(transport(through("http://127.0.0.1:1/")).exchange(get(url)).await).status.as_u16(), 407);
}

#[tokio::test]
async fn what_is_printed_for_debugging_has_no_credentials() {
    let options = through("http://al:secret@127.0.0.1:1/");
    let shown = format!("{options:?} {:?}", transport(options.clone()));
    for secret in ["secret", "YWw6c2VjcmV0"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
