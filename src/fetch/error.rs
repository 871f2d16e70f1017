//! Why the transport cannot start.

use std::path::PathBuf;

/// Options that the transport cannot work with. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A certificate or key file cannot be read or holds something else.
    #[error("{option}: {}: {problem}", path.display())]
    Pem {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What was seen, and what would be right.
        problem: String,
    },
    /// `--key` without `--cert`.
    #[error("--key {} without --cert: give the certificate too", key.display())]
    KeyWithoutCertificate {
        /// The key file.
        key: PathBuf,
    },
    /// The certificate and the key do not go together, or TLS cannot be set up at all.
    #[error("--cert {}: {problem}", path.display())]
    ClientCertificate {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A proxy that cannot be used.
    #[error("proxy {url}: {problem}")]
    Proxy {
        /// The proxy, without credentials.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// `--connect-to` and a proxy.
    #[error(
        "--connect-to cannot be used with a proxy, which makes the connection itself; --noproxy '*' goes without it"
    )]
    ConnectToThroughProxy,
    /// `--deny-private` and a proxy.
    #[error(
        "--deny-private cannot check what a proxy connects to, because the proxy looks names up itself; \
         --proxy-is-guarded says that it refuses private addresses too, --noproxy '*' goes without it"
    )]
    DenyThroughProxy,
    /// `--resolve` of an address.
    #[error("--resolve {host}: an address is not looked up; --connect-to leads it elsewhere")]
    ResolveAddress {
        /// The address.
        host: String,
    },
    /// `--resolve` without an address.
    #[error("--resolve {host}:{port}: no address is given")]
    ResolveNothing {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
    /// The directory for bodies cannot be made or written to.
    #[error("cannot write to the output directory {}: {source}", path.display())]
    OutputDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The user agent is no header value.
    #[error("the user agent {0:?} has characters that a header cannot carry")]
    UserAgent(String),
    /// The HTTP client cannot be built.
    #[error("cannot set the HTTP client up: {0}")]
    Client(#[source] reqwest::Error),
}
