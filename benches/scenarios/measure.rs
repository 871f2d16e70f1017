//! Running a program and measuring what it took.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process, pidfd_open, setrlimit};
use wait4::Wait4 as _;

/// Whatever takes longer is killed: far more than any scenario needs.
const TIME_LIMIT: Duration = Duration::from_mins(30);

/// Between two counts of a program's descriptors.
const SAMPLING: Duration = Duration::from_millis(20);

/// Descriptors that 10,000 connections at once need, on both sides and with room to spare.
const DESCRIPTORS: u64 = 1 << 17;

/// What a program took.
#[derive(Debug)]
pub(crate) struct Usage {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// Most resident memory, in bytes.
    pub(crate) peak: u64,
    /// Most descriptors open at any sample, where they were sampled.
    pub(crate) descriptors: usize,
    /// What it wrote to its standard output and error.
    pub(crate) text: String,
    /// The exit code; `None` when a signal killed it.
    pub(crate) code: Option<i32>,
}

/// Runs a program to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> Usage {
    checked(command, None, &[0])
}

/// Runs a program that may end with any of these exit codes.
pub(crate) fn run_to(codes: &[i32], command: &mut Command) -> Usage {
    checked(command, None, codes)
}

/// Runs a program and counts its open descriptors meanwhile.
pub(crate) fn run_sampled(command: &mut Command) -> Usage {
    checked(command, Some(SAMPLING), &[0])
}

/// Lets every contestant run in turn, `rounds` times: drift meets all alike.
pub(crate) fn in_turn<T, const N: usize>(rounds: usize, mut contestants: [&mut dyn FnMut() -> T; N]) -> [Vec<T>; N] {
    let mut results = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (contestant, results) in contestants.iter_mut().zip(&mut results) {
            results.push(contestant());
        }
    }
    results
}

/// The middle one of some figures.
pub(crate) fn median<T>(usages: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = usages.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

impl Usage {
    pub(crate) fn wall(&self) -> f64 {
        self.wall.as_secs_f64()
    }

    pub(crate) fn cpu(&self) -> f64 {
        self.cpu.as_secs_f64()
    }

    /// Most resident memory, in MiB.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn peak(&self) -> f64 {
        self.peak as f64 / f64::from(1 << 20)
    }
}

/// Raises the limit of descriptors, for this process and all that it starts: the hard one too if that is allowed.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    if limit.maximum.is_some_and(|most| most < DESCRIPTORS) && setrlimit(Resource::Nofile, wanted).is_ok() {
        return;
    }
    // Where even this fails, the scenarios that need many connections say what they met.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// The load average of the last minute.
pub(crate) fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_owned()
}

fn checked(command: &mut Command, sampling: Option<Duration>, codes: &[i32]) -> Usage {
    let usage = measured(command, sampling);
    let is_expected = usage.code.is_some_and(|code| codes.contains(&code));
    assert!(is_expected, "{command:?} ended with {:?}: {}", usage.code, usage.text);
    usage
}

fn measured(command: &mut Command, sampling: Option<Duration>) -> Usage {
    let mut text = tempfile::tempfile().expect("a temporary file");
    let writer = |text: &File| text.try_clone().expect("a descriptor for a temporary file");
    command.stdin(Stdio::null()).stdout(writer(&text)).stderr(writer(&text));
    let started = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_child(&child);
    let descriptors = await_end(pid, started, sampling);
    let wall = started.elapsed();
    let used = child.wait4().expect("a child of ours");
    text.rewind().expect("a file can be read from its start");
    let mut seen = Vec::new();
    text.read_to_end(&mut seen).expect("a file can be read");
    Usage {
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        peak: used.rusage.maxrss,
        descriptors,
        text: String::from_utf8_lossy(&seen).into_owned(),
        code: used.status.code(),
    }
}

/// Waits until the process has ended, and kills it when it takes too long. Gives the most descriptors seen open.
fn await_end(pid: Pid, started: Instant, sampling: Option<Duration>) -> usize {
    let process = pidfd_open(pid, PidfdFlags::empty()).expect("a child that nobody has waited for");
    let folder = format!("/proc/{}/fd", pid.as_raw_nonzero());
    let pause = Timespec::try_from(sampling.unwrap_or(TIME_LIMIT)).expect("a short time");
    let mut most = 0;
    // Readable means ended.
    while poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&pause)).is_ok_and(|ready| ready == 0) {
        most = most.max(std::fs::read_dir(&folder).map_or(0, Iterator::count));
        if started.elapsed() > TIME_LIMIT {
            // It fails only when the process has just ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    most
}
