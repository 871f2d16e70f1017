//! What has happened to a job so far, and the record that it becomes.

use std::time::{Duration, Instant, SystemTime};

use http::Method;
use serde_json::{Map, Value};
use url::Url;

use super::{Ending, Policy};
use crate::expect;
use crate::model::{
    Base64, Exchange, ExchangeRecord, Failure, FailureKind, Job, Phase, Place, Record, Request, Seen, Verdict,
    redacted, weight,
};

/// A job on its way through the frontier and the pool.
#[derive(Debug)]
pub(crate) struct JobState {
    /// Position in the whole input.
    pub index: u64,
    /// The request that leaves next, or is on its way.
    pub request: Request,
    /// Since when it has been waiting to leave.
    pub waiting_since: Instant,
    /// About how many bytes of memory it took when it was admitted.
    pub weight: u64,
    /// Whether its current exchange was sent anew already, because a kept connection had died under it.
    pub was_resent: bool,
    /// What happened before the current exchange; `None` while it is the job's first.
    pub history: Option<Box<History>>,
    line: Line,
}

/// What a record says about its line, whatever happens.
#[derive(Debug)]
struct Line {
    place: Option<Place>,
    id: Option<Box<Value>>,
    input: Option<Box<Map<String, Value>>>,
    asked: Option<Box<str>>,
}

/// What happened to a job before its current exchange.
#[derive(Debug)]
pub(crate) struct History {
    /// When its first exchange left.
    pub first_left: Instant,
    /// The same, on the wall clock.
    pub timestamp: SystemTime,
    /// Time spent waiting to leave, in all.
    pub waited: Duration,
    /// Time that the exchanges of the current attempt have taken.
    pub spent: Duration,
    /// Exchanges of the current attempt that a redirect followed.
    pub hops: Vec<ExchangeRecord>,
    /// What they asked for: their URLs as they were sent, to find loops by.
    asked: Vec<(Method, Url)>,
    /// Attempts that a retry followed.
    pub attempts: Vec<ExchangeRecord>,
    /// What this machine lacked for the current exchange when it was tried last.
    lacked: Option<Failure>,
    /// The request of the line, where a redirect has made another one of it.
    first_request: Option<Box<Request>>,
}

impl History {
    pub(super) fn new(first_left: Instant, timestamp: SystemTime) -> Self {
        Self {
            first_left,
            timestamp,
            waited: Duration::ZERO,
            spent: Duration::ZERO,
            hops: Vec::new(),
            asked: Vec::new(),
            attempts: Vec::new(),
            lacked: None,
            first_request: None,
        }
    }
}

impl JobState {
    /// A job that waits for its first exchange, or the record of a line that is no request.
    pub(crate) fn new(index: u64, job: Job, now: Instant) -> Result<Self, Box<Record>> {
        let weight = weight::of_job(&job);
        let mut line = Line { place: job.place, id: job.id, input: job.input, asked: job.asked };
        match job.request {
            Ok(request) => {
                Ok(Self { index, request, waiting_since: now, weight, was_resent: false, history: None, line })
            }
            Err(bad) => {
                let mut record = line.record(index);
                record.url = bad.text;
                record.line_base64 = bad.raw.map(Base64);
                record.error = Some(bad.failure);
                Err(record)
            }
        }
    }

    /// The request of the line, before any redirect.
    pub(super) fn first_request(&self) -> &Request {
        let first = self.history.as_ref().and_then(|history| history.first_request.as_deref());
        first.unwrap_or(&self.request)
    }

    /// Whether no redirect led to the current request.
    pub(super) fn is_at_first_hop(&self) -> bool {
        self.history.as_ref().is_none_or(|history| history.hops.is_empty())
    }

    /// What the exchanges of this attempt asked for that a redirect followed.
    pub(super) fn followed(&self) -> impl Iterator<Item = (&Method, &Url)> {
        self.history.iter().flat_map(|history| history.asked.iter().map(|(method, url)| (method, url)))
    }

    /// Attempts that have failed and were repeated.
    pub(super) fn retries(&self) -> usize {
        self.history.as_ref().map_or(0, |history| history.attempts.len())
    }

