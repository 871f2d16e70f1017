//! The engine: jobs in, records out, in input order.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::policy::Policy;

/// How a run is made.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many exchanges at once.
    pub limits: Limits,
    /// What follows an exchange.
    pub policy: Policy,
    /// The order of the records.
    pub order: Order,
    /// Most jobs that are admitted and not yet written, `--window`.
    pub window: NonZeroUsize,
    /// Time for exchanges in flight once the run is cancelled, `--grace`.
    pub grace: Duration,
    /// Seed of all randomness (backoff); the same seed and the same answers make the same run.
    pub seed: u64,
}

/// How many exchanges may be made at once.
#[derive(Debug, Clone)]
pub struct Limits {
    /// In all, `--concurrency`.
    pub concurrency: NonZeroUsize,
    /// To one origin, `--max-per-host`; `None`: no limit of its own.
    pub max_per_host: Option<NonZeroUsize>,
}

/// The order of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As the lines stand in the input.
    #[default]
    Input,
    /// As they finish.
    Completion,
}

impl Default for Plan {
    fn default() -> Self {
        let count = |n| NonZeroUsize::new(n).expect("not zero");
        Self {
            limits: Limits { concurrency: count(64), max_per_host: Some(count(8)) },
            policy: Policy::default(),
            order: Order::Input,
            window: count(1_000_000),
            grace: Duration::from_secs(10),
            seed: fastrand::u64(..),
        }
    }
}

/// What the run is doing right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Lines read so far.
    pub admitted: u64,
    /// Whether the input has ended, so that `admitted` is the total.
    pub input_ended: bool,
    /// Records given out so far.
    pub finished: u64,
    /// Exchanges being made.
    pub in_flight: usize,
    /// Jobs that wait for a place in the pool or at their origin.
    pub queued: usize,
    /// Jobs that wait for their backoff to end.
    pub backing_off: usize,
    /// Jobs that wait for their origin's gate to open.
    pub gated: usize,
}
