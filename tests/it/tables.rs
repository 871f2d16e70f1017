//! Lists that are tables: csv and tsv.

use serde_json::{Value, json};

use crate::support::{Reply, Server, gather, list, records};

fn server() -> Server {
    Server::start(|_| Reply::ok("hello"))
}

fn written(arguments: &[&str], table: &str, code: i32) -> Vec<Value> {
    let output = gather().args(arguments).write_stdin(table).assert().code(code);
    records(&output.get_output().stdout)
}

#[test]
fn columns_mean_what_the_fields_of_jsonl_do_and_others_are_carried() {
    let server = server();
    let url = server.url("/a");
    let table = format!(
        "\u{feff}id,url,method,body,headers,team,note\r\n1,{url},put,\"x\r\ny\",\"{{\"\"x-a\"\": \"\"1\"\"}}\",a,\"b, \"\"c\"\"\"\r\n\r\n2,{url},,,,,\r\n"
    );
    let records = written(&["-c", "1"], &table, 0);
    let seen: Vec<_> =
        records.iter().map(|record| (&record["line"], &record["id"], &record["method"], &record["input"])).collect();
    assert_eq!(
        seen,
        [
            (&json!(2), &json!("1"), &json!("PUT"), &json!({"team": "a", "note": "b, \"c\""})),
            (&json!(5), &json!("2"), &json!("GET"), &Value::Null),
        ]
    );
    let log = server.log();
    assert_eq!((log.requests()[0].body.as_slice(), log.requests()[0].header("x-a")), (&b"x\r\ny"[..], Some("1")));
}

#[test]
fn the_column_of_urls_may_have_any_name_and_relative_ones_a_base() {
    let server = server();
    let base = server.url("/v1/");
    let arguments = ["--url-column", "link", "--base-url", &base, "--input-format", "tsv"];
    let records = written(&arguments, "url\tlink\nshop\tusers\n", 0);
    assert_eq!(
        (&records[0]["url_effective"], &records[0]["input"]),
        (&json!(server.url("/v1/users")), &json!({"url": "shop"}))
    );
    for list in ["users\n", "{\"url\": \"users\"}\n", "url,id\nusers,1\n"] {
        assert_eq!(written(&["--base-url", &base], list, 0)[0]["url_effective"], server.url("/v1/users"));
    }
}

#[test]
fn a_row_that_does_not_fit_is_a_record_and_the_next_one_is_fine() {
    let server = server();
    let url = server.url("/a");
    let long = "x".repeat(70_000);
    let table = format!(
        "url,id\n{url}\n{url},1,2\n{url},{long}\n{url},\"{0}\n{0}\"\n,3\n{url},4\n{url},\"open\n",
        "x".repeat(40_000)
    );
    let records = written(&[], &table, 1);
    let seen: Vec<_> =
        records.iter().map(|record| (record["line"].as_u64(), record["error"]["kind"].as_str())).collect();
    let malformed = Some("input_malformed");
    assert_eq!(
        seen,
        [
            (Some(2), malformed),
            (Some(3), malformed),
            (Some(4), Some("input_too_long")),
            (Some(5), Some("input_too_long")),
            // What is left of a record that was given up is read as one of its own.
            (Some(7), malformed),
            (Some(8), None),
            (Some(9), malformed),
        ]
    );
}

#[test]
fn a_header_that_cannot_be_used_is_told_with_its_columns_before_anything_is_sent() {
    for (table, said) in [
        ("id,link\n1,2\n", "has no column `url`; it has `id`, `link`; --url-column names"),
        ("url,id,id\n", "has two columns `id`"),
    ] {
        let file = list(table);
        let path = file.path().to_str().expect("UTF-8");
        let output = gather().args(["--input-format", "csv", path]).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(stderr.contains(said) && stderr.contains(path), "{stderr}");
        gather().args(["--input-format", "csv"]).write_stdin(table).assert().code(2);
    }
}
