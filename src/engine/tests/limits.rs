//! What limits a run, at its edges: budgets, the network, this machine, memory and disk.

use super::*;

/// As long as no run of these tests takes unless it has stopped for good.
const FOREVER: Duration = Duration::from_hours(24);

/// Runs to the end, which has to come, on a paused clock.
#[expect(clippy::vec_box, reason = "records are boxed as long as they live")]
fn ended(start: impl FnOnce() -> Records) -> Vec<Box<Record>> {
    paused(|| tokio::time::timeout(FOREVER, start().collect())).expect("the run never ended")
}

fn fail(kind: FailureKind) -> Step {
    Step::Fail { after: 1, kind }
}

#[test]
fn a_network_that_is_down_with_no_line_left_to_probe_it_takes_another_line() {
    let url = |n: usize| format!("http://h{n}.example/");
    let script = always(&fail(FailureKind::ConnectUnreachable), (0..40).map(url));
    let mut plan = Plan { window: reach(10), ..plan(64, 8) };
    plan.policy.retries.attempts = 0;
    let records = ended(|| start((0..40).map(|n| job(&url(n))).collect(), &script, plan));
    assert_eq!(records.len(), 40);
}

#[test]
fn an_answer_of_the_name_service_shows_that_the_network_is_up() {
    let url = |n: usize| format!("http://h{n}.example/");
    let kind = |n| match n {
        0..10 => FailureKind::ConnectUnreachable,
        _ if n % 2 == 0 => FailureKind::DnsNotFound,
        _ => FailureKind::TlsCertExpired,
    };
    let script = Script::new((0..1_000).map(|n| (url(n), vec![Step::Fail { after: 100, kind: kind(n) }])));
    let mut plan = plan(10, 8);
    plan.policy.retries.attempts = 0;
    let records = ended(|| start((0..1_000).map(|n| job(&url(n))).collect(), &script, plan));
    assert_eq!(records.len(), 1_000);
    let log = script.log();
    let took = log[999].at - log[0].at;
    assert!(took < Duration::from_secs(15), "it went on one by one: {took:?}");
}

#[test]
fn a_line_that_this_machine_could_not_send_can_be_stopped() {
    let script =
        always(&Step::Fail { after: 1, kind: FailureKind::LocalFdExhausted }, ["http://a.example/".to_owned()]);
    let cancel = CancellationToken::new();
    let records: Vec<_> = paused(|| async {
        let stop = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.cancel();
        });
        run(futures::stream::iter([job("http://a.example/")]), script.clone(), plan(4, 4), cancel).collect().await
    });
    assert_eq!(records[0].error.as_ref().map(|failure| failure.kind), Some(FailureKind::Canceled));
    assert_eq!((records[0].num_retries, records[0].attempts.len()), (0, 0));
}

#[test]
fn what_this_machine_lacks_is_waited_for_and_not_asked_for_again_and_again() {
    let url = |n: usize| format!("http://h{n}.example/");
    let lacking = Step::Fail { after: 0, kind: FailureKind::LocalFdExhausted };
    let steps = (0..1_000).map(|n| (url(n), vec![lacking.clone(), Step::Answer { after: 1, status: 200 }]));
    let script = Script::new(steps);
    let run = || start((0..1_000).map(|n| job(&url(n))).collect(), &script, plan(16, 8));
    paused(|| async {
        tokio::select! {
            _ = run().collect::<Vec<_>>() => {}
            () = tokio::time::sleep(Duration::from_millis(450)) => {}
        }
    });
    let sent = script.log().len();
    assert!(sent <= 16 * 5, "{sent} requests in less than half a second without a descriptor");
}

#[test]
fn a_list_that_comes_line_by_line_has_the_same_budget() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = always(&Step::Answer { after: 1, status: 500 }, (0..300).map(url));
    let jobs = futures::stream::iter(0..300).then(move |n| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        job(&url(n))
    });
    let records: Vec<_> = paused(|| run(jobs, script.clone(), plan(64, 8), CancellationToken::new()).collect());
    let sent = script.log().len();
    assert_eq!(records.len(), 300);
    assert!(sent <= 300 + 30 + 10, "{sent} requests for 300 lines");
}

