//! Rates: at most so many requests in so much time, evenly spread.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How late a request may leave without pushing back the ones after it, at most: timers fire up to two milliseconds late.
const LATENESS: Duration = Duration::from_millis(2);

/// A rate: `10/s`, `300/m`, `5/2s`. No window as long as its period sees more requests than its count, wherever it begins,
/// and requests are spread evenly in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
    interval: Duration,
    lateness: Duration,
}

impl Rate {
    /// `count` requests in `period`; `None` if either is zero, or the requests come closer than a nanosecond.
    pub fn new(count: u32, period: Duration) -> Option<Self> {
        let lateness = LATENESS.min(period / 100);
        if period.as_nanos().checked_div(u128::from(count))? == 0 {
            return None;
        }
        // What a late request makes up for is taken from every interval beforehand, so that a whole period never sees one too
        // many. Rounded up for the same reason.
        let nanos = period.checked_add(lateness)?.as_nanos().div_ceil(u128::from(count));
        let interval = Duration::from_nanos(u64::try_from(nanos).ok()?);
        Some(Self { count, period, interval, lateness })
    }

    /// The time between two requests that leave when they may: a fifth of a percent more than the period divided by the count
    /// for a period of a second, to make room for [`Rate::lateness`].
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// How late a request may leave so that the next is still on time: two requests may be closer by this than
    /// [`Rate::interval`].
    pub fn lateness(self) -> Duration {
        self.lateness
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

/// As users write it.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, humantime::format_duration(self.period))
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number of requests and a unit of time: `10/s`, `300/m`, `5/2s`")]
pub struct ParseRateError;

/// What a rate has let through so far: the generic cell rate algorithm (ITU-T I.371), with a burst of one and a tolerance of
/// [`Rate::lateness`]. Without the tolerance every late timer would cost its delay: 1,000 in a second would become 430.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RateCell {
    /// When the next request would leave if all were on time.
    due: Option<Instant>,
    lateness: Duration,
}

impl RateCell {
    /// Before when no request may leave.
    pub(super) fn opens(&self) -> Option<Instant> {
        self.due.and_then(|due| due.checked_sub(self.lateness))
    }

    /// Counts a request that leaves at `now`, which is not before [`RateCell::opens`].
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) {
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + rate.interval);
        self.lateness = rate.lateness;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_and_a_unit() {
        let rate = |count, period| Ok(Rate::new(count, period).expect("a rate"));
        assert_eq!("10/s".parse(), rate(10, Duration::from_secs(1)));
        assert_eq!("300/m".parse(), rate(300, Duration::from_mins(1)));
        assert_eq!("5/2s".parse(), rate(5, Duration::from_secs(2)));
        for bad in ["", "10", "10/", "0/s", "/s", "-1/s", "10/0s", "10/x", "1.5/s", "10/s/s", "9/99999999999999999999h"]
        {
            assert_eq!(bad.parse::<Rate>(), Err(ParseRateError), "{bad:?} was taken");
        }
    }

    #[test]
    fn requests_that_leave_late_by_a_timer_do_not_lower_the_rate() {
        let rate = Rate::new(1000, Duration::from_secs(1)).expect("a rate");
        let start = Instant::now();
        let mut cell = RateCell::default();
        let mut now = start;
        let mut sent = 0;
        while now < start + Duration::from_secs(1) {
            while cell.opens().is_none_or(|opens| opens <= now) {
                cell.spend(rate, now);
                sent += 1;
            }
            // A timer of whole milliseconds that fires a little late.
            now += Duration::from_micros(1_700);
        }
        assert!((990..=1000).contains(&sent), "{sent} of 1,000 left");
    }
}
