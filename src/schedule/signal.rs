//! What an exchange says about its origin, whatever it means for its job.

use http::StatusCode;

use crate::model::{Exchange, FailureKind, Phase};

/// What an exchange says about its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It answered.
    Good,
    /// It answered that it cannot serve us (5xx).
    Failing,
    /// It has too much to do.
    PushBack(Pressure),
    /// It could not be reached, though something answered for it: a refused connection, a broken handshake.
    Unreachable,
    /// Nothing at all answered: no route, no name server, no reply to a connection request.
    Silent,
    /// The name service answered that there is no such origin, or a handshake that there is another one.
    Elsewhere,
    /// This machine lacked something.
    Local,
    /// Nothing.
    None,
}

/// How an origin says that it has too much to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// 429 Too Many Requests.
    TooManyRequests,
    /// 503 Service Unavailable.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// A refused HTTP/2 stream.
    RefusedStream,
}

impl Pressure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TooManyRequests, Self::Unavailable, Self::Timeout, Self::RefusedStream];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyRequests => "429",
            Self::Unavailable => "503",
            Self::Timeout => "timeout",
            Self::RefusedStream => "refused stream",
        }
    }
}

impl Signal {
    pub(crate) fn of(exchange: &Exchange) -> Self {
        match (&exchange.failure, exchange.status()) {
            (Some(_), _) if exchange.in_connect => Self::Silent,
            // Whoever closed the connection may have done so before the request came.
            (Some(_), _) if exchange.resend.is_some() => Self::None,
            (Some(failure), status) => Self::of_failure(failure.kind, status.is_some()),
            (None, Some(StatusCode::TOO_MANY_REQUESTS)) => Self::PushBack(Pressure::TooManyRequests),
            (None, Some(StatusCode::SERVICE_UNAVAILABLE)) => Self::PushBack(Pressure::Unavailable),
            (None, Some(status)) if status.is_server_error() => Self::Failing,
            (None, Some(_)) => Self::Good,
            (None, None) => Self::None,
        }
    }

    fn of_failure(kind: FailureKind, has_response: bool) -> Self {
        match kind {
            FailureKind::ReadTimeout | FailureKind::AttemptTimeout => Self::PushBack(Pressure::Timeout),
            FailureKind::H2Refused => Self::PushBack(Pressure::RefusedStream),
            FailureKind::ConnectTimeout
            | FailureKind::ConnectUnreachable
            | FailureKind::DnsTimeout
            | FailureKind::DnsServfail => Self::Silent,
            kind if kind.phase() == Phase::Local => Self::Local,
            // A name that does not exist and a certificate that is wrong are answers, and will be the same in a minute.
            kind if kind.phase() == Phase::Connect => Self::Unreachable,
            kind if matches!(kind.phase(), Phase::Dns | Phase::Tls) => Self::Elsewhere,
            _ if has_response => Self::Good,
            kind if kind.phase() == Phase::Http => Self::Failing,
            _ => Self::None,
        }
    }

    /// Whether a connection to the origin stood.
    pub(super) fn has_reached(self) -> bool {
        matches!(self, Self::Good | Self::Failing | Self::PushBack(_))
    }

    /// Whether something answered, so that the network is up.
    pub(super) fn has_answered(self) -> bool {
        self.has_reached() || matches!(self, Self::Unreachable | Self::Elsewhere)
    }
}
