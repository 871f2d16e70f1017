//! Rates: at most so many requests in so much time, evenly spread.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A rate: `10/s`, `300/m`, `5/2s`. Requests are spread evenly, so that no window of time sees a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
}

impl Rate {
    /// `count` requests in `period`; `None` if either is zero, or the requests come closer than a nanosecond.
    pub fn new(count: u32, period: Duration) -> Option<Self> {
        let nanos = period.as_nanos().checked_div(u128::from(count))?;
        // Rounded up, so that the rate is never exceeded.
        let is_whole = nanos * u128::from(count) == period.as_nanos();
        let nanos = u64::try_from(nanos + u128::from(!is_whole)).ok()?;
        (nanos > 0).then_some(Self { interval: Duration::from_nanos(nanos) })
    }

    /// The least time between two requests.
    pub fn interval(self) -> Duration {
        self.interval
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (count, unit) = text.split_once('/')?;
            let unit = unit.trim();
            let (digits, name) = unit.split_at(unit.find(|c: char| !c.is_ascii_digit())?);
            let times: u32 = if digits.is_empty() { 1 } else { digits.parse().ok()? };
            let unit = match name.trim() {
                "ms" => Duration::from_millis(1),
                "s" | "sec" | "second" => Duration::from_secs(1),
                "m" | "min" | "minute" => Duration::from_mins(1),
                "h" | "hour" => Duration::from_hours(1),
                "d" | "day" => Duration::from_hours(24),
                _ => return None,
            };
            Self::new(count.trim().parse().ok()?, unit.checked_mul(times)?)
        };
        parse().ok_or(ParseRateError)
    }
}

/// As users write it: the least time between two requests.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one request every {:?}", self.interval)
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number of requests and a unit of time: `10/s`, `300/m`, `5/2s`")]
pub struct ParseRateError;

/// What a rate has let through so far: the generic cell rate algorithm with a burst of one (ITU-T I.371).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RateCell {
    next: Option<Instant>,
}

impl RateCell {
    /// Before when no request may leave.
    pub(super) fn opens(&self) -> Option<Instant> {
        self.next
    }

    /// Counts a request that leaves at `now`, which is not before [`RateCell::opens`].
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) {
        self.next = Some(now + rate.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_and_a_unit() {
        let interval = |text: &str| text.parse::<Rate>().map(Rate::interval);
        assert_eq!(interval("10/s"), Ok(Duration::from_millis(100)));
        assert_eq!(interval("300/m"), Ok(Duration::from_millis(200)));
        assert_eq!(interval("5/2s"), Ok(Duration::from_millis(400)));
        assert_eq!(interval("3/s"), Ok(Duration::from_nanos(333_333_334)));
        for bad in ["", "10", "10/", "0/s", "/s", "-1/s", "10/0s", "10/x", "1.5/s", "10/s/s", "9/99999999999999999999h"]
        {
            assert_eq!(interval(bad), Err(ParseRateError), "{bad:?} was taken");
        }
    }
}