    /// Whether an exchange of this job has left before the current one.
    pub(crate) fn has_started(&self) -> bool {
        self.history.is_some()
    }

    /// Goes on with the next hop of the attempt, after an exchange that left at `left`.
    pub(crate) fn hop(&mut self, next: Request, exchange: &Exchange, left: Instant, now: Instant) {
        let mut past = self.past(exchange);
        past.followed_by = Some(redacted(&next.url));
        let current = std::mem::replace(&mut self.request, next);
        self.was_resent = false;
        let history = self.account(exchange, left, now);
        history.spent += exchange.timing.total;
        history.hops.push(past);
        history.asked.push((current.method.clone(), current.url.clone()));
        history.first_request.get_or_insert_with(|| Box::new(current));
    }

    /// Goes back to the start for another attempt, after an exchange that left at `left`.
    pub(crate) fn retry(&mut self, reason: &str, exchange: &Exchange, left: Instant, now: Instant) {
        let mut past = self.past(exchange);
        let history = self.account(exchange, left, now);
        past.hops = attempt_hops(std::mem::take(&mut history.hops), &past);
        past.followed_by = Some(format!("retry: {reason}"));
        history.spent = Duration::ZERO;
        history.asked.clear();
        history.attempts.push(past);
        if let Some(first) = history.first_request.take() {
            self.request = *first;
        }
        self.was_resent = false;
    }

    /// Waits for another try of an exchange that left at `left` and does not count.
    pub(crate) fn postpone(&mut self, exchange: &Exchange, left: Instant, now: Instant) {
        self.was_resent |= exchange.resend.is_some();
        let history = self.account(exchange, left, now);
        history.spent += exchange.timing.total;
        history.lacked = exchange.failure.clone().filter(|failure| failure.kind.phase() == Phase::Local);
    }

    /// What this machine lacked for the exchange that the job waits to make, when it was tried last.
    pub(crate) fn lacked(&self) -> Option<&Failure> {
        self.history.as_ref()?.lacked.as_ref()
    }

    /// The record of a job whose last exchange left at `left` and is over at `now`.
    pub(crate) fn finish(
        mut self,
        mut exchange: Exchange,
        ending: Ending,
        policy: &Policy,
        left: Instant,
        now: Instant,
    ) -> Box<Record> {
        let past = self.history.is_some().then(|| self.past(&exchange));
        let waited = left.saturating_duration_since(self.waiting_since);
        let (first_left, timestamp) = (left, exchange.timestamp);
        let mut record = self.record();
        record.url_effective = Some(redacted(&self.request.url));
        record.timestamp = Some(timestamp);
        record.time_wait = Some(waited);
        record.time_total = Some(now.saturating_duration_since(first_left));
        let spent = self.history.as_ref().map_or(Duration::ZERO, |history| history.spent);
        let seen = seen(&mut exchange, spent);
        exchange.conclude(&mut record);
        if ending.failure.is_some() {
            record.error = ending.failure;
        }
        record.retry_stopped_by = ending.retry_stopped_by;
        record.retry_after = ending.retry_after;
        if let (Some(history), Some(mut past)) = (self.history.take(), past) {
            past.error.clone_from(&record.error);
            record.timestamp = Some(history.timestamp);
            record.time_wait = Some(waited + history.waited);
            record.time_total = Some(now.saturating_duration_since(history.first_left));
            history.tell(&mut record, past);
        }
        if let Some(expect) = self.request.expect.as_ref().filter(|_| record.error.is_none()) {
            record.failed = expect.judge(&record, seen);
        }
        record.verdict = expect::verdict(&record, |status| policy.accepts(&self.request, status));
        record.ok = record.verdict != Verdict::Failed;
        record
    }

    /// The record of a job that ends while it waits, at `now`.
    pub(crate) fn end_waiting(mut self, failure: Failure, now: Instant) -> Box<Record> {
        let waited = now.saturating_duration_since(self.waiting_since);
        let mut record = self.record();
        record.time_wait = Some(waited);
        if let Some(history) = self.history.take() {
            record.timestamp = Some(history.timestamp);
            record.time_wait = Some(waited + history.waited);
            record.time_total = Some(now.saturating_duration_since(history.first_left));
            let waits_for_retry = history.hops.is_empty();
            // A job that was only postponed has started and has no attempt behind it.
            let retries = history.attempts.len().saturating_sub(usize::from(waits_for_retry));
            record.num_retries = u32::try_from(retries).unwrap_or(u32::MAX);
            record.num_redirects = u32::try_from(history.hops.len()).unwrap_or(u32::MAX);
            record.hops = history.hops;
            record.attempts = history.attempts;
        }
        record.error = Some(failure);
        record
    }

