//! What gather costs, against what users would pick instead: `cargo bench --bench scenarios`.
//!
//! Starts its own servers on loopback, runs the program and its peers in turn, and prints a Markdown table of ratios.
//! Absolute times drift on shared machines, ratios of one run hold: every figure is a median of rounds in which the
//! programs take turns. Nothing leaves the machine.
//!
//! ```text
//! cargo bench --bench scenarios                   all scenarios, small enough for about three minutes
//! cargo bench --bench scenarios -- S3 S4          some of them
//! cargo bench --bench scenarios -- --full         large enough to believe
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table and its progress are what this program is for"
)]

mod bench;
mod measure;
mod peers;
mod scale;
mod server;
mod table;
mod throughput;
mod tls;
mod waiting;

use bench::Bench;
use table::Row;

/// A scenario: its name, and what measures it.
type Scenario = (&'static str, fn(&Bench) -> Vec<Row>);

const SCENARIOS: [Scenario; 13] = [
    ("S1", throughput::small_responses),
    ("S2", throughput::against_peers),
    ("S3", waiting::order),
    ("S4", waiting::fairness),
    ("S5", waiting::gates),
    ("S6", waiting::the_slowest),
    ("S7", scale::many_lines),
    ("S8", scale::many_at_once),
    ("S9", scale::many_hosts),
    ("S10", scale::many_tls_hosts),
    ("S11", throughput::large_bodies),
    ("S12", throughput::one_request),
    ("S13", throughput::http2),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [serve, role, directory] = &arguments[..]
        && serve == server::SERVE
    {
        return server::serve(role, directory.as_ref());
    }
    let (options, names): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|argument| argument.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| *option != "--full") {
        return eprintln!("{unknown}: unknown; there is --full, and the names of scenarios");
    }
    if let Some(unknown) = names.iter().find(|name| SCENARIOS.iter().all(|(known, _)| known != name)) {
        return eprintln!("{unknown}: no scenario; there are S1 to S13");
    }

    measure::raise_descriptor_limit();
    let bench = Bench::new(!options.is_empty());
    let load = measure::load_average();
    let mut rows = Vec::new();
    for (name, scenario) in SCENARIOS {
        if names.is_empty() || names.iter().any(|picked| picked == name) {
            eprintln!("{name} …");
            rows.extend(scenario(&bench));
        }
    }
    println!("{}", table::render(&rows));
    println!(
        "{} sizes, medians of {} rounds, {} processors, load average {load} before and {} after.",
        bench.pick("Quick", "Full"),
        bench.rounds(),
        std::thread::available_parallelism().map_or(0, usize::from),
        measure::load_average(),
    );
    for missing in peers::missing() {
        println!("{missing}");
    }
}
