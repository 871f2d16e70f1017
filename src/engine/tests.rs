//! The engine's invariants, with a scripted transport under a paused clock: no sockets, no real time.

use std::collections::{BTreeMap, HashMap};
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Order, Plan, Records, WindowLimits, run};
use crate::model::{
    BadLine, Call, Exchange, Failure, FailureKind, Job, Origin, Record, Response, RetryStop, Timing, Transport, Verdict,
};

mod limits;

/// What the scripted server does with one exchange.
#[derive(Debug, Clone)]
enum Step {
    /// Answers with this status after so many milliseconds.
    Answer { after: u64, status: u16 },
    /// Answers with this status and `Retry-After` in seconds.
    RetryAfter { status: u16, seconds: u64 },
    /// Redirects to this URL.
    Redirect { after: u64, to: String },
    /// Fails.
    Fail { after: u64, kind: FailureKind },
    /// Answers with 200 after so many milliseconds, or at once with 429 if its origin has more than `most` at once.
    Busy { after: u64, most: usize },
    /// Has no route for so many milliseconds from the start of the run, and then answers.
    Outage { millis: u64 },
    /// Never answers.
    Hang,
    /// Panics.
    Panic,
}

/// What the scripted server saw of one exchange.
#[derive(Debug, Clone)]
struct Seen {
    index: u64,
    url: String,
    origin: Origin,
    at: Instant,
    end: Option<Instant>,
    /// The wait that it asked for.
    retry_after: Option<u64>,
    status: Option<u16>,
}

/// A transport that follows a script: the steps of each URL in turn, the last one again and again.
#[derive(Clone, Default)]
struct Script {
    steps: Arc<HashMap<String, Vec<Step>>>,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = (String, Vec<Step>)>) -> Self {
        Self { steps: Arc::new(steps.into_iter().collect()), log: Arc::default() }
    }

    fn log(&self) -> Vec<Seen> {
        self.log.lock().expect("no test panics under the lock").clone()
    }

    /// The greatest number of exchanges that were under way at the same time, among those that `of` selects.
    fn most_at_once(&self, of: impl Fn(&Seen) -> bool) -> usize {
        let mut changes: BTreeMap<(Instant, bool), isize> = BTreeMap::new();
        for seen in self.log().iter().filter(|seen| of(seen)) {
            *changes.entry((seen.at, true)).or_default() += 1;
            if let Some(end) = seen.end {
                *changes.entry((end, false)).or_default() -= 1;
            }
        }
        changes
            .values()
            .scan(0, |now, change| {
                *now += change;
                Some(*now)
            })
            .max()
            .map_or(0, isize::unsigned_abs)
    }
}

impl Transport for Script {
    fn exchange(&self, call: Call) -> impl Future<Output = Exchange> + Send + 'static {
        let url = call.request.url.to_string();
        let origin = Origin::of(&call.request.url).expect("an http URL");
        let mut log = self.log.lock().expect("no test panics under the lock");
        let turn = log.iter().filter(|seen| seen.url == url && seen.index == call.index).count();
        let number = log.len();
        let since_start = log.first().map_or(Duration::ZERO, |first| first.at.elapsed());
        let at_once = log.iter().filter(|seen| seen.origin == origin && seen.end.is_none()).count();
        log.push(Seen {
            index: call.index,
            url: url.clone(),
            origin,
            at: Instant::now(),
            end: None,
            retry_after: None,
            status: None,
        });
        drop(log);
        let steps = self.steps.get(&url).cloned().unwrap_or_else(|| vec![Step::Answer { after: 1, status: 200 }]);
        let step = match steps[turn.min(steps.len() - 1)].clone() {
            Step::Busy { most, .. } if at_once >= most => Step::Answer { after: 0, status: 429 },
            Step::Busy { after, .. } => Step::Answer { after, status: 200 },
            Step::Outage { millis } if since_start < Duration::from_millis(millis) => {
                Step::Fail { after: 1, kind: FailureKind::ConnectUnreachable }
            }
            Step::Outage { .. } => Step::Answer { after: 1, status: 200 },
            step => step,
        };
        let asked = match step {
            Step::RetryAfter { seconds, .. } => Some(seconds),
            _ => None,
        };
        let log = self.log.clone();
        async move {
            let started = Instant::now();
            let outcome = tokio::time::timeout(call.time_limit, play(step)).await;
            let (response, failure) =
                outcome.unwrap_or_else(|_| (None, Some(Failure::new(FailureKind::AttemptTimeout, "too slow"))));
            let seen = &mut log.lock().expect("no test panics under the lock")[number];
            seen.end = Some(Instant::now());
            seen.retry_after = asked;
            seen.status = response.as_ref().map(|response| response.status.as_u16());
            let timing = Timing { total: started.elapsed(), ..Timing::default() };
            Exchange {
                timestamp: SystemTime::UNIX_EPOCH,
                timing,
                remote_ip: None,
                in_connect: false,
                resend: None,
                response,
                failure,
            }
        }
    }
}

async fn play(step: Step) -> (Option<Response>, Option<Failure>) {
    let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
    match step {
        Step::Answer { after, status } => {
            pause(after).await;
            (Some(response(status, None)), None)
        }
        Step::RetryAfter { status, seconds } => {
            let field = (header::RETRY_AFTER, seconds.to_string());
            (Some(response(status, Some(field))), None)
        }
        Step::Redirect { after, to } => {
            pause(after).await;
            (Some(response(302, Some((header::LOCATION, to)))), None)
        }
        Step::Fail { after, kind } => {
            pause(after).await;
            (None, Some(Failure::new(kind, "scripted")))
        }
        Step::Busy { .. } | Step::Outage { .. } => unreachable!("the transport has made an answer of it"),
        Step::Hang => std::future::pending().await,
        Step::Panic => panic!("scripted"),
    }
}

