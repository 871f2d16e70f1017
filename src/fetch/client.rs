//! The one HTTP client, set up to make single exchanges: everything that it would do of its own accord is off.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::connect::TimedConnectLayer;
use super::dns::Resolver;
use super::error::FetchError;
use super::options::{FetchOptions, HttpVersions};
use super::proxy::ProxyRules;
use super::route::Routes;
use super::tls;

/// How long a connection with nothing to do is kept. Below what servers do (5 s and more), so that they seldom close one that is
/// about to be used.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Header fields that are parsed, so that more than [`super::response`] accepts can be told from a head that is too large. Room
/// for so many is allocated for every head, 1xx included, so it is not much more than that.
pub(super) const MOST_PARSED_HEADERS: usize = 512;

/// The largest header list in HTTP/2, in bytes; about what HTTP/1.1 may have here.
const MOST_HEADER_BYTES: u32 = 400 * 1024;

/// The client that `options` ask for.
pub(super) fn build(
    options: &FetchOptions,
    routes: Arc<Routes>,
) -> Result<(reqwest::Client, Arc<ProxyRules>), FetchError> {
    let rules = Arc::new(ProxyRules::new(&options.proxies)?);
    let user_agent =
        HeaderValue::from_str(&options.user_agent).map_err(|_| FetchError::UserAgent(options.user_agent.clone()))?;
    #[expect(clippy::disallowed_methods, reason = "this is the place where the one client is built")]
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .dns_resolver(Resolver::new(routes, Arc::clone(&rules), options.name_servers.clone()))
        .tls_backend_preconfigured(tls::configuration(&options.tls, options.http_version)?)
        // The certificate of the peer, for expectations of it. Which lines have some is not known here.
        .tls_info(true)
        .connector_layer(TimedConnectLayer { limit: options.connect_timeout })
        // Divided among the addresses of a name, so that a dead one leaves time for the next. A second later than the layer's
        // limit, which alone decides.
        .connect_timeout(options.connect_timeout.saturating_add(Duration::from_secs(1)))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        // No connection lives so long in silence; the system calls are saved.
        .tcp_keepalive(None)
        .tcp_keepalive_interval(None)
        .tcp_keepalive_retries(None)
        .http1_max_headers(MOST_PARSED_HEADERS)
        .http2_max_header_list_size(MOST_HEADER_BYTES);
    #[cfg(target_os = "linux")]
    {
        builder = builder.tcp_user_timeout(None);
    }
    if !user_agent.is_empty() {
        builder = builder.user_agent(user_agent);
    }
    if let Some(proxy) = rules.for_client() {
        builder = builder.proxy(proxy);
    }
    builder = match options.http_version {
        HttpVersions::Any => builder,
        HttpVersions::Http1Only => builder.http1_only(),
        HttpVersions::Http2PriorKnowledge => builder.http2_prior_knowledge(),
    };
    let client = builder.build().map_err(|error| FetchError::Client(error.without_url()))?;
    Ok((client, rules))
}
