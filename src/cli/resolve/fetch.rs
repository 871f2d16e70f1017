//! What the transport is told.

use gather::fetch::{Bodies, FetchError, FetchOptions, HttpVersions, IpVersion, TlsOptions};
use gather::model::Field;
use gather::policy::special_purpose;
use gather::report::Format;

use super::{UsageError, proxy};
use crate::cli::args::{Args, BodyPlace, Network, Results};
use crate::cli::process::Process;
use crate::cli::settings::OutputSettings;

/// Connections that are kept with nothing to do, beyond one for each exchange at once.
const MORE_IDLE: usize = 32;

pub(super) fn resolve(
    args: &Args,
    user_agent: String,
    output: &OutputSettings,
    process: &Process,
) -> Result<FetchOptions, UsageError> {
    let proxies = proxy::resolve(&args.network, process)?;
    let deny_private = args.network.deny_private;
    if deny_private && proxies.are_used() && !args.network.proxy_is_guarded {
        return Err(UsageError(FetchError::DenyThroughProxy.to_string()));
    }
    Ok(FetchOptions {
        user_agent,
        connect_timeout: args.time.connect_timeout,
        read_timeout: args.time.read_timeout,
        max_filesize: max_filesize(&args.results),
        bodies: bodies(&args.results, output),
        sha256: args.results.output_dir.is_some() || args.results.fields.contains(&Field::Sha256),
        proxies,
        resolve: args.network.resolve.clone(),
        connect_to: args.network.connect_to.clone(),
        name_servers: None,
        ip_version: ip_version(&args.network),
        deny_addresses: deny_private.then_some(special_purpose),
        proxy_is_guarded: args.network.proxy_is_guarded,
        tls: tls(&args.network, process)?,
        http_version: http_version(&args.network),
        max_idle: args.fan_out.concurrency.get().saturating_add(MORE_IDLE),
    })
}

/// What becomes of bodies. Those that no record shows are not kept: it saves the memory and the decoding to text.
fn bodies(results: &Results, output: &OutputSettings) -> Bodies {
    let is_shown = match &output.rendering.fields {
        Some(fields) => fields.iter().any(|field| matches!(field, Field::Body | Field::BodyBase64)),
        None => output.format != Format::Text,
    };
    match &results.output_dir {
        Some(directory) => Bodies::Directory(directory.clone()),
        None if results.no_body || results.body == BodyPlace::None || !is_shown => Bodies::Discard,
        None => Bodies::Inline,
    }
}

fn max_filesize(results: &Results) -> Option<u64> {
    match results.max_filesize {
        Some(0) => None,
        Some(size) => Some(size),
        None if results.output_dir.is_some() => None,
        None => FetchOptions::default().max_filesize,
    }
}

fn ip_version(network: &Network) -> Option<IpVersion> {
    match (network.ipv4, network.ipv6) {
        (true, _) => Some(IpVersion::V4),
        (_, true) => Some(IpVersion::V6),
        _ => None,
    }
}

fn http_version(network: &Network) -> HttpVersions {
    match (network.http1_1, network.http2_prior_knowledge) {
        (true, _) => HttpVersions::Http1Only,
        (_, true) => HttpVersions::Http2PriorKnowledge,
        _ => HttpVersions::Any,
    }
}

/// `--cacert` wins over `SSL_CERT_FILE` and `SSL_CERT_DIR`, as in curl.
fn tls(network: &Network, process: &Process) -> Result<TlsOptions, UsageError> {
    if network.key.is_some() && network.cert.is_none() {
        return Err(UsageError("--key needs --cert: a key is of no use without its certificate".to_owned()));
    }
    let from = |name| process.variable(name).filter(|_| network.cacert.is_none()).map(Into::into);
    Ok(TlsOptions {
        insecure: network.insecure,
        ca_file: network.cacert.clone().or_else(|| from("SSL_CERT_FILE")),
        ca_directory: from("SSL_CERT_DIR"),
        certificate: network.cert.clone(),
        key: network.key.clone(),
    })
}
