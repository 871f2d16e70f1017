//! How a run is stopped from outside: signals, and a reader that goes away or does not read.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt as _;
use gather::engine::{self, Plan};
use gather::input::Template;
use gather::model::{Call, Exchange, Failure, FailureKind, Transport};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::support::{Authority, Latch, Reply, Running, Server, can, gather, gather_under, records};

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
    let (child, _stdout) = unread();
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    let code = code_of(child);
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
}

#[test]
fn impatience_does_not_make_it_take_longer() {
    let (mut child, _stdout) = unread();
    // Each comes before the last moment after the one before it is over.
    let ended = (0..100).any(|_| {
        signal(&child, Signal::INT);
        std::thread::sleep(Duration::from_millis(200));
        child.try_wait().expect("a child of ours").is_some()
    });
    assert!(ended, "100 signals in 20 seconds did not end it");
    assert_eq!(code_of(child), Some(130));
}

#[test]
fn as_the_first_process_of_a_container_it_obeys_signals() {
    let container = ["unshare", "--pid", "--fork", "--kill-child"];
    if !can(&container) {
        return;
    }
    // The same signal twice could be seen as one.
    let server = server(&Latch::new());
    for (sent, grace, count) in
        [(&[Signal::INT][..], "0", 2), (&[Signal::TERM], "0", 2), (&[Signal::INT, Signal::TERM], "1h", 1)]
    {
        let before = server.log().requests().len();
        let mut program = gather_under(&container);
        program.args(["--grace", grace, &server.url("/a"), &server.url("/hang")]);
        let mut program = Running::start(program);
        server.wait_until("both requests", |log| log.requests().len() == before + 2);
        program.line();
        // `unshare` is its parent and waits; from outside, the first process of the container has another number.
        let children = format!("/proc/{0}/task/{0}/children", program.id());
        let first = std::fs::read_to_string(children).expect("a running program");
        let first = first.trim().parse().ok().and_then(Pid::from_raw).expect("one child");
        for &signal in sent {
            kill_process(first, signal).expect("a program that is still there");
        }
        let ended = program.end();
        // Of two, either may be seen last.
        let mut codes = sent.iter().map(|&signal| Some(if signal == Signal::INT { 130 } else { 143 }));
        assert!(codes.any(|code| code == ended.code), "{sent:?}: {:?} {}", ended.code, ended.stderr);
        assert_eq!(records(&ended.stdout).len(), count, "{sent:?}");
    }
}

#[test]
fn a_program_that_stood_still_takes_in_what_came_meanwhile() {
    let latch = Latch::new();
    let server = server(&latch);
    let limits = ["--connect-timeout", "2", "--read-timeout", "2", "--max-time", "2.5"];
    let mut program = Running::gather([&limits[..], &["-q", "--retry", "0", "--max-per-host", "0"]].concat());
    program.write(&(server.url("/held") + "\n").repeat(40));
    program.close_stdin();
    server.wait_until("all requests", |log| log.requests().len() == 40);
    program.signal(Signal::STOP);
    wait_until_it_stands_still(program.id());
    latch.release();
    server.wait_until("all replies", |log| log.in_progress() == 0);
    // No wait for anything: this is the time for which it stands still, longer than each of its limits.
    std::thread::sleep(Duration::from_secs(3));
    program.signal(Signal::CONT);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(records(&ended.stdout).iter().all(|record| record["status"] == 200));
    assert_eq!(server.log().requests().len(), 40);
}

