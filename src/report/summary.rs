//! The end of a run: what came of all records, in bounded memory, and the lines that tell it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::Style;
use super::escape;
use super::fit::{columns, wrap};
use super::hosts::{HostCounts, Hosts};
use super::style::Tone;
use super::units::{count, plural, rate, size, time, time_in_prose};
use crate::model::{ExchangeRecord, FailureKind, FlakyRule, Record, Standing, Verdict};

/// The longest time that percentiles tell apart from longer ones, in microseconds: a day.
const LONGEST: u64 = 86_400_000_000;

/// Columns of a line where there is no terminal to give them.
const USUAL_WIDTH: usize = 100;

/// Most causes, and most hosts, that the end lines name.
const NAMED: usize = 5;

/// What came of all records so far.
///
/// Memory does not grow with the number of records: times are counted in a histogram (three significant digits, up to a
/// day), and of more than 4,096 hosts only those with the most failures, retries and lines are remembered for certain.
#[derive(Debug)]
pub struct Summary {
    records: u64,
    ok: u64,
    flaky: u64,
    failed: u64,
    known: u64,
    fixed: u64,
    skipped: u64,
    retries: u64,
    requests: u64,
    bytes: u64,
    causes: BTreeMap<Cause, u64>,
    statuses: BTreeMap<u16, u64>,
    hosts: Hosts,
    /// Of `time_total`, in microseconds.
    times: Histogram<u64>,
    slowest: Option<Duration>,
}

/// Why a record failed. There are about a thousand at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    Status(u16),
    Expectation,
    Kind(FailureKind),
    Other,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            records: 0,
            ok: 0,
            flaky: 0,
            failed: 0,
            known: 0,
            fixed: 0,
            skipped: 0,
            retries: 0,
            requests: 0,
            bytes: 0,
            causes: BTreeMap::new(),
            statuses: BTreeMap::new(),
            hosts: Hosts::default(),
            times: Histogram::new_with_bounds(1, LONGEST, 3)
                .expect("these bounds are in order, and 3 digits are allowed"),
            slowest: None,
        }
    }
}

impl Summary {
    /// Counts one more record.
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        match record.verdict {
            _ if record.is_skipped() => self.skipped += 1,
            // With `--flaky fail` a flaky line can be a known failure too.
            _ if record.baseline == Some(Standing::Known) => self.known += 1,
            Verdict::Ok => self.ok += 1,
            Verdict::Flaky => self.flaky += 1,
            Verdict::Failed => {
                self.failed += 1;
                *self.causes.entry(Cause::of(record)).or_default() += 1;
            }
        }
        self.fixed += u64::from(record.baseline == Some(Standing::Fixed));
        if let Some(status) = record.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        self.retries += u64::from(record.num_retries);
        self.requests += requests(record);
        self.bytes += record.size_download.unwrap_or(0);
        self.hosts.add(record);
        if let Some(time) = record.time_total {
            self.times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
            self.slowest = self.slowest.max(Some(time));
        }
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that were as they should be at the first attempt.
    pub fn ok(&self) -> u64 {
        self.ok
    }

    /// Records that were as they should be, but only after a retry, and are not known from a baseline.
    pub fn flaky(&self) -> u64 {
        self.flaky
    }

    /// Records that were not as they should be, but for those that are known from a baseline or were skipped.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Records that were not as they should be, as in the baseline.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// Records that were as they should be, and were not in the baseline; they count as ok or flaky too.
    pub fn fixed(&self) -> u64 {
        self.fixed
    }

    /// Records of lines for which nothing was sent, because the run was stopped.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Records that make the run fail.
    pub fn failures(&self, rule: FlakyRule) -> u64 {
        self.failed + if rule.fails(Verdict::Flaky) { self.flaky } else { 0 }
    }

    pub(super) fn causes(&self) -> impl Iterator<Item = (Cause, u64)> {
        self.causes.iter().map(|(&cause, &times)| (cause, times))
    }

    pub(super) fn statuses(&self) -> &BTreeMap<u16, u64> {
        &self.statuses
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Attempts after the first.
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// Requests sent for these records: redirects and retries count.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Bytes of the final responses' bodies on the wire.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The longest `time_total`.
    pub fn slowest(&self) -> Option<Duration> {
        self.slowest
    }

    /// The time within which a share (0 to 1) of the records that sent a request were done: `time_total`, retries and
    /// waits included, at most 0.1 % too long. `None` before the first.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let slowest = self.slowest?;
        Some(Duration::from_micros(self.times.value_at_quantile(share)).min(slowest))
    }

