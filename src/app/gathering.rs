//! The record loop: takes records as they come out, reports and counts them, and stops the run when it must.

use std::io::Write as _;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt as _;
use gather::baseline::Baseline;
use gather::engine::Records;
use gather::fetch::HttpTransport;
use gather::input::InputStatus;
use gather::model::{Failure, FailureKind, Record, Verdict};
use gather::report::{self, Account, Ending, Progress, ProgressState, Screen, Summary, escape};
use tokio::task::block_in_place;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::info;

use super::outputs::{Lost, Outputs};
use super::reader::Reader;
use super::stop::{Reason, Stop};
use super::{Outcome, Signal, fail};
use crate::cli::{ProgressForm, Rules, Talk};

/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// How long a record may wait for others, to be written together with them.
const LATENCY: Duration = Duration::from_millis(5);

/// Most hosts that the summary tells what was learned of.
const MOST_LEARNED: usize = 5;

/// Everything that a run on its way is made of.
pub(super) struct Gathering {
    pub(super) records: Records,
    pub(super) outputs: Outputs,
    /// Whether the records go to standard output.
    pub(super) writes_to_stdout: bool,
    /// What an older run says of the lines.
    pub(super) baseline: Baseline,
    pub(super) transport: HttpTransport,
    pub(super) input: InputStatus,
    pub(super) rules: Rules,
    pub(super) talk: Talk,
    pub(super) stop: Stop,
    pub(super) screen: Screen,
}

/// What has happened so far, and when what must happen will.
struct Course {
    summary: Summary,
    started: Instant,
    progress: Option<Progress>,
    ticks: Option<Interval>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// When records that wait to be written have waited long enough.
    flush_at: Option<Instant>,
    flush_timer: Pin<Box<Sleep>>,
    at_once: Pin<Box<WaitForCancellationFutureOwned>>,
    reader: Reader,
    /// Whether a record tells of a fault of this program.
    has_fault: bool,
}

/// What the loop wakes up for.
enum Event {
    Record(Box<Record>),
    /// Records have waited long enough to be written.
    Idle,
    Tick,
    Deadline,
    /// Nobody reads the records any more.
    ReaderGone,
    /// No record comes any more, or none is waited for.
    End,
}

impl Gathering {
    /// Takes every record, and says how it went.
    pub(super) async fn run(mut self) -> Outcome {
        let mut course = Course::new(&self);
        let taken = self.take_records(&mut course).await;
        if let Some(how) = self.how_it_stopped() {
            self.outputs.stopped_early(&how);
        }
        let closed = block_in_place(|| self.outputs.finish());
        if let Some(progress) = course.progress.take() {
            progress.clear();
        }
        let lost = taken.and(closed).err();
        let is_unread = matches!(lost, Some(Lost::Reader));
        let outcome = match lost {
            None => self.conclude(&course),
            Some(lost) => self.lose(lost),
        };
        self.account(&course, outcome, is_unread)
    }

    fn lose(&self, lost: Lost) -> Outcome {
        match lost {
            Lost::Reader => Outcome::AllOk,
            Lost::Output(name, error) => {
                let message = format!("{name}: cannot be written to: {error}; what is written is valid");
                fail(&self.screen, Outcome::Broken, &message)
            }
            Lost::Body(message) => fail(&self.screen, Outcome::Broken, &message),
        }
    }

    /// Writes the summary for programs, where it is asked for; a run whose summary is lost is broken.
    fn account(&mut self, course: &Course, outcome: Outcome, is_unread: bool) -> Outcome {
        if !self.outputs.wants_account() {
            return outcome;
        }
        let reason = match outcome {
            Outcome::AllOk if is_unread => report::Reason::ReaderGone,
            Outcome::AllOk => report::Reason::AllOk,
            Outcome::SomeFailed => report::Reason::SomeFailed,
            Outcome::Unusable => report::Reason::InputBroken,
            Outcome::Broken if course.has_fault => report::Reason::InternalError,
            Outcome::Broken => report::Reason::OutputBroken,
            Outcome::Empty => report::Reason::Empty,
            Outcome::StoppedEarly if self.stop.reason() == Some(Reason::Deadline) => report::Reason::Deadline,
            Outcome::StoppedEarly => report::Reason::Failures,
            Outcome::Interrupted(Signal::Interrupt) => report::Reason::Sigint,
            Outcome::Interrupted(Signal::Terminate) => report::Reason::Sigterm,
        };
        let wall = course.started.elapsed();
        let ending = Ending { exit_code: outcome.code(), reason, not_started: self.without_record(), wall };
        let account = Account::new(&course.summary, ending);
        match block_in_place(|| self.outputs.write_account(&account)) {
            Ok(()) => outcome,
            Err(lost) => self.lose(lost),
        }
    }

