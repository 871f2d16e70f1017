//! Looking names up: what the user gave, `localhost`, the hosts file, then DNS with a cache and one query a name at a time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name as DnsName, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::connect::Dial;
use super::options::IpVersion;
use super::proxy::ProxyRules;
use super::route::Routes;
use crate::model::FailureKind;

/// Most answers that the cache keeps.
const CACHE_SIZE: u64 = 16_384;

/// Most queries at once on one connection to a name server; more are an error to the library, so this is above any concurrency.
const MOST_QUERIES: usize = 65_536;

/// Most addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// A name has no address that can be used, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct LookupError {
    /// One of the `dns_*` kinds, or a lack of this machine.
    pub(super) kind: FailureKind,
    /// The name, which is a proxy's or that of the URL.
    pub(super) host: String,
    pub(super) message: String,
}

/// The resolver of the HTTP client.
#[derive(Debug)]
pub(super) struct Resolver {
    routes: Arc<Routes>,
    proxies: Arc<ProxyRules>,
    system: Arc<OnceLock<System>>,
}

/// What the system says of names. Read when the first name is looked up: a run of addresses does without.
#[derive(Debug)]
struct System {
    hosts: Hosts,
    dns: Result<TokioResolver, String>,
}

impl Resolver {
    /// A resolver that has not read anything yet.
    pub(super) fn new(routes: Arc<Routes>, proxies: Arc<ProxyRules>) -> Self {
        Self { routes, proxies, system: Arc::default() }
    }

    /// The host and port to look up for a name that the client asks for.
    fn question<'a>(&self, name: &'a str, dial: Option<&'a Dial>) -> (&'a str, u16, Option<u16>) {
        match dial.and_then(Dial::target) {
            Some(target) if *target.name == *name => (&target.host, target.port, Some(target.port)),
            _ => (name, self.proxies.port(name).unwrap_or(0), None),
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let dial = Dial::current();
        if let Some(dial) = &dial {
            dial.looks_up();
        }
        let (host, port, fixed_port) = self.question(name.as_str(), dial.as_deref());
        let version = self.routes.ip_version();
        let known = self.routes.given(host, port).map(<[IpAddr]>::to_vec).or_else(|| obvious(host));
        let is_proxy =
            self.proxies.port(name.as_str()).is_some() && dial.as_ref().is_some_and(|dial| dial.is_proxied());
        let guard = (!is_proxy).then(|| self.routes.guard());
        let host = host.to_owned();
        let system = Arc::clone(&self.system);
        Box::pin(async move {
            let found = match known {
                Some(addresses) => addresses,
                None => System::lookup(&system, &host, version).await?,
            };
            // A port of zero is replaced by that of the URL.
            let port = fixed_port.unwrap_or(0);
            let found = match guard {
                Some(guard) => guard.allowed(&host, found)?,
                None => found,
            };
            let usable: Vec<SocketAddr> = found
                .into_iter()
                .map(|address| SocketAddr::new(address, port))
                .filter(|&address| version.is_none_or(|version| version.matches(address)))
                .take(MOST_ADDRESSES)
                .collect();
            if usable.is_empty() {
                return Err(no_records(&host, version).into());
            }
            if let Some(dial) = dial {
                dial.looked_up(&usable);
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

impl System {
    fn read() -> Self {
        let hosts = Hosts::from_system().unwrap_or_default();
        let dns = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.cache_size = CACHE_SIZE;
            options.max_active_requests = MOST_QUERIES;
            options.try_tcp_on_error = true;
            builder.build()
        });
        Self { hosts, dns: dns.map_err(|error| error.to_string()) }
    }

    async fn lookup(
        system: &OnceLock<Self>,
        host: &str,
        version: Option<IpVersion>,
    ) -> Result<Vec<IpAddr>, LookupError> {
        let system = system.get_or_init(Self::read);
        let name = DnsName::from_str_relaxed(host).map_err(|error| LookupError {
            kind: FailureKind::DnsNotFound,
            host: host.to_owned(),
            message: format!("{host} cannot be a name: {error}"),
        })?;
        let hosts = system.in_hosts(&name);
        if !hosts.is_empty() {
            return Ok(hosts);
        }
        let dns = system.dns.as_ref().map_err(|problem| LookupError {
            kind: FailureKind::DnsServfail,
            host: host.to_owned(),
            message: format!("cannot look {host} up: no name server: {problem}"),
        })?;
        let v6 = async {
            if version == Some(IpVersion::V4) { None } else { Some(dns.lookup(name.clone(), RecordType::AAAA).await) }
        };
        let v4 = async {
            if version == Some(IpVersion::V6) { None } else { Some(dns.lookup(name.clone(), RecordType::A).await) }
        };
        let (v6, v4) = tokio::join!(v6, v4);
        let mut addresses = Vec::new();
        let mut worst: Option<LookupError> = None;
        // IPv6 first: the connector then tries IPv4 a moment later (RFC 8305), and where both fail it reports IPv4's error,
        // which says more on the many machines that have no IPv6.
        for answer in [v6, v4].into_iter().flatten() {
            match answer {
                Ok(answer) => addresses.extend(answer.answers().iter().filter_map(|record| record.data.ip_addr())),
                Err(error) => {
                    let error = lookup_error(host, &error);
                    // A name server that failed may have hidden an address, so it weighs more than "there is none".
                    if worst.as_ref().is_none_or(|worst| error.kind.is_transient() && !worst.kind.is_transient()) {
                        worst = Some(error);
                    }
                }
            }
        }
        match worst {
            Some(error) if addresses.is_empty() => Err(error),
            _ => Ok(addresses),
        }
    }

    /// The addresses of the hosts file. Where it has any, they are all: to ask DNS for the other family would make names that
    /// were written down depend on a name server.
    fn in_hosts(&self, name: &DnsName) -> Vec<IpAddr> {
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)))
            .flat_map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }
}

