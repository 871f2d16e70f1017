//! Bodies: decoded, bounded, told truly, in the record or in a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, ZlibEncoder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::support::{Reply, Running, Server, gather, records};

/// More memory than this a bomb must not cost, in bytes: less than any of them would fill.
const A_LITTLE: u64 = 48 << 20;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).expect("memory takes every write");
    gzip.finish().expect("memory takes every write")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("memory takes every write")
}

pub(crate) fn brotli(bytes: &[u8]) -> Vec<u8> {
    all(BrotliEncoder::with_quality(bytes, Level::Fastest))
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    all(ZlibEncoder::new(bytes))
}

fn all(mut coded: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    futures::executor::block_on(coded.read_to_end(&mut bytes)).expect("memory takes every write");
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn run(arguments: &[&str], server: &Server, paths: &[&str]) -> Vec<Value> {
    let urls = paths.iter().map(|path| server.url(path));
    records(&gather().args(arguments).args(urls).assert().get_output().stdout)
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["error"]["kind"].as_str().unwrap_or("none")).collect()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

#[test]
fn a_bomb_of_each_coding_is_stopped_early_and_costs_little() {
    let zeros = vec![0; 64 << 20];
    let bombs = [("gzip", gzip(&zeros)), ("br", brotli(&zeros)), ("zstd", zstd(&zeros)), ("deflate", deflate(&zeros))];
    drop(zeros);
    let server = Server::start(move |request| match bombs.iter().find(|(coding, _)| request.target[1..] == **coding) {
        Some((coding, bomb)) => Reply::ok(bomb).header("content-encoding", coding),
        None => Reply::ok("hello"),
    });
    let mut program = Running::gather(["-q", "-c", "1", "--max-filesize", "0", "-"]);
    program.write(&server.url("/plain\n"));
    assert_eq!(program.record()["body"], "hello");
    let before = program.peak_memory();
    for coding in ["gzip", "br", "zstd", "deflate"] {
        program.write(&server.url(&format!("/{coding}\n")));
        let record = program.record();
        assert_eq!(
            (&record["error"]["kind"], &record["error"]["phase"]),
            (&json!("body_ratio_exceeded"), &json!("body"))
        );
        assert_eq!(
            (&record["status"], record.get("body"), record.get("attempts")),
            (&json!(200), None, None),
            "{coding}"
        );
        let grown = program.peak_memory() - before;
        assert!(grown < A_LITTLE, "{coding}: {grown} bytes");
    }
}

#[test]
fn a_bomb_without_an_end_is_stopped() {
    let member = gzip(&vec![0; 1 << 20]);
    let server =
        Server::start(move |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n").then_forever(&member));
    let records = run(&["--max-filesize", "0", "--max-time", "1h"], &server, &["/a"]);
    assert_eq!(kinds(&records), ["body_ratio_exceeded"]);
    server.wait_until("that the rest is not wanted", |log| log.abandoned() == 1);
}

#[test]
fn each_coding_is_undone_with_all_its_members() {
    let text = "hello world ".repeat(100);
    let (first, second) = text.split_at(text.len() / 2);
    let bodies = [
        ("gzip", gzip(text.as_bytes())),
        ("br", brotli(text.as_bytes())),
        ("zstd", zstd(text.as_bytes())),
        ("deflate", deflate(text.as_bytes())),
        ("gzip", [gzip(first.as_bytes()), gzip(second.as_bytes())].concat()),
        ("zstd", [zstd(first.as_bytes()), zstd(second.as_bytes())].concat()),
    ];
    let sizes: Vec<_> = bodies.iter().map(|(_, body)| body.len()).collect();
    let server = Server::start(move |request| {
        let (coding, body) = &bodies[request.target[1..].parse::<usize>().expect("a number")];
        Reply::ok(body).header("content-encoding", coding).header("content-type", "text/plain")
    });
    let records = run(&[], &server, &["/0", "/1", "/2", "/3", "/4", "/5"]);
    for (record, size) in records.iter().zip(sizes) {
        assert_eq!(record["body"], text, "{record}");
        assert_eq!((&record["size_download"], &record["size_decoded"]), (&json!(size), &json!(text.len())), "{record}");
    }
    let log = server.log();
    assert!(log.requests().iter().all(|request| request.header("accept-encoding") == Some("gzip, br, zstd, deflate")));
}

#[test]
fn a_body_may_be_as_large_as_allowed_and_no_larger() {
    let packed = gzip(&[b'x'; 101]);
    let server = Server::start(move |request| match request.target.as_str() {
        "/fits" => Reply::ok("x".repeat(100)),
        "/announced" => Reply::ok("x".repeat(101)),
        "/endless" => Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then_forever("x".repeat(1000)),
        _ => Reply::ok(&packed).header("content-encoding", "gzip"),
    });
    let records = run(&["--max-filesize", "100"], &server, &["/fits", "/announced", "/endless", "/packed"]);
    assert_eq!(kinds(&records), ["none", "body_too_large", "body_too_large", "body_too_large"]);
    assert!(records[1..].iter().all(|record| record.get("body").is_none() && record["status"] == 200), "{records:?}");
    assert_eq!(server.log().requests().len(), 4, "what will not get smaller was tried again");
}

#[test]
fn text_is_told_as_text_and_anything_else_as_base64() {
    let bodies: [(&str, &[u8], Value); 6] = [
        ("text/plain", "caf\u{e9}".as_bytes(), json!("caf\u{e9}")),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", json!("caf\u{e9}")),
        ("text/plain; charset=shift_jis", b"\x83\x65", json!("\u{30c6}")),
        ("text/plain; charset=iso-8859-1", b"\xef\xbb\xbfx", json!("x")),
        ("text/plain; charset=utf-8", b"caf\xe9", Value::Null),
        ("image/png", b"\x89PNG\r\n\x1a\n\0", Value::Null),
    ];
    let replies = bodies.clone().map(|(content_type, bytes, _)| (content_type, bytes));
    let server = Server::start(move |request| {
        let (content_type, bytes) = replies[request.target[1..].parse::<usize>().expect("a number")];
        Reply::ok(bytes).header("content-type", content_type)
    });
    let records = run(&[], &server, &["/0", "/1", "/2", "/3", "/4", "/5"]);
    for (record, (content_type, bytes, text)) in records.iter().zip(&bodies) {
        assert_eq!((&record["body"], &record["content_type"]), (text, &json!(content_type)), "{record}");
        let base64 = text.is_null().then(|| json!(STANDARD.encode(bytes)));
        assert_eq!(record.get("body_base64"), base64.as_ref(), "{record}");
    }
}

#[test]
fn a_body_that_is_not_wanted_is_still_counted_and_hashed_if_asked_for() {
    let server = Server::start(|_| Reply::ok("hello"));
    for arguments in [&["--body", "none"][..], &["--no-body"]] {
        let records = run(arguments, &server, &["/a"]);
        let record = &records[0];
        assert_eq!((record.get("body"), record.get("sha256"), &record["size_decoded"]), (None, None, &json!(5)));
    }
    let records = run(&["--no-body", "--fields", "sha256,size_decoded"], &server, &["/a"]);
    assert_eq!(records[0], json!({"sha256": sha256(b"hello"), "size_decoded": 5}));
}

#[test]
fn only_the_last_attempt_gives_bytes() {
    let cut = |request: &crate::support::Request| match request.nth {
        1 => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").then("x".repeat(600_000)),
        _ => Reply::ok("whole"),
    };
    let server = Server::start(cut);
    let records = run(&[], &server, &["/a"]);
    assert_eq!(
        (&records[0]["body"], &records[0]["attempts"][0]["error"]["kind"]),
        (&json!("whole"), &json!("body_truncated"))
    );
    let server = Server::start(cut);
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(&["--output-dir", directory.path().to_str().expect("UTF-8")], &server, &["/a"]);
    let files = files(directory.path());
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(std::fs::read(&files[0]).expect("a file"), b"whole");
}

#[test]
fn bodies_go_to_files_whose_names_are_ours() {
    let server = Server::start(|request| match request.target.as_str() {
        "/json" => Reply::ok("{}").header("content-type", "application/json"),
        "/large" => Reply::ok("large".repeat(600_000)),
        "/empty" => Reply::ok(""),
        _ => Reply::ok("x").header("content-disposition", "attachment; filename=\"../../evil.sh\""),
    });
    let parent = tempfile::tempdir().expect("a temporary directory");
    let directory = parent.path().join("new/bodies");
    let paths = ["/json", "/large", "/empty", "/%2e%2e/%2e%2e/evil", "/json"];
    let records = run(&["--output-dir", directory.to_str().expect("UTF-8")], &server, &paths);
    let bodies = ["{}", &"large".repeat(600_000), "", "x", "{}"].map(str::to_owned);
    let mut named = Vec::new();
    for (index, (record, body)) in records.iter().zip(&bodies).enumerate() {
        let file = PathBuf::from(record["body_file"].as_str().expect("a file"));
        assert!(std::fs::read(&file).expect("the file") == body.as_bytes(), "{} has another content", file.display());
        assert_eq!((&record["sha256"], record.get("body")), (&json!(sha256(body.as_bytes())), None), "{record}");
        let name = file.strip_prefix(&directory).expect("in the directory").to_str().expect("UTF-8").to_owned();
        assert!(name.starts_with(&format!("000/{index:06}-")), "{name}");
        assert_eq!(file.extension().is_some_and(|extension| extension == "json"), body == "{}", "{name}");
        named.push(file);
    }
    assert_eq!(files(parent.path()), named, "there are other files");
}

#[test]
fn nothing_is_left_of_a_body_that_failed() {
    let broken = [gzip(&vec![b'x'; 400_000]), b"garbage".to_vec()].concat();
    let server = Server::start(move |request| match request.target.as_str() {
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 690000\r\n\r\n").then("x".repeat(600_000)),
        "/endless" => Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then_forever("x".repeat(1000)),
        _ => Reply::ok(&broken).header("content-encoding", "gzip"),
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let into = directory.path().to_str().expect("UTF-8");
    let records = run(
        &["--retry", "0", "--max-filesize", "700000", "--output-dir", into],
        &server,
        &["/cut", "/endless", "/broken"],
    );
    assert_eq!(kinds(&records), ["body_truncated", "body_too_large", "content_decoding"]);
    assert!(records.iter().all(|record| record.get("body_file").is_none()), "{records:?}");
    assert_eq!(files(directory.path()), Vec::<PathBuf>::new());
}

#[test]
fn an_attempt_that_is_repeated_leaves_no_file() {
    // Each line fails first with a page of its own, then ends in another way.
    let server = Server::start(|request| match (request.target.as_str(), request.nth) {
        ("/moved", 2) => Reply::redirect("/end"),
        ("/end", _) => Reply::ok("the end"),
        (_, 1) => Reply::new(503, "busy").header("content-type", "text/html"),
        ("/json", _) => Reply::ok("{}").header("content-type", "application/json"),
        _ => Reply::nothing().reset(),
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let into = directory.path().to_str().expect("UTF-8");
    let records = run(&["--retry", "1", "--output-dir", into], &server, &["/json", "/moved", "/gone"]);
    assert!(records.iter().all(|record| record["num_retries"] == 1), "{records:?}");
    let named: Vec<_> = records.iter().filter_map(|record| record["body_file"].as_str()).map(PathBuf::from).collect();
    assert_eq!((named.len(), files(directory.path())), (2, named));
}

#[test]
fn nothing_is_left_of_a_body_that_was_on_its_way_when_the_run_was_stopped() {
    let server = Server::start(|_| Reply::raw("HTTP/1.1 200 OK\r\n\r\n").then("x".repeat(600_000)).hang());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let into = directory.path().to_str().expect("UTF-8");
    let records = run(&["--deadline", "300ms", "--grace", "0", "--output-dir", into], &server, &["/a", "/b"]);
    assert_eq!(kinds(&records), ["canceled", "canceled"]);
    assert_eq!(files(directory.path()), Vec::<PathBuf>::new());
}
