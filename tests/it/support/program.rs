//! The program, as a person or a script would start it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

/// How long the program may take: far longer than anything does, so that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(40);

/// The program without arguments, in an environment without proxies, `GATHER_*` or anything else that it reads.
///
/// It is killed when it takes longer than 40 seconds.
pub(crate) fn gather() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::from_std(program());
    command.timeout(PATIENCE);
    command
}

/// The program as the last of `words`, which start it in other surroundings: `unshare --pid --fork`, `prlimit --nofile=64`.
pub(crate) fn gather_under(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_harmless(name)));
    command.args(&words[1..]).arg(env!("CARGO_BIN_EXE_gather"));
    command
}

/// Whether this machine lets the tests have such surroundings. Where it does not, whoever reads the output is told what was
/// not tested, and why.
pub(crate) fn can(words: &[&str]) -> bool {
    let refused = match Command::new(words[0]).args(&words[1..]).arg("true").output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    skipped(&format!("`{}` is refused here: {refused}", words.join(" ")));
    false
}

/// Says that something was not tested, and why.
#[expect(clippy::print_stderr, reason = "whoever reads the test's output must know that it was not made")]
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {test}: {}", why.trim_end());
}

/// The records that the program wrote as NDJSON; what is not a whole line of JSON fails the test.
pub(crate) fn records(stdout: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(stdout).expect("NDJSON is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "half a line at the end: {text:?}");
    let record = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in record {line:?}"));
    text.lines().map(record).collect()
}

/// A file with this list.
pub(crate) fn list(text: impl AsRef<[u8]>) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("a temporary file that can be written");
    file
}

/// A program that goes on while the test talks to it. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    seen: Vec<u8>,
}

/// How a program ended, and all that it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal killed it.
    pub(crate) code: Option<i32>,
    /// The signal that killed it.
    pub(crate) signal: Option<i32>,
    /// All of standard output.
    pub(crate) stdout: Vec<u8>,
    /// All of standard error.
    pub(crate) stderr: String,
}

impl Running {
    /// Starts `gather` with these arguments, in the environment of [`gather`].
    pub(crate) fn gather<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = program();
        command.args(arguments);
        Self::start(command)
    }

    /// Starts any program, with pipes as its standard input, output and error.
    pub(crate) fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let mut stderr = child.stderr.take().expect("a pipe");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What came before a read error is still worth showing.
            let _ = stderr.read_to_end(&mut text);
            text
        });
        Self { stdin: child.stdin.take(), child, lines, stderr: Some(stderr), seen: Vec::new() }
    }

    /// Writes to its standard input.
    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input that is still open");
        stdin.write_all(text.as_bytes()).expect("a program that reads");
    }

    /// Closes its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line of its standard output, without the line end.
    pub(crate) fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("one more line of standard output");
        self.seen.extend_from_slice(&line);
        String::from_utf8(line).expect("text").trim_end_matches('\n').to_owned()
    }

    /// Waits for the next line of its standard output, which must be a record.
    pub(crate) fn record(&mut self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in record {line:?}"))
    }

    /// The most memory that it has had at once so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running program");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
        peak.trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a program that is still there");
    }

    /// Closes its standard input and waits for its end; a program that hangs is killed and fails the test.
    pub(crate) fn end(mut self) -> Ended {
        self.close_stdin();
        let deadline = Instant::now() + PATIENCE;
        // The pipe closes when the program ends, so that there is no need to poll.
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.extend_from_slice(&line);
        }
        let status = loop {
            match self.child.try_wait().expect("a child of ours") {
                Some(status) => break status,
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
                None => {
                    self.kill();
                    panic!("still running after {PATIENCE:?}; standard error: {}", self.stderr());
                }
            }
        };
        let stderr = self.stderr();
        Ended { code: status.code(), signal: status.signal(), stdout: std::mem::take(&mut self.seen), stderr }
    }

    fn kill(&mut self) {
        // Either fails only when the program has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn stderr(&mut self) -> String {
        let reader = self.stderr.take().expect("standard error is taken once");
        String::from_utf8_lossy(&reader.join().expect("a reader that does not panic")).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Command {
    command(env!("CARGO_BIN_EXE_gather"))
}

/// Any program, in the environment of [`gather`].
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_harmless(name)));
    command
}

/// Whether the program may see a variable of the tests' environment: what the system or a coverage tool needs.
fn is_harmless(name: &OsString) -> bool {
    ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"].iter().any(|harmless| name == harmless)
}
