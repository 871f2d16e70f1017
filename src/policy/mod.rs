//! What comes after an exchange: finish, hop or retry.
//!
//! Pure: nothing here sleeps or sends, and clock and randomness are passed in.

mod address;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gate;
mod redirect;
mod retry;
mod state;

use std::time::{Duration, Instant};

pub use address::special_purpose;
pub(crate) use gate::wait_asked_for;
pub use redirect::RedirectPolicy;
pub use retry::RetryPolicy;
pub(crate) use retry::after;
pub(crate) use state::JobState;

use http::StatusCode;

use crate::model::{Exchange, Failure, FailureKind, PerHost, Phase, Request, RetryStop, StatusSet};

/// How long to wait when this machine lacks something that other exchanges will give back.
pub(crate) const LOCAL_PAUSE: Duration = Duration::from_millis(100);

/// The rules by which an exchange is judged.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Statuses that count as ok, `--accept`.
    pub accept: StatusSet,
    /// Statuses that count as ok from some hosts, in place of [`accept`](Self::accept).
    pub accept_of_host: PerHost<StatusSet>,
    /// Time of one attempt, hops included and waits excluded, `--max-time`.
    pub max_time: Duration,
    /// How redirects are followed.
    pub redirects: RedirectPolicy,
    /// When an attempt is repeated.
    pub retries: RetryPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            accept: "200..=399".parse().expect("a valid set of statuses"),
            accept_of_host: PerHost::default(),
            max_time: Duration::from_secs(30),
            redirects: RedirectPolicy::default(),
            retries: RetryPolicy::default(),
        }
    }
}

/// What comes after an exchange.
#[derive(Debug)]
pub(crate) enum Next {
    /// The job is done, with what the exchange brought and why it is not better than that.
    Finish(Ending),
    /// This request is the next hop of the same attempt.
    Hop(Box<Request>),
    /// The attempt is repeated, not before this time.
    Retry { not_before: Instant, reason: String },
    /// This machine lacked something, or a kept connection died: the same exchange is made again, not before this time, and does
    /// not count.
    Postpone { not_before: Instant },
}

/// How a job ends beyond what its last exchange says by itself.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ending {
    /// A failure that the exchange itself does not have: a refused redirect, a limit of ours.
    pub failure: Option<Failure>,
    /// What refused a retry.
    pub retry_stopped_by: Option<RetryStop>,
    /// The wait that the server asked for and that is too long for us.
    pub retry_after: Option<Duration>,
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// An exchange that is over, and all else that a decision on it looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome<'a> {
    /// Its job, as it was when the exchange left.
    pub job: &'a JobState,
    /// What it brought.
    pub exchange: &'a Exchange,
    /// When it left.
    pub left: Instant,
    /// The time of the decision.
    pub now: Instant,
    /// Whether the run was cancelled, so that nothing new may leave.
    pub winding_down: bool,
}

impl Policy {
    /// Decides what comes next.
    pub(crate) fn next(&self, outcome: Outcome<'_>, rng: &mut fastrand::Rng) -> Next {
        let own_failure = match self.redirects.decide(outcome.job, outcome.exchange) {
            redirect::Decision::None => None,
            redirect::Decision::Refuse(failure) => return Next::Finish(failure.into()),
            redirect::Decision::Follow(_) if outcome.winding_down => {
                let message = "the run was stopped before this redirect was followed";
                return Next::Finish(Failure::new(FailureKind::Canceled, message).into());
            }
            redirect::Decision::Follow(_) if self.is_out_of_time(outcome) => {
                let message = format!("the redirects took longer than {:?}", self.attempt_time(outcome.job));
                Some(Failure::new(FailureKind::AttemptTimeout, message))
            }
            redirect::Decision::Follow(request) => return Next::Hop(request),
        };
        if let Some(failure) = blocked_on_the_way(outcome) {
            return Next::Finish(failure.into());
        }
        let failure = own_failure.as_ref().or(outcome.exchange.failure.as_ref());
        let is_local = failure.is_some_and(|failure| failure.kind.phase() == Phase::Local);
        let pause =
            if is_local { Some(LOCAL_PAUSE) } else { outcome.exchange.resend.filter(|_| !outcome.job.was_resent) };
        if let Some(not_before) = pause.and_then(|pause| self.postponed(outcome, pause)) {
            return Next::Postpone { not_before };
        }
        // What never left is no attempt that could be repeated.
        if is_local {
            return Next::Finish(Ending::default());
        }
        match self.retries.decide(self, outcome, failure, rng) {
            retry::Decision::Retry { not_before, reason } => Next::Retry { not_before, reason },
            retry::Decision::Final(mut ending) => {
                ending.failure = ending.failure.or(own_failure);
                Next::Finish(ending)
            }
        }
    }