fn response(status: u16, field: Option<(header::HeaderName, String)>) -> Response {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = field {
        headers.insert(name, HeaderValue::from_str(&value).expect("a legal value"));
    }
    Exchange::answered(status, headers).response.expect("it is answered")
}

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

fn reach(records: u64) -> WindowLimits {
    WindowLimits { records: NonZeroU64::new(records).expect("not zero"), ..WindowLimits::default() }
}

fn plan(concurrency: usize, max_per_host: usize) -> Plan {
    let mut plan = Plan { seed: 7, ..Plan::default() };
    plan.limits.concurrency = count(concurrency);
    plan.limits.max_per_host = NonZeroUsize::new(max_per_host);
    plan
}

fn job(url: &str) -> Job {
    Job::from(url.parse::<url::Url>().expect("a URL"))
}

fn bad_line() -> Job {
    let failure = Failure::new(FailureKind::UrlInvalid, "scripted");
    let bad = BadLine { text: "nonsense".to_owned(), raw: None, failure };
    Job { request: Err(Box::new(bad)), ..job("http://unused.example/") }
}

fn start(jobs: Vec<Job>, script: &Script, plan: Plan) -> Records {
    run(futures::stream::iter(jobs), script.clone(), plan, CancellationToken::new())
}

/// Runs all jobs on a paused clock.
#[expect(clippy::vec_box, reason = "records are boxed as long as they live")]
fn records(jobs: Vec<Job>, script: &Script, plan: Plan) -> Vec<Box<Record>> {
    paused(|| start(jobs, script, plan).collect())
}

/// Runs a future on a paused clock: time passes only while nothing else can happen.
fn paused<F: Future>(future: impl FnOnce() -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async { future().await })
}

/// Whether requests at these times keep to a rate of `count` in a second: no second sees more, wherever it begins, and
/// they are spread evenly.
fn holds(rate: super::Rate, count: u32, times: &[Instant]) -> bool {
    let seconds = times.iter().zip(times.iter().skip(count as usize));
    let in_a_second = seconds.map(|(first, next)| *next - *first).all(|taken| taken >= Duration::from_secs(1));
    in_a_second && times.windows(2).all(|pair| pair[1] - pair[0] + rate.lateness() >= rate.interval())
}

/// A list: which origin each line asks, and what happens there.
fn lists() -> impl Strategy<Value = Vec<(u8, Vec<Step>)>> {
    let kind = prop_oneof![
        Just(FailureKind::ConnectRefused),
        Just(FailureKind::TlsCertExpired),
        Just(FailureKind::ReadTimeout)
    ];
    let step = prop_oneof![
        8 => (0..2_000_u64, prop_oneof![6 => Just(200_u16), 1 => Just(404), 2 => Just(503)])
            .prop_map(|(after, status)| Step::Answer { after, status }),
        1 => (0..5_u64).prop_map(|seconds| Step::RetryAfter { status: 429, seconds }),
        1 => (0..500_u64, 0..4_u8, 0..9_u8).prop_map(|(after, host, path)| Step::Redirect { after, to: format!("http://h{host}.example/r{path}") }),
        1 => (0..500_u64, kind).prop_map(|(after, kind)| Step::Fail { after, kind }),
        1 => Just(Step::Hang),
        1 => Just(Step::Panic),
    ];
    prop::collection::vec((0..5_u8, prop::collection::vec(step, 1..4)), 0..40)
}

fn scripted(list: &[(u8, Vec<Step>)]) -> (Vec<Job>, Script) {
    let url = |line: usize, host: u8| format!("http://h{host}.example/{line}");
    let jobs = list.iter().enumerate().map(|(line, (host, _))| match host {
        4 => bad_line(),
        host => job(&url(line, *host)),
    });
    let steps = list.iter().enumerate().map(|(line, (host, steps))| (url(line, *host), steps.clone()));
    (jobs.collect(), Script::new(steps))
}

