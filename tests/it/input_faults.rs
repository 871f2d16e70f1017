//! Lists with every fault that a list can have: one record a line, and not a byte sent for a bad one.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Reply, Running, Server, gather, list, records};

/// More memory than this a faulty line must not cost, in bytes; lines themselves may have 64 KiB.
const A_LITTLE: u64 = 16 << 20;

fn server() -> Server {
    Server::start(|request| Reply::ok(&request.target))
}

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The records of a list, for which every request goes to `proxy`, whatever its host.
fn run(proxy: &Server, arguments: &[&str], list: &[u8]) -> Vec<Value> {
    let mut program = gather();
    program.args(["-x", &proxy.url("")]).args(arguments).write_stdin(list);
    records(&program.assert().code(1).get_output().stdout)
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["error"]["kind"].as_str().unwrap_or("none")).collect()
}

/// Number of its line, kind and message of each record.
fn told(records: &[Value]) -> String {
    let mut told = String::new();
    for record in records {
        assert_eq!((&record["status"], &record["ok"]), (&Value::Null, &json!(false)), "{record}");
        let [kind, message] = ["kind", "message"].map(|part| record["error"][part].as_str().expect("an error"));
        writeln!(told, "{:>2}  {kind}: {message}", record["line"]).expect("a string takes every write");
    }
    told
}

#[test]
fn every_fault_of_a_text_line_is_a_record_and_nothing_is_sent() {
    let proxy = server();
    let path = fixture("input-faults.txt");
    let records = run(&proxy, &[&path], b"");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert_eq!(records.len(), lines);
    insta::assert_snapshot!("text", told(&records));
    assert_eq!(proxy.log().connections(), 0);
}

#[test]
fn every_fault_of_a_jsonl_line_is_a_record_of_its_kind_with_its_id_and_nothing_is_sent() {
    let proxy = server();
    let path = fixture("input-faults.jsonl");
    let records = run(&proxy, &[&path], b"");
    assert_eq!(records.len(), std::fs::read_to_string(path).expect("the fixture").lines().count());
    // The id of each line is the kind of its fault.
    for (record, kind) in records.iter().zip(kinds(&records)) {
        assert_eq!(record.get("id").and_then(Value::as_str), (record["id"] != Value::Null).then_some(kind), "{record}");
    }
    insta::assert_snapshot!("jsonl", told(&records));
    assert_eq!(proxy.log().connections(), 0);
}

#[test]
fn a_good_line_between_bad_ones_is_sent() {
    let proxy = server();
    let records = run(&proxy, &[], b"http://a.test:0/\nhttp://a.test/\nftp://a.test/\n");
    assert_eq!(kinds(&records), ["url_invalid_port", "none", "url_unsupported_scheme"]);
    assert_eq!(proxy.log().targets(), ["http://a.test/"]);
}

#[test]
fn what_is_no_text_is_never_sent_in_another_form() {
    let proxy = server();
    let records = run(&proxy, &[], b"http://a.test/\0\nhttp://a.test/caf\xe9\nhttp://a.test/a\rb\nhttp://a.test/ok\n");
    assert_eq!(kinds(&records), ["input_nul", "input_invalid_utf8", "url_invalid", "none"]);
    assert_eq!(records[1]["line_base64"], "aHR0cDovL2EudGVzdC9jYWbp");
    assert_eq!(records[1]["url"], r"http://a.test/caf\xE9");
    assert_eq!(proxy.log().targets(), ["http://a.test/ok"]);
}

#[test]
fn odd_lists_that_are_fine_are_sent_as_they_are_meant() {
    let server = server();
    let url = |path| server.url(path);
    let userinfo = url("/userinfo").replace("://", "://user:canary@");
    let list = format!(
        "\u{feff}{}\r\n\r\n# a comment\r\n{}\n  {}  \n{}\n{userinfo}\nhead {}\n{}",
        url("/bom#fragment"),
        url("/twice"),
        url("/twice"),
        url("/caf\u{e9}?q=\u{fc}"),
        url("/head"),
        url("/last"),
    );
    let output = gather().args(["-c", "1"]).write_stdin(list).assert().code(0);
    let records = records(&output.get_output().stdout);
    assert_eq!(
        records.iter().map(|record| record["line"].as_u64()).collect::<Vec<_>>(),
        [1, 4, 5, 6, 7, 8, 9].map(Some)
    );
    let log = server.log();
    assert_eq!(log.targets(), ["/bom", "/twice", "/twice", "/caf%C3%A9?q=%C3%BC", "/userinfo", "/head", "/last"]);
    assert_eq!(log.requests_for("/userinfo")[0].header("authorization"), Some("Basic dXNlcjpjYW5hcnk="));
    assert_eq!(log.requests_for("/twice")[1].header("authorization"), None);
    assert_eq!((log.requests_for("/head")[0].method.as_str(), &records[5]["method"]), ("HEAD", &json!("HEAD")));
    assert!(!String::from_utf8_lossy(&output.get_output().stdout).contains("canary"));
}

