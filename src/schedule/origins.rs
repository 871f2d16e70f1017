//! Every origin that has something to do: its waiting jobs, its exchanges in flight, and all that is known of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use slab::Slab;

use super::adaptive::AdaptiveLimit;
use super::breaker::Breaker;
use super::budget::Bucket;
use super::rate::RateCell;
use super::{Limits, Pressure, Rate, Signal};
use crate::model::{FailureKind, Origin};
use crate::policy::{JobState, after};

/// So many origins with nothing to do are remembered for what was learned of them; the ones idle longest are forgotten.
const MOST_IDLE: usize = 10_000;

/// So many are remembered while a gate, a circuit or a rate still keeps requests from them; those that open first are
/// forgotten. It is about 50 MB, and takes that many origins that all want to be left alone at the same time.
const MOST_CLOSED: usize = 100_000;

/// Names an origin as long as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OriginId(usize);

/// The origins, and which of them may send now.
#[derive(Debug)]
pub(super) struct Origins {
    limits: Limits,
    ids: HashMap<Origin, OriginId>,
    states: Slab<OriginState>,
    /// The origins that may send now, in the order of their turns.
    ready: BTreeSet<(Turn, OriginId)>,
    /// How many of them are dead.
    ready_dead: usize,
    /// Times at which an origin has to be looked at again. A time that has lost its meaning does no harm.
    wakes: BTreeSet<(Instant, OriginId)>,
    /// The origins with nothing to do: those that open first, and of these the ones idle longest first.
    idle: BTreeMap<IdleKey, OriginId>,
    idle_count: u64,
}

/// When an origin has its turn: the lower, the sooner.
///
/// Those with the fewest exchanges in flight come first, so a pool that is smaller than what all origins could take is
/// shared evenly. Of those with nothing in flight, which may be any number, the one whose oldest waiting job is the oldest
/// comes first; of others, fewer than the pool has places, the one with the most waiting jobs, so that all end at about the
/// same time and the pool stays full to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    in_flight: usize,
    /// The number of waiting jobs; 0 where it does not matter.
    waiting: Reverse<usize>,
    /// The index of the oldest waiting job.
    oldest: u64,
}

/// When an idle origin opens, if it was closed when it became idle, and how many became idle before it.
type IdleKey = (Option<Instant>, u64);

#[derive(Debug)]
struct OriginState {
    origin: Origin,
    limit: OriginLimit,
    waiting: BTreeMap<u64, Waiting>,
    in_flight: usize,
    /// No request leaves before this time.
    gate: Option<Instant>,
    rate: RateCell,
    bucket: Bucket,
    breaker: Breaker,
    adaptive: AdaptiveLimit,
    since: Instant,
    was_reached: bool,
    /// Answers that did not push back.
    served: u64,
    /// How often it pushed back, for each way to do so.
    push_backs: [u64; Pressure::ALL.len()],
    /// The latest failure to connect.
    cause: Option<FailureKind>,
    /// The key under which it stands in `ready`.
    listed: Option<Turn>,
    /// Whether it was dead when it was listed.
    listed_as_dead: bool,
    /// The key under which it stands in `idle`.
    idle: Option<IdleKey>,
}

/// What the options allow one origin.
#[derive(Debug, Clone, Copy)]
struct OriginLimit {
    at_once: usize,
    rate: Option<Rate>,
}

/// A job that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: Box<JobState>,
    /// When its line's time is over, if it has started.
    pub(super) deadline: Option<Instant>,
}

/// What was learned of an origin that pushed back.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The origin.
    pub origin: Origin,
    /// Most exchanges at once that it takes, where that was found out (`--adaptive`).
    pub at_once: Option<usize>,
    /// Answers a second that it gave, since its first request; those that pushed back are none.
    pub rate: f64,
    /// How often it pushed back, in each way that it did.
    pub push_backs: Vec<(Pressure, u64)>,
}

/// `api.example.com settled at 3 at once, 41 req/s, 5× 429`.
impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_once {
            Some(at_once) => write!(f, "{} settled at {at_once} at once, ", self.origin)?,
            None => write!(f, "{} pushed back, ", self.origin)?,
        }
        if self.rate < 10.0 {
            write!(f, "{:.1} req/s", self.rate)?;
        } else {
            write!(f, "{:.0} req/s", self.rate)?;
        }
        self.push_backs.iter().try_for_each(|(pressure, times)| write!(f, ", {times}× {}", pressure.name()))
    }
}

