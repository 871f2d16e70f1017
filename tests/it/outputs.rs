//! Records as bytes: every format, what they are written to, and what is left when that breaks.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Latch, Reply, Running, Server, gather, list, records};

/// A bit of everything that formats treat in different ways.
fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/users" => Reply::ok("{\"name\": \"Ann\",\n\"n\": 1}").header("content-type", "application/json"),
        "/moved" => Reply::redirect("/users"),
        "/formula" => Reply::ok("=1+1\t\"quoted\"\r\n\\"),
        "/binary" => Reply::ok([0xff, 0x00]),
        _ => Reply::new(404, "\u{1b}[31mno\u{202e}"),
    })
}

const PATHS: [&str; 6] = ["/users", "/moved", "/formula", "/binary", "/missing", ""];

/// Fields that are the same in every run.
const FIELDS: &str = "index,line,method,url,ok,verdict,status,content_type,body,body_base64,num_redirects,error";

fn list_of(server: &Server) -> String {
    PATHS.map(|path| if path.is_empty() { "ftp://a.test/".to_owned() } else { server.url(path) }).join("\n")
}

/// What the program makes of it all, with the port hidden.
fn rendered(arguments: &[&str]) -> String {
    let server = server();
    let output = gather().args(arguments).write_stdin(list_of(&server)).assert().code(1);
    let text = String::from_utf8(output.get_output().stdout.clone()).expect("text");
    let text = text.replace(&server.address().to_string(), "127.0.0.1:PORT");
    // Snapshots are for reading.
    text.replace('\u{1b}', "[ESC]").replace('\u{202e}', "[RLO]")
}

fn string(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn every_format_has_every_record() {
    for format in ["ndjson", "json", "csv", "tsv"] {
        let text = rendered(&["--format", format, "--fields", FIELDS]);
        insta::assert_snapshot!(format, text);
    }
}

#[test]
fn the_text_format_is_for_people() {
    insta::with_settings!({filters => [(r" {2,}[\d.]+m?s ", "  [TIME] ")]}, {
        insta::assert_snapshot!("text_lines", rendered(&["--format", "text"]));
    });
    insta::assert_snapshot!("text_fields", rendered(&["--format", "text", "--fields", "status,url,body"]));
}

#[test]
fn the_name_of_the_file_says_the_format() {
    let server = server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, begins) in [
        ("out.ndjson", "{\"index\":0,"),
        ("out.json", "[\n{\"index\":0,"),
        ("out.csv", "index,line,"),
        ("out.tsv", "index\tline\t"),
        ("out.txt", "\u{2713} 200 "),
        ("out", "{\"index\":0,"),
    ] {
        let path = string(&directory.path().join(name));
        gather().args([&server.url("/users"), "-o", &path]).assert().code(0).stdout("");
        let text = std::fs::read_to_string(&path).expect("the file");
        assert!(text.starts_with(begins) && text.ends_with('\n'), "{name}: {text}");
    }
}

#[test]
fn fields_come_as_they_are_asked_for_and_an_unknown_one_is_refused() {
    let server = server();
    let output = gather().args(["--fields", "status,url,id,ok", &server.url("/users")]).assert().code(0);
    let expected = format!("{{\"status\":200,\"url\":\"{}\",\"ok\":true}}\n", server.url("/users"));
    assert_eq!(String::from_utf8_lossy(&output.get_output().stdout), expected);
    let output = gather().args(["--fields", "status,colour", &server.url("/users")]).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("colour") && stderr.contains("--fields"), "{stderr}");
    assert_eq!(server.log().requests().len(), 1);
}

#[test]
fn force_replaces_all_of_an_existing_file_and_nothing_else_does() {
    let server = server();
    let file = list("old ".repeat(10_000));
    let path = string(file.path());
    gather().args([&server.url("/users"), "-o", &path]).assert().code(2);
    assert_eq!((std::fs::metadata(&path).expect("the file").len(), server.log().connections()), (40_000, 0));
    gather().args([&server.url("/users"), "-o", &path, "--force"]).assert().code(0);
    assert_eq!(records(&std::fs::read(&path).expect("the file")).len(), 1);
}

#[test]
fn two_runs_do_not_write_to_one_file() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |_| Reply::ok("hello").held_by(&held));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = string(&directory.path().join("out.ndjson"));
    let first = Running::gather(["-q", "-o", &path, &server.url("/first")]);
    server.wait_until("the first request", |log| log.requests().len() == 1);
    let output = gather().args(["-o", &path, "--force", &server.url("/second")]).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("another process is writing"), "{stderr}");
    latch.release();
    assert_eq!(first.end().code, Some(0));
    let records = records(&std::fs::read(&path).expect("the file"));
    assert_eq!((records.len(), server.log().targets()), (1, vec!["/first"]));
}

