//! Which addresses a name leads to: what the user gave, `localhost`, then what the system says; and which of them are tried.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::connect::Dial;
use super::lookup::System;
use super::name_servers::LookupError;
use super::options::NameServers;
use super::proxy::ProxyRules;
use super::route::Routes;

/// Most addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// The resolver of the HTTP client.
#[derive(Debug)]
pub(super) struct Resolver {
    routes: Arc<Routes>,
    proxies: Arc<ProxyRules>,
    name_servers: Arc<Option<NameServers>>,
    /// Read when the first name is looked up: a run of addresses does without.
    system: Arc<OnceLock<System>>,
}

impl Resolver {
    /// A resolver that has not read anything yet. It asks `name_servers`, if some are given, or else the system's.
    pub(super) fn new(routes: Arc<Routes>, proxies: Arc<ProxyRules>, name_servers: Option<NameServers>) -> Self {
        Self { routes, proxies, name_servers: Arc::new(name_servers), system: Arc::default() }
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
        let is_proxied = dial.as_ref().is_some_and(|dial| dial.is_proxied());
        let is_proxy = is_proxied && self.proxies.port(name.as_str()).is_some();
        let guard = (!is_proxy).then(|| self.routes.guard());
        let host = host.to_owned();
        let (system, name_servers) = (Arc::clone(&self.system), Arc::clone(&self.name_servers));
        Box::pin(async move {
            let mut found = if let Some(addresses) = known {
                addresses
            } else {
                let system = system.get_or_init(|| System::read(Option::as_ref(&name_servers), version));
                system.addresses(&host).await?
            };
            if let Some(guard) = guard {
                found = guard.allowed(&host, found)?;
            }
            if let Some(version) = version {
                found.retain(|&address| version.matches((address, 0).into()));
            }
            if found.is_empty() {
                return Err(LookupError::no_records(&host, version).into());
            }
            // A port of zero is replaced by that of the URL.
            let port = fixed_port.unwrap_or(0);
            let tried = by_turns(found).into_iter().take(MOST_ADDRESSES);
            let tried: Vec<SocketAddr> = tried.map(|address| SocketAddr::new(address, port)).collect();
            if let Some(dial) = dial {
                dial.looked_up(&tried);
            }
            Ok(Box::new(tried.into_iter()) as Addrs)
        })
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

/// The same addresses with both families by turns, beginning with that of the first (RFC 8305, section 4): so the first few
/// are of both, however many there are of one.
fn by_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_v6_first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let count = addresses.len();
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == is_v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let turns = std::iter::repeat_with(|| [first.next(), second.next()]).take(count);
    turns.flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
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
    fn both_families_take_turns() {
        let v4 = |last| IpAddr::from([127, 0, 0, last]);
        let v6 = |last| IpAddr::from([0, 0, 0, 0, 0, 0, 0, last]);
        assert_eq!(by_turns(vec![v6(1), v6(2), v6(3), v4(1)]), [v6(1), v4(1), v6(2), v6(3)]);
        assert_eq!(by_turns(vec![v4(1), v6(1), v4(2)]), [v4(1), v6(1), v4(2)]);
        assert_eq!(by_turns(vec![v4(2), v4(1)]), [v4(2), v4(1)]);
        assert!(by_turns(Vec::new()).is_empty());
    }
}
