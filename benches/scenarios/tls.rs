//! TLS for the servers, and HTTP/2 over it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The file of the authority's certificate.
pub(crate) const AUTHORITY: &str = "authority.pem";

/// Any name in here is the server's, and on loopback without being looked up.
pub(crate) const DOMAIN: &str = "bench.localhost";

/// Windows of streams and connections, so that they do not hold anything up.
const WINDOW: u32 = 1 << 24;

/// What is spoken over TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Takes TLS connections for every host of [`DOMAIN`], and leaves the certificate of its authority in `directory`.
pub(crate) fn acceptor(directory: &Path, protocol: Protocol) -> (TlsAcceptor, Protocol) {
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "bench authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    std::fs::write(directory.join(AUTHORITY), authority.pem()).expect("room in the temporary directory");

    let own = key();
    let names = [format!("*.{DOMAIN}"), DOMAIN.to_owned()];
    let params = CertificateParams::new(names).expect("host names");
    let certificate = params.signed_by(&own, &authority).expect("a certificate");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring can speak")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(own.serialize_der().into()))
        .expect("a certificate and its key");
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    (Arc::new(config).into(), protocol)
}

/// Answers every request of an HTTP/2 connection with 1 KB.
pub(crate) async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let body = Bytes::from(vec![b'x'; 1024]);
    let mut connection = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(stream)
        .await
        .map_err(io::Error::other)?;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request.map_err(io::Error::other)?;
        let head = Response::builder()
            .header("server", "bench")
            .header("date", "Thu, 01 Jan 2026 00:00:00 GMT")
            .header("content-type", "text/plain")
            .header("content-length", "1024")
            .header("etag", "\"6955b900-400\"")
            .body(())
            .expect("a valid head");
        let mut stream = respond.send_response(head, false).map_err(io::Error::other)?;
        stream.send_data(body.clone(), true).map_err(io::Error::other)?;
    }
    Ok(())
}
