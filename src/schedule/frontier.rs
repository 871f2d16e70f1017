//! The frontier: jobs that are known and not yet fetched, and who may go now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Instant;

use slab::Slab;

use super::Limits;
use super::origins::{OriginId, Origins};
use crate::policy::JobState;

/// All jobs between their admission and their record: waiting at their origin, in backoff, or in flight.
#[derive(Debug)]
pub(crate) struct Frontier {
    origins: Origins,
    /// Jobs in backoff, by when it ends.
    backing_off: BTreeMap<(Instant, u64), Box<JobState>>,
    /// Jobs that have started and wait at their origin, by when their line's time is over. A job that has left does no harm.
    deadlines: BTreeSet<(Instant, u64, OriginId)>,
    flights: Slab<Flight>,
    waiting: usize,
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

impl Frontier {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            origins: Origins::new(limits.max_per_host),
            backing_off: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            flights: Slab::new(),
            waiting: 0,
        }
    }

    /// Lets `job` wait for its turn at its origin; it ends with its line's time at `deadline`, if it has one.
    pub(crate) fn push(&mut self, job: Box<JobState>, deadline: Option<Instant>, now: Instant) {
        let index = job.index;
        let origin = self.origins.push(job, now);
        self.waiting += 1;
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, index, origin));
        }
    }

    /// Lets `job` wait until `not_before`, and then for its turn.
    pub(crate) fn push_later(&mut self, job: Box<JobState>, not_before: Instant) {
        self.backing_off.insert((not_before, job.index), job);
    }

    /// Lets the oldest job that may go now leave.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(FlightId, &Flight)> {
        let (origin, job) = self.origins.pop(now)?;
        self.waiting -= 1;
        let entry = self.flights.vacant_entry();
        let id = FlightId(entry.key());
        Some((id, entry.insert(Flight { job, left: now, origin })))
    }

    /// Takes a job whose exchange is over; its place at its origin is free. With `gate`, no request to that origin
    /// leaves before then.
    pub(crate) fn land(&mut self, id: FlightId, gate: Option<Instant>, now: Instant) -> Flight {
        let flight = self.flights.remove(id.0);
        if let Some(until) = gate {
            self.origins.close_gate(flight.origin, until, now);
        }
        self.origins.release(flight.origin, now);
        flight
    }

    /// Moves on what the passing of time moves on, and takes a job whose line's time is over. To be called until it
    /// gives none; `deadline` says when a job that comes out of its backoff ends.
    pub(crate) fn tick(&mut self, now: Instant, deadline: impl Fn(&JobState) -> Instant) -> Option<Box<JobState>> {
        self.origins.wake(now);
        while let Some(entry) = self.backing_off.first_entry().filter(|entry| entry.key().0 <= now) {
            let job = entry.remove();
            let deadline = deadline(&job);
            self.push(job, Some(deadline), now);
        }
        while let Some(&(at, index, origin)) = self.deadlines.first().filter(|(at, ..)| *at <= now) {
            self.deadlines.remove(&(at, index, origin));
            if let Some(job) = self.origins.remove(origin, index, now) {
                self.waiting -= 1;
                return Some(job);
            }
        }
        None
    }

    /// When to call [`Frontier::tick`] next.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let backoff = self.backing_off.first_key_value().map(|(&(at, _), _)| at);
        let deadline = self.deadlines.first().map(|&(at, ..)| at);
        [backoff, deadline, self.origins.next_wake()].into_iter().flatten().min()
    }

    /// Takes every job that waits, in no order.
    #[expect(clippy::vec_box, reason = "jobs are boxed as long as they live")]
    pub(crate) fn drain_waiting(&mut self, now: Instant) -> Vec<Box<JobState>> {
        let mut jobs = self.origins.drain(now);
        jobs.extend(std::mem::take(&mut self.backing_off).into_values());
        self.deadlines.clear();
        self.waiting = 0;
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

    /// How many jobs wait at their origins.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many jobs are in backoff.
    pub(crate) fn backing_off(&self) -> usize {
        self.backing_off.len()
    }

    /// How many of the waiting jobs wait for a gate to open.
    pub(crate) fn gated(&self, now: Instant) -> usize {
        self.origins.gated(now)
    }

    /// The jobs in flight.
    pub(crate) fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().map(|(_, flight)| flight)
    }
}
