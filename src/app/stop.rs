//! Why and how far a run is asked to stop: signals, the deadline, failures.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Outcome, Signal};

/// How long a run has to end by itself after the second signal, before it is left behind where it hangs.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What asks a run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A signal came.
    Signal(Signal),
    /// The time of `--deadline` is over.
    Deadline,
    /// As many lines failed as `--fail-early` or `--max-failures` allows.
    Failures,
}

impl Reason {
    /// How a run ends that was stopped for this reason.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Signal(signal) => Outcome::Interrupted(signal),
            Self::Deadline | Self::Failures => Outcome::StoppedEarly,
        }
    }

    /// For the summary.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Signal(Signal::Interrupt) => "stopped by SIGINT",
            Self::Signal(Signal::Terminate) => "stopped by SIGTERM",
            Self::Deadline => "stopped by --deadline",
            Self::Failures => "stopped by --fail-early or --max-failures",
        }
    }
}

/// Asks a run to stop: gently first, and at once if a signal comes when it has been asked already. All clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// No new exchange leaves; those in flight have their grace.
    pub(super) gently: CancellationToken,
    /// Nothing is waited for any more.
    pub(super) at_once: CancellationToken,
    reason: Arc<Mutex<Option<Reason>>>,
}

impl Stop {
    /// Asks to stop.
    pub(super) fn ask(&self, reason: Reason) {
        let is_signal = matches!(reason, Reason::Signal(_));
        let mut first = self.reason.lock().expect("nothing panics under this lock");
        if is_signal && first.is_some() {
            self.at_once.cancel();
        }
        if is_signal || first.is_none() {
            *first = Some(reason);
        }
        self.gently.cancel();
    }

    /// What asked first, or the last signal.
    pub(super) fn reason(&self) -> Option<Reason> {
        *self.reason.lock().expect("nothing panics under this lock")
    }

    /// Waits until the run was asked to stop at once and should have; tells by what.
    pub(super) async fn overdue(&self) -> Reason {
        self.at_once.cancelled().await;
        tokio::time::sleep(LAST_MOMENT).await;
        self.reason().expect("a run is stopped at once for a reason")
    }
}

/// SIGINT and SIGTERM, which do not end the process any more from here on.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            else => std::future::pending().await,
        }
    }
}

/// Ctrl-C, which does not end the process any more from here on.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_stops_gently_and_the_second_at_once() {
        let stop = Stop::default();
        stop.ask(Reason::Signal(Signal::Interrupt));
        assert!(stop.gently.is_cancelled() && !stop.at_once.is_cancelled());
        stop.ask(Reason::Signal(Signal::Terminate));
        assert!(stop.at_once.is_cancelled());
        assert_eq!(stop.reason(), Some(Reason::Signal(Signal::Terminate)));
    }

    #[test]
    fn a_signal_during_the_grace_of_a_deadline_stops_at_once() {
        let stop = Stop::default();
        stop.ask(Reason::Deadline);
        stop.ask(Reason::Failures);
        assert!(!stop.at_once.is_cancelled());
        assert_eq!(stop.reason(), Some(Reason::Deadline));
        stop.ask(Reason::Signal(Signal::Interrupt));
        assert!(stop.at_once.is_cancelled());
        assert_eq!(stop.reason().map(Reason::outcome), Some(Outcome::Interrupted(Signal::Interrupt)));
    }
}
