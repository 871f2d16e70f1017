//! Records come in the order of the lines, whatever finishes when and wherever the lines come from.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Latch, Reply, Running, Server, gather, list, records};

/// The path of every line's URL is its index, and the body of the reply too.
fn numbered(server: &Server, lines: usize) -> String {
    (0..lines).map(|line| server.url(&format!("/{line}\n"))).collect()
}

fn number(target: &str) -> u64 {
    target.trim_start_matches('/').parse().expect("a path that is a number")
}

fn indices(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["index"].as_u64().expect("an index")).collect()
}

#[test]
fn it_is_that_of_the_input_under_random_delays() {
    const LINES: usize = 100;
    for seed in [1, 2, 3] {
        let server = Server::start(move |request| {
            let mut rng = fastrand::Rng::with_seed(seed * 1000 + number(&request.target));
            Reply::ok(&request.target[1..]).after(Duration::from_millis(rng.u64(..20)))
        });
        let run = |order| {
            let mut program = gather();
            program.args(["-c", "20", "--max-per-host", "0", "--order", order]).write_stdin(numbered(&server, LINES));
            records(&program.assert().code(0).get_output().stdout)
        };
        let ordered = run("input");
        let expected: Vec<u64> = (0..LINES as u64).collect();
        assert_eq!(indices(&ordered), expected, "seed {seed}");
        let mut completed = run("completion");
        assert_ne!(indices(&completed), expected, "seed {seed} makes no disorder, so the order above shows nothing");
        completed.sort_by_key(|record| record["index"].as_u64());
        for (record, expected) in ordered.iter().zip(&completed) {
            let index = record["index"].to_string();
            assert_eq!(record["body"], *index, "seed {seed}");
            assert!(record["url"].as_str().is_some_and(|url| url.ends_with(&format!("/{index}"))), "seed {seed}");
            assert_eq!(record["body"], expected["body"], "seed {seed}: another order is another result");
        }
    }
}

#[test]
fn a_slow_first_line_is_waited_for_and_holds_nothing_up() {
    const LINES: usize = 50;
    // The first line is answered when all others have been, though only four go at once.
    let server = Server::start(|request| match request.target.as_str() {
        "/0" => Reply::ok("0").held_until(|log| log.requests().len() == LINES && log.in_progress() == 1),
        target => Reply::ok(&target[1..]),
    });
    let output = gather().args(["-c", "4"]).write_stdin(numbered(&server, LINES)).assert().code(0);
    assert_eq!(indices(&records(&output.get_output().stdout)), (0..LINES as u64).collect::<Vec<_>>());
}

#[test]
fn the_window_bounds_how_far_the_run_goes_ahead_of_a_slow_line() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/0" => Reply::ok("0").held_by(&held),
        target => Reply::ok(&target[1..]),
    });
    let mut program = Running::gather(["-q", "-c", "4", "--window", "3", "-"]);
    program.write(&numbered(&server, 10));
    server.wait_until("all that the window lets through", |log| log.requests().len() >= 3 && log.in_progress() <= 2);
    let released = Instant::now();
    latch.release();
    let ended = program.end();
    assert_eq!(indices(&records(&ended.stdout)), (0..10).collect::<Vec<_>>());
    let log = server.log();
    let early = log.requests().iter().filter(|request| request.arrived < released);
    assert_eq!(
        early.map(|request| number(&request.target)).max(),
        Some(2),
        "the fourth line did not wait for the first"
    );
}

#[test]
fn by_completion_a_record_is_written_as_soon_as_its_line_is_done() {
    let latches = [(); 5].map(|()| Latch::new());
    let held = latches.clone();
    let server = Server::start(move |request| {
        let number = number(&request.target);
        Reply::ok(number.to_string()).held_by(&held[usize::try_from(number).expect("less than 5")])
    });
    let mut program = Running::gather(["-q", "--order", "completion", "-"]);
    program.write(&numbered(&server, latches.len()));
    for line in [3, 0, 4, 1, 2] {
        latches[line].release();
        let record = program.record();
        assert_eq!((record["index"].as_u64(), record["line"].as_u64()), (Some(line as u64), Some(line as u64 + 1)));
    }
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn several_sources_are_one_list_and_indices_run_on() {
    let server = Server::start(|request| Reply::ok(&request.target));
    let url = |path| server.url(path);
    let text = list(format!("# two\n\n{}\n{}\n", url("/a"), url("/b")));
    let jsonl = list(format!("{{\"url\": \"{}\", \"id\": 7}}\n", url("/e")));
    let [text, jsonl] = [&text, &jsonl].map(|file| file.path().to_str().expect("a path in UTF-8"));
    let mut program = gather();
    program.args([text, &url("/c"), "-", jsonl]).write_stdin(url("/d"));
    let records = records(&program.assert().code(0).get_output().stdout);
    let seen: Vec<_> = records
        .iter()
        .map(|record| {
            let [index, line] = ["index", "line"].map(|field| record[field].as_u64());
            (index, record["source"].as_str(), line, record["body"].as_str())
        })
        .collect();
    let expected = [
        (Some(0), Some(text), Some(3), Some("/a")),
        (Some(1), Some(text), Some(4), Some("/b")),
        (Some(2), None, None, Some("/c")),
        (Some(3), Some("-"), Some(1), Some("/d")),
        (Some(4), Some(jsonl), Some(1), Some("/e")),
    ];
    assert_eq!(seen, expected);
    assert_eq!(records[4]["id"], 7);
}

#[test]
fn a_list_gives_the_same_bytes_wherever_it_comes_from_and_however_many_go_at_once() {
    let server = Server::start(|request| match request.target.as_str() {
        "/7" => Reply::status(404),
        target => Reply::ok(target),
    });
    let text = numbered(&server, 30) + "no url\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).expect("memory takes every write");
    let gzip = gzip.finish().expect("memory takes every write");
    let zstd = zstd::encode_all(text.as_bytes(), 3).expect("memory takes every write");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("a directory that can be written");
        path.into_os_string()
    };
    let run = |source: std::ffi::OsString, concurrency: &str, stdin: &[u8]| {
        let mut program = gather();
        program.args(["--fields", "index,line,method,url,ok,status,body,error", "-c", concurrency]).arg(source);
        program.write_stdin(stdin).assert().code(1).get_output().stdout.clone()
    };
    let expected = run(file("list", text.as_bytes()), "1", b"");
    assert_eq!(indices(&records(&expected)), (0..31).collect::<Vec<_>>());
    for (source, concurrency, stdin) in [
        (file("list.txt", text.as_bytes()), "64", &b""[..]),
        (file("list.txt.gz", &gzip), "64", b""),
        (file("list.zst", &zstd), "8", b""),
        ("-".into(), "64", text.as_bytes()),
        ("-".into(), "3", &gzip),
        ("-".into(), "64", &zstd),
    ] {
        let name = format!("{} with -c {concurrency}", source.display());
        assert_eq!(
            String::from_utf8_lossy(&run(source, concurrency, stdin)),
            String::from_utf8_lossy(&expected),
            "{name}"
        );
    }
}
