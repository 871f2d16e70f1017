//! The scripted server: listens on loopback, answers as told, logs what it saw, and stops when it is dropped.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::connection::{Script, serve};
use super::{Identity, Latch, Log, Reply, Request};

/// How long a server lives at most, so that a test that hangs on it ends.
const LIFE: Duration = Duration::from_mins(1);

/// How long [`Server::wait_until`] waits: far longer than anything takes, so that only a fault reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port of 127.0.0.1 with a thread of its own, for tests with and without a runtime.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    log: Arc<watch::Sender<Log>>,
    stop: Latch,
    thread: Option<JoinHandle<()>>,
    runtime: runtime::Handle,
}

/// What a server does besides answering requests.
#[derive(Default)]
pub(crate) struct Builder {
    greeting: Option<Box<dyn Fn(usize) -> Reply + Send + Sync>>,
    identity: Option<Identity>,
    before_body: bool,
    http2: bool,
}

impl Builder {
    /// Plays a reply to every connection as soon as it is open, by its number from 1; it must `keep()` for requests to be read.
    pub(crate) fn greeting(self, greeting: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self { greeting: Some(Box::new(greeting)), ..self }
    }

    /// Speaks TLS.
    pub(crate) fn tls(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Answers each request as soon as its head is there, while the client still sends the body.
    pub(crate) fn before_body(self) -> Self {
        Self { before_body: true, ..self }
    }

    /// Speaks HTTP/2, of which a request in the log has only its place: neither target nor fields. Scripts give replies of
    /// [`frames`](super::frames), which are played as soon as a request's head is there; a greeting must begin with settings.
    pub(crate) fn http2(self) -> Self {
        Self { http2: true, ..self }
    }

    /// Starts the server; `answer` gives the reply to each request.
    pub(crate) fn start(self, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let script = Script {
            greeting: self.greeting,
            answer: Box::new(answer),
            before_body: self.before_body,
            http2: self.http2,
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = {
            let _entered = runtime.enter();
            listen().expect("a port on loopback")
        };
        let address = listener.local_addr().expect("the address of a listener");
        let log = Arc::new(watch::Sender::new(Log::default()));
        let stop = Latch::new();
        let handle = runtime.handle().clone();
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        let acceptor = self.identity.map(|identity| identity.acceptor(if self.http2 { b"h2" } else { b"http/1.1" }));
        let accept = accept(listener, acceptor, script, log.clone());
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || live(&runtime, accept, &stop)
        });
        Server { address, scheme, log, stop, thread: Some(thread), runtime: handle }
    }
}

impl Server {
    /// Starts a server on plain TCP; `answer` gives the reply to each request.
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::builder().start(answer)
    }

    /// Starts a server that plays the same reply to every connection, without reading a byte.
    pub(crate) fn on_connect(reply: Reply) -> Self {
        Self::builder().greeting(move |_| reply.clone()).start(|_| Reply::nothing())
    }

    /// For servers that do more.
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// The URL of `target` (`/users?page=2`) by the server's address; with TLS by the name `localhost`.
    pub(crate) fn url(&self, target: &str) -> String {
        self.url_at(if self.scheme == "https" { "localhost" } else { "127.0.0.1" }, target)
    }

    /// The URL of `target` by any host name; see [`Server::resolve`].
    pub(crate) fn url_at(&self, host: &str, target: &str) -> String {
        format!("{}://{host}:{}{target}", self.scheme, self.port())
    }

    /// The value of `--resolve` that makes `host` a name of this server.
    pub(crate) fn resolve(&self, host: &str) -> String {
        format!("{host}:{}:{}", self.port(), self.address.ip())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// All that it saw so far.
    pub(crate) fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    /// Waits until it has seen enough; `what` names that in the panic when it never comes. Not from async code.
    pub(crate) fn wait_until(&self, what: &str, enough: impl FnMut(&Log) -> bool) {
        self.runtime.block_on(self.until(what, enough));
    }

    /// [`Server::wait_until`] for async code.
    pub(crate) async fn until(&self, what: &str, enough: impl FnMut(&Log) -> bool) {
        let mut log = self.log.subscribe();
        let patience = {
            // The server's own timer: the caller's may be paused, or none.
            let _entered = self.runtime.enter();
            tokio::time::sleep(PATIENCE)
        };
        tokio::select! {
            _ = log.wait_for(enough) => {}
            () = patience => panic!("{PATIENCE:?} and still not {what}: {:#?}", self.log()),
        }
    }
}

/// Closes everything at once. A script that panicked fails its test here.
impl Drop for Server {
    fn drop(&mut self) {
        self.stop.release();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server broke");
            assert!(!self.log.borrow().script_panicked(), "the server's script panicked");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}://{})", self.scheme, self.address)
    }
}

/// Listens with a queue that is long enough for thousands of clients at once: a full one costs each a second.
fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    socket.listen(4096)
}

/// Runs the server until it is told to stop, or its life is over; then drops whatever is still open.
fn live(runtime: &Runtime, accept: impl Future<Output = ()>, stop: &Latch) {
    runtime.block_on(async {
        tokio::select! {
            () = accept => {}
            () = stop.released() => {}
            () = tokio::time::sleep(LIFE) => {}
        }
    });
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, script: Script, log: Arc<watch::Sender<Log>>) {
    let script = Arc::new(script);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(ended) = connections.join_next() => log.send_modify(|log| log.close(ended.is_err())),
            Ok((tcp, _)) = listener.accept() => {
                let mut number = 0;
                log.send_modify(|log| number = log.open());
                connections.spawn(connect(tcp, number, tls.clone(), script.clone(), log.clone()));
            }
        }
    }
}

async fn connect(
    tcp: TcpStream,
    number: usize,
    tls: Option<TlsAcceptor>,
    script: Arc<Script>,
    log: Arc<watch::Sender<Log>>,
) {
    // A drip must leave byte by byte.
    let _ = tcp.set_nodelay(true);
    let Some(tls) = tls else {
        return serve(tcp, number, script, log).await;
    };
    match tls.accept(tcp).await {
        Ok(stream) => serve(stream, number, script, log).await,
        Err(_) => log.send_modify(Log::note_failed_handshake),
    }
}
