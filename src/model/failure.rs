//! Why a job has no usable response: a closed set of kinds with stable names, and what follows from each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest [`Failure::message`], in bytes.
const MESSAGE_LIMIT: usize = 512;

/// Where on its way an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The line could not be made into a request.
    Input,
    /// Looking the host name up.
    Dns,
    /// Opening the connection, through a proxy or not.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request and reading the response head.
    Http,
    /// Reading and decoding the response body.
    Body,
    /// Following a redirect.
    Redirect,
    /// A limit of ours ended the job.
    Policy,
    /// This machine lacked something; the URL is not to blame.
    Local,
}

/// Declares [`FailureKind`] with its stable name, phase and whether a retry can help, so that a kind cannot lack one of them.
macro_rules! failure_kinds {
    ($( $(#[doc = $doc:expr])+ $variant:ident, $name:literal, $phase:ident, $transient:literal; )+) => {
        /// Why a job has no usable response. Names are stable and published in the record's schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum FailureKind {
            $( $(#[doc = $doc])+ #[serde(rename = $name)] $variant, )+
        }

        impl FailureKind {
            /// Every kind, in the order of the phases.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The stable name, as it stands in a record.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// Where on its way the exchange failed.
            pub const fn phase(self) -> Phase {
                match self { $( Self::$variant => Phase::$phase, )+ }
            }

            /// Whether the same request may well succeed a little later, so that a retry makes sense.
            pub const fn is_transient(self) -> bool {
                match self { $( Self::$variant => $transient, )+ }
            }
        }
    };
}

failure_kinds! {
    /// The line is longer than 64 KiB; it was skipped to its end. Not transient. Shorten the line.
    InputTooLong, "input_too_long", Input, false;
    /// The line has a NUL byte. Not transient. Is the file really text?
    InputNul, "input_nul", Input, false;
    /// The line is not UTF-8. Not transient, never fetched lossily; the raw bytes are in the record. Convert the list.
    InputInvalidUtf8, "input_invalid_utf8", Input, false;
    /// The line is not what the format promises (bad JSON, no `url`, a header with a line break). Not transient. Correct the line.
    InputMalformed, "input_malformed", Input, false;
    /// The URL does not parse. Not transient. Correct the line.
    UrlInvalid, "url_invalid", Input, false;
    /// The URL has no scheme. Not transient. Write `https://` before it.
    UrlMissingScheme, "url_missing_scheme", Input, false;
    /// The scheme is not `http` or `https`. Not transient.
    UrlUnsupportedScheme, "url_unsupported_scheme", Input, false;
    /// The URL has no host. Not transient.
    UrlMissingHost, "url_missing_host", Input, false;
    /// The port is not a number from 1 to 65535. Not transient.
    UrlInvalidPort, "url_invalid_port", Input, false;
    /// The URL is longer than 65,534 bytes. Not transient.
    UrlTooLong, "url_too_long", Input, false;
    /// The address is not allowed by the options. Not transient.
    UrlBlocked, "url_blocked", Input, false;

    /// The name does not exist (NXDOMAIN). Not transient. Check the spelling.
    DnsNotFound, "dns_not_found", Dns, false;
    /// The name exists but has no address of the wanted family. Not transient.
    DnsNoRecords, "dns_no_records", Dns, false;
    /// The name server failed (SERVFAIL, REFUSED) or could not be reached. Transient.
    DnsServfail, "dns_servfail", Dns, true;
    /// The name server did not answer in time. Transient.
    DnsTimeout, "dns_timeout", Dns, true;

    /// Nobody listens at the address. Transient: the server may be restarting.
    ConnectRefused, "connect_refused", Connect, true;
    /// The connection was not established within `--connect-timeout`. Transient.
    ConnectTimeout, "connect_timeout", Connect, true;
    /// There is no route to the host or network. Transient.
    ConnectUnreachable, "connect_unreachable", Connect, true;
    /// The peer reset the connection while it was being opened. Transient.
    ConnectReset, "connect_reset", Connect, true;
    /// The proxy could not be reached or refused to connect. Transient.
    ProxyConnect, "proxy_connect", Connect, true;
    /// The proxy wants credentials (407). Not transient. Give them in the proxy URL.
    ProxyAuth, "proxy_auth", Connect, false;

    /// The TLS handshake failed for a reason that no other kind names. Not transient.
    TlsHandshake, "tls_handshake", Tls, false;
    /// The server's certificate is past its date. Not transient.
    TlsCertExpired, "tls_cert_expired", Tls, false;
    /// The server's certificate is not valid yet. Not transient. Is this machine's clock right?
    TlsCertNotYetValid, "tls_cert_not_yet_valid", Tls, false;
    /// The server's certificate is not signed by a trusted root. Not transient. `--cacert` adds a root.
    TlsCertUntrusted, "tls_cert_untrusted", Tls, false;
    /// The server's certificate is for other names. Not transient.
    TlsCertNameMismatch, "tls_cert_name_mismatch", Tls, false;
    /// The server's certificate was revoked. Not transient.
    TlsCertRevoked, "tls_cert_revoked", Tls, false;
    /// The server and this program share no TLS version (1.2 and 1.3 are spoken). Not transient.
    TlsProtocolVersion, "tls_protocol_version", Tls, false;
    /// The server wants a client certificate. Not transient. `--cert` and `--key` give one.
    TlsClientCertRequired, "tls_client_cert_required", Tls, false;

    /// The server closed the connection without a whole response head, mostly without a byte of it. Transient.
    HttpEmptyReply, "http_empty_reply", Http, true;
    /// The connection ended inside the response head. Transient.
    HttpIncomplete, "http_incomplete", Http, true;
    /// The reply is not HTTP. Not transient.
    HttpParse, "http_parse", Http, false;
    /// The response head is too large. Not transient.
    HttpHeaderTooLarge, "http_header_too_large", Http, false;
    /// The response has more than 100 header fields. Not transient.
    HttpTooManyHeaders, "http_too_many_headers", Http, false;
    /// The response gives its length in two ways that disagree. Not transient: it may be an attack (RFC 9112, section 6.3).
    HttpAmbiguousLength, "http_ambiguous_length", Http, false;
    /// The response has a Transfer-Encoding other than `chunked`. Not transient.
    HttpUnsupportedTransferEncoding, "http_unsupported_transfer_encoding", Http, false;
    /// The server switched protocols (101) unasked. Not transient.
    HttpUnexpectedUpgrade, "http_unexpected_upgrade", Http, false;
    /// The peer reset the connection after it was open. Transient.
    Reset, "reset", Http, true;
    /// The peer broke the rules of HTTP/2. Not transient.
    H2Protocol, "h2_protocol", Http, false;
    /// The HTTP/2 connection was shut down with the request on it. Transient.
    H2Goaway, "h2_goaway", Http, true;
    /// The server refused the HTTP/2 stream before processing it. Transient, and safe for every method (RFC 9113, section 8.7).
    H2Refused, "h2_refused", Http, true;

    /// The body ended before its announced end. Transient.
    BodyTruncated, "body_truncated", Body, true;
    /// The decoded body is larger than `--max-filesize`. Not transient.
    BodyTooLarge, "body_too_large", Body, false;
    /// The body grows more than 200 times when it is decoded, as only bombs do. Not transient.
    BodyRatioExceeded, "body_ratio_exceeded", Body, false;
    /// The body does not decode with its Content-Encoding. Not transient.
    ContentDecoding, "content_decoding", Body, false;
    /// The Content-Encoding is not one of gzip, br, zstd, deflate. Not transient.
    UnsupportedContentEncoding, "unsupported_content_encoding", Body, false;
    /// No byte arrived for `--read-timeout`. Transient.
    ReadTimeout, "read_timeout", Body, true;

    /// A redirect led back to a request of the same chain. Not transient.
    RedirectLoop, "redirect_loop", Redirect, false;
    /// More redirects than `--max-redirs`. Not transient.
    RedirectLimit, "redirect_limit", Redirect, false;
    /// The Location is empty, is given several times in different forms, or does not parse. Not transient.
    RedirectInvalidLocation, "redirect_invalid_location", Redirect, false;
    /// The Location is not `http` or `https`. Not transient.
    RedirectScheme, "redirect_scheme", Redirect, false;
    /// A redirect from `https` to `http` of a request that carries a credential. Not transient.
    RedirectDowngrade, "redirect_downgrade", Redirect, false;
    /// A redirect to an address that the options do not allow. Not transient.
    RedirectBlocked, "redirect_blocked", Redirect, false;

    /// One attempt took longer than `--max-time`. Transient.
    AttemptTimeout, "attempt_timeout", Policy, true;
    /// The line's time, `--retry-max-time`, ended while it waited. Not transient.
    TotalTimeout, "total_timeout", Policy, false;
    /// The server asked for a longer wait than `--max-retry-after`. Not transient within this run.
    RateLimited, "rate_limited", Policy, false;
    /// The origin failed so often that it is left alone for a while. Not transient within this run.
    HostCircuitOpen, "host_circuit_open", Policy, false;
    /// The run was stopped before this line was done. Run it again.
    Canceled, "canceled", Policy, false;
    /// A fault of this program. Please report it.
    InternalError, "internal_error", Policy, false;

    /// This process has no file descriptor left. Raise `ulimit -n` or lower `--concurrency`.
    LocalFdExhausted, "local_fd_exhausted", Local, true;
    /// This machine has no free local port. Lower `--concurrency` or wait.
    LocalPortExhausted, "local_port_exhausted", Local, true;
}

impl FailureKind {
    /// Whether the request certainly never reached the server, so that even a POST may be sent again (RFC 9110, section 9.2.2).
    pub const fn is_provably_unsent(self) -> bool {
        matches!(self.phase(), Phase::Input | Phase::Dns | Phase::Connect | Phase::Tls | Phase::Local)
            || matches!(self, Self::H2Refused)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed exchange or job, as data: the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// What happened, by its stable name.
    pub kind: FailureKind,
    /// Where it happened; follows from the kind.
    pub phase: Phase,
    /// For a person: clean text of at most 512 bytes, without a secret in it.
    pub message: String,
}

impl Failure {
    /// A failure of `kind`; the message is cut to 512 bytes at a character boundary.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_LIMIT));
        Self { kind, phase: kind.phase(), message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character_boundary() {
        let failure = Failure::new(FailureKind::HttpParse, "é".repeat(400));
        assert_eq!(failure.message, "é".repeat(256));
    }

    #[test]
    fn the_name_in_json_is_the_name_of_the_kind() {
        for kind in FailureKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a kind is a string"), kind.name());
        }
    }
}
