//! Lines of the form `{"url": …, "method": …}`, one JSON object each; also a bare JSON string, which is a URL.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::asked::{Asked, Defaults, bad, malformed, parse_method};
use super::shown::{kept, quoted};
use crate::model::{Failure, Job, Overrides, StatusSet};

/// Levels of a carried value. In the record it lies deeper, and what reads JSON commonly takes no more than 128.
const MOST_LEVELS: usize = 100;

/// The job of one line, which is not blank.
pub(super) fn job(line: &str, defaults: &Defaults<'_>) -> Job {
    if line.starts_with('"') {
        return match serde_json::from_str::<String>(line) {
            Ok(url) => defaults.job(Asked { url: url.into(), ..Asked::default() }),
            Err(error) => bad(kept(line), syntax(&error)),
        };
    }
    if !line.starts_with('{') {
        let message = format!("{} is no JSON object; one object a line is right: `{{\"url\": …}}`", quoted(line));
        return bad(kept(line), malformed(message));
    }
    match serde_json::from_str(line) {
        Ok(fields) => object(fields, line, defaults),
        Err(error) => bad(kept(line), syntax(&error)),
    }
}

/// The job of an object. All fields are taken even after a bad one, so that its record has id, URL and carried fields.
fn object(fields: Fields<'_>, line: &str, defaults: &Defaults<'_>) -> Job {
    let mut parsed = Parsed::new(defaults);
    let mut outcome = Ok(());
    for (name, value) in fields.0 {
        outcome = outcome.and(parsed.take(name, value));
    }
    parsed.job(outcome, line)
}

/// The job of a row of a table, whose columns mean what fields of these names do. Values are texts, `headers` and `retry` JSON.
pub(super) fn row(columns: &[(&str, bool, &str)], defaults: &Defaults<'_>) -> Job {
    let mut parsed = Parsed::new(defaults);
    let mut outcome = Ok(());
    for &(name, is_carried, text) in columns {
        if is_carried {
            parsed.carried.insert(name.to_owned(), text.into());
            continue;
        }
        let json = match name {
            "headers" | "retry" => RawValue::from_string(text.to_owned())
                .map_err(|_| malformed(format!("the field `{name}` is not JSON, as in jsonl"))),
            _ => Ok(serde_json::value::to_raw_value(text).expect("a string is JSON")),
        };
        outcome = outcome.and(json.and_then(|json| parsed.take(name.to_owned(), &json)));
    }
    parsed.job(outcome, "")
}

/// The fields of an object in their order. Values stay as they are written, so that a body is sent with every digit.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// What has been taken from the fields so far.
struct Parsed<'a> {
    defaults: &'a Defaults<'a>,
    asked: Asked<'static>,
    has_url: bool,
    overrides: Overrides,
    custom_id: Option<Value>,
    id: Option<Value>,
    carried: Map<String, Value>,
    seen: HashSet<String>,
}

impl<'a> Parsed<'a> {
    fn new(defaults: &'a Defaults<'a>) -> Self {
        Self {
            defaults,
            asked: Asked::default(),
            has_url: false,
            overrides: Overrides::default(),
            custom_id: None,
            id: None,
            carried: Map::new(),
            seen: HashSet::new(),
        }
    }

    /// The job of all that was taken, or of what was wrong with it first.
    fn job(mut self, outcome: Result<(), Failure>, line: &str) -> Job {
        let outcome = outcome.and(self.finish());
        let mut job = match outcome {
            Ok(()) => self.defaults.job(self.asked),
            Err(failure) if self.has_url => bad(kept(&self.asked.url), failure),
            Err(failure) => bad(kept(line), failure),
        };
        job.id = self.id.map(Box::new);
        job.input = (!self.carried.is_empty()).then(|| Box::new(self.carried));
        job
    }