/// A panic of a scripted exchange is part of the script, so its message is no news.
fn without_panic_messages() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<&str>() != Some(&"scripted") {
            let mut stderr = std::io::stderr();
            drop(std::io::Write::write_fmt(&mut stderr, format_args!("{info}\n")));
        }
    }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Invariants 1, 2 and 6.
    #[test]
    fn one_line_one_record_in_order_within_the_limits(list in lists(), concurrency in 1..9_usize, per_host in 0..4_usize, window in 1..9_u64) {
        without_panic_messages();
        let (jobs, script) = scripted(&list);
        let plan = Plan { window: reach(window), ..plan(concurrency, per_host) };
        let (max_time, attempts) = (plan.policy.retries.max_time, 1 + plan.policy.retries.attempts as usize);
        let records = records(jobs, &script, plan);

        let indices: Vec<u64> = records.iter().map(|record| record.index).collect();
        prop_assert_eq!(indices, (0..list.len() as u64).collect::<Vec<_>>());
        for record in &records {
            let longest = max_time + Duration::from_millis(1);
            prop_assert!(record.time_total.unwrap_or_default() <= longest, "took too long: {:?}", record);
        }
        // Those that panic do not say when they end; they end at once.
        let ends = |seen: &Seen| seen.end.is_some();
        prop_assert!(script.most_at_once(ends) <= concurrency);
        for host in 0..4_u8 {
            let name = format!("h{host}.example");
            let most = script.most_at_once(|seen| ends(seen) && seen.origin.host() == name);
            prop_assert!(per_host == 0 || most <= per_host, "{} at once to {}", most, name);
        }
        for asked in script.log() {
            let Some((end, seconds)) = asked.end.zip(asked.retry_after) else { continue };
            let opens = end + Duration::from_secs(seconds);
            let early = script.log().into_iter().find(|seen| seen.origin == asked.origin && seen.at > end && seen.at < opens);
            prop_assert!(early.is_none(), "{:?} left before the gate of {:?} opened", early, asked);
        }
        for index in 0..list.len() as u64 {
            let first = script.log().iter().find(|seen| seen.index == index).map(|seen| seen.url.clone());
            let tries = script.log().iter().filter(|seen| seen.index == index && Some(&seen.url) == first.as_ref()).count();
            prop_assert!(tries <= attempts, "line {} was tried {} times", index, tries);
        }
    }

    /// Neither the rate of the run nor that of an origin is exceeded in any window of time.
    #[test]
    fn no_window_of_time_sees_more_than_the_rate(hosts in prop::collection::vec(0..3_u8, 1..60), rate in 1..50_u32, per_host in 1..50_u32) {
        let jobs = hosts.iter().enumerate().map(|(line, host)| job(&format!("http://h{host}.example/{line}"))).collect();
        let script = Script::default();
        let mut plan = plan(64, 0);
        plan.limits.rate = super::Rate::new(rate, Duration::from_secs(1));
        plan.limits.rate_per_host = super::Rate::new(per_host, Duration::from_secs(1));
        let rates = [plan.limits.rate, plan.limits.rate_per_host].map(|rate| rate.expect("a valid rate"));
        prop_assert_eq!(records(jobs, &script, plan).len(), hosts.len());
        let mut all: Vec<Instant> = script.log().iter().map(|seen| seen.at).collect();
        all.sort();
        prop_assert!(holds(rates[0], rate, &all));
        for host in 0..3 {
            let name = format!("h{host}.example");
            let of_host: Vec<Instant> = script.log().iter().filter(|seen| seen.origin.host() == name).map(|seen| seen.at).collect();
            prop_assert!(holds(rates[1], per_host, &of_host));
        }
    }

    /// Invariant 1, when the run is stopped at any time.
    #[test]
    fn a_stopped_run_gives_a_whole_beginning_of_the_input(list in lists(), after in 0..5_000_u64, concurrency in 1..9_usize) {
        without_panic_messages();
        let (jobs, script) = scripted(&list);
        let cancel = CancellationToken::new();
        let plan = plan(concurrency, 2);
        let latest = Duration::from_millis(after) + plan.grace + Duration::from_millis(2);
        let (records, took) = paused(|| async {
            let started = Instant::now();
            let stop = cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                stop.cancel();
            });
            let records: Vec<_> = run(futures::stream::iter(jobs), script.clone(), plan, cancel).collect().await;
            (records, started.elapsed())
        });
        prop_assert!(took <= latest, "ended {:?} after the start", took);
        let indices: Vec<u64> = records.iter().map(|record| record.index).collect();
        prop_assert_eq!(indices, (0..records.len() as u64).collect::<Vec<_>>());
        let last_started = script.log().iter().map(|seen| seen.index + 1).max().unwrap_or(0);
        prop_assert!(records.len() as u64 >= last_started, "a line that was started has no record");
    }
}

#[test]
fn the_whole_takes_as_long_as_the_slowest() {
    let delays = [1_000, 2_000, 1_000];
    let url = |n: usize| format!("http://h.example/{n}");
    let script =
        Script::new(delays.iter().enumerate().map(|(n, &after)| (url(n), vec![Step::Answer { after, status: 200 }])));
    let jobs = (0..3).map(|n| job(&url(n))).collect();
    let (records, took) = paused(|| async {
        let started = Instant::now();
        let records: Vec<_> = start(jobs, &script, plan(64, 8)).collect().await;
        (records, started.elapsed())
    });
    assert_eq!(records.iter().map(|record| record.url.as_str()).collect::<Vec<_>>(), [url(0), url(1), url(2)]);
    assert_eq!(took.as_millis(), 2_000);
}

#[test]
fn the_oldest_line_that_may_go_goes_first() {
    let jobs =
        ["http://a.example/0", "http://a.example/1", "http://b.example/2", "http://a.example/3", "http://b.example/4"];
    let script = Script::default();
    records(jobs.map(job).into(), &script, plan(2, 1));
    let order: Vec<u64> = script.log().iter().map(|seen| seen.index).collect();
    assert_eq!(order, [0, 2, 1, 4, 3]);
}

#[test]
fn a_list_sorted_by_host_keeps_every_host_busy() {
    let jobs: Vec<Job> = (0..20_000).map(|n| job(&format!("http://h{}.example/{n}", n / 500))).collect();
    let script = Script::default();
    let (_, took) = paused(|| async {
        let started = Instant::now();
        let count = start(jobs, &script, plan(256, 8)).count().await;
        (count, started.elapsed())
    });
    // 20,000 lines of 1 ms, 256 at once. Were the oldest lines first, 32 hosts would take all places, and the last 8 come after.
    // Would the same 16 hosts always have the seventh place, the other 24 could not fill the pool once those are through.
    assert!(took <= Duration::from_millis(79), "took {took:?}");
}

