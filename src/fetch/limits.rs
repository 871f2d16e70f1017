//! The time limits of one exchange: all of it, and silence. One timer serves both.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::connect::Probe;

/// A timer that goes off this late shows that the process stood still: stopped (SIGSTOP), or without a processor.
pub(super) const STANDSTILL: Duration = Duration::from_millis(250);

/// Time to take in what came while the process stood still.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The time limits of the exchange that this task makes.
#[derive(Debug)]
pub(super) struct Limits<'a> {
    timer: Pin<&'a mut Sleep>,
    end: Instant,
    silence: Duration,
}

/// A time limit is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// That of the whole exchange.
    Exchange,
    /// No byte came for this long.
    Silence(Duration),
}

impl<'a> Limits<'a> {
    /// The exchange must be over at `end`, and never be silent for `silence`. The timer's own deadline does not matter.
    pub(super) fn new(timer: Pin<&'a mut Sleep>, end: Instant, silence: Duration) -> Self {
        Self { timer, end, silence }
    }

    /// Waits for `work`, but not longer than the limits allow.
    ///
    /// The timer is not moved for every byte that comes: when it fires, it is asked whether anything came since, and set anew.
    pub(super) async fn guard<F: Future>(&mut self, work: F) -> Result<F::Output, Overdue> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            while self.timer.as_mut().poll(cx).is_ready() {
                let now = Instant::now();
                self.excuse(now);
                match self.next_check(now) {
                    Ok(check) => self.timer.as_mut().reset(check),
                    Err(overdue) => return Poll::Ready(Err(overdue)),
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Does not charge the server for a time in which this process stood still: what came meanwhile may not be read yet.
    fn excuse(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.timer.deadline());
        if late >= STANDSTILL {
            self.end = (self.end + late).max(now + CATCH_UP);
            Probe::hear(0);
        }
    }

    /// When the limits have to be looked at again, or which of them is over.
    fn next_check(&self, now: Instant) -> Result<Instant, Overdue> {
        if now >= self.end {
            return Err(Overdue::Exchange);
        }
        let silent = silent_since(now) + self.silence;
        if now >= silent {
            return Err(Overdue::Silence(self.silence));
        }
        Ok(silent.min(self.end))
    }
}

/// Since when a byte could have come and none has. While a connection is being opened, its own limit holds.
fn silent_since(now: Instant) -> Instant {
    let heard = Probe::heard();
    match Probe::dial() {
        None => heard,
        Some(dial) => dial.moments().finished.map_or(now, |finished| finished.max(heard)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs `work` under a limit of ten seconds for all and two for silence.
    async fn limited<F: Future>(work: F) -> (Result<F::Output, Overdue>, Duration) {
        let start = Instant::now();
        let exchange = async {
            let timer = pin!(tokio::time::sleep(2 * SECOND));
            Limits::new(timer, start + 10 * SECOND, 2 * SECOND).guard(work).await
        };
        let result = Probe::new(None, false).watch(exchange).await;
        (result, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_when_nothing_came_for_that_long() {
        let work = async {
            tokio::time::sleep(SECOND).await;
            Probe::hear(1);
            std::future::pending::<()>().await;
        };
        let (result, time) = limited(work).await;
        assert_eq!((result, time.as_secs()), (Err(Overdue::Silence(2 * SECOND)), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_while_the_process_stood_still_is_taken_in() {
        let work = async {
            tokio::time::advance(60 * SECOND).await;
            tokio::task::yield_now().await;
            "bytes"
        };
        assert_eq!(limited(work).await.0, Ok("bytes"));
        let work = async {
            tokio::time::advance(60 * SECOND).await;
            std::future::pending::<()>().await;
        };
        let (result, time) = limited(work).await;
        assert_eq!((result, time.as_secs()), (Err(Overdue::Silence(2 * SECOND)), 62));
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_is_not_silence_but_ends_with_the_exchange() {
        let work = async {
            loop {
                tokio::time::sleep(SECOND).await;
                Probe::hear(1);
            }
        };
        let (result, time): (Result<(), _>, _) = limited(work).await;
        assert_eq!((result, time.as_secs()), (Err(Overdue::Exchange), 10));
    }
}
