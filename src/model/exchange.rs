//! An exchange: one request sent, one response or failure received (RFC 9110, section 3.4).

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, Version};

use super::{Body, Failure, Kept, Record, redact};

/// All that is known of one exchange when it is over.
///
/// `failure` alone: no response came. Both: the response head came, and its body failed. `response` alone: it came whole.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// When it left, on the wall clock.
    pub timestamp: SystemTime,
    /// How long its phases took.
    pub timing: Timing,
    /// The address of the peer (of the proxy, where there is one).
    pub remote_ip: Option<IpAddr>,
    /// Whether it ended while its connection was still being opened, so that nothing can be said of who would have answered.
    pub in_connect: bool,
    /// Set where a kept connection died under the request before anything came back (RFC 9112, section 9.3.1), or gave what
    /// belonged to another request, so that it can be sent anew, after this time, as if nothing had happened. The server may
    /// have seen it.
    pub resend: Option<Duration>,
    /// What came back.
    pub response: Option<Response>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// A response head, and what became of its body.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The protocol version that the response came in.
    pub version: Version,
    /// The header fields.
    pub headers: HeaderMap,
    /// The decoded body.
    pub body: Body,
    /// Bytes of the body on the wire, before decoding and without chunk framing.
    pub size_download: u64,
    /// Bytes of the body after decoding.
    pub size_decoded: u64,
    /// SHA-256 of the decoded body, where it was asked for.
    pub sha256: Option<[u8; 32]>,
    /// What was kept for the expectations of the line, where they need more than the above.
    pub kept: Option<Box<Kept>>,
}

/// How long after its start each phase of an exchange ended, as curl's `time_*` variables count.
///
/// A phase that did not take place (a kept connection was used) or cannot be measured truly is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// The name was looked up.
    pub namelookup: Option<Duration>,
    /// The TCP connection stood.
    pub connect: Option<Duration>,
    /// The TLS handshake was done.
    pub appconnect: Option<Duration>,
    /// The response head was there.
    pub starttransfer: Option<Duration>,
    /// All was over.
    pub total: Duration,
}

impl Exchange {
    /// An exchange that ended at once, without anything having been sent.
    pub fn unsent(timestamp: SystemTime, failure: Failure) -> Self {
        Self {
            timestamp,
            timing: Timing::default(),
            remote_ip: None,
            in_connect: false,
            resend: None,
            response: None,
            failure: Some(failure),
        }
    }

    /// A whole response without a body, for what only looks at heads.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn answered(status: u16, headers: HeaderMap) -> Self {
        let response = Response {
            status: StatusCode::from_u16(status).expect("a status"),
            version: Version::HTTP_11,
            headers,
            body: Body::Discarded,
            size_download: 0,
            size_decoded: 0,
            sha256: None,
            kept: None,
        };
        Self {
            timestamp: SystemTime::UNIX_EPOCH,
            timing: Timing::default(),
            remote_ip: None,
            in_connect: false,
            resend: None,
            response: Some(response),
            failure: None,
        }
    }

    /// The status of the response, if one came.
    pub fn status(&self) -> Option<StatusCode> {
        self.response.as_ref().map(|response| response.status)
    }

    /// Moves what this exchange brought into `record`, as the final one of its job.
    pub(crate) fn conclude(self, record: &mut Record) {
        record.remote_ip = self.remote_ip;
        record.time_namelookup = self.timing.namelookup;
        record.time_connect = self.timing.connect;
        record.time_appconnect = self.timing.appconnect;
        record.time_starttransfer = self.timing.starttransfer;
        record.error = self.failure;
        if let Some(response) = self.response {
            response.conclude(record);
        }
    }
}

impl Response {
    fn conclude(self, record: &mut Record) {
        record.status = Some(self.status.as_u16());
        record.http_version = Some(version_name(self.version).to_owned());
        record.size_download = Some(self.size_download);
        record.size_decoded = Some(self.size_decoded);
        record.sha256 = self.sha256.map(hex);
        match self.body {
            Body::Discarded => {}
            Body::Text(text) => record.body = Some(text),
            Body::Binary(bytes) => record.body_base64 = Some(super::Base64(bytes)),
            Body::File(path) => record.body_file = Some(path),
        }
        let headers = super::Headers(redact::response(self.headers));
        record.content_type = headers.get(http::header::CONTENT_TYPE).map(std::borrow::Cow::into_owned);
        record.headers = Some(headers);
    }
}

/// The version as curl's `http_version` writes it.
fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn hex(digest: [u8; 32]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every write");
        text
    })
}
