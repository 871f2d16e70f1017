//! `--deny-private`. Tests may go nowhere but to loopback, so what they show is that a server there sees no connection.

use serde_json::Value;

use crate::support::{Reply, Server, gather, records};

/// Spellings of 127.0.0.1 that reach it without the guard.
const SPELLINGS: [&str; 16] = [
    "127.0.0.1",
    "127.0.0.1.",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.1",
    "0177.0000.0.01",
    "127.1",
    "127.0.1",
    "%31%32%37.0.0.1",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "\u{2460}\u{2461}\u{2466}.0.0.1",
    "127\u{3002}0\u{ff0e}0\u{ff61}1",
    "0.0.0.0",
    "localhost",
    "api.localhost.",
];

fn run(arguments: &[&str], list: impl Into<String>) -> Vec<Value> {
    let output = gather().args(["--no-progress", "-q"]).args(arguments).write_stdin(list.into()).assert();
    records(&output.get_output().stdout)
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["error"]["kind"].as_str().unwrap_or("none")).collect()
}

#[test]
fn loopback_in_every_spelling_sees_no_connection() {
    let server = Server::start(|_| Reply::ok("hello"));
    let list = SPELLINGS.map(|host| server.url_at(host, "/") + "\n").concat();
    assert!(run(&[], list.clone()).iter().all(|record| record["ok"] == true), "they all lead there");
    let seen = server.log().connections();
    let only_denied = ["[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"];
    let list = list + &only_denied.map(|host| server.url_at(host, "/") + "\n").concat();
    let records = run(&["--deny-private", "--retry", "5"], list);
    assert_eq!(kinds(&records), ["url_blocked"; SPELLINGS.len() + 5]);
    for record in &records {
        assert_eq!((record.get("attempts"), &record["error"]["phase"]), (None, &Value::from("input")), "{record}");
    }
    assert_eq!(server.log().connections(), seen);
}

#[test]
fn options_that_lead_to_loopback_are_no_way_around() {
    let server = Server::start(|_| Reply::ok("hello"));
    let port = server.port();
    let resolve = server.resolve("a.test");
    let connect = format!("a.test:{port}:127.0.0.1:{port}");
    let hidden = format!("a.test:{port}:0x7f.1:{port}");
    let name = format!("a.test:{port}:localhost:{port}");
    let six = format!("a.test:{port}:[::ffff:127.0.0.1]:{port}");
    for way in [
        ["--resolve", &resolve],
        ["--connect-to", &connect],
        ["--connect-to", &hidden],
        ["--connect-to", &name],
        ["--connect-to", &six],
    ] {
        let url = server.url_at("a.test", "/");
        let records = run(&[&["--deny-private"], &way[..]].concat(), url);
        assert_eq!(kinds(&records), ["url_blocked"], "{way:?}");
    }
    assert_eq!(server.log().connections(), 0);
}

#[test]
fn the_variable_is_the_option() {
    let server = Server::start(|_| Reply::ok("hello"));
    let output = gather().env("GATHER_DENY_PRIVATE", "1").arg(server.url("/")).assert().code(1);
    assert_eq!(kinds(&records(&output.get_output().stdout)), ["url_blocked"]);
    assert_eq!(server.log().connections(), 0);
}

#[test]
fn a_proxy_must_be_said_to_be_guarded() {
    let proxy = Server::start(|_| Reply::ok("through the proxy"));
    let url = proxy.url("");
    for (words, variable) in
        [(&["-x", &url][..], ("NO_PROXY", "")), (&[], ("http_proxy", &url)), (&["--dry-run"], ("ALL_PROXY", &url))]
    {
        let output =
            gather().args(["--deny-private", "http://a.test/"]).args(words).env(variable.0, variable.1).assert();
        let stderr = String::from_utf8_lossy(&output.code(2).get_output().stderr).into_owned();
        assert!(stderr.contains("--deny-private") && stderr.contains("--proxy-is-guarded"), "{stderr}");
    }
    assert_eq!(proxy.log().connections(), 0);
    let guarded = ["--deny-private", "--proxy-is-guarded", "-x", &url];
    // The proxy itself may be private. What is known to be private is refused all the same.
    let records = run(&guarded, "http://a.test/\nhttp://127.1/\nhttp://[::1]/\nhttp://localhost/\n");
    assert_eq!(kinds(&records), ["none", "url_blocked", "url_blocked", "url_blocked"]);
    assert_eq!(proxy.log().targets(), ["http://a.test/"]);
    let direct = run(&["--deny-private", "-x", &url, "--noproxy", "*"], proxy.url("/"));
    assert_eq!(kinds(&direct), ["url_blocked"]);
}

#[test]
fn a_redirect_to_a_private_address_is_refused_by_its_own_name() {
    // A guarded proxy stands in for the public Internet.
    let proxy = Server::start(|request| match request.target.as_str() {
        "http://a.test/literal" => Reply::redirect("http://2130706433:81/"),
        "http://a.test/name" => Reply::redirect("http://localhost/"),
        "http://a.test/far" => Reply::redirect("http://b.test/literal"),
        "http://b.test/literal" => Reply::redirect("http://[::ffff:7f00:1]/"),
        other => panic!("{other} was followed"),
    });
    let url = proxy.url("");
    let list = ["literal", "name", "far"].map(|path| format!("http://a.test/{path}\n")).concat();
    let records = run(&["--deny-private", "--proxy-is-guarded", "--retry", "3", "-x", &url], list);
    assert_eq!(kinds(&records), ["redirect_blocked"; 3]);
    assert_eq!(proxy.log().requests().len(), 4, "nothing is repeated");
    let blocked = records[2]["hops"].as_array().and_then(|hops| hops.last()).expect("hops");
    assert_eq!(
        (&blocked["error"]["kind"], &records[2]["error"]["phase"]),
        (&Value::from("redirect_blocked"), &Value::from("redirect"))
    );
}
