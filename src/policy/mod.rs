//! What comes after an exchange: finish, hop or retry. Pure: never sleeps, never sends; clock and randomness are passed in.

use std::time::Duration;

use crate::model::StatusSet;

/// The rules by which an exchange is judged.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Statuses that count as ok, `--accept`.
    pub accept: StatusSet,
    /// Time of one attempt, hops included, `--max-time`.
    pub max_time: Duration,
    /// How redirects are followed.
    pub redirects: RedirectPolicy,
    /// When an attempt is repeated.
    pub retries: RetryPolicy,
}

/// How redirects are followed.
#[derive(Debug, Clone)]
pub struct RedirectPolicy {
    /// Most redirects in one attempt; 0: none is followed, `--max-redirs`.
    pub limit: u32,
    /// Whether credentials go along to other origins, `--location-trusted`.
    pub trust_location: bool,
}

/// When an attempt is repeated.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts after the first, `--retry`.
    pub attempts: u32,
    /// Statuses that are worth another attempt, `--retry-on`.
    pub statuses: StatusSet,
    /// Whether methods that are not idempotent are repeated too, `--retry-all-methods`.
    pub all_methods: bool,
    /// A line's time, from its first exchange on, waits included, `--retry-max-time`.
    pub max_time: Duration,
    /// The longest Retry-After that is waited for, `--max-retry-after`.
    pub max_retry_after: Duration,
    /// Backoff before retry `n` (from 0) is random between zero and the lesser of `backoff_cap` and `backoff_base · 2ⁿ`.
    pub backoff_base: Duration,
    /// The longest backoff.
    pub backoff_cap: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let set = |text: &str| text.parse().expect("a valid set of statuses");
        Self {
            accept: set("200..=399"),
            max_time: Duration::from_secs(30),
            redirects: RedirectPolicy { limit: 10, trust_location: false },
            retries: RetryPolicy {
                attempts: 2,
                statuses: set("408,425,429,500,502,503,504,522,524"),
                all_methods: false,
                max_time: Duration::from_mins(2),
                max_retry_after: Duration::from_mins(1),
                backoff_base: Duration::from_millis(250),
                backoff_cap: Duration::from_secs(20),
            },
        }
    }
}
