//! The engine: jobs in, records out.
//!
//! It joins the deciders (frontier, policy, window) to the one thing that waits, the bounded pool of exchanges:
//!
//! ```text
//! jobs ─► window ─► frontier ═► pool: buffer_unordered(exchange) ─► policy ─► window ─► records
//!                      ▲                                              │
//!                      └──── the only back edge: hop, or retry at T ◄─┘
//! ```
//!
//! All decisions are made by one task, the one that polls [`Records`]; exchanges are spawned, so that bytes move while it
//! is busy elsewhere, and are aborted when they are dropped.

use std::num::{NonZeroU64, NonZeroUsize};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::{Stream, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::AbortOnDropHandle;

use crate::model::{Call, Exchange, Failure, FailureKind, FlakyRule, Job, Judge, Record, Transport};
use crate::order::Window;
pub use crate::order::{Order, WindowLimits};
use crate::policy::{Ending, JobState, Next, Outcome, Policy, after, wait_asked_for};
use crate::schedule::{Flight, FlightId, Frontier, Signal, TimeUp};
pub use crate::schedule::{Learned, Limits, ParseRateError, Pressure, Rate};

#[cfg(test)]
mod tests;

/// Most jobs that wait at their origins before reading on stops, unless they take too much memory before. It is what lets a
/// list that is sorted by host keep all its hosts busy.
const READ_AHEAD: usize = 65_536;

/// Most lines read for each request that leaves: reading runs ahead of sending, and no request waits for it.
const READ_PER_TICKET: usize = 32;

/// Most records given out before the pool is looked at again: at the end of a list that is sorted by host nearly all records
/// become ready at once, and the pool must not run empty while they are written.
const MOST_IN_A_ROW: usize = 32;

/// A gate is closed up to this share longer than asked for.
const GATE_JITTER: f64 = 0.1;

/// How a run is made.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many exchanges at once.
    pub limits: Limits,
    /// What follows an exchange.
    pub policy: Policy,
    /// The order of the records.
    pub order: Order,
    /// How far ahead of the oldest unwritten line.
    pub window: WindowLimits,
    /// Time for exchanges in flight once the run is cancelled, `--grace`.
    pub grace: Duration,
    /// When a run cancels itself.
    pub failure_limit: Option<FailureLimit>,
    /// Seed of all randomness (backoff): the same seed and the same answers make the same run.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            policy: Policy::default(),
            order: Order::Input,
            window: WindowLimits::default(),
            grace: Duration::from_secs(10),
            failure_limit: None,
            seed: fastrand::u64(..),
        }
    }
}

/// So many failures are enough: the run is cancelled as soon as they have happened, wherever in the input that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureLimit {
    /// How many, `--max-failures`.
    pub failures: NonZeroU64,
    /// Whether flaky lines count.
    pub flaky: FlakyRule,
}

/// Makes the run: one record for each job, in the order of the plan.
///
/// When `cancel` is cancelled, or the [`FailureLimit`] reached, no new exchange leaves. Those in flight have [`Plan::grace`] to end; then they are dropped and
/// their records say `canceled`, as do those of lines that wait for a hop or a retry. In input order the records are a
/// whole beginning of the input: lines that were read and never started have a `canceled` record only where a line after
/// them was started.
pub fn run<T: Transport>(
    jobs: impl Stream<Item = Job> + Send + 'static,
    transport: T,
    plan: Plan,
    cancel: CancellationToken,
) -> Records {
    let concurrency = plan.limits.concurrency.get();
    let grace = plan.grace;
    let run = Shared(Arc::new(Mutex::new(Run::new(plan))));
    let (settler, discarder) = (run.clone(), transport.clone());
    let looks = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)));
    let settled = Tickets { jobs: Some(Box::pin(jobs)), run: run.clone() }
        .map(move |ticket| exchange(&transport, &looks, ticket))
        .buffer_unordered(concurrency)
        .map(move |(id, exchange)| {
            if let Some(superseded) = settler.lock().settle(id, exchange, Instant::now()) {
                discarder.discard(superseded);
            }
        });
    Records {
        run,
        settled: Some(settled.boxed()),
        timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        stop: Stop::Awaited(Box::pin(cancel.cancelled_owned())),
        grace,
        in_a_row: 0,
    }
}

