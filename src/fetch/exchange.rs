//! One exchange: a request is sent, and whatever comes of it is told.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpInfo;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::body::{Intake, Refused, Sink, Whole, Wire};
use super::classify::{self, Scene};
use super::connect::{Moments, Probe, Sockets};
use super::decode::{Codings, Undecodable};
use super::keep::{Kept, Place};
use super::limits::{Limits, Overdue};
use super::options::Bodies;
use super::proxy::ProxyRules;
use super::route::{Route, Routes};
use crate::model::{Body, Call, Exchange, Failure, FailureKind, Response, Timing};

/// Content codings that are asked for, best first.
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("gzip, br, zstd, deflate");

/// Most header fields of a response.
const MOST_HEADERS: usize = 100;

/// Times that a request is sent anew because a connection was gone before it could carry it.
const MOST_RESENDS: u32 = 2;

/// Most bytes of an unwanted body that are read so that its connection can be used again.
const MOST_DRAINED: u64 = 16 * 1024;

/// How long reading an unwanted body may take.
const DRAIN_TIME: Duration = Duration::from_millis(250);

/// Decoded bytes that are read at once.
const READ_SIZE: usize = 32 * 1024;

/// What all exchanges share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: reqwest::Client,
    pub(super) routes: Arc<Routes>,
    pub(super) proxies: Arc<ProxyRules>,
    pub(super) kept: Arc<Kept>,
    pub(super) read_timeout: Duration,
    pub(super) max_filesize: Option<u64>,
    pub(super) bodies: Bodies,
    pub(super) sha256: bool,
    /// The first body that could not be written.
    pub(super) output_error: OnceLock<String>,
}

/// Makes the exchange that `call` asks for.
pub(super) async fn exchange(shared: Arc<Shared>, call: Call) -> Exchange {
    let (timestamp, start) = (SystemTime::now(), Instant::now());
    let route = match shared.routes.route(&call.request.url, &shared.proxies) {
        Ok(route) => route,
        Err(failure) => return Exchange::unsent(timestamp, failure),
    };
    let target = match &route {
        Route::Direct => None,
        Route::Resolved(target) => Some(Arc::clone(target)),
        Route::Rewritten { target, .. } => target.clone(),
    };
    let talk = Talk { shared: &shared, call: &call, route: &route, start };
    let mut exchange =
        Exchange { timestamp, timing: Timing::default(), remote_ip: None, response: None, failure: None };
    Probe::new(target).watch(talk.fill(&mut exchange)).await;
    exchange.timing.total = start.elapsed();
    exchange
}

/// An exchange that goes on.
struct Talk<'a> {
    shared: &'a Shared,
    call: &'a Call,
    route: &'a Route,
    start: Instant,
}

