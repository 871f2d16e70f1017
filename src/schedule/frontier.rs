//! The frontier: jobs that are known and not yet fetched, and who may go now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use slab::Slab;

use super::adaptive::AdaptiveLimit;
use super::budget::Share;
use super::network::Network;
use super::origins::{Landing, Learned, OriginId, Origins, Waiting};
use super::rate::RateCell;
use super::{Limits, Rate, Signal};
use crate::model::{Exchange, FailureKind, RetryStop};
use crate::policy::{JobState, LOCAL_PAUSE};

/// All jobs between their admission and their record: waiting at their origin, in backoff, or in flight.
#[derive(Debug)]
pub(crate) struct Frontier {
    origins: Origins,
    /// Jobs in backoff, by when it ends.
    backing_off: BTreeMap<(Instant, u64), Box<JobState>>,
    /// Jobs that have started and wait at their origin, by when their line's time is over. One that was given up does
    /// no harm.
    deadlines: BTreeSet<(Instant, u64, OriginId)>,
    flights: Slab<Flight>,
    waiting: usize,
    /// About how many bytes of memory the waiting jobs take.
    waiting_bytes: u64,
    /// Exchanges that have left.
    departures: u64,
    rate: Option<Rate>,
    sent: RateCell,
    /// How many exchanges at once this machine can make.
    pool: AdaptiveLimit,
    /// Until when nothing leaves, because this machine lacked something, unless an exchange gives it back before.
    lacking_until: Option<Instant>,
    network: Network,
    retries: Share,
    /// Whether no more new jobs come.
    is_complete: bool,
}

/// A job whose exchange is being made.
#[derive(Debug)]
pub(crate) struct Flight {
    /// The job.
    pub job: Box<JobState>,
    /// When its exchange left.
    pub left: Instant,
    origin: OriginId,
}

/// Names a flight until it has landed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlightId(usize);

/// Why a job that waits has no more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUp {
    /// Its line's time is over.
    Line,
    /// Its origin could not be reached for too long, or until the line's time was over, lately because of this.
    Circuit(FailureKind),
}