    /// The record of a job whose exchange, which left at `left`, was stopped at `now` with the run.
    pub(crate) fn cancel(self, policy: &Policy, left: Instant, now: Instant) -> Box<Record> {
        let took = now.saturating_duration_since(left);
        let message = format!("the run was stopped {:.1} s after this request left", took.as_secs_f64());
        let mut exchange = Exchange::unsent(SystemTime::now() - took, Failure::new(FailureKind::Canceled, message));
        exchange.timing.total = took;
        self.finish(exchange, Ending::default(), policy, left, now)
    }

    /// The current exchange as it stands in `hops` and `attempts`.
    fn past(&self, exchange: &Exchange) -> ExchangeRecord {
        ExchangeRecord {
            method: self.request.method.to_string(),
            url: redacted(&self.request.url),
            status: exchange.status().map(|status| status.as_u16()),
            error: exchange.failure.clone(),
            remote_ip: exchange.remote_ip,
            timestamp: Some(exchange.timestamp),
            time_namelookup: exchange.timing.namelookup,
            time_connect: exchange.timing.connect,
            time_appconnect: exchange.timing.appconnect,
            time_starttransfer: exchange.timing.starttransfer,
            time_total: Some(exchange.timing.total),
            followed_by: None,
            hops: Vec::new(),
        }
    }

    /// Enters the times of an exchange into the history, and starts to wait.
    fn account(&mut self, exchange: &Exchange, left: Instant, now: Instant) -> &mut History {
        let waited = left.saturating_duration_since(self.waiting_since);
        self.waiting_since = now;
        let history = self.history.get_or_insert_with(|| Box::new(History::new(left, exchange.timestamp)));
        history.waited += waited;
        history.lacked = None;
        history
    }

    fn record(&mut self) -> Box<Record> {
        let mut record = self.line.record(self.index);
        let first = self.first_request();
        record.method = first.method.to_string();
        if record.url.is_empty() {
            record.url = redacted(&first.url);
        }
        record
    }
}

/// What a judgement sees of the final exchange beside its record; its attempt had `spent` so much time before.
fn seen(exchange: &mut Exchange, spent: Duration) -> Seen {
    let kept = exchange.response.as_mut().and_then(|response| response.kept.take()).unwrap_or_default();
    Seen {
        unmet: kept.unmet,
        certificate_expires: kept.certificate_expires,
        attempt_time: spent + exchange.timing.total,
        now: exchange.timestamp,
    }
}

impl Line {
    fn record(&mut self, index: u64) -> Box<Record> {
        let (source, line) = self.place.take().map(|place| (place.source, place.line)).unzip();
        Box::new(Record {
            index,
            source,
            line,
            id: self.id.take(),
            input: self.input.take(),
            url: self.asked.take().map(String::from).unwrap_or_default(),
            ..Record::default()
        })
    }
}

impl History {
    /// Writes the story into `record`; `last` is the exchange that ended it.
    fn tell(mut self, record: &mut Record, mut last: ExchangeRecord) {
        record.num_redirects = u32::try_from(self.hops.len()).unwrap_or(u32::MAX);
        record.num_retries = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        record.hops = attempt_hops(std::mem::take(&mut self.hops), &last);
        if !self.attempts.is_empty() {
            last.hops.clone_from(&record.hops);
            self.attempts.push(last);
            record.attempts = self.attempts;
        }
    }
}

/// The exchanges of an attempt, the last one included, if it was redirected; else nothing.
fn attempt_hops(mut followed: Vec<ExchangeRecord>, last: &ExchangeRecord) -> Vec<ExchangeRecord> {
    if !followed.is_empty() {
        followed.push(last.clone());
    }
    followed
}
