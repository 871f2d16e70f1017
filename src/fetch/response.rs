//! What comes back: whether the head can be trusted, and the body that follows it.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use tokio::io::AsyncReadExt as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::body::{Intake, Refused, Sink, Wire, check_end};
use super::classify;
use super::connect::Probe;
use super::decode::{Codings, Undecodable};
use super::exchange::Talk;
use super::keep::Place;
use super::limits::Limits;
use super::options::Bodies;
use crate::model::{Body, Exchange, Failure, FailureKind, Kept, Needs, Response};

/// Most header fields of a response.
const MOST_HEADERS: usize = 100;

/// Most bytes of an unwanted body that are read so that its connection can be used again.
const MOST_DRAINED: u64 = 16 * 1024;

/// How long reading an unwanted body may take.
const DRAIN_TIME: Duration = Duration::from_millis(250);

/// Decoded bytes that are read at once.
const READ_SIZE: usize = 32 * 1024;

/// What becomes of a body.
enum Content {
    /// There is none, by method or status (RFC 9112, section 6.3).
    None,
    /// It is that of a redirect which is followed.
    Unwanted,
    /// It is read and decoded.
    Wanted(Codings),
}

impl Talk<'_> {
    /// Takes in the response that begins with `head`. The connection keeps its `place` if it can be used again.
    pub(super) async fn response(
        &self,
        limits: &mut Limits<'_>,
        exchange: &mut Exchange,
        mut head: reqwest::Response,
        place: Option<Place>,
    ) {
        let mut response = Response {
            status: head.status(),
            version: head.version(),
            headers: compact(std::mem::take(head.headers_mut())),
            body: Body::Discarded,
            size_download: 0,
            size_decoded: 0,
            sha256: None,
            kept: None,
        };
        if self.needs().certificate {
            let certificate_expires = head.extensions().get::<reqwest::tls::TlsInfo>().and_then(expiry);
            response.kept = Some(Box::new(Kept { certificate_expires, ..Kept::default() }));
        }
        let received = match self.content(&response) {
            Ok(Content::None) => Ok(true),
            Ok(Content::Unwanted) => Ok(drain(limits, head, &response.headers).await),
            Ok(Content::Wanted(codings)) => self.body(limits, head, codings, &mut response).await.map(|()| true),
            Err(failure) => Err(failure.into()),
        };
        response.size_download = Probe::received();
        match received {
            Ok(to_the_end) => {
                let stays = to_the_end && response.version != Version::HTTP_10 && !says_close(&response.headers);
                if let Some(place) = place.filter(|_| stays) {
                    place.stay(response.version == Version::HTTP_2);
                }
            }
            Err(refused) => exchange.failure = Some(self.refused(refused)),
        }
        exchange.response = Some(response);
    }

    /// What the head says of the body, or why it cannot be trusted.
    fn content(&self, response: &Response) -> Result<Content, Failure> {
        let (status, headers) = (response.status, &response.headers);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let message = "the server switched protocols (101), which was not asked for";
            return Err(Failure::new(FailureKind::HttpUnexpectedUpgrade, message));
        }
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED && self.shared.proxies.forwards(&self.call.request.url) {
            let message = "the proxy wants credentials (407)";
            return Err(Failure::new(FailureKind::ProxyAuth, message));
        }
        if headers.len() > MOST_HEADERS {
            let message = format!("the response has {} header fields, more than {MOST_HEADERS}", headers.len());
            return Err(Failure::new(FailureKind::HttpTooManyHeaders, message));
        }
        if self.call.request.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return Ok(Content::None);
        }
        check_framing(headers)?;
        if self.call.follows_redirects && is_redirect(status, headers) {
            return Ok(Content::Unwanted);
        }
        Codings::of(headers).map(Content::Wanted)
    }

    /// Reads the body of `head` into `response`.
    async fn body(
        &self,
        limits: &mut Limits<'_>,
        head: reqwest::Response,
        codings: Codings,
        response: &mut Response,
    ) -> Result<(), Refused> {
        let mut intake = self.intake(&response.headers);
        let read = if codings.are_none() {
            self.read(limits, head, &response.headers, &mut intake).await
        } else {
            // Most bodies are small and plain: their exchanges need not have room for this.
            Box::pin(self.read_coded(limits, head, codings, &mut intake)).await
        };
        response.size_decoded = intake.taken();
        read?;
        let taken = intake.finish(&response.headers).await?;
        (response.body, response.sha256) = (taken.body, taken.sha256);
        if taken.copy.is_some() {
            response.kept.get_or_insert_default().body = taken.copy;
        }
        Ok(())
    }

    fn intake(&self, headers: &HeaderMap) -> Intake {
        let sink = match &self.shared.bodies {
            Bodies::Inline => Sink::memory(),
            Bodies::Discard => Sink::Count,
            Bodies::Directory(directory) => {
                let content_type = headers.get(header::CONTENT_TYPE);
                Sink::file(directory, self.call.index, &self.call.request.url, content_type)
            }
        };
        let intake = Intake::new(sink, self.shared.max_filesize, self.shared.sha256);
        if self.needs().body { intake.with_copy() } else { intake }
    }

    /// What the expectations of the line have to look at.
    fn needs(&self) -> Needs {
        self.call.request.expect.as_ref().map_or_else(Needs::default, |expect| expect.needs())
    }

    /// Reads a body without codings.
    async fn read(
        &self,
        limits: &mut Limits<'_>,
        mut head: reqwest::Response,
        headers: &HeaderMap,
        intake: &mut Intake,
    ) -> Result<(), Refused> {
        if let Some(length) = content_length(headers) {
            intake.expect(length)?;
        }
        loop {
            let next = limits.guard(head.chunk()).await;
            match next {
                Ok(Ok(Some(chunk))) => {
                    Probe::hear(chunk.len());
                    intake.take(&chunk)?;
                    if intake.is_full() {
                        intake.relieve().await?;
                    }
                }
                Ok(Ok(None)) => {
                    let version = head.version();
                    let end = check_end(&http::Response::from(head).into_body(), version);
                    return end.map_err(|error| classify::failure(&error, &self.scene(None, true)).into());
                }
                Ok(Err(error)) => {
                    return Err(classify::failure(&error.without_url(), &self.scene(None, true)).into());
                }
                Err(overdue) => return Err(self.overdue(overdue, None, true).into()),
            }
        }
    }

    /// Reads a body with codings.
    async fn read_coded(
        &self,
        limits: &mut Limits<'_>,
        head: reqwest::Response,
        codings: Codings,
        intake: &mut Intake,
    ) -> Result<(), Refused> {
        let mut decoded = codings.undo(Wire::new(head));
        let mut buffer = Vec::with_capacity(READ_SIZE);
        loop {
            buffer.clear();
            match limits.guard(decoded.read_buf(&mut buffer)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(Ok(_)) => {
                    intake.take_decoded(&buffer)?;
                    if intake.is_full() {
                        intake.relieve().await?;
                    }
                }
                Ok(Err(error)) => return Err(self.undecoded(&error).into()),
                Err(overdue) => return Err(self.overdue(overdue, None, true).into()),
            }
        }
    }

    /// An error of the decoders, or of the wire below them.
    fn undecoded(&self, error: &io::Error) -> Failure {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Undecodable>()) {
            Some(undecodable) => Failure::new(undecodable.kind(), classify::clean(&undecodable.to_string())),
            None => classify::failure(error, &self.scene(None, true)),
        }
    }

    fn refused(&self, refused: Refused) -> Failure {
        match refused {
            Refused::Body(failure) => failure,
            Refused::Write(error) => {
                let message = error.to_string();
                // Only the first is told; the others follow from it.
                let _ = self.shared.output_error.set(message.clone());
                Failure::new(FailureKind::InternalError, message)
            }
        }
    }
}

