//! Names that a scripted name server knows, does not know, or will not talk about.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use hickory_resolver::proto::rr::RecordType;
use reqwest::dns::Resolve;
use tokio::net::TcpSocket;

use super::super::dns::Resolver;
use super::super::proxy::ProxyRules;
use super::super::route::Routes;
use super::name_server::{NameServer, Say};
use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn asking(names: &NameServer) -> FetchOptions {
    FetchOptions { name_servers: Some(names.options(&[], 1)), ..FetchOptions::default() }
}

fn searching(names: &NameServer, search: &[&str], ndots: usize) -> FetchOptions {
    FetchOptions { name_servers: Some(names.options(search, ndots)), ..FetchOptions::default() }
}

fn url(host: &str, server: &Server) -> String {
    format!("http://{host}:{}/", server.address().port())
}

async fn server() -> Server {
    Server::start([Reply::ok("Connection: close\r\n", "x").then_close()]).await
}

#[tokio::test]
async fn a_name_is_looked_up_once_however_many_want_it_and_then_known() {
    let names = NameServer::start(|_, _, _| Say::Addresses(vec![HERE])).await;
    let server = server().await;
    let transport = transport(asking(&names));
    for exchange in join_all((0..100).map(|_| transport.exchange(get(url("a.test", &server))))).await {
        assert_eq!(exchange.remote_ip, Some(HERE));
        assert_eq!(text(exchange), "x");
    }
    assert_eq!(text(transport.exchange(get(url("a.test", &server))).await), "x");
    assert_eq!(names.counts(), [("a.test.".to_owned(), 2)], "A and AAAA");
}

#[tokio::test]
async fn that_a_name_does_not_exist_is_remembered() {
    let names = NameServer::start(|name, _, _| match name {
        "none.test." => Say::Addresses(Vec::new()),
        _ => Say::NotFound,
    })
    .await;
    let transport = transport(searching(&names, &["one.test", "two.test"], 5));
    for (host, expected) in [
        ("a.b.", FailureKind::DnsNotFound),
        ("a.b", FailureKind::DnsNotFound),
        ("none.test", FailureKind::DnsNoRecords),
    ] {
        for exchange in join_all((0..100).map(|_| transport.exchange(get(format!("http://{host}/"))))).await {
            assert_eq!(kind(&exchange), expected, "{host}: {}", message(&exchange));
        }
        assert_eq!(kind(&transport.exchange(get(format!("http://{host}/"))).await), expected);
    }
    let searched = ["a.b.one.test.", "a.b.two.test.", "none.test.", "none.test.one.test.", "none.test.two.test."];
    let expected: Vec<_> = [("a.b.", 4)].into_iter().chain(searched.map(|name| (name, 2))).collect();
    assert_eq!(names.counts(), expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect::<Vec<_>>());
}

#[tokio::test]
async fn that_a_name_server_failed_is_not_remembered() {
    let recovered = Arc::new(AtomicBool::new(false));
    let has_recovered = Arc::clone(&recovered);
    let names = NameServer::start(move |name, _, _| match name {
        "servfail.test." if !has_recovered.load(Ordering::Relaxed) => Say::Failure,
        "silence.test." if !has_recovered.load(Ordering::Relaxed) => Say::Silence,
        _ => Say::Addresses(vec![HERE]),
    })
    .await;
    let server = server().await;
    let options = FetchOptions { connect_timeout: Duration::from_secs(1), ..asking(&names) };
    let transport = transport(options);
    for (host, expected) in [("servfail.test", FailureKind::DnsServfail), ("silence.test", FailureKind::DnsTimeout)] {
        let (failed, other) =
            tokio::join!(transport.exchange(get(url(host, &server))), transport.exchange(get(url("b.test", &server))));
        assert_eq!(kind(&failed), expected, "{}", message(&failed));
        assert_eq!(text(other), "x", "a name server that hangs for one name holds no other up");
        recovered.store(true, Ordering::Relaxed);
        assert_eq!(text(transport.exchange(get(url(host, &server))).await), "x", "{host}");
        recovered.store(false, Ordering::Relaxed);
    }
    let asked = names.asked().iter().filter(|(name, _)| name == "servfail.test.").count();
    assert_eq!(asked, 6, "of each family two attempts, as resolv.conf(5) has it, and then one");
}

#[tokio::test]
async fn one_name_server_of_two_is_enough() {
    let good = NameServer::start(|_, _, _| Say::Addresses(vec![HERE])).await;
    let server = server().await;
    for say in [Say::Failure, Say::Silence] {
        let bad = NameServer::start(move |_, _, _| say.clone()).await;
        let mut name_servers = bad.options(&[], 1);
        name_servers.servers.extend(good.options(&[], 1).servers);
        let transport = transport(FetchOptions { name_servers: Some(name_servers), ..FetchOptions::default() });
        for number in 0..10 {
            assert_eq!(text(transport.exchange(get(url(&format!("n{number}.test"), &server))).await), "x");
        }
        assert!(!bad.asked().is_empty());
    }
}

