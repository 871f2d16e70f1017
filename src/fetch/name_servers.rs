//! What name servers say of a name: which full names it can stand for, who is asked, and what the answers come to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use super::options::{IpVersion, NameServers};
use crate::model::FailureKind;

/// Most addresses of one name and family that are remembered.
const MOST_REMEMBERED: usize = 32;

/// What a name server says is good for this long at least, so that a time to live of zero is no query a line.
const LEAST_TTL: Duration = Duration::from_secs(1);

/// How long it is remembered that a name does not exist, whatever its zone says: longer than any run should take.
const A_RUN: Duration = Duration::from_hours(24);

/// How long IPv6 addresses are waited for when IPv4's are there. Some name servers never answer for them, and their long
/// silence must not cost the host. (RFC 8305, section 3, waits 50 ms, but for clients that can still use them later.)
const PATIENCE_FOR_IPV6: Duration = Duration::from_secs(1);

/// How long a name server is waited for before the next one is asked as well.
const PATIENCE_FOR_A_SERVER: Duration = Duration::from_secs(1);

/// Most queries at once on one connection to a name server; more are an error to the library, so this is above any concurrency.
const MOST_QUERIES: usize = 65_536;

/// A name has no address that can be used, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct LookupError {
    /// One of the `dns_*` kinds, a lack of this machine, or that the guard allows no address.
    pub(super) kind: FailureKind,
    /// The name, which is a proxy's or that of the URL.
    pub(super) host: String,
    /// For a person.
    pub(super) message: String,
}

/// The name servers, and the search list.
#[derive(Debug)]
pub(super) struct Dns {
    /// The name servers, each by itself: the library takes the first answer for that of all, also when a server only says that
    /// it cannot answer.
    servers: Vec<TokioResolver>,
    /// Which of them answered last, and so is asked first.
    good: AtomicUsize,
    /// Domains that a name may be in.
    search: Vec<Name>,
    /// A name with so many dots is first looked up as it stands.
    ndots: usize,
}

/// What is remembered of a name. That it has no address is remembered too, but not that a name server failed.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Its addresses, IPv6 first, or that there are none.
    pub(super) addresses: Result<Arc<[IpAddr]>, LookupError>,
    /// How long that is to be remembered.
    pub(super) good_for: Duration,
}