#[test]
fn an_answer_that_is_asked_for_again_earns_no_retry() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = always(&Step::Answer { after: 1, status: 408 }, (0..1_000).map(url));
    records((0..1_000).map(|n| job(&url(n))).collect(), &script, plan(64, 8));
    let sent = script.log().len();
    assert_eq!(sent, 1_000 + 3, "the budget at the start is three retries");
}

#[test]
fn times_beyond_the_clock_are_only_very_long() {
    let wait = Step::RetryAfter { status: 429, seconds: u64::MAX };
    let dead = (0..20).map(|n| (format!("http://dead.example/{n}"), vec![fail(FailureKind::ConnectRefused)]));
    let script = Script::new(dead.chain([("http://a.example/".to_owned(), vec![wait])]));
    let mut plan = plan(64, 8);
    plan.policy.retries.max_retry_after = Duration::MAX;
    plan.limits.circuit_patience = Duration::MAX;
    let mut jobs: Vec<Job> = (0..20).map(|n| job(&format!("http://dead.example/{n}"))).collect();
    jobs.push(job("http://a.example/"));
    assert_eq!(ended(|| start(jobs, &script, plan)).len(), 21);
}

#[test]
fn with_memory_and_disk_used_up_only_the_oldest_line_goes_on() {
    let url = |n: usize| format!("http://a.example/{n}");
    let script = Script::new([(url(0), vec![Step::Answer { after: 5_000, status: 200 }])]);
    let window = WindowLimits { memory: 20_000, disk: 0, ..WindowLimits::default() };
    let plan = Plan { window, ..plan(4, 4) };
    let records = ended(|| start((0..1_000).map(|n| job(&url(n))).collect(), &script, plan));
    assert_eq!(records.iter().map(|record| record.index).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
    let log = script.log();
    let early = log.iter().filter(|seen| seen.at - log[0].at < Duration::from_secs(5)).count();
    assert!(early < 30, "{early} requests left with nowhere to put their records");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Invariant 1, when neither memory nor disk takes what is done.
    #[test]
    fn no_record_is_lost_when_memory_and_disk_are_used_up(
        list in lists(),
        memory in 0..8_000_u64,
        disk in prop_oneof![Just(0), 0..4_000_u64],
        concurrency in 1..9_usize,
    ) {
        without_panic_messages();
        let (jobs, script) = scripted(&list);
        for order in [Order::Input, Order::Completion] {
            let window = WindowLimits { memory, disk, ..WindowLimits::default() };
            let plan = Plan { order, window, ..plan(concurrency, 2) };
            let records = ended(|| start(scripted(&list).0, &script, plan));
            let mut indices: Vec<u64> = records.iter().map(|record| record.index).collect();
            if order == Order::Completion {
                indices.sort_unstable();
            }
            prop_assert_eq!(indices, (0..jobs.len() as u64).collect::<Vec<_>>());
        }
    }

    /// No origin gets more retries than it has earned, and none is held up by one that is bad in whatever way.
    #[test]
    fn budgets_hold_and_no_line_starves(hosts in prop::collection::vec((0..4_u8, 0..6_u8), 20..200), concurrency in 8..17_usize) {
        let bad = [
            Step::Hang,
            Step::Answer { after: 5, status: 503 },
            Step::RetryAfter { status: 429, seconds: 20 },
            fail(FailureKind::ConnectRefused),
        ];
        let url = |n: usize, (host, _): (u8, u8)| format!("http://h{host}.example/{n}");
        let steps = hosts.iter().enumerate().map(|(n, &line)| {
            // Three origins are good, and one is bad now and then or always.
            let step = if line.0 == 3 { bad.get(line.1 as usize).cloned() } else { None };
            (url(n, line), vec![step.unwrap_or(Step::Answer { after: 10, status: 200 })])
        });
        let script = Script::new(steps);
        let jobs: Vec<Job> = hosts.iter().enumerate().map(|(n, &line)| job(&url(n, line))).collect();
        let records = ended(|| start(jobs, &script, plan(concurrency, 2)));
        prop_assert_eq!(records.len(), hosts.len());
        let log = script.log();
        for host in 0..4 {
            let name = format!("h{host}.example");
            let sent: Vec<&Seen> = log.iter().filter(|seen| seen.origin.host() == name).collect();
            let successes = sent.iter().filter(|seen| seen.status == Some(200)).count();
            let lines = hosts.iter().filter(|line| line.0 == host).count();
            // A retry that was paid for need not leave before its line's time is over.
            prop_assert!(sent.len() <= lines + (30 + successes) / 10, "{} requests for {} lines of {}", sent.len(), lines, name);
            let last = sent.iter().filter_map(|seen| seen.end).max();
            let alone = Duration::from_millis(10) * u32::try_from(lines.div_ceil(2)).expect("few lines");
            prop_assert!(host == 3 || last.is_none_or(|last| last - log[0].at <= alone + Duration::from_millis(10)), "{} was held up", name);
        }
    }
}

#[test]
fn a_line_that_was_tried_and_then_waits_for_a_host_that_cannot_be_reached_says_so_when_its_time_is_over() {
    let url = |n: usize| format!("http://dead.example/{n}");
    let script = always(&fail(FailureKind::ConnectRefused), (0..40).map(url));
    // The budget of the host pays for three retries, which wait for the circuit as long as the lines have time.
    let mut plan = plan(64, 40);
    plan.policy.retries.max_time = Duration::from_secs(8);
    plan.limits.circuit_patience = Duration::from_secs(8);
    let records = ended(|| start((0..40).map(|n| job(&url(n))).collect(), &script, plan));
    let is = |record: &Record, kind| record.error.as_ref().is_some_and(|failure| failure.kind == kind);
    assert!(!records.iter().any(|record| is(record, FailureKind::TotalTimeout)));
    let waited = |record: &Record| is(record, FailureKind::HostCircuitOpen) && !record.attempts.is_empty();
    assert!(records.iter().any(|record| waited(record)));
}

/// A transport that finds every kept connection dead: each request is lost at first, after so long. It says when they left.
#[derive(Clone, Default)]
struct Losing {
    after: Duration,
    left: Arc<Mutex<Vec<(u64, Instant)>>>,
}

impl Transport for Losing {
    fn exchange(&self, call: Call) -> impl Future<Output = Exchange> + Send + 'static {
        let mut left = self.left.lock().expect("no test panics under the lock");
        let is_first = left.iter().all(|&(index, _)| index != call.index);
        left.push((call.index, Instant::now()));
        let (after, is_gate) = (self.after, call.request.url.path() == "/gate");
        async move {
            let mut headers = HeaderMap::new();
            if is_gate && is_first {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("3"));
                return Exchange::answered(429, headers);
            }
            tokio::time::sleep(after).await;
            if is_first {
                let failure = Failure::new(FailureKind::Reset, "scripted");
                return Exchange { resend: Some(Duration::ZERO), ..Exchange::unsent(SystemTime::UNIX_EPOCH, failure) };
            }
            Exchange::answered(200, headers)
        }
    }
}