impl Origins {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ids: HashMap::new(),
            states: Slab::new(),
            ready: BTreeSet::new(),
            ready_dead: 0,
            wakes: BTreeSet::new(),
            idle: BTreeMap::new(),
            idle_count: 0,
        }
    }

    /// Lets a job wait at its origin.
    pub(super) fn push(&mut self, waiting: Waiting, now: Instant) -> OriginId {
        let job = &waiting.job;
        let origin = Origin::of(&job.request.url).expect("only http and https URLs become jobs");
        let id = self.id(origin, now);
        self.states[id.0].waiting.insert(job.index, waiting);
        self.relist(id, now);
        id
    }

    /// Takes the oldest job of the origin whose turn it is, and counts it as in flight. With `only`, no other line than that
    /// may go. A `probe` of the network is rather made with an origin that is not dead.
    pub(super) fn pop(&mut self, only: Option<u64>, probe: bool, now: Instant) -> Option<(OriginId, Waiting)> {
        let alive = probe.then(|| self.ready.iter().find(|(_, id)| !self.states[id.0].is_dead())).flatten();
        let &(_, id) = match only {
            None => alive.or_else(|| self.ready.first())?,
            Some(only) => self.ready.iter().find(|(turn, _)| turn.oldest == only)?,
        };
        let state = &mut self.states[id.0];
        let (_, waiting) = state.waiting.pop_first().expect("an origin that is listed has a waiting job");
        state.in_flight += 1;
        if let Some(rate) = state.limit.rate {
            state.rate.spend(rate, now);
        }
        self.relist(id, now);
        Some((id, waiting))
    }

    /// Takes the job `index` out of the queue of `id`, if it still waits there; with the latest cause, if it waits because the
    /// origin cannot be reached.
    pub(super) fn remove(
        &mut self,
        id: OriginId,
        index: u64,
        now: Instant,
    ) -> Option<(Box<JobState>, Option<FailureKind>)> {
        let state = self.states.get_mut(id.0)?;
        let waiting = state.waiting.remove(&index)?;
        let cause = state.breaker.since().and(state.cause);
        self.relist(id, now);
        Some((waiting.job, cause))
    }

    /// Counts an exchange that left at `left` as over, and learns from it. With `gate`, no request leaves before then; a
    /// gate never opens earlier than it was promised before.
    pub(super) fn land(&mut self, id: OriginId, left: Instant, landing: Landing, now: Instant) {
        let state = &mut self.states[id.0];
        state.learn(left, landing, now);
        state.in_flight -= 1;
        state.gate = state.gate.max(landing.gate);
        self.relist(id, now);
    }

    /// Whether the budget of `id`, which has an exchange in flight, has a retry.
    pub(super) fn has_retry(&self, id: OriginId) -> bool {
        self.states[id.0].bucket.has_retry()
    }

    /// Takes a retry out of the budget of `id`, which has an exchange in flight.
    pub(super) fn spend_retry(&mut self, id: OriginId) {
        self.states[id.0].bucket.spend_retry();
    }

    /// Puts what a success earns into the budget of `id`, which has an exchange in flight.
    pub(super) fn earn(&mut self, id: OriginId) {
        self.states[id.0].bucket.gain();
    }

    /// Looks at the origins whose time has come, and takes a job whose origin could not be reached for too long, with the
    /// latest cause. To be called until it gives none.
    pub(super) fn wake(&mut self, now: Instant) -> Option<(Box<JobState>, FailureKind)> {
        while let Some(&(at, id)) = self.wakes.first().filter(|(at, _)| *at <= now) {
            if let Some(given_up) = self.give_up(id, now) {
                return Some(given_up);
            }
            self.wakes.remove(&(at, id));
            self.relist(id, now);
        }
        None
    }

    /// Whether an origin may send now that is not dead.
    pub(super) fn has_alive(&self) -> bool {
        self.ready.len() > self.ready_dead
    }

    /// Whether the origin was ever reached, as far as it is remembered.
    pub(super) fn was_reached(&self, id: OriginId) -> bool {
        self.states.get(id.0).is_some_and(|state| state.was_reached)
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
            let waiting = std::mem::take(&mut self.states[id.0].waiting);
            jobs.extend(waiting.into_values().map(|waiting| waiting.job));
            self.relist(id, now);
        }
        jobs
    }

    /// How many jobs wait for a time: for a gate or a circuit, or for the rate of their origin.
    pub(super) fn gated(&self, now: Instant) -> usize {
        let closed = self.states.iter().filter(|(_, state)| state.opens() > Some(now));
        closed.map(|(_, state)| state.waiting.len()).sum()
    }

    /// How many origins are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.states.len()
    }

    /// What was learned of the origins that pushed back, those that did so most often first.
    pub(super) fn learned(&self, now: Instant) -> Vec<Learned> {
        let pushed_back = self.states.iter().map(|(_, state)| state).filter(|state| state.has_pushed_back());
        let mut learned: Vec<Learned> = pushed_back.map(|state| state.learned(self.limits.adaptive, now)).collect();
        let times = |learned: &Learned| learned.push_backs.iter().map(|(_, times)| times).sum::<u64>();
        learned.sort_by(|a, b| times(b).cmp(&times(a)).then_with(|| a.origin.cmp(&b.origin)));
        learned
    }

    fn id(&mut self, origin: Origin, now: Instant) -> OriginId {
        if let Some(&id) = self.ids.get(&origin) {
            return id;
        }
        let limit = OriginLimit { at_once: self.limits.most_at(&origin), rate: self.limits.rate_at(&origin) };
        let state = OriginState {
            origin: origin.clone(),
            limit,
            waiting: BTreeMap::new(),
            in_flight: 0,
            gate: None,
            rate: RateCell::default(),
            bucket: Bucket::default(),
            breaker: Breaker::default(),
            adaptive: AdaptiveLimit::new(limit.at_once),
            since: now,
            was_reached: false,
            served: 0,
            push_backs: [0; Pressure::ALL.len()],
            cause: None,
            listed: None,
            listed_as_dead: false,
            idle: None,
        };
        let id = OriginId(self.states.insert(state));
        self.ids.insert(origin, id);
        id
    }

    /// Brings `ready`, `wakes` and `idle` up to date with the state of `id`.
    fn relist(&mut self, id: OriginId, now: Instant) {
        let Some(state) = self.states.get_mut(id.0) else { return };
        let opens = state.opens();
        let is_open = opens.is_none_or(|opens| opens <= now);
        let has_place = state.in_flight < state.most_at_once(&self.limits);
        let oldest = state.waiting.first_key_value().map(|(&index, _)| index);
        let key = oldest.filter(|_| is_open && has_place).map(|oldest| Turn {
            in_flight: state.in_flight,
            waiting: Reverse(if state.in_flight == 0 { 0 } else { state.waiting.len() }),
            oldest,
        });
        let is_dead = state.is_dead();
        if (key, is_dead) != (state.listed, state.listed_as_dead) {
            if let Some(old) = state.listed {
                self.ready.remove(&(old, id));
                self.ready_dead -= usize::from(state.listed_as_dead);
            }
            if let Some(new) = key {
                self.ready.insert((new, id));
                self.ready_dead += usize::from(is_dead);
            }
            (state.listed, state.listed_as_dead) = (key, is_dead);
        }
        if oldest.is_some() && key.is_none() {
            self.wakes.extend(opens.filter(|_| !is_open).map(|opens| (opens, id)));
            self.wakes.extend(state.breaker.since().map(|since| (after(since, self.limits.circuit_patience), id)));
        }
        self.mind_idle(id, now);
    }

    /// Forgets an origin with nothing to do, or remembers it among the idle if something was learned of it.
    fn mind_idle(&mut self, id: OriginId, now: Instant) {
        let state = &mut self.states[id.0];
        if !state.waiting.is_empty() || state.in_flight > 0 {
            if let Some(key) = state.idle.take() {
                self.idle.remove(&key);
            }
            return;
        }
        if state.is_clean(now) {
            self.forget(id);
        } else if state.idle.is_none() {
            self.idle_count += 1;
            let key = (state.opens().filter(|&opens| opens > now), self.idle_count);
            state.idle = Some(key);
            self.idle.insert(key, id);
            if let Some((&(opens, _), &first)) = self.idle.first_key_value()
                && self.idle.len() > if opens > Some(now) { MOST_CLOSED } else { MOST_IDLE }
            {
                self.forget(first);
            }
        }
    }

    fn forget(&mut self, id: OriginId) {
        let state = self.states.remove(id.0);
        self.ids.remove(&state.origin);
        if let Some(key) = state.idle {
            self.idle.remove(&key);
        }
    }

    /// Takes a job of an origin that could not be reached for too long. The oldest one stays where it can be the probe.
    fn give_up(&mut self, id: OriginId, now: Instant) -> Option<(Box<JobState>, FailureKind)> {
        let state = self.states.get_mut(id.0)?;
        let since = state.breaker.since()?;
        let is_given_up = now.saturating_duration_since(since) >= self.limits.circuit_patience;
        if !is_given_up || state.listed.is_some() {
            return None;
        }
        let (_, Waiting { job, .. }) = state.waiting.pop_last()?;
        let cause = state.cause.expect("a circuit is open because of a failure");
        self.relist(id, now);
        Some((job, cause))
    }
}