impl Talk<'_> {
    async fn fill(&self, exchange: &mut Exchange) {
        let far = Duration::from_secs(30 * 365 * 86_400);
        let end = self.start + self.call.time_limit.min(far);
        let silence = self.shared.read_timeout.min(far);
        let timer = pin!(tokio::time::sleep_until(end.min(self.start + silence)));
        let mut limits = Limits::new(timer, end, silence);
        match self.head(&mut limits, exchange).await {
            Ok((head, place)) => self.body(&mut limits, exchange, head, place).await,
            Err(failure) => exchange.failure = Some(failure),
        }
    }

    /// Sends the request and waits for the head of the response.
    async fn head(
        &self,
        limits: &mut Limits<'_>,
        exchange: &mut Exchange,
    ) -> Result<(reqwest::Response, Option<Place>), Failure> {
        let mut resends = 0;
        loop {
            let place = self.shared.kept.place(&self.call.request.url);
            let request = self.request(place.is_some());
            let sent = limits.guard(self.shared.client.execute(request)).await;
            let dial = Probe::take_dial();
            let error = match sent {
                Ok(Ok(response)) => {
                    Probe::hear(0);
                    let sockets = response.extensions().get::<HttpInfo>().map(Sockets::of);
                    exchange.remote_ip = sockets.map(|sockets| sockets.remote.ip());
                    exchange.timing = self.timing(dial.filter(|dial| dial.sockets == sockets));
                    exchange.timing.starttransfer = Some(self.start.elapsed());
                    return Ok((response, place));
                }
                Ok(Err(error)) => error.without_url(),
                Err(overdue) => {
                    exchange.remote_ip = self.tried(dial.as_ref(), None);
                    exchange.timing = self.timing(dial.clone().filter(|dial| dial.own));
                    return Err(self.overdue(overdue, dial.as_ref(), false));
                }
            };
            let sockets = used(&error);
            if resends < MOST_RESENDS && self.may_resend(&error, dial.as_ref(), sockets) {
                resends += 1;
                continue;
            }
            exchange.remote_ip = self.tried(dial.as_ref(), sockets);
            let own = dial.clone().filter(|dial| dial.own && (dial.failed || dial.sockets == sockets));
            exchange.timing = self.timing(own);
            return Err(classify::failure(&error, &self.scene(dial, false)));
        }
    }

    /// The request, as the HTTP client takes it. It says `Connection: close` if the connection shall not be `kept`.
    fn request(&self, kept: bool) -> reqwest::Request {
        let asked = &self.call.request;
        let url = match self.route {
            Route::Rewritten { url, .. } => url.clone(),
            Route::Direct | Route::Resolved(_) => asked.url.clone(),
        };
        let mut request = reqwest::Request::new(asked.method.clone(), url);
        let headers = request.headers_mut();
        *headers = HeaderMap::clone(&asked.headers);
        // The length and framing of the request are the client's business: a wrong one would leave the server waiting.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        // A part of a coded body could not be decoded.
        if !headers.contains_key(header::RANGE) {
            headers.entry(header::ACCEPT_ENCODING).or_insert(ACCEPT_ENCODING);
        }
        if let Route::Rewritten { host, .. } = self.route {
            headers.entry(header::HOST).or_insert_with(|| host.clone());
        }
        if !kept {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        match &asked.body {
            Some(body) if !body.is_empty() => *request.body_mut() = Some(body.clone().into()),
            // RFC 9110, section 8.6: methods that expect content say that there is none.
            _ if matches!(asked.method, Method::POST | Method::PUT | Method::PATCH) => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            _ => {}
        }
        request
    }

    /// Whether the request can be sent anew as if nothing had happened: it was never sent, or a kept connection died under it
    /// before anything came back (RFC 9112, section 9.3.1).
    fn may_resend(&self, error: &reqwest::Error, dial: Option<&Moments>, sockets: Option<Sockets>) -> bool {
        if error.is_connect() {
            // The connection that it waited for was opened for another exchange, and failed there.
            return dial.is_none_or(|dial| !dial.failed);
        }
        let reused = sockets.is_some() && dial.is_none_or(|dial| dial.sockets != sockets);
        reused && self.call.request.method.is_idempotent() && is_gone(error)
    }

    /// Reads the body, if there is one and it is wanted.
    async fn body(
        &self,
        limits: &mut Limits<'_>,
        exchange: &mut Exchange,
        mut head: reqwest::Response,
        place: Option<Place>,
    ) {
        let (status, version) = (head.status(), head.version());
        let stays = version != Version::HTTP_10 && !says_close(head.headers());
        let mut whole = Whole { body: Body::Discarded, sha256: None };
        let mut size_decoded = 0;
        let content = self.content(&head);
        let headers = match content {
            Ok(Content::None) => {
                let headers = std::mem::take(head.headers_mut());
                if let Some(place) = place.filter(|_| stays) {
                    place.stay(version == Version::HTTP_2);
                }
                headers
            }
            Ok(Content::Unwanted) => {
                let headers = std::mem::take(head.headers_mut());
                let drained = drain(limits, head, &headers).await;
                if let Some(place) = place.filter(|_| stays && drained) {
                    place.stay(version == Version::HTTP_2);
                }
                headers
            }
            Ok(Content::Wanted(codings)) => {
                let headers = std::mem::take(head.headers_mut());
                let mut intake = self.intake(&headers);
                let read = if codings.are_none() {
                    self.read(limits, head, &headers, &mut intake).await
                } else {
                    Box::pin(self.read_coded(limits, head, codings, &mut intake)).await
                };
                size_decoded = intake.taken();
                let read = match read {
                    Ok(()) => intake.finish(&headers).await.map_err(Refused::Write),
                    Err(refused) => Err(refused),
                };
                match read {
                    Ok(read) => {
                        whole = read;
                        if let Some(place) = place.filter(|_| stays) {
                            place.stay(version == Version::HTTP_2);
                        }
                    }
                    Err(refused) => exchange.failure = Some(self.refused(refused)),
                }
                headers
            }
            Err(failure) => {
                exchange.failure = Some(failure);
                std::mem::take(head.headers_mut())
            }
        };
        exchange.response = Some(Response {
            status,
            version,
            headers,
            body: whole.body,
            size_download: Probe::received(),
            size_decoded,
            sha256: whole.sha256,
        });
    }

    /// What the head says of the body, or why it cannot be trusted.
    fn content(&self, head: &reqwest::Response) -> Result<Content, Failure> {
        let (status, headers) = (head.status(), head.headers());
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let message = "the server switched protocols (101), which was not asked for";
            return Err(Failure::new(FailureKind::HttpUnexpectedUpgrade, message));
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

    fn intake(&self, headers: &HeaderMap) -> Intake {
        let shared = self.shared;
        let sink = match &shared.bodies {
            Bodies::Inline => Sink::memory(),
            Bodies::Discard => Sink::Count,
            Bodies::Directory(directory) => {
                let content_type = headers.get(header::CONTENT_TYPE);
                Sink::file(directory, self.call.index, &self.call.request.url, content_type)
            }
        };
        Intake::new(sink, shared.max_filesize, shared.sha256)
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
            match limits.guard(head.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    Probe::hear(chunk.len());
                    intake.take(&chunk)?;
                    if intake.is_full() {
                        intake.relieve().await?;
                    }
                }
                Ok(Ok(None)) => return Ok(()),
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
                let failure = Failure::new(FailureKind::InternalError, message.clone());
                // Only the first is told; the others follow from it.
                let _ = self.shared.output_error.set(message);
                failure
            }
        }
    }

    fn overdue(&self, overdue: Overdue, dial: Option<&Moments>, in_body: bool) -> Failure {
        let during = match dial {
            Some(dial) if dial.finished.is_none() => "while the connection was being opened",
            _ if in_body => "in the body",
            _ => "before the response head was whole",
        };
        match overdue {
            Overdue::Exchange => {
                let limit = self.call.time_limit;
                Failure::new(FailureKind::AttemptTimeout, format!("the time of {limit:?} was over {during}"))
            }
            Overdue::Silence(silence) => {
                Failure::new(FailureKind::ReadTimeout, format!("no byte came for {silence:?} {during}"))
            }
        }
    }

    fn scene(&self, dial: Option<Moments>, in_body: bool) -> Scene<'_> {
        let url = &self.call.request.url;
        Scene { url, proxied: self.shared.proxies.intercept(url), dial, in_body }
    }

    /// The phases of the connection that this exchange opened and used.
    fn timing(&self, dial: Option<Moments>) -> Timing {
        let mut timing = Timing::default();
        let Some(dial) = dial else {
            return timing;
        };
        let since = |moment: Instant| moment.saturating_duration_since(self.start);
        let url = &self.call.request.url;
        let stood = dial.finished.filter(|_| !dial.failed);
        timing.namelookup = dial.looked_up.map(since);
        timing.appconnect = stood.filter(|_| url.scheme() == "https").map(since);
        // Through a proxy, only the whole of it can be seen.
        if !self.shared.proxies.intercept(url) {
            timing.connect = if url.scheme() == "https" { dial.secured } else { stood }.map(since);
        }
        timing
    }

    /// The address that was spoken to, or the only one that can have been tried.
    fn tried(&self, dial: Option<&Moments>, used: Option<Sockets>) -> Option<IpAddr> {
        if let Some(sockets) = used.or_else(|| dial.filter(|dial| dial.own).and_then(|dial| dial.sockets)) {
            return Some(sockets.remote.ip());
        }
        let dial = dial?;
        let url = match self.route {
            Route::Rewritten { url, .. } => url,
            Route::Direct | Route::Resolved(_) => &self.call.request.url,
        };
        if self.shared.proxies.intercept(url) {
            return None;
        }
        match (&*dial.addresses, url.host()?) {
            ([address], _) => Some(address.ip()),
            (_, url::Host::Ipv4(address)) => Some(address.into()),
            (_, url::Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        }
    }
}

/// What becomes of a body.
enum Content {
    /// There is none, by method or status (RFC 9112, section 6.3).
    None,
    /// It is that of a redirect which is followed.
    Unwanted,
    /// It is read and decoded.
    Wanted(Codings),
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

/// Both ends of the connection that a request failed on.
fn used(error: &reqwest::Error) -> Option<Sockets> {
    let error = error.source()?.downcast_ref::<legacy::Error>()?;
    error.connect_info().and_then(Sockets::connected)
}

/// Whether the connection was found to be gone.
fn is_gone(error: &reqwest::Error) -> bool {
    let mut link = error.source();
    while let Some(error) = link {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let kind = error.kind();
            return matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
        }
        link = error.source();
    }
    false
}
