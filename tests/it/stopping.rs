//! How a run is stopped from outside: signals, and a reader that goes away or does not read.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Latch, Reply, Running, Server, records};

/// How long a program may take to end: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(40);

/// A server that never answers `/hang`, and `/held` when the latch is released.
fn server(latch: &Latch) -> Server {
    let latch = latch.clone();
    Server::start(move |request| match request.target.as_str() {
        "/hang" => Reply::nothing().hang(),
        "/held" => Reply::ok("hello").held_by(&latch),
        _ => Reply::ok("hello"),
    })
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a program that is still there");
}

#[test]
fn the_first_signal_lets_exchanges_in_flight_finish() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let latch = Latch::new();
        let server = server(&latch);
        let mut child = start(&["--grace", "60", &server.url("/a"), &server.url("/held")]);
        server.wait_until("both requests", |log| log.requests().len() == 2);
        signal(&child, sent);
        wait_until_it_stops(&mut child);
        latch.release();
        let ended = child.wait_with_output().expect("an end");
        assert_eq!(ended.status.code(), Some(code));
        let records = records(&ended.stdout);
        assert_eq!(records.iter().map(|record| &record["status"]).collect::<Vec<_>>(), [200, 200]);
    }
}

#[test]
fn what_is_in_flight_when_the_grace_is_over_is_canceled() {
    let server = server(&Latch::new());
    let mut program = Running::gather(["--grace", "0"]);
    program.write(&format!("{}\n", server.url("/hang")));
    server.wait_until("the request", |log| log.requests().len() == 1);
    program.signal(Signal::INT);
    let ended = program.end();
    assert_eq!(ended.code, Some(130));
    assert_eq!(records(&ended.stdout)[0]["error"]["kind"], "canceled");
    assert!(ended.stderr.contains("stopped by SIGINT"), "{}", ended.stderr);
}

#[test]
fn the_second_signal_stops_at_once() {
    let server = server(&Latch::new());
    let mut program = Running::gather(["--grace", "1h", "--max-time", "1h", "--read-timeout", "1h"]);
    program.write(&format!("{}\n{}\n", server.url("/a"), server.url("/hang")));
    server.wait_until("both requests", |log| log.requests().len() == 2);
    program.line();
    program.signal(Signal::INT);
    program.signal(Signal::TERM);
    let ended = program.end();
    // Which of the two is seen first is not for us to say.
    assert!(matches!(ended.code, Some(130 | 143)), "{:?}: {}", ended.code, ended.stderr);
    assert_eq!(records(&ended.stdout).len(), 1);
}

#[test]
fn a_signal_ends_a_run_that_waits_for_its_input() {
    let server = server(&Latch::new());
    let mut child = start(&["--grace", "1h", "-"]);
    // Whoever writes keeps the pipe open, so that only the signal can end the run.
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}", server.url("/a")).expect("a program that reads");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut String::new()).expect("a record");
    signal(&child, Signal::TERM);
    assert_eq!(code_of(child), Some(143));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run_quietly() {
    let server = server(&Latch::new());
    let list = list_of(&server, 2000);
    let mut child = start(&["-q", list.path().to_str().expect("UTF-8")]);
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    let mut stderr = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    assert_eq!((code_of(child), stderr.as_str()), (Some(0), ""));
    assert!(first.starts_with(r#"{"index":0"#));
    assert!(server.log().requests().len() < 2000, "all was sent for a reader who had gone");
}

#[test]
fn a_second_signal_ends_a_run_whose_output_nobody_reads() {
    // More than a pipe holds, so that the write of one record never ends.
    let body = "x".repeat(1_000_000);
    let server = Server::start(move |_| Reply::ok(&body));
    let mut child = start(&["-q", &server.url("/a")]);
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("the beginning of a record");
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    let code = code_of(child);
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
}

/// A file with as many lines.
fn list_of(server: &Server, lines: usize) -> tempfile::NamedTempFile {
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    let text = (server.url("/a") + "\n").repeat(lines);
    std::fs::write(list.path(), text).expect("a list that is written");
    list
}

/// The program with pipes that only the test writes and reads, if it likes.
fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gather"));
    command.env_clear().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a program that starts")
}

/// Waits until the program says that it has seen the signal.
fn wait_until_it_stops(child: &mut Child) {
    let stderr = child.stderr.take().expect("a pipe");
    let said = BufReader::new(stderr).lines().map_while(Result::ok).find(|line| line.starts_with("stopping"));
    assert!(said.is_some(), "nothing was said of the signal");
}

/// The exit code; a program that hangs is killed and has none.
fn code_of(mut child: Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => return status.code(),
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            None => child.kill().expect("a program that is still there"),
        }
    }
}
