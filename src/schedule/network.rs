//! Whether the network itself is down, so that trying on would only turn good lines into failures.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::origins::OriginId;

/// So many origins in a row, none of which anything answered for, can mean that the network is down.
const SILENT_ORIGINS: usize = 10;
/// How long to wait before a probe at first; doubled each time that it fails, up to the cap.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait before a probe.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// After this time without success things are taken as they are, until an origin is reached again.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is known of the network.
#[derive(Debug, Default)]
pub(super) struct Network {
    /// The origins that were silent since the last one was reached.
    silent: BTreeSet<OriginId>,
    /// When an origin was reached last.
    reached_at: Option<Instant>,
    down: Option<Down>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    since: Instant,
    until: Instant,
    pause: Duration,
}

impl Network {
    /// Whether it is down, so that only one request at a time may probe it.
    pub(super) fn is_down(&self) -> bool {
        self.down.is_some_and(|down| down.until.saturating_duration_since(down.since) < PATIENCE)
    }

    /// Before when no request may leave.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        self.down.filter(|_| self.is_down()).map(|down| down.until)
    }

    /// An origin was reached.
    pub(super) fn reach(&mut self, now: Instant) {
        self.silent.clear();
        self.reached_at = Some(now);
        self.down = None;
    }

    /// Nothing answered an exchange with `origin` that left at `left`.
    ///
    /// That none of these origins was ever reached proves little when others were before: at the end of a run, dead hosts are
    /// what is left of any list. `is_telling` says whether there is more to it: whether one of them was reached before, or
    /// whether there are lines for others that a pause would save.
    pub(super) fn fail(
        &mut self,
        origin: OriginId,
        left: Instant,
        now: Instant,
        is_telling: impl FnOnce(&BTreeSet<OriginId>) -> bool,
    ) {
        // A pool full of exchanges with dead hosts ends all at once, whatever was reached meanwhile.
        if self.reached_at.is_some_and(|at| left < at) {
            return;
        }
        if self.silent.len() < SILENT_ORIGINS {
            self.silent.insert(origin);
        }
        self.down = match self.down {
            // An exchange that left before says nothing new.
            Some(down) if left < down.until => Some(down),
            Some(down) => {
                let pause = (down.pause * 2).min(LONGEST_PAUSE);
                Some(Down { until: now + pause, pause, ..down })
            }
            None if self.silent.len() >= SILENT_ORIGINS && (self.reached_at.is_none() || is_telling(&self.silent)) => {
                Some(Down { since: now, until: now + FIRST_PAUSE, pause: FIRST_PAUSE })
            }
            None => None,
        };
    }
}
