//! The circuit breaker of an origin: one that cannot be reached is left alone for a while, and then probed with one request.

use std::time::{Duration, Instant};

/// So many failures to connect in a row open the circuit …
const IN_A_ROW: u32 = 10;
/// … or half of this many latest exchanges.
const LATEST: u32 = 20;
/// How long it stays open at first; doubled each time that the probe fails, up to the cap.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest time that it stays open.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What the breaker knows of one origin.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Breaker {
    /// The latest exchanges, the last in the lowest bit: 1 is a failure to connect.
    latest: u32,
    seen: u32,
    in_a_row: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    since: Instant,
    until: Instant,
    pause: Duration,
}

impl Breaker {
    /// Before when no request may leave; `None`: the circuit is closed.
    pub(super) fn opens(&self) -> Option<Instant> {
        self.open.map(|open| open.until)
    }

    /// Since when the origin has not been reached; `None`: the circuit is closed.
    pub(super) fn since(&self) -> Option<Instant> {
        self.open.map(|open| open.since)
    }

    /// Whether only one request may be on its way: the probe.
    pub(super) fn is_probing(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it knows nothing against the origin.
    pub(super) fn is_clean(&self) -> bool {
        self.open.is_none() && self.latest == 0
    }

    /// The origin was reached, whatever it answered.
    pub(super) fn reach(&mut self) {
        if self.open.is_some() {
            *self = Self::default();
        }
        self.in_a_row = 0;
        self.note(0);
    }

    /// The origin was not reached by an exchange that left at `left`.
    pub(super) fn fail(&mut self, left: Instant, now: Instant) {
        self.in_a_row += 1;
        self.note(1);
        match self.open {
            // An exchange that left before the circuit opened says nothing new.
            Some(open) if left < open.until => {}
            Some(open) => {
                let pause = (open.pause * 2).min(LONGEST_PAUSE);
                self.open = Some(Open { until: now + pause, pause, ..open });
            }
            None if self.is_bad() => {
                self.open = Some(Open { since: now, until: now + FIRST_PAUSE, pause: FIRST_PAUSE });
            }
            None => {}
        }
    }

    fn is_bad(&self) -> bool {
        self.in_a_row >= IN_A_ROW || (self.seen >= LATEST && self.latest.count_ones() * 2 >= LATEST)
    }

    fn note(&mut self, failed: u32) {
        self.latest = (self.latest << 1 | failed) & ((1 << LATEST) - 1);
        self.seen = (self.seen + 1).min(LATEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_row_open_it_and_a_success_closes_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        (0..9).for_each(|_| breaker.fail(start, start));
        assert_eq!(breaker.opens(), None);
        breaker.fail(start, start);
        assert_eq!(breaker.opens(), Some(start + FIRST_PAUSE));
        breaker.reach();
        assert!(breaker.opens().is_none() && breaker.is_clean());
    }

    #[test]
    fn half_of_the_last_twenty_open_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.reach();
            breaker.fail(start, start);
        }
        assert_eq!(breaker.opens(), None);
        breaker.reach();
        breaker.fail(start, start);
        assert_eq!(breaker.opens(), Some(start + FIRST_PAUSE));
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_a_minute() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        (0..10).for_each(|_| breaker.fail(now, now));
        breaker.fail(now, now + Duration::from_secs(1));
        for seconds in [5, 10, 20, 40, 60, 60] {
            let until = breaker.opens().expect("it is open");
            assert_eq!(until - now, Duration::from_secs(seconds));
            now = until;
            breaker.fail(now, now);
        }
    }
}