    /// Takes one field; null is as if it were not there.
    fn take(&mut self, name: String, value: &RawValue) -> Result<(), Failure> {
        if self.seen.contains(&name) {
            return Err(malformed(format!("the field {} is given twice", quoted(&name))));
        }
        let is_null = value.get() == "null";
        match name.as_str() {
            "url" | "method" | "headers" | "body" | "body_base64" | "timeout" | "accept" | "retry" | "id"
            | "custom_id" | "expect"
                if is_null => {}
            "url" => {
                self.asked.url = typed::<String>(value, "url", "a string")?.into();
                self.has_url = true;
            }
            "method" => self.asked.method = Some(parse_method(&typed::<String>(value, "method", "a string")?)?),
            "headers" => self.asked.headers = headers(value, self.defaults)?,
            "expect" => {
                let text = expectations(value)?;
                // An empty list expects nothing.
                self.asked.expect = if text.is_empty() { None } else { Some(self.defaults.expectations(&text)?) };
            }
            "body" => {
                self.asked.is_json = !value.get().starts_with('"');
                self.set_body(body(value, self.defaults)?)?;
            }
            "body_base64" => self.set_body(base64(value)?)?,
            "timeout" => self.overrides.timeout = Some(timeout(value)?),
            "accept" => self.overrides.accept = Some(accept(value)?),
            "retry" => self.overrides.retry = Some(typed(value, "retry", "a whole number from 0")?),
            "id" => self.id = Some(carried("id", value)?),
            "custom_id" => self.custom_id = Some(carried("custom_id", value)?),
            other => {
                let value = carried(other, value)?;
                self.carried.insert(other.to_owned(), value);
            }
        }
        self.seen.insert(name);
        Ok(())
    }

    fn set_body(&mut self, body: Bytes) -> Result<(), Failure> {
        if self.asked.body.is_some() {
            return Err(malformed("`body` and `body_base64` are both given; one is right"));
        }
        self.asked.body = Some(body);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        // An `id` of its own makes `custom_id` a field like any other.
        match (&self.id, self.custom_id.take()) {
            (Some(_), Some(custom_id)) => _ = self.carried.insert("custom_id".to_owned(), custom_id),
            (None, custom_id) => self.id = custom_id,
            (Some(_), None) => {}
        }
        if !self.has_url {
            let names: Vec<_> = self.carried.keys().take(5).map(String::as_str).collect();
            let seen = if names.is_empty() { String::new() } else { format!(", but {}", quoted(&names.join(", "))) };
            return Err(malformed(format!("the line has no field `url`{seen}")));
        }
        if self.overrides != Overrides::default() {
            self.asked.overrides = Some(Box::new(std::mem::take(&mut self.overrides)));
        }
        Ok(())
    }
}

/// `{"name": "value"}` or `{"name": ["value", …]}`. A name with an empty array takes the template's field away.
fn headers(value: &RawValue, defaults: &Defaults<'_>) -> Result<Vec<(HeaderName, Vec<HeaderValue>)>, Failure> {
    let fields: Fields<'_> = serde_json::from_str(value.get())
        .map_err(|_| wrong_type("the field `headers`", value, "an object of strings or arrays of strings"))?;
    let mut headers = Vec::with_capacity(fields.0.len());
    for (name, value) in fields.0 {
        let what = format!("the header {}", quoted(&name));
        let header_name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| malformed(format!("{what} is no header name; letters, digits and hyphens are right")))?;
        let texts = match serde_json::from_str::<String>(value.get()) {
            Ok(text) => vec![text],
            Err(_) => serde_json::from_str::<Vec<String>>(value.get())
                .map_err(|_| wrong_type(&what, value, "a string or an array of strings"))?,
        };
        let value = |text: &String| header_value(&what, &defaults.fill(&what, text, |value| value)?);
        let values: Result<Vec<_>, _> = texts.iter().map(value).collect();
        headers.push((header_name, values?));
    }
    Ok(headers)
}

