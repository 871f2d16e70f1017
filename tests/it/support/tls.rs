//! Certificates made on the spot, good and bad.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// An authority that nobody trusts unless told so with `--cacert`.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, and what a server does with it.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    pem: String,
    clients_of: Option<CertificateDer<'static>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

impl Authority {
    /// A new authority.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Two authorities of one name would be taken for the same, with a bad signature.
        let name = format!("test authority {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    /// Its own certificate in a PEM file, for `--cacert`.
    pub(crate) fn pem_file(&self) -> NamedTempFile {
        pem_file(&self.0.pem())
    }

    /// A certificate for `name`, a host name or an IP address.
    pub(crate) fn certificate(&self, name: &str) -> Identity {
        self.sign(&params(name))
    }

    /// A certificate for `name` that is past its date.
    pub(crate) fn expired_certificate(&self, name: &str) -> Identity {
        let mut params = params(name);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(&params)
    }

    /// A certificate for `name` that is not valid yet.
    pub(crate) fn future_certificate(&self, name: &str) -> Identity {
        let mut params = params(name);
        params.not_before = date_time_ymd(4000, 1, 1);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            chain: vec![certificate.der().clone()],
            pem: certificate.pem() + &key.serialize_pem(),
            key,
            clients_of: None,
            versions: vec![&version::TLS12, &version::TLS13],
        }
    }
}

impl Identity {
    /// Lets in only clients with a certificate of `authority`.
    pub(crate) fn for_clients_of(self, authority: &Authority) -> Self {
        Self { clients_of: Some(authority.0.der().clone()), ..self }
    }

    /// Speaks only TLS 1.2.
    pub(crate) fn only_tls12(self) -> Self {
        Self { versions: vec![&version::TLS12], ..self }
    }

    /// Certificate and key in one PEM file, for `--cert`.
    pub(crate) fn pem_file(&self) -> NamedTempFile {
        pem_file(&self.pem)
    }

    /// What a server shows, and the `protocol` that it speaks.
    pub(super) fn acceptor(&self, protocol: &[u8]) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&self.versions)
            .expect("versions that ring can speak");
        let config = match &self.clients_of {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone()).expect("the authority's own certificate");
                let provider = Arc::new(ring::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.expect("an authority"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let mut config = config.with_single_cert(self.chain.clone(), key).expect("a certificate and its key");
        config.alpn_protocols.push(protocol.to_vec());
        Arc::new(config).into()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("a host name or an address")
}

fn pem_file(pem: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), pem).expect("a temporary file that can be written");
    file
}

/// Trusts `authority`, makes one request of `https://localhost/` at `address` and reads the reply; or says what went wrong.
pub(super) async fn handshake(
    authority: &Authority,
    client: Option<&Identity>,
    address: std::net::SocketAddr,
) -> Result<(), String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::rustls::ClientConfig;

    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).expect("the authority's own certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring can speak")
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(client) => {
            let key = PrivateKeyDer::Pkcs8(client.key.serialize_der().into());
            config.with_client_auth_cert(client.chain.clone(), key).expect("a certificate and its key")
        }
    };
    let connect = async {
        let tcp = tokio::net::TcpStream::connect(address).await?;
        let name = "localhost".try_into().expect("a host name");
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
        stream.read_to_end(&mut Vec::new()).await
    };
    connect.await.map(drop).map_err(|error: std::io::Error| error.to_string())
}
