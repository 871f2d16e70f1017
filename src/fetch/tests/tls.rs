//! TLS: who is trusted, who is not and why, and what a handshake's end looks like.

use std::path::PathBuf;
use std::sync::Arc;

use http::Version;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use super::super::{HttpVersions, ResolveEntry, TlsOptions};
use super::*;

/// A root, and a directory with its certificate.
struct Root {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Root {
    /// A root of its own name: certificates say by name who signed them.
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new([]).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, key()).expect("a root");
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The options of a client that trusts it, for `a.test`.
    fn trusted(&self, server: &Server) -> FetchOptions {
        let tls = TlsOptions { ca_file: Some(self.path()), ..TlsOptions::default() };
        FetchOptions { tls, ..resolved(server) }
    }

    /// A server's configuration with a certificate for `a.test`, changed by `change`.
    fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let (chain, key) = self.certificate(change);
        builder().with_no_client_auth().with_single_cert(chain, key).expect("a good certificate")
    }

    /// A certificate of an intermediate authority for `a.test`, and that of the authority.
    fn under_intermediate(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut parameters = CertificateParams::new([]).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, "intermediate");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::signed_by(parameters, key(), &self.issuer).expect("an authority");
        let intermediate = Self { issuer, directory: tempfile::tempdir().expect("a directory") };
        let (mut chain, key) = intermediate.certificate(|_| {});
        chain.push(intermediate.issuer.der().clone());
        (chain, key)
    }

    fn certificate(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut parameters = CertificateParams::new(["a.test".to_owned()]).expect("a name");
        change(&mut parameters);
        let key = key();
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring knows")
}

/// Options that find `a.test` at `server`.
fn resolved(server: &Server) -> FetchOptions {
    let address = server.address();
    let resolve = vec![ResolveEntry { host: "*".into(), port: address.port(), addresses: vec![address.ip()] }];
    FetchOptions { resolve, ..FetchOptions::default() }
}

fn url(server: &Server) -> String {
    format!("https://a.test:{}/", server.address().port())
}

#[tokio::test]
async fn a_server_under_the_given_root_is_trusted_and_its_phases_are_told() {
    let root = Root::new("root");
    let server = Server::start_tls([Reply::ok("", "x")], root.server(|_| {})).await;
    let mut options = root.trusted(&server);
    let exchange = transport(options.clone()).exchange(get(url(&server))).await;
    let timing = exchange.timing;
    let phases = [timing.namelookup, timing.connect, timing.appconnect, timing.starttransfer, Some(timing.total)];
    assert!(phases.is_sorted() && phases[0].is_some(), "{timing:?}");
    assert_eq!(text(exchange), "x");
    options.tls = TlsOptions { ca_directory: Some(root.directory.path().to_owned()), ..TlsOptions::default() };
    assert_eq!(text(transport(options).exchange(get(url(&server))).await), "x");
}

#[tokio::test]
async fn certificates_that_will_not_do_have_their_kinds() {
    let root = Root::new("root");
    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    let name = |name: &str| vec![rcgen::SanType::DnsName(name.try_into().expect("a name"))];
    for (config, expected, told) in [
        (root.server(|it| it.not_after = year(2020)), FailureKind::TlsCertExpired, "days ago"),
        (root.server(|it| it.not_before = year(4000)), FailureKind::TlsCertNotYetValid, "only in"),
        (root.server(|it| it.subject_alt_names = name("b.test")), FailureKind::TlsCertNameMismatch, "b.test"),
        (Root::new("other").server(|_| {}), FailureKind::TlsCertUntrusted, "trusted root"),
    ] {
        let server = Server::start_tls([Reply::ok("", "x")], config).await;
        let exchange = transport(root.trusted(&server)).exchange(get(url(&server))).await;
        assert_eq!(kind(&exchange), expected, "{}", message(&exchange));
        assert!(message(&exchange).contains(told), "{}", message(&exchange));
        let insecure = TlsOptions { insecure: true, ..TlsOptions::default() };
        let exchange = transport(FetchOptions { tls: insecure, ..resolved(&server) }).exchange(get(url(&server))).await;
        assert_eq!(text(exchange), "x", "--insecure takes {expected}");
    }
}

