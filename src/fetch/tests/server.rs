//! A server that gives scripted replies, byte for byte, and remembers what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

/// What the server does after the bytes of a reply.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// It waits for the next request.
    Stay,
    /// It closes the connection.
    Close,
    /// It resets the connection.
    Reset,
    /// It sends a byte of the header or body now and then, for ever.
    Drip,
}

impl Reply {
    /// `bytes`, and the connection stays open.
    pub(super) fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), then: Then::Stay }
    }

    /// A response with a length and a body.
    pub(super) fn ok(headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        Self::bytes(bytes)
    }

    pub(super) fn then_close(self) -> Self {
        Self { then: Then::Close, ..self }
    }

    pub(super) fn then_reset(self) -> Self {
        Self { then: Then::Reset, ..self }
    }

    pub(super) fn then_drip(self) -> Self {
        Self { then: Then::Drip, ..self }
    }
}

/// What a server takes for a request.
#[derive(Clone)]
enum Speech {
    Http,
    Https(tokio_rustls::TlsAcceptor),
    /// Whatever comes in one piece.
    Raw,
}

/// A server; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of requests; the last is given for ever.
    replies: VecDeque<Reply>,
    requests: Vec<String>,
    connections: usize,
}

impl Server {
    /// A server that gives `replies` in turn, and the last for ever.
    pub(super) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with("127.0.0.1:0", replies, Speech::Http).await
    }

    /// The same as [`start`](Self::start) at another address than 127.0.0.1.
    pub(super) async fn start_at(address: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with(address, replies, Speech::Http).await
    }

    /// A server that gives `replies` to the first bytes of each connection, whatever they are.
    pub(super) async fn start_raw(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with("127.0.0.1:0", replies, Speech::Raw).await
    }

    /// The same as [`start`](Self::start) over TLS.
    pub(super) async fn start_tls(replies: impl IntoIterator<Item = Reply>, config: rustls::ServerConfig) -> Self {
        Self::start_with("127.0.0.1:0", replies, Speech::Https(Arc::new(config).into())).await
    }

    async fn start_with(address: &str, replies: impl IntoIterator<Item = Reply>, speech: Speech) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { replies: replies.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            // The connections end with the server.
            let mut connections = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().expect("no panic").connections += 1;
                let (shared, speech) = (Arc::clone(&shared), speech.clone());
                connections.push(AbortOnDropHandle::new(tokio::spawn(async move {
                    match speech {
                        Speech::Http => serve(stream, &shared, false, |stream| stream).await,
                        Speech::Raw => serve(stream, &shared, true, |stream| stream).await,
                        Speech::Https(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            serve(stream, &shared, false, |stream| stream.into_inner().0).await;
                        }
                    }
                })));
            }
        });
        Self { address, state, _task: AbortOnDropHandle::new(task) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of the requests that came, and their bodies.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state.lock().expect("no panic").requests.clone()
    }

    /// How many connections were opened to it.
    pub(super) fn connections(&self) -> usize {
        self.state.lock().expect("no panic").connections
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    state: &Mutex<State>,
    raw: bool,
    socket: impl FnOnce(S) -> TcpStream,
) {
    while let Some(request) = read_request(&mut stream, raw).await {
        let reply = {
            let mut state = state.lock().expect("no panic");
            state.requests.push(request);
            if state.replies.len() > 1 { state.replies.pop_front() } else { state.replies.front().cloned() }
        };
        let Some(reply) = reply else { return };
        if stream.write_all(&reply.bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        match reply.then {
            Then::Stay => {}
            Then::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            Then::Reset => {
                socket(stream).set_zero_linger().expect("a socket");
                return;
            }
            Then::Drip => loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if stream.write_all(b"x").await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            },
        }
    }
}

/// The next request, with as much body as its `Content-Length` says; `raw`: whatever comes in one piece.
async fn read_request(stream: &mut (impl AsyncRead + Unpin), raw: bool) -> Option<String> {
    let mut bytes = Vec::new();
    if raw {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        return (read > 0).then(|| format!("{read} bytes"));
    }
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    bytes.extend(body);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
