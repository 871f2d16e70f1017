//! Scenarios of throughput: how much work a request is.

use std::process::Command;

use crate::bench::Bench;
use crate::measure::{Usage, in_turn, median, run};
use crate::peers;
use crate::server::Server;
use crate::table::Row;
use crate::tls::DOMAIN;

/// Requests at once, the default of the program.
const AT_ONCE: usize = 64;

/// What S1, S2 and S13 fetch: 1 KB of text.
const SMALL: &str = "/size/1024";

/// S1: small responses, whole records in order to a file, against what only parses.
pub(crate) fn small_responses(bench: &Bench) -> Vec<Row> {
    let measured = "CPU µs a request, 1 KB";
    let requests = bench.pick(50_000, 100_000);
    let server = Server::plain(bench.directory());
    let list = small_list(bench, &server, requests);
    let url = server.url(SMALL);
    let mut gather = || cost(&run(&mut bench.gather(&list, &["--max-per-host", "0"])), requests);
    let mut wrk = || {
        let usage = run(&mut peers::wrk(&url, AT_ONCE, bench.pick(1, 3)));
        usage.cpu() * 1e6 / peers::wrk_requests(&usage.text)
    };
    let mut oha = || cost(&run(&mut peers::oha(&url, AT_ONCE, requests)), requests);

    let mut rows = Vec::new();
    if peers::WRK.is_installed() {
        let [gather, wrk] = in_turn(bench.rounds(), [&mut gather, &mut wrk]).map(middle);
        let row = Row::new("S1", measured, format!("{gather:.1}")).reference(format!("wrk {wrk:.1}"));
        rows.push(row.ratio(gather / wrk).at_most(2.0));
    } else {
        rows.push(Row::new("S1", measured, "–").reference(peers::WRK.absent()).at_most(2.0));
    }
    if peers::OHA.is_installed() {
        let [gather, oha] = in_turn(bench.rounds(), [&mut gather, &mut oha]).map(middle);
        let row = Row::new("S1", measured, format!("{gather:.1}")).reference(format!("oha {oha:.1}"));
        rows.push(row.ratio(gather / oha));
    }
    assert_eq!(bench.failures(requests), 0, "every request must succeed");
    rows
}

/// S2: the same as S1, against what users would pick instead.
pub(crate) fn against_peers(bench: &Bench) -> Vec<Row> {
    let requests = bench.pick(30_000, 100_000);
    let server = Server::plain(bench.directory());
    let list = small_list(bench, &server, requests);
    let url = server.url(SMALL);
    let rate = |usage: &Usage, requests: usize| count(requests) / usage.wall();
    let mut gather = || rate(&run(&mut bench.gather(&list, &["--max-per-host", "0"])), requests);
    let mut curl = || rate(&run(&mut peers::curl_numbered(&url, requests, AT_ONCE, "/dev/null")), requests);
    let python =
        |mut command: Command, requests: usize| count(requests) / peers::python_seconds(&run(&mut command).text);
    let (some, few) = (requests / 3, bench.pick(1_000, 10_000));
    let mut aiohttp = || python(peers::aiohttp(&url, some, AT_ONCE), some);
    let mut httpx = || python(peers::httpx(&url, few, AT_ONCE), few);

    let contestants: [(_, _, &mut dyn FnMut() -> f64, _); 3] = [
        ("curl -Z", peers::CURL, &mut curl, 2.0),
        ("aiohttp", peers::AIOHTTP, &mut aiohttp, 5.0),
        ("httpx", peers::HTTPX, &mut httpx, 50.0),
    ];
    let mut rows = Vec::new();
    for (name, peer, contestant, least) in contestants {
        if !peer.is_installed() {
            rows.push(Row::new("S2", "requests/s, 1 KB", "–").reference(peer.absent()).at_least(least));
            continue;
        }
        let [gather, peer] = in_turn(bench.rounds(), [&mut gather, contestant]).map(middle);
        let row = Row::new("S2", "requests/s, 1 KB", format!("{gather:.0}")).reference(format!("{name} {peer:.0}"));
        rows.push(row.ratio(gather / peer).at_least(least));
    }
    rows
}