#[tokio::test]
async fn a_name_server_without_an_answer_for_ipv6_does_not_cost_the_host() {
    let names = NameServer::start(|_, family, _| match family {
        RecordType::A => Say::Addresses(vec![HERE]),
        _ => Say::Silence,
    })
    .await;
    let server = server().await;
    assert_eq!(text(transport(asking(&names)).exchange(get(url("a.test", &server))).await), "x");
}

#[tokio::test]
async fn both_families_are_of_the_first_name_in_the_search_list_that_has_any() {
    let names = NameServer::start(|name, _, _| match name {
        "a.one.test." => Say::Addresses(Vec::new()),
        "a.two.test." => Say::Addresses(vec![HERE]),
        "a.three.test." => Say::Addresses(vec!["::1".parse().expect("an address")]),
        _ => Say::NotFound,
    })
    .await;
    let server = server().await;
    let transport = transport(searching(&names, &["one.test", "two.test", "three.test"], 5));
    assert_eq!(text(transport.exchange(get(url("a", &server))).await), "x");
    assert_eq!(names.counts(), ["a.one.test.", "a.two.test."].map(|name| (name.to_owned(), 2)));
}

#[tokio::test]
async fn a_domain_whose_servers_fail_may_have_hidden_the_name() {
    let names = NameServer::start(|name, _, _| match name {
        "a.one.test." | "b.one.test." => Say::Failure,
        "b.two.test." => Say::Addresses(vec![HERE]),
        _ => Say::NotFound,
    })
    .await;
    let server = server().await;
    let transport = transport(searching(&names, &["one.test", "two.test"], 5));
    let exchange = transport.exchange(get(url("a", &server))).await;
    assert_eq!(kind(&exchange), FailureKind::DnsServfail, "{}", message(&exchange));
    assert_eq!(text(transport.exchange(get(url("b", &server))).await), "x");
}

#[tokio::test]
async fn of_500_addresses_eight_are_tried_of_both_families() {
    let names = NameServer::start(|_, family, _| match family {
        RecordType::A => Say::Addresses(vec![HERE]),
        _ => Say::Addresses((1..=500).map(|last| IpAddr::from([0, 0, 0, 0, 0, 0, 0, last])).collect()),
    })
    .await;
    let options = asking(&names);
    let routes = Routes::new(&options).expect("good options").into();
    let resolver = Resolver::new(routes, ProxyRules::default().into(), options.name_servers);
    let tried: Vec<_> = resolver.resolve("a.test".parse().expect("a name")).await.expect("addresses").collect();
    assert_eq!(tried.len(), 8);
    assert_eq!(tried[1].ip(), HERE);
    let aaaa = names.asked().iter().filter(|(_, family)| *family == RecordType::AAAA).count();
    assert_eq!(aaaa, 2, "the answer is too long for UDP");
}

#[tokio::test]
async fn a_name_that_turns_private_is_never_connected_to() {
    const PRIVATE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
    let names = NameServer::start(|_, _, nth| Say::Addresses(vec![if nth == 1 { HERE } else { PRIVATE }])).await;
    let server = Server::start_at("0.0.0.0:0", [Reply::ok("", "x")]).await;
    let rule = |address| (address == PRIVATE).then_some("a test's");
    let guarded = || transport(FetchOptions { deny_addresses: Some(rule), ..asking(&names) });
    let exchange = guarded().exchange(get(url("a.test", &server))).await;
    assert_eq!((exchange.remote_ip, names.asked().len()), (Some(HERE), 2), "what is connected to is what was checked");
    assert_eq!(kind(&guarded().exchange(get(url("a.test", &server))).await), FailureKind::UrlBlocked);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_dead_ipv6_address_does_not_cost_the_host() {
    let names = NameServer::start(|_, _, _| Say::Addresses(vec!["::1".parse().expect("an address"), HERE])).await;
    let server = server().await;
    // Nobody listens there.
    let transport = transport(asking(&names));
    let exchange = transport.exchange(get(url("a.test", &server))).await;
    assert_eq!((exchange.remote_ip, text(exchange)), (Some(HERE), "x".to_owned()));
    // Nobody answers there: the queue of a listener that does not accept is full.
    let socket = TcpSocket::new_v6().expect("a socket");
    let address = std::net::SocketAddr::new("::1".parse().expect("an address"), server.address().port());
    if socket.bind(address).is_err() {
        return; // This machine has no IPv6, which is dead enough.
    }
    let listener = socket.listen(1).expect("a listener");
    let connect = || TcpSocket::new_v6().expect("a socket").connect(address);
    let mut clients = Vec::new();
    while let Ok(client) = tokio::time::timeout(Duration::from_millis(50), connect()).await {
        clients.push(client.expect("it is taken into the queue"));
    }
    let exchange = transport.exchange(get(url("a.test", &server))).await;
    assert_eq!((exchange.remote_ip, text(exchange)), (Some(HERE), "x".to_owned()));
    drop((listener, clients));
}