impl NameServers {
    fn configuration(&self) -> Result<(ResolverConfig, ResolverOpts), String> {
        let search = self.search.iter().map(|domain| {
            Name::from_str_relaxed(domain).map_err(|error| format!("the search domain {domain:?} is no name: {error}"))
        });
        let search = search.collect::<Result<_, _>>()?;
        let servers = self.servers.iter().map(|&server| name_server(server)).collect();
        let mut options = ResolverOpts::default();
        options.ndots = self.ndots;
        Ok((ResolverConfig::from_parts(None, search, servers), options))
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

fn resolver(server: NameServerConfig, options: ResolverOpts) -> Result<TokioResolver, String> {
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.with_options(options).build().map_err(|error| error.to_string())
}

/// What the name servers say of one name in full.
enum Answer {
    /// It has these addresses, for this long.
    Addresses(Vec<IpAddr>, Duration),
    /// It exists, but has no address.
    NoRecords,
    /// It does not exist.
    NotFound,
    /// A name server failed.
    Failed(LookupError),
}

impl Dns {
    /// Asks those that are `given`, or else those of `/etc/resolv.conf`; an error says what is wrong with them.
    pub(super) fn new(given: Option<&NameServers>) -> Result<Self, String> {
        let (config, mut options) = match given {
            Some(given) => given.configuration()?,
            None => read_system_conf().map_err(|error| format!("/etc/resolv.conf: {error}"))?,
        };
        if config.name_servers().is_empty() {
            return Err("none is given".to_owned());
        }
        // resolv.conf(5): without a search list, the domain of this machine is all of it.
        let search = if config.search().is_empty() {
            config.domain().cloned().into_iter().collect()
        } else {
            config.search().to_vec()
        };
        let ndots = options.ndots;
        options.max_active_requests = MOST_QUERIES;
        options.try_tcp_on_error = true;
        // The file counts all attempts, and the library those after the first.
        options.attempts = options.attempts.saturating_sub(1);
        // Both are done here.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let servers = config.name_servers().iter().map(|server| resolver(server.clone(), options.clone()));
        Ok(Self { servers: servers.collect::<Result<_, _>>()?, good: AtomicUsize::new(0), search, ndots })
    }

    /// Looks a name up through the search list, as the resolver of glibc does: what does not exist in one domain is looked up
    /// in the next, a domain whose servers fail (SERVFAIL) is passed over but not forgotten, and silence ends it. Both
    /// families are of the same full name always; searched one by one they could be of different hosts.
    pub(super) async fn find(&self, host: &str, name: Name, version: Option<IpVersion>) -> Result<Known, LookupError> {
        let mut nothing = LookupError::new(FailureKind::DnsNotFound, host, format!("{host} does not exist (NXDOMAIN)"));
        let mut failed = None;
        for name in self.full_names(name) {
            match self.answer(host, &name, version).await {
                Answer::Addresses(addresses, ttl) => {
                    return Ok(Known { addresses: Ok(addresses.into()), good_for: ttl.clamp(LEAST_TTL, A_RUN) });
                }
                Answer::NotFound => {}
                Answer::NoRecords => nothing = LookupError::no_records(host, version),
                Answer::Failed(error) if error.kind == FailureKind::DnsServfail => failed = failed.or(Some(error)),
                Answer::Failed(error) => return Err(error),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Known { addresses: Err(nothing), good_for: A_RUN }),
        }
    }

    /// The full names that `name` can stand for, in the order of resolv.conf(5): as it stands first if it has enough dots,
    /// else last; a dot at the end makes it full already.
    fn full_names(&self, mut name: Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name];
        }
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        let searched = self.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok());
        let mut names: Vec<Name> = searched.collect();
        name.set_fqdn(true);
        names.insert(if dots >= self.ndots { 0 } else { names.len() }, name);
        names
    }

    async fn answer(&self, host: &str, name: &Name, version: Option<IpVersion>) -> Answer {
        let ask = async |family| self.records(host, name.clone(), family).await;
        match version {
            Some(IpVersion::V4) => return ask(RecordType::A).await,
            Some(IpVersion::V6) => return ask(RecordType::AAAA).await,
            None => {}
        }
        let (mut v6, mut v4) = (Box::pin(ask(RecordType::AAAA)), Box::pin(ask(RecordType::A)));
        tokio::select! {
            v6 = &mut v6 => Answer::of_both(v6, v4.await),
            v4 = &mut v4 => match v4 {
                Answer::Addresses(..) => {
                    let v6 = tokio::time::timeout(PATIENCE_FOR_IPV6, v6).await;
                    Answer::of_both(v6.unwrap_or(Answer::NoRecords), v4)
                }
                none => Answer::of_both(v6.await, none),
            },
        }
    }

    /// Asks one name server after the other, the next as soon as one cannot answer, or is silent for a while; the first answer
    /// counts, and if there is none the first failure.
    async fn ask(&self, name: Name, family: RecordType) -> Result<Lookup, NetError> {
        let first = self.good.load(Ordering::Relaxed);
        let mut waiting = (0..self.servers.len()).map(|turn| (first + turn) % self.servers.len());
        let mut asked = FuturesUnordered::new();
        let mut failure = None;
        loop {
            if let Some(number) = waiting.next() {
                let lookup = self.servers[number].lookup(name.clone(), family);
                asked.push(async move { (number, lookup.await) });
            }
            tokio::select! {
                Some((number, said)) = asked.next() => {
                    if is_answer(&said) {
                        self.good.store(number, Ordering::Relaxed);
                        return said;
                    }
                    let failure = failure.get_or_insert(said);
                    if asked.is_empty() && waiting.len() == 0 {
                        return failure.clone();
                    }
                }
                () = tokio::time::sleep(PATIENCE_FOR_A_SERVER), if waiting.len() > 0 => {}
            }
        }
    }

    async fn records(&self, host: &str, name: Name, family: RecordType) -> Answer {
        match self.ask(name, family).await {
            Ok(lookup) => {
                let records = lookup.answers();
                let addresses = records.iter().filter_map(|record| record.data.ip_addr());
                let addresses: Vec<IpAddr> = addresses.take(MOST_REMEMBERED).collect();
                match records.iter().map(|record| record.ttl).min() {
                    Some(ttl) if !addresses.is_empty() => Answer::Addresses(addresses, Duration::from_secs(ttl.into())),
                    _ => Answer::NoRecords,
                }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) if none.response_code == ResponseCode::NXDomain => {
                Answer::NotFound
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) if none.response_code == ResponseCode::NoError => {
                Answer::NoRecords
            }
            Err(error) => Answer::Failed(LookupError::of(host, &error)),
        }
    }
}

