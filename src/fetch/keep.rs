//! Which connections are kept: a bound on how many are open with nothing to do.
//!
//! The HTTP client bounds idle connections for each host only. A list of many hosts would leave one behind at each, until no
//! descriptor is left (seanmonstar/reqwest #2424). So each exchange asks for a place before it opens a connection that could be
//! kept; where there is none left, the request says `Connection: close` (RFC 9112, section 9.6).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

/// The places for connections that are kept.
#[derive(Debug)]
pub(super) struct Kept {
    most: usize,
    /// How long the client keeps a connection with nothing to do.
    idle_timeout: Duration,
    hasher: RandomState,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// Places taken: by idle connections, and by exchanges whose connection may be kept.
    taken: usize,
    /// Idle connections by the hash of their origin. Should two origins share a hash, one connection more or less is kept.
    idle: HashMap<u64, Idle>,
    /// When it was last looked for connections that the client has closed since.
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Idle {
    count: usize,
    last: Instant,
}

/// A place for the connection of one exchange; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    kept: Arc<Kept>,
    origin: u64,
}

impl Kept {
    /// Places for `most` connections, each idle for `idle_timeout` at most.
    pub(super) fn new(most: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { most, idle_timeout, hasher: RandomState::new(), ledger: Mutex::default() })
    }

    /// A place for the connection of an exchange with `url`: that of an idle connection to the same origin, else a free one.
    pub(super) fn place(self: &Arc<Self>, url: &Url) -> Option<Place> {
        let origin = self.hasher.hash_one((url.scheme(), url.host_str(), url.port()));
        let mut ledger = self.lock();
        if let Some(idle) = ledger.idle.get_mut(&origin)
            && idle.count > 0
        {
            idle.count -= 1;
        } else {
            if ledger.taken >= self.most {
                self.sweep(&mut ledger);
            }
            if ledger.taken >= self.most {
                return None;
            }
            ledger.taken += 1;
        }
        Some(Place { kept: Arc::clone(self), origin })
    }

    /// Forgets the connections that were idle for so long that the client has closed them.
    fn sweep(&self, ledger: &mut Ledger) {
        let now = Instant::now();
        // The client looks at intervals of the same length, so a connection lives for twice as long at most. A quarter is
        // often enough to look here.
        if ledger.swept.is_some_and(|swept| now < swept + self.idle_timeout / 4) {
            return;
        }
        ledger.swept = Some(now);
        let limit = self.idle_timeout * 2;
        let mut freed = 0;
        ledger.idle.retain(|_, idle| {
            let stays = idle.count > 0 && now < idle.last + limit;
            freed += if stays { 0 } else { idle.count };
            stays
        });
        ledger.taken -= freed;
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The exchange is over, and its connection stays open. One that is `shared` (HTTP/2) takes one place for its origin.
    pub(super) fn stay(self, shared: bool) {
        let now = Instant::now();
        let mut ledger = self.kept.lock();
        let idle = ledger.idle.entry(self.origin).or_insert(Idle { count: 0, last: now });
        idle.last = now;
        if !shared || idle.count == 0 {
            idle.count += 1;
            // The place passes from the exchange to the idle connection; what drop gives back is taken here.
            ledger.taken += 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kept.lock().taken -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(2);

    fn url(host: usize) -> Url {
        format!("http://127.0.0.{host}/").parse().expect("a URL")
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_places_than_that_and_an_origin_uses_its_own_again() {
        let kept = Kept::new(2, IDLE);
        kept.place(&url(1)).expect("free").stay(false);
        kept.place(&url(2)).expect("free").stay(false);
        assert!(kept.place(&url(3)).is_none());
        let again = kept.place(&url(1)).expect("its own");
        assert!(kept.place(&url(1)).is_none(), "its one connection is busy");
        drop(again);
        assert!(kept.place(&url(3)).is_some(), "the connection was not kept");
    }

    #[tokio::test(start_paused = true)]
    async fn places_of_connections_that_the_client_has_closed_are_free_again() {
        let kept = Kept::new(1, IDLE);
        kept.place(&url(1)).expect("free").stay(false);
        assert!(kept.place(&url(2)).is_none());
        tokio::time::advance(IDLE * 2).await;
        assert!(kept.place(&url(2)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shared_connection_takes_one_place() {
        let kept = Kept::new(3, IDLE);
        let streams = [kept.place(&url(1)), kept.place(&url(1)), kept.place(&url(1))];
        assert!(kept.place(&url(2)).is_none());
        streams.into_iter().flatten().for_each(|place| place.stay(true));
        assert_eq!(kept.lock().taken, 1);
    }
}
