//! Scenarios of waiting: what is slow must hold up nothing else.

use std::path::Path;

use crate::bench::Bench;
use crate::measure::{Usage, in_turn, median, run, run_to};
use crate::server::Server;
use crate::table::Row;

/// The same lists at every run.
const SEED: u64 = 7;

/// S3: one line in a thousand hangs until its time is over. Records in order must not take longer than records as they
/// finish.
pub(crate) fn order(bench: &Bench) -> Vec<Row> {
    const HANGING: usize = 1000;
    let lines = bench.pick(40_000, 200_000);
    let limit = bench.pick("1", "5");
    let server = Server::plain(bench.directory());
    let (small, hang) = (server.url("/size/1024"), server.url("/hang"));
    let url = |number| if number % HANGING == HANGING / 2 { &hang } else { &small };
    let list = bench.list("hanging.txt", (0..lines).map(|number| format!("{}?{number}", url(number))));
    let gather = |order: &str| {
        let arguments = ["-c", "256", "--max-per-host", "0", "--max-time", limit, "--retry", "0", "--order", order];
        let usage = run_to(&[1], &mut bench.gather(&list, &arguments));
        assert_eq!(bench.failures(lines), lines / HANGING, "only lines that hang may fail");
        usage
    };
    let turns = in_turn(bench.rounds(), [&mut || gather("input"), &mut || gather("completion")]);
    let [ordered, unordered] = turns.each_ref().map(|usages| median(usages, Usage::wall));
    let peak = median(&turns[0], Usage::peak);
    vec![
        Row::new("S3", format!("s, {lines} lines, 0.1 % hang for {limit} s, in order"), format!("{ordered:.2}"))
            .reference(format!("as they finish {unordered:.2}"))
            .ratio(ordered / unordered)
            .at_most(1.05),
        Row::new("S3", "peak MiB of the same", format!("{peak:.0}")).ratio(peak).at_most(320.0),
    ]
}

/// S4: a list that is sorted by origin keeps all origins busy.
pub(crate) fn fairness(bench: &Bench) -> Vec<Row> {
    const IDEAL: f64 = 40.0 * 500.0 * 0.020 / 256.0;
    let server = Server::plain(bench.directory());
    let mut urls = origins(&server, 40, 500, |number| format!("/delay/20?{number}"));
    let sorted = bench.list("sorted.txt", &urls);
    fastrand::Rng::with_seed(SEED).shuffle(&mut urls);
    let shuffled = bench.list("shuffled.txt", &urls);
    let gather = |list: &Path| run(&mut bench.gather(list, &["-c", "256"]));
    let turns = in_turn(bench.rounds(), [&mut || gather(&sorted), &mut || gather(&shuffled)]);
    let [sorted, shuffled] = turns.map(|usages| median(&usages, Usage::wall));
    let row = |reference: String| {
        let measured = "s, 40 origins × 500 lines of 20 ms, sorted by origin, 256 at once";
        Row::new("S4", measured, format!("{sorted:.2}")).reference(reference)
    };
    vec![
        row(format!("ideal {IDEAL:.2}")).ratio(sorted / IDEAL).at_most(1.3),
        row(format!("shuffled {shuffled:.2}")).ratio(sorted / shuffled).at_most(1.1),
    ]
}

/// S5: an origin that asks for a second of silence holds up no other. Every second origin does so, once, so that 5 % of
/// the lines meet it; the last one leaves a second that nobody can avoid.
pub(crate) fn gates(bench: &Bench) -> Vec<Row> {
    const UNAVOIDABLE: f64 = 1.0;
    let server = Server::plain(bench.directory());
    let calm = bench.list("calm.txt", origins(&server, 2_000, 10, |number| format!("/delay/5?{number}")));
    let gather = |list: &Path| run(&mut bench.gather(list, &["-c", "32"]));
    let mut round = 0;
    let mut gated = || {
        round += 1;
        let path = |number| match number % 20 {
            19 => format!("/busy/{round}-{number}"),
            _ => format!("/delay/5?{number}"),
        };
        gather(&bench.list("gated.txt", origins(&server, 2_000, 10, path)))
    };
    let turns = in_turn(bench.rounds(), [&mut gated, &mut || gather(&calm)]);
    let [gated, calm] = turns.map(|usages| median(&usages, Usage::wall));
    let measured = "s, 2,000 origins × 10 lines, 5 % say `Retry-After: 1`; less the last wait";
    let row = Row::new("S5", measured, format!("{gated:.2} − {UNAVOIDABLE:.2}"));
    vec![row.reference(format!("without {calm:.2}")).ratio((gated - UNAVOIDABLE) / calm).at_most(1.1)]
}

/// S6: the whole takes as long as its slowest request.
pub(crate) fn the_slowest(bench: &Bench) -> Vec<Row> {
    const SLOWEST: u64 = 1000;
    let server = Server::plain(bench.directory());
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut rows = Vec::new();
    for (requests, most) in [(3, 1.05), (500, 1.1), (5_000, 1.3)] {
        let mut delays: Vec<u64> = (1..requests).map(|_| rng.u64(0..SLOWEST)).collect();
        delays.push(SLOWEST);
        rng.shuffle(&mut delays);
        let list = bench.list("delays.txt", delays.iter().map(|delay| server.url(&format!("/delay/{delay}"))));
        let arguments = ["-c", &requests.to_string(), "--max-per-host", "0"];
        let [turns] = in_turn(bench.rounds(), [&mut || run(&mut bench.gather(&list, &arguments))]);
        let wall = median(&turns, Usage::wall);
        let measured = format!("s, {requests} requests at once with delays up to 1 s");
        let row = Row::new("S6", measured, format!("{wall:.3}")).reference("the slowest 1.000");
        rows.push(row.ratio(wall).at_most(most));
    }
    rows
}

/// URLs of so many origins on loopback, sorted by origin; lines are counted through.
fn origins(server: &Server, origins: usize, lines: usize, path: impl Fn(usize) -> String) -> Vec<String> {
    let port = server.port();
    let host = |origin: usize| format!("127.0.{}.{}", origin / 250, origin % 250 + 1);
    (0..origins * lines).map(|number| format!("http://{}:{port}{}", host(number / lines), path(number))).collect()
}
