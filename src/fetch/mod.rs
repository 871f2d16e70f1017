//! The HTTP transport: makes one exchange and says truly what happened. The only room that knows reqwest.

mod options;

pub use options::{Bodies, ConnectTo, FetchOptions, HttpVersions, IpVersion, Proxies, ResolveEntry, TlsOptions};
