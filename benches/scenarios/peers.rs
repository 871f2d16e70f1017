//! What users would pick instead: how to see whether it is there, and how it is started.

use std::path::Path;
use std::process::{Command, Stdio};

/// A program to compare with.
pub(crate) struct Peer {
    name: &'static str,
    /// Fails where it is not installed.
    probe: &'static [&'static str],
    install: &'static str,
}

pub(crate) const WRK: Peer = Peer { name: "wrk", probe: &["wrk", "-v"], install: "apt-get install wrk" };
pub(crate) const OHA: Peer = Peer { name: "oha", probe: &["oha", "--version"], install: "cargo install oha" };
pub(crate) const CURL: Peer = Peer { name: "curl", probe: &["curl", "--version"], install: "apt-get install curl" };
pub(crate) const AIOHTTP: Peer =
    Peer { name: "aiohttp", probe: &["python3", "-c", "import aiohttp"], install: "pip install aiohttp" };
pub(crate) const HTTPX: Peer =
    Peer { name: "httpx", probe: &["python3", "-c", "import httpx"], install: "pip install httpx" };
pub(crate) const H2LOAD: Peer =
    Peer { name: "h2load", probe: &["h2load", "--version"], install: "apt-get install nghttp2-client" };

/// What is not installed, and how it gets there.
pub(crate) fn missing() -> impl Iterator<Item = String> {
    [WRK, OHA, CURL, AIOHTTP, HTTPX, H2LOAD]
        .into_iter()
        .filter(|peer| !peer.is_installed())
        .map(|peer| format!("Skipped: {} is not installed (`{}`).", peer.name, peer.install))
}

impl Peer {
    pub(crate) fn is_installed(&self) -> bool {
        let mut probe = Command::new(self.probe[0]);
        probe.args(&self.probe[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // wrk ends with 1 after saying its version.
        probe.status().is_ok_and(|status| status.success() || self.name == "wrk")
    }

    /// What the table says where the peer is not installed.
    pub(crate) fn absent(&self) -> String {
        format!("{} is not installed", self.name)
    }
}

/// `wrk` for so many seconds, on one thread.
pub(crate) fn wrk(url: &str, connections: usize, seconds: usize) -> Command {
    command("wrk", &["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), url])
}

/// How many requests `wrk` says that it made.
pub(crate) fn wrk_requests(text: &str) -> f64 {
    let line = text.lines().find(|line| line.contains("requests in")).expect("wrk counts its requests");
    line.split_whitespace().next().and_then(|count| count.parse().ok()).expect("wrk counts its requests")
}

/// `oha` for so many requests.
pub(crate) fn oha(url: &str, connections: usize, requests: usize) -> Command {
    command("oha", &["--no-tui", "-c", &connections.to_string(), "-n", &requests.to_string(), url])
}

/// `curl -Z` for so many URLs, which end with `?` and a number; bodies go to `output`, where `#1` is that number.
pub(crate) fn curl_numbered(url: &str, requests: usize, at_once: usize, output: &str) -> Command {
    let urls = format!("{url}?[1-{requests}]");
    command("curl", &["-qsZ", "--parallel-immediate", "--parallel-max", &at_once.to_string(), "-o", output, &urls])
}

/// `curl -Z` for a list of URLs with TLS.
pub(crate) fn curl_listed(config: &Path, at_once: usize, authority: &Path) -> Command {
    let mut curl = command("curl", &["-qsZ4", "--parallel-immediate", "--parallel-max", &at_once.to_string()]);
    curl.arg("--cacert").arg(authority).arg("-K").arg(config);
    curl
}

/// `curl` for one URL.
pub(crate) fn curl(url: &str) -> Command {
    command("curl", &["-qs", "-o", "/dev/null", url])
}

/// `h2load` over one connection.
pub(crate) fn h2load(url: &str, streams: usize, requests: usize) -> Command {
    command("h2load", &["-c1", "-m", &streams.to_string(), "-n", &requests.to_string(), url])
}

/// `asyncio.gather` over one `aiohttp.ClientSession`, bounded by a semaphore.
pub(crate) fn aiohttp(url: &str, requests: usize, at_once: usize) -> Command {
    python(include_str!("peers/aiohttp.py"), url, requests, at_once)
}

/// `asyncio.gather` over one `httpx.AsyncClient`, bounded by a semaphore.
pub(crate) fn httpx(url: &str, requests: usize, at_once: usize) -> Command {
    python(include_str!("peers/httpx.py"), url, requests, at_once)
}

/// The seconds that a Python peer measured itself, without its start.
pub(crate) fn python_seconds(text: &str) -> f64 {
    text.trim().parse().unwrap_or_else(|_| panic!("a time and nothing else was expected: {text}"))
}

fn python(script: &str, url: &str, requests: usize, at_once: usize) -> Command {
    command("python3", &["-c", script, url, &requests.to_string(), &at_once.to_string()])
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
