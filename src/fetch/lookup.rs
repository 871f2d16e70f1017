//! What the system says of a name: the hosts file, then DNS, with what was found remembered and one look-up a name at a time.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::Hosts;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use moka::future::Cache;

use super::name_servers::{Dns, Known, LookupError};
use super::options::{IpVersion, NameServers};
use crate::model::FailureKind;

/// Most names that are remembered.
const MOST_NAMES: u64 = 16_384;

/// What the system says of names.
#[derive(Debug)]
pub(super) struct System {
    hosts: Hosts,
    dns: Result<Dns, String>,
    version: Option<IpVersion>,
    known: Cache<Box<str>, Known>,
}

struct Expiry;

impl moka::Expiry<Box<str>, Known> for Expiry {
    fn expire_after_create(&self, _: &Box<str>, known: &Known, _: Instant) -> Option<Duration> {
        Some(known.good_for)
    }
}

impl System {
    /// Reads the hosts file, and the name servers unless they are `given`.
    pub(super) fn read(given: Option<&NameServers>, version: Option<IpVersion>) -> Self {
        let dns = Dns::new(given);
        if let Err(problem) = &dns {
            tracing::warn!("names can be found in the hosts file only, because no name server is known: {problem}");
        }
        let known = Cache::builder().max_capacity(MOST_NAMES).expire_after(Expiry).build();
        Self { hosts: Hosts::from_system().unwrap_or_default(), dns, version, known }
    }

    /// The addresses of `host`, IPv6 first: the connector then tries IPv4 a moment later (RFC 8305), and where both fail it
    /// reports IPv4's error, which says more on the many machines that have no IPv6.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let name = Name::from_str_relaxed(host).map_err(|error| {
            LookupError::new(FailureKind::DnsNotFound, host, format!("{host} cannot be a name: {error}"))
        })?;
        let in_hosts = self.in_hosts(&name);
        if !in_hosts.is_empty() {
            return Ok(in_hosts);
        }
        let dns = self.dns.as_ref().map_err(|problem| {
            let message = format!("cannot look {host} up, because no name server is known: {problem}");
            LookupError::new(FailureKind::DnsServfail, host, message)
        })?;
        let known = self.known.try_get_with(host.into(), dns.find(host, name, self.version)).await;
        let addresses = known.map_err(|error| LookupError::clone(&error))?.addresses?;
        Ok(addresses.to_vec())
    }

    /// The addresses of the hosts file. Where it has any, they are all: to ask DNS for the other family would make names that
    /// were written down depend on a name server.
    fn in_hosts(&self, name: &Name) -> Vec<IpAddr> {
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(|family| self.hosts.lookup_static_host(&Query::query(name.clone(), family)))
            .flat_map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(servers: Option<&NameServers>, hosts: &str) -> System {
        let mut system = System::read(servers, None);
        system.hosts = Hosts::default();
        system.hosts.read_hosts_conf(hosts.as_bytes()).expect("a hosts file");
        system
    }

    #[tokio::test]
    async fn the_hosts_file_is_enough_where_no_name_server_is_known() {
        let none = NameServers { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        let system = system(Some(&none), "127.0.0.7 a.test A-too.test # a comment\n::7 a.test\n127.0.0.8 b.test\n");
        let seven: [IpAddr; 2] = ["::7".parse().expect("an address"), [127, 0, 0, 7].into()];
        assert_eq!(system.addresses("a.test").await.expect("in the file"), seven);
        assert_eq!(system.addresses("a-too.test").await.expect("in the file"), seven[1..]);
        assert_eq!(system.addresses("a.test.").await.expect("in the file"), seven);
        let error = system.addresses("c.test").await.expect_err("nobody to ask");
        assert_eq!(error.kind, FailureKind::DnsServfail);
        assert!(error.to_string().contains("c.test") && error.to_string().contains("no name server"), "{error}");
    }
}
