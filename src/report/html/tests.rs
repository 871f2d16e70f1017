//! The page as text; `tests/it/html_page.rs` looks at it in a browser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::html;
use crate::model::{ExchangeRecord, Failure, FailureKind, FlakyRule, Record, Verdict};
use crate::report::Output;
use crate::report::tests::{Shared, corpus, record};

/// Every file of the page that is not the text of a record.
const OURS: [&str; 3] = [super::page::MARKUP, super::page::STYLE, super::page::SCRIPT];

fn page(records: &[Record]) -> String {
    titled("list.txt", records)
}

fn titled(title: &str, records: &[Record]) -> String {
    let shared = Shared::default();
    let mut report = html(Output::new(shared.clone()), title, FlakyRule::Warn);
    for record in records {
        report.record(record).expect("memory takes every write");
    }
    report.finish().expect("memory takes every write");
    shared.text()
}

/// What stands between `start` and the `end` that follows it, wherever that is.
fn between<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    page.split(start).skip(1).map(|rest| rest.split_once(end).expect("an end").0).collect()
}

fn rows(page: &str) -> Vec<Value> {
    let data = between(page, r#"<script type="application/json" id="data">"#, "</script>");
    assert_eq!(data.len(), 1);
    serde_json::from_str(data[0]).expect("the data is JSON")
}

#[test]
fn each_record_is_a_row_of_the_data_in_its_order() {
    let records = corpus();
    let rows = rows(&page(&records));
    assert_eq!(rows.len(), records.len());
    for (row, record) in rows.iter().zip(&records) {
        assert_eq!((&row[0], &row[6]), (&json!(record.index), &json!(record.verdict)));
        assert_eq!((&row[7], &row[8][0]), (&json!(record.status), &json!(record.error.as_ref().map(|e| e.kind))));
    }
    assert_eq!((&rows[0][2], &rows[1][2]), (&json!("list.txt"), &Value::Null), "a source is told when it changes");
}

#[test]
fn the_data_are_whole_after_any_number_of_records() {
    let corpus = corpus();
    for count in 0..corpus.len() {
        assert_eq!(rows(&page(&corpus[..count])).len(), count);
    }
}

#[test]
fn no_text_can_end_the_data_or_become_markup() {
    let evil = "</script><!--<script>\u{2028}<img src=x onerror=alert(1)>\"'&\u{202e}";
    let mut failed = record(0, &format!("https://evil.example/{evil}"));
    failed.verdict = Verdict::Failed;
    failed.id = Some(Box::new(json!(evil)));
    failed.source = Some(evil.into());
    failed.content_type = Some(evil.into());
    failed.error = Some(Failure::new(FailureKind::HttpParse, evil));
    failed.failed = vec![evil.into()];
    let harmless = titled("list.txt", &[record(0, "https://api.example.com/")]);
    let page = titled(&format!("{evil}{{{{plain}}}}"), &[failed]);
    for markup in ["<script", "</script", "<!--", "<img"] {
        let count = |page: &str| page.matches(markup).count();
        assert_eq!(count(&page), count(&harmless), "{markup}");
    }
    assert!(!page.contains(['\u{2028}', '\u{202e}']));
    assert_eq!(rows(&page)[0][14][6][0], json!(crate::model::escape(evil)));
}

#[test]
fn a_row_has_no_body_and_no_header_and_a_bounded_length() {
    let mut large = record(0, &format!("https://api.example.com/{}", "é".repeat(60_000)));
    large.body = Some("the body".into());
    large.method = "X".repeat(10_000);
    large.id = Some(Box::new(json!({"a": "x".repeat(100_000)})));
    large.content_type = Some("x".repeat(100_000));
    large.failed = vec!["x".repeat(100_000); 1000];
    large.hops = vec![ExchangeRecord { url: "x".repeat(60_000), ..ExchangeRecord::default() }; 1000];
    let page = page(&[large]);
    assert!(!page.contains("the body"));
    let row = &rows(&page)[0];
    assert!(row.to_string().len() < 100_000, "{}", row.to_string().len());
    assert_eq!((row[12].as_array().map(Vec::len), &row[13]), (Some(32), &json!(968)));
}

#[test]
fn attempts_and_their_hops_are_one_line_of_exchanges() {
    let step = |url: &str, status, followed_by: Option<&str>| ExchangeRecord {
        url: url.into(),
        status: Some(status),
        followed_by: followed_by.map(Into::into),
        ..ExchangeRecord::default()
    };
    let (moved, busy) = (step("http://a/", 301, Some("http://b/")), step("http://b/", 503, Some("retry: status 503")));
    let done = step("http://b/", 200, None);
    let first = ExchangeRecord { hops: vec![moved.clone(), step("http://b/", 503, None)], ..busy.clone() };
    let last = ExchangeRecord { hops: vec![moved.clone(), done.clone()], ..done.clone() };
    let flaky = Record { hops: last.hops.clone(), attempts: vec![first.clone(), last], ..record(0, "http://a/") };
    let told = |record: &Record| -> Vec<(Value, Value)> {
        let row = rows(&page(std::slice::from_ref(record))).remove(0);
        row[12].as_array().expect("exchanges").iter().map(|cells| (cells[0].clone(), cells[3].clone())).collect()
    };
    let expected = [(0, 301), (1, 503), (2, 301), (1, 200)].map(|(how, status)| (json!(how), json!(status)));
    assert_eq!(told(&flaky), expected);
    // The run was stopped while the second attempt waited for its next hop.
    let stopped = Record { hops: vec![moved], attempts: vec![first], ..record(0, "http://a/") };
    assert_eq!(told(&stopped), expected[..3]);
    assert_eq!(told(&record(0, "http://a/")), [(json!(0), json!(200))]);
}

#[test]
fn the_policy_allows_just_what_stands_in_the_page() {
    let page = page(&corpus());
    let policy = between(&page, r#"Content-Security-Policy" content=""#, "\"")[0];
    let mut inline = between(&page, "<script>", "</script>");
    inline.extend(between(&page, "<style>", "</style>"));
    assert_eq!(inline.len(), 3);
    for text in inline {
        let hash = STANDARD.encode(Sha256::digest(text));
        assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    }
    assert_eq!(policy.matches("sha256-").count(), 3);
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
}

#[test]
fn nothing_of_ours_makes_markup_of_text_or_asks_the_network() {
    for dangerous in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "Function(",
        "fetch(",
        "XMLHttpRequest",
        "@import",
        "url(",
        "<iframe",
        " onclick=",
        " onload=",
        " style=",
        "https://",
        "{{title}}\"",
    ] {
        for text in OURS {
            assert!(!text.contains(dangerous), "{dangerous}");
        }
    }
    // The namespace of SVG is a name, not an address.
    let addresses: usize = OURS.iter().map(|text| text.matches("http://").count()).sum();
    assert_eq!(addresses, OURS.iter().map(|text| text.matches("http://www.w3.org/2000/svg").count()).sum::<usize>());
}

#[test]
fn without_scripts_the_counts_and_the_lines_that_failed_are_there() {
    let page = page(&corpus());
    let plain = between(&page, r#"<section id="plain""#, "</section>")[0];
    assert!(plain.contains("14 lines"), "{plain}");
    let failed = corpus().iter().filter(|record| record.verdict == Verdict::Failed).count();
    assert_eq!(plain.matches("<tr><td>").count(), failed);
    assert!(plain.contains("<td>✗ list.txt:14</td><td>https://api.example.com/nothing</td><td>status 404</td>"));

    let many: Vec<Record> =
        (0..300).map(|index| Record { verdict: Verdict::Failed, ..record(index, "http://a.example/") }).collect();
    let page = titled("", &many);
    let plain = between(&page, r#"<section id="plain""#, "</section>")[0];
    assert_eq!(plain.matches("<tr><td>").count(), 200);
    assert!(plain.contains("and 100 more"));
}