/// S11: large bodies to files.
pub(crate) fn large_bodies(bench: &Bench) -> Vec<Row> {
    const SIZE: usize = 10 << 20;
    const AT_ONCE: usize = 8;
    let measured = "GB/s, bodies of 10 MB to files";
    if !peers::CURL.is_installed() {
        return vec![Row::new("S11", measured, "–").reference(peers::CURL.absent()).at_least(1.0)];
    }
    let requests = bench.pick(40, 200);
    let server = Server::plain(bench.directory());
    let url = server.url(&format!("/size/{SIZE}"));
    let list = bench.list("large.txt", (1..=requests).map(|number| format!("{url}?{number}")));
    let rate = |usage: &Usage| count(requests * SIZE) / usage.wall() / 1e9;
    let place = || tempfile::tempdir_in(bench.directory()).expect("room in the temporary directory");
    let mut gather = || {
        let bodies = place();
        rate(&run(bench.gather(&list, &["-c", &AT_ONCE.to_string()]).arg("--output-dir").arg(bodies.path())))
    };
    let mut curl = || {
        let bodies = place();
        let output = bodies.path().join("#1");
        rate(&run(&mut peers::curl_numbered(&url, requests, AT_ONCE, &output.to_string_lossy())))
    };
    let [gather, curl] = in_turn(bench.rounds(), [&mut gather, &mut curl]).map(middle);
    let row = Row::new("S11", measured, format!("{gather:.2}")).reference(format!("curl -Z -o {curl:.2}"));
    vec![row.ratio(gather / curl).at_least(1.0)]
}

/// S12: one request, from the start of the program to its end.
pub(crate) fn one_request(bench: &Bench) -> Vec<Row> {
    const ROUNDS: usize = 21;
    let measured = "ms for one request, start to end";
    if !peers::CURL.is_installed() {
        return vec![Row::new("S12", measured, "–").reference(peers::CURL.absent()).at_most(2.0)];
    }
    let server = Server::plain(bench.directory());
    let url = server.url(SMALL);
    let mut gather = || run(&mut bench.gather(url.as_ref(), &[])).wall() * 1e3;
    let mut curl = || run(&mut peers::curl(&url)).wall() * 1e3;
    let [gather, curl] = in_turn(ROUNDS, [&mut gather, &mut curl]).map(middle);
    let row = Row::new("S12", measured, format!("{gather:.1}")).reference(format!("curl {curl:.1}"));
    vec![row.ratio(gather / curl).at_most(2.0)]
}

/// S13: HTTP/2 over one connection.
pub(crate) fn http2(bench: &Bench) -> Vec<Row> {
    let measured = "CPU µs a request, HTTP/2 over TLS, one origin";
    if !peers::H2LOAD.is_installed() {
        return vec![Row::new("S13", measured, "–").reference(peers::H2LOAD.absent()).at_most(2.5)];
    }
    let requests = bench.pick(30_000, 100_000);
    let server = Server::http2(bench.directory());
    let url = format!("https://{DOMAIN}:{}{SMALL}", server.port());
    let list = bench.list("http2.txt", (0..requests).map(|number| format!("{url}?{number}")));
    let authority = server.authority().to_string_lossy();
    let mut gather = || {
        let arguments = ["-4", "--max-per-host", "0", "--cacert", &authority];
        cost(&run(&mut bench.gather(&list, &arguments)), requests)
    };
    let other = format!("https://127.0.0.1:{}{SMALL}", server.port());
    let mut h2load = || cost(&run(&mut peers::h2load(&other, AT_ONCE, requests)), requests);
    let [gather, h2load] = in_turn(bench.rounds(), [&mut gather, &mut h2load]).map(middle);
    let row = Row::new("S13", measured, format!("{gather:.1}")).reference(format!("h2load {h2load:.1}"));
    vec![row.ratio(gather / h2load).at_most(2.5)]
}

fn small_list(bench: &Bench, server: &Server, requests: usize) -> std::path::PathBuf {
    let url = server.url(SMALL);
    bench.list("small.txt", (0..requests).map(|number| format!("{url}?{number}")))
}

/// CPU microseconds a request.
fn cost(usage: &Usage, requests: usize) -> f64 {
    usage.cpu() * 1e6 / count(requests)
}

#[expect(clippy::cast_precision_loss, reason = "no bench makes 2^52 requests")]
fn count(requests: usize) -> f64 {
    requests as f64
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map` calls")]
fn middle(figures: Vec<f64>) -> f64 {
    median(&figures, |figure| *figure)
}
