//! The published schema: every record that the program writes fits it, and every field of it is written by some run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Authority, Reply, Running, Server, gather, list, records};

/// Checks values against a JSON Schema that uses no more than the published one does. A keyword that it does not know is
/// an error, so that nothing goes unchecked in silence; so is a property that the schema does not list.
pub(crate) struct Schema(Value);

impl Schema {
    /// The schema in `fixtures/NAME.schema.json`.
    pub(crate) fn published(name: &str) -> Self {
        let path = format!("{}/fixtures/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("the schema");
        Self(serde_json::from_str(&text).expect("JSON"))
    }

    /// What is wrong with `value`, if anything.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.check_against(&self.0, value, "record")
    }

    fn check_against(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        members(schema).try_for_each(|(keyword, rule)| self.apply(keyword, rule, value, at))
    }

    fn apply(&self, keyword: &str, rule: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fits = |schema: &&Value| self.check_against(schema, value, at).is_ok();
        let holds = match keyword {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "contentEncoding" => true,
            "type" => has_type(value, rule),
            "const" => value == rule,
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= rule.as_f64()),
            "anyOf" => items(rule).any(|schema| fits(&schema)),
            "oneOf" => items(rule).filter(fits).count() == 1,
            "required" => items(rule).all(|name| value.get(text(name)).is_some()),
            "$ref" => return self.check_against(self.definition(text(rule)), value, at),
            "items" => return items(value).try_for_each(|item| self.check_against(rule, item, &format!("{at}[]"))),
            "properties" => {
                return members(value).try_for_each(|(name, member)| match rule.get(name) {
                    Some(rule) => self.check_against(rule, member, &format!("{at}.{name}")),
                    None => Err(format!("{at} has {name}, which is not listed")),
                });
            }
            // Ours list every member, or have one pattern for all.
            "additionalProperties" if rule == false => true,
            "patternProperties" => {
                let rule = members(rule).next().expect("a pattern").1;
                return members(value)
                    .try_for_each(|(name, member)| self.check_against(rule, member, &format!("{at}.{name}")));
            }
            "additionalProperties" => {
                return members(value)
                    .try_for_each(|(name, member)| self.check_against(rule, member, &format!("{at}.{name}")));
            }
            unknown => panic!("the schema uses {unknown}, which this test does not know"),
        };
        if holds { Ok(()) } else { Err(format!("{at} does not fit {keyword} {rule}: {value}")) }
    }

    fn definition(&self, reference: &str) -> &Value {
        &self.0["$defs"][reference.strip_prefix("#/$defs/").expect("a definition of the same schema")]
    }

    fn properties(&self) -> BTreeSet<&str> {
        self.0["properties"].as_object().expect("properties").keys().map(String::as_str).collect()
    }
}

/// The members of an object; of anything else none.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The items of an array; of anything else none.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn has_type(value: &Value, types: &Value) -> bool {
    let has = |name: &Value| match text(name) {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        unknown => panic!("the type {unknown} is unknown"),
    };
    if types.is_array() { items(types).any(has) } else { has(types) }
}

fn written(arguments: &[&str], stdin: &[u8]) -> Vec<Value> {
    let output = gather().args(arguments).write_stdin(stdin).assert();
    records(&output.get_output().stdout)
}

/// Records of every sort that a run can write.
fn records_of_every_sort() -> Vec<Value> {
    let server = Server::start(|request| match request.target.as_str() {
        "/text" => Reply::ok("text").header("content-type", "text/plain"),
        "/binary" => Reply::ok([0xff, 0]),
        "/moved" => Reply::redirect("/flaky"),
        "/flaky" if request.nth == 1 => Reply::status(503),
        "/flaky" => Reply::ok("hello"),
        "/busy" => Reply::status(429).header("retry-after", 3600),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        "/loop" => Reply::redirect("/loop"),
        "/hang" => Reply::nothing().hang(),
        _ => Reply::status(404),
    });
    let url = |path: &str| server.url(path);
    let mut all = Vec::new();
    let paths = ["/text", "/binary", "/moved", "/busy", "/cut", "/loop", "/missing"].map(url);
    all.extend(written(&["--retry", "1"], paths.join("\n").as_bytes()));
    let line =
        json!({"url": url("/text"), "id": {"any": ["thing", 1]}, "method": "POST", "body": {}, "team": "a", "n": null});
    all.extend(written(&[], line.to_string().as_bytes()));
    all.extend(written(&["--expect", "body == x", &url("/text")], b""));
    all.extend(written(&["-m", "100ms", "--retry", "0", &url("/hang"), "http://127.0.0.2:9/"], b""));
    let directory = tempfile::tempdir().expect("a temporary directory");
    all.extend(written(&["--output-dir", directory.path().to_str().expect("UTF-8"), &url("/text")], b""));
    for fixture in ["txt", "jsonl"] {
        all.extend(written(&[&format!("{}/fixtures/input-faults.{fixture}", env!("CARGO_MANIFEST_DIR"))], b""));
    }
    all.extend(written(&[], b"\xff\nhttp://a.test/\0\n"));
    all.extend(stopped(&url("/hang")));
    let old = list(format!("{{\"method\":\"GET\",\"url\":\"{}\",\"ok\":false}}", url("/missing")));
    all.extend(written(&["--baseline", old.path().to_str().expect("UTF-8"), &url("/missing")], b""));
    let authority = Authority::new();
    let secure = Server::builder().tls(authority.certificate("localhost")).start(|_| Reply::ok("hello"));
    let roots = authority.pem_file();
    all.extend(written(&["--cacert", roots.path().to_str().expect("UTF-8"), &secure.url("/")], b""));
    all.extend(written(&["--retry", "0", &secure.url("/")], b""));
    all
}

/// Records of a run that was stopped while one line was in flight and another waited.
fn stopped(hanging: &str) -> Vec<Value> {
    let lines = list(format!("{hanging}\n").repeat(2));
    let program = Running::gather(["-q", "--deadline", "200ms", "--grace", "0", lines.path().to_str().expect("UTF-8")]);
    records(&program.end().stdout)
}

#[test]
fn every_record_fits_it_and_every_field_of_it_is_written() {
    let schema = Schema::published("record");
    let records = records_of_every_sort();
    for record in &records {
        schema.check(record).unwrap_or_else(|wrong| panic!("{wrong}\nin {record}"));
    }
    let written: BTreeSet<&str> =
        records.iter().filter_map(Value::as_object).flat_map(|record| record.keys().map(String::as_str)).collect();
    let properties = schema.properties();
    assert_eq!(written, properties);
}

#[test]
fn the_check_finds_what_is_wrong() {
    let schema = Schema::published("record");
    let good = json!({"index": 0, "url": "", "ok": false, "verdict": "failed", "status": null});
    assert_eq!(schema.check(&good), Ok(()));
    for (field, value) in [
        ("index", json!(-1)),
        ("status", json!(70_000)),
        ("ok", json!("yes")),
        ("verdict", json!("good")),
        ("colour", json!("red")),
        ("headers", json!({"a": "b"})),
        ("hops", json!([{"status": "200"}])),
        ("error", json!({"kind": "reset", "phase": "http"})),
        ("error", json!({"kind": "no_such_kind", "phase": "http", "message": ""})),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(schema.check(&bad).is_err(), "{bad} fits");
    }
}
