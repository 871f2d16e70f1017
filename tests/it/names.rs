//! Names, as a pod looks them up: `/etc/resolv.conf` with a search list, `/etc/hosts`, and what is missing or silent of both.

use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{NameServer, Reply, Running, Say, Server, gather_with_etc, list, records, skipped};

/// A directory with these files.
fn etc(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    directory
}

/// Fetches `lines` where `/etc` has these files alone; `None` where that cannot be tried.
fn run(files: &[(&str, &str)], arguments: &[&str], lines: &str) -> Option<Output> {
    let (etc, lines) = (etc(files), list(lines));
    let mut command = gather_with_etc(etc.path())?;
    Some(command.args(["--no-progress"]).args(arguments).arg(lines.path()).output().expect("it can be started"))
}

/// A name server, unless only root may have one here.
fn name_server(address: [u8; 4], say: impl Fn(&str) -> Say + Send + 'static) -> Option<NameServer> {
    NameServer::start(address, say).map_err(|error| skipped(&format!("port 53: {error}"))).ok()
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["error"]["kind"].as_str().unwrap_or("none")).collect()
}

#[test]
fn without_a_name_server_the_hosts_file_and_addresses_do() {
    let server = Server::start(|_| Reply::ok("hello"));
    let hosts = "127.0.0.1 localhost a.test\n";
    let lines = ["a.test", "127.0.0.1", "localhost", "b.test", "c.test"].map(|host| server.url_at(host, "/") + "\n");
    let empty = "# nothing\nsearch a.test\n";
    for files in [&[("hosts", hosts)][..], &[("hosts", hosts), ("resolv.conf", empty)]] {
        let Some(output) = run(files, &["--retry", "0"], &lines.concat()) else { return };
        let records = records(&output.stdout);
        assert_eq!(kinds(&records), ["none", "none", "none", "dns_servfail", "dns_servfail"]);
        let message = records[3]["error"]["message"].as_str().expect("a message");
        assert!(message.contains("b.test") && message.contains("/etc/resolv.conf"), "{message}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr.matches("WARN").count(), 1, "said once: {stderr}");
    }
}

#[test]
fn a_pod_finds_its_services_and_asks_once_for_100_lines() {
    let server = Server::start(|_| Reply::ok("hello"));
    let here = [127, 0, 0, 1].into();
    let Some(names) = name_server([127, 53, 0, 1], move |name| match name {
        "api.ns.svc.cluster.local." | "db.other.svc.cluster.local." | "www.a.test." => Say::Address(here),
        "sick.ns.svc.cluster.local." => Say::Failure,
        _ => Say::NotFound,
    }) else {
        return;
    };
    let resolv = names.line() + "search ns.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";
    let lines = ["api", "db.other", "www.a.test", "none", "sick"].map(|host| server.url_at(host, "/") + "\n");
    let files = [("hosts", ""), ("resolv.conf", &resolv)];
    let Some(output) = run(&files, &["--retry", "0", "--max-per-host", "0"], &lines.concat().repeat(20)) else {
        return;
    };
    let records = records(&output.stdout);
    let expected = ["none", "none", "none", "dns_not_found", "dns_servfail"];
    assert_eq!(kinds(&records), expected.repeat(20));
    let asked = names.asked();
    let sick = "sick.ns.svc.cluster.local.";
    let once: Vec<_> = asked.iter().filter(|(name, _)| !name.starts_with("sick.")).collect();
    assert_eq!(once.iter().filter(|(name, _)| name.starts_with("none.")).count(), 4, "{asked:?}");
    assert!(once.iter().all(|(_, count)| *count == 2), "A and AAAA, each once: {asked:?}");
    assert!(asked.iter().any(|(name, count)| name == sick && *count >= 2), "{asked:?}");
    assert!(asked.iter().all(|(name, _)| name != "api." && name != "api.svc.cluster.local."), "{asked:?}");
}

#[test]
fn a_name_server_that_hangs_holds_up_neither_other_hosts_nor_a_signal() {
    let server = Server::start(|_| Reply::ok("hello"));
    let here = [127, 0, 0, 1].into();
    let say = move |name: &str| if name == "a.test." { Say::Address(here) } else { Say::Silence };
    let Some(names) = name_server([127, 53, 0, 2], say) else { return };
    let etc = etc(&[("hosts", ""), ("resolv.conf", &names.line())]);
    let Some(mut command) = gather_with_etc(etc.path()) else { return };
    command.args(["--no-progress", "--order", "completion", "--grace", "0"]);
    let mut lines: Vec<_> = (0..20).map(|number| format!("http://hung{number}.test/")).collect();
    lines.extend([server.url_at("a.test", "/"), server.url("/\n")]);
    let mut program = Running::start(command);
    program.write(&lines.join("\n"));
    program.close_stdin();
    for _ in 0..2 {
        assert_eq!(program.record()["ok"], true);
    }
    program.signal(Signal::INT);
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(kinds(&records(&ended.stdout))[2..], ["canceled"; 20]);
}

#[test]
fn silence_of_the_name_server_is_named() {
    let Some(names) = name_server([127, 53, 0, 3], |_| Say::Silence) else { return };
    let resolv = names.line();
    let files = [("hosts", ""), ("resolv.conf", resolv.as_str())];
    let arguments = ["--connect-timeout", "200ms", "--retry", "1"];
    let Some(output) = run(&files, &arguments, "http://a.test/\n") else { return };
    let records = records(&output.stdout);
    assert_eq!((kinds(&records), &records[0]["error"]["phase"]), (vec!["dns_timeout"], &Value::from("dns")));
    assert_eq!(records[0]["attempts"].as_array().map(Vec::len), Some(2), "{}", records[0]);
}
