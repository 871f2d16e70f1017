//! Exchanges with servers on the loopback interface that answer whatever a test wants.

mod bodies;
mod codings;
mod connections;
mod dns;
mod files;
mod guard;
mod heads;
mod http2;
mod name_server;
mod proxies;
mod routes;
mod server;
mod times;
mod tls;

use std::time::Duration;

use url::Url;

use super::{FetchOptions, HttpTransport};
use crate::model::{Body, Call, Exchange, FailureKind, Request, Response, Transport};

use server::{Reply, Server};

/// A name that cannot be in DNS, so that nobody is asked for it: a label has 63 bytes at most (RFC 1035, section 2.3.4).
const NO_NAME: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid";

/// A GET of `url` in line 0, with ten seconds for it.
fn get(url: impl AsRef<str>) -> Call {
    let url: Url = url.as_ref().parse().expect("a URL");
    call(Request::new(url))
}

fn call(request: Request) -> Call {
    Call { request, index: 0, time_limit: Duration::from_secs(10), follows_redirects: true }
}

fn transport(options: FetchOptions) -> HttpTransport {
    HttpTransport::new(options).expect("good options")
}

/// An address at which nobody listens.
fn nobody() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// The exchange with a server that gives `reply` to everything.
async fn exchange(reply: Reply) -> Exchange {
    exchange_with(FetchOptions::default(), reply).await
}

async fn exchange_with(options: FetchOptions, reply: Reply) -> Exchange {
    let server = Server::start([reply]).await;
    transport(options).exchange(get(server.url("/"))).await
}

/// The response of an exchange that came whole.
#[track_caller]
fn whole(exchange: Exchange) -> Response {
    assert_eq!(exchange.failure, None);
    exchange.response.expect("a response")
}

#[track_caller]
fn text(exchange: Exchange) -> String {
    match whole(exchange).body {
        Body::Text(text) => text,
        other => panic!("not text: {other:?}"),
    }
}

/// The kind of an exchange's failure.
#[track_caller]
fn kind(exchange: &Exchange) -> FailureKind {
    exchange.failure.as_ref().expect("a failure").kind
}

#[track_caller]
fn message(exchange: &Exchange) -> &str {
    &exchange.failure.as_ref().expect("a failure").message
}
