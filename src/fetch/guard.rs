//! The guard: no connection is opened to an address that the user's rule denies, `--deny-private`.
//!
//! The HTTP client connects to addresses of two sources only: the host of the URL that it is given, where that is an address,
//! and the resolver, which is ours. Both are checked, on each exchange, so that each hop of a redirect is; and what is
//! checked is what is connected to, so that no second look-up can bring another address (DNS rebinding).

use std::net::IpAddr;

use url::{Host, Url};

use super::dns;
use super::error::FetchError;
use super::name_servers::LookupError;
use super::options::{AddressRule, FetchOptions};
use super::proxy::ProxyRules;
use crate::model::{Failure, FailureKind};

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    deny: Option<AddressRule>,
}

impl Guard {
    /// The guard that the options ask for.
    pub(super) fn new(options: &FetchOptions) -> Result<Self, FetchError> {
        if options.deny_addresses.is_some() && options.proxies.are_used() && !options.proxy_is_guarded {
            return Err(FetchError::DenyThroughProxy);
        }
        Ok(Self { deny: options.deny_addresses })
    }

    /// Checks the host of a URL, where that is an address: those never come to the resolver. Nor do names that a proxy looks
    /// up, but what `localhost` means is known.
    pub(super) fn check_url(self, url: &Url, proxies: &ProxyRules) -> Result<(), Failure> {
        let Some(deny) = self.deny else {
            return Ok(());
        };
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) if proxies.intercept(url) => dns::obvious(name).unwrap_or_default(),
            _ => return Ok(()),
        };
        match addresses.into_iter().find_map(|address| Some((address, deny(address)?))) {
            Some((address, why)) => Err(Failure::new(FailureKind::UrlBlocked, message(address, why))),
            None => Ok(()),
        }
    }

    /// Those addresses of `host` that may be connected to, of which there is at least one if there was any.
    pub(super) fn allowed(self, host: &str, mut addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, LookupError> {
        let Some(deny) = self.deny else {
            return Ok(addresses);
        };
        let mut denied = None;
        addresses.retain(|&address| {
            let why = deny(address);
            denied = denied.or(why.map(|why| (address, why)));
            why.is_none()
        });
        match denied {
            Some((address, why)) if addresses.is_empty() => Err(LookupError {
                kind: FailureKind::UrlBlocked,
                host: host.to_owned(),
                message: format!("{host} leads nowhere else: {}", message(address, why)),
            }),
            _ => Ok(addresses),
        }
    }
}

fn message(address: IpAddr, why: &str) -> String {
    format!("{address} is not a public address ({why}), and --deny-private allows no other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::special_purpose;

    fn guard() -> Guard {
        Guard { deny: Some(special_purpose) }
    }

    #[test]
    fn an_address_in_a_url_is_denied_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "2130706433",
            "0x7f.1",
            "0X7F000001",
            "0177.1",
            "127.1",
            "127.0.1",
            "%31%32%37.0.0.1",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "\u{2460}\u{2461}\u{2466}.0.0.1",
            "127\u{3002}0\u{ff0e}0\u{ff61}1",
            "0",
            "0xa.1",
            "3232235777",
            "169.254.169.254",
            "0251.0376.0251.0376",
            "[::1]",
            "[::]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::169.254.169.254]",
            "[64:FF9B::7F00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
        ] {
            let url = format!("http://user@{host}:81/").parse().expect("a URL");
            let failure = guard().check_url(&url, &ProxyRules::default()).expect_err(host);
            assert_eq!(failure.kind, FailureKind::UrlBlocked, "{host}");
        }
        for host in ["8.8.8.8", "0x08080808", "[2606:4700::1]", "a.test", "127.0.0.1.test"] {
            let url = format!("http://{host}/").parse().expect("a URL");
            assert_eq!(guard().check_url(&url, &ProxyRules::default()), Ok(()), "{host}");
        }
    }

    #[test]
    fn of_a_names_addresses_the_public_ones_are_left() {
        let addresses =
            |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|text| text.parse().expect("an address")).collect() };
        let allowed = guard().allowed("a.test", addresses(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"]));
        assert_eq!(allowed.expect("two are public"), addresses(&["8.8.8.8", "2606:4700::1"]));
        let error = guard().allowed("a.test", addresses(&["10.0.0.1", "fe80::1"])).expect_err("none is public");
        assert_eq!(error.kind, FailureKind::UrlBlocked);
        assert!(error.to_string().contains("10.0.0.1") && error.to_string().contains("--deny-private"), "{error}");
        assert_eq!(guard().allowed("a.test", Vec::new()).expect("none to deny"), addresses(&[]));
    }
}
