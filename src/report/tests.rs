//! One corpus of records through all formats.

mod reports;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Format, Output, Rendering, Style, Summary, is_unsafe, open};
use crate::model::{Base64, ExchangeRecord, Failure, FailureKind, Field, Headers, Record, RetryStop, Verdict};

/// A writer whose content can be looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panicked").clone()).expect("reports are UTF-8")
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A record of a 200 with nothing special about it.
pub(super) fn record(index: u64, url: &str) -> Record {
    Record {
        index,
        line: Some(index + 1),
        source: Some("list.txt".into()),
        method: "GET".into(),
        url: url.into(),
        url_effective: Some(url.into()),
        ok: true,
        verdict: Verdict::Ok,
        status: Some(200),
        http_version: Some("1.1".into()),
        remote_ip: Some([127, 0, 0, 1].into()),
        content_type: Some("application/json".into()),
        headers: Some(headers(&[("content-type", "application/json")])),
        body: Some(r#"{"id": 1}"#.into()),
        size_download: Some(9),
        size_decoded: Some(9),
        time_starttransfer: Some(Duration::from_micros(83_900)),
        time_total: Some(Duration::from_micros(84_001)),
        time_wait: Some(Duration::ZERO),
        timestamp: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)),
        ..Record::default()
    }
}