/// Permission to make one exchange now.
struct Ticket {
    id: FlightId,
    call: Call,
}

/// Makes the exchange of a ticket in a task of its own. A panic in there is a failure of this exchange alone.
fn exchange<T: Transport>(
    transport: &T,
    looks: &Arc<Semaphore>,
    ticket: Ticket,
) -> impl Future<Output = (FlightId, Exchange)> + use<T> {
    let judge = ticket.call.request.expect.clone().filter(|judge| judge.needs().body);
    // Kilobytes, which the runtime would otherwise move at every step of a task's life.
    let exchange = Box::pin(transport.exchange(ticket.call));
    let task = AbortOnDropHandle::new(match judge {
        None => tokio::spawn(exchange),
        Some(judge) => tokio::spawn(looked_at(exchange, judge, Arc::clone(looks))),
    });
    async move {
        let began = Instant::now();
        let exchange = task.await.unwrap_or_else(|error| {
            // What a panic says may quote the data that it came from, secrets among them.
            let why = if error.is_panic() { "a part of this program panicked" } else { "it was given up" };
            let failure = Failure::new(FailureKind::InternalError, format!("the exchange did not end: {why}"));
            let mut exchange = Exchange::unsent(SystemTime::now(), failure);
            exchange.timing.total = began.elapsed();
            exchange
        });
        (ticket.id, exchange)
    }
}

/// An exchange whose body is looked at, on a thread where that keeps up nothing else. No more of them are busy at once than
/// there are processors.
async fn looked_at(exchange: impl Future<Output = Exchange>, judge: Arc<dyn Judge>, looks: Arc<Semaphore>) -> Exchange {
    let mut exchange = exchange.await;
    let Some(mut response) = exchange.response.take() else { return exchange };
    if exchange.failure.is_none() {
        let turn = looks.acquire_owned().await.expect("nobody closes it");
        let looked = tokio::task::spawn_blocking(move || {
            let unmet = judge.look(&response);
            let kept = response.kept.get_or_insert_default();
            (kept.unmet, kept.body) = (unmet, None);
            drop(turn);
            response
        });
        response = match looked.await.map_err(JoinError::try_into_panic) {
            Ok(response) => response,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The program is about to end.
            Err(Err(_)) => {
                let message = "the run ended before the body was looked at";
                exchange.failure = Some(Failure::new(FailureKind::Canceled, message));
                return exchange;
            }
        };
    }
    exchange.response = Some(response);
    exchange
}

/// The tickets of all exchanges that may leave, as soon as they may. Reads ahead, so that every origin can have its turn.
struct Tickets<J> {
    /// `None` when the input has ended.
    jobs: Option<Pin<Box<J>>>,
    run: Shared,
}