#[tokio::test]
async fn the_certificate_of_an_authority_is_no_servers_own() {
    let root = Root::new("root");
    let config = root.server(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let server = Server::start_tls([Reply::ok("", "x")], config).await;
    let exchange = transport(root.trusted(&server)).exchange(get(url(&server))).await;
    assert_eq!(kind(&exchange), FailureKind::TlsCertUntrusted);
    assert!(message(&exchange).contains("CA:FALSE") && !message(&exchange).contains("Other"), "{}", message(&exchange));
}

#[tokio::test]
async fn a_server_under_an_unknown_root_is_not_trusted_by_the_system() {
    let server = Server::start_tls([Reply::ok("", "x")], Root::new("other").server(|_| {})).await;
    let exchange = transport(resolved(&server)).exchange(get(url(&server))).await;
    assert_eq!(kind(&exchange), FailureKind::TlsCertUntrusted, "{}", message(&exchange));
}

#[tokio::test]
async fn a_self_signed_server_is_not_trusted() {
    let key = key();
    let parameters = CertificateParams::new(["a.test".to_owned()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
    let server = Server::start_tls([Reply::ok("", "x")], config.expect("a good certificate")).await;
    let exchange = transport(Root::new("root").trusted(&server)).exchange(get(url(&server))).await;
    assert_eq!(kind(&exchange), FailureKind::TlsCertUntrusted, "{}", message(&exchange));
}

#[tokio::test]
async fn an_intermediate_certificate_must_be_sent() {
    let root = Root::new("root");
    let (chain, key) = root.under_intermediate();
    for (sent, expected) in [(1, Some(FailureKind::TlsCertUntrusted)), (2, None)] {
        let config = builder().with_no_client_auth().with_single_cert(chain[..sent].to_vec(), key.clone_key());
        let server = Server::start_tls([Reply::ok("", "x")], config.expect("a good certificate")).await;
        let exchange = transport(root.trusted(&server)).exchange(get(url(&server))).await;
        assert_eq!(exchange.failure.map(|failure| failure.kind), expected);
    }
}

#[tokio::test]
async fn a_certificate_for_a_name_is_not_one_for_an_address() {
    let root = Root::new("root");
    let server = Server::start_tls([Reply::ok("", "x")], root.server(|_| {})).await;
    let exchange = transport(root.trusted(&server)).exchange(get(format!("https://{}/", server.address()))).await;
    assert_eq!(kind(&exchange), FailureKind::TlsCertNameMismatch, "{}", message(&exchange));
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_ends_with_the_connect_timeout() {
    let server = Server::start_raw([Reply::bytes("")]).await;
    let options = FetchOptions { connect_timeout: Duration::from_millis(500), ..resolved(&server) };
    let exchange = transport(options).exchange(get(url(&server))).await;
    assert_eq!(kind(&exchange), FailureKind::ConnectTimeout);
    assert!(message(&exchange).contains("TLS handshake"), "{}", message(&exchange));
}

/// Sessions of a server, and how many of them came back.
#[derive(Debug, Default)]
struct Sessions {
    kept: std::sync::Mutex<std::collections::HashMap<Vec<u8>, Vec<u8>>>,
    resumed: std::sync::atomic::AtomicUsize,
}

impl Sessions {
    fn note(&self, found: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.resumed.fetch_add(usize::from(found.is_some()), std::sync::atomic::Ordering::Relaxed);
        found
    }
}

impl rustls::server::StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.kept.lock().expect("no panic").insert(key, value);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.note(self.kept.lock().expect("no panic").get(key).cloned())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.note(self.kept.lock().expect("no panic").remove(key))
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn sessions_of_more_than_256_names_are_resumed() {
    const NAMES: usize = 300;
    let root = Root::new("root");
    let name = rcgen::SanType::DnsName("*.a.test".try_into().expect("a name"));
    let mut config = root.server(|it| it.subject_alt_names = vec![name]);
    let sessions = Arc::new(Sessions::default());
    config.session_storage = Arc::clone(&sessions) as _;
    let server = Server::start_tls([Reply::ok("Connection: close\r\n", "x").then_close()], config).await;
    let transport = transport(root.trusted(&server));
    for round in [0, NAMES] {
        for number in 0..NAMES {
            let url = format!("https://n{number}.a.test:{}/", server.address().port());
            assert_eq!(text(transport.exchange(get(url)).await), "x");
        }
        assert_eq!(sessions.resumed.load(std::sync::atomic::Ordering::Relaxed), round);
    }
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_told() {
    for (reply, expected) in [
        (Reply::bytes("").then_close(), FailureKind::TlsHandshake),
        (Reply::bytes("").then_reset(), FailureKind::ConnectReset),
        (Reply::bytes("HTTP/1.1 400 Bad Request\r\n\r\n").then_close(), FailureKind::TlsHandshake),
        // An alert: fatal, protocol_version.
        (Reply::bytes(b"\x15\x03\x01\0\x02\x02\x46").then_close(), FailureKind::TlsProtocolVersion),
        // A ServerHello of TLS 1.1.
        (
            Reply::bytes([&b"\x16\x03\x02\0\x2a\x02\0\0\x26\x03\x02"[..], &[7; 32], b"\0\0\x2f\0"].concat()),
            FailureKind::TlsProtocolVersion,
        ),
    ] {
        let server = Server::start_raw([reply]).await;
        let exchange = transport(resolved(&server)).exchange(get(url(&server))).await;
        assert_eq!(kind(&exchange), expected, "{}", message(&exchange));
    }
}

#[tokio::test]
async fn tls_on_a_plain_port_is_not_http() {
    let server = Server::start([Reply::bytes(b"\x15\x03\x03\0\x02\x02\x0a").then_close()]).await;
    let exchange = transport(FetchOptions::default()).exchange(get(server.url("/"))).await;
    assert_eq!(kind(&exchange), FailureKind::HttpParse);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_wanted() {
    let root = Root::new("root");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.issuer.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let (chain, key) = root.certificate(|_| {});
    let config = builder()
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a good certificate");
    let server = Server::start_tls([Reply::ok("", "x")], config).await;

    let without = transport(root.trusted(&server)).exchange(get(url(&server))).await;
    assert_eq!(kind(&without), FailureKind::TlsClientCertRequired, "{}", message(&without));

    let (chain, key) = root.certificate(|_| {});
    let pem = |label: &str, der: &[u8]| {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
    };
    let path = root.directory.path().join("client.pem");
    let both = pem("CERTIFICATE", &chain[0]) + &pem("PRIVATE KEY", key.secret_der());
    std::fs::write(&path, both).expect("a file");
    let mut options = root.trusted(&server);
    options.tls.certificate = Some(path);
    assert_eq!(text(transport(options).exchange(get(url(&server))).await), "x");
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_negotiated_and_allowed() {
    let root = Root::new("root");
    for (versions, offered, expected) in [
        (HttpVersions::Any, &[b"http/1.1".to_vec()][..], Version::HTTP_11),
        (HttpVersions::Http1Only, &[b"h2".to_vec(), b"http/1.1".to_vec()], Version::HTTP_11),
    ] {
        let mut config = root.server(|_| {});
        config.alpn_protocols = offered.to_vec();
        let server = Server::start_tls([Reply::ok("", "x")], config).await;
        let options = FetchOptions { http_version: versions, ..root.trusted(&server) };
        let response = whole(transport(options).exchange(get(url(&server))).await);
        assert_eq!(response.version, expected);
    }
}

#[test]
fn files_that_will_not_do_are_refused_at_the_start_by_name() {
    let root = Root::new("root");
    let path = |name: &str| Some(root.directory.path().join(name));
    let write = |name: &str, text: &str| std::fs::write(root.directory.path().join(name), text).expect("a file");
    write("empty.pem", "");
    write("broken.pem", "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n");
    write("key.pem", &key().serialize_pem());
    let none = TlsOptions::default;
    for (tls, told) in [
        (
            TlsOptions { ca_file: path("missing.pem"), ..none() },
            ["--cacert or SSL_CERT_FILE", "missing.pem", "No such file"],
        ),
        (TlsOptions { ca_file: path("empty.pem"), ..none() }, ["--cacert", "empty.pem", "BEGIN CERTIFICATE"]),
        (TlsOptions { ca_file: path("broken.pem"), ..none() }, ["--cacert", "broken.pem", "base64"]),
        (TlsOptions { ca_directory: path("missing"), ..none() }, ["SSL_CERT_DIR", "missing", "No such file"]),
        (TlsOptions { key: path("key.pem"), ..none() }, ["--key", "key.pem", "--cert"]),
        (TlsOptions { certificate: path("ca.pem"), ..none() }, ["--cert", "ca.pem", "no private key"]),
        (
            TlsOptions { certificate: path("ca.pem"), key: path("ca.pem"), ..none() },
            ["--key", "ca.pem", "no private key"],
        ),
        (TlsOptions { certificate: path("ca.pem"), key: path("key.pem"), ..none() }, ["--cert", "ca.pem", "key"]),
    ] {
        let error = HttpTransport::new(FetchOptions { tls, ..FetchOptions::default() }).expect_err("it will not do");
        let error = error.to_string();
        assert!(told.iter().all(|part| error.contains(part)), "{error}");
    }
}
