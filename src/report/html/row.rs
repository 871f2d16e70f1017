//! One record as one line of the page's data: a compact JSON array of bounded length, safe within `<script>`.
//!
//! `page/data.js` reads what is written here; the order of the fields is theirs together. Times are microseconds.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::model::{ExchangeRecord, Failure, FlakyRule, Record, Verdict, escape};
use crate::report::case::{self, Mark};
use crate::report::object::write_value;

/// Most bytes of a URL.
const LONG: usize = 2048;

/// Most bytes of any other text.
const SHORT: usize = 512;

/// Most exchanges of a line; of more, the last ones are shown with the first.
const MOST_EXCHANGES: usize = 32;

/// Most expectations of a line that were not met.
const MOST_FAILED: usize = 16;

/// How one exchange came after another.
#[derive(Clone, Copy)]
enum Cause {
    First = 0,
    Redirect = 1,
    Retry = 2,
}

/// Appends `record`. `source` is its source where the record before had another.
pub(super) fn write(record: &Record, rule: FlakyRule, source: Option<&str>, buffer: &mut Vec<u8>) -> io::Result<()> {
    let all = exchanges(record);
    let left_out = all.len().saturating_sub(MOST_EXCHANGES);
    let shown = all.iter().enumerate().filter(|(place, _)| *place == 0 || *place > left_out);
    let mut before = (record.method.as_str(), record.url.as_str());
    let exchanges: Vec<_> =
        shown.map(|(_, (cause, exchange))| exchange_row(*cause, exchange, record.timestamp, &mut before)).collect();
    let more = (
        &record.http_version,
        record.content_type.as_deref().map(|text| cut(text, SHORT)),
        record.size_download,
        record.size_decoded,
        record.retry_stopped_by,
        record.retry_after.map(micros),
        record.failed.iter().take(MOST_FAILED).map(|text| cut(text, SHORT)).collect::<Vec<_>>(),
    );
    let row = (
        record.index,
        record.line,
        source.map(|source| cut(source, SHORT)),
        record.id.as_deref().map(|id| id.as_str().map_or_else(|| cut_owned(&id.to_string()), |id| cut(id, SHORT))),
        cut(&record.method, SHORT),
        cut(&record.url, LONG),
        verdict(record, rule),
        record.status,
        record.error.as_ref().map(failure),
        record.timestamp.map(|left| between(SystemTime::UNIX_EPOCH, left)),
        record.time_wait.map(micros),
        record.time_total.map(micros),
        exchanges,
        left_out,
        more,
    );
    let mut json = Vec::with_capacity(256);
    write_value(&row, &mut json)?;
    // Neither `</script` nor `<!--` can stand in a script without this character, which JSON has only in strings.
    for (place, piece) in json.split(|&byte| byte == b'<').enumerate() {
        buffer.extend_from_slice(if place > 0 { br"\u003c" } else { b"" });
        buffer.extend_from_slice(piece);
    }
    Ok(())
}

/// All exchanges that the record tells of, in the order in which they were made.
fn exchanges(record: &Record) -> Vec<(Cause, Cow<'_, ExchangeRecord>)> {
    let mut all = Vec::new();
    for attempt in &record.attempts {
        // The last hop is the attempt itself, which also says why it was retried.
        let hops = attempt.hops.split_last().map_or(&[][..], |(_, hops)| hops);
        add_attempt(hops.iter().chain([attempt]), &mut all);
    }
    // The hops are those of the last attempt, unless the record ended while one more attempt waited for its next hop.
    if record.attempts.last().is_none_or(|last| last.followed_by.is_some()) {
        add_attempt(record.hops.iter(), &mut all);
    }
    if all.is_empty() && record.timestamp.is_some() {
        all.push((Cause::First, Cow::Owned(only_exchange(record))));
    }
    all
}

fn add_attempt<'a>(
    exchanges: impl Iterator<Item = &'a ExchangeRecord>,
    all: &mut Vec<(Cause, Cow<'a, ExchangeRecord>)>,
) {
    for (hop, exchange) in exchanges.enumerate() {
        let cause = match (hop, all.is_empty()) {
            (0, true) => Cause::First,
            (0, false) => Cause::Retry,
            _ => Cause::Redirect,
        };
        all.push((cause, Cow::Borrowed(exchange)));
    }
}

/// The exchange of a record that had no other, which `hops` and `attempts` leave out.
fn only_exchange(record: &Record) -> ExchangeRecord {
    ExchangeRecord {
        method: record.method.clone(),
        url: record.url_effective.as_ref().unwrap_or(&record.url).clone(),
        status: record.status,
        error: None,
        remote_ip: record.remote_ip,
        timestamp: record.timestamp,
        time_namelookup: record.time_namelookup,
        time_connect: record.time_connect,
        time_appconnect: record.time_appconnect,
        time_starttransfer: record.time_starttransfer,
        time_total: record.time_total,
        followed_by: None,
        hops: Vec::new(),
    }
}

/// Method and URL are there only where they differ from those `before`, the failure only where it is not the record's.
fn exchange_row<'a>(
    cause: Cause,
    exchange: &'a ExchangeRecord,
    record_left: Option<SystemTime>,
    before: &mut (&'a str, &'a str),
) -> impl Serialize + use<'a> {
    let method = Some(exchange.method.as_str()).filter(|&method| method != before.0);
    let url = Some(exchange.url.as_str()).filter(|&url| url != before.1);
    *before = (&exchange.method, &exchange.url);
    (
        cause as u8,
        method.map(|method| cut(method, SHORT)),
        url.map(|url| cut(url, LONG)),
        exchange.status,
        exchange.error.as_ref().filter(|_| exchange.followed_by.is_some()).map(failure),
        record_left.zip(exchange.timestamp).map(|(start, left)| between(start, left)),
        exchange.time_namelookup.map(micros),
        exchange.time_connect.map(micros),
        exchange.time_appconnect.map(micros),
        exchange.time_starttransfer.map(micros),
        exchange.time_total.map(micros),
        exchange.remote_ip,
        exchange.followed_by.as_deref().map(|text| cut(text, LONG)),
    )
}

/// What the line is to the run, as in all reports; the page shows a flaky line as such also where nobody is warned of it.
fn verdict(record: &Record, rule: FlakyRule) -> &'static str {
    match Mark::of(record, rule) {
        Mark::Passed if record.verdict == Verdict::Flaky && record.baseline.is_none() => Mark::Flaky.name(),
        mark => case::word(record, mark),
    }
}

fn failure(failure: &Failure) -> impl Serialize + '_ {
    (failure.kind, failure.phase, cut(&failure.message, SHORT))
}

/// Text that a person may see, of at most `most` bytes and an ellipsis.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return escape(text);
    }
    Cow::Owned(escape(&text[..text.floor_char_boundary(most)]).into_owned() + "…")
}

fn cut_owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(cut(text, SHORT).into_owned())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// From `start` to `end`, which may be the earlier one: clocks are set.
fn between(start: SystemTime, end: SystemTime) -> i64 {
    let signed = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    end.duration_since(start).map_or_else(|early| -signed(early.duration()), signed)
}
