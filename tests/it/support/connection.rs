//! One connection of a scripted server: reads requests, plays replies.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

use super::frames::{self, FRAME_HEAD, PREFACE, flag, kind};
use super::reply::{End, Step, Wait};
use super::{Log, Reply, Request};

/// The most that is read of one request, or kept of what a client sends while a reply is played.
const MOST_BYTES: usize = 64 << 20;

/// What a server does with a connection.
pub(super) struct Script {
    /// The reply to a connection before its first request, by the connection's number from 1.
    pub(super) greeting: Option<Box<dyn Fn(usize) -> Reply + Send + Sync>>,
    /// The reply to a request.
    pub(super) answer: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    /// Whether a request is answered as soon as its head is there.
    pub(super) before_body: bool,
    /// Whether HTTP/2 is spoken.
    pub(super) http2: bool,
}

/// What a connection runs over: TCP, or TLS on it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection.
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(wire: impl Wire, number: usize, script: Arc<Script>, log: Arc<watch::Sender<Log>>) {
    let mut connection = Connection { wire, number, received: Vec::new(), log };
    // An error is a client that went; the log says so where a request was in progress.
    let _ = connection.serve(&script).await;
}

struct Connection<W> {
    wire: W,
    number: usize,
    received: Vec<u8>,
    log: Arc<watch::Sender<Log>>,
}

impl<W: Wire> Connection<W> {
    async fn serve(&mut self, script: &Script) -> io::Result<()> {
        if let Some(greeting) = &script.greeting {
            let reply = self.scripted(|| greeting(self.number))?;
            self.play(&reply.steps).await?;
            self.end(reply.end).await?;
            if reply.end != End::Keep {
                return self.drain().await;
            }
        } else if script.http2 {
            self.send(&frames::settings(&[])).await?;
        }
        if script.http2 && !self.read_preface().await? {
            return Ok(());
        }
        let mut served = 0;
        while let Some(mut request) = self.read_request(script).await? {
            served += 1;
            request.nth_on_connection = served;
            self.log.send_modify(|log| log.begin(&mut request));
            let end = self.reply(script, &request).await;
            self.log.send_modify(|log| log.end(&request, end.is_err()));
            if end? != End::Keep {
                break;
            }
        }
        self.drain().await
    }

    async fn reply(&mut self, script: &Script, request: &Request) -> io::Result<End> {
        let reply = self.scripted(|| (script.answer)(request))?;
        self.play(&reply.steps).await?;
        self.end(reply.end).await?;
        Ok(reply.end)
    }

    /// Runs the script; a panic is noted before the client can see the connection close.
    fn scripted(&self, script: impl FnOnce() -> Reply) -> io::Result<Reply> {
        catch_unwind(AssertUnwindSafe(script)).map_err(|_| {
            self.log.send_modify(Log::note_script_panic);
            io::Error::other("the script panicked")
        })
    }

    async fn play(&mut self, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Send(bytes) => self.send(bytes).await?,
                Step::Drip(bytes, every) => {
                    for byte in bytes {
                        self.wait(&Wait::For(*every)).await?;
                        self.send(&[*byte]).await?;
                    }
                }
                Step::Repeat(bytes) => loop {
                    self.send(bytes).await?;
                },
                Step::Every(bytes, pause) => loop {
                    self.wait(&Wait::For(*pause)).await?;
                    self.send(bytes).await?;
                },
                Step::Wait(wait) => self.wait(wait).await?,
                Step::Receive(bytes) => self.receive(bytes).await?,
            }
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    /// Waits, or fails as soon as the client has gone.
    async fn wait(&mut self, wait: &Wait) -> io::Result<()> {
        let mut log = self.log.subscribe();
        let waited = async {
            match wait {
                Wait::For(pause) => tokio::time::sleep(*pause).await,
                Wait::Latch(latch) => latch.released().await,
                Wait::Log(enough) => drop(log.wait_for(|log| enough(log)).await),
            }
        };
        tokio::select! {
            biased;
            () = waited => Ok(()),
            gone = self.client_gone() => Err(gone),
        }
    }