    /// The end lines, for a person, each with its line break. `wall`: how long the run took; `notes`: whatever else must
    /// be said, a line each.
    pub fn render(&self, wall: Duration, notes: &[String], style: &Style) -> String {
        let mut lines = wrap(&self.totals(wall, style), style.separator(), 2, style);
        lines.push('\n');
        let lists = [self.named_causes(style), self.troubled_hosts(style)].map(|list| wrap(&list, " ", 4, style));
        for line in side_by_side(lists, style) {
            lines.push_str(&line);
            lines.push('\n');
        }
        for note in notes {
            lines.push_str("  ");
            lines.push_str(&escape(note));
            lines.push('\n');
        }
        lines
    }

    fn totals(&self, wall: Duration, style: &Style) -> Vec<(String, String)> {
        let plain = |text: String| (text.clone(), text);
        let painted = |number: u64, word: &str, tone| {
            let text = format!("{} {word}", count(number));
            let shown = style.paint(tone, &text);
            (number > 0).then_some((text, shown))
        };
        let mut parts = vec![plain(plural(self.records, "URL"))];
        parts.extend(painted(self.ok, "ok", Tone::Good));
        parts.extend(painted(self.flaky, "flaky", Tone::Doubtful));
        parts.extend(painted(self.failed, "failed", Tone::Bad));
        parts.extend(painted(self.known, "known", Tone::Doubtful));
        parts.extend(painted(self.fixed, "fixed", Tone::Good));
        parts.extend(painted(self.skipped, "skipped", Tone::Doubtful));
        let slowest = self.slowest.map(|slowest| format!(" (slowest {})", time_in_prose(slowest))).unwrap_or_default();
        parts.push(plain(format!("{}{slowest}", time_in_prose(wall))));
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            parts.extend(self.percentile(share).map(|value| plain(format!("{name} {}", time(value)))));
        }
        if self.requests > 0 {
            parts.push(plain(size(self.bytes)));
            parts.push(plain(format!("{} req/s", rate(self.requests, wall))));
        }
        parts
    }

    fn named_causes(&self, style: &Style) -> Vec<(String, String)> {
        let mut causes: Vec<_> = self.causes().collect();
        causes.sort_by_key(|&(cause, times)| (Reverse(times), cause));
        let shown = causes.iter().map(|(cause, times)| format!("{cause} {}{}", style.times(), count(*times)));
        list("  failed by kind: ", shown, false, style)
    }

    fn troubled_hosts(&self, style: &Style) -> Vec<(String, String)> {
        let (hosts, may_be_more) = self.hosts.troubled();
        let shown = hosts.iter().map(|(host, counts)| format!("{} {}", escape(host), counts));
        list("  hosts: ", shown, may_be_more, style)
    }
}

/// The first few items after a title, and how many more there are.
fn list(
    title: &str,
    mut items: impl ExactSizeIterator<Item = String>,
    may_be_more: bool,
    style: &Style,
) -> Vec<(String, String)> {
    let more = items.len().saturating_sub(NAMED);
    let mut parts: Vec<String> = items.by_ref().take(NAMED).collect();
    if let Some(first) = parts.first_mut() {
        first.insert_str(0, title);
    }
    if more > 0 {
        let least = if may_be_more { "at least " } else { "" };
        parts.push(format!("{} and {least}{} more", style.ellipsis(), count(more as u64)));
    }
    // The comma belongs to its item, so that a line that is wrapped ends with it.
    let last = parts.len().saturating_sub(1);
    parts[..last].iter_mut().for_each(|part| part.push(','));
    parts.into_iter().map(|part| (part.clone(), part)).collect()
}

/// Lists that have something in them: on one line where they fit, else one below the other.
fn side_by_side(lists: [String; 2], style: &Style) -> Vec<String> {
    let lists: Vec<String> = lists.into_iter().filter(|list| !list.is_empty()).collect();
    let together = lists.join("    ");
    if !together.contains('\n') && columns(&together) <= style.width.unwrap_or(USUAL_WIDTH) {
        return Vec::from_iter((!together.is_empty()).then_some(together));
    }
    lists
}

impl Cause {
    fn of(record: &Record) -> Self {
        match (&record.error, record.status) {
            (Some(error), _) => Self::Kind(error.kind),
            // A status that is not as expected says more than that something is not.
            _ if !record.failed.is_empty() && !record.failed.iter().any(|failed| failed.starts_with("status ")) => {
                Self::Expectation
            }
            (None, Some(status)) => Self::Status(status),
            (None, None) => Self::Other,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Expectation => f.write_str("expectation"),
            Self::Kind(kind) => f.write_str(kind.name()),
            Self::Other => f.write_str("no response"),
        }
    }
}

/// `3 (1 failed, 2 retries)`
impl fmt::Display for HostCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = (self.failed > 0).then(|| format!("{} failed", count(self.failed)));
        let retries = match self.retries {
            0 => None,
            1 => Some("1 retry".to_owned()),
            retries => Some(format!("{} retries", count(retries))),
        };
        let troubles: Vec<String> = failed.into_iter().chain(retries).collect();
        write!(f, "{} ({})", count(self.lines), troubles.join(", "))
    }
}

