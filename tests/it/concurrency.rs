//! How many requests are made at once, as the server counts them.

use std::time::Duration;

use crate::support::{Latch, Log, Reply, Request, Server, gather};

/// A reply after a while that differs from line to line, so that places become free at all sorts of times.
fn in_a_moment(request: &Request) -> Reply {
    let seed = request.target.bytes().map(u64::from).sum();
    Reply::ok("hello").after(Duration::from_millis(fastrand::Rng::with_seed(seed).u64(..4)))
}

/// The `Host` of the server under this name.
fn host(server: &Server, name: &str) -> String {
    format!("{name}:{}", server.port())
}

/// `--resolve` for all names of this server.
fn any_name(server: &Server) -> String {
    server.resolve("*")
}

/// How many requests arrived at `host`.
fn arrived(log: &Log, host: &str) -> usize {
    log.requests().iter().filter(|request| request.host() == host).count()
}

#[test]
fn as_many_requests_as_asked_for_are_made_at_once_and_no_more() {
    // Nobody is answered before five have come, so that a smaller bound would be seen as well as a larger one.
    let server = Server::start(|request| in_a_moment(request).held_until(|log| log.most_at_once() >= 5));
    let list: String =
        (0..200).map(|line| server.url_at(&format!("h{}.test", line % 20), &format!("/{line}\n"))).collect();
    gather().args(["-c", "5", "--resolve", &any_name(&server)]).write_stdin(list).assert().code(0);
    let log = server.log();
    assert_eq!((log.requests().len(), log.most_at_once()), (200, 5));
}

#[test]
fn a_host_gets_as_many_at_once_as_allowed_and_no_more() {
    let server = Server::start(|request| {
        let host = request.host().to_owned();
        in_a_moment(request).held_until(move |log| log.most_at_once_to(&host) >= 3)
    });
    let list: String =
        (0..150).map(|line| server.url_at(["a.test", "b.test"][line % 2], &format!("/{line}\n"))).collect();
    let mut program = gather();
    program.args(["-c", "50", "--max-per-host", "3", "--resolve", &any_name(&server)]);
    program.write_stdin(list).assert().code(0);
    let log = server.log();
    let most = ["a.test", "b.test"].map(|name| log.most_at_once_to(&host(&server, name)));
    assert_eq!((log.requests().len(), most), (150, [3, 3]));
}

#[test]
fn a_host_gets_eight_by_default_and_all_where_it_has_no_limit_of_its_own() {
    for (arguments, most) in [(&["-c", "20"][..], 8), (&["-c", "20", "--max-per-host", "0"], 20)] {
        let server =
            Server::start(move |request| in_a_moment(request).held_until(move |log| log.most_at_once() >= most));
        let list: String = (0..100).map(|line| server.url(&format!("/{line}\n"))).collect();
        gather().args(arguments).write_stdin(list).assert().code(0);
        assert_eq!(server.log().most_at_once(), most, "{arguments:?}");
    }
}

#[test]
fn another_port_is_another_host() {
    let latch = Latch::new();
    let (held, releases) = (latch.clone(), latch);
    let first = Server::start(move |_| Reply::ok("first").held_by(&held));
    let second = Server::start(move |_| {
        releases.release();
        Reply::ok("second")
    });
    // The first is answered when the second has been asked.
    gather().args(["--max-per-host", "1", &first.url("/"), &second.url("/")]).assert().code(0);
    assert_eq!((first.log().requests().len(), second.log().requests().len()), (1, 1));
}

#[test]
fn a_host_that_is_slow_holds_up_no_other() {
    // The list is sorted by host, and all of the first wait until the second has had all of its own.
    let server = Server::start(|request| {
        let port = request.host().rsplit_once(':').map_or("", |(_, port)| port);
        let other = format!("quick.test:{port}");
        if request.host() == other {
            return in_a_moment(request);
        }
        Reply::ok("slow").held_until(move |log| arrived(log, &other) == 30)
    });
    let lines = |name| (0..30).map(|line| server.url_at(name, &format!("/{line}\n"))).collect::<String>();
    let mut program = gather();
    program.args(["-c", "4", "--max-per-host", "2", "--resolve", &any_name(&server)]);
    program.write_stdin(lines("slow.test") + &lines("quick.test")).assert().code(0);
    let log = server.log();
    assert_eq!((log.requests().len(), log.most_at_once_to(&host(&server, "slow.test"))), (60, 2));
}

#[test]
fn a_redirect_counts_for_the_host_that_it_leads_to() {
    let server = Server::start(|request| match request.target.strip_prefix("/from") {
        // All hosts are asked at once, and all lead to one.
        Some(line) => {
            let port = request.host().rsplit_once(':').map_or("", |(_, port)| port);
            Reply::redirect(format!("http://end.test:{port}/to{line}")).held_until(|log| log.most_at_once() >= 12)
        }
        None => in_a_moment(request),
    });
    let list: String = (0..12).map(|line| server.url_at(&format!("h{line}.test"), &format!("/from{line}\n"))).collect();
    let mut program = gather();
    program.args(["-c", "12", "--max-per-host", "1", "--resolve", &any_name(&server)]);
    program.write_stdin(list).assert().code(0);
    let log = server.log();
    let end = host(&server, "end.test");
    assert_eq!((arrived(&log, &end), log.most_at_once_to(&end)), (12, 1));
}