/// Refuses lengths that can be understood in two ways (RFC 9112, sections 6.1 and 6.3), which the HTTP client lets pass.
fn check_framing(headers: &HeaderMap) -> Result<(), Failure> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        let message = format!("the transfer coding \"{}\" is not \"chunked\"", coding.as_bytes().escape_ascii());
        return Err(Failure::new(FailureKind::HttpUnsupportedTransferEncoding, message));
    }
    if headers.contains_key(header::CONTENT_LENGTH) {
        let message = "the response has a Content-Length and is chunked too";
        return Err(Failure::new(FailureKind::HttpAmbiguousLength, message));
    }
    Ok(())
}

/// Copies the values into one piece of memory of their own. As they come, each keeps the read buffer of its connection alive,
/// which is many times as large, for as long as its record waits to be written.
fn compact(mut headers: HeaderMap) -> HeaderMap {
    let mut copy = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| copy.extend_from_slice(value.as_bytes()));
    let mut rest = copy.freeze();
    for value in headers.values_mut() {
        let own = rest.split_to(value.len());
        *value = HeaderValue::from_maybe_shared(own).expect("it has been a header value before");
    }
    headers
}

/// When the certificate of the peer expires; `None` also if it cannot be read.
fn expiry(tls: &reqwest::tls::TlsInfo) -> Option<SystemTime> {
    let certificate = Certificate::from_der(tls.peer_certificate()?).ok()?;
    Some(SystemTime::UNIX_EPOCH + certificate.tbs_certificate().validity().not_after.to_unix_duration())
}

fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && headers.contains_key(header::LOCATION)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        value.as_bytes().split(|&byte| byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// Reads a body that nobody wants, if that is soon done, so that its connection can be used again. Says whether it was.
async fn drain(limits: &mut Limits<'_>, mut head: reqwest::Response, headers: &HeaderMap) -> bool {
    if content_length(headers).is_none_or(|length| length > MOST_DRAINED) {
        return false;
    }
    let all = async {
        while let Some(chunk) = head.chunk().await? {
            Probe::hear(chunk.len());
        }
        Ok::<_, reqwest::Error>(())
    };
    matches!(limits.guard(tokio::time::timeout(DRAIN_TIME, all)).await, Ok(Ok(Ok(()))))
}
