//! Opening connections: its time limit, and what an exchange learns of the connection that it opened.
//!
//! Below reqwest, the resolver, the connector and the TLS session store all run inside the task of the exchange that wanted
//! the connection. Task-local cells carry what they see back to it. A connection that is opened here may still serve another
//! exchange, if a kept one became free first; so its moments count only where the sockets are the same.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection, HttpInfo};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::limits::STANDSTILL;
use super::route::Target;

/// The error type that reqwest's connectors speak.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

tokio::task_local! {
    /// The exchange that this task is making.
    static PROBE: Probe;
    /// The connection that is being opened by the future that is polled.
    static DIAL: Arc<Dial>;
}

/// What an exchange learns while the layers below it run.
#[derive(Debug)]
pub(super) struct Probe {
    /// Where to connect to, where that does not follow from the URL alone.
    target: Option<Arc<Target>>,
    /// Whether it goes through a proxy.
    proxied: bool,
    /// The connection that was last begun for this exchange.
    dial: RefCell<Option<Arc<Dial>>>,
    /// When a byte last came, or the exchange began.
    heard: Cell<Instant>,
    /// Bytes of the body that came, before decoding.
    received: Cell<u64>,
}

impl Probe {
    /// A probe for an exchange that begins now.
    pub(super) fn new(target: Option<Arc<Target>>, proxied: bool) -> Self {
        Self { target, proxied, dial: RefCell::default(), heard: Cell::new(Instant::now()), received: Cell::new(0) }
    }

    /// Runs `exchange` with this probe.
    pub(super) fn watch<F: Future>(self, exchange: F) -> impl Future<Output = F::Output> {
        PROBE.scope(self, exchange)
    }

    /// The connection that was last begun, if one was.
    pub(super) fn dial() -> Option<Arc<Dial>> {
        PROBE.with(|probe| probe.dial.borrow().clone())
    }

    /// What was learned of the connection that was last begun, which from now on does not matter.
    pub(super) fn take_dial() -> Option<Moments> {
        PROBE.with(|probe| probe.dial.take()).map(|dial| dial.moments())
    }

    /// When a byte last came, or the exchange began.
    pub(super) fn heard() -> Instant {
        PROBE.with(|probe| probe.heard.get())
    }

    /// Bytes of the body that came so far, before decoding.
    pub(super) fn received() -> u64 {
        PROBE.with(|probe| probe.received.get())
    }

    /// Takes note that `bytes` bytes of the body came just now.
    pub(super) fn hear(bytes: usize) {
        PROBE.with(|probe| {
            probe.heard.set(Instant::now());
            probe.received.set(probe.received.get() + bytes as u64);
        });
    }
}

/// One connection that is being opened, or was.
#[derive(Debug)]
pub(super) struct Dial {
    target: Option<Arc<Target>>,
    proxied: bool,
    moments: Mutex<Moments>,
}

/// What is known of a [`Dial`].
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    /// How far it came.
    pub(super) stage: Stage,
    /// When the name was looked up; never for an address.
    pub(super) looked_up: Option<Instant>,
    /// When the TLS handshake began, and so the TCP connection stood.
    pub(super) secured: Option<Instant>,
    /// When it was over, well or not.
    pub(super) finished: Option<Instant>,
    /// The addresses that the name has.
    pub(super) addresses: Arc<[SocketAddr]>,
    /// Both ends, once it stood.
    pub(super) sockets: Option<Sockets>,
    /// Whether it failed.
    pub(super) failed: bool,
    /// Whether it was over while its exchange still waited for it.
    pub(super) own: bool,
    /// Whether it failed so late that this process must have stood still meanwhile.
    pub(super) stood_still: bool,
}

/// How far the opening of a connection came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The name is being looked up.
    Lookup,
    /// The TCP connection is being opened; where nothing is looked up, the first stage.
    #[default]
    Tcp,
    /// The TLS handshake goes on.
    Tls,
}

/// Both ends of a connection: no two connections that are open have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sockets {
    /// This machine's.
    local: SocketAddr,
    /// The peer's, or the proxy's.
    pub(super) remote: SocketAddr,
}

impl Sockets {
    /// Both ends, from what the HTTP client attaches to a response or an error.
    pub(super) fn of(info: &HttpInfo) -> Self {
        Self { local: info.local_addr(), remote: info.remote_addr() }
    }

    /// Both ends of a connection.
    pub(super) fn connected(connected: &Connected) -> Option<Self> {
        let mut extensions = http::Extensions::new();
        connected.get_extras(&mut extensions);
        extensions.get::<HttpInfo>().map(Self::of)
    }
}

impl Dial {
    /// The connection that the future that is polled opens.
    pub(super) fn current() -> Option<Arc<Self>> {
        DIAL.try_with(Arc::clone).ok()
    }

    /// Where to connect to, where that does not follow from the name alone.
    pub(super) fn target(&self) -> Option<&Target> {
        self.target.as_deref()
    }

    /// Whether it is for an exchange through a proxy.
    pub(super) fn is_proxied(&self) -> bool {
        self.proxied
    }

    /// What is known of it by now.
    pub(super) fn moments(&self) -> Moments {
        self.note(|moments| moments.clone())
    }

    /// The name is being looked up.
    pub(super) fn looks_up(&self) {
        self.note(|moments| moments.stage = Stage::Lookup);
    }

