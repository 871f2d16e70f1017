//! What a server sends back: any bytes, in any rhythm, and any end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Latch, Log};

/// What a server sends back to one request, or to a connection before it sends one: steps, then an end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// One step of a reply.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Send these bytes one by one, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Send these bytes again and again, until the client goes.
    Repeat(Vec<u8>),
    /// Send these bytes again and again, until the client goes, with a pause before each.
    Every(Vec<u8>, Duration),
    /// Wait.
    Wait(Wait),
    /// Read until these bytes have come.
    Receive(Vec<u8>),
}

/// What a reply waits for.
#[derive(Clone)]
pub(super) enum Wait {
    /// Time.
    For(Duration),
    /// The test.
    Latch(Latch),
    /// What the server has seen.
    Log(Arc<dyn Fn(&Log) -> bool + Send + Sync>),
}

/// What becomes of the connection after the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is read for the next request.
    Keep,
    /// It is closed as it should be (FIN; with TLS a `close_notify` before it).
    Close,
    /// It is closed without a word: FIN, and with TLS no `close_notify` before it.
    Cut,
    /// It is torn down (RST).
    Reset,
    /// Nothing, for as long as the server lives.
    Hang,
    /// What either side sends is passed on between the client and this address, until one closes.
    Tunnel(SocketAddr),
}

/// Well-behaved replies: framed by `Content-Length`, and the connection is kept.
impl Reply {
    /// `status` with `body`.
    pub(crate) fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let head =
            format!("HTTP/1.1 {status} {}\r\ncontent-length: {}\r\n\r\n", reason.unwrap_or_default(), body.len());
        Self { steps: vec![Step::Send([head.as_bytes(), body].concat())], end: End::Keep }
    }

    /// 200 with `body`.
    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, body)
    }

    /// `status` without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self::new(status, "")
    }

    /// 302 to `location`.
    pub(crate) fn redirect(location: impl fmt::Display) -> Self {
        Self::status(302).header("location", location)
    }
}

/// Any other replies; the connection is closed after them, unless another end is asked for.
impl Reply {
    /// Just these bytes.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::nothing().then(bytes)
    }

    /// Not a byte.
    pub(crate) fn nothing() -> Self {
        Self { steps: Vec::new(), end: End::Close }
    }
}

/// What is in a reply, and when it is sent.
impl Reply {
    /// Adds a field after the status line, whatever fields there are.
    pub(crate) fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        let Some(Step::Send(head)) = self.steps.iter_mut().find(|step| matches!(step, Step::Send(_))) else {
            panic!("a header field `{name}` for a reply that has no head");
        };
        let line_end = head.windows(2).position(|pair| pair == b"\r\n").expect("a reply with a status line") + 2;
        head.splice(line_end..line_end, format!("{name}: {value}\r\n").into_bytes());
        self
    }

    /// Waits for `pause` before the first byte.
    pub(crate) fn after(self, pause: Duration) -> Self {
        self.first(Wait::For(pause))
    }

    /// Waits for the test to release `latch` before the first byte.
    pub(crate) fn held_by(self, latch: &Latch) -> Self {
        self.first(Wait::Latch(latch.clone()))
    }

    /// Waits before the first byte until the server has seen enough.
    pub(crate) fn held_until(self, enough: impl Fn(&Log) -> bool + Send + Sync + 'static) -> Self {
        self.first(Wait::Log(Arc::new(enough)))
    }

    /// Sends what it has so far byte by byte, with a pause before each.
    pub(crate) fn dripped(mut self, every: Duration) -> Self {
        for step in &mut self.steps {
            if let Step::Send(bytes) = step {
                *step = Step::Drip(std::mem::take(bytes), every);
            }
        }
        self
    }

    /// Then sends `bytes`.
    pub(crate) fn then(self, bytes: impl AsRef<[u8]>) -> Self {
        self.next(Step::Send(bytes.as_ref().to_vec()))
    }

    /// Then sends `bytes` one by one, with a pause before each.
    pub(crate) fn then_dripped(self, bytes: impl AsRef<[u8]>, every: Duration) -> Self {
        self.next(Step::Drip(bytes.as_ref().to_vec(), every))
    }

    /// Then sends `bytes` again and again, until the client goes.
    pub(crate) fn then_forever(self, bytes: impl AsRef<[u8]>) -> Self {
        self.next(Step::Repeat(bytes.as_ref().to_vec()))
    }

    /// Then sends `bytes` again and again, until the client goes, with a pause before each: a flood that leaves the machine
    /// time for others.
    pub(crate) fn then_every(self, pause: Duration, bytes: impl AsRef<[u8]>) -> Self {
        self.next(Step::Every(bytes.as_ref().to_vec(), pause))
    }

    /// Then waits for `pause`.
    pub(crate) fn then_after(self, pause: Duration) -> Self {
        self.next(Step::Wait(Wait::For(pause)))
    }

    /// Then waits for the test to release `latch`.
    pub(crate) fn then_held_by(self, latch: &Latch) -> Self {
        self.next(Step::Wait(Wait::Latch(latch.clone())))
    }

    /// Then reads until `bytes` have come.
    pub(crate) fn then_when_received(self, bytes: impl AsRef<[u8]>) -> Self {
        self.next(Step::Receive(bytes.as_ref().to_vec()))
    }

    fn first(mut self, wait: Wait) -> Self {
        self.steps.insert(0, Step::Wait(wait));
        self
    }

    fn next(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// What comes after the last byte.
impl Reply {
    /// The connection is closed as it should be (FIN; with TLS a `close_notify` before it).
    pub(crate) fn close(self) -> Self {
        Self { end: End::Close, ..self }
    }

    /// The connection is closed without a word: FIN, and with TLS no `close_notify` before it, as if somebody else had done it.
    pub(crate) fn cut(self) -> Self {
        Self { end: End::Cut, ..self }
    }

    /// The connection is torn down (RST).
    pub(crate) fn reset(self) -> Self {
        Self { end: End::Reset, ..self }
    }

    /// Nothing, for as long as the server lives.
    pub(crate) fn hang(self) -> Self {
        Self { end: End::Hang, ..self }
    }

    /// The connection becomes a tunnel to `address`, as that of a proxy.
    pub(crate) fn tunnel(self, address: SocketAddr) -> Self {
        Self { end: End::Tunnel(address), ..self }
    }

    /// The connection serves the next request.
    pub(crate) fn keep(self) -> Self {
        Self { end: End::Keep, ..self }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(pause) => write!(f, "For({pause:?})"),
            Self::Latch(_) => f.write_str("Latch"),
            Self::Log(_) => f.write_str("Log"),
        }
    }
}
