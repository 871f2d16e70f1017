//! From the error chain of the HTTP client to a failure kind and a message for a person.
//!
//! Types decide. Text decides only where a library keeps its type to itself; each such place says so.

use std::error::Error;
use std::io;
use std::time::Duration;

use h2::Reason;
use hyper_util::client::legacy;
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};
use url::Url;

use super::client::MOST_PARSED_HEADERS;
use super::connect::{ConnectTimeout, Moments, Stage};
use super::name_servers::LookupError;
use crate::model::{Failure, FailureKind, Phase, escape};

/// EMFILE and ENFILE: no file descriptor is left, in this process or on this machine. The standard library has no kind for them.
const OUT_OF_DESCRIPTORS: [i32; 2] = [24, 23];

/// Where an error came up.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// The URL of the request.
    pub(super) url: &'a Url,
    /// Whether it goes through a proxy.
    pub(super) proxied: bool,
    /// Whether the proxy asks for it itself, so that it is the proxy that answers.
    pub(super) forwarded: bool,
    /// The connection that was opened for it, if one was.
    pub(super) dial: Option<Moments>,
    /// Whether the head had already come.
    pub(super) in_body: bool,
}

/// What `error` means.
pub(super) fn failure(error: &(dyn Error + 'static), scene: &Scene<'_>) -> Failure {
    let opening = chain(error).any(|link| link.downcast_ref().is_some_and(legacy::Error::is_connect));
    let seen = Seen { scene, opening };
    let (kind, message) = seen.walk(error).unwrap_or_else(|| seen.unknown(error));
    let (kind, message) = seen.blame_proxy(kind, message);
    Failure::new(kind, clean(&message))
}

/// Whether no file descriptor is left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| OUT_OF_DESCRIPTORS.contains(&code))
}

/// Text in which nothing can act on a terminal.
pub(super) fn clean(text: &str) -> String {
    escape(text).into_owned()
}

/// An error and what caused it, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

type Meaning = (FailureKind, String);

/// A scene, and whether the connection was still being opened.
struct Seen<'a> {
    scene: &'a Scene<'a>,
    opening: bool,
}

