//! The servers: fast ones, in a process of their own, so that what they cost is not counted.
//!
//! The process is the bench itself, started again. One thread accepts and answers, as an nginx with one worker would.
//! What a request gets, its path says:
//!
//! | path | answer |
//! |---|---|
//! | `/size/N` | 200 with N bytes of text |
//! | `/delay/N` | 200 after N milliseconds, on average |
//! | `/busy/N` | 200 after 5 milliseconds, but 503 with `Retry-After: 1` at the first request for this N |
//! | `/empty` | 204 |
//! | `/hang` | nothing, for ever |

use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep_until};

use crate::tls::{self, Protocol};

/// The argument that makes this program a server.
pub(crate) const SERVE: &str = "--serve";

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 65_535;

/// Descriptors that the server can use without a stop.
const MOST_DESCRIPTORS: u64 = 65_536;

/// A server lives no longer than this, whatever becomes of the bench.
const LIFETIME: Duration = Duration::from_hours(2);

/// Half a millisecond for each of two roundings.
const LATENESS: Duration = Duration::from_millis(1);

/// Answers up to this size are written in one piece.
const PIECE: usize = 256 * 1024;

/// As much as nginx sends with a static file.
const FIELDS: &str = "Server: bench\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n\
    Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"6955b900-400\"\r\n\
    Accept-Ranges: bytes\r\n";

/// A server that runs, on all addresses of loopback. Stopped when it is dropped.
pub(crate) struct Server {
    process: Child,
    /// Its end tells the server that the bench is gone.
    _stdin: ChildStdin,
    port: u16,
    authority: PathBuf,
}

impl Server {
    /// A server that speaks HTTP/1.1.
    pub(crate) fn plain(directory: &Path) -> Self {
        Self::start("plain", directory)
    }

    /// A server that speaks HTTP/1.1 over TLS.
    pub(crate) fn tls(directory: &Path) -> Self {
        Self::start("tls", directory)
    }

    /// A server that speaks HTTP/2 over TLS.
    pub(crate) fn http2(directory: &Path) -> Self {
        Self::start("http2", directory)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a path at 127.0.0.1.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The certificate of the authority that TLS clients must trust, in PEM.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    fn start(role: &str, directory: &Path) -> Self {
        let program = std::env::current_exe().expect("this program is somewhere");
        let mut process = Command::new(program)
            .args([SERVE, role])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let stdin = process.stdin.take().expect("a pipe");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the server says its port");
        let port = line.trim().parse().expect("the server says its port");
        Self { process, _stdin: stdin, port, authority: directory.join(tls::AUTHORITY) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only when the server has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Is the server until standard input ends.
pub(crate) fn serve(role: &str, directory: &Path) {
    reserve_descriptors();
    let tls = match role {
        "tls" => Some(tls::acceptor(directory, Protocol::Http1)),
        "http2" => Some(tls::acceptor(directory, Protocol::Http2)),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let listener = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([0, 0, 0, 0], 0).into()).expect("a free port");
        socket.listen(BACKLOG).expect("a listener")
    });
    println!("{}", listener.local_addr().expect("a bound socket").port());
    io::stdout().flush().expect("the bench reads");

    let site = Arc::new(Site::default());
    runtime.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            };
            let (site, tls) = (Arc::clone(&site), tls.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                match tls {
                    None => site.converse(stream).await,
                    Some((acceptor, Protocol::Http1)) => site.converse(acceptor.accept(stream).await?).await,
                    Some((acceptor, Protocol::Http2)) => tls::converse(acceptor.accept(stream).await?).await,
                }
            });
        }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        // Nothing is ever written to it; it ends when the bench does.
        let _ = io::stdin().read(&mut [0]);
        let _ = stop.send(());
    });
    // Either way the server is over.
    let _ = runtime.block_on(async { tokio::time::timeout(LIFETIME, stopped).await });
}

/// Makes the table of descriptors as large as it may become. Otherwise Linux enlarges it by and by, and as this process has two
/// threads, stands still each time until both have let go of the old one.
fn reserve_descriptors() {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(MOST_DESCRIPTORS);
    let last = i32::try_from(most.min(MOST_DESCRIPTORS)).expect("it fits") - 1;
    // Only a matter of speed.
    let _ = rustix::io::fcntl_dupfd_cloexec(io::stdin(), last);
}

/// What the server remembers.
#[derive(Default)]
struct Site {
    seen: Mutex<HashSet<Vec<u8>>>,
}

impl Site {
    /// Answers the requests of a connection, one after the other.
    async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut input = Vec::with_capacity(1024);
        let mut output = Vec::new();
        loop {
            let head = loop {
                if let Some(end) = memchr::memmem::find(&input, b"\r\n\r\n") {
                    break end + 4;
                }
                if stream.read_buf(&mut input).await? == 0 {
                    return Ok(());
                }
            };
            let path = input[..head].split(|&byte| byte == b' ').nth(1).unwrap_or_default();
            let mut rest = self.answer(path, &mut output).await?;
            input.drain(..head);
            stream.write_all(&output).await?;
            output.clear();
            while rest > 0 {
                let piece = rest.min(PIECE);
                stream.write_all(&TEXT[..piece]).await?;
                rest -= piece;
            }
        }
    }

    /// Writes the answer to a path, when it is time; gives how much of its body is still to be written.
    async fn answer(&self, path: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        let arrived = Instant::now();
        let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
        let mut parts = path.split(|&byte| byte == b'/').skip(1);
        let (kind, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let number = || std::str::from_utf8(number).ok().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        match kind {
            b"size" => return sized(usize::try_from(number()).expect("a size fits"), output),
            b"empty" => write!(output, "HTTP/1.1 204 No Content\r\n{FIELDS}\r\n")?,
            b"hang" => std::future::pending().await,
            b"busy" => {
                pass(arrived, Duration::from_millis(5)).await;
                if self.seen.lock().expect("no holder panics").insert(path.to_vec()) {
                    let head = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
                    output.extend_from_slice(head.as_bytes());
                    return Ok(0);
                }
                return sized(2, output);
            }
            _ => {
                pass(arrived, Duration::from_millis(number())).await;
                return sized(2, output);
            }
        }
        Ok(0)
    }
}

/// Waits until `delay` has passed since `arrived`. Timers go off at a whole millisecond, and what the system is asked to wait
/// is rounded up to whole milliseconds again, so on average one is too late by the [`LATENESS`] of both.
async fn pass(arrived: Instant, delay: Duration) {
    sleep_until(arrived + delay.saturating_sub(LATENESS)).await;
}

fn sized(size: usize, output: &mut Vec<u8>) -> io::Result<usize> {
    write!(output, "HTTP/1.1 200 OK\r\n{FIELDS}Content-Length: {size}\r\n\r\n")?;
    if size > PIECE {
        return Ok(size);
    }
    output.extend_from_slice(&TEXT[..size]);
    Ok(0)
}

static TEXT: [u8; PIECE] = [b'x'; PIECE];