    /// The name was looked up.
    pub(super) fn looked_up(&self, addresses: &[SocketAddr]) {
        self.note(|moments| {
            moments.stage = Stage::Tcp;
            moments.looked_up = Some(Instant::now());
            moments.addresses = addresses.into();
        });
    }

    /// The TLS handshake begins. The first one counts: a second is one inside the tunnel of a proxy.
    pub(super) fn secures(&self) {
        self.note(|moments| {
            moments.stage = Stage::Tls;
            moments.secured.get_or_insert_with(Instant::now);
        });
    }

    fn fail(&self, stood_still: bool) {
        self.finish(None, true);
        self.note(|moments| moments.stood_still = stood_still);
    }

    fn finish(&self, sockets: Option<Sockets>, failed: bool) {
        // The client moves the opening of a connection to a task of its own when a kept one became free first.
        let own = PROBE.try_with(|_| ()).is_ok();
        self.note(|moments| {
            moments.finished = Some(Instant::now());
            moments.sockets = sockets;
            moments.failed = failed;
            moments.own = own;
        });
    }

    fn note<T>(&self, write: impl FnOnce(&mut Moments) -> T) -> T {
        // A panic cannot leave the moments half written: each is one assignment.
        write(&mut self.moments.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection was not open in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {limit:?}")]
pub(super) struct ConnectTimeout {
    /// How far it came.
    pub(super) stage: Stage,
    /// The time that it had.
    pub(super) limit: Duration,
}

/// Puts [`TimedConnect`] around reqwest's connector.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedConnectLayer {
    /// Time for DNS, TCP and TLS together.
    pub(super) limit: Duration,
}

impl<S> Layer<S> for TimedConnectLayer {
    type Service = TimedConnect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimedConnect { inner, limit: self.limit }
    }
}

/// A connector that takes note of how far each connection came, and gives up on it in time.
///
/// The limit is here and not around the whole request, so that waiting for a kept connection to become free does not count.
#[derive(Debug, Clone)]
pub(super) struct TimedConnect<S> {
    inner: S,
    limit: Duration,
}

impl<S, R> Service<R> for TimedConnect<S>
where
    S: Service<R>,
    S::Response: Connection,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (target, proxied) = PROBE.try_with(|probe| (probe.target.clone(), probe.proxied)).unwrap_or_default();
        let dial = Arc::new(Dial { target, proxied, moments: Mutex::default() });
        // Outside of an exchange there is nobody to tell.
        let _ = PROBE.try_with(|probe| probe.dial.replace(Some(Arc::clone(&dial))));
        let connecting = DIAL.sync_scope(Arc::clone(&dial), || self.inner.call(request));
        let limit = self.limit;
        // Wherever the future goes, the cell goes along.
        let connecting = DIAL.scope(Arc::clone(&dial), tokio::time::timeout(limit, connecting));
        Box::pin(async move {
            let began = Instant::now();
            let stood_still = || began.elapsed() > limit.saturating_add(STANDSTILL);
            match connecting.await {
                Ok(Ok(connection)) => {
                    dial.finish(Sockets::connected(&connection.connected()), false);
                    Ok(connection)
                }
                Ok(Err(error)) => {
                    dial.fail(stood_still());
                    Err(error.into())
                }
                Err(_) => {
                    let stage = dial.moments().stage;
                    dial.fail(stood_still());
                    Err(Box::new(ConnectTimeout { stage, limit }) as BoxError)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connector that goes as far as its stage, and no further.
    #[derive(Clone)]
    struct Stuck(Stage);

    struct Nothing;

    impl Connection for Nothing {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }

    impl Service<()> for Stuck {
        type Response = Nothing;
        type Error = BoxError;
        type Future = Pin<Box<dyn Future<Output = Result<Nothing, BoxError>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            let stage = self.0;
            Box::pin(async move {
                let dial = Dial::current().expect("it is called by the layer");
                dial.looks_up();
                if stage != Stage::Lookup {
                    dial.looked_up(&[]);
                }
                if stage == Stage::Tls {
                    dial.secures();
                }
                std::future::pending().await
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_not_open_in_time_tells_how_far_it_came() {
        let limit = Duration::from_secs(10);
        for stage in [Stage::Lookup, Stage::Tcp, Stage::Tls] {
            let mut connect = TimedConnectLayer { limit }.layer(Stuck(stage));
            let (error, dial) = Probe::new(None, false)
                .watch(async { (connect.call(()).await.err().expect("it is stuck"), Probe::take_dial()) })
                .await;
            assert_eq!(error.downcast_ref::<ConnectTimeout>().expect("a timeout").stage, stage);
            let dial = dial.expect("it was begun");
            assert!(dial.failed && dial.own && dial.finished.is_some() && !dial.stood_still);
            assert_eq!(
                (dial.looked_up.is_some(), dial.secured.is_some()),
                (stage != Stage::Lookup, stage == Stage::Tls)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_failed_far_too_late_tells_that_the_process_stood_still() {
        let mut connect = TimedConnectLayer { limit: Duration::from_secs(10) }.layer(Stuck(Stage::Tls));
        let exchange = async {
            let (result, ()) = tokio::join!(connect.call(()), tokio::time::advance(Duration::from_mins(1)));
            assert!(result.is_err());
            Probe::take_dial()
        };
        assert!(Probe::new(None, false).watch(exchange).await.is_some_and(|dial| dial.failed && dial.stood_still));
    }
}