impl Seen<'_> {
    fn walk(&self, error: &(dyn Error + 'static)) -> Option<Meaning> {
        chain(error).find_map(|link| self.recognise(link))
    }

    fn recognise(&self, error: &(dyn Error + 'static)) -> Option<Meaning> {
        if let Some(error) = error.downcast_ref::<LookupError>() {
            return Some(self.lookup(error));
        }
        if let Some(error) = error.downcast_ref::<ConnectTimeout>() {
            return Some(self.connect_timeout(error));
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(self.tls(error));
        }
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return self.http2(error);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return self.http1(error);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return self.io(error);
        }
        if error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_builder) {
            return Some((FailureKind::UrlInvalid, "the URL cannot be asked for over HTTP".into()));
        }
        proxy(error)
    }

    /// A proxy's name, or that of the URL, which is looked up here also for a proxy of the scheme `socks5`.
    fn lookup(&self, error: &LookupError) -> Meaning {
        let is_of_proxy = self.scene.proxied && self.scene.url.host_str() != Some(&error.host);
        if is_of_proxy && error.kind.phase() == Phase::Dns && error.kind != FailureKind::DnsTimeout {
            return (FailureKind::ProxyConnect, format!("the proxy: {error}"));
        }
        (error.kind, error.to_string())
    }

    fn connect_timeout(&self, error: &ConnectTimeout) -> Meaning {
        let (limit, peer) = (error.limit, self.peer());
        match error.stage {
            Stage::Tcp | Stage::Tls if self.scene.proxied => {
                (FailureKind::ConnectTimeout, format!("no connection through the proxy within {limit:?}"))
            }
            Stage::Lookup => (FailureKind::DnsTimeout, format!("no answer from the name server within {limit:?}")),
            Stage::Tcp => (FailureKind::ConnectTimeout, format!("no connection to {peer} within {limit:?}")),
            Stage::Tls => {
                (FailureKind::ConnectTimeout, format!("the TLS handshake with {peer} was not done within {limit:?}"))
            }
        }
    }

    fn io(&self, error: &io::Error) -> Option<Meaning> {
        use io::ErrorKind;

        // `source` of an I/O error passes over the error that it was made from.
        if let Some(found) = error.get_ref().and_then(|inner| self.walk(inner)) {
            return Some(found);
        }
        if is_out_of_descriptors(error) {
            return Some((FailureKind::LocalFdExhausted, format!("this process has no file descriptor left: {error}")));
        }
        let peer = self.peer();
        let meaning = match error.kind() {
            ErrorKind::ConnectionRefused => (FailureKind::ConnectRefused, format!("connection refused by {peer}")),
            ErrorKind::AddrNotAvailable if self.only_ipv6() => {
                (FailureKind::ConnectUnreachable, format!("this machine has no IPv6 address to reach {peer} from"))
            }
            ErrorKind::AddrNotAvailable => {
                (FailureKind::LocalPortExhausted, format!("this machine has no local port left to reach {peer} from"))
            }
            ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::PermissionDenied
            | ErrorKind::Unsupported
                if self.opening =>
            {
                (FailureKind::ConnectUnreachable, format!("{peer} cannot be reached: {error}"))
            }
            ErrorKind::TimedOut if self.opening => {
                (FailureKind::ConnectTimeout, format!("no connection to {peer}: {error}"))
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe if self.opening => {
                (FailureKind::ConnectReset, format!("{peer} reset the connection {}", self.moment()))
            }
            // So h2 says that the connection was closed; the system's own error has a number.
            ErrorKind::BrokenPipe if error.raw_os_error().is_none() => self.closed(),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::TimedOut => {
                (FailureKind::Reset, format!("the connection to {peer} broke {}: {error}", self.moment()))
            }
            ErrorKind::UnexpectedEof => self.closed(),
            // hyper tells of bad chunks with these kinds.
            ErrorKind::InvalidData | ErrorKind::InvalidInput if self.scene.in_body => {
                (FailureKind::HttpParse, format!("the chunks of the body are malformed: {error}"))
            }
            _ => return None,
        };
        Some(meaning)
    }

    /// The connection was closed where it must not be.
    fn closed(&self) -> Meaning {
        let peer = self.peer();
        if self.opening {
            return (FailureKind::TlsHandshake, format!("{peer} closed the connection {}", self.moment()));
        }
        if self.scene.in_body {
            return (FailureKind::BodyTruncated, format!("{peer} closed the connection before the body was whole"));
        }
        // hyper does not tell whether the head had begun, and does not let count.
        (FailureKind::HttpEmptyReply, format!("{peer} closed the connection without a whole reply"))
    }

    /// The connection ended with the request still waiting for it; hyper does not tell the request why.
    fn unsent(&self) -> Meaning {
        if self.scene.in_body {
            return self.closed();
        }
        let message = format!("the connection to {} ended before the request could be sent", self.peer());
        (FailureKind::HttpEmptyReply, message)
    }

    fn http1(&self, error: &hyper::Error) -> Option<Meaning> {
        if error.is_parse() {
            let text = error.to_string();
            // hyper's client keeps the kind of a parse error to itself.
            let kind = if text.contains("too large") {
                // Of what there is too much, it does not tell.
                let message = format!(
                    "the response head is too large: more than {MOST_PARSED_HEADERS} header fields, about 400 KiB, or a \
                     Content-Length that nothing can have"
                );
                return Some((FailureKind::HttpHeaderTooLarge, message));
            } else if text.contains("content-length") {
                FailureKind::HttpAmbiguousLength
            } else if text.contains("transfer-encoding") {
                FailureKind::HttpUnsupportedTransferEncoding
            } else {
                FailureKind::HttpParse
            };
            return Some((kind, format!("{} does not answer in HTTP/1.x: {text}", self.peer())));
        }
        if error.is_incomplete_message() {
            return Some(self.closed());
        }
        if error.is_canceled() || error.is_closed() {
            return error.source().and_then(|source| self.walk(source)).or_else(|| Some(self.unsent()));
        }
        // hyper has no question for this kind.
        if error.to_string().contains("unexpected message") {
            let message = format!("{} sent something that was not asked for", self.peer());
            return Some((FailureKind::HttpParse, message));
        }
        None
    }

    fn http2(&self, error: &h2::Error) -> Option<Meaning> {
        if let Some(error) = error.get_io() {
            return self.io(error);
        }
        let reason = error.reason()?;
        let kind = match reason {
            Reason::REFUSED_STREAM => FailureKind::H2Refused,
            _ if error.is_go_away() && error.is_remote() => FailureKind::H2Goaway,
            Reason::NO_ERROR | Reason::CANCEL | Reason::INTERNAL_ERROR | Reason::CONNECT_ERROR if error.is_remote() => {
                FailureKind::Reset
            }
            _ => FailureKind::H2Protocol,
        };
        Some((kind, format!("HTTP/2 with {}: {error} {}", self.peer(), self.moment())))
    }

    fn tls(&self, error: &rustls::Error) -> Meaning {
        use rustls::Error as Tls;

        let peer = self.peer();
        match error {
            Tls::InvalidCertificate(error) => certificate(error, self.scene.url),
            Tls::AlertReceived(AlertDescription::ProtocolVersion)
            | Tls::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => (FailureKind::TlsProtocolVersion, format!("{peer} speaks neither TLS 1.2 nor TLS 1.3")),
            Tls::AlertReceived(AlertDescription::CertificateRequired) => {
                (FailureKind::TlsClientCertRequired, format!("{peer} wants a client certificate"))
            }
            // A client's alert would be about the server's certificate; a server's is about the client's.
            Tls::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied),
            ) => {
                let message = format!("{peer} wants another client certificate (TLS alert {alert:?})");
                (FailureKind::TlsClientCertRequired, message)
            }
            Tls::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
                (FailureKind::TlsHandshake, format!("{peer} does not speak TLS there; is it plain HTTP?"))
            }
            error => (FailureKind::TlsHandshake, format!("TLS with {peer} failed: {error}")),
        }
    }

    /// What no type and no kind names.
    fn unknown(&self, error: &(dyn Error + 'static)) -> Meaning {
        let text = chain(error).last().unwrap_or(error).to_string();
        let kind = match &self.scene.dial {
            Some(dial) if self.opening && dial.stage == Stage::Tls => FailureKind::TlsHandshake,
            _ if self.opening => FailureKind::ConnectUnreachable,
            _ if self.scene.in_body => FailureKind::BodyTruncated,
            _ => FailureKind::HttpIncomplete,
        };
        (kind, format!("{} {}: {text}", self.peer(), self.moment()))
    }

    /// Until a connection through a proxy stands, it is the proxy that fails. A limit of time or of this machine is not its fault.
    fn blame_proxy(&self, kind: FailureKind, message: String) -> Meaning {
        let blamed = self.scene.proxied
            && kind.phase() == Phase::Connect
            && !matches!(kind, FailureKind::ConnectTimeout | FailureKind::ProxyAuth | FailureKind::ProxyConnect);
        if blamed { (FailureKind::ProxyConnect, format!("the proxy: {message}")) } else { (kind, message) }
    }

    /// Who is at the other end, as far as that is known.
    fn peer(&self) -> String {
        if self.scene.forwarded || self.scene.proxied && self.opening {
            return "the proxy".into();
        }
        let host = self.scene.url.host_str().unwrap_or_default();
        let port = self.scene.url.port_or_known_default().unwrap_or_default();
        match self.scene.dial.as_ref().map(|dial| &*dial.addresses) {
            Some([address]) if !self.scene.proxied => format!("{host}:{port} ({})", address.ip()),
            _ => format!("{host}:{port}"),
        }
    }

    fn moment(&self) -> &'static str {
        match &self.scene.dial {
            Some(dial) if self.opening && dial.stage == Stage::Tls => "in the TLS handshake",
            _ if self.opening => "while it was being opened",
            _ if self.scene.in_body => "in the body",
            _ => "before the response head was whole",
        }
    }

    fn only_ipv6(&self) -> bool {
        match self.scene.dial.as_ref().map(|dial| &*dial.addresses) {
            Some([]) | None => matches!(self.scene.url.host(), Some(url::Host::Ipv6(_))),
            Some(addresses) => addresses.iter().all(std::net::SocketAddr::is_ipv6),
        }
    }
}

