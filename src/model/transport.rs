//! The seam between the engine, which decides when a request leaves, and whatever makes the exchange.

use std::time::Duration;

use super::{Exchange, Request};

/// What makes one exchange: the HTTP client, or a script in tests.
///
/// It never follows a redirect and never sends twice: both are decided by the policy, so that every request that leaves has
/// passed its origin's limits.
pub trait Transport: Clone + Send + Sync + 'static {
    /// Makes one exchange. It always comes to an end by itself within [`Call::time_limit`], with whatever happened as data.
    /// Dropping the future stops it and frees what it holds.
    fn exchange(&self, call: Call) -> impl Future<Output = Exchange> + Send + 'static;

    /// Lets go of what an exchange left behind that no record will tell of, because another one follows it.
    fn discard(&self, exchange: Exchange) {
        drop(exchange);
    }
}

/// One exchange to be made.
#[derive(Debug, Clone)]
pub struct Call {
    /// What to send.
    pub request: Request,
    /// Position of its line in the whole input; names the body's file, where bodies go to files.
    pub index: u64,
    /// When this much time has passed, the exchange fails with `attempt_timeout`.
    pub time_limit: Duration,
    /// Whether redirects are followed: then the body of a redirect (301, 302, 303, 307, 308 with a Location) is not wanted.
    pub follows_redirects: bool,
}
