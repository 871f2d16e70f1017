//! What happened at each host, in bounded memory.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use crate::model::{Phase, Record, Verdict};

/// After a cut, as many hosts are known; before the next, twice as many.
const KEPT: usize = 4096;

/// What happened at one host (with its port, where that is not the scheme's own).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HostCounts {
    pub(super) lines: u64,
    pub(super) failed: u64,
    pub(super) retries: u64,
}

impl HostCounts {
    /// The more failures, then retries, then lines, the more a host is worth knowing of.
    fn weight(&self) -> (u64, u64, u64) {
        (self.failed, self.retries, self.lines)
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.failed > 0 || self.retries > 0
    }
}

/// What happened at each host; of very many, at those with the most failures, retries and lines.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    counts: HashMap<Box<str>, HostCounts>,
    /// Whether hosts were forgotten, so that the counts of those that came back are too low.
    is_cut: bool,
}

impl Hosts {
    /// Counts `record` for the host that it asked first. A line that is no request has none.
    pub(super) fn add(&mut self, record: &Record) {
        let Some(host) = host(record) else {
            return;
        };
        let counts = match self.counts.get_mut(&*host) {
            Some(counts) => counts,
            None => self.make_room().entry(host.into()).or_default(),
        };
        counts.lines += 1;
        counts.failed +=
            u64::from(record.verdict == Verdict::Failed && record.baseline.is_none() && !record.is_skipped());
        counts.retries += u64::from(record.num_retries);
    }

    /// Hosts, the worst first, and whether others were forgotten.
    pub(super) fn all(&self) -> (Vec<(&str, HostCounts)>, bool) {
        let mut all: Vec<_> = self.counts.iter().map(|(host, counts)| (&**host, *counts)).collect();
        all.sort_unstable_by_key(|&(host, counts)| (Reverse(counts.weight()), host));
        (all, self.is_cut)
    }

    /// Hosts with failures or retries, the worst first, and whether there may be others.
    pub(super) fn troubled(&self) -> (Vec<(&str, HostCounts)>, bool) {
        let (mut troubled, _) = self.all();
        troubled.retain(|(_, counts)| counts.is_troubled());
        let may_be_more = self.is_cut && troubled.len() >= KEPT;
        (troubled, may_be_more)
    }

    fn make_room(&mut self) -> &mut HashMap<Box<str>, HostCounts> {
        if self.counts.len() >= 2 * KEPT {
            self.is_cut = true;
            let mut all: Vec<_> = self.counts.drain().collect();
            all.select_nth_unstable_by_key(KEPT, |(_, counts)| Reverse(counts.weight()));
            all.truncate(KEPT);
            self.counts.extend(all);
        }
        &mut self.counts
    }
}

/// Host and port of the first exchange; of the URL as asked, where no exchange was made.
pub(super) fn host(record: &Record) -> Option<Cow<'_, str>> {
    if record.error.as_ref().is_some_and(|error| error.phase == Phase::Input) {
        return None;
    }
    let first = record.hops.first().map(|hop| hop.url.as_str()).or(record.url_effective.as_deref());
    let url = first.unwrap_or(&record.url);
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty())?;
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(host.to_ascii_lowercase().into());
    }
    Some(host.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExchangeRecord, Failure, FailureKind};

    fn record(url: &str, ok: bool) -> Record {
        let verdict = if ok { Verdict::Ok } else { Verdict::Failed };
        Record { url: url.to_owned(), ok, verdict, ..Record::default() }
    }

    #[test]
    fn a_line_counts_for_the_host_that_it_asked_first() {
        let mut redirected = record("/users", true);
        redirected.url_effective = Some("https://other.example/users".into());
        redirected.hops =
            vec![ExchangeRecord { url: "http://api.example:8080/users".into(), ..ExchangeRecord::default() }];
        assert_eq!(host(&redirected).as_deref(), Some("api.example:8080"));
        assert_eq!(host(&record("HTTP://***@API.example?x=http://no", true)).as_deref(), Some("api.example"));
        assert_eq!(host(&record("http://[::1]:80/", true)).as_deref(), Some("[::1]:80"));
        assert_eq!(host(&record("/relative", false)), None);
        let mut bad = record("ftp://host.example/", false);
        bad.error = Some(Failure::new(FailureKind::UrlUnsupportedScheme, ""));
        assert_eq!(host(&bad), None);
    }

    #[test]
    fn of_very_many_hosts_the_worst_are_remembered() {
        let mut hosts = Hosts::default();
        for _ in 0..3 {
            hosts.add(&record("http://bad.example/", false));
        }
        for number in 0..5 * KEPT {
            hosts.add(&record(&format!("http://{number}.example/"), true));
        }
        hosts.add(&record("http://bad.example/", true));
        assert!(hosts.counts.len() <= 2 * KEPT, "{}", hosts.counts.len());
        let (troubled, may_be_more) = hosts.troubled();
        assert_eq!(troubled, [("bad.example", HostCounts { lines: 4, failed: 3, retries: 0 })]);
        assert!(!may_be_more);
    }
}