#[test]
fn a_gate_holds_up_its_origin_and_no_other() {
    let limited = vec![Step::RetryAfter { status: 429, seconds: 2 }, Step::Answer { after: 5, status: 200 }];
    let mut jobs = vec![job("http://limited.example/0")];
    jobs.extend((1..100).map(|n| job(&format!("http://h{n}.example/{n}"))));
    jobs.push(job("http://limited.example/100"));
    let script = Script::new([("http://limited.example/0".to_owned(), limited)]);
    let records = records(jobs, &script, plan(4, 1));
    let log = script.log();
    let zero = log[0].at;
    for seen in &log[1..] {
        let is_limited = seen.origin.host() == "limited.example";
        assert_eq!(
            seen.at.duration_since(zero) >= Duration::from_secs(2),
            is_limited,
            "{} left at the wrong time",
            seen.url
        );
    }
    assert_eq!(records[0].verdict, Verdict::Flaky);
    assert_eq!(records[0].attempts.len(), 2);
    assert_eq!(records[0].attempts[0].followed_by.as_deref(), Some("retry: status 429"));
    assert!(records[0].time_wait >= Some(Duration::from_secs(2)));
}

#[test]
fn a_longer_wait_than_allowed_is_told_and_not_waited_for() {
    let script =
        Script::new([("http://a.example/".to_owned(), vec![Step::RetryAfter { status: 429, seconds: u64::MAX }])]);
    let records = records(vec![job("http://a.example/"), job("http://a.example/next")], &script, plan(4, 1));
    let record = &records[0];
    assert_eq!(record.error.as_ref().map(|failure| failure.kind), Some(FailureKind::RateLimited));
    assert_eq!(record.status, Some(429));
    assert_eq!(record.retry_after, Some(Duration::from_secs(u64::MAX)));
    assert_eq!(record.retry_stopped_by, Some(RetryStop::MaxRetryAfter));
    assert!(records[1].ok);
    assert_eq!(script.log().len(), 2);
}

#[test]
fn hops_and_retries_pass_the_limit_of_their_own_origin() {
    let mut steps: Vec<(String, Vec<Step>)> = (0..3)
        .map(|n| {
            let target = Step::Redirect { after: 1, to: format!("http://slow.example/{n}") };
            (format!("http://h{n}.example/"), vec![target])
        })
        .collect();
    steps.extend((0..3).map(|n| {
        let fail = Step::Fail { after: 50, kind: FailureKind::Reset };
        (format!("http://slow.example/{n}"), vec![fail, Step::Answer { after: 50, status: 200 }])
    }));
    let script = Script::new(steps);
    let records = records((0..3).map(|n| job(&format!("http://h{n}.example/"))).collect(), &script, plan(64, 1));
    assert!(records.iter().all(|record| record.verdict == Verdict::Flaky && record.num_redirects == 1));
    assert_eq!(script.most_at_once(|seen| seen.origin.host() == "slow.example"), 1);
    // An attempt begins with the request of the line, so the redirect is asked for again.
    assert_eq!(script.log().len(), 12);
    assert_eq!(records[0].attempts[0].hops.len(), 2);
}

#[test]
fn a_job_that_waits_holds_no_place() {
    let gone = vec![Step::RetryAfter { status: 503, seconds: 30 }, Step::Answer { after: 1, status: 200 }];
    let steps = (0..64).map(|n| (format!("http://h{n}.example/"), gone.clone()));
    let script = Script::new(steps);
    let mut jobs: Vec<Job> = (0..64).map(|n| job(&format!("http://h{n}.example/"))).collect();
    jobs.extend((0..64).map(|n| job(&format!("http://good{n}.example/"))));
    records(jobs, &script, plan(1, 1));
    let log = script.log();
    let good = log.iter().filter(|seen| seen.origin.host().starts_with("good"));
    let last = good.map(|seen| seen.at.duration_since(log[0].at)).max();
    assert!(last < Some(Duration::from_secs(1)), "the last good one left after {last:?}");
}

#[test]
fn a_request_that_may_have_been_processed_is_not_sent_twice() {
    let post = |url: &str| {
        let mut job = job(url);
        job.request.as_mut().expect("a good line").method = http::Method::POST;
        job
    };
    let fail = |kind| vec![Step::Fail { after: 1, kind }];
    let script = Script::new([
        ("http://a.example/sent".to_owned(), fail(FailureKind::Reset)),
        ("http://a.example/refused".to_owned(), fail(FailureKind::ConnectRefused)),
    ]);
    let records = records(vec![post("http://a.example/sent"), post("http://a.example/refused")], &script, plan(4, 4));
    assert_eq!(records[0].retry_stopped_by, Some(RetryStop::Method));
    assert_eq!((records[0].num_retries, records[1].num_retries), (0, 2));
    assert_eq!(records[1].retry_stopped_by, Some(RetryStop::Attempts));
}

#[test]
fn no_retry_starts_after_the_time_of_the_line() {
    let script = Script::new([("http://a.example/".to_owned(), vec![Step::Answer { after: 700, status: 503 }])]);
    let mut plan = plan(4, 4);
    plan.policy.retries.max_time = Duration::from_secs(1);
    plan.policy.retries.attempts = 100;
    let records = records(vec![job("http://a.example/")], &script, plan);
    let record = &records[0];
    assert!(record.time_total <= Some(Duration::from_secs(1)), "{record:?}");
    assert!(record.retry_stopped_by == Some(RetryStop::RetryMaxTime), "{record:?}");
}