/// The addresses of a host that needs no looking up: an address, and `localhost` with all names in it (RFC 6761, section 6.3).
pub(super) fn obvious(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(vec![address]);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_local = name.eq_ignore_ascii_case("localhost")
        || name.len() > ".localhost".len()
            && name.is_char_boundary(name.len() - ".localhost".len())
            && name[name.len() - ".localhost".len()..].eq_ignore_ascii_case(".localhost");
    is_local.then(|| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

fn no_records(host: &str, version: Option<IpVersion>) -> LookupError {
    let family = match version {
        None => "",
        Some(IpVersion::V4) => " for IPv4",
        Some(IpVersion::V6) => " for IPv6",
    };
    LookupError {
        kind: FailureKind::DnsNoRecords,
        host: host.to_owned(),
        message: format!("{host} has no address{family}"),
    }
}

fn lookup_error(host: &str, error: &NetError) -> LookupError {
    let (kind, message) = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => (FailureKind::DnsNotFound, format!("{host} does not exist (NXDOMAIN)")),
            ResponseCode::NoError => return no_records(host, None),
            code => (FailureKind::DnsServfail, format!("the name server answered {code} for {host}")),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => {
            (FailureKind::DnsServfail, format!("the name server answered {code} for {host}"))
        }
        NetError::Timeout => (FailureKind::DnsTimeout, format!("the name server did not answer for {host}")),
        NetError::Io(error) if super::classify::is_out_of_descriptors(error) => {
            (FailureKind::LocalFdExhausted, format!("cannot look {host} up: {error}"))
        }
        other => (FailureKind::DnsServfail, format!("cannot look {host} up: {other}")),
    };
    LookupError { kind, host: host.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::net::NoRecords;

    use super::*;

    #[test]
    fn local_names_are_not_asked_for() {
        let loopback: Vec<IpAddr> = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        for local in ["localhost", "LOCALHOST", "localhost.", "api.localhost", "x.y.LocalHost."] {
            assert_eq!(obvious(local), Some(loopback.clone()), "{local}");
        }
        for other in ["example.com", "notlocalhost", "localhost.example", "ünlocalhost"] {
            assert_eq!(obvious(other), None, "{other}");
        }
        assert_eq!(obvious("::1"), Some(vec![Ipv6Addr::LOCALHOST.into()]));
    }

    #[test]
    fn answers_of_the_name_server_have_their_kinds() {
        let none = |code| {
            let name = DnsName::from_ascii("a.example.").expect("a name");
            NetError::from(NoRecords::new(Query::query(name, RecordType::A), code))
        };
        let io = |code| NetError::from(std::io::Error::from_raw_os_error(code));
        for (error, kind) in [
            (none(ResponseCode::NXDomain), FailureKind::DnsNotFound),
            (none(ResponseCode::NoError), FailureKind::DnsNoRecords),
            (NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)), FailureKind::DnsServfail),
            (NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)), FailureKind::DnsServfail),
            (NetError::Timeout, FailureKind::DnsTimeout),
            (NetError::NoConnections, FailureKind::DnsServfail),
            (io(24), FailureKind::LocalFdExhausted),
            (io(111), FailureKind::DnsServfail),
        ] {
            assert_eq!(lookup_error("a.example", &error).kind, kind, "{error}");
        }
    }
}
