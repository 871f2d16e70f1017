//! Where a request really goes: `--resolve`, `--connect-to`, `-4` and `-6`.
//!
//! The HTTP client looks names up without their port, and never looks an address up. So what the user says of a host and port
//! reaches the resolver through the exchange's probe, and where that cannot work the URL that the client sees is another.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use url::{Host, Url};

use super::error::FetchError;
use super::guard::Guard;
use super::options::{ConnectTo, FetchOptions, HttpVersions, IpVersion, ResolveEntry};
use super::proxy::ProxyRules;
use crate::model::{Failure, FailureKind};

/// What the user said of where requests go.
#[derive(Debug)]
pub(super) struct Routes {
    resolve: Vec<ResolveEntry>,
    connect_to: Vec<ConnectTo>,
    ip_version: Option<IpVersion>,
    guard: Guard,
    /// Whether `http` URLs are asked in HTTP/2, which has no Host header of its own.
    prior_knowledge: bool,
}

/// Where one request goes.
#[derive(Debug)]
pub(super) enum Route {
    /// To the host of its URL.
    Direct,
    /// To the host of its URL, which the resolver shall take for another.
    Resolved(Arc<Target>),
    /// To another URL, with the authority of the first in its Host header.
    Rewritten {
        /// What the HTTP client asks for.
        url: Url,
        /// The Host header that the URL of the request gives.
        host: HeaderValue,
        /// What the resolver is told, if anything.
        target: Option<Arc<Target>>,
    },
}

/// What the resolver is told of one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The name that the HTTP client will ask for.
    pub(super) name: Box<str>,
    /// The host to look up in its place, without brackets.
    pub(super) host: Box<str>,
    /// The port to connect to, which selects the `--resolve` entries too.
    pub(super) port: u16,
}

impl Routes {
    /// The routes that the options ask for.
    pub(super) fn new(options: &FetchOptions) -> Result<Self, FetchError> {
        let mut resolve = options.resolve.clone();
        for entry in &mut resolve {
            if bare(&entry.host).parse::<IpAddr>().is_ok() {
                return Err(FetchError::ResolveAddress { host: entry.host.clone() });
            }
            if entry.addresses.is_empty() {
                return Err(FetchError::ResolveNothing { host: entry.host.clone(), port: entry.port });
            }
            entry.host.make_ascii_lowercase();
        }
        let mut connect_to = options.connect_to.clone();
        for rule in &mut connect_to {
            for host in [&mut rule.from_host, &mut rule.to_host].into_iter().flatten() {
                *host = bare(host).to_ascii_lowercase();
            }
        }
        if !connect_to.is_empty() && options.proxies.are_used() {
            return Err(FetchError::ConnectToThroughProxy);
        }
        let prior_knowledge = options.http_version == HttpVersions::Http2PriorKnowledge;
        Ok(Self { resolve, connect_to, ip_version: options.ip_version, guard: Guard::new(options)?, prior_knowledge })
    }

    /// Where a request for `url` goes, or why it cannot or must not go there.
    pub(super) fn route(&self, url: &Url, proxies: &ProxyRules) -> Result<Route, Failure> {
        let route = self.lead(url, proxies)?;
        let sent = if let Route::Rewritten { url, .. } = &route { url } else { url };
        self.guard.check_url(sent, proxies)?;
        Ok(route)
    }

    fn lead(&self, url: &Url, proxies: &ProxyRules) -> Result<Route, Failure> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(Failure::new(FailureKind::UrlMissingHost, "the URL has no host"));
        };
        let rule = self.connect_to.iter().find(|rule| {
            rule.from_host.as_deref().is_none_or(|from| from == bare(host))
                && rule.from_port.is_none_or(|from| from == port)
        });
        let to_host = rule.and_then(|rule| rule.to_host.as_deref()).unwrap_or(bare(host));
        let to_port = rule.and_then(|rule| rule.to_port).unwrap_or(port);
        self.check_address(to_host, url, proxies)?;
        if to_host == bare(host) && to_port == port {
            let target = self.target(host, to_host, to_port);
            return Ok(target.map_or(Route::Direct, Route::Resolved));
        }
        if url.scheme() == "http" && !self.prior_knowledge {
            return self.rewrite(url, to_host, to_port);
        }
        // The name in the URL must stay: it stands in the TLS handshake and in HTTP/2's `:authority`. A port in the URL
        // outweighs the resolver's.
        if matches!(url.host(), Some(Host::Domain(_))) && (url.port().is_none() || to_port == port) {
            return Ok(Route::Resolved(Arc::new(Target { name: host.into(), host: to_host.into(), port: to_port })));
        }
        let message = format!(
            "--connect-to cannot lead {}://{host}:{port} to {to_host}:{to_port}: \
             for such a URL the host must be a name and the port the scheme's own",
            url.scheme()
        );
        Err(Failure::new(FailureKind::UrlBlocked, message))
    }

    /// The addresses that the user gave for `host` and `port`.
    pub(super) fn given(&self, host: &str, port: u16) -> Option<&[IpAddr]> {
        let matches = |entry: &&ResolveEntry| entry.port == port && (entry.host == host || entry.host == "*");
        let exact = self.resolve.iter().find(|entry| entry.port == port && entry.host == host);
        exact.or_else(|| self.resolve.iter().find(matches)).map(|entry| entry.addresses.as_slice())
    }

    /// Which addresses may be connected to.
    pub(super) fn guard(&self) -> Guard {
        self.guard
    }

    /// Which version of addresses may be used.
    pub(super) fn ip_version(&self) -> Option<IpVersion> {
        self.ip_version
    }

    /// A URL that the HTTP client connects to as it stands. In HTTP/1.1 the Host header alone says what is asked for
    /// (RFC 9112, section 3.2).
    fn rewrite(&self, url: &Url, to_host: &str, to_port: u16) -> Result<Route, Failure> {
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let mut rewritten = url.clone();
        let new_host = if to_host.contains(':') { format!("[{to_host}]") } else { to_host.to_owned() };
        let changed = rewritten.set_host(Some(&new_host)).is_ok() && rewritten.set_port(Some(to_port)).is_ok();
        let host = HeaderValue::from_str(&host).ok().filter(|_| changed);
        let host = host.ok_or_else(|| {
            Failure::new(FailureKind::UrlBlocked, format!("--connect-to names no host: {to_host}:{to_port}"))
        })?;
        let target = self.target(rewritten.host_str().unwrap_or_default(), to_host, to_port);
        Ok(Route::Rewritten { url: rewritten, host, target })
    }

    /// What the resolver must be told of `name`: nothing, unless there are entries that hang on the port.
    fn target(&self, name: &str, host: &str, port: u16) -> Option<Arc<Target>> {
        let told = !self.resolve.is_empty();
        told.then(|| Arc::new(Target { name: name.into(), host: host.into(), port }))
    }

    /// An address in the URL is never looked up, so its version is checked here.
    fn check_address(&self, host: &str, url: &Url, proxies: &ProxyRules) -> Result<(), Failure> {
        let Some(version) = self.ip_version else {
            return Ok(());
        };
        let Ok(address) = host.parse::<IpAddr>() else {
            return Ok(());
        };
        if version.matches((address, 0).into()) || proxies.intercept(url) {
            return Ok(());
        }
        let asked = if version == IpVersion::V4 { "IPv4 (-4)" } else { "IPv6 (-6)" };
        Err(Failure::new(FailureKind::DnsNoRecords, format!("{address} is not an address of {asked}")))
    }
}