/// Whether a name server answered the question, if only that there is nothing.
fn is_answer(said: &Result<Lookup, NetError>) -> bool {
    matches!(said, Ok(_) | Err(NetError::Dns(DnsError::NoRecordsFound(_))))
}

impl Answer {
    /// What the answers for both families say together.
    fn of_both(v6: Self, v4: Self) -> Self {
        match (v6, v4) {
            (Self::Addresses(mut addresses, ttl), Self::Addresses(more, other)) => {
                addresses.extend(more);
                Self::Addresses(addresses, ttl.min(other))
            }
            (found @ Self::Addresses(..), _) | (_, found @ Self::Addresses(..)) => found,
            // A name server that failed may have hidden an address, so it weighs more than "there is none".
            (failed @ Self::Failed(_), _) | (_, failed @ Self::Failed(_)) => failed,
            (Self::NotFound, Self::NotFound) => Self::NotFound,
            _ => Self::NoRecords,
        }
    }
}

impl LookupError {
    pub(super) fn new(kind: FailureKind, host: &str, message: String) -> Self {
        Self { kind, host: host.to_owned(), message }
    }

    /// A name without an address of the version that is wanted.
    pub(super) fn no_records(host: &str, version: Option<IpVersion>) -> Self {
        let family = match version {
            None => "",
            Some(IpVersion::V4) => " for IPv4",
            Some(IpVersion::V6) => " for IPv6",
        };
        Self::new(FailureKind::DnsNoRecords, host, format!("{host} has no address{family}"))
    }

    /// A name server that failed.
    fn of(host: &str, error: &NetError) -> Self {
        let answered = |code: ResponseCode| format!("the name server answered {code} for {host}");
        let (kind, message) = match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => (FailureKind::DnsServfail, answered(none.response_code)),
            NetError::Dns(DnsError::ResponseCode(code)) => (FailureKind::DnsServfail, answered(*code)),
            NetError::Timeout => (FailureKind::DnsTimeout, format!("the name server did not answer for {host}")),
            NetError::Io(error) if super::classify::is_out_of_descriptors(error) => {
                (FailureKind::LocalFdExhausted, format!("cannot look {host} up: {error}"))
            }
            other => (FailureKind::DnsServfail, format!("cannot look {host} up: {other}")),
        };
        Self::new(kind, host, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_names(search: &[&str], ndots: usize, name: &str) -> Vec<String> {
        let servers = vec![([127, 0, 0, 1], 53).into()];
        let search = search.iter().map(|&domain| domain.to_owned()).collect();
        let given = NameServers { servers, search, ndots };
        let dns = Dns::new(Some(&given)).expect("a resolver");
        dns.full_names(name.parse().expect("a name")).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_searched_as_in_a_pod() {
        let pod = ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local."];
        assert_eq!(
            full_names(&pod, 5, "api"),
            ["api.ns.svc.cluster.local.", "api.svc.cluster.local.", "api.cluster.local.", "api."]
        );
        assert_eq!(full_names(&pod, 5, "api.other").last().map(String::as_str), Some("api.other."));
        assert_eq!(full_names(&pod, 2, "www.a.test")[..2], ["www.a.test.", "www.a.test.ns.svc.cluster.local."]);
        assert_eq!(full_names(&pod, 5, "a.b.c.d.e.test")[0], "a.b.c.d.e.test.");
        assert_eq!(full_names(&pod, 5, "www.a.test."), ["www.a.test."]);
        assert_eq!(full_names(&[], 1, "api"), ["api."]);
    }

    #[test]
    fn failures_of_the_name_server_have_their_kinds() {
        let io = |code| NetError::from(std::io::Error::from_raw_os_error(code));
        for (error, kind) in [
            (NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)), FailureKind::DnsServfail),
            (NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)), FailureKind::DnsServfail),
            (NetError::Timeout, FailureKind::DnsTimeout),
            (NetError::NoConnections, FailureKind::DnsServfail),
            (io(24), FailureKind::LocalFdExhausted),
            (io(111), FailureKind::DnsServfail),
        ] {
            assert_eq!(LookupError::of("a.example", &error).kind, kind, "{error}");
        }
    }
}
