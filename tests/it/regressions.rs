//! What once went wrong and fits under no other behaviour.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Reply, Running, Server};

use rustix::process::Signal;

/// A server that never answers `/hang`.
fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/hang" => Reply::nothing().hang(),
        "/missing" => Reply::status(404),
        _ => Reply::ok("hello"),
    })
}

#[test]
fn a_reader_who_goes_away_is_noticed_while_there_is_nothing_to_write() {
    let server = server();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gather"));
    command.env_clear().args(["--max-time", "1h", "--read-timeout", "1h", &server.url("/a"), &server.url("/hang")]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a start");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut String::new()).expect("a record");
    server.wait_until("both requests", |log| log.requests().len() == 2);
    drop(stdout);
    server.wait_until("the end of the one that hangs", |log| log.abandoned() == 1);
    let ended = child.wait_with_output().expect("an end");
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_second_signal_tells_how_many_lines_have_no_record() {
    let server = server();
    let mut program = Running::gather(["--grace", "1h", "--max-time", "1h", "--read-timeout", "1h"]);
    program.write(&format!("{}\n{}\n{}\n", server.url("/a"), server.url("/hang"), server.url("/b")));
    server.wait_until("all requests", |log| log.requests().len() == 3);
    program.line();
    program.signal(Signal::INT);
    program.signal(Signal::TERM);
    let ended = program.end();
    assert!(ended.stderr.contains("2 more lines were read and have no record"), "{}", ended.stderr);
}

#[test]
fn one_v_tells_of_lines_that_failed_and_two_of_every_exchange() {
    let server = server();
    let said = |flag: &str| {
        let program = Running::gather([flag, &server.url("/a"), &server.url("/missing")]);
        program.end().stderr
    };
    let (once, twice) = (said("-v"), said("-vv"));
    assert_eq!((once.matches("line failed").count(), once.matches(" exchange ").count()), (1, 0), "{once}");
    assert!(once.contains("/missing") && once.contains("404"), "{once}");
    assert_eq!((twice.matches("line failed").count(), twice.matches(" exchange ").count()), (1, 2), "{twice}");
}

#[test]
fn the_log_holds_no_password() {
    let server = server();
    let url = server.url("/missing").replace("//", "//user:canary@");
    let ended = Running::gather(["-vv", "--header", "X-Key: canary", &url]).end();
    assert!(ended.stderr.contains("line failed") && !ended.stderr.contains("canary"), "{}", ended.stderr);
}
