//! `--resolve`, `--connect-to`, `-4`, `-6` and names.

use super::super::{ConnectTo, FetchError, IpVersion, ResolveEntry};
use super::*;

fn resolving(host: &str, port: u16) -> FetchOptions {
    let resolve = vec![ResolveEntry { host: host.into(), port, addresses: vec![[127, 0, 0, 1].into()] }];
    FetchOptions { resolve, ..FetchOptions::default() }
}

fn connecting(from: (&str, u16), server: &Server) -> FetchOptions {
    let rule = ConnectTo {
        from_host: Some(from.0.into()),
        from_port: Some(from.1),
        to_host: Some("127.0.0.1".into()),
        to_port: Some(server.address().port()),
    };
    FetchOptions { connect_to: vec![rule], ..FetchOptions::default() }
}

#[tokio::test]
async fn a_name_is_resolved_for_its_port_alone() {
    let server = Server::start([Reply::ok("", "x")]).await;
    let port = server.address().port();
    let transport = transport(resolving(&NO_NAME.to_uppercase(), port));
    assert_eq!(text(transport.exchange(get(format!("http://{NO_NAME}:{port}/"))).await), "x");
    assert!(server.requests()[0].contains(&format!("host: {NO_NAME}:{port}\r\n")), "{}", server.requests()[0]);
    let elsewhere = transport.exchange(get(format!("http://{NO_NAME}:{}/", port ^ 1))).await;
    assert_eq!(kind(&elsewhere), FailureKind::DnsNotFound, "{}", message(&elsewhere));
}

#[tokio::test]
async fn a_star_resolves_every_name() {
    let server = Server::start([Reply::ok("", "x")]).await;
    let port = server.address().port();
    let exchange = transport(resolving("*", port)).exchange(get(format!("http://any.invalid:{port}/"))).await;
    assert_eq!(text(exchange), "x");
}

#[tokio::test]
async fn a_request_is_led_elsewhere_under_its_own_name() {
    let server = Server::start([Reply::ok("", "x")]).await;
    for (host, port, url, own) in [
        ("a.invalid", 80, "http://a.invalid/", "host: a.invalid\r\n"),
        ("a.invalid", 8080, "http://a.invalid:8080/", "host: a.invalid:8080\r\n"),
        ("192.0.2.1", 80, "http://192.0.2.1/", "host: 192.0.2.1\r\n"),
    ] {
        let exchange = transport(connecting((host, port), &server)).exchange(get(url)).await;
        assert_eq!(text(exchange), "x", "{url}");
        let request = server.requests().pop().expect("a request");
        assert!(request.contains(own), "{request}");
    }
}

#[tokio::test]
async fn only_addresses_of_the_wanted_version_are_used() {
    let server = Server::start([Reply::ok("", "x")]).await;
    let port = server.address().port();
    let version = |ip_version| FetchOptions { ip_version: Some(ip_version), ..FetchOptions::default() };
    let v4 = transport(version(IpVersion::V4));
    assert_eq!(text(v4.exchange(get(format!("http://localhost:{port}/"))).await), "x");
    let none = v4.exchange(get(format!("http://[::1]:{port}/"))).await;
    assert_eq!(kind(&none), FailureKind::DnsNoRecords);
    let options = FetchOptions { ip_version: Some(IpVersion::V6), ..resolving("a.invalid", port) };
    let none = transport(options).exchange(get(format!("http://a.invalid:{port}/"))).await;
    assert_eq!(kind(&none), FailureKind::DnsNoRecords);
    assert!(message(&none).contains("a.invalid has no address for IPv6"), "{}", message(&none));
}

#[tokio::test]
async fn all_of_localhost_is_here() {
    let server = Server::start([Reply::ok("", "x")]).await;
    let url = format!("http://api.localhost:{}/", server.address().port());
    assert_eq!(text(transport(FetchOptions::default()).exchange(get(url)).await), "x");
}

#[test]
fn options_that_cannot_work_are_refused_at_the_start() {
    let error = HttpTransport::new(resolving("127.0.0.1", 80)).expect_err("an address");
    assert!(matches!(error, FetchError::ResolveAddress { .. }), "{error}");
    let mut options = resolving("a.invalid", 80);
    options.resolve[0].addresses.clear();
    let error = HttpTransport::new(options).expect_err("no address");
    assert!(error.to_string().contains("a.invalid:80"), "{error}");
}
