//! Retry budgets: what keeps retries from becoming the load that brings a server down.
//!
//! Each origin has a bucket, as in the AWS SDKs ("standard" retry mode), and the whole run has a share of its requests, as in
//! Finagle and gRPC (A6, retry throttling).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What an origin's bucket holds at first.
const START: u32 = 30;
/// The most that it holds.
const MOST: u32 = 100;
/// What a retry takes out of it.
const RETRY_COST: u32 = 10;
/// What a success puts into it.
const SUCCESS_GAIN: u32 = 1;

/// The retries that one origin still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket(u32);

impl Default for Bucket {
    fn default() -> Self {
        Self(START)
    }
}

impl Bucket {
    /// Whether it is at least as full as that of an origin that nothing is known of.
    pub(super) fn is_clean(self) -> bool {
        self.0 >= START
    }

    pub(super) fn has_retry(self) -> bool {
        self.0 >= RETRY_COST
    }

    pub(super) fn spend_retry(&mut self) {
        self.0 = self.0.saturating_sub(RETRY_COST);
    }

    pub(super) fn gain(&mut self) {
        self.0 = (self.0 + SUCCESS_GAIN).min(MOST);
    }
}

/// How long requests and retries of the whole run are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// One in so many requests may be a retry …
const SHARE: u32 = 5;
/// … or so many a second, whatever the share.
const FLOOR_PER_SECOND: u32 = 10;
/// The counts are kept in so many slices of the window.
const SLICES: u32 = 20;

/// The retries of the whole run: a fifth of the requests over ten seconds, and at least ten a second.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Slices of the window, oldest first: when each began, its requests, its retries.
    slices: VecDeque<(Instant, u32, u32)>,
    requests: u32,
    retries: u32,
}

impl Share {
    pub(super) fn count_request(&mut self, now: Instant) {
        self.slice(now).1 += 1;
        self.requests += 1;
    }

    pub(super) fn has_retry(&mut self, now: Instant) -> bool {
        self.slice(now);
        let floor = FLOOR_PER_SECOND * u32::try_from(WINDOW.as_secs()).expect("a short window");
        self.retries < (self.requests / SHARE).max(floor)
    }

    pub(super) fn spend_retry(&mut self, now: Instant) {
        self.slice(now).2 += 1;
        self.retries += 1;
    }

    /// The slice of `now`, when the slices that have left the window are gone.
    fn slice(&mut self, now: Instant) -> &mut (Instant, u32, u32) {
        while let Some(&(begin, requests, retries)) = self.slices.front()
            && now.saturating_duration_since(begin) >= WINDOW
        {
            self.requests -= requests;
            self.retries -= retries;
            self.slices.pop_front();
        }
        let is_over = |(begin, ..): &(Instant, u32, u32)| now.saturating_duration_since(*begin) >= WINDOW / SLICES;
        if self.slices.back().is_none_or(is_over) {
            self.slices.push_back((now, 0, 0));
        }
        self.slices.back_mut().expect("there is a slice for this time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_three_retries_and_then_one_for_ten_successes() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert!(bucket.has_retry());
            bucket.spend_retry();
        }
        assert!(!bucket.has_retry());
        (0..9).for_each(|_| bucket.gain());
        assert!(!bucket.has_retry());
        bucket.gain();
        assert!(bucket.has_retry());
        (0..1_000).for_each(|_| bucket.gain());
        assert_eq!(bucket, Bucket(MOST));
    }

    #[test]
    fn the_run_may_retry_a_fifth_of_its_requests_over_ten_seconds() {
        let start = Instant::now();
        let mut share = Share::default();
        (0..1_000).for_each(|_| share.count_request(start));
        for _ in 0..200 {
            assert!(share.has_retry(start));
            share.spend_retry(start);
        }
        assert!(!share.has_retry(start));
        assert!(!share.has_retry(start + Duration::from_secs(9)));
        assert!(share.has_retry(start + WINDOW));
    }

    #[test]
    fn a_run_of_few_requests_may_retry_ten_times_a_second() {
        let start = Instant::now();
        let mut share = Share::default();
        let granted =
            (0..10_000).filter(|_| share.has_retry(start).then(|| share.spend_retry(start)).is_some()).count();
        assert_eq!(granted, 100);
    }
}