#[test]
fn standard_output_that_is_full_is_an_error_in_every_format() {
    let server = server();
    for format in ["ndjson", "json", "csv", "tsv", "text"] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a device of Linux");
        let mut program = Command::new(env!("CARGO_BIN_EXE_gather"));
        let output = program.env_clear().args(["--format", format, &server.url("/users")]).stdout(full).output();
        let output = output.expect("a program that starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{format}: {stderr}");
        assert!(stderr.contains("standard output: cannot be written to: No space left"), "{format}: {stderr}");
    }
}

#[test]
fn what_a_full_disk_holds_is_valid_to_the_last_whole_record() {
    let server = Server::start(|request| Reply::ok(request.target.repeat(50)));
    let lines: String = (0..1000).map(|line| server.url(&format!("/{line}\n"))).collect();
    let lines = list(lines);
    for format in ["ndjson", "json", "csv"] {
        let before = server.log().requests().len();
        let arguments = [&string(lines.path()), "-o", &format!("small/out.{format}"), "-c", "4"];
        let Some(output) = on_a_small_disk(&arguments, &format!("small/out.{format}")) else { return };
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{format}: {stderr}");
        assert!(stderr.contains("No space left"), "{format}: {stderr}");
        let text = String::from_utf8(output.stdout).expect("text");
        let count = match format {
            "ndjson" => in_order(&records(text.as_bytes())),
            "json" => in_order(&serde_json::from_str::<Vec<Value>>(&text).expect("an array that is closed")),
            _ => rows_in_order(&text),
        };
        assert!((10..1000).contains(&count), "{format}: {count} records");
        // What could not be written any more was not asked for to the end.
        let asked = server.log().requests().len() - before;
        assert!(asked < 1000, "{format}: all {asked} requests were sent");
    }
}

#[test]
fn bodies_that_a_full_disk_does_not_take_end_the_run() {
    let server = Server::start(|_| Reply::ok("x".repeat(40_000)));
    let lines: String = (0..200).map(|line| server.url(&format!("/{line}\n"))).collect();
    let lines = list(lines);
    let arguments = [&string(lines.path()), "--output-dir", "small", "-c", "2"];
    let Some(output) = on_a_small_disk(&arguments, "/dev/null") else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("small/000/") && stderr.contains("No space left"), "{stderr}");
    assert!(server.log().requests().len() < 200, "all was asked for, though it could not be written");
}

/// Runs the program where `small` is a disk of 128 KiB; its standard output is then the content of `file`.
///
/// The disk is seen by this one process only, and goes with it. `None` where the system lets nobody mount one.
fn on_a_small_disk(arguments: &[&str], file: &str) -> Option<Output> {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=128k tmpfs small || exit 99
        file=$1; shift
        "$@" > /dev/null; code=$?
        cat "$file"; exit $code"#;
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("small")).expect("a directory that can be written");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", SCRIPT, "sh", file, env!("CARGO_BIN_EXE_gather")]);
    let output = command.args(arguments).current_dir(directory.path()).output();
    let refused = match output {
        Err(error) => error.to_string(),
        Ok(output) if output.status.code() == Some(99) || output.stderr.starts_with(b"unshare:") => {
            String::from_utf8_lossy(&output.stderr).into_owned()
        }
        Ok(output) => return Some(output),
    };
    #[expect(clippy::print_stderr, reason = "whoever reads the test's output must know that it was not made")]
    {
        eprintln!("skipped: no small disk can be mounted here: {refused}");
    }
    None
}

/// How many records there are, which must be the first ones of the input.
fn in_order(records: &[Value]) -> usize {
    for (index, record) in records.iter().enumerate() {
        assert_eq!((&record["index"], &record["body"]), (&json!(index), &json!(format!("/{index}").repeat(50))));
    }
    records.len()
}

/// The same for CSV.
fn rows_in_order(text: &str) -> usize {
    assert!(text.ends_with('\n'), "half a row at the end: {text:?}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let body = reader.headers().expect("a header line").iter().position(|name| name == "body").expect("a column");
    let rows: Vec<_> = reader.records().map(|row| row.expect("a whole row")).collect();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!((&row[0], &row[body]), (&*index.to_string(), &*format!("/{index}").repeat(50)));
    }
    rows.len()
}
