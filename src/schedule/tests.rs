//! What the frontier remembers, and for how long.

use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::model::{Exchange, Failure, FailureKind, Job};
use crate::policy::JobState;

fn job(index: u64, host: usize, now: Instant) -> Box<JobState> {
    let url: url::Url = format!("http://h{host}.example/").parse().expect("a URL");
    Box::new(JobState::new(index, Job::from(url), now).expect("a good line"))
}

/// An exchange that says that its origin has too much to do.
fn timeout() -> Exchange {
    Exchange::unsent(SystemTime::UNIX_EPOCH, Failure::new(FailureKind::ReadTimeout, "scripted"))
}

#[test]
fn a_closed_gate_is_remembered_however_many_origins_come_after() {
    let now = Instant::now();
    let mut frontier = Frontier::new(&Limits::default());
    let gate = Some(now + Duration::from_mins(1));
    for host in 0..30_000 {
        frontier.push(job(host as u64, host, now), None, now);
        let (id, _) = frontier.pop(None, now).expect("it may go");
        let flight = frontier.take(id);
        frontier.land(&flight, &timeout(), gate.filter(|_| host == 0), now);
    }
    assert!(frontier.remembered() < 15_000, "{} origins are remembered", frontier.remembered());
    frontier.push(job(30_000, 0, now), None, now);
    assert!(frontier.pop(None, now).is_none(), "the gate was forgotten");
    assert!(frontier.pop(None, now + Duration::from_secs(59)).is_none());
    frontier.tick(now + Duration::from_mins(1), |_| now + Duration::from_hours(1));
    assert!(frontier.pop(None, now + Duration::from_mins(1)).is_some());
}

#[test]
fn a_host_with_limits_of_its_own_is_held_to_them_and_others_are_not() {
    let now = Instant::now();
    let name = |host: &str| host.parse().expect("a host");
    let limits = Limits {
        max_per_host: std::num::NonZeroUsize::new(3),
        max_of_host: [(name("h0.example"), std::num::NonZeroUsize::new(1)), (name("h1.example:80"), None)]
            .into_iter()
            .collect(),
        rate_of_host: [(name("h3.example"), "2/s".parse().expect("a rate"))].into_iter().collect(),
        ..Limits::default()
    };
    for (host, at_once) in [(0, 1), (1, 10), (2, 3), (3, 1)] {
        let mut frontier = Frontier::new(&limits);
        (0..10).for_each(|index| frontier.push(job(index, host, now), None, now));
        let left = std::iter::from_fn(|| frontier.pop(None, now).map(|(id, _)| id)).count();
        assert_eq!(left, at_once, "at once to h{host}.example");
    }
}

#[test]
fn the_deadline_of_a_job_that_has_left_is_forgotten() {
    let now = Instant::now();
    let mut frontier = Frontier::new(&Limits::default());
    frontier.push(job(0, 0, now), Some(now + Duration::from_mins(2)), now);
    assert!(frontier.next_tick(now).is_some());
    assert!(frontier.pop(None, now).is_some());
    assert_eq!(frontier.next_tick(now), None);
}

/// A limit of the attempt that is shorter than that of the connection must not hide that nobody answers.
#[test]
fn attempts_whose_time_is_over_before_a_connection_stands_open_the_circuit() {
    for (in_connect, opens) in [(true, true), (false, false)] {
        let now = Instant::now();
        let mut frontier = Frontier::new(&Limits { adaptive: false, ..Limits::default() });
        for index in 0..11 {
            frontier.push(job(index, 0, now), None, now);
        }
        for _ in 0..10 {
            let (id, _) = frontier.pop(None, now).expect("the circuit is closed");
            let flight = frontier.take(id);
            let failure = Failure::new(FailureKind::AttemptTimeout, "scripted");
            frontier.land(
                &flight,
                &Exchange { in_connect, ..Exchange::unsent(SystemTime::UNIX_EPOCH, failure) },
                None,
                now,
            );
        }
        assert_eq!(frontier.pop(None, now).is_none(), opens, "in_connect: {in_connect}");
    }
}
