//! Sockets: how many are open at once, and which of them are kept.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Latch, Reply, Running, Server, gather, list, records};

/// Watches the sockets of a process until it has ended; gives the most that were open in any sample, and how many samples
/// there were.
fn most_sockets(process: u32, ended: &AtomicBool) -> (usize, usize) {
    let (mut most, mut samples) = (0, 0);
    while !ended.load(Ordering::Relaxed) {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else { break };
        let is_socket = |path| fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        let sockets = descriptors.flatten().filter(|entry| is_socket(entry.path())).count();
        most = most.max(sockets);
        samples += 1;
    }
    (most, samples)
}

#[test]
fn a_run_over_many_hosts_keeps_few_sockets_open() {
    const HOSTS: usize = 3000;
    const AT_ONCE: usize = 16;
    let server = Server::start(|_| Reply::ok("hello"));
    let lines: String = (0..HOSTS).map(|host| server.url_at(&format!("h{host}.test"), "/") + "\n").collect();
    let lines = list(lines);
    let concurrency = AT_ONCE.to_string();
    let path = lines.path().to_str().expect("UTF-8");
    let program = Running::gather(["-q", "-c", &concurrency, "--resolve", &server.resolve("*"), path]);
    let (process, has_ended) = (program.id(), AtomicBool::new(false));
    let (ended, (most, samples)) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| most_sockets(process, &has_ended));
        let ended = program.end();
        has_ended.store(true, Ordering::Relaxed);
        (ended, watcher.join().expect("a watcher that does not panic"))
    });
    assert_eq!((ended.code, records(&ended.stdout).len()), (Some(0), HOSTS), "{}", ended.stderr);
    let log = server.log();
    assert_eq!((log.requests().len(), log.abandoned()), (HOSTS, 0));
    let bound = AT_ONCE * 2 + 64;
    assert!(samples > 0 && most <= bound, "{most} sockets in one of {samples} samples, the bound is {bound}");
    // The server may not have seen yet that the client has closed some.
    assert!(log.most_open() <= bound + AT_ONCE, "{} connections open at once", log.most_open());
}

#[test]
fn idle_connections_of_hosts_that_are_done_are_closed_while_the_run_goes_on() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/held" => Reply::ok("hello").held_by(&held),
        _ => Reply::ok("hello"),
    });
    let mut program = Running::gather(["-q", "--order", "completion", "--resolve", &server.resolve("*")]);
    program.write(&(server.url_at("held.test", "/held") + "\n"));
    for host in 0..20 {
        program.write(&(server.url_at(&format!("h{host}.test"), "/") + "\n"));
    }
    for _ in 0..20 {
        program.line();
    }
    // Only the one that is busy stays; the server has seen the end of all others.
    server.wait_until("the end of idle connections", |log| log.connections() == 21 && log.open_now() == 1);
    latch.release();
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn there_is_room_for_the_descriptors_of_a_large_run_before_they_are_needed() {
    let server = Server::start(|_| Reply::ok("hello"));
    let mut program = crate::support::gather_under(&["prlimit", "--nofile=10000"]);
    program.args(["-q", "-c", "3000"]);
    let mut program = Running::start(program);
    program.write(&(server.url("/") + "\n"));
    program.line();
    // What the kernel would give a process that opens a few files is 64 or 256.
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).expect("a running program");
    let room = status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("the kernel tells it");
    let room: usize = room.trim().parse().expect("a number");
    assert!(room >= 3000, "the table has room for {room}");
    assert_eq!(program.end().code, Some(0));
    assert_eq!(server.log().connections(), 1);
}

#[test]
fn with_few_descriptors_a_run_makes_fewer_exchanges_at_once_and_loses_none() {
    let server = Server::start(|_| Reply::ok("hello"));
    let lines: String = (0..500).map(|line| server.url_at(&format!("h{}.test", line % 100), "/") + "\n").collect();
    for descriptors in ["--nofile=64", "--nofile=24"] {
        let mut program = crate::support::gather_under(&["prlimit", descriptors]);
        program.args(["-c", "1000", "--max-per-host", "0", "--resolve", &server.resolve("*")]);
        let mut program = Running::start(program);
        program.write(&lines);
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(records(&ended.stdout).iter().all(|record| record["ok"] == true));
        let said = ended.stderr.matches("is lowered to what the limit of open files allows").count();
        assert_eq!(said, 1, "{}", ended.stderr);
    }
    assert!(server.log().most_at_once() <= 20, "{} at once", server.log().most_at_once());
    gather().args(["-c", "1", &server.url("/")]).assert().code(0);
}
