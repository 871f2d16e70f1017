//! The language as a whole: text in, what was seen out.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::model::{Body, Headers, Judge, Needs, Response, Seen};

fn parsed(text: &str) -> Expectations {
    text.parse().unwrap_or_else(|error: ParseExpectationError| panic!("{}", error.marked()))
}

fn marked(text: &str) -> String {
    text.parse::<Expectations>().expect_err(text).marked()
}

fn response(body: Body) -> Response {
    Response {
        status: StatusCode::OK,
        version: http::Version::HTTP_11,
        headers: HeaderMap::new(),
        size_decoded: if body == Body::Discarded { 0 } else { 2_000 },
        body,
        size_download: 0,
        sha256: None,
        kept: None,
    }
}

/// What is not as `text` says of a response that took 200 ms, with this body and a certificate for ten days.
fn failed_of(text: &str, body: Body) -> Vec<String> {
    let expect = parsed(text);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/html"));
    headers.append("x-many", HeaderValue::from_static("a"));
    headers.append("x-many", HeaderValue::from_static("b"));
    let response = response(body);
    let record = Record {
        status: Some(503),
        size_decoded: Some(response.size_decoded),
        headers: Some(Headers(headers)),
        ..Record::default()
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365);
    let seen = Seen {
        unmet: expect.look(&response),
        certificate_expires: Some(now + Duration::from_hours(240)),
        attempt_time: Duration::from_millis(200),
        now,
    };
    expect.judge(&record, seen)
}