#[test]
fn a_connection_whose_time_ran_out_while_the_program_stood_still_is_opened_anew() {
    let authority = Authority::new();
    let origin = Server::builder().tls(authority.certificate("localhost")).start(|_| Reply::ok("hello"));
    let (latch, at) = (Latch::new(), origin.address());
    let held = latch.clone();
    // The tunnel stands only when the time for it is over.
    let proxy = Server::start(move |_| Reply::raw("HTTP/1.1 200 Go on\r\n\r\n").held_by(&held).tunnel(at));
    let roots = authority.pem_file();
    let limits = ["--connect-timeout", "1", "--max-time", "2", "--retry", "0"];
    let network = ["-x", &proxy.address().to_string(), "--cacert", roots.path().to_str().expect("UTF-8")];
    let program = Running::gather([&limits[..], &network, &["-q", &origin.url("/a")]].concat());
    proxy.wait_until("the request for a tunnel", |log| log.requests().len() == 1);
    program.signal(Signal::STOP);
    wait_until_it_stands_still(program.id());
    latch.release();
    // No wait for anything: it stands still until the client's own timers are over too, a second after the limit.
    std::thread::sleep(Duration::from_secs(3));
    program.signal(Signal::CONT);
    let ended = program.end();
    assert_eq!((ended.code, origin.log().requests().len()), (Some(0), 1), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[test]
fn what_a_killed_program_leaves_is_valid_to_the_last_whole_record() {
    let server = Server::start(|request| Reply::ok(request.target.repeat(500)));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("out.ndjson");
    let mut program = Running::gather(["-q", "-c", "4", "-o", path.to_str().expect("UTF-8")]);
    program.write(&(0..5000).map(|line| server.url(&format!("/{line}\n"))).collect::<String>());
    server.wait_until("the middle of the list", |log| log.requests().len() >= 1000);
    program.signal(Signal::KILL);
    let ended = program.end();
    assert_eq!((ended.code, ended.signal), (None, Some(9)));
    let written = std::fs::read(&path).expect("the file");
    let whole = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let records = records(&written[..whole]);
    assert!((500..5000).contains(&records.len()), "{} records", records.len());
    for (index, record) in records.iter().enumerate() {
        assert_eq!((&record["index"], &record["body"]), (&index.into(), &format!("/{index}").repeat(500).into()));
    }
    // Its lock went with it.
    gather().args(["--force", "-o", path.to_str().expect("UTF-8"), &server.url("/0")]).assert().code(0);
}

#[test]
fn a_slow_reader_slows_the_run_down_and_is_charged_to_no_request() {
    const LINES: usize = 200;
    let body = "x".repeat(100_000);
    let server = Server::start(move |_| Reply::ok(&body));
    let list = list_of(&server, LINES);
    let limits = ["--read-timeout", "2", "--max-time", "2", "--retry-max-time", "2", "--retry", "0"];
    let arguments = [&limits[..], &["-q", "-c", "4", list.path().to_str().expect("UTF-8")]].concat();
    let mut child = start(&arguments);
    server.wait_until("the first requests", |log| log.requests().len() >= 4);
    // No wait for anything: nobody reads for longer than any request may take.
    std::thread::sleep(Duration::from_millis(2500));
    let asked = server.log().requests().len();
    assert!(asked < LINES / 2, "{asked} requests were sent while nobody read");
    let mut stdout = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut stdout).expect("records");
    let records = records(&stdout);
    let unanswered: Vec<_> = records.iter().filter(|record| record["status"] != 200).collect();
    assert!(unanswered.is_empty() && records.len() == LINES, "{} records, {unanswered:?}", records.len());
    assert_eq!((code_of(child), server.log().requests().len()), (Some(0), LINES));
}

#[test]
fn a_panic_in_an_exchange_is_a_failure_of_its_line_alone() {
    /// Panics at one URL, and refuses all others.
    #[derive(Clone)]
    struct Faulty;

    impl Transport for Faulty {
        fn exchange(&self, call: Call) -> impl Future<Output = Exchange> + Send + 'static {
            futures::future::lazy(move |_| {
                assert_ne!(call.request.url.path(), "/panic", "a fault");
                Exchange::unsent(SystemTime::now(), Failure::new(FailureKind::UrlBlocked, "refused"))
            })
        }
    }

    let template = Template::default();
    let jobs = ["/a", "/panic", "/b"].map(|path| template.job(&format!("http://127.0.0.1{path}")));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let kinds: Vec<FailureKind> = runtime.block_on(async {
        let records = engine::run(futures::stream::iter(jobs), Faulty, Plan::default(), CancellationToken::new());
        records.map(|record| record.error.expect("no request succeeds").kind).collect().await
    });
    assert_eq!(kinds, [FailureKind::UrlBlocked, FailureKind::InternalError, FailureKind::UrlBlocked]);
}

/// A file with as many lines.
fn list_of(server: &Server, lines: usize) -> tempfile::NamedTempFile {
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    let text = (server.url("/a") + "\n").repeat(lines);
    std::fs::write(list.path(), text).expect("a list that is written");
    list
}

/// A run in the middle of a record that nobody reads on, with its standard output. It needs its server no more.
fn unread() -> (Child, ChildStdout) {
    // More than a pipe holds, so that the write of one record never ends.
    let body = "x".repeat(1_000_000);
    let server = Server::start(move |_| Reply::ok(&body));
    let mut child = start(&["-q", &server.url("/a")]);
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("the beginning of a record");
    (child, stdout)
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

/// Waits until no thread of the process runs any more.
fn wait_until_it_stands_still(process: u32) {
    let stands = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("stat")).expect("a thread that is there");
        status.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
    };
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_dir(format!("/proc/{process}/task")).expect("a process").flatten().all(stands) {
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
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