#[test]
fn a_line_of_10_mb_is_one_bad_line() {
    let server = server();
    let list = format!("{}\n{}\n{}\n", server.url("/a"), server.url(&"x".repeat(10_000_000)), server.url("/b"));
    let output = gather().args(["-c", "1"]).write_stdin(list).assert().code(1);
    let records = records(&output.get_output().stdout);
    assert_eq!(kinds(&records), ["none", "input_too_long", "none"]);
    assert!(records[1].to_string().len() < 2000, "the record is as long as the line");
    assert_eq!(server.log().targets(), ["/a", "/b"]);
}

#[test]
fn a_line_without_an_end_costs_no_memory() {
    let server = server();
    let mut program = Running::gather(["-q", "-"]);
    program.write(&(server.url("/a") + "\n"));
    assert_eq!(program.record()["status"], 200);
    let before = program.peak_memory();
    let piece = "x".repeat(1 << 20);
    for _ in 0..200 {
        program.write(&piece);
    }
    program.write(&format!("\n{}\n", server.url("/b")));
    assert_eq!(program.record()["error"]["kind"], "input_too_long");
    assert_eq!(program.record()["status"], 200);
    let grown = program.peak_memory() - before;
    assert!(grown < A_LITTLE, "{grown} bytes");
}

#[test]
fn a_packed_list_that_becomes_huge_costs_no_memory() {
    let server = server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let zeros = vec![b'x'; 64 << 20];
    let gzip = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&zeros).expect("memory takes every write");
        gzip.finish().expect("memory takes every write")
    };
    let zstd = zstd::encode_all(&zeros[..], 1).expect("memory takes every write");
    for (name, packed) in [("list.gz", gzip), ("list.zst", zstd)] {
        let path = directory.path().join(name);
        std::fs::write(&path, packed).expect("a directory that can be written");
        // Standard input is there before and after, so that the program can be looked at.
        let mut program = Running::gather(["-q", &server.url("/a"), path.to_str().expect("UTF-8"), "-"]);
        assert_eq!(program.record()["status"], 200);
        assert_eq!(program.record()["error"]["kind"], "input_too_long", "{name}");
        let peak = program.peak_memory();
        assert!(peak < 64 << 20, "{name}: {peak} bytes");
        program.end();
    }
}

#[test]
fn the_first_request_of_a_slow_pipe_leaves_before_the_second_line_is_there() {
    let server = server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()), "mkfifo");
    let mut program = Running::gather([Path::new("-q"), &path]);
    // Opened for both, so that this does not wait for the program to open it.
    let mut pipe = OpenOptions::new().read(true).write(true).open(&path).expect("a pipe");
    writeln!(pipe, "{}", server.url("/first")).expect("the pipe has room");
    assert_eq!(program.record()["url"], server.url("/first"));
    assert_eq!(server.log().targets(), ["/first"]);
    write!(pipe, "{}", server.url("/second")).expect("the pipe has room");
    drop(pipe);
    let ended = program.end();
    assert_eq!((ended.code, records(&ended.stdout).len()), (Some(0), 2));
    assert_eq!(server.log().targets(), ["/first", "/second"]);
}

#[test]
fn a_source_that_cannot_be_read_is_refused_by_name_before_anything_is_sent() {
    let server = server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        File::create(&path).and_then(|mut file| file.write_all(bytes)).expect("a directory that can be written");
        path.into_os_string().into_string().expect("a path in UTF-8")
    };
    let utf16 = |bom: &[u8]| [bom, b"h\0t\0t\0p\0"].concat();
    for (source, said) in [
        (directory.path().join("missing").display().to_string(), "no such file"),
        (directory.path().display().to_string(), "is a directory"),
        (file("le", &utf16(b"\xff\xfe")), "is UTF-16"),
        (file("be", &utf16(b"\xfe\xff")), "is UTF-16"),
        (file("list.csv", b"link\n"), "has no column `url`"),
        (file("array", b"[\"http://a.test/\"]"), "JSON array"),
        (file("list.gz", b"http://a.test/\n"), "gzip"),
        ("-".to_owned(), "standard input is given twice"),
    ] {
        let sources = [server.url("/a"), "-".to_owned(), source.clone()];
        let output = gather().args(sources).write_stdin(server.url("/b")).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        assert!(stderr.contains(said) && (source == "-" || stderr.contains(&source)), "{source}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(output.get_output().stdout.is_empty(), "{source} has records");
    }
    assert_eq!(server.log().connections(), 0);
}

#[test]
fn an_input_that_is_also_the_output_is_refused_and_kept() {
    let server = server();
    let list = list(server.url("/a\n"));
    let path = list.path().to_str().expect("a path in UTF-8");
    let output = gather().args([path, "-o", path, "--force"]).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("is also an input"), "{stderr}");
    let mut appending = Command::new(env!("CARGO_BIN_EXE_gather"));
    appending.arg(path).stdout(OpenOptions::new().append(true).open(path).expect("the list"));
    assert_eq!(appending.output().expect("a program that starts").status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(path).expect("the list"), server.url("/a\n"));
    assert_eq!(server.log().connections(), 0);
}
