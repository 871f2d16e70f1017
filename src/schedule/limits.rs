//! How many exchanges may be made at once, and how many in a time.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::Rate;
use crate::model::{Origin, PerHost};

/// How many exchanges may be made at once, and how many in a time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// At once in all, `--concurrency`.
    pub concurrency: NonZeroUsize,
    /// At once to one origin, `--max-per-host`; `None`: no limit of its own.
    pub max_per_host: Option<NonZeroUsize>,
    /// In a time in all, `--rate`.
    pub rate: Option<Rate>,
    /// In a time to one origin, `--rate-per-host`.
    pub rate_per_host: Option<Rate>,
    /// At once to one origin of some hosts alone, in place of [`max_per_host`](Self::max_per_host).
    pub max_of_host: PerHost<Option<NonZeroUsize>>,
    /// In a time to one origin of some hosts alone, in place of [`rate_per_host`](Self::rate_per_host).
    pub rate_of_host: PerHost<Rate>,
    /// Whether an origin that pushes back gets fewer at once, `--adaptive`.
    pub adaptive: bool,
    /// How long lines wait for an origin that cannot be reached; the line's time, `--retry-max-time`, on the command line.
    pub circuit_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(64).expect("not zero"),
            max_per_host: NonZeroUsize::new(8),
            rate: None,
            rate_per_host: None,
            max_of_host: PerHost::default(),
            rate_of_host: PerHost::default(),
            adaptive: true,
            circuit_patience: Duration::from_mins(2),
        }
    }
}

impl Limits {
    /// Most exchanges at once to `origin`, whether it has a limit of its own or not.
    pub(super) fn most_at(&self, origin: &Origin) -> usize {
        let own = self.max_of_host.of(origin).copied().unwrap_or(self.max_per_host);
        own.unwrap_or(self.concurrency).min(self.concurrency).get()
    }

    /// How many exchanges in a time to `origin`.
    pub(super) fn rate_at(&self, origin: &Origin) -> Option<Rate> {
        self.rate_of_host.of(origin).copied().or(self.rate_per_host)
    }
}
