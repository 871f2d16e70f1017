//! The HTTP transport: makes one exchange and says truly what happened. The only room that knows reqwest.
//!
//! ```text
//! exchange ─► route, keep ─► client (reqwest) ─► connect ─► dns, proxy, tls
//!     │                            │                       └► lookup ─► name_servers
//!     ▼                            ▼
//!   limits                     response ─► body ─► decode ─► text, body_file
//!
//!   guard: which addresses may be connected to, asked by route and dns
//!   classify: what an error of any of them means
//! ```

mod body;
mod body_file;
mod classify;
mod client;
mod connect;
mod decode;
mod dns;
mod error;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod guard;
mod keep;
mod limits;
mod lookup;
mod name_servers;
mod options;
mod proxy;
mod response;
mod route;

mod text;
mod tls;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use crate::model::{Body, Call, Exchange, Transport};

pub use error::FetchError;
pub use options::{
    AddressRule, Bodies, ConnectTo, FetchOptions, HttpVersions, IpVersion, NameServers, Proxies, ResolveEntry,
    TlsOptions,
};

/// The HTTP client as a [`Transport`]. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    shared: Arc<exchange::Shared>,
}

impl HttpTransport {
    /// A transport that does what `options` say.
    ///
    /// Reads the certificates and the key that they name, and makes the output directory; an error names the option, the file
    /// and what is wrong with it. Nothing is sent.
    pub fn new(options: FetchOptions) -> Result<Self, FetchError> {
        let routes = Arc::new(route::Routes::new(&options)?);
        let (client, proxies) = client::build(&options, Arc::clone(&routes))?;
        if let Bodies::Directory(path) = &options.bodies {
            body_file::prepare(path).map_err(|source| FetchError::OutputDirectory { path: path.clone(), source })?;
        }
        let shared = exchange::Shared {
            client,
            routes,
            proxies,
            kept: keep::Kept::new(options.max_idle, client::IDLE_TIMEOUT),
            http2_only: options.http_version == HttpVersions::Http2PriorKnowledge,
            read_timeout: options.read_timeout,
            max_filesize: options.max_filesize,
            bodies: options.bodies,
            sha256: options.sha256,
            output_error: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The first body that could not be written to the output directory, with its path and what the system said.
    ///
    /// Its record has failed with `internal_error`; the fault is ours, so the run should end.
    pub fn output_error(&self) -> Option<&str> {
        self.shared.output_error.get().map(String::as_str)
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, call: Call) -> impl Future<Output = Exchange> + Send + 'static {
        exchange::exchange(Arc::clone(&self.shared), call)
    }

    /// Removes the file that its body went to.
    fn discard(&self, exchange: Exchange) {
        if let Some(Body::File(path)) = exchange.response.map(|response| response.body)
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "the body of an attempt that was repeated stays behind");
        }
    }
}
