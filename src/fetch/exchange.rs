//! One exchange: a request is sent, and whatever comes of it is told.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, header};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, HttpInfo};
use tokio::time::Instant;
use tracing::{debug, field};
use url::Url;

use super::classify::{self, Scene};
use super::connect::{Moments, Probe, Sockets};
use super::keep::{Kept, Place};
use super::limits::{Limits, Overdue};
use super::options::Bodies;
use super::proxy::ProxyRules;
use super::route::{Route, Routes};
use crate::model::{Call, Exchange, Failure, FailureKind, Timing, redacted};

/// Content codings that are asked for, best first.
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("gzip, br, zstd, deflate");

/// What is added to a moment must not overflow; a longer limit is none.
const FOREVER: Duration = Duration::from_hours(30 * 365 * 24);

/// Times that a connection is waited for anew because the one that was waited for failed for another exchange.
const MOST_REOPENED: u32 = 2;

/// The longest wait before a request is sent anew whose connection others shared.
const MOST_SCATTER: Duration = Duration::from_millis(100);

/// What all exchanges share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: reqwest::Client,
    pub(super) routes: Arc<Routes>,
    pub(super) proxies: Arc<ProxyRules>,
    pub(super) kept: Arc<Kept>,
    /// Whether HTTP/2 is spoken without being negotiated.
    pub(super) http2_only: bool,
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
    let mut exchange = Exchange {
        timestamp,
        timing: Timing::default(),
        remote_ip: None,
        in_connect: false,
        resend: None,
        response: None,
        failure: None,
    };
    let proxied = shared.proxies.intercept(&call.request.url);
    Probe::new(target, proxied).watch(talk.fill(&mut exchange)).await;
    exchange.timing.total = start.elapsed();
    debug!(
        method = %call.request.method,
        url = %redacted(&call.request.url),
        status = exchange.response.as_ref().map(|response| response.status.as_u16()),
        failure = exchange.failure.as_ref().map(|failure| field::display(failure.kind)),
        time = ?exchange.timing.total,
        "exchange"
    );
    exchange
}

/// An exchange that goes on.
pub(super) struct Talk<'a> {
    pub(super) shared: &'a Shared,
    pub(super) call: &'a Call,
    route: &'a Route,
    start: Instant,
}

impl Talk<'_> {
    async fn fill(&self, exchange: &mut Exchange) {
        let end = self.start + self.call.time_limit.min(FOREVER);
        let silence = self.shared.read_timeout.min(FOREVER);
        let timer = pin!(tokio::time::sleep_until(end.min(self.start + silence)));
        let mut limits = Limits::new(timer, end, silence);
        match self.head(&mut limits, exchange).await {
            Ok((head, place)) => self.response(&mut limits, exchange, head, place).await,
            Err(failure) => exchange.failure = Some(failure),
        }
    }

    /// Sends the request and waits for the head of the response.
    async fn head(
        &self,
        limits: &mut Limits<'_>,
        exchange: &mut Exchange,
    ) -> Result<(reqwest::Response, Option<Place>), Failure> {
        let mut reopened = 0;
        loop {
            let place = self.shared.kept.place(self.sent_url());
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
                    exchange.in_connect = dial.as_ref().is_some_and(|dial| dial.finished.is_none());
                    return Err(self.overdue(overdue, dial.as_ref(), false));
                }
            };
            let sockets = used(&error);
            // All that a shared connection carried are lost at once, and would come back at once.
            let most = if self.was_shared(&error) { MOST_SCATTER } else { Duration::ZERO };
            let scatter = most.mul_f64(fastrand::f64());
            if error.is_connect() && reopened < MOST_REOPENED && is_of_another(dial.as_ref()) {
                reopened += 1;
                let pause = limits.guard(tokio::time::sleep(scatter)).await;
                pause.map_err(|overdue| self.overdue(overdue, None, false))?;
                continue;
            }
            exchange.resend = self.may_resend(&error, dial.as_ref(), sockets).then_some(scatter);
            exchange.remote_ip = self.tried(dial.as_ref(), sockets);
            let own = dial.clone().filter(|dial| dial.own && (dial.failed || dial.sockets == sockets));
            exchange.timing = self.timing(own);
            return Err(classify::failure(&error, &self.scene(dial, false)));
        }
    }

    /// The request, as the HTTP client takes it. It says `Connection: close` if the connection shall not be `kept`.
    fn request(&self, kept: bool) -> reqwest::Request {
        let asked = &self.call.request;
        let mut request = reqwest::Request::new(asked.method.clone(), self.sent_url().clone());
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

    /// The URL that the HTTP client is given.
    fn sent_url(&self) -> &Url {
        match self.route {
            Route::Rewritten { url, .. } => url,
            Route::Direct | Route::Resolved(_) => &self.call.request.url,
        }
    }

    /// Whether the request can be sent anew as if nothing had happened: a kept connection died under it before anything came
    /// back (RFC 9112, section 9.3.1), or gave what belonged to another request.
    fn may_resend(&self, error: &reqwest::Error, dial: Option<&Moments>, sockets: Option<Sockets>) -> bool {
        let reused = sockets.is_some() && dial.is_none_or(|dial| dial.sockets != sockets);
        !error.is_connect() && reused && self.call.request.method.is_idempotent() && is_useless(error)
    }

    /// Whether the connection that failed may have carried other exchanges too, as those of HTTP/2 do.
    fn was_shared(&self, error: &reqwest::Error) -> bool {
        self.shared.http2_only || connected(error).is_some_and(Connected::is_negotiated_h2)
    }

    /// The failure that a time limit makes.
    pub(super) fn overdue(&self, overdue: Overdue, dial: Option<&Moments>, in_body: bool) -> Failure {
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
            // The HTTP client tells of a head only when it is whole.
            Overdue::Silence(silence) => {
                let what = if in_body { "no byte" } else { "nothing whole" };
                Failure::new(FailureKind::ReadTimeout, format!("{what} came for {silence:?} {during}"))
            }
        }
    }

    /// The scene of an error.
    pub(super) fn scene(&self, dial: Option<Moments>, in_body: bool) -> Scene<'_> {
        let url = &self.call.request.url;
        let proxies = &self.shared.proxies;
        Scene { url, proxied: proxies.intercept(url), forwarded: proxies.forwards(url), dial, in_body }
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
        let url = self.sent_url();
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

/// Whether a connection that could not be opened was another exchange's, and waited for in vain; or its time was over only because
/// this process stood still.
fn is_of_another(dial: Option<&Moments>) -> bool {
    dial.is_none_or(|dial| !dial.failed || dial.stood_still)
}

/// Both ends of the connection that a request failed on.
fn used(error: &reqwest::Error) -> Option<Sockets> {
    connected(error).and_then(Sockets::connected)
}

/// The connection that a request failed on.
fn connected(error: &reqwest::Error) -> Option<&Connected> {
    error.source()?.downcast_ref::<legacy::Error>()?.connect_info()
}

/// Whether the connection was found to be gone, or out of step: what is no reply may be the end of the one before, as a body is
/// that a server sends to HEAD.
fn is_useless(error: &reqwest::Error) -> bool {
    let mut link = error.source();
    while let Some(error) = link {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed() || error.is_parse())
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