/// A host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: (&str, u16), to: (&str, u16)) -> ConnectTo {
        let host = |host: &str| (!host.is_empty()).then(|| host.to_owned());
        let port = |port| (port != 0).then_some(port);
        ConnectTo { from_host: host(from.0), from_port: port(from.1), to_host: host(to.0), to_port: port(to.1) }
    }

    fn routes(options: &FetchOptions) -> Routes {
        Routes::new(options).expect("good options")
    }

    fn connecting(rule: ConnectTo) -> Routes {
        routes(&FetchOptions { connect_to: vec![rule], ..FetchOptions::default() })
    }

    fn route(routes: &Routes, url: &str) -> Result<Route, Failure> {
        routes.route(&url.parse().expect("a URL"), &ProxyRules::default())
    }

    #[test]
    fn a_plain_url_goes_to_the_other_place_with_its_own_name() {
        let routes = connecting(rule(("a.example", 8080), ("::1", 9090)));
        let Ok(Route::Rewritten { url, host, .. }) = route(&routes, "http://A.example:8080/x?y") else {
            panic!("not rewritten");
        };
        assert_eq!((url.as_str(), host.as_bytes()), ("http://[::1]:9090/x?y", &b"a.example:8080"[..]));
        assert!(matches!(route(&routes, "http://a.example/x"), Ok(Route::Direct)));
        assert!(matches!(route(&routes, "http://b.example:8080/x"), Ok(Route::Direct)));
    }

    #[test]
    fn a_tls_url_keeps_its_name_or_is_refused() {
        let routes = connecting(rule(("", 0), ("127.0.0.1", 9443)));
        let Ok(Route::Resolved(target)) = route(&routes, "https://a.example/") else {
            panic!("not resolved");
        };
        assert_eq!(*target, Target { name: "a.example".into(), host: "127.0.0.1".into(), port: 9443 });
        for impossible in ["https://a.example:8443/", "https://127.0.0.2/"] {
            let failure = route(&routes, impossible).expect_err("impossible");
            assert_eq!(failure.kind, FailureKind::UrlBlocked, "{impossible}");
        }
    }

    #[test]
    fn given_addresses_hang_on_the_port_and_the_name_beats_the_star() {
        let entry = |host: &str, port, address: [u8; 4]| ResolveEntry {
            host: host.into(),
            port,
            addresses: vec![address.into()],
        };
        let resolve = vec![entry("*", 80, [1, 1, 1, 1]), entry("a.example", 80, [2, 2, 2, 2])];
        let routes = routes(&FetchOptions { resolve, ..FetchOptions::default() });
        assert_eq!(routes.given("a.example", 80), Some(&[IpAddr::from([2, 2, 2, 2])][..]));
        assert_eq!(routes.given("b.example", 80), Some(&[IpAddr::from([1, 1, 1, 1])][..]));
        assert_eq!(routes.given("a.example", 81), None);
    }

    #[test]
    fn an_address_of_the_other_version_is_refused_before_it_is_asked() {
        let routes = routes(&FetchOptions { ip_version: Some(IpVersion::V6), ..FetchOptions::default() });
        let failure = route(&routes, "http://127.0.0.1/").expect_err("not an IPv6 address");
        assert_eq!(failure.kind, FailureKind::DnsNoRecords);
        assert!(route(&routes, "http://[::1]/").is_ok());
    }
}
