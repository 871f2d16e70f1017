//! How hosts are reached and trusted.

use std::path::PathBuf;

use gather::fetch::{ConnectTo, ResolveEntry};
use gather::model::Secret;

use crate::cli::values;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Network")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Network {
    /// `[scheme://][user:password@]host[:port]`; empty: none.
    ///
    /// Schemes are `http`, `https`, `socks5` and `socks5h` (the proxy looks names up). As in curl, the scheme is `http` and the
    /// port 1080 (`https`: 443) where they are not given, and it wins over `http_proxy`, `HTTPS_PROXY` and `ALL_PROXY`.
    #[arg(short = 'x', long, value_name = "PROXY")]
    pub(crate) proxy: Option<Secret<String>>,

    /// Hosts reached without a proxy.
    ///
    /// A list with commas between: names (their subdomains too), addresses, blocks (`10.0.0.0/8`), `*` for all; `name:8080`
    /// for one port alone. Wins over `NO_PROXY`.
    #[arg(long, value_name = "LIST")]
    pub(crate) noproxy: Option<String>,

    /// Addresses for a host and port, in place of DNS.
    ///
    /// `HOST:PORT:ADDR[,ADDR]…` as in curl; the host `*` is any. May be repeated.
    #[arg(long, value_name = "HOST:PORT:ADDR", value_parser = values::resolve_entry)]
    pub(crate) resolve: Vec<ResolveEntry>,

    /// Connect elsewhere.
    ///
    /// `HOST1:PORT1:HOST2:PORT2` as in curl: requests for the first pair go to the second, with the Host header and TLS name of
    /// the first. An empty part means any, or the same. May be repeated.
    #[arg(long, value_name = "H1:P1:H2:P2", value_parser = values::connect_to)]
    pub(crate) connect_to: Vec<ConnectTo>,

    /// Only IPv4 addresses.
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Only IPv6 addresses.
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,

    /// Refuse addresses that are not public.
    ///
    /// No connection to loopback, private, link-local and other special addresses (IANA's registries): in URLs in any
    /// spelling, from DNS, from --resolve and --connect-to, and on every redirect.
    #[arg(long)]
    pub(crate) deny_private: bool,

    /// The proxy refuses private addresses itself.
    ///
    /// Without this, --deny-private and a proxy exclude each other: a proxy looks names up out of sight.
    #[arg(long)]
    pub(crate) proxy_is_guarded: bool,

    /// Accept any TLS certificate.
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,

    /// Trust the roots of this PEM file alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// Client certificate (PEM), with or without its key.
    #[arg(short = 'E', long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// Private key of the client certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// HTTP/1.1 only.
    #[arg(long = "http1.1", id = "http1_1", conflicts_with = "http2_prior_knowledge")]
    pub(crate) http1_1: bool,

    /// HTTP/2 from the first byte, without asking.
    #[arg(long)]
    pub(crate) http2_prior_knowledge: bool,
}
