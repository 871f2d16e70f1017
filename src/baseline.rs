//! The baseline: which lines failed in an older run, and what that makes of the records of this one.
//!
//! A line of the old run is the line of this one with the same `id`; where there is none, with the same method and URL, as
//! they stand in the records, with secrets covered. Of several such lines the first is the first, and so on, in the order of
//! the records: for lines that differ in nothing but their body, give them ids.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::model::{FailureKind, FlakyRule, Record, Standing, Verdict};

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It cannot be read on.
    #[error("line {line}: cannot be read: {source}")]
    Unreadable {
        /// From 1; the line that could not be read.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// A line is no record.
    #[error("line {line}: {problem}; a baseline has one record a line, as `--format ndjson` writes them")]
    NotARecord {
        /// From 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

/// The failures of an older run.
///
/// Memory grows with the failures of that run, less than 200 bytes each; while it is read, with its lines too, some 40 bytes each.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    rule: FlakyRule,
    lines: HashMap<Key, Old>,
}

/// A digest of what makes two lines the same.
type Key = [u8; 16];

#[derive(Debug, Clone, Default)]
struct Old {
    /// Which of the lines of that key failed, from 0.
    failed: Vec<u32>,
    /// How many lines of that key this run has had.
    seen: u32,
}

/// What is needed of a record.
#[derive(Deserialize)]
struct Line<'a> {
    id: Option<serde_json::Value>,
    #[serde(borrow)]
    method: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<std::borrow::Cow<'a, str>>,
    ok: Option<bool>,
    verdict: Option<Verdict>,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    kind: FailureKind,
}

impl Baseline {
    /// Reads the records of an older run, NDJSON. They need `id` or `url`, and `ok` or `verdict`; with `--fields` also
    /// `method` and `error`, where it matters.
    ///
    /// `rule` says whether a flaky line is a failure, then and now.
    pub fn read(reader: impl Read, rule: FlakyRule) -> Result<Self, BaselineError> {
        let mut reader = BufReader::new(reader);
        let mut baseline = Self { rule, lines: HashMap::new() };
        let mut seen: HashMap<Key, u32> = HashMap::new();
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let count = reader.read_until(b'\n', &mut text);
            if count.map_err(|source| BaselineError::Unreadable { line, source })? == 0 {
                break;
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let wrong = |problem| BaselineError::NotARecord { line, problem };
            let (key, failed) = parse(&text, rule).map_err(wrong)?;
            let seen = seen.entry(key).or_default();
            if failed {
                baseline.lines.entry(key).or_default().failed.push(*seen);
            }
            *seen += 1;
        }
        Ok(baseline)
    }

    /// Says in `record` what this baseline knows of its line. To be called once for each record, in order.
    ///
    /// A line for which nothing was sent, because the run was stopped, is neither known nor fixed.
    pub fn mark(&mut self, record: &mut Record) {
        if self.lines.is_empty() {
            return;
        }
        let Some(old) = self.lines.get_mut(&key(record.id.as_deref(), &record.method, &record.url)) else {
            return;
        };
        let has_failed = old.failed.binary_search(&old.seen).is_ok();
        old.seen += 1;
        let is_canceled = record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Canceled);
        if has_failed && !is_canceled {
            let fails = self.rule.fails(record.verdict);
            record.baseline = Some(if fails { Standing::Known } else { Standing::Fixed });
        }
    }
}

/// The key of a line, and whether it failed.
fn parse(text: &[u8], rule: FlakyRule) -> Result<(Key, bool), String> {
    let start = text.trim_ascii_start();
    if start.first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    // Where serde_json says the place itself, it would say line 1 of this one line.
    let line: Line<'_> = serde_json::from_slice(text).map_err(|error| {
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        format!("{what} at column {}", error.column())
    })?;
    let id = line.id.as_ref().filter(|id| !id.is_null());
    if id.is_none() && line.url.is_none() {
        return Err("it has neither `id` nor `url`".to_owned());
    }
    let failed = match (line.verdict, line.ok) {
        (Some(verdict), _) => rule.fails(verdict),
        (None, Some(ok)) => !ok,
        (None, None) => return Err("it has neither `verdict` nor `ok`".to_owned()),
    };
    let is_canceled = line.error.is_some_and(|error| error.kind == FailureKind::Canceled);
    let key = key(id, line.method.as_deref().unwrap_or_default(), line.url.as_deref().unwrap_or_default());
    Ok((key, failed && !is_canceled))
}