    async fn take_records(&mut self, course: &mut Course) -> Result<(), Lost> {
        loop {
            let event = course.next(&mut self.records).await;
            if self.records.has_failed_enough() {
                self.stop.ask(Reason::Failures);
            }
            match event {
                Event::Record(mut record) => {
                    self.baseline.mark(&mut record);
                    self.take(&record, course)?;
                }
                Event::Idle => self.flush(course)?,
                Event::Tick => course.show_progress(&self.records),
                Event::Deadline => self.stop.ask(Reason::Deadline),
                Event::ReaderGone => return Err(Lost::Reader),
                Event::End => return Ok(()),
            }
        }
    }

    /// Writes what waits. Other tasks of this thread go on elsewhere meanwhile.
    fn flush(&mut self, course: &mut Course) -> Result<(), Lost> {
        course.flush_at = None;
        block_in_place(|| self.outputs.flush())
    }

    fn take(&mut self, record: &Record, course: &mut Course) -> Result<(), Lost> {
        self.outputs.record(record)?;
        if self.outputs.is_full() {
            self.flush(course)?;
        } else if course.flush_at.is_none() {
            course.flush_at = Some(Instant::now() + LATENCY);
        }
        course.summary.add(record);
        log(record);
        course.has_fault |= record.error.as_ref().is_some_and(|error| error.kind == FailureKind::InternalError);
        if let Some(error) = self.transport.output_error() {
            return Err(Lost::Body(error.to_string()));
        }
        // With a baseline only here it is known which failures count; without one the engine has counted them before.
        let failures = course.summary.failures(self.rules.flaky);
        if self.rules.max_failures.is_some_and(|most| failures >= most.get()) {
            self.stop.ask(Reason::Failures);
        }
        Ok(())
    }

    /// Sums the run up and finds how it ended. Of several ends the worst counts.
    fn conclude(&self, course: &Course) -> Outcome {
        let reason = self.stop.reason();
        if reason.is_none() && self.input.error().is_none() && self.input.jobs() == 0 {
            return self.conclude_empty();
        }
        if self.talk.summary {
            let summary = course.summary.render(course.started.elapsed(), &self.notes(reason), &self.talk.style);
            // Nobody is left to tell that standard error is closed.
            let _ = self.screen.clone().write_all(summary.as_bytes());
        }
        if let Some(error) = self.input.error() {
            self.screen.say(&format!("error: {error}"));
        }
        match reason {
            _ if course.has_fault => fail(&self.screen, Outcome::Broken, super::FAULT),
            Some(reason) => reason.outcome(),
            None if self.input.error().is_some() => Outcome::Unusable,
            None if course.summary.failures(self.rules.flaky) > 0 => Outcome::SomeFailed,
            None => Outcome::AllOk,
        }
    }

    fn conclude_empty(&self) -> Outcome {
        if self.rules.allow_empty {
            return Outcome::AllOk;
        }
        fail(&self.screen, Outcome::Empty, super::NO_URL)
    }

    /// What the summary says besides figures.
    fn notes(&self, reason: Option<Reason>) -> Vec<String> {
        let times = if self.talk.style.unicode { "×" } else { "x" };
        let learned = self.records.learned().into_iter().take(MOST_LEARNED);
        let mut notes: Vec<String> = learned.map(|learned| learned.to_string().replace('×', times)).collect();
        notes.extend(reason.map(|reason| self.stop_note(reason)));
        if self.talk.is_insecure {
            notes.push("certificates were not checked (--insecure)".to_owned());
        }
        notes
    }
}

/// The end of a run that did not come to the end of its input.
impl Gathering {
    fn how_it_stopped(&self) -> Option<String> {
        let reason = self.stop.reason().map(|reason| self.stop_note(reason));
        reason.or_else(|| self.input.error().map(ToString::to_string))
    }