    async fn end(&mut self, end: End) -> io::Result<()> {
        match end {
            End::Keep => Ok(()),
            End::Close => self.wire.shutdown().await,
            // The FIN leaves when the socket is dropped.
            End::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
            // The RST leaves when the socket is dropped.
            End::Reset => self.wire.tcp().set_zero_linger(),
            End::Hang => Err(self.client_gone().await),
            End::Tunnel(address) => self.tunnel(address).await,
        }
    }

    /// Reads until `expected` has come.
    async fn receive(&mut self, expected: &[u8]) -> io::Result<()> {
        while !self.received.windows(expected.len()).any(|window| window == expected) {
            if self.read_more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.received.clear();
        Ok(())
    }

    async fn tunnel(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut far = TcpStream::connect(address).await?;
        far.write_all(&std::mem::take(&mut self.received)).await?;
        tokio::io::copy_bidirectional(&mut self.wire, &mut far).await.map(drop)
    }

    /// Keeps what the client sends, until it goes; then the reason.
    async fn client_gone(&mut self) -> io::Error {
        loop {
            match self.read_more().await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    /// Reads to the end: closing a socket with unread bytes would turn the FIN into an RST.
    async fn drain(&mut self) -> io::Result<()> {
        if self.wire.tcp().linger()?.is_none() {
            self.client_gone().await;
        }
        Ok(())
    }

    /// The next request, or `None` when the client has closed the connection.
    async fn read_request(&mut self, script: &Script) -> io::Result<Option<Request>> {
        if script.http2 {
            return self.read_stream().await;
        }
        let head_end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.read_more().await? == 0 {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.received.drain(..head_end).collect();
        let mut request = parse_head(&head, self.number);
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if script.before_body {
            return Ok(Some(request));
        }
        while self.received.len() < length {
            if self.read_more().await? == 0 {
                return Ok(None);
            }
        }
        request.body = self.received.drain(..length).collect();
        request.arrived = Instant::now();
        Ok(Some(request))
    }

    /// Whether what every client of HTTP/2 sends first has come.
    async fn read_preface(&mut self) -> io::Result<bool> {
        let whole = self.read_at_least(PREFACE.len()).await?;
        if whole {
            self.received.drain(..PREFACE.len());
        }
        Ok(whole)
    }

    /// The next request of HTTP/2. What else comes is read over; settings are acknowledged.
    async fn read_stream(&mut self) -> io::Result<Option<Request>> {
        while self.read_at_least(FRAME_HEAD).await? {
            let [a, b, c, frame, flags] = self.received[..5] else { unreachable!("that many were read") };
            let end = FRAME_HEAD + u32::from_be_bytes([0, a, b, c]) as usize;
            if !self.read_at_least(end).await? {
                break;
            }
            self.received.drain(..end);
            match frame {
                kind::HEADERS => return Ok(Some(parse_head(b"", self.number))),
                kind::SETTINGS if flags & flag::ACK == 0 => {
                    self.send(&frames::frame(kind::SETTINGS, flag::ACK, 0, "")).await?;
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Whether `length` bytes are there, before the client closes the connection.
    async fn read_at_least(&mut self, length: usize) -> io::Result<bool> {
        while self.received.len() < length {
            if self.read_more().await? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn read_more(&mut self) -> io::Result<usize> {
        if self.received.len() >= MOST_BYTES {
            return Err(io::Error::other("the client sends more than a test server keeps"));
        }
        self.wire.read_buf(&mut self.received).await
    }
}

/// Reads a request head leniently: what a server logs must not depend on whether the client is right.
fn parse_head(head: &[u8], connection: usize) -> Request {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Request {
        method: words.next().unwrap_or_default().to_owned(),
        target: words.next().unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        connection,
        nth_on_connection: 0,
        nth: 0,
        arrived: Instant::now(),
        at_once: 0,
    }
}
