//! The account of a run: its summary as one JSON object, for programs, `--summary`.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::Output;
use super::summary::{Cause, Summary};
use crate::model::seconds;

/// What came of a run. `fixtures/summary.schema.json` is the schema of this type.
///
/// Every line of input that has a record counts for exactly one of `ok`, `flaky`, `failed`, `known` and `skipped`; times are
/// seconds with six decimals.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Account {
    /// The exit code of the program.
    pub exit_code: u8,
    /// Why the program ended as it did, in a stable word.
    pub reason: Reason,
    /// Whether lines of the input may have no record, because the run was stopped or its input or output broke.
    pub stopped_early: bool,
    /// Records written.
    pub lines: u64,
    /// As they should be at the first attempt.
    pub ok: u64,
    /// As they should be, but only after a retry.
    pub flaky: u64,
    /// Not as they should be.
    pub failed: u64,
    /// Not as they should be, as in the baseline.
    pub known: u64,
    /// As they should be, and not in the baseline. They count as ok or flaky too.
    pub fixed: u64,
    /// Nothing was sent for them, because the run was stopped.
    pub skipped: u64,
    /// Lines that were read and have no record, because the run was stopped.
    pub not_started: u64,
    /// Requests sent for these records, redirects and retries included.
    pub requests: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Bytes of the final responses' bodies on the wire.
    pub bytes: u64,
    /// From the start of the run to its end.
    pub wall_seconds: f64,
    /// The `time_total` of the records; absent where no request was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_total: Option<Times>,
    /// How many records had each status in their final response.
    pub by_status: BTreeMap<u16, u64>,
    /// How many failed lines had each kind of failure; `status` and `expectation` are responses that are not as they should be.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Hosts, those with the most failures, retries and lines first; a thousand at most.
    pub hosts: Vec<HostAccount>,
    /// Whether there were more hosts than those.
    pub has_more_hosts: bool,
}

/// Why the program ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Every line is ok, or known not to be.
    AllOk,
    /// At least one line is not ok.
    SomeFailed,
    /// The input had no URL.
    Empty,
    /// The input could not be read to its end.
    InputBroken,
    /// Results could not be written.
    OutputBroken,
    /// A fault of the program.
    InternalError,
    /// Nobody read standard output any more.
    ReaderGone,
    /// `--deadline`.
    Deadline,
    /// `--fail-early` or `--max-failures`.
    Failures,
    /// SIGINT.
    Sigint,
    /// SIGTERM.
    Sigterm,
}

/// A distribution of times. Percentiles have three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Times {
    /// Half of them are no longer.
    pub p50: f64,
    /// Nine of ten are no longer.
    pub p90: f64,
    /// 95 of a hundred are no longer.
    pub p95: f64,
    /// 99 of a hundred are no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What happened at one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostAccount {
    /// Its name, with its port where that is not the scheme's own.
    pub host: String,
    /// Lines that asked it first.
    pub lines: u64,
    /// Those that are not as they should be, but for known ones.
    pub failed: u64,
    /// Attempts after the first.
    pub retries: u64,
}

/// How a run ended, which its records do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The exit code of the program.
    pub exit_code: u8,
    /// Why.
    pub reason: Reason,
    /// Lines that were read and have no record.
    pub not_started: u64,
    /// How long the run took.
    pub wall: Duration,
}

/// Most hosts in an account.
const MOST_HOSTS: usize = 1000;

impl Account {
    /// Sums up.
    pub fn new(summary: &Summary, ending: Ending) -> Self {
        let Ending { exit_code, reason, not_started, wall } = ending;
        let (hosts, may_be_more) = summary.hosts().all();
        let has_more_hosts = may_be_more || hosts.len() > MOST_HOSTS;
        let host = |(host, counts): (&str, super::hosts::HostCounts)| HostAccount {
            host: host.to_owned(),
            lines: counts.lines,
            failed: counts.failed,
            retries: counts.retries,
        };
        let mut by_kind = BTreeMap::new();
        for (cause, times) in summary.causes() {
            let kind = match cause {
                Cause::Status(_) => "status",
                Cause::Expectation => "expectation",
                Cause::Kind(kind) => kind.name(),
                Cause::Other => "none",
            };
            *by_kind.entry(kind).or_default() += times;
        }
        Self {
            exit_code,
            reason,
            stopped_early: !matches!(reason, Reason::AllOk | Reason::SomeFailed | Reason::Empty),
            lines: summary.records(),
            ok: summary.ok(),
            flaky: summary.flaky(),
            failed: summary.failed(),
            known: summary.known(),
            fixed: summary.fixed(),
            skipped: summary.skipped(),
            not_started,
            requests: summary.requests(),
            retries: summary.retries(),
            bytes: summary.bytes(),
            wall_seconds: seconds::rounded(wall),
            time_total: Times::of(summary),
            by_status: summary.statuses().clone(),
            by_kind,
            hosts: hosts.into_iter().take(MOST_HOSTS).map(host).collect(),
            has_more_hosts,
        }
    }

    /// Writes it as one JSON object that a person can read too.
    pub fn write(&self, output: &mut Output) -> io::Result<()> {
        output.document(|out| {
            let mut json = serde_json::to_vec_pretty(self)?;
            json.push(b'\n');
            out.write_all(&json)
        })
    }
}

impl Times {
    fn of(summary: &Summary) -> Option<Self> {
        let percentile = |share| summary.percentile(share).map(seconds::rounded);
        Some(Self {
            p50: percentile(0.5)?,
            p90: percentile(0.9)?,
            p95: percentile(0.95)?,
            p99: percentile(0.99)?,
            max: seconds::rounded(summary.slowest()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_the_schema_of_the_type() {
        crate::model::published::check::<Account>("summary");
    }
}