#[test]
fn the_end_of_a_lines_time_is_not_laid_to_the_host() {
    let script = always(&Step::Hang, ["http://a.example/".to_owned()]);
    let mut plan = plan(4, 4);
    plan.policy.max_time = Duration::from_mins(1);
    plan.policy.retries.max_time = Duration::from_secs(2);
    let (record, learned) = paused(|| async {
        let mut records = start(vec![job("http://a.example/")], &script, plan);
        (records.next().await.expect("a record"), records.learned())
    });
    let failure = record.error.expect("a failure");
    assert_eq!((failure.kind, record.retry_stopped_by), (FailureKind::TotalTimeout, None));
    assert!(failure.message.contains("2s (--retry-max-time) ended during this request"), "{}", failure.message);
    assert_eq!((record.time_total, learned), (Some(Duration::from_secs(2)), Vec::new()));
}

#[test]
fn a_line_that_waits_too_long_at_a_gate_ends_with_its_time() {
    let second_gate = vec![Step::RetryAfter { status: 429, seconds: 50 }];
    let first = vec![Step::RetryAfter { status: 429, seconds: 1 }];
    let script =
        Script::new([("http://a.example/0".to_owned(), first), ("http://a.example/1".to_owned(), second_gate)]);
    let mut plan = plan(4, 4);
    plan.policy.retries.max_time = Duration::from_secs(10);
    let (records, took) = paused(|| async {
        let started = Instant::now();
        let records: Vec<_> =
            start(vec![job("http://a.example/0"), job("http://a.example/1")], &script, plan).collect().await;
        (records, started.elapsed())
    });
    assert_eq!(records[0].error.as_ref().map(|failure| failure.kind), Some(FailureKind::TotalTimeout));
    assert_eq!((records[0].num_retries, records[0].attempts.len()), (0, 1));
    assert!(took <= Duration::from_millis(10_002), "took {took:?}");
}

#[test]
fn a_panic_in_an_exchange_is_the_failure_of_its_line_alone() {
    without_panic_messages();
    let script = Script::new([("http://a.example/0".to_owned(), vec![Step::Panic])]);
    let records = records(vec![job("http://a.example/0"), job("http://a.example/1")], &script, plan(4, 1));
    let failure = records[0].error.as_ref().expect("a failure");
    assert_eq!(failure.kind, FailureKind::InternalError);
    assert!(!failure.message.contains("scripted"), "a panic may quote secrets: {failure}");
    assert!(records[1].ok);
}

#[test]
fn a_full_window_stops_the_reading() {
    let script = Script::new([("http://a.example/0".to_owned(), vec![Step::Hang])]);
    let read = Arc::new(Mutex::new(0));
    let counter = read.clone();
    let jobs = futures::stream::iter(0..1_000).map(move |n| {
        *counter.lock().expect("no panic here") += 1;
        job(&format!("http://a.example/{n}"))
    });
    let plan = Plan { window: reach(10), ..plan(4, 4) };
    paused(|| async {
        let mut records = run(jobs, script.clone(), plan, CancellationToken::new());
        tokio::select! {
            record = records.next() => panic!("line 0 hangs, and {record:?} came out"),
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        assert_eq!(records.snapshot().admitted, 10);
    });
    assert_eq!(*read.lock().expect("no panic here"), 10);
}

#[test]
fn lines_that_wait_take_no_more_memory_than_allowed() {
    const BODY: usize = 1 << 20;
    let mut large = job("http://a.example/");
    large.request.as_mut().expect("a request").body = Some(vec![b'x'; BODY].into());
    let mut plan = plan(4, 4);
    plan.window.memory = 16 << 20;
    let (few, all) = paused(|| async {
        let mut records = start(vec![large; 100], &Script::default(), plan);
        assert!(records.next().now_or_never().is_none());
        (records.snapshot().admitted, records.count().await)
    });
    assert!((4 + 8..=4 + 16).contains(&few) && all == 100, "{few} of {all} were read");
}

#[test]
fn what_is_done_counts_also_behind_a_slow_line() {
    let script = Script::new([("http://a.example/0".to_owned(), vec![Step::Hang])]);
    let jobs = futures::stream::iter((0..20).map(|n| job(&format!("http://a.example/{n}"))));
    paused(|| async {
        let mut records = run(jobs, script.clone(), plan(4, 4), CancellationToken::new());
        tokio::select! {
            record = records.next() => panic!("line 0 hangs, and {record:?} came out"),
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        let snapshot = records.snapshot();
        assert_eq!((snapshot.finished, snapshot.written, snapshot.requests, snapshot.in_flight), (19, 0, 20, 1));
    });
}

#[test]
fn the_pool_goes_on_while_many_records_are_taken() {
    const READY: usize = 320;
    let slow = "http://a.example/slow".to_owned();
    let url = |number: usize| format!("http://a.example/{number}");
    let jobs: Vec<Job> = std::iter::once(job(&slow)).chain((0..2 * READY).map(|number| job(&url(number)))).collect();
    // Three lines are done in each millisecond meanwhile.
    let after = u64::try_from(READY).expect("it fits") / 3;
    let script = Script::new([(slow, vec![Step::Answer { after, status: 200 }])]);
    let sent = paused(|| async {
        let mut records = start(jobs, &script, plan(4, 4));
        records.next().await.expect("the slow line's");
        let before = script.log().len();
        // Whoever takes the records needs a millisecond for each, and finds them all ready.
        for _ in 0..READY - 8 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            records.next().now_or_never().expect("a record that was ready");
        }
        script.log().len() - before
    });
    assert!(sent >= (READY - 8) / super::MOST_IN_A_ROW * 4, "{sent} requests left meanwhile");
}

/// A transport whose exchanges wait for a processor, for this long, before they begin.
#[derive(Clone)]
struct Busy(Duration);

impl Transport for Busy {
    fn exchange(&self, _: Call) -> impl Future<Output = Exchange> + Send + 'static {
        let wait = self.0;
        async move {
            tokio::time::sleep(wait).await;
            let mut exchange = Exchange::answered(200, HeaderMap::new());
            exchange.timing.total = Duration::from_millis(10);
            tokio::time::sleep(exchange.timing.total).await;
            exchange
        }
    }
}