impl<J: Stream<Item = Job>> Stream for Tickets<J> {
    type Item = Ticket;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Ticket>> {
        let Self { jobs, run } = &mut *self;
        let now = Instant::now();
        let mut run = run.lock();
        let may_be_more = read_on(jobs, &mut run, now, cx);
        if let Some(ticket) = run.next_ticket(now) {
            return Poll::Ready(Some(ticket));
        }
        if run.frontier.is_complete() && run.frontier.is_empty() {
            return Poll::Ready(None);
        }
        if may_be_more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Admits some more lines, as far as they are there and there is room. Tells whether there may be more at once.
fn read_on<J: Stream<Item = Job>>(
    jobs: &mut Option<Pin<Box<J>>>,
    run: &mut Run,
    now: Instant,
    cx: &mut Context<'_>,
) -> bool {
    if run.is_winding_down {
        *jobs = None;
    }
    for _ in 0..READ_PER_TICKET {
        let Some(source) = jobs else {
            run.frontier.complete();
            return false;
        };
        if !run.may_read_on() {
            return false;
        }
        match source.poll_next_unpin(cx) {
            Poll::Ready(Some(job)) => run.admit(job, now),
            Poll::Ready(None) => *jobs = None,
            Poll::Pending => return false,
        }
    }
    true
}

/// The records of a run, as a stream.
pub struct Records {
    run: Shared,
    /// Exchanges, settled as they end; `None` when all is over.
    settled: Option<Pin<Box<dyn Stream<Item = ()> + Send>>>,
    timer: Pin<Box<Sleep>>,
    stop: Stop,
    grace: Duration,
    /// Records given out since the pool was looked at.
    in_a_row: usize,
}

/// How far the run is stopped.
enum Stop {
    /// It goes on until the token is cancelled, or enough has failed.
    Awaited(Pin<Box<WaitForCancellationFutureOwned>>),
    /// Exchanges in flight have until then.
    Grace(Pin<Box<Sleep>>),
    /// Nothing is left to stop.
    Done,
}

impl Records {
    /// What the run is doing right now.
    pub fn snapshot(&self) -> Snapshot {
        self.run.lock().snapshot(Instant::now())
    }

    /// What was learned of the origins that pushed back, those that did so most often first. Of a long run with very many
    /// origins, the ones idle longest are forgotten.
    pub fn learned(&self) -> Vec<Learned> {
        self.run.lock().frontier.learned(Instant::now().into_std())
    }

    /// Whether as many lines have failed as the [`FailureLimit`] says, their records given out or not.
    pub fn has_failed_enough(&self) -> bool {
        self.run.lock().has_failed_enough()
    }

    /// Stops the run as far as it has been asked to.
    fn poll_stop(&mut self, cx: &mut Context<'_>) {
        if let Stop::Awaited(cancelled) = &mut self.stop
            && (cancelled.as_mut().poll(cx).is_ready() || self.run.lock().has_failed_enough())
        {
            self.run.lock().wind_down(Instant::now());
            self.stop = Stop::Grace(Box::pin(tokio::time::sleep(self.grace)));
        }
        if let Stop::Grace(sleep) = &mut self.stop
            && sleep.as_mut().poll(cx).is_ready()
        {
            self.settled = None;
            self.run.lock().cancel_flights(Instant::now());
            self.stop = Stop::Done;
        }
    }

    /// Moves on what the passing of time moves on, and arranges to be woken at the next such time.
    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        let mut run = self.run.lock();
        while let Some(next) = run.tick(Instant::now()) {
            self.timer.as_mut().reset(next);
            if self.timer.as_mut().poll(cx).is_pending() {
                return;
            }
        }
    }
}

impl Stream for Records {
    type Item = Box<Record>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Box<Record>>> {
        let this = &mut *self;
        if this.in_a_row < MOST_IN_A_ROW
            && let Some(record) = this.run.lock().window.pop()
        {
            this.in_a_row += 1;
            return Poll::Ready(Some(record));
        }
        this.in_a_row = 0;
        loop {
            this.poll_stop(cx);
            this.poll_timer(cx);
            let settled = match &mut this.settled {
                Some(settled) => settled.poll_next_unpin(cx),
                None => Poll::Ready(None),
            };
            match settled {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => {
                    this.settled = None;
                    return Poll::Ready(this.run.lock().window.pop());
                }
                // Lines that are no request, and jobs whose time is over, have their records without an exchange.
                Poll::Pending => {
                    let mut run = this.run.lock();
                    let record = run.window.pop();
                    // A line just read may have to wait for a time that the timer does not know yet.
                    if record.is_some() || run.is_timed(this.timer.deadline()) {
                        return record.map_or(Poll::Pending, |record| Poll::Ready(Some(record)));
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}

/// What the run is doing right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Lines read so far and not forgotten by a stop.
    pub admitted: u64,
    /// Whether the input has ended, so that `admitted` is the total.
    pub input_ended: bool,
    /// Lines read that will have no record because the run was stopped before they were started.
    pub not_started: u64,
    /// Lines that are done, whether their records have been given out or wait for an older line.
    pub finished: u64,
    /// Records given out so far.
    pub written: u64,
    /// Requests sent so far, redirects and retries included.
    pub requests: u64,
    /// Exchanges being made.
    pub in_flight: usize,
    /// Jobs that wait for a place in the pool or at their origin.
    pub queued: usize,
    /// Jobs that wait for their backoff to end.
    pub backing_off: usize,
    /// Jobs that wait for their origin's gate to open.
    pub gated: usize,
}

/// The state of a run. One task uses it, so that the lock is never contended.
#[derive(Clone)]
struct Shared(Arc<Mutex<Run>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Run> {
        self.0.lock().expect("a panic under this lock has ended the run")
    }
}

/// The state of a run: everything that is decided is decided here, at a time that is passed in.
struct Run {
    policy: Policy,
    frontier: Frontier,
    window: Window,
    rng: fastrand::Rng,
    is_winding_down: bool,
    not_started: u64,
    failure_limit: Option<FailureLimit>,
    failures: u64,
}

impl Run {
    fn new(plan: Plan) -> Self {
        Self {
            frontier: Frontier::new(&plan.limits),
            policy: plan.policy,
            window: Window::new(plan.order, plan.window),
            rng: fastrand::Rng::with_seed(plan.seed),
            is_winding_down: false,
            not_started: 0,
            failure_limit: plan.failure_limit,
            failures: 0,
        }
    }

    fn may_read_on(&self) -> bool {
        // While the network is down no line is taken, except one to probe it with if none is left.
        let makes_sense = !self.frontier.is_network_down() || self.frontier.is_empty();
        let (waiting, bytes) = (self.frontier.waiting(), self.frontier.waiting_bytes());
        let has_few = waiting == 0 || (waiting < READ_AHEAD && bytes < self.window.read_ahead_bytes());
        self.window.has_room() && has_few && makes_sense
    }

    fn admit(&mut self, job: Job, now: Instant) {
        let index = self.window.admit();
        match JobState::new(index, job, now.into_std()) {
            Ok(job) => self.frontier.push(Box::new(job), None, now.into_std()),
            Err(record) => self.put(record),
        }
    }

    /// Hands in the record of a line that is done.
    fn put(&mut self, record: Box<Record>) {
        let counts = self.failure_limit.is_some_and(|limit| limit.flaky.fails(record.verdict));
        self.failures += u64::from(counts && !record.is_skipped());
        self.window.put(record);
    }

    fn has_failed_enough(&self) -> bool {
        self.failure_limit.is_some_and(|limit| self.failures >= limit.failures.get())
    }

    fn next_ticket(&mut self, now: Instant) -> Option<Ticket> {
        let only = self.window.is_exhausted().then(|| self.window.written());
        let (id, flight) = self.frontier.pop(only, now.into_std())?;
        let call = Call {
            request: flight.job.request.clone(),
            index: flight.job.index,
            time_limit: self.policy.time_limit(&flight.job, now.into_std()),
            follows_redirects: self.policy.redirects.limit > 0,
        };
        Some(Ticket { id, call })
    }

    /// Draws the consequences of an exchange that is over: a record, or the job goes back into the frontier and the exchange
    /// is given back.
    fn settle(&mut self, id: FlightId, mut exchange: Exchange, now: Instant) -> Option<Exchange> {
        let now = now.into_std();
        let gate = self.gate(&exchange, now);
        let mut flight = self.frontier.take(id);
        // Where processors are scarce, an exchange waits for one before it begins, and when it is over.
        flight.left = flight.left.max(now.checked_sub(exchange.timing.total).unwrap_or(now));
        if exchange.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::AttemptTimeout)
            && self.policy.is_cut_short(&flight.job, flight.left)
        {
            exchange.failure = Some(self.line_time_up(&flight.job, "during this request"));
        }
        let next = self.next(&flight, &exchange, now);
        self.frontier.land(&flight, &exchange, gate, now);
        let (job, left) = (&mut flight.job, flight.left);
        match next {
            Next::Finish(ending) => {
                self.put(flight.job.finish(exchange, ending, &self.policy, left, now));
                return None;
            }
            Next::Hop(request) => {
                job.hop(*request, &exchange, left, now);
                let deadline = self.policy.deadline(job, left);
                self.frontier.push(flight.job, Some(deadline), now);
            }
            Next::Postpone { not_before } => {
                job.postpone(&exchange, left, now);
                self.frontier.push_later(flight.job, not_before);
            }
            Next::Retry { not_before, reason } => {
                job.retry(&reason, &exchange, left, now);
                self.frontier.push_later(flight.job, not_before);
            }
        }
        Some(exchange)
    }

    /// What comes after an exchange, when the budgets have been asked too: a retry is paid for, and a success earns some.
    fn next(&mut self, flight: &Flight, exchange: &Exchange, now: std::time::Instant) -> Next {
        let outcome =
            Outcome { job: &flight.job, exchange, left: flight.left, now, winding_down: self.is_winding_down };
        let next = self.policy.next(outcome, &mut self.rng);
        match &next {
            Next::Retry { .. } => {
                if let Err(stop) = self.frontier.spend_retry(flight, now) {
                    return Next::Finish(Ending { retry_stopped_by: Some(stop), ..Ending::default() });
                }
            }
            Next::Hop(_) => self.frontier.earn(flight),
            Next::Finish(ending) if *ending == Ending::default() && Signal::of(exchange) == Signal::Good => {
                self.frontier.earn(flight);
            }
            Next::Finish(_) | Next::Postpone { .. } => {}
        }
        next
    }

    /// Until when the origin of `exchange` wants to be left alone, as far as we agree to it. Some jitter keeps all that wait
    /// for it from coming at once.
    fn gate(&mut self, exchange: &Exchange, now: std::time::Instant) -> Option<std::time::Instant> {
        let wait = wait_asked_for(exchange).filter(|wait| *wait <= self.policy.retries.max_retry_after)?;
        let jitter = wait.mul_f64(GATE_JITTER * self.rng.f64());
        Some(after(now, wait.saturating_add(jitter)))
    }

    /// Ends jobs that have no more time, and tells when that may be so next.
    fn tick(&mut self, now: Instant) -> Option<Instant> {
        let now = now.into_std();
        while let Some((job, time_up)) = self.frontier.tick(now, |job| self.policy.deadline(job, now)) {
            let failure = self.time_up(&job, time_up);
            self.put(job.end_waiting(failure, now));
        }
        self.frontier.next_tick(now).map(Instant::from_std)
    }

    /// Whether a timer set to `timer` goes off in time.
    fn is_timed(&self, timer: Instant) -> bool {
        let next = self.frontier.next_tick(Instant::now().into_std());
        next.is_none_or(|next| next >= timer.into_std() && timer > Instant::now())
    }

    fn time_up(&self, job: &JobState, time_up: TimeUp) -> Failure {
        match time_up {
            TimeUp::Line => self.line_time_up(job, "while it waited to go on"),
            TimeUp::Circuit(cause) => {
                let message = format!("the host could not be reached again and again, lately because of {cause}");
                Failure::new(FailureKind::HostCircuitOpen, message)
            }
        }
    }

    /// The end of a line's time, which is laid to what this machine lacked, if that is why nothing came of the line.
    fn line_time_up(&self, job: &JobState, when: &str) -> Failure {
        let message = format!("the line's time of {:?} (--retry-max-time) ended {when}", self.policy.retries.max_time);
        match job.lacked() {
            None => Failure::new(FailureKind::TotalTimeout, message),
            Some(lack) => Failure::new(lack.kind, format!("{}; {message}", lack.message)),
        }
    }

    /// Lets nothing new leave: what waits is ended or, if nothing after it was started, forgotten.
    fn wind_down(&mut self, now: Instant) {
        self.is_winding_down = true;
        let waiting = self.frontier.drain_waiting(now.into_std());
        let started = waiting.iter().filter(|job| job.has_started()).map(|job| job.index);
        let in_flight = self.frontier.flights().map(|flight| flight.job.index);
        let end = self.window.end_of_records(started.chain(in_flight));
        for job in waiting {
            if job.has_started() || job.index < end {
                let message = "the run was stopped while this line waited for its turn";
                self.put(job.end_waiting(Failure::new(FailureKind::Canceled, message), now.into_std()));
            } else {
                self.not_started += 1;
            }
        }
        self.window.forget(self.not_started);
    }

    /// Ends what is in flight, when its exchanges have been dropped.
    fn cancel_flights(&mut self, now: Instant) {
        for flight in self.frontier.drain_flights() {
            self.put(flight.job.cancel(&self.policy, flight.left, now.into_std()));
        }
    }

    fn snapshot(&self, now: Instant) -> Snapshot {
        let gated = self.frontier.gated(now.into_std());
        Snapshot {
            admitted: self.window.admitted(),
            input_ended: self.frontier.is_complete(),
            not_started: self.not_started,
            finished: self.window.finished(),
            written: self.window.written(),
            requests: self.frontier.departures(),
            in_flight: self.frontier.in_flight(),
            queued: self.frontier.waiting() - gated,
            backing_off: self.frontier.backing_off(),
            gated,
        }
    }
}
