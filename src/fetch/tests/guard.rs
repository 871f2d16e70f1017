//! The guard with a rule that takes 127.0.0.1 for public and the rest of loopback for private: tests may go nowhere else.

use std::net::IpAddr;

use super::super::{ConnectTo, Proxies, ResolveEntry};
use super::*;

const PUBLIC: [u8; 4] = [127, 0, 0, 1];
const PRIVATE: [u8; 4] = [127, 0, 0, 2];

fn rule(address: IpAddr) -> Option<&'static str> {
    (address != IpAddr::from(PUBLIC)).then_some("a test's")
}

/// Options with the guard, for which `a.test` has these addresses.
fn guarded(port: u16, addresses: &[[u8; 4]]) -> FetchOptions {
    let addresses: Vec<IpAddr> = addresses.iter().map(|&address| address.into()).collect();
    let entry = ResolveEntry { host: "a.test".into(), port, addresses };
    let resolve = if entry.addresses.is_empty() { Vec::new() } else { vec![entry] };
    FetchOptions { resolve, deny_addresses: Some(rule), ..FetchOptions::default() }
}

fn url(host: &str, server: &Server) -> String {
    format!("http://{host}:{}/", server.address().port())
}

/// A server on any address of loopback.
async fn server() -> Server {
    Server::start_at("0.0.0.0:0", [Reply::ok("", "x")]).await
}

#[tokio::test]
async fn only_the_public_addresses_of_a_name_are_connected_to() {
    let server = server().await;
    let port = server.address().port();
    let mut options = guarded(port, &[PRIVATE, PUBLIC, PRIVATE]);
    let exchange = transport(options.clone()).exchange(get(url("a.test", &server))).await;
    assert_eq!(exchange.remote_ip, Some(PUBLIC.into()));
    assert_eq!(text(exchange), "x");
    options.deny_addresses = None;
    let exchange = transport(options).exchange(get(url("a.test", &server))).await;
    assert_eq!(exchange.remote_ip, Some(PRIVATE.into()), "without the guard the first address is taken");
}

#[tokio::test]
async fn a_private_address_is_denied_wherever_it_comes_from() {
    let server = server().await;
    let port = server.address().port();
    let to = |host: &str| ConnectTo {
        from_host: Some("a.test".into()),
        from_port: None,
        to_host: Some(host.into()),
        to_port: None,
    };
    let led = |host| FetchOptions { connect_to: vec![to(host)], ..guarded(port, &[]) };
    for (options, host) in [
        (guarded(port, &[PUBLIC]), "127.0.0.2"),
        (guarded(port, &[PRIVATE]), "a.test"),
        (guarded(port, &[PRIVATE, [127, 0, 0, 3]]), "a.test"),
        (led("127.0.0.2"), "a.test"),
        (led("0x7f.2"), "a.test"),
        (led("::ffff:127.0.0.2"), "a.test"),
    ] {
        let exchange = transport(options).exchange(get(url(host, &server))).await;
        assert_eq!(kind(&exchange), FailureKind::UrlBlocked, "{host}: {}", message(&exchange));
        assert!(message(&exchange).contains("a test's"), "{}", message(&exchange));
    }
    assert_eq!(server.connections(), 0);
    for (options, host) in [(led("127.0.0.1"), "a.test"), (led("0x7f.1"), "a.test"), (led("127.0.0.1"), "127.0.0.1")] {
        assert_eq!(text(transport(options).exchange(get(url(host, &server))).await), "x");
    }
}

#[tokio::test]
async fn the_address_of_a_guarded_proxy_is_not_judged_but_that_of_a_host_behind_it_is() {
    let proxy = server().await;
    let port = proxy.address().port();
    let through = |proxy: String, bypass: &str| FetchOptions {
        proxies: Proxies {
            http: Some(proxy.parse::<Url>().expect("a URL").into()),
            https: None,
            bypass: bypass.into(),
        },
        proxy_is_guarded: true,
        ..guarded(port, &[PRIVATE])
    };
    for address in ["127.0.0.2", "a.test"] {
        let options = through(format!("http://{address}:{port}/"), "");
        assert_eq!(text(transport(options).exchange(get("http://b.test/")).await), "x", "{address}");
    }
    let seen = proxy.connections();
    for (url, bypass) in [
        ("http://127.0.0.2/".to_owned(), ""),
        ("http://x.localhost/".to_owned(), ""),
        // The proxy's own name, but no longer through the proxy.
        (format!("http://a.test:{port}/"), "a.test"),
    ] {
        let options = through(format!("http://a.test:{port}/"), bypass);
        let exchange = transport(options).exchange(get(&url)).await;
        assert_eq!(kind(&exchange), FailureKind::UrlBlocked, "{url}: {}", message(&exchange));
    }
    assert_eq!(proxy.connections(), seen);
}