#[test]
fn time_in_which_this_machine_was_busy_is_not_the_servers() {
    let busy = Duration::from_millis(50);
    let jobs = futures::stream::iter([job("http://a.example/")]);
    let record = paused(|| async {
        let mut records = run(jobs, Busy(busy), plan(4, 4), CancellationToken::new());
        records.next().await.expect("a record")
    });
    assert_eq!((record.time_wait, record.time_total), (Some(busy), Some(Duration::from_millis(10))));
}

#[test]
fn by_completion_the_quick_come_first() {
    let script = Script::new([("http://a.example/0".to_owned(), vec![Step::Answer { after: 500, status: 200 }])]);
    let plan = Plan { order: Order::Completion, ..plan(4, 4) };
    let records = records((0..3).map(|n| job(&format!("http://a.example/{n}"))).collect(), &script, plan);
    assert_eq!(records.iter().map(|record| record.index).collect::<Vec<_>>(), [1, 2, 0]);
}

#[test]
fn lines_that_are_no_request_need_no_place() {
    let script = Script::default();
    let records = records((0..1_000).map(|_| bad_line()).collect(), &script, plan(1, 1));
    assert_eq!((records.len(), script.log().len()), (1_000, 0));
    assert!(records.iter().all(|record| !record.ok && record.status.is_none()));
}

#[test]
fn the_first_record_is_there_before_the_input_goes_on() {
    let first = futures::stream::iter([job("http://a.example/0")]);
    let jobs = first.chain(futures::stream::pending());
    paused(|| async {
        let mut records = run(jobs, Script::default(), plan(4, 4), CancellationToken::new());
        assert_eq!(records.next().await.map(|record| record.index), Some(0));
        assert!(records.next().now_or_never().is_none());
    });
}

#[test]
fn what_is_in_flight_when_the_run_is_stopped_has_the_grace_time() {
    let script = Script::new([
        ("http://a.example/0".to_owned(), vec![Step::Answer { after: 4_000, status: 200 }]),
        ("http://a.example/1".to_owned(), vec![Step::Hang]),
    ]);
    let cancel = CancellationToken::new();
    let jobs = futures::stream::iter((0..10).map(|n| job(&format!("http://a.example/{n}"))));
    let plan = Plan { grace: Duration::from_secs(5), ..plan(2, 2) };
    let (records, snapshot) = paused(|| async {
        let mut records = run(jobs, script.clone(), plan, cancel.clone());
        assert!(records.next().now_or_never().is_none());
        cancel.cancel();
        let out: Vec<_> = records.by_ref().collect().await;
        (out, records.snapshot())
    });
    let kinds: Vec<_> = records.iter().map(|record| record.error.as_ref().map(|failure| failure.kind)).collect();
    assert_eq!(kinds, [None, Some(FailureKind::Canceled)]);
    assert_eq!(records[1].time_total, Some(Duration::from_secs(5)));
    assert_eq!((snapshot.admitted, snapshot.written), (2, 2));
    assert_eq!(script.log().len(), 2);
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let steps = || (0..20).map(|n| (format!("http://a.example/{n}"), vec![Step::Answer { after: 1, status: 503 }]));
    let times = |seed| {
        let script = Script::new(steps());
        let jobs = (0..20).map(|n| job(&format!("http://a.example/{n}"))).collect();
        records(jobs, &script, Plan { seed, ..plan(4, 4) });
        let log = script.log();
        log.iter().map(|seen| seen.at.duration_since(log[0].at)).collect::<Vec<_>>()
    };
    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
}

#[test]
fn a_rate_is_used_up_and_not_only_kept() {
    let script = Script::default();
    let mut plan = plan(64, 0);
    plan.limits.rate = "100/s".parse().ok();
    let (_, took) = timed(|| start((0..101).map(|n| job(&format!("http://a.example/{n}"))).collect(), &script, plan));
    // Timers go off at the next millisecond.
    assert!((1_000..=1_110).contains(&took.as_millis()), "took {took:?}");
}

/// Runs all jobs on a paused clock, and tells how long that took.
#[expect(clippy::vec_box, reason = "records are boxed as long as they live")]
fn timed(start: impl FnOnce() -> Records) -> (Vec<Box<Record>>, Duration) {
    paused(|| async {
        let started = Instant::now();
        let records = start().collect().await;
        (records, started.elapsed())
    })
}

