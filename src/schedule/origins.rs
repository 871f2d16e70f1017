//! Every origin that has something to do: its waiting jobs, its exchanges in flight, its gate.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::time::Instant;

use slab::Slab;

use crate::model::Origin;
use crate::policy::JobState;

/// Names an origin as long as it has a waiting job or an exchange in flight, or its gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OriginId(usize);

/// The origins, and which of them may send now. Origins with nothing to do are forgotten.
#[derive(Debug)]
pub(super) struct Origins {
    max_per_host: Option<NonZeroUsize>,
    ids: HashMap<Origin, OriginId>,
    states: Slab<OriginState>,
    /// The origins that may send now, each by the index of its oldest waiting job.
    ready: BTreeSet<(u64, OriginId)>,
    /// Times at which an origin has to be looked at again. A time that has lost its meaning does no harm.
    wakes: BTreeSet<(Instant, OriginId)>,
}

#[derive(Debug)]
struct OriginState {
    origin: Origin,
    waiting: BTreeMap<u64, Box<JobState>>,
    in_flight: usize,
    /// No request leaves before this time.
    gate: Option<Instant>,
    /// The key under which it stands in `ready`.
    listed: Option<u64>,
}

impl Origins {
    pub(super) fn new(max_per_host: Option<NonZeroUsize>) -> Self {
        Self { max_per_host, ids: HashMap::new(), states: Slab::new(), ready: BTreeSet::new(), wakes: BTreeSet::new() }
    }

    /// Lets `job` wait at its origin.
    pub(super) fn push(&mut self, job: Box<JobState>, now: Instant) -> OriginId {
        let origin = Origin::of(&job.request.url).expect("only http and https URLs become jobs");
        let id = self.id(origin);
        self.states[id.0].waiting.insert(job.index, job);
        self.relist(id, now);
        id
    }

    /// Takes the oldest job that may go now, and counts it as in flight.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(OriginId, Box<JobState>)> {
        let &(_, id) = self.ready.first()?;
        let state = &mut self.states[id.0];
        let (_, job) = state.waiting.pop_first().expect("an origin that is listed has a waiting job");
        state.in_flight += 1;
        self.relist(id, now);
        Some((id, job))
    }

    /// Takes the job `index` out of the queue of `id`, if it still waits there.
    pub(super) fn remove(&mut self, id: OriginId, index: u64, now: Instant) -> Option<Box<JobState>> {
        let job = self.states.get_mut(id.0)?.waiting.remove(&index)?;
        self.relist(id, now);
        Some(job)
    }

    /// Counts an exchange as over.
    pub(super) fn release(&mut self, id: OriginId, now: Instant) {
        self.states[id.0].in_flight -= 1;
        self.relist(id, now);
    }

    /// Lets no request to `id` leave before `until`. A gate never opens earlier than it was promised before.
    pub(super) fn close_gate(&mut self, id: OriginId, until: Instant, now: Instant) {
        let gate = &mut self.states[id.0].gate;
        *gate = (*gate).max(Some(until));
        self.wakes.insert((until, id));
        self.relist(id, now);
    }

    /// Opens the gates whose time has come.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.wakes.first().filter(|(at, _)| *at <= now) {
            self.wakes.remove(&(at, id));
            self.relist(id, now);
        }
    }

    /// When to call [`Origins::wake`] next.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Takes every waiting job.
    #[expect(clippy::vec_box, reason = "jobs are boxed as long as they live")]
    pub(super) fn drain(&mut self, now: Instant) -> Vec<Box<JobState>> {
        let ids: Vec<OriginId> = self.states.iter().map(|(key, _)| OriginId(key)).collect();
        let mut jobs = Vec::new();
        for id in ids {
            jobs.extend(std::mem::take(&mut self.states[id.0].waiting).into_values());
            self.relist(id, now);
        }
        jobs
    }

    /// How many jobs wait for an open gate.
    pub(super) fn gated(&self, now: Instant) -> usize {
        self.states.iter().filter(|(_, state)| state.gate > Some(now)).map(|(_, state)| state.waiting.len()).sum()
    }

    fn id(&mut self, origin: Origin) -> OriginId {
        if let Some(&id) = self.ids.get(&origin) {
            return id;
        }
        let state =
            OriginState { origin: origin.clone(), waiting: BTreeMap::new(), in_flight: 0, gate: None, listed: None };
        let id = OriginId(self.states.insert(state));
        self.ids.insert(origin, id);
        id
    }

    /// Brings `ready` up to date with the state of `id`, and forgets an origin with nothing to do.
    fn relist(&mut self, id: OriginId, now: Instant) {
        let Some(state) = self.states.get_mut(id.0) else { return };
        let is_open = state.gate.is_none_or(|gate| gate <= now);
        let has_place = self.max_per_host.is_none_or(|most| state.in_flight < most.get());
        let key = state.waiting.first_key_value().map(|(&index, _)| index).filter(|_| is_open && has_place);
        if key != state.listed {
            if let Some(old) = state.listed {
                self.ready.remove(&(old, id));
            }
            if let Some(new) = key {
                self.ready.insert((new, id));
            }
            state.listed = key;
        }
        if state.waiting.is_empty() && state.in_flight == 0 && is_open {
            self.ids.remove(&state.origin);
            self.states.remove(id.0);
        }
    }
}
