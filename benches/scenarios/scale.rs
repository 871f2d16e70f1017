//! Scenarios of scale: many lines, many connections, many hosts.

use std::fmt::Write as _;

use crate::bench::Bench;
use crate::measure::{Usage, in_turn, median, run, run_sampled, run_to};
use crate::peers;
use crate::server::Server;
use crate::table::Row;
use crate::tls::DOMAIN;

/// Requests at once, the default of the program.
const AT_ONCE: usize = 64;

/// S7: memory does not grow with the number of lines. One round: it is long, and memory hardly varies.
pub(crate) fn many_lines(bench: &Bench) -> Vec<Row> {
    let server = Server::plain(bench.directory());
    let [some, many] = [100_000, bench.pick(1_000_000, 10_000_000)].map(|lines| {
        let list = bench.list("empty.txt", (0..lines).map(|number| server.url(&format!("/empty?{number}"))));
        // Few fields, so that ten million records fit the disk.
        (lines, run(&mut bench.gather(&list, &["--max-per-host", "0", "--fields", "index,ok"])).peak())
    });
    let row = |measured: String| Row::new("S7", measured, format!("{:.1}", many.1));
    vec![
        row(format!("peak MiB, {} lines to a 204 server", many.0))
            .reference(format!("{} lines {:.1}", some.0, some.1))
            .ratio(many.1 / some.1)
            .at_most(1.1),
        row("the same, against 64 and what `--memory` allows".to_owned()).ratio(many.1).at_most(64.0 + 256.0),
    ]
}

/// S8: many requests at once, all of them waiting for their answers.
pub(crate) fn many_at_once(bench: &Bench) -> Vec<Row> {
    let (requests, delay) = bench.pick((2_000, 1_000), (10_000, 4_000));
    let server = Server::plain(bench.directory());
    let list = bench.list("waiting.txt", (0..requests).map(|number| server.url(&format!("/delay/{delay}?{number}"))));
    let arguments = ["-c", &requests.to_string(), "--max-per-host", "0", "--retry", "0"];
    let mut failures = 0;
    let mut gather = || {
        let usage = run_to(&[0, 1], &mut bench.gather(&list, &arguments));
        failures = failures.max(bench.failures(requests));
        usage
    };
    let [turns] = in_turn(bench.rounds(), [&mut gather]);
    let (peak, wall) = (median(&turns, Usage::peak), median(&turns, Usage::wall));
    let kilobytes = peak * 1024.0 / f64::from(u32::try_from(requests).expect("not that many"));
    let all = format!("{requests} at once, answers after {:.1} s", f64::from(delay) / 1e3);
    vec![
        Row::new("S8", format!("failures, {all}"), format!("{failures} in {wall:.2} s"))
            .ratio(f64::from(u32::try_from(failures).expect("not that many")))
            .at_most(0.0),
        Row::new("S8", "peak KiB a connection of the same, all memory counted", format!("{kilobytes:.1}"))
            .ratio(kilobytes)
            .at_most(40.0),
    ]
}

/// S9: many hosts, once each: idle connections must not pile up.
pub(crate) fn many_hosts(bench: &Bench) -> Vec<Row> {
    let hosts = bench.pick(10_000, 100_000);
    let server = Server::plain(bench.directory());
    let port = server.port();
    let host = |number: usize| format!("127.{}.{}.{}", number / 62_500 + 1, number / 250 % 250, number % 250 + 1);
    let many = bench.list("hosts.txt", (0..hosts).map(|number| format!("http://{}:{port}/size/1024", host(number))));
    let one = bench.list("host.txt", (0..hosts).map(|number| server.url(&format!("/size/1024?{number}"))));
    let mut gather_many = || run_sampled(&mut bench.gather(&many, &[]));
    let mut gather_one = || run_sampled(&mut bench.gather(&one, &["--max-per-host", "0"]));
    let [many, one] = in_turn(bench.rounds(), [&mut gather_many, &mut gather_one]);
    let descriptors = many.iter().map(|usage| usage.descriptors).max().unwrap_or_default();
    let [many_wall, one_wall] = [&many, &one].map(|usages| median(usages, Usage::wall));
    let judged = f64::from(u32::try_from(descriptors).expect("not that many"));
    let most = f64::from(u32::try_from(AT_ONCE * 2 + 64).expect("not that many"));
    vec![
        Row::new("S9", format!("descriptors open at most, {hosts} hosts once each"), descriptors.to_string())
            .reference("concurrency × 2 + 64")
            .ratio(judged)
            .at_most(most),
        Row::new("S9", "s of the same", format!("{many_wall:.2}"))
            .reference(format!("one host {one_wall:.2}"))
            .ratio(many_wall / one_wall)
            .at_most(3.0),
    ]
}

/// S10: many hosts with TLS, once each.
pub(crate) fn many_tls_hosts(bench: &Bench) -> Vec<Row> {
    let measured = "CPU ms a host, TLS, hosts once each";
    if !peers::CURL.is_installed() {
        return vec![Row::new("S10", measured, "–").reference(peers::CURL.absent()).at_most(0.5)];
    }
    let hosts = bench.pick(2_000, 5_000);
    let server = Server::tls(bench.directory());
    let port = server.port();
    let urls: Vec<_> = (0..hosts).map(|number| format!("https://h{number}.{DOMAIN}:{port}/size/1024")).collect();
    let list = bench.list("tls.txt", &urls);
    let mut config = String::new();
    for url in &urls {
        writeln!(config, "url = {url}\noutput = /dev/null").expect("a string takes every write");
    }
    let config = bench.list("tls.curl", [config]);
    let authority = server.authority();
    let cost = |usage: Usage| usage.cpu() * 1e3 / f64::from(hosts);
    let mut gather = || cost(run(&mut bench.gather(&list, &["-4", "--cacert", &authority.to_string_lossy()])));
    let mut curl = || cost(run(&mut peers::curl_listed(&config, AT_ONCE, authority)));
    let [gather, curl] = in_turn(bench.rounds(), [&mut gather, &mut curl]).map(|costs| median(&costs, |cost| *cost));
    let row = Row::new("S10", measured, format!("{gather:.2}")).reference(format!("curl -Z {curl:.2}"));
    vec![row.ratio(gather / curl).at_most(0.5)]
}