fn always(step: &Step, urls: impl IntoIterator<Item = String>) -> Script {
    Script::new(urls.into_iter().map(|url| (url, vec![step.clone()])))
}

#[test]
fn an_origin_that_always_fails_gets_few_retries() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = always(&Step::Answer { after: 1, status: 500 }, (0..2_000).map(url));
    let records = records((0..2_000).map(|n| job(&url(n))).collect(), &script, plan(64, 8));
    let sent = script.log().len();
    assert!(sent <= 2_000 + 200 + 10, "{sent} requests for 2,000 lines");
    assert!(records.iter().any(|record| record.retry_stopped_by == Some(RetryStop::HostBudget)));
}

#[test]
fn an_origin_that_answers_429_to_everything_comes_down_to_one_at_once_and_ends() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = always(&Step::Answer { after: 100, status: 429 }, (0..200).map(url));
    let records = records((0..200).map(|n| job(&url(n))).collect(), &script, plan(64, 8));
    assert_eq!(records.len(), 200);
    let log = script.log();
    let late = log[log.len() / 2].at;
    assert_eq!(script.most_at_once(|seen| seen.at > late), 1);
}

#[test]
fn concurrency_settles_near_what_an_origin_takes() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = always(&Step::Busy { after: 50, most: 3 }, (0..2_000).map(url));
    let mut plan = plan(64, 16);
    plan.limits.adaptive = true;
    let refused = |script: &Script| script.log().iter().filter(|seen| seen.status == Some(429)).count();
    records((0..2_000).map(|n| job(&url(n))).collect(), &script, plan.clone());
    let adaptive = refused(&script);
    plan.limits.adaptive = false;
    let script = always(&Step::Busy { after: 50, most: 3 }, (0..2_000).map(url));
    records((0..2_000).map(|n| job(&url(n))).collect(), &script, plan);
    assert!(adaptive < 40 && refused(&script) > 400, "{adaptive} refused, {} without", refused(&script));
}

#[test]
fn an_origin_that_cannot_be_reached_is_left_alone_and_its_lines_end() {
    let url = |n: usize| format!("http://dead.example/{n}");
    let script = always(&Step::Fail { after: 1, kind: FailureKind::ConnectRefused }, (0..1_000).map(url));
    let (records, took) = timed(|| start((0..1_000).map(|n| job(&url(n))).collect(), &script, plan(64, 8)));
    assert_eq!(records.len(), 1_000);
    let count = |kind| {
        records.iter().filter(|record| record.error.as_ref().is_some_and(|failure| failure.kind == kind)).count()
    };
    assert!(count(FailureKind::HostCircuitOpen) > 900);
    assert_eq!(count(FailureKind::HostCircuitOpen) + count(FailureKind::ConnectRefused), 1_000);
    assert!(script.log().len() < 50, "{} requests to a dead host", script.log().len());
    assert!(took <= Duration::from_secs(121), "took {took:?}");
}

#[test]
fn lines_that_wait_for_what_this_machine_lacks_say_what_it_was() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = always(&Step::Fail { after: 1, kind: FailureKind::LocalPortExhausted }, (0..100).map(url));
    let mut plan = plan(64, 64);
    plan.policy.retries.max_time = Duration::from_secs(5);
    for record in records((0..100).map(|n| job(&url(n))).collect(), &script, plan) {
        let failure = record.error.expect("a failure");
        assert_eq!(failure.kind, FailureKind::LocalPortExhausted, "{}", failure.message);
        assert_eq!(record.num_retries, 0);
    }
}

#[test]
fn an_origin_that_comes_back_is_found_by_one_probe() {
    let down = Step::Fail { after: 1, kind: FailureKind::ConnectRefused };
    let up = Step::Answer { after: 1, status: 200 };
    let url = |n: usize| format!("http://a.example/{n}");
    // The first lines are sent while it is down; the circuit opens at the tenth failure.
    let steps = (0..100).map(|n| (url(n), if n < 40 { vec![down.clone(), up.clone()] } else { vec![up.clone()] }));
    let script = Script::new(steps);
    let records = records((0..100).map(|n| job(&url(n))).collect(), &script, plan(16, 16));
    assert!(records[40..].iter().all(|record| record.ok), "{:?}", records[40..].iter().find(|record| !record.ok));
    let log = script.log();
    let pause = log.iter().zip(&log[1..]).map(|(a, b)| b.at - a.at).max();
    assert!(pause >= Some(Duration::from_secs(4)), "the origin was never left alone: {pause:?}");
}

#[test]
fn a_bad_origin_among_a_thousand_does_not_delay_the_others() {
    let url = |host: usize, n: usize| format!("http://h{host}.example/{n}");
    let list = || (0..3_000).map(|n| job(&url(n % 1_000, n / 1_000))).collect::<Vec<_>>();
    let good = Step::Answer { after: 50, status: 200 };
    let all_good = always(&good, (0..3_000).map(|n| url(n % 1_000, n / 1_000)));
    let bad = Script::new((0..3_000).map(|n| {
        let step = if n % 1_000 == 7 { Step::Hang } else { good.clone() };
        (url(n % 1_000, n / 1_000), vec![step])
    }));
    let p99 = |script: &Script| {
        records(list(), script, plan(64, 8));
        let zero = script.log()[0].at;
        let others = script.log().into_iter().filter(|seen| seen.origin.host() != "h7.example");
        let mut ends: Vec<Duration> = others.filter_map(|seen| seen.end).map(|end| end - zero).collect();
        ends.sort();
        ends[ends.len() * 99 / 100]
    };
    let (without, with) = (p99(&all_good), p99(&bad));
    assert!(with.as_secs_f64() <= without.as_secs_f64() * 1.1, "p99 {without:?} became {with:?}");
}