#[test]
fn what_is_sent_anew_on_another_connection_is_a_request_like_any_other() {
    let rate: super::super::Rate = "20/s".parse().expect("a rate");
    for (all, per_host) in [(Some(rate), None), (None, Some(rate))] {
        let mut plan = plan(4, 4);
        (plan.limits.rate, plan.limits.rate_per_host) = (all, per_host);
        let transport = Losing::default();
        let jobs = futures::stream::iter((0..30).map(|n| job(&format!("http://a.example/{n}"))));
        let records = ended(|| run(jobs, transport.clone(), plan, CancellationToken::new()));
        // It is none of the line's attempts.
        assert!(records.iter().all(|record| record.verdict == Verdict::Ok && record.num_retries == 0));
        let left = transport.left.lock().expect("no test panics under the lock");
        let times: Vec<Instant> = left.iter().map(|(_, at)| *at).collect();
        assert_eq!(times.len(), 60);
        assert!(holds(rate, 20, &times), "{times:?}");
    }
}

#[test]
fn what_is_sent_anew_waits_for_the_gate_of_its_host() {
    let transport = Losing { after: Duration::from_millis(500), ..Losing::default() };
    let jobs = ["http://a.example/lost", "http://a.example/gate"].map(job);
    let records = ended(|| run(futures::stream::iter(jobs), transport.clone(), plan(4, 4), CancellationToken::new()));
    assert!(records.iter().all(|record| record.ok));
    let left = transport.left.lock().expect("no test panics under the lock");
    let again = left.iter().skip(2).map(|(_, at)| *at - left[0].1).min().expect("both are sent again");
    assert!(again >= Duration::from_secs(3), "a request left {again:?} after the gate closed for 3 s");
}