fn failed(index: u64, url: &str, kind: FailureKind, message: &str) -> Record {
    Record {
        index,
        line: Some(index + 1),
        source: Some("list.txt".into()),
        method: "GET".into(),
        url: url.into(),
        error: Some(Failure::new(kind, message)),
        ..Record::default()
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> Headers {
    let value = |text: &str| http::HeaderValue::from_bytes(text.as_bytes()).expect("a legal header value");
    Headers(pairs.iter().map(|&(name, text)| (http::HeaderName::from_static(name), value(text))).collect())
}

fn exchange(url: &str, status: u16, followed_by: Option<&str>) -> ExchangeRecord {
    ExchangeRecord {
        method: "GET".into(),
        url: url.into(),
        status: Some(status),
        time_total: Some(Duration::from_millis(20)),
        followed_by: followed_by.map(Into::into),
        ..ExchangeRecord::default()
    }
}

/// One record of each kind that a format could get wrong.
pub(super) fn corpus() -> Vec<Record> {
    let plain = record(0, "https://api.example.com/users");

    let mut redirected = record(1, "https://api.example.com/posts");
    redirected.url_effective = Some("https://www.example.com/posts".into());
    redirected.num_redirects = 1;
    redirected.size_download = Some(3_482);
    redirected.time_total = Some(Duration::from_millis(112));
    redirected.hops = vec![
        exchange("https://api.example.com/posts", 301, Some("https://www.example.com/posts")),
        exchange("https://www.example.com/posts", 200, None),
    ];

    let mut flaky = record(2, "https://api.example.com/comments");
    flaky.verdict = Verdict::Flaky;
    flaky.num_retries = 1;
    flaky.attempts = vec![
        exchange("https://api.example.com/comments", 503, Some("status 503")),
        exchange("https://api.example.com/comments", 200, None),
    ];

    let mut given_up = failed(3, "https://api.example.com/slow", FailureKind::ReadTimeout, "no byte for 20 s");
    given_up.num_retries = 2;
    given_up.time_total = Some(Duration::from_micros(62_100_500));
    given_up.retry_stopped_by = Some(RetryStop::Attempts);
    let unavailable = exchange("https://api.example.com/slow", 503, Some("status 503"));
    let silent = ExchangeRecord { status: None, error: given_up.error.clone(), ..unavailable.clone() };
    given_up.attempts = vec![unavailable.clone(), unavailable, silent];
    given_up.timestamp = plain.timestamp;

    let mut refused = failed(
        4,
        "http://127.0.0.1:9/very/long/path/that/does/not/fit?with=a&long=query",
        FailureKind::ConnectRefused,
        "127.0.0.1:9: connection refused",
    );
    refused.method = "POST".into();
    refused.retry_stopped_by = Some(RetryStop::Method);
    refused.timestamp = plain.timestamp;

    let mut bad_line = failed(5, "h\u{fffd}llo", FailureKind::InputInvalidUtf8, "byte 2 is not UTF-8");
    bad_line.method = String::new();
    bad_line.line_base64 = Some(Base64(b"h\xffllo".to_vec().into()));

    let mut binary = record(6, "https://api.example.com/logo.png");
    binary.body = None;
    binary.body_base64 = Some(Base64(vec![0xfb, 0, 1, 2].into()));
    binary.content_type = None;

    let mut in_file = record(7, "https://api.example.com/dump");
    in_file.body = None;
    in_file.body_file = Some("out/00/000007-ab.json".into());
    in_file.sha256 = Some("ab".repeat(32));
    in_file.size_download = Some(1_536 << 20);
    in_file.size_decoded = Some(u64::MAX);

    let mut hostile = record(8, "https://evil.example/\u{1b}[2J\u{202e}gpj.exe\u{9b}31m\u{7f}");
    hostile.headers = Some(headers(&[("x-title", "\u{9b}2J\u{2066}title\t")]));
    hostile.body = Some("\u{1b}]0;owned\u{7}\u{2028}\u{61c}".into());
    hostile.content_type = Some("text/\u{9d}html".into());

    let mut formula = record(9, "https://api.example.com/=1+1");
    formula.body = Some("=HYPERLINK(\"http://evil.example\",\"a, b\")".into());
    formula.content_type = Some("@SUM(A1)".into());
    formula.id = Some(Box::new(json!("-5")));

    let mut lines = record(10, "https://api.example.com/poem");
    lines.body = Some("a\tb\r\n\"c\" \\n\n".into());
    lines.id = Some(Box::new(json!(-5)));
    lines.input = Some(Box::new(serde_json::Map::from_iter([("note".to_owned(), json!("x\ty"))])));

    let mut wide = record(11, "https://例え.example/検索?q=日本語の長い長い長い長い長い長い長い長い名前");
    wide.body = Some(String::new());
    wide.size_download = Some(0);
    wide.time_total = Some(Duration::from_micros(420));
    wide.id = Some(Box::new(json!({"big": u64::MAX, "float": 1e300})));

    let mut limited = failed(12, "https://api.example.com/quota", FailureKind::RateLimited, "the server asks for 90 s");
    limited.status = Some(429);
    limited.retry_after = Some(Duration::from_secs(90));
    limited.retry_stopped_by = Some(RetryStop::MaxRetryAfter);
    limited.timestamp = plain.timestamp;

    let mut not_found = record(13, "https://api.example.com/nothing");
    not_found.ok = false;
    not_found.verdict = Verdict::Failed;
    not_found.status = Some(404);

    vec![
        plain, redirected, flaky, given_up, refused, bad_line, binary, in_file, hostile, formula, lines, wide, limited,
        not_found,
    ]
}

/// What the records look like in a format.
fn rendered(records: &[Record], format: Format, rendering: Rendering) -> String {
    let shared = Shared::default();
    let mut report = open(format, Output::new(shared.clone()), rendering);
    for record in records {
        report.record(record).expect("memory takes every write");
    }
    report.finish().expect("memory takes every write");
    shared.text()
}

/// As [`rendered`], with what would act on the terminal of whoever looks at the snapshot made visible.
fn shown(records: &[Record], format: Format, rendering: Rendering) -> String {
    let mut shown = rendered(records, format, rendering);
    let mut seen: Vec<char> = shown.chars().filter(|&c| is_unsafe(c) && c != '\n' && c != '\t').collect();
    seen.dedup();
    for character in seen {
        shown = shown.replace(character, &format!("⟨{:x}⟩", u32::from(character)));
    }
    shown
}

fn fields(list: &str) -> Rendering {
    let fields = list.split(',').map(|name| Field::named(name).expect("a field")).collect();
    Rendering { fields: Some(fields), ..Rendering::default() }
}

fn on_terminal(width: usize, color: bool) -> Rendering {
    Rendering { style: Style { color, unicode: true, width: Some(width) }, ..Rendering::default() }
}

#[test]
fn ndjson() {
    insta::assert_snapshot!(shown(&corpus(), Format::Ndjson, Rendering::default()));
}

#[test]
fn ndjson_of_some_fields() {
    let rendering = fields("status,url,error,url,body_base64,id,timestamp");
    insta::assert_snapshot!(shown(&corpus(), Format::Ndjson, rendering));
}

#[test]
fn json() {
    insta::assert_snapshot!(shown(&corpus()[..3], Format::Json, Rendering::default()));
}

#[test]
fn csv() {
    insta::assert_snapshot!(shown(&corpus(), Format::Csv, Rendering::default()));
}

#[test]
fn tsv() {
    insta::assert_snapshot!(shown(&corpus(), Format::Tsv, Rendering::default()));
}

#[test]
fn text() {
    insta::assert_snapshot!(shown(&corpus(), Format::Text, Rendering::default()));
}

#[test]
fn text_at_60_columns() {
    insta::assert_snapshot!(shown(&corpus(), Format::Text, on_terminal(60, false)));
}

#[test]
fn text_at_100_columns() {
    insta::assert_snapshot!(shown(&corpus(), Format::Text, on_terminal(100, false)));
}

#[test]
fn text_at_100_columns_in_colour() {
    insta::assert_snapshot!(shown(&corpus(), Format::Text, on_terminal(100, true)));
}

#[test]
fn text_of_some_fields_in_ascii() {
    let mut rendering = fields("status,url,error,time_total");
    rendering.style = Style { color: false, unicode: false, width: Some(80) };
    insta::assert_snapshot!(shown(&corpus(), Format::Text, rendering));
}

#[test]
fn summary() {
    let mut summary = Summary::default();
    for record in corpus() {
        summary.add(&record);
    }
    let notes = ["certificates were not verified (--insecure)".to_owned()];
    let shown = [None, Some(60), Some(140)].map(|width| {
        let style = Style { width, ..Style::default() };
        summary.render(Duration::from_millis(62_300), &notes, &style)
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn every_ndjson_line_reads_back_as_the_same_record() {
    let text = rendered(&corpus(), Format::Ndjson, Rendering::default());
    let read: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(read, corpus());
}

#[test]
fn a_json_array_is_valid_after_any_number_of_records() {
    let corpus = corpus();
    for count in 0..corpus.len() {
        let text = rendered(&corpus[..count], Format::Json, Rendering::default());
        let read: Vec<Record> = serde_json::from_str(&text).expect("the array is JSON");
        assert_eq!(read, corpus[..count]);
    }
    assert_eq!(rendered(&[], Format::Json, Rendering::default()), "[]\n");
}

#[test]
fn csv_reads_back_cell_for_cell() {
    let rendering =
        Rendering { csv_raw: true, ..fields("url,content_type,body,id,status,size_decoded,time_total,input") };
    let text = rendered(&corpus(), Format::Csv, rendering);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().expect("there is a header line").clone();
    assert_eq!(names, ["url", "content_type", "body", "id", "status", "size_decoded", "time_total", "input"].to_vec());
    for (record, row) in corpus().iter().zip(reader.records()) {
        let row = row.expect("a row is CSV");
        assert_eq!(row[0], record.url);
        assert_eq!(row[1], *record.content_type.as_deref().unwrap_or_default());
        assert_eq!(row[2], *record.body.as_deref().unwrap_or_default());
        match record.id.as_deref() {
            None => assert_eq!(&row[3], ""),
            Some(serde_json::Value::String(text)) => assert_eq!(row[3], *text),
            Some(value) => assert_eq!(serde_json::from_str::<serde_json::Value>(&row[3]).expect("JSON"), *value),
        }
        assert_eq!(row[4], record.status.map(|status| status.to_string()).unwrap_or_default());
        assert_eq!(row[5], record.size_decoded.map(|size| size.to_string()).unwrap_or_default());
        let time = (!row[6].is_empty()).then(|| row[6].parse().expect("seconds"));
        assert_eq!(time.map(Duration::from_secs_f64), record.time_total);
    }
}

#[test]
fn text_that_a_spreadsheet_would_run_is_quoted_unless_raw() {
    let body = |text: &str| Record { body: Some(text.into()), ..Record::default() };
    let records = ["=1", "+1", "-1", "@x", "\tx", "\rx", "1=1"].map(body);
    let cells = |rendering| -> Vec<String> {
        let text = rendered(&records, Format::Csv, rendering);
        let rows = ::csv::Reader::from_reader(text.as_bytes()).into_records();
        rows.map(|row| row.expect("a row is CSV")[0].to_owned()).collect()
    };
    assert_eq!(cells(fields("body")), ["'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "1=1"]);
    let raw = Rendering { csv_raw: true, ..fields("body") };
    assert_eq!(cells(raw), ["=1", "+1", "-1", "@x", "\tx", "\rx", "1=1"]);
    // A negative number is ours, the text "-5" is not.
    let mut numbers = [Record::default(), Record::default()];
    numbers[0].id = Some(Box::new(json!(-5)));
    numbers[1].id = Some(Box::new(json!("-5")));
    assert_eq!(rendered(&numbers, Format::Csv, fields("id")), "id\n-5\n'-5\n");
}

#[test]
fn tsv_has_one_line_a_record_and_loses_nothing() {
    let rendering = Rendering { csv_raw: true, ..fields("body,index") };
    let text = rendered(&corpus(), Format::Tsv, rendering);
    assert_eq!(text.split('\n').count(), corpus().len() + 2);
    let mut reader = ::csv::ReaderBuilder::new().delimiter(b'\t').from_reader(text.as_bytes());
    for (record, row) in corpus().iter().zip(reader.records()) {
        let cell = row.expect("a row is TSV")[0].to_owned();
        let parts = cell.split(r"\\").map(|part| part.replace(r"\t", "\t").replace(r"\n", "\n").replace(r"\r", "\r"));
        assert_eq!(parts.collect::<Vec<_>>().join("\\"), *record.body.as_deref().unwrap_or_default());
    }
}

#[test]
fn nothing_raw_reaches_a_terminal_in_any_format() {
    for format in Format::ALL {
        let text = rendered(&corpus(), format, on_terminal(100, false));
        let raw: Vec<char> = text.chars().filter(|&c| is_unsafe(c) && c != '\n' && c != '\t').collect();
        assert!(raw.is_empty(), "{format}: {raw:?}");
        assert!(format == Format::Tsv || !text.contains('\t'), "{format}");
    }
}

#[test]
fn no_text_line_is_wider_than_the_terminal() {
    for width in [37, 40, 60, 80, 100, 200] {
        let text = rendered(&corpus(), Format::Text, on_terminal(width, false));
        for line in text.lines() {
            assert!(super::fit::columns(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn an_empty_run_has_a_header_line_or_nothing() {
    assert_eq!(rendered(&[], Format::Csv, fields("index,url")), "index,url\n");
    assert_eq!(rendered(&[], Format::Ndjson, Rendering::default()), "");
    assert_eq!(rendered(&[], Format::Text, Rendering::default()), "");
}