#[test]
fn what_this_machine_lacks_costs_no_attempt() {
    let lacking = Step::Fail { after: 1, kind: FailureKind::LocalFdExhausted };
    let good = Step::Answer { after: 1, status: 200 };
    let mut steps = vec![lacking; 20];
    steps.push(good);
    let script = Script::new([("http://a.example/".to_owned(), steps)]);
    let records = records(vec![job("http://a.example/")], &script, plan(64, 8));
    assert_eq!((records[0].verdict, records[0].num_retries), (Verdict::Ok, 0));
    assert_eq!(script.log().len(), 21);
}

#[test]
fn what_this_machine_lacks_for_good_ends_with_the_time_of_the_line() {
    let script =
        always(&Step::Fail { after: 1, kind: FailureKind::LocalFdExhausted }, ["http://a.example/".to_owned()]);
    let (records, took) = timed(|| start(vec![job("http://a.example/")], &script, plan(64, 8)));
    assert_eq!(records[0].error.as_ref().map(|failure| failure.kind), Some(FailureKind::LocalFdExhausted));
    assert!(took <= Duration::from_secs(121), "took {took:?}");
}

#[test]
fn a_network_that_is_down_costs_no_line() {
    let url = |n: usize| format!("http://h{n}.example/");
    let script = always(&Step::Outage { millis: 2_500 }, (0..500).map(url));
    let records = records((0..500).map(|n| job(&url(n))).collect(), &script, plan(64, 8));
    let failed = records.iter().filter(|record| !record.ok).count();
    assert_eq!(failed, 0, "{failed} lines paid for the outage");
    let zero = script.log()[0].at;
    let wasted = script.log().iter().filter(|seen| seen.at - zero < Duration::from_millis(2_500)).count();
    // The first wave, those that left while its failures came in, and the probes.
    assert!(wasted <= 64 + 10 + 2, "{wasted} requests went into a network that is down");
}

/// A transport that pushes back always, so that every origin is worth remembering.
#[derive(Clone)]
struct Refusing;

impl Transport for Refusing {
    fn exchange(&self, _: Call) -> impl Future<Output = Exchange> + Send + 'static {
        std::future::ready(Exchange {
            timestamp: SystemTime::UNIX_EPOCH,
            timing: Timing::default(),
            remote_ip: None,
            in_connect: false,
            resend: None,
            response: Some(response(429, None)),
            failure: None,
        })
    }
}

#[test]
fn a_network_that_goes_down_on_the_way_costs_no_line() {
    let url = |n: usize| format!("http://h{n}.example/");
    let script = always(&Step::Outage { millis: 2_500 }, (64..500).map(url));
    let records = records((0..500).map(|n| job(&url(n))).collect(), &script, plan(64, 8));
    let failed = records.iter().filter(|record| !record.ok).count();
    assert_eq!(failed, 0, "{failed} lines paid for the outage");
}

#[test]
fn hosts_that_are_dead_are_no_network_that_is_down() {
    let url = |n: usize| format!("http://h{n}.example/");
    let script = always(&Step::Fail { after: 2_000, kind: FailureKind::ConnectTimeout }, (0..20).map(|n| url(10 * n)));
    let jobs = (0..200).map(|n| job(&url(n))).collect();
    let (records, took) = timed(|| start(jobs, &script, plan(64, 8)));
    assert_eq!(records.iter().filter(|record| !record.ok).count(), 20);
    // Three attempts of two seconds, and backoff.
    assert!(took < Duration::from_secs(10), "took {took:?}");
}

#[test]
fn dead_hosts_among_others_hold_up_nothing() {
    let url = |n: usize| format!("http://h{n}.example/");
    for (hosts, dead, at_once) in [(1_100, 100, 16), (600, 300, 64), (60, 30, 16)] {
        let mut order: Vec<usize> = (0..hosts).collect();
        fastrand::Rng::with_seed(7).shuffle(&mut order);
        let step = Step::Fail { after: 1_000, kind: FailureKind::ConnectTimeout };
        let script = always(&step, (0..dead).map(url));
        let (records, took) =
            timed(|| start(order.into_iter().map(|n| job(&url(n))).collect(), &script, plan(at_once, 8)));
        assert_eq!(records.iter().filter(|record| !record.ok).count(), dead);
        // Three attempts for each dead host, backoff, and a few pauses of a second to find out.
        let pool = Duration::from_secs(u64::try_from(3 * dead / at_once).expect("it fits"));
        assert!(took < pool * 2 + Duration::from_secs(15), "{dead} of {hosts} took {took:?}");
    }
}

#[test]
fn of_many_origins_only_some_are_remembered() {
    let jobs = futures::stream::iter((0..50_000).map(|n| job(&format!("http://h{n}.example/"))));
    paused(|| async {
        let mut records = run(jobs, Refusing, plan(64, 8), CancellationToken::new());
        let mut seen = 0;
        while records.next().await.is_some() {
            seen += 1;
            if seen % 10_000 == 0 {
                assert!(records.run.lock().frontier.remembered() <= 64 + 10_000);
            }
        }
    });
}