fn key(id: Option<&serde_json::Value>, method: &str, url: &str) -> Key {
    let mut digest = Sha256::new();
    match id.filter(|id| !id.is_null()) {
        Some(id) => digest.update(format!("i{id}")),
        None => digest.update(format!("u{method} {url}")),
    }
    let mut key = Key::default();
    key.copy_from_slice(&digest.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Failure;

    fn record(url: &str, verdict: Verdict) -> Record {
        let ok = verdict != Verdict::Failed;
        Record { method: "GET".into(), url: url.into(), ok, verdict, ..Record::default() }
    }

    fn ndjson(records: &[Record]) -> String {
        records.iter().map(|record| serde_json::to_string(record).expect("JSON") + "\n").collect()
    }

    fn marked(old: &[Record], new: &[Record], rule: FlakyRule) -> Vec<Option<Standing>> {
        let mut baseline = Baseline::read(ndjson(old).as_bytes(), rule).expect("records");
        let mark = |record: &Record| {
            let mut record = record.clone();
            baseline.mark(&mut record);
            record.baseline
        };
        new.iter().map(mark).collect()
    }

    #[test]
    fn what_failed_then_is_known_or_fixed_and_what_did_not_is_neither() {
        let old = [record("/a", Verdict::Failed), record("/b", Verdict::Failed), record("/c", Verdict::Ok)];
        let new = ["/d", "/c", "/b"].map(|url| record(url, Verdict::Failed));
        assert_eq!(marked(&old, &new, FlakyRule::Warn), [None, None, Some(Standing::Known)]);
        let new = [record("/a", Verdict::Flaky), record("/b", Verdict::Ok), record("/c", Verdict::Ok)];
        assert_eq!(marked(&old, &new, FlakyRule::Warn), [Some(Standing::Fixed), Some(Standing::Fixed), None]);
    }

    #[test]
    fn a_flaky_line_is_a_failure_then_and_now_where_the_rule_says_so() {
        let (old, new) = ([record("/a", Verdict::Flaky)], [record("/a", Verdict::Flaky)]);
        assert_eq!(marked(&old, &new, FlakyRule::Fail), [Some(Standing::Known)]);
        assert_eq!(marked(&old, &new, FlakyRule::Warn), [None]);
    }

    #[test]
    fn of_lines_that_are_the_same_each_has_its_own_past() {
        let old = [Verdict::Ok, Verdict::Failed, Verdict::Ok].map(|verdict| record("/a", verdict));
        let new = [Verdict::Failed; 4].map(|verdict| record("/a", verdict));
        assert_eq!(marked(&old, &new, FlakyRule::Warn), [None, Some(Standing::Known), None, None]);
    }

    #[test]
    fn an_id_wins_over_the_url_and_a_method_tells_lines_apart() {
        let with_id = |url: &str, id| Record { id: Some(Box::new(id)), ..record(url, Verdict::Failed) };
        let mut post = record("/c", Verdict::Failed);
        post.method = "POST".into();
        let old = [with_id("/a", json!("x")), with_id("/b", json!(7)), post];
        let new = [with_id("/other", json!("x")), with_id("/b", json!("7")), record("/c", Verdict::Failed)];
        assert_eq!(marked(&old, &new, FlakyRule::Warn), [Some(Standing::Known), None, None]);
    }

    #[test]
    fn a_line_that_a_stop_canceled_is_no_failure_then_or_now() {
        let failed = [record("/a", Verdict::Failed)];
        let error = Some(Failure::new(FailureKind::Canceled, ""));
        let canceled = [Record { error, ..failed[0].clone() }];
        assert_eq!(marked(&canceled, &failed, FlakyRule::Warn), [None]);
        assert_eq!(marked(&failed, &canceled, FlakyRule::Warn), [None]);
    }

    #[test]
    fn what_is_no_record_is_refused_by_its_line() {
        for (text, expected) in [
            ("\n{\"url\":\"/\",\"ok\":true}\n[]\n", "line 3: it is no JSON object; a baseline"),
            ("{\"url\":\"/\",\"ok\":tru", "line 1: EOF while parsing a value at column 19; a baseline"),
            ("{\"ok\":true}", "line 1: it has neither `id` nor `url`; a baseline"),
            ("{\"id\":null,\"url\":\"/\"}", "line 1: it has neither `verdict` nor `ok`; a baseline"),
        ] {
            let error = Baseline::read(text.as_bytes(), FlakyRule::Warn).expect_err("no baseline").to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        assert!(Baseline::read(&b""[..], FlakyRule::Warn).is_ok());
    }
}
