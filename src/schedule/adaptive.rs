//! Adaptive concurrency: how many exchanges at once an origin can take, learned from how it answers.
//!
//! Additive increase, multiplicative decrease on signs of overload, as `AIMDLimit` of Netflix/concurrency-limits does it for
//! clients: a client sees loss, and cannot tell a slow answer from a long one. A level that was refused is approached again
//! with caution, and with twice as much each time: otherwise an origin with a fixed limit would refuse something all the time.

use std::time::{Duration, Instant};

/// What is left of the limit after a sign of overload.
const DECREASE: f64 = 0.7;

/// How many times as slowly the limit rises to a level that was refused once, and at most.
const CAUTION: (f64, f64) = (4.0, 256.0);

/// The learned limit of one origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdaptiveLimit {
    limit: f64,
    most: f64,
    lowered_at: Option<Instant>,
    /// The lowest level that was refused lately, and with how much caution it is approached.
    refused: Option<(usize, f64)>,
    /// The moving average of how long an exchange takes.
    round_trip: Duration,
}

impl AdaptiveLimit {
    /// A limit that starts at `most` and never goes above it.
    pub(super) fn new(most: usize) -> Self {
        let most = f64::from(u32::try_from(most).unwrap_or(u32::MAX));
        Self { limit: most, most, lowered_at: None, refused: None, round_trip: Duration::ZERO }
    }

    /// Most exchanges at once.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 1 to a number that was an integer"
    )]
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Most exchanges at once that were not refused.
    pub(super) fn settled(&self) -> usize {
        self.refused.map_or(self.limit(), |(refused, _)| self.limit().min(refused - 1).max(1))
    }

    /// Whether the origin has been found to take less than it might.
    pub(super) fn is_lowered(&self) -> bool {
        self.limit < self.most
    }

    /// The origin pushed back on an exchange that took `took`. Answers of one round trip are one sign, not many.
    pub(super) fn push_back(&mut self, took: Duration, now: Instant) {
        self.learn(took);
        let is_same_sign = |at: Instant| now.saturating_duration_since(at) < self.round_trip;
        if !self.lowered_at.is_some_and(is_same_sign) {
            let level = self.limit();
            self.refused = match self.refused {
                Some((refused, caution)) if refused <= level => Some((refused, (caution * 2.0).min(CAUTION.1))),
                _ => Some((level, CAUTION.0)),
            };
            self.limit = (self.limit * DECREASE).max(1.0);
            self.lowered_at = Some(now);
        }
    }

    /// The origin answered well after `took`, with `in_flight` exchanges at once, this one included.
    pub(super) fn succeed(&mut self, took: Duration, in_flight: usize) {
        self.learn(took);
        // A limit that was not tried says nothing about a higher one.
        if self.is_lowered() && in_flight >= self.limit() {
            let caution = match self.refused {
                Some((refused, caution)) if self.limit() + 1 == refused => caution,
                _ => 1.0,
            };
            self.limit = (self.limit + 1.0 / (self.limit * caution)).min(self.most);
            // It takes more now.
            self.refused = self.refused.filter(|&(refused, _)| self.limit() <= refused);
        }
    }

    fn learn(&mut self, took: Duration) {
        self.round_trip = if self.round_trip.is_zero() { took } else { (self.round_trip * 7 + took) / 8 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(100);

    #[test]
    fn it_falls_by_three_tenths_once_a_round_trip_and_never_below_one() {
        let start = Instant::now();
        let mut limit = AdaptiveLimit::new(10);
        (0..10).for_each(|_| limit.push_back(TOOK, start));
        assert_eq!(limit.limit(), 7);
        limit.push_back(TOOK, start + TOOK);
        assert_eq!(limit.limit(), 4);
        (2..50).for_each(|n| limit.push_back(TOOK, start + TOOK * n));
        assert_eq!(limit.limit(), 1);
    }

    #[test]
    fn it_rises_by_one_for_a_limit_of_successes_up_to_where_it_started() {
        let start = Instant::now();
        let mut limit = AdaptiveLimit::new(4);
        (0..3).for_each(|n| limit.push_back(TOOK, start + TOOK * n));
        assert_eq!((limit.limit(), limit.settled()), (1, 1));
        (0..1_000).for_each(|_| limit.succeed(TOOK, 1));
        assert_eq!(limit.limit(), 2);
        limit.succeed(TOOK, 1);
        assert_eq!(limit.limit(), 2, "a limit that was not tried does not rise");
        (0..100).for_each(|_| limit.succeed(TOOK, 4));
        assert_eq!((limit.limit(), limit.settled()), (4, 4));
        assert!(!limit.is_lowered());
    }

    /// How often an origin that takes so many at once refuses `successes` and the requests between them.
    fn refusals(takes: usize, successes: usize) -> (usize, usize) {
        let mut limit = AdaptiveLimit::new(16);
        let (mut refusals, mut now) = (0, Instant::now());
        for _ in 0..successes {
            now += TOOK;
            while limit.limit() > takes {
                limit.push_back(TOOK, now);
                now += TOOK * 2;
                refusals += 1;
            }
            limit.succeed(TOOK, limit.limit());
        }
        (refusals, limit.settled())
    }

    #[test]
    fn a_level_that_is_refused_again_and_again_is_tried_ever_less_often() {
        for takes in [1, 3, 10] {
            let (few, _) = refusals(takes, 300);
            let (many, settled) = refusals(takes, 30_000);
            assert_eq!(settled, takes);
            assert!(few <= 20 && many < 30_000 / 100, "{few} of 300, {many} of 30,000 where {takes} are taken");
        }
    }
}