/// The end of an exchange, as its origin sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Landing {
    /// What the exchange says about the origin.
    pub signal: Signal,
    /// Why it failed, if it did.
    pub cause: Option<FailureKind>,
    /// No request leaves before this time.
    pub gate: Option<Instant>,
    /// How long the exchange took.
    pub took: Duration,
}

impl OriginState {
    /// Before when no request may leave, for whatever reason.
    fn opens(&self) -> Option<Instant> {
        self.gate.max(self.breaker.opens()).max(self.rate.opens())
    }

    fn most_at_once(&self, limits: &Limits) -> usize {
        if self.breaker.is_probing() {
            1
        } else if limits.adaptive {
            self.adaptive.limit()
        } else {
            self.limit.at_once
        }
    }

    /// Whether it could not be reached, and never was, as far as is known.
    fn is_dead(&self) -> bool {
        !self.was_reached && self.cause.is_some()
    }

    /// Whether forgetting it changes nothing.
    fn is_clean(&self, now: Instant) -> bool {
        let is_open = self.opens().is_none_or(|opens| opens <= now);
        is_open && !self.has_pushed_back() && self.breaker.is_clean() && self.bucket.is_clean()
    }

    fn learn(&mut self, left: Instant, landing: Landing, now: Instant) {
        match landing.signal {
            Signal::Good => self.adaptive.succeed(landing.took, self.in_flight),
            Signal::PushBack(pressure) => {
                self.push_backs[pressure as usize] += 1;
                self.adaptive.push_back(landing.took, now);
            }
            Signal::Unreachable | Signal::Silent => {
                self.cause = landing.cause;
                self.breaker.fail(left, now);
            }
            Signal::Failing | Signal::Elsewhere | Signal::Local | Signal::None => {}
        }
        if landing.signal.has_reached() {
            self.was_reached = true;
            self.served += u64::from(matches!(landing.signal, Signal::Good | Signal::Failing));
            self.breaker.reach();
        }
    }

    fn has_pushed_back(&self) -> bool {
        self.push_backs.iter().any(|&times| times > 0)
    }

    fn learned(&self, adaptive: bool, now: Instant) -> Learned {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64().max(f64::EPSILON);
        #[expect(clippy::cast_precision_loss, reason = "a number of answers to be shown with two digits")]
        let rate = self.served as f64 / seconds;
        let push_backs = Pressure::ALL.into_iter().zip(self.push_backs).filter(|(_, times)| *times > 0).collect();
        let at_once = adaptive.then(|| self.adaptive.settled());
        Learned { origin: self.origin.clone(), at_once, rate, push_backs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_says_nothing_of_a_level_that_nobody_looked_for() {
        let origin = Origin::of(&"https://api.example.com/".parse().expect("a URL")).expect("an origin");
        let mut learned =
            Learned { origin, at_once: Some(3), rate: 41.2, push_backs: vec![(Pressure::TooManyRequests, 5)] };
        assert_eq!(learned.to_string(), "api.example.com settled at 3 at once, 41 req/s, 5× 429");
        learned.at_once = None;
        assert_eq!(learned.to_string(), "api.example.com pushed back, 41 req/s, 5× 429");
    }
}