/// The value is marked as sensitive, whatever its name: nothing that prints headers for debugging shows it.
fn header_value(what: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_bytes(text.trim_matches([' ', '\t']).as_bytes()).map_err(|_| {
        malformed(format!("{what} has a line break, a NUL or another control character in its value; remove it"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A string is sent as it is, everything else as the JSON that it is, without the spaces between its tokens.
fn body(value: &RawValue, defaults: &Defaults<'_>) -> Result<Bytes, Failure> {
    if value.get().starts_with('"') {
        let text = typed::<String>(value, "body", "a string of whole characters, or any other JSON")?;
        return Ok(defaults.fill("the body", &text, |value| value)?.into_owned().into());
    }
    // Outside of its strings JSON has no `$`.
    let value = defaults.fill("the body", value.get(), |value| {
        let json = serde_json::to_string(&value).expect("a string is JSON");
        json[1..json.len() - 1].to_owned()
    })?;
    let mut in_string = false;
    let mut escaped = false;
    let compact = value.bytes().filter(|&byte| {
        let is_space = !in_string && byte.is_ascii_whitespace();
        if byte == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = byte == b'\\' && !escaped;
        !is_space
    });
    Ok(compact.collect())
}

/// Expectations with `;` between them, or an array of such texts.
fn expectations(value: &RawValue) -> Result<String, Failure> {
    if value.get().starts_with('"') {
        return typed(value, "expect", "a string, or an array of strings");
    }
    let texts: Vec<String> = typed(value, "expect", "a string, or an array of strings")?;
    Ok(texts.join("; "))
}

fn base64(value: &RawValue) -> Result<Bytes, Failure> {
    let text = typed::<String>(value, "body_base64", "a string")?;
    let bytes = STANDARD.decode(text).map_err(|error| {
        malformed(format!("the field `body_base64` is not base64 with padding (RFC 4648, section 4): {error}"))
    })?;
    Ok(bytes.into())
}

/// A number of seconds, or text with units.
fn timeout(value: &RawValue) -> Result<Duration, Failure> {
    let wrong =
        || wrong_value("timeout", value, "a time above zero: a number of seconds, or text such as `500ms` or `2m`");
    let duration = if value.get().starts_with('"') {
        let text = typed::<String>(value, "timeout", "a number or a string")?;
        let seconds = text.trim().parse::<f64>().ok().map(Duration::try_from_secs_f64);
        match seconds {
            Some(duration) => duration.map_err(|_| wrong())?,
            None => humantime::parse_duration(&text).map_err(|_| wrong())?,
        }
    } else {
        let seconds: f64 = typed(value, "timeout", "a number of seconds, or a string such as `500ms`")?;
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?
    };
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

/// `"200..=299,304"`, `404` or an array of these.
fn accept(value: &RawValue) -> Result<StatusSet, Failure> {
    let right = "a status, a set such as `200..=299,304`, or an array of these";
    let items: Vec<Value> = match typed(value, "accept", right)? {
        Value::Array(items) => items,
        item => vec![item],
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        texts.push(match item {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(wrong_value("accept", value, right)),
        });
    }
    texts.join(",").parse().map_err(|error| malformed(format!("the field `accept` is wrong: {error}")))
}

/// A value that only passes through into the record.
fn carried(name: &str, value: &RawValue) -> Result<Value, Failure> {
    const RIGHT: &str = "JSON of whole characters and at most 100 levels";
    let carried = typed(value, name, RIGHT)?;
    if is_deeper(&carried, MOST_LEVELS) {
        return Err(wrong_type(&format!("the field {}", quoted(name)), value, RIGHT));
    }
    Ok(carried)
}

/// Whether arrays and objects are nested in more `levels` than that. The parser has a limit, so this has one too.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(|value| is_deeper(value, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
}

fn typed<T: DeserializeOwned>(value: &RawValue, name: &str, right: &str) -> Result<T, Failure> {
    serde_json::from_str(value.get()).map_err(|_| wrong_type(&format!("the field {}", quoted(name)), value, right))
}

/// Names what was seen by its type alone: it may be a secret.
fn wrong_type(what: &str, value: &RawValue, right: &str) -> Failure {
    let seen = match value.get().as_bytes()[0] {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "true or false",
        b'n' => "null",
        _ => "a number",
    };
    malformed(format!("{what} is {seen}; {right} is right"))
}

fn wrong_value(name: &str, value: &RawValue, right: &str) -> Failure {
    malformed(format!("the field `{name}` is {}; {right} is right", quoted(value.get())))
}

/// The parser's reason and place, without its line, which is always the first.
fn syntax(error: &serde_json::Error) -> Failure {
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    malformed(format!(
        "the line is not valid JSON: {reason} at character {}; one whole object a line is right",
        error.column()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::input::Template;
    use crate::model::{FailureKind, Request};

    fn job_of(line: &str) -> Job {
        job(line, &Defaults::of(&Template::default()))
    }

    fn request(line: &str) -> Request {
        job_of(line).request.unwrap_or_else(|bad| panic!("{line}: {}", bad.failure))
    }

    fn message(line: &str) -> String {
        let bad = job_of(line).request.expect_err(line);
        assert_eq!(bad.failure.kind, FailureKind::InputMalformed, "of {line}");
        bad.failure.message
    }

    #[test]
    fn every_field_finds_its_place() {
        let job = job_of(
            r#"{"url": "http://h/x", "method": "put", "headers": {"X-A": "1", "x-b": ["2", "3"]}, "body": "é\n", "id": 7,
                "timeout": 1.5, "accept": "200", "retry": 0, "name": "n", "more": {"z": 1, "a": [null]}}"#,
        );
        let request = job.request.expect("a request");
        assert_eq!((request.method.as_str(), request.url.as_str()), ("PUT", "http://h/x"));
        assert_eq!(request.headers["x-a"], "1");
        assert_eq!(request.headers.get_all("x-b").iter().collect::<Vec<_>>(), ["2", "3"]);
        assert_eq!(request.headers.len(), 3);
        assert!(request.headers.values().all(HeaderValue::is_sensitive));
        assert_eq!(request.body.as_deref(), Some("é\n".as_bytes()));
        let overrides = Overrides {
            accept: Some("200".parse().expect("a status")),
            timeout: Some(Duration::from_millis(1500)),
            retry: Some(0),
        };
        assert_eq!(request.overrides.as_deref(), Some(&overrides));
        assert_eq!(job.id.as_deref(), Some(&json!(7)));
        let carried = serde_json::to_string(&job.input).expect("carried fields are JSON");
        assert_eq!(carried, r#"{"name":"n","more":{"z":1,"a":[null]}}"#);
    }

    #[test]
    fn a_url_alone_is_a_get_and_null_is_as_if_absent() {
        for line in [
            r#"{"url": "http://h/x"}"#,
            r#""http://h/x""#,
            r#"{"url": "http://h/x", "method": null, "headers": null, "body": null, "body_base64": null, "id": null,
                "custom_id": null, "timeout": null, "accept": null, "retry": null}"#,
        ] {
            let job = job_of(line);
            assert_eq!((&job.id, &job.input), (&None, &None));
            let request = job.request.expect(line);
            assert_eq!((request.method.as_str(), request.url.as_str()), ("GET", "http://h/x"));
            assert!(request.headers.is_empty() && request.body.is_none() && request.overrides.is_none());
        }
    }

    #[test]
    fn a_body_that_is_no_string_is_sent_as_compact_json_with_every_digit() {
        for (body, sent) in [
            (r#"{ "b" : [1, 2.0], "a b" : "x \" y\\" }"#, r#"{"b":[1,2.0],"a b":"x \" y\\"}"#),
            ("123456789012345678901234567890.10", "123456789012345678901234567890.10"),
            (r#"["\ud800"]"#, r#"["\ud800"]"#),
            ("false", "false"),
        ] {
            let request = request(&format!(r#"{{"url": "http://h", "body": {body} }}"#));
            assert_eq!(request.body.as_deref(), Some(sent.as_bytes()));
            assert_eq!(request.method, "POST");
            assert_eq!(request.headers["content-type"], "application/json");
        }
    }

    #[test]
    fn a_string_body_has_no_content_type_and_base64_gives_any_bytes() {
        let text = request(r#"{"url": "http://h", "body": ""}"#);
        assert_eq!((text.body.as_deref(), text.headers.len()), (Some(&b""[..]), 0));
        let bytes = request(r#"{"url": "http://h", "body_base64": "/wA="}"#);
        assert_eq!((bytes.body.as_deref(), bytes.method.as_str()), (Some(&b"\xff\x00"[..]), "POST"));
    }

    #[test]
    fn a_content_type_of_the_line_stays() {
        let request = request(r#"{"url": "http://h", "headers": {"Content-Type": "application/ld+json"}, "body": {}}"#);
        assert_eq!(request.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["application/ld+json"]);
    }

    #[test]
    fn times_and_statuses_have_several_forms() {
        for (text, milliseconds) in
            [("2", 2000), ("0.5", 500), (r#""500ms""#, 500), (r#""2m""#, 120_000), (r#""3""#, 3000)]
        {
            let overrides =
                request(&format!(r#"{{"url": "http://h", "timeout": {text}}}"#)).overrides.expect("a timeout");
            assert_eq!(overrides.timeout, Some(Duration::from_millis(milliseconds)), "of {text}");
        }
        for (text, set) in [("404", "404"), (r#""2xx""#, "2xx"), (r#"[200, "3xx"]"#, "200,3xx")] {
            let overrides = request(&format!(r#"{{"url": "http://h", "accept": {text}}}"#)).overrides.expect("a set");
            assert_eq!(overrides.accept, Some(set.parse().expect("a valid set")));
        }
    }

    #[test]
    fn custom_id_is_the_id_unless_there_is_one() {
        let job = job_of(r#"{"custom_id": "request-1", "url": "http://h"}"#);
        assert_eq!((job.id.as_deref(), job.input), (Some(&json!("request-1")), None));
        let job = job_of(r#"{"custom_id": "c", "url": "http://h", "id": {"a": 1}}"#);
        assert_eq!(job.id.as_deref(), Some(&json!({"a": 1})));
        assert_eq!(job.input.expect("a carried field")["custom_id"], "c");
    }

    #[test]
    fn a_bad_line_keeps_its_id_and_its_carried_fields() {
        for (line, kind, text) in [
            (r#"{"id": 1, "x": "n", "url": "http://u:canary@h:0/"}"#, FailureKind::UrlInvalidPort, "http://***@h:0/"),
            (r#"{"retry": -1, "url": "http://h/", "x": "n", "id": 1}"#, FailureKind::InputMalformed, "http://h/"),
            (
                r#"{"retry": -1, "method": 1, "x": "n", "custom_id": 1}"#,
                FailureKind::InputMalformed,
                r#"{"retry": -1, "#,
            ),
        ] {
            let job = job_of(line);
            let bad = job.request.expect_err(line);
            assert_eq!(bad.failure.kind, kind);
            assert!(bad.text.starts_with(text), "{}", bad.text);
            assert_eq!((job.id.as_deref(), job.input.expect("a carried field").len()), (Some(&json!(1)), 1));
        }
    }

    #[test]
    fn a_bad_line_names_the_field_what_was_seen_and_what_is_right() {
        for (line, expected) in [
            ("[1]", "`[1]` is no JSON object"),
            ("http://h", "`http://h` is no JSON object"),
            (r#"{"url": "http://h""#, "the line is not valid JSON: EOF while parsing an object at character 18"),
            (r#"{"url": "http://h"} x"#, "the line is not valid JSON: trailing characters at character 21"),
            ("{'url': 'http://h'}", "the line is not valid JSON: key must be a string at character 2"),
            (r#""http://h"#, "the line is not valid JSON: EOF while parsing a string"),
            ("{}", "the line has no field `url`"),
            (r#"{"link": "http://h", "n": 1}"#, "the line has no field `url`, but `link, n`"),
            (r#"{"url": null}"#, "the line has no field `url`"),
            (r#"{"url": 1}"#, "the field `url` is a number; a string is right"),
            (r#"{"url": "http://h", "url": "http://i"}"#, "the field `url` is given twice"),
            (r#"{"url": "http://h", "x": 1, "x": 1}"#, "the field `x` is given twice"),
            (r#"{"url": "http://h", "url": null}"#, "the field `url` is given twice"),
            (r#"{"url": "http://h", "method": ["GET"]}"#, "the field `method` is an array; a string is right"),
            (r#"{"url": "http://h", "method": "G T"}"#, "the method `G T` is not a word"),
            (r#"{"url": "http://h", "headers": "x: y"}"#, "the field `headers` is a string; an object of strings"),
            (r#"{"url": "http://h", "headers": {"x y": "z"}}"#, "the header `x y` is no header name"),
            (r#"{"url": "http://h", "headers": {"": "z"}}"#, "the header `` is no header name"),
            (r#"{"url": "http://h", "headers": {"x-a": 1}}"#, "the header `x-a` is a number; a string or an array"),
            (
                r#"{"url": "http://h", "headers": {"x-a": ["1", 2]}}"#,
                "the header `x-a` is an array; a string or an array",
            ),
            (r#"{"url": "http://h", "headers": {"x-a": "1\r\nx-b: 2"}}"#, "the header `x-a` has a line break, a NUL"),
            (r#"{"url": "http://h", "headers": {"x-a": ["1", "\u0000"]}}"#, "the header `x-a` has a line break, a NUL"),
            (r#"{"url": "http://h", "headers": {"x\n": "1"}}"#, r"the header `x\n` is no header name"),
            (r#"{"url": "http://h", "body": "\ud800"}"#, "the field `body` is a string; a string of whole characters"),
            (r#"{"url": "http://h", "body_base64": "a"}"#, "the field `body_base64` is not base64"),
            (r#"{"url": "http://h", "body_base64": 1}"#, "the field `body_base64` is a number"),
            (r#"{"url": "http://h", "body": 1, "body_base64": ""}"#, "`body` and `body_base64` are both given"),
            (r#"{"url": "http://h", "timeout": 0}"#, "the field `timeout` is `0`; a time above zero"),
            (r#"{"url": "http://h", "timeout": -1}"#, "the field `timeout` is `-1`; a time above zero"),
            (r#"{"url": "http://h", "timeout": 1e99}"#, "the field `timeout` is `1e99`; a time above zero"),
            (r#"{"url": "http://h", "timeout": "soon"}"#, "the field `timeout` is `\"soon\"`; a time above zero"),
            (r#"{"url": "http://h", "timeout": "nan"}"#, "the field `timeout` is `\"nan\"`; a time above zero"),
            (r#"{"url": "http://h", "timeout": []}"#, "the field `timeout` is an array; a number of seconds"),
            (r#"{"url": "http://h", "accept": "ok"}"#, "the field `accept` is wrong: `ok` is not a status"),
            (r#"{"url": "http://h", "accept": 99}"#, "the field `accept` is wrong: `99` is not a status"),
            (r#"{"url": "http://h", "accept": []}"#, "the field `accept` is wrong: `` is not a status"),
            (r#"{"url": "http://h", "accept": {"a": 1}}"#, "the field `accept` is `{\"a\": 1}`; a status, a set"),
            (r#"{"url": "http://h", "retry": 1.5}"#, "the field `retry` is a number; a whole number from 0 is right"),
            (r#"{"url": "http://h", "retry": -1}"#, "the field `retry` is a number; a whole number from 0 is right"),
            (
                r#"{"url": "http://h", "expect": ["status = 200"]}"#,
                "the expectation `status = 200` is wrong at character 8",
            ),
            (r#"{"url": "http://h", "expect": 200}"#, "the field `expect` is a number"),
            (
                r#"{"url": "http://h", "headers": {"x": "${UNSET}"}}"#,
                "the header `x` names the variable `UNSET`, which is not",
            ),
            (r#"{"url": "http://h", "body": {"a": "${"}}"#, "the body has a `${` that begins no variable"),
            (r#"{"url": "http://h", "x": "\ud800"}"#, "the field `x` is a string; JSON of whole characters"),
        ] {
            let message = message(line);
            assert!(message.starts_with(expected), "{message} of {line}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let nested = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(message(&format!(r#"{{"url": "http://h", "x": {nested}}}"#)).starts_with("the field `x` is an array"));
        assert_eq!(
            request(&format!(r#"{{"url": "http://h", "body": {nested}}}"#)).body.map(|body| body.len()),
            Some(60_001)
        );
    }

    #[test]
    fn a_carried_value_is_not_too_deep_for_who_reads_the_record() {
        let line = |levels: usize| {
            let nested = format!("{}1{}", r#"{"a":["#.repeat(levels / 2), "]}".repeat(levels / 2));
            format!(r#"{{"url": "http://h", "x": {nested}}}"#)
        };
        let job = job_of(&line(100));
        let record = crate::model::Record { input: job.input, ..Default::default() };
        let record = serde_json::to_string(&record).expect("it can be written");
        serde_json::from_str::<crate::model::Record>(&record).expect("it can be read");
        assert!(
            message(&line(102)).starts_with("the field `x` is an object; JSON of whole characters and at most 100")
        );
    }

    #[test]
    fn no_message_and_no_text_holds_a_secret_of_the_line() {
        for line in [
            r#"{"url": "http://h", "headers": {"authorization": "canary\n"}}"#,
            r#"{"url": "http://h", "headers": {"authorization": ["canary", 1]}}"#,
            r#"{"url": "http://h", "headers": "authorization: canary"}"#,
            r#"{"url": "http://u:canary@h", "expect": 1}"#,
            r#"{"headers": {"authorization": "canary"}, "expect": 1}"#,
            r#"{"body": "canary"}"#,
            r#"{"url": "http://h", "headers": {"authorization": "canary"}"#,
        ] {
            let bad = job_of(line).request.expect_err(line);
            assert!(!format!("{bad:?}").contains("canary"), "{bad:?}");
        }
    }
}