    fn stop_note(&self, reason: Reason) -> String {
        let run = self.records.snapshot();
        // Lines that a second signal left without a record.
        let dropped = run.admitted.saturating_sub(run.written);
        match (run.not_started, dropped) {
            (0, 0) => format!("{}; no more lines were read", reason.words()),
            (lines, 0) => format!("{}; {} read and not started", reason.words(), more_lines(lines)),
            (lines, dropped) => {
                format!("{}; {} read and have no record", reason.words(), more_lines(lines + dropped))
            }
        }
    }

    /// Lines that were read and have no record.
    fn without_record(&self) -> u64 {
        let run = self.records.snapshot();
        run.not_started + run.admitted.saturating_sub(run.written)
    }
}

impl Course {
    fn new(run: &Gathering) -> Self {
        let progress = match run.talk.progress {
            ProgressForm::Hidden => None,
            ProgressForm::Drawn => Some(Progress::drawn(&run.screen, run.talk.style)),
            ProgressForm::Plain => Some(Progress::plain(&run.screen, run.talk.style)),
        };
        let ticks = progress.is_some().then(|| {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            ticks
        });
        Self {
            summary: Summary::default(),
            started: Instant::now(),
            progress,
            ticks,
            deadline: run.rules.deadline.map(|time| Box::pin(tokio::time::sleep(time))),
            flush_at: None,
            flush_timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            at_once: Box::pin(run.stop.at_once.clone().cancelled_owned()),
            reader: if run.writes_to_stdout { Reader::of_stdout() } else { Reader::unseen() },
            has_fault: false,
        }
    }

    /// Waits for the next event. What is due comes before records, so that a run that never waits can be stopped too.
    async fn next(&mut self, records: &mut Records) -> Event {
        tokio::select! {
            biased;
            () = &mut self.at_once => Event::End,
            () = due(&mut self.deadline) => Event::Deadline,
            () = self.reader.gone() => Event::ReaderGone,
            () = tick(&mut self.ticks) => Event::Tick,
            record = records.next() => record.map_or(Event::End, Event::Record),
            () = reach(self.flush_at, &mut self.flush_timer) => Event::Idle,
        }
    }

    fn show_progress(&mut self, records: &Records) {
        let Some(progress) = &mut self.progress else { return };
        let run = records.snapshot();
        progress.tick(&ProgressState {
            elapsed: self.started.elapsed(),
            finished: run.finished,
            total: run.input_ended.then_some(run.admitted),
            ok: self.summary.ok() + self.summary.flaky(),
            failed: self.summary.failed(),
            in_flight: run.in_flight,
            backing_off: run.backing_off,
            gated: run.gated,
            queued: run.queued,
            requests: run.requests,
            bytes: self.summary.bytes(),
            p50: self.summary.percentile(0.5),
            p99: self.summary.percentile(0.99),
        });
    }
}

/// `1 more line was`, `2 more lines were`.
fn more_lines(lines: u64) -> String {
    if lines == 1 { "1 more line was".to_owned() } else { format!("{lines} more lines were") }
}

/// Tells of a line that was not ok, at once.
fn log(record: &Record) {
    let (index, status, retries) = (record.index, record.status, record.num_retries);
    match (record.verdict, &record.error) {
        (Verdict::Ok, _) => {}
        (Verdict::Flaky, _) => info!(index, url = %escape(&record.url), status, retries, "line is flaky"),
        (Verdict::Failed, None) => info!(index, url = %escape(&record.url), status, retries, "line failed"),
        (Verdict::Failed, Some(Failure { kind, message, .. })) => {
            info!(index, url = %escape(&record.url), status, failure = %kind, why = %escape(message), retries, "line failed");
        }
    }
}

/// Waits until the deadline is over, once.
async fn due(deadline: &mut Option<Pin<Box<Sleep>>>) {
    match deadline {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
    *deadline = None;
}

/// Waits until the time `at`, if there is one.
async fn reach(at: Option<Instant>, timer: &mut Pin<Box<Sleep>>) {
    let Some(at) = at else { return std::future::pending().await };
    if timer.deadline() != at {
        timer.as_mut().reset(at);
    }
    timer.await;
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => _ = ticks.tick().await,
        None => std::future::pending().await,
    }
}