impl Frontier {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            origins: Origins::new(limits.clone()),
            backing_off: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            flights: Slab::new(),
            waiting: 0,
            waiting_bytes: 0,
            departures: 0,
            rate: limits.rate,
            sent: RateCell::default(),
            pool: AdaptiveLimit::new(limits.concurrency.get()),
            lacking_until: None,
            network: Network::default(),
            retries: Share::default(),
            is_complete: false,
        }
    }

    /// Lets `job` wait for its turn at its origin; it ends with its line's time at `deadline`, if it has one.
    pub(crate) fn push(&mut self, job: Box<JobState>, deadline: Option<Instant>, now: Instant) {
        let (index, weight) = (job.index, job.weight);
        let origin = self.origins.push(Waiting { job, deadline }, now);
        self.waiting += 1;
        self.waiting_bytes += weight;
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, index, origin));
        }
    }

    /// Hears that no more new jobs come.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether no more new jobs come.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Lets `job` wait until `not_before`, and then for its turn.
    pub(crate) fn push_later(&mut self, job: Box<JobState>, not_before: Instant) {
        self.backing_off.insert((not_before, job.index), job);
    }

    /// Lets the next job leave: of the origins that may send, the one with the fewest exchanges in flight has its turn, and
    /// gives its oldest job. With `only`, no other line than that may go.
    pub(crate) fn pop(&mut self, only: Option<u64>, now: Instant) -> Option<(FlightId, &Flight)> {
        if self.opens() > Some(now) || self.flights.len() >= self.most_at_once() {
            return None;
        }
        let (origin, Waiting { job, deadline }) = self.origins.pop(only, self.network.is_down(), now)?;
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, job.index, origin));
        }
        if let Some(rate) = self.rate {
            self.sent.spend(rate, now);
        }
        self.retries.count_request(now);
        self.departures += 1;
        self.no_longer_waits(&job);
        let entry = self.flights.vacant_entry();
        let id = FlightId(entry.key());
        Some((id, entry.insert(Flight { job, left: now, origin })))
    }

    /// Takes a job whose exchange is over. Its place at its origin is taken until it has landed there, so that the origin is
    /// not forgotten before a retry is paid for.
    pub(crate) fn take(&mut self, id: FlightId) -> Flight {
        self.flights.remove(id.0)
    }

    /// Learns from what the exchange of `flight` brought; its place at its origin is free. With `gate`, no request to that origin
    /// leaves before then.
    pub(crate) fn land(&mut self, flight: &Flight, exchange: &Exchange, gate: Option<Instant>, now: Instant) {
        let signal = Signal::of(exchange);
        let took = exchange.timing.total;
        let cause = exchange.failure.as_ref().map(|failure| failure.kind);
        match signal {
            Signal::Local => {
                self.pool.push_back(took, now);
                self.lacking_until = Some(now + LOCAL_PAUSE);
            }
            Signal::Silent => {
                let (origins, more_may_come) = (&self.origins, !self.is_complete);
                self.network.fail(flight.origin, flight.left, now, |silent| {
                    more_may_come || origins.has_alive() || silent.iter().any(|&id| origins.was_reached(id))
                });
            }
            _ if signal.has_answered() => {
                self.lacking_until = None;
                self.network.reach(now);
                self.pool.succeed(took, self.flights.len() + 1);
            }
            _ => {}
        }
        self.origins.land(flight.origin, flight.left, Landing { signal, cause, gate, took }, now);
    }

    /// Counts the answer to `flight`, which has not landed, as a success that earns a share of a retry.
    pub(crate) fn earn(&mut self, flight: &Flight) {
        self.origins.earn(flight.origin);
    }

    /// Takes a retry of the job of `flight`, which has not landed, out of the budgets, or tells which one has none left.
    pub(crate) fn spend_retry(&mut self, flight: &Flight, now: Instant) -> Result<(), RetryStop> {
        if !self.origins.has_retry(flight.origin) {
            return Err(RetryStop::HostBudget);
        }
        if !self.retries.has_retry(now) {
            return Err(RetryStop::RunBudget);
        }
        self.origins.spend_retry(flight.origin);
        self.retries.spend_retry(now);
        Ok(())
    }

    /// Moves on what the passing of time moves on, and takes a job that has no more time. To be called until it gives none;
    /// `deadline` says when a job that comes out of its backoff ends.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        deadline: impl Fn(&JobState) -> Instant,
    ) -> Option<(Box<JobState>, TimeUp)> {
        if let Some((job, cause)) = self.origins.wake(now) {
            self.no_longer_waits(&job);
            return Some((job, TimeUp::Circuit(cause)));
        }
        while let Some(entry) = self.backing_off.first_entry().filter(|entry| entry.key().0 <= now) {
            let job = entry.remove();
            let deadline = deadline(&job);
            self.push(job, Some(deadline), now);
        }
        while let Some(&(at, index, origin)) = self.deadlines.first().filter(|(at, ..)| *at <= now) {
            self.deadlines.remove(&(at, index, origin));
            if let Some((job, cause)) = self.origins.remove(origin, index, now) {
                self.no_longer_waits(&job);
                return Some((job, cause.map_or(TimeUp::Line, TimeUp::Circuit)));
            }
        }
        None
    }

    /// When to call [`Frontier::tick`] next.
    pub(crate) fn next_tick(&self, now: Instant) -> Option<Instant> {
        let backoff = self.backing_off.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.deadlines.first().map(|&(at, ..)| at);
        let opens = self.opens().filter(|&opens| opens > now && self.waiting > 0);
        [backoff, deadline, opens, self.origins.next_wake()].into_iter().flatten().min()
    }

    /// Takes every job that waits, in no order.
    #[expect(clippy::vec_box, reason = "jobs are boxed as long as they live")]
    pub(crate) fn drain_waiting(&mut self, now: Instant) -> Vec<Box<JobState>> {
        let mut jobs = self.origins.drain(now);
        jobs.extend(std::mem::take(&mut self.backing_off).into_values());
        self.deadlines.clear();
        (self.waiting, self.waiting_bytes) = (0, 0);
        jobs
    }

    /// Takes every job in flight, in no order. Their exchanges must not land any more.
    pub(crate) fn drain_flights(&mut self) -> Vec<Flight> {
        self.flights.drain().collect()
    }

    /// Whether no job is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0 && self.flights.is_empty() && self.backing_off.is_empty()
    }

    /// How many exchanges are being made.
    pub(crate) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// How many exchanges have left so far.
    pub(crate) fn departures(&self) -> u64 {
        self.departures
    }

    /// How many jobs wait at their origins.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// About how many bytes of memory the jobs take that wait at their origins.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// How many jobs are in backoff.
    pub(crate) fn backing_off(&self) -> usize {
        self.backing_off.len()
    }

    /// How many of the waiting jobs wait for a gate or a circuit to open, or for a rate.
    pub(crate) fn gated(&self, now: Instant) -> usize {
        if self.opens() > Some(now) { self.waiting } else { self.origins.gated(now) }
    }

    /// The jobs in flight.
    pub(crate) fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().map(|(_, flight)| flight)
    }

    /// What was learned of the origins that pushed back, those that did so most often first.
    pub(crate) fn learned(&self, now: Instant) -> Vec<Learned> {
        self.origins.learned(now)
    }

    /// How many origins are remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.origins.remembered()
    }

    /// Whether reading on makes no sense, because no line could leave.
    pub(crate) fn is_network_down(&self) -> bool {
        self.network.is_down()
    }

    fn no_longer_waits(&mut self, job: &JobState) {
        self.waiting -= 1;
        self.waiting_bytes -= job.weight;
    }

    /// Before when no request may leave at all.
    fn opens(&self) -> Option<Instant> {
        self.sent.opens().max(self.network.probe_at()).max(self.lacking_until)
    }

    fn most_at_once(&self) -> usize {
        if self.network.is_down() { 1 } else { self.pool.limit() }
    }
}
