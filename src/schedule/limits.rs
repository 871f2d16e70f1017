//! How many exchanges may be made at once.

use std::num::NonZeroUsize;

/// How many exchanges may be made at once.
#[derive(Debug, Clone)]
pub struct Limits {
    /// In all, `--concurrency`.
    pub concurrency: NonZeroUsize,
    /// To one origin, `--max-per-host`; `None`: no limit of its own.
    pub max_per_host: Option<NonZeroUsize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: NonZeroUsize::new(64).expect("not zero"), max_per_host: NonZeroUsize::new(8) }
    }
}
