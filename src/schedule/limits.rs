//! How many exchanges may be made at once, and how many in a time.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::Rate;

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
            adaptive: true,
            circuit_patience: Duration::from_mins(2),
        }
    }
}

impl Limits {
    /// Most exchanges at once to one origin, whether it has a limit of its own or not.
    pub(super) fn per_origin(&self) -> usize {
        self.max_per_host.unwrap_or(self.concurrency).min(self.concurrency).get()
    }
}
