//! What the parts cost without a network: `cargo bench --bench parts`.
//!
//! Everything goes through the public API; the transport answers at once, or in the order that a part dislikes most.

use std::future::ready;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use divan::Bencher;
use divan::counter::ItemsCount;
use futures::StreamExt as _;
use gather::engine::{self, Limits, Plan};
use gather::input::{Input, InputOptions, Source};
use gather::model::{Body, Call, Exchange, Job, Record, Response, Timing, Transport};
use gather::report::{self, Format, Output, Rendering};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Jobs of a run.
const JOBS: usize = 10_000;

fn main() {
    divan::main();
}

/// A job's way through the engine: admitted, let go, settled, handed over. Divided by the items it is the cost of one.
#[divan::bench(args = [1, 1_000])]
fn engine_with_origins(bencher: Bencher, origins: usize) {
    let runtime = runtime();
    let transport = AtOnce(exchange());
    let plan = Plan::default();
    bencher
        .counter(ItemsCount::new(JOBS))
        .with_inputs(|| jobs(origins))
        .bench_values(|jobs| runtime.block_on(run(jobs, transport.clone(), plan.clone())));
}

/// The same, where every record waits for all lines before it.
#[divan::bench]
fn window_in_reverse_order(bencher: Bencher) {
    let runtime = runtime();
    let all = NonZeroUsize::new(JOBS);
    let limits = Limits { concurrency: all.expect("not zero"), max_per_host: None, ..Limits::default() };
    let plan = Plan { limits, ..Plan::default() };
    bencher
        .counter(ItemsCount::new(JOBS))
        .with_inputs(|| (jobs(1), Backwards::new(exchange())))
        .bench_values(|(jobs, transport)| runtime.block_on(run(jobs, transport, plan.clone())));
}

/// Records of 1 KB, rendered and written to nowhere.
#[divan::bench(args = [Format::Ndjson, Format::Csv, Format::Text])]
fn rendering(bencher: Bencher, format: Format) {
    const RECORDS: usize = 1_000;
    let runtime = runtime();
    let record = runtime.block_on(async {
        let job = futures::stream::iter(jobs(1).into_iter().take(1));
        engine::run(job, AtOnce(exchange()), Plan::default(), CancellationToken::new()).next().await
    });
    let record: Record = *record.expect("every job has a record");
    bencher
        .counter(ItemsCount::new(RECORDS))
        .with_inputs(|| report::open(format, Output::new(io::sink()), Rendering::default()))
        .bench_refs(|report| {
            for _ in 0..RECORDS {
                report.record(divan::black_box(&record)).expect("a sink takes everything");
            }
            report.finish().expect("a sink takes everything");
        });
}

/// Lines of a file to jobs.
#[divan::bench]
fn input_lines(bencher: Bencher) {
    let runtime = runtime();
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    let lines: Vec<String> = (0..JOBS).map(|number| url(number % 1_000, number)).collect();
    std::fs::write(list.path(), lines.join("\n")).expect("room for a list");
    bencher.counter(ItemsCount::new(JOBS)).bench(|| {
        let source = Source::File(list.path().to_owned());
        let input = Input::open(vec![source], InputOptions::default()).expect("a list that can be read");
        let jobs = runtime.block_on(input.into_stream().0.count());
        assert_eq!(jobs, JOBS);
    });
}

/// A transport whose exchanges are over at once.
#[derive(Clone)]
struct AtOnce(Exchange);

impl Transport for AtOnce {
    fn exchange(&self, _: Call) -> impl Future<Output = Exchange> + Send + 'static {
        ready(self.0.clone())
    }
}

/// A transport whose exchanges end in the reverse order of the lines.
#[derive(Clone)]
struct Backwards {
    exchange: Exchange,
    turns: Arc<[Notify]>,
}

impl Backwards {
    fn new(exchange: Exchange) -> Self {
        let turns: Arc<[Notify]> = (0..JOBS).map(|_| Notify::new()).collect();
        turns[JOBS - 1].notify_one();
        Self { exchange, turns }
    }
}

impl Transport for Backwards {
    fn exchange(&self, call: Call) -> impl Future<Output = Exchange> + Send + 'static {
        let Self { exchange, turns } = self.clone();
        let place = usize::try_from(call.index).expect("a small number");
        async move {
            turns[place].notified().await;
            if let Some(before) = place.checked_sub(1) {
                turns[before].notify_one();
            }
            exchange
        }
    }
}

/// Makes a run, and counts its records.
async fn run(jobs: Vec<Job>, transport: impl Transport, plan: Plan) {
    let records = engine::run(futures::stream::iter(jobs), transport, plan, CancellationToken::new());
    assert_eq!(records.count().await, JOBS);
}

/// Jobs that go round the origins.
fn jobs(origins: usize) -> Vec<Job> {
    (0..JOBS).map(|number| Job::from(url(number % origins, number).parse::<url::Url>().expect("a URL"))).collect()
}

fn url(origin: usize, number: usize) -> String {
    format!("https://host-{origin}.example/items/{number}?page=1")
}

/// What a server sends with 1 KB of text.
fn exchange() -> Exchange {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("server", "bench"),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("content-type", "text/plain"),
        ("content-length", "1024"),
        ("etag", "\"6955b900-400\""),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Exchange {
        timestamp: SystemTime::UNIX_EPOCH,
        timing: Timing { total: Duration::from_micros(1_234), ..Timing::default() },
        remote_ip: Some(Ipv4Addr::LOCALHOST.into()),
        in_connect: false,
        resend: None,
        response: Some(Response {
            status: StatusCode::OK,
            version: Version::HTTP_11,
            headers,
            body: Body::Text("x".repeat(1024)),
            size_download: 1024,
            size_decoded: 1024,
            sha256: None,
            kept: None,
        }),
        failure: None,
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
