//! Whether an attempt is repeated, and when.

use std::time::{Duration, Instant};

use super::gate::asks_for_less;
use super::{Ending, Outcome, Policy, wait_asked_for};
use crate::model::{Failure, FailureKind, RetryStop, StatusSet};

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
    /// Backoff after a failure that will soon be over.
    pub transient: Backoff,
    /// Backoff after an answer that asks for less (429, 503).
    pub throttled: Backoff,
}

/// Waits that are random between zero and the lesser of `cap` and `base · 2ⁿ` before retry `n`, from 0
/// ("full jitter", AWS Architecture Blog, "Exponential Backoff And Jitter").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first retry.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
}

impl Backoff {
    /// The wait before retry `n`, from 0.
    fn wait(self, n: usize, rng: &mut fastrand::Rng) -> Duration {
        let doubled = u32::try_from(n).ok().and_then(|n| 2_u32.checked_pow(n));
        let longest = doubled.map_or(self.cap, |factor| self.base.saturating_mul(factor)).min(self.cap);
        longest.mul_f64(rng.f64())
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 2,
            statuses: "408,425,429,500,502,503,504,522,524".parse().expect("a valid set of statuses"),
            all_methods: false,
            max_time: Duration::from_mins(2),
            max_retry_after: Duration::from_mins(1),
            transient: Backoff { base: Duration::from_millis(250), cap: Duration::from_secs(20) },
            throttled: Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(1) },
        }
    }
}

/// Whether an attempt is repeated.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// It is, not before this time.
    Retry { not_before: Instant, reason: String },
    /// It is not.
    Final(Ending),
}

impl RetryPolicy {
    /// Decides on an exchange that `failure` spoilt, if anything did.
    pub(super) fn decide(
        &self,
        policy: &Policy,
        outcome: Outcome<'_>,
        failure: Option<&Failure>,
        rng: &mut fastrand::Rng,
    ) -> Decision {
        let Some(reason) = self.reason(policy, outcome, failure) else {
            return Decision::Final(Ending::default());
        };
        let asked_for = wait_asked_for(outcome.exchange);
        if let Some(wait) = asked_for.filter(|wait| *wait > self.max_retry_after) {
            let longest = self.max_retry_after;
            let message = format!("the server asks for a wait of {wait:?}; the longest allowed is {longest:?}");
            return Decision::Final(Ending {
                failure: Some(Failure::new(FailureKind::RateLimited, message)),
                retry_stopped_by: Some(RetryStop::MaxRetryAfter),
                retry_after: Some(wait),
            });
        }
        let is_throttled = failure.is_none() && outcome.exchange.status().is_some_and(asks_for_less);
        let backoff = if is_throttled { self.throttled } else { self.transient }.wait(outcome.job.retries(), rng);
        let not_before = after(outcome.now, backoff.max(asked_for.unwrap_or_default()));
        match self.refusal(policy, outcome, failure, not_before) {
            Some(stop) => Decision::Final(Ending { retry_stopped_by: Some(stop), ..Ending::default() }),
            None => Decision::Retry { not_before, reason },
        }
    }

    /// Why another attempt makes sense, if it does.
    fn reason(&self, policy: &Policy, outcome: Outcome<'_>, failure: Option<&Failure>) -> Option<String> {
        if let Some(failure) = failure {
            return failure.kind.is_transient().then(|| failure.kind.name().to_owned());
        }
        let status = outcome.exchange.status()?;
        let is_worth_it = self.statuses.contains(status) && !policy.accepts(&outcome.job.request, status);
        is_worth_it.then(|| format!("status {}", status.as_u16()))
    }

    /// The first rule that refuses another attempt at `not_before`.
    fn refusal(
        &self,
        policy: &Policy,
        outcome: Outcome<'_>,
        failure: Option<&Failure>,
        not_before: Instant,
    ) -> Option<RetryStop> {
        let job = outcome.job;
        let own = job.request.overrides.as_ref().and_then(|own| own.retry);
        let attempts = usize::try_from(own.unwrap_or(self.attempts)).unwrap_or(usize::MAX);
        let was_unsent = failure.is_some_and(|failure| failure.kind.is_provably_unsent()) && job.is_at_first_hop();
        if job.retries() >= attempts {
            Some(RetryStop::Attempts)
        } else if !(self.all_methods || was_unsent || job.first_request().method.is_idempotent()) {
            Some(RetryStop::Method)
        } else if not_before >= policy.deadline(job, outcome.left) {
            Some(RetryStop::RetryMaxTime)
        } else if outcome.winding_down {
            Some(RetryStop::Canceled)
        } else {
            None
        }
    }
}

/// The time `wait` after `now`; a wait beyond what the clock can tell ends in a hundred years.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    now + wait.min(CENTURY)
}
