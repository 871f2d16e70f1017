//! TLS: which roots are trusted, which certificate is shown, and when the TCP connection stood.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    WebPkiServerVerifier,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, NamedGroup, RootCertStore, SignatureScheme};

use rustls_native_certs::CertificateResult;

use super::connect::Dial;
use super::error::FetchError;
use super::options::{HttpVersions, TlsOptions};

/// Both ways to give the roots: which of the two it was is not known here.
const CA_FILE: &str = "--cacert or SSL_CERT_FILE";

/// Sessions that are remembered; rustls counts eight for each server.
const SESSIONS: usize = 8 * 1024;

/// The TLS configuration that `options` ask for.
pub(super) fn configuration(options: &TlsOptions, versions: HttpVersions) -> Result<ClientConfig, FetchError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Verifier { trust: trust(options, &provider)?, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity(options)? {
        None => builder.with_no_client_auth(),
        Some(Identity { path, chain, key }) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            let problem = format!("it does not go together with the key: {error}");
            FetchError::ClientCertificate { path: path.to_owned(), problem }
        })?,
    };
    config.alpn_protocols = match versions {
        HttpVersions::Any => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersions::Http1Only => vec![b"http/1.1".to_vec()],
        HttpVersions::Http2PriorKnowledge => vec![b"h2".to_vec()],
    };
    config.resumption = Resumption::store(Arc::new(Sessions(ClientSessionMemoryCache::new(SESSIONS))));
    Ok(config)
}

/// A client certificate, with the file that it is from.
struct Identity<'a> {
    path: &'a Path,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The client certificate and its key, if one is given.
fn identity(options: &TlsOptions) -> Result<Option<Identity<'_>>, FetchError> {
    let path = match (&options.certificate, &options.key) {
        (Some(path), _) => path,
        (None, Some(key)) => return Err(FetchError::KeyWithoutCertificate { key: key.clone() }),
        (None, None) => return Ok(None),
    };
    let chain = certificates("--cert", path)?;
    let (option, key_path) = options.key.as_ref().map_or(("--cert", path), |key| ("--key", key));
    let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| FetchError::Pem {
        option,
        path: key_path.clone(),
        problem: match error {
            pem::Error::NoItemsFound if option == "--cert" => {
                "no private key in PEM form; give it in this file or with --key".into()
            }
            pem::Error::NoItemsFound => "no private key in PEM form (-----BEGIN PRIVATE KEY-----)".into(),
            error => pem_problem(&error),
        },
    })?;
    Ok(Some(Identity { path, chain, key }))
}

/// The certificates of a PEM file, of which there must be one at least.
fn certificates(option: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    let wrong = |problem| FetchError::Pem { option, path: path.to_owned(), problem };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(pem_problem(&error)))?;
    if found.is_empty() {
        return Err(wrong("no certificate in PEM form (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(found)
}

/// The library's own messages show lines of the file, which may be a key.
fn pem_problem(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        pem::Error::Base64Decode(_) => "has a PEM section that is not base64".into(),
        pem::Error::MissingSectionEnd { .. } => "has a PEM section without an end line (-----END …-----)".into(),
        _ => "has a malformed PEM section".into(),
    }
}

/// Which servers are trusted.
#[derive(Debug)]
enum Trust {
    /// `--insecure`: all, but each must still have the key of its certificate.
    Any,
    /// Those with a certificate under one of the given roots.
    Given(Arc<WebPkiServerVerifier>),
    /// Those under the system's roots, which are read at the first handshake: a run without TLS does without the
    /// milliseconds that it takes.
    System(OnceLock<Result<Arc<WebPkiServerVerifier>, rustls::Error>>),
}

fn trust(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Trust, FetchError> {
    if options.insecure {
        return Ok(Trust::Any);
    }
    if options.ca_file.is_none() && options.ca_directory.is_none() {
        return Ok(Trust::System(OnceLock::new()));
    }
    let mut store = RootCertStore::empty();
    if let Some(path) = &options.ca_file {
        let (added, _) = store.add_parsable_certificates(certificates(CA_FILE, path)?);
        if added == 0 {
            let problem = "no certificate in it can be a root".into();
            return Err(FetchError::Pem { option: CA_FILE, path: path.clone(), problem });
        }
    }
    if let Some(path) = &options.ca_directory {
        let wrong = |problem| FetchError::Pem { option: "SSL_CERT_DIR", path: path.clone(), problem };
        std::fs::read_dir(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        // A directory of roots has other files too; what does not parse is passed over, as OpenSSL does.
        let found = rustls_native_certs::load_certs_from_paths(None, Some(path));
        let (added, _) = store.add_parsable_certificates(found.certs);
        if added == 0 && options.ca_file.is_none() {
            return Err(wrong("no root certificate in PEM form in any file of it".into()));
        }
    }
    Ok(Trust::Given(verify_against(store, provider)?))
}

fn verify_against(
    store: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// The roots that were `found` on the system, or the bundled ones where it has none (an image built `FROM scratch`).
fn system_roots(found: CertificateResult) -> RootCertStore {
    let mut store = RootCertStore::empty();
    for error in &found.errors {
        tracing::debug!("a root certificate of the system was passed over: {error}");
    }
    let (added, _) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::debug!("the system has no root certificates: the bundled ones are used");
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store
}

/// Verifies servers as [`Trust`] says.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = match &self.trust {
            Trust::Any => return Ok(ServerCertVerified::assertion()),
            Trust::Given(verifier) => verifier,
            Trust::System(verifier) => {
                let verifier = verifier.get_or_init(|| {
                    let store = system_roots(rustls_native_certs::load_native_certs());
                    verify_against(store, &self.provider)
                });
                verifier.as_ref().map_err(Clone::clone)?
            }
        };
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The cache of TLS sessions. It is asked for a hint when a `ClientHello` is made, which is the one place where it can be seen
/// that the TCP connection stands: the connector's layers see TCP and TLS only together.
#[derive(Debug)]
struct Sessions(ClientSessionMemoryCache);

impl ClientSessionStore for Sessions {
    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        if let Some(dial) = Dial::current() {
            dial.secures();
        }
        self.0.kx_hint(server_name)
    }

    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server_name, group);
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.0.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_roots_are_for_systems_without_any() {
        assert_eq!(system_roots(CertificateResult::default()).len(), webpki_roots::TLS_SERVER_ROOTS.len());
        let mut found = CertificateResult::default();
        let key = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        found.certs.push(key.cert.der().clone());
        assert_eq!(system_roots(found).len(), 1);
    }
}