/// How many requests were sent for `record`.
fn requests(record: &Record) -> u64 {
    let of_hops = |hops: &[ExchangeRecord]| hops.len().max(1) as u64;
    if !record.attempts.is_empty() {
        return record.attempts.iter().map(|attempt| of_hops(&attempt.hops)).sum();
    }
    if record.timestamp.is_some() { of_hops(&record.hops) } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::tests::record;

    fn summary(times: &[u64]) -> Summary {
        let mut summary = Summary::default();
        for &micros in times {
            let time_total = Some(Duration::from_micros(micros));
            summary.add(&Record { time_total, ..record(0, "https://api.example.com/") });
        }
        summary
    }

    #[test]
    fn an_empty_run_has_no_times() {
        assert_eq!(Summary::default().render(Duration::from_millis(3), &[], &Style::default()), "0 URLs · 3 ms\n");
        assert_eq!(Summary::default().percentile(0.5), None);
    }

    #[test]
    fn a_good_run_needs_one_line() {
        assert_eq!(
            summary(&[84_000, 112_000, 98_000]).render(Duration::from_millis(2_100), &[], &Style::default()),
            "3 URLs · 3 ok · 2.1 s (slowest 112 ms) · p50 98ms · p99 112ms · 27B · 1.4 req/s\n"
        );
    }

    #[test]
    fn causes_and_hosts_share_a_line_where_they_fit() {
        let mut summary = Summary::default();
        let failed =
            Record { verdict: Verdict::Failed, status: Some(503), num_retries: 2, ..record(0, "https://a.example/") };
        summary.add(&failed);
        let lines =
            |width| summary.render(Duration::from_secs(1), &[], &Style { width: Some(width), ..Style::default() });
        assert!(
            lines(80).ends_with("\n  failed by kind: status 503 ×1      hosts: a.example 1 (1 failed, 2 retries)\n")
        );
        assert!(lines(60).ends_with("\n  failed by kind: status 503 ×1\n  hosts: a.example 1 (1 failed, 2 retries)\n"));
    }

    #[test]
    fn of_many_hosts_the_worst_five_are_named() {
        let mut summary = Summary::default();
        for number in 0..8u64 {
            let url = format!("https://{number}.example/");
            for _ in 0..=number {
                summary.add(&Record { verdict: Verdict::Failed, status: Some(500), ..record(0, &url) });
            }
        }
        let lines = summary.render(Duration::from_secs(1), &[], &Style { unicode: false, ..Style::default() });
        let hosts = lines.lines().last().expect("there is a line of hosts");
        assert!(hosts.starts_with("  hosts: 7.example 8 (8 failed), 6.example 7 (7 failed), "), "{hosts}");
        assert!(hosts.ends_with("3.example 4 (4 failed), ... and 3 more"), "{hosts}");
    }

    #[test]
    fn requests_are_counted_with_their_hops_and_retries() {
        let hop = ExchangeRecord::default;
        let mut two_hops = record(0, "https://a.example/");
        two_hops.hops = vec![hop(), hop()];
        let mut three_attempts = record(1, "https://a.example/");
        three_attempts.attempts = vec![hop(), ExchangeRecord { hops: vec![hop(), hop()], ..hop() }, hop()];
        let unsent = Record::default();
        assert_eq!([two_hops, three_attempts, unsent].map(|record| requests(&record)), [2, 4, 0]);
    }

    #[test]
    fn a_note_cannot_act_on_the_terminal() {
        let lines = Summary::default().render(Duration::ZERO, &["a\u{1b}[2Jb".to_owned()], &Style::default());
        assert_eq!(lines, "0 URLs · 0 ms\n  a\\u{1b}[2Jb\n");
    }

    proptest! {
        /// Against the nearest rank in a sorted list.
        #[test]
        fn percentiles_are_those_of_the_sorted_times(
            mut times in proptest::collection::vec(1u64..100_000_000, 1..200),
            share in 0.0f64..=1.0,
        ) {
            let summary = summary(&times);
            times.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small and not negative")]
            let rank = ((share * times.len() as f64).ceil() as usize).max(1);
            let exact = Duration::from_micros(times[rank - 1]);
            let found = summary.percentile(share).expect("there are times");
            prop_assert!(found >= exact && found <= exact.mul_f64(1.001) + Duration::from_micros(1), "{found:?} for {exact:?}");
            prop_assert!(found <= summary.slowest().expect("there are times"));
            prop_assert_eq!(summary.slowest(), times.last().map(|&micros| Duration::from_micros(micros)));
        }
    }
}