    /// When to make an exchange again after a `pause`, because this machine could not make it or a kept connection died under
    /// it, unless its line's time is over by then.
    fn postponed(&self, outcome: Outcome<'_>, pause: Duration) -> Option<Instant> {
        let not_before = after(outcome.now, pause);
        let is_in_time = not_before < self.deadline(outcome.job, outcome.left) && !outcome.winding_down;
        is_in_time.then_some(not_before)
    }

    /// Whether `status` counts as ok for `request`: by what is expected of it, else by its own `accept`, else by its host's, else
    /// by the options.
    pub(crate) fn accepts(&self, request: &Request, status: StatusCode) -> bool {
        let expected = request.expect.as_ref().and_then(|expect| expect.accepts(status));
        let own = request.overrides.as_ref().and_then(|own| own.accept.as_ref());
        let accept = || own.or_else(|| self.accept_of_host.of_url(&request.url)).unwrap_or(&self.accept);
        expected.unwrap_or_else(|| accept().contains(status))
    }

    /// The time that the next exchange of `job` may take when it leaves at `now`.
    pub(crate) fn time_limit(&self, job: &JobState, now: Instant) -> Duration {
        let of_line = self.deadline(job, now).saturating_duration_since(now);
        self.attempt_time_left(job).min(of_line)
    }

    /// Whether an exchange of `job` that left at `left` has less time than its attempt, because that of its line ends before.
    pub(crate) fn is_cut_short(&self, job: &JobState, left: Instant) -> bool {
        self.time_limit(job, left) < self.attempt_time_left(job)
    }

    /// When the time of `job`'s line is over; `left` is when its latest exchange left.
    pub(crate) fn deadline(&self, job: &JobState, left: Instant) -> Instant {
        let first_left = job.history.as_ref().map_or(left, |history| history.first_left);
        after(first_left, self.retries.max_time)
    }

    /// What the exchanges of `job`'s attempt have left of its time.
    fn attempt_time_left(&self, job: &JobState) -> Duration {
        let spent = job.history.as_ref().map_or(Duration::ZERO, |history| history.spent);
        self.attempt_time(job).saturating_sub(spent)
    }

    /// Time of one attempt of `job`.
    fn attempt_time(&self, job: &JobState) -> Duration {
        let own = job.request.overrides.as_ref().and_then(|own| own.timeout);
        own.unwrap_or(self.max_time)
    }

    /// Whether nothing is left of the attempt's time for another hop.
    fn is_out_of_time(&self, outcome: Outcome<'_>) -> bool {
        outcome.exchange.timing.total >= self.time_limit(outcome.job, outcome.left)
    }
}

/// The failure of a hop that the options do not allow: it was a server that chose the address, and not the user.
fn blocked_on_the_way(outcome: Outcome<'_>) -> Option<Failure> {
    let failure = outcome.exchange.failure.as_ref()?;
    let is_by_redirect = failure.kind == FailureKind::UrlBlocked && !outcome.job.is_at_first_hop();
    is_by_redirect.then(|| Failure::new(FailureKind::RedirectBlocked, failure.message.clone()))
}