fn failed(text: &str) -> Vec<String> {
    failed_of(
        text,
        Body::Text(r#"{"status": "up", "items": [{"id": 1, "ok": true}, {"id": 2}], "v": "v12"}"#.to_owned()),
    )
}

#[test]
fn what_holds_says_nothing() {
    for text in [
        "status == 503",
        "status in 500..=599,304",
        "status != 200",
        "status not in 2xx, 3xx",
        "status >= 500; status < 504; status <= 503; status > 502",
        "time < 500ms; time <= 0.2; time >= 200ms",
        "size < 1MB; size == 2000; size > 1K",
        "cert_days > 9.5; cert_days < 11",
        "header content-type ~ html; header content-type == text/html",
        "header Content-Type: contains html",
        "header x-many == b; header x-many != c; header x-many exists",
        "header x-none not exists; header x-none != HIT; header x-none !~ x",
        "body contains \"up\"; body contains 'status'; body not contains down",
        r#"body ~ "v[0-9]+\"\}$"; body !~ 'w\d'"#,
        "body ~ v\\d\\d",
        r#"jq .status == "up"; jq .items | length == 2; jq any(.items[]; .id == 2)"#,
        r#"jq .items | map(select(.ok)) | length == 1; jq (.v | test("^v[0-9]+$"));"#,
        "  status==503 ;",
    ] {
        assert_eq!(failed(text), [""; 0], "of {text}");
    }
}

#[test]
fn what_does_not_hold_is_told_with_what_was_seen_in_the_order_written() {
    for (text, told) in [
        ("status == 200", "status == 200, but it was 503"),
        ("status < 500", "status < 500, but it was 503"),
        ("time < 0.1", "time < 0.1, but it took 200 ms"),
        ("size < 1kB", "size < 1kB, but it was 2000 bytes"),
        ("cert_days > 14", "cert_days > 14, but it was 10.0"),
        ("header content-type ~ json", r#"header content-type ~ json, but it was "text/html""#),
        ("header etag exists", "header etag exists, but there is none"),
        ("header x-many not exists", r#"header x-many not exists, but it was "a""#),
        (
            "body contains 'ok!'",
            r#"body contains 'ok!', but it was "{\"status\": \"up\", \"items\": [{\"id\": 1, \"ok\": true}, {\"…"#,
        ),
        ("jq .status == \"down\"", "jq .status == \"down\", but it was false"),
        ("jq .none", "jq .none, but it was null"),
        ("jq .items[] | select(.id == 9)", "jq .items[] | select(.id == 9), but it had no output"),
        ("jq .status.x", "jq .status.x, but it failed: cannot index \"up\" with \"x\""),
    ] {
        let seen = failed(text);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].starts_with(told.trim_end_matches('…')), "{}\n{told}", seen[0]);
    }
    let seen = failed("body == x; status == 200; jq .none; size > 1; time > 1s");
    let subjects: Vec<_> = seen.iter().map(|told| told.split(' ').next().expect("a word")).collect();
    assert_eq!(subjects, ["body", "status", "jq", "time"]);
}

#[test]
fn bodies_that_are_no_json_or_no_text_are_told() {
    let text = |text: &str| Body::Text(text.to_owned());
    assert!(failed_of("jq .a", text("<html>"))[0].contains("but the body is not JSON: expected value"));
    assert_eq!(failed_of("jq .a", Body::Binary("\0".into())), ["jq .a, but the body is no text"]);
    assert_eq!(failed_of("jq .a", Body::Discarded), ["jq .a, but there is no body"]);
    assert_eq!(failed_of("body == x", Body::Discarded), ["body == x, but it was empty"]);
    assert_eq!(failed_of("body contains x", Body::Binary(vec![0xff, b'x'].into())), [""; 0]);
    assert!(failed_of("jq .", text(&"[".repeat(100_000)))[0].contains("recursion limit"));
}

#[test]
fn what_is_told_is_short_and_safe_to_print() {
    let body = Body::Text(format!("\u{1b}[2J\u{202e} http://u:canary@h/ {}", "ü".repeat(5000)));
    let told = failed_of(&format!("body contains '{}\u{1b}'", "é".repeat(5000)), body).remove(0);
    assert!(told.chars().count() < 300 && told.len() < 600, "{}", told.len());
    assert!(!told.chars().any(crate::model::is_unsafe) && !told.contains("canary"), "{told}");
}

#[test]
fn a_mistake_is_marked_where_it_is() {
    for (text, message, line, carets) in [
        ("tiem < 1s", "an expectation begins with `status`, `time`", "tiem < 1s", "^^^^"),
        ("status == 2o0", "`2o0` is not a status", "status == 2o0", "          ^^^"),
        ("status = 200", "`==`, `!=`, `in`", "status = 200", "       ^"),
        ("status", "`==`, `!=`, `in`", "status", "      ^"),
        ("time < soon", "a time such as", "time < soon", "       ^^^^"),
        ("status == 200 time < 1s", "`200 time < 1s` is not", "status == 200 time < 1s", "          ^^^^^^^^^^^^^"),
        ("body ~ '['", "this is not a regular expression: unclosed", "body ~ '['", "        ^"),
        ("body == \"x", "the closing \" of this text is missing", "body == \"x", "        ^^"),
        ("body == \"x\" y", "nothing more is right here, or `;`", "body == \"x\" y", "            ^"),
        ("body is x", "`==`, `!=`, `contains`", "body is x", "     ^^"),
        ("header == x", "the name of a header", "header == x", "       ^"),
        ("jq .a ==", "this is not a jq filter: it ends too early", "jq .a ==", "        ^"),
        ("jq .a | nope", "`nope` cannot be used", "jq .a | nope", "        ^^^^"),
        ("jq .a | $x", "there is no such variable", "jq .a | $x", "        ^^"),
        ("status == 200; ", "", "", ""),
        ("", "an expectation is missing", "", "^"),
        ("size < 1XB", "a size such as", "size < 1XB", "       ^^^"),
    ] {
        if message.is_empty() {
            parsed(text);
            continue;
        }
        let marked = marked(text);
        let lines: Vec<_> = marked.lines().collect();
        assert!(lines[0].starts_with(message), "{marked}");
        assert_eq!(lines[1..], [format!("  {line}"), format!("  {carets}")], "{marked}");
    }
}

#[test]
fn a_mistake_in_a_long_or_wide_text_is_shown_with_its_surroundings_alone() {
    let text = format!("body contains '{}'; tiem < 1s; {}", "日".repeat(200), "status == 200; ".repeat(20));
    let marked = marked(&text);
    let lines: Vec<_> = marked.lines().collect();
    let column = lines[2].find('^').expect("a mark");
    let before = lines[1].split("tiem").next().expect("what is before");
    assert_eq!((before.width(), lines[1].starts_with("  …")), (column, true), "{marked}");
    assert!(lines[1].chars().count() < 200);
}

#[test]
fn filters_that_could_go_on_for_ever_or_reach_out_are_refused() {
    for filter in [
        "[range(1e9)] | length",
        "def f: f; f",
        "reduce .[] as $x (0; . + 1)",
        "[repeat(1)]",
        "last(recurse(.))",
        "[limit(9; 1)]",
        "until(false; .)",
        "env.PATH",
        "$ENV",
        "input",
        "debug",
        "halt",
        ".a = 1",
        ".a |= 1",
        "label $x | 1",
        "@json",
        "walk(.)",
        "fromjson",
        "__charge",
        "include \"x\"; 1",
    ] {
        assert!(format!("jq {filter}").parse::<Expectations>().is_err(), "{filter} was taken");
    }
    assert!(marked(&format!("jq {}", "(".repeat(200))).starts_with("brackets within more than 32"));
    assert!(marked(&format!("jq .{}", "a".repeat(2000))).starts_with("the filter has 2001 bytes"));
}

#[test]
fn what_multiplies_is_given_up_and_the_stack_holds() {
    let doubled = |step: &str| vec![step; 40].join(" | ");
    let body = || Body::Text(format!("[{}]", vec!["1"; 2000].join(",")));
    for filter in [
        "[.[] as $a | .[] as $b | .[] as $c | $a] | length == 0".to_owned(),
        "[(.[] + .[] + .[])?] | length".to_owned(),
        format!("{} | length == 1", doubled("[., .]")),
        format!("{} | length == 1", doubled("{a: ., b: .}")),
        format!("(.[0] | tostring) | {} | length == 1", doubled("(. + .)")),
        format!("(.[0] | tostring) | {} | length == 1", doubled(r#""\(.)\(.)""#)),
        "[.. | ..] | length | . < 0 | ., .".to_owned() + " | not | not",
        "try ([.[] as $a | .[] as $b | $b] | length) catch true".to_owned(),
    ] {
        let seen = failed_of(&format!("jq {filter}"), body());
        assert_eq!(seen.len(), 1, "{filter} held");
        assert!(seen[0].ends_with("given up") || seen[0].ends_with("false"), "{filter}: {seen:?}");
    }
    assert!(failed_of("jq .[0] | tostring * 1000000000", body())[0].contains("are for numbers here"));
    let deep = format!("jq {}", "if ".repeat(340));
    assert!(deep.parse::<Expectations>().is_err());
    let nested = Body::Text("[".repeat(120) + &"]".repeat(120));
    assert_eq!(failed_of("jq [..] | length == 120", nested), [""; 0]);
}

#[test]
fn what_is_looked_at_is_kept_and_nothing_else() {
    let needs = |text| parsed(text).needs();
    assert_eq!(needs("status == 200; size < 1; time < 1; header a exists"), Needs::default());
    assert_eq!(needs("status == 200; body == x"), Needs { body: true, certificate: false });
    assert_eq!(needs("jq ."), Needs { body: true, certificate: false });
    assert_eq!(needs("cert_days > 1"), Needs { body: false, certificate: true });
}

#[test]
fn only_expectations_of_the_status_decide_which_are_accepted() {
    let accepts = |text, status| parsed(text).accepts(StatusCode::from_u16(status).expect("a status"));
    assert_eq!(accepts("time < 1", 200), None);
    assert_eq!((accepts("status == 404", 404), accepts("status == 404", 200)), (Some(true), Some(false)));
    assert_eq!(accepts("status != 404; status < 500", 404), Some(false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_makes_the_parser_panic_and_every_error_is_safe_to_print(
        subject in proptest::sample::select(vec!["", "status ", "header ", "body ~ ", "body == ", "jq ", "jq .a|", "time<"]),
        text in crate::model::escape::any_text(),
    ) {
        if let Err(error) = format!("{subject}{text}").parse::<Expectations>() {
            prop_assert!(!error.to_string().chars().any(crate::model::is_unsafe));
            prop_assert!(!error.marked().lines().any(|line| line.chars().any(crate::model::is_unsafe)));
            prop_assert!(error.marked().lines().count() == 3);
        }
    }
}