/// Errors of tunnels and SOCKS handshakes: hyper-util exports no type of theirs, so their text must do.
fn proxy(error: &(dyn Error + 'static)) -> Option<Meaning> {
    let text = error.to_string();
    if let Some(problem) = text.strip_prefix("tunnel error: ") {
        return match problem {
            "proxy authorization required" => {
                Some((FailureKind::ProxyAuth, "the proxy wants credentials (407)".into()))
            }
            // What is below says more.
            "failed to create underlying connection" | "io error establishing tunnel" => None,
            "unsuccessful" => Some((FailureKind::ProxyConnect, "the proxy refused to connect".into())),
            problem => Some((FailureKind::ProxyConnect, format!("the proxy: {problem}"))),
        };
    }
    let problem = text.strip_prefix("SOCKS error: ")?;
    let kind = if problem.contains("authentication") || problem.contains("credentials") {
        FailureKind::ProxyAuth
    } else {
        FailureKind::ProxyConnect
    };
    Some((kind, format!("the SOCKS proxy: {problem}")))
}

fn certificate(error: &CertificateError, url: &Url) -> Meaning {
    let days = |later: Duration, earlier: Duration| match later.saturating_sub(earlier).as_secs() / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let since_epoch = |time: &rustls::pki_types::UnixTime| Duration::from_secs(time.as_secs());
    match error {
        CertificateError::Expired => (FailureKind::TlsCertExpired, "the certificate has expired".into()),
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = days(since_epoch(time), since_epoch(not_after));
            (FailureKind::TlsCertExpired, format!("the certificate expired {ago} ago"))
        }
        CertificateError::NotValidYet => (FailureKind::TlsCertNotYetValid, "the certificate is not valid yet".into()),
        CertificateError::NotValidYetContext { time, not_before } => {
            let ahead = days(since_epoch(not_before), since_epoch(time));
            (FailureKind::TlsCertNotYetValid, format!("the certificate is valid only in {ahead}"))
        }
        CertificateError::Revoked => (FailureKind::TlsCertRevoked, "the certificate was revoked".into()),
        CertificateError::NotValidForName => {
            let host = url.host_str().unwrap_or_default();
            (FailureKind::TlsCertNameMismatch, format!("the certificate is not for {host}"))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            let message = format!("the certificate is not for {} but for {names}", expected.to_str());
            (FailureKind::TlsCertNameMismatch, message)
        }
        CertificateError::UnknownIssuer => {
            (FailureKind::TlsCertUntrusted, "the certificate is not signed by a trusted root".into())
        }
        CertificateError::BadEncoding => (FailureKind::TlsHandshake, "the certificate is malformed".into()),
        CertificateError::Other(error) => {
            let problem = match error.0.to_string() {
                // rustls keeps this error to itself, so its text must do.
                text if text == "CaUsedAsEndEntity" => {
                    "it is that of an authority (CA:TRUE), and a server needs one of its own (CA:FALSE)".into()
                }
                text => text,
            };
            (FailureKind::TlsCertUntrusted, format!("the certificate is not trusted: {problem}"))
        }
        error => (FailureKind::TlsCertUntrusted, format!("the certificate is not trusted: {error}")),
    }
}
