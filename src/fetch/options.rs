//! What the HTTP transport can be told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::model::Secret;

/// What the HTTP transport can be told; the defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// `User-Agent` of every request that does not set its own; empty: none is sent.
    pub user_agent: String,
    /// Time for DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Longest silence while waiting for bytes of the response.
    pub read_timeout: Duration,
    /// Most bytes of a decoded body; `None`: no cap.
    pub max_filesize: Option<u64>,
    /// What becomes of bodies.
    pub bodies: Bodies,
    /// Whether the SHA-256 of decoded bodies is computed.
    pub sha256: bool,
    /// Proxies, by the scheme of the URL to fetch.
    pub proxies: Proxies,
    /// Addresses for some host and port, in place of DNS.
    pub resolve: Vec<ResolveEntry>,
    /// Other hosts and ports to connect to, in place of the URL's.
    pub connect_to: Vec<ConnectTo>,
    /// Who is asked for the addresses of names that stand neither in [`resolve`](Self::resolve) nor in the hosts file; `None`:
    /// as `/etc/resolv.conf` says.
    pub name_servers: Option<NameServers>,
    /// Only IPv4 or only IPv6 addresses.
    pub ip_version: Option<IpVersion>,
    /// Addresses that no connection is opened to, `--deny-private`: `Some(special_purpose)` of [`crate::policy`], or a rule of
    /// one's own; `None`: none are.
    ///
    /// Holds for addresses in URLs, in whatever spelling, for all that names resolve to, for [`resolve`](Self::resolve) and
    /// [`connect_to`](Self::connect_to), and on every hop of redirects. A proxy's own address is not judged.
    pub deny_addresses: Option<AddressRule>,
    /// Whether the proxy refuses such addresses by itself, `--proxy-is-guarded`. It looks names up out of sight, so without
    /// this a proxy and [`deny_addresses`](Self::deny_addresses) exclude each other.
    pub proxy_is_guarded: bool,
    /// What is trusted, and what is shown to servers that ask.
    pub tls: TlsOptions,
    /// Which versions of HTTP may be spoken.
    pub http_version: HttpVersions,
    /// Most connections that are kept with nothing to do, over all origins; the client closes the others after use.
    pub max_idle: usize,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("gather/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(20),
            max_filesize: Some(10 << 20),
            bodies: Bodies::Inline,
            sha256: false,
            proxies: Proxies::default(),
            resolve: Vec::new(),
            connect_to: Vec::new(),
            name_servers: None,
            ip_version: None,
            deny_addresses: None,
            proxy_is_guarded: false,
            tls: TlsOptions::default(),
            http_version: HttpVersions::Any,
            max_idle: 96,
        }
    }
}

/// Why no connection may be opened to an address, in a few words for a person; `None`: it may.
pub type AddressRule = fn(IpAddr) -> Option<&'static str>;

/// What becomes of bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Bodies {
    /// They stand in the record.
    #[default]
    Inline,
    /// They are read and counted.
    Discard,
    /// They are written to files in this directory (temporary name, then renamed).
    Directory(PathBuf),
}

/// Proxies: `http://`, `https://`, `socks5://` or `socks5h://` URLs, credentials as userinfo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` URLs.
    pub http: Option<Secret<Url>>,
    /// For `https` URLs.
    pub https: Option<Secret<Url>>,
    /// Hosts that are reached directly, in the form of `NO_PROXY`: names (and their subdomains), addresses, CIDR blocks, `*`;
    /// each may end in `:port`, and then counts for that port alone.
    pub bypass: String,
}

/// curl's `--resolve HOST:PORT:ADDR[,ADDR]…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveEntry {
    /// Host name, lower case; `*` is any.
    pub host: String,
    /// Port of the URL.
    pub port: u16,
    /// Where to connect to.
    pub addresses: Vec<IpAddr>,
}

/// curl's `--connect-to HOST1:PORT1:HOST2:PORT2`; an empty part matches, or keeps, any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectTo {
    /// Host of the URL.
    pub from_host: Option<String>,
    /// Port of the URL.
    pub from_port: Option<u16>,
    /// Host to connect to.
    pub to_host: Option<String>,
    /// Port to connect to.
    pub to_port: Option<u16>,
}

/// Name servers in place of the system's, for programs that run where there is no `/etc/resolv.conf`, or a wrong one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServers {
    /// Where they listen, on UDP and TCP; the port is 53 by custom. They are asked for recursion.
    pub servers: Vec<SocketAddr>,
    /// Domains in which names are searched, as `search` of resolv.conf(5).
    pub search: Vec<String>,
    /// A name with fewer dots is searched in the domains first, and looked up as it stands last; 1 by custom, 5 in pods.
    pub ndots: usize,
}

/// A version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// `-4`.
    V4,
    /// `-6`.
    V6,
}

impl IpVersion {
    /// Whether `address` is of this version.
    pub fn matches(self, address: SocketAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// What is trusted, and what is shown to servers that ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Accept any certificate.
    pub insecure: bool,
    /// Roots from this PEM file alone, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Roots from the PEM files of this directory, in place of the system's.
    pub ca_directory: Option<PathBuf>,
    /// Client certificate chain (PEM); may hold the key too.
    pub certificate: Option<PathBuf>,
    /// Private key of the client certificate (PEM).
    pub key: Option<PathBuf>,
}

/// Which versions of HTTP may be spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpVersions {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    #[default]
    Any,
    /// `--http1.1`.
    Http1Only,
    /// `--http2-prior-knowledge`.
    Http2PriorKnowledge,
}
