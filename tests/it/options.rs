//! What options make of the requests, as the server sees them.

use crate::support::{Reply, Server, gather};

fn server() -> Server {
    Server::start(|_| Reply::ok("hello"))
}

#[test]
fn a_user_agent_is_sent_unless_it_is_empty_or_taken_back() {
    let server = server();
    for arguments in [&["-A", "probe/1"][..], &[], &["-A", ""], &["-H", "User-Agent:"]] {
        gather().arg(server.url("/a")).args(arguments).assert().code(0);
    }
    let log = server.log();
    let sent: Vec<_> = log.requests().iter().map(|request| request.header("user-agent")).collect();
    let own = concat!("gather/", env!("CARGO_PKG_VERSION"));
    assert_eq!(sent, [Some("probe/1"), Some(own), None, None]);
}

#[test]
fn a_json_body_is_posted_with_its_headers() {
    let server = server();
    gather().arg(server.url("/a")).args(["--json", "{\"a\": 1}", "-H", "X-Empty;"]).assert().code(0);
    let log = server.log();
    let request = &log.requests()[0];
    assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", b"{\"a\": 1}".as_slice()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("x-empty"), Some(""));
}

#[test]
fn a_variable_of_the_environment_is_an_option() {
    let server = server();
    let mut program = gather();
    program.env("GATHER_OAUTH2_BEARER", "canary").env("GATHER_BASE_URL", server.url("/v1/")).env("GATHER_QUIET", "1");
    program.write_stdin("users\n").assert().code(0).stderr("");
    let log = server.log();
    assert_eq!(log.targets(), ["/v1/users"]);
    assert_eq!(log.requests()[0].header("authorization"), Some("Bearer canary"));
}

#[test]
fn a_bad_variable_is_named() {
    let output = gather().env("GATHER_CONCURRENCY", "many").arg("http://127.0.0.1:9/").assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("GATHER_CONCURRENCY") && stderr.contains("'many'"), "{stderr}");
}

#[test]
fn no_secret_is_shown_at_any_level_of_the_log() {
    let server = Server::start(|_| Reply::status(503));
    let url = server.url("/a").replace("http://", "http://user:canary1@");
    let output = gather()
        .args(["-vvv", "-H", "X-Api-Key: canary2", "--json", "\"canary3\"", "--retry", "1", &url])
        .env("GATHER_PROXY", "")
        .assert()
        .code(1);
    let said = [&output.get_output().stdout[..], &output.get_output().stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("TRACE") || said.contains("DEBUG"), "the log is silent: {said}");
    assert!(!said.contains("canary"), "{said}");
    assert!(server.log().mentions("canary2"), "the secret was not even sent");
}

#[test]
fn credentials_of_a_proxy_go_to_the_proxy_and_are_not_shown() {
    let proxy = server();
    let url = proxy.url("").replace("://", "://user:canary@");
    let nobody = "http://user:canary@127.0.0.2:9";
    for (arguments, code) in [(["-x", &url], 0), (["-x", nobody], 1)] {
        let output = gather().args(["-vvv", "--retry", "0", "http://a.test/"]).args(arguments).assert().code(code);
        let said = [&output.get_output().stdout[..], &output.get_output().stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("canary") && !said.contains("dXNlcjpjYW5hcnk="), "{said}");
    }
    let log = proxy.log();
    let [request] = log.requests() else { panic!("{:?}", log.targets()) };
    assert_eq!(request.target, "http://a.test/");
    assert_eq!(request.header("proxy-authorization"), Some("Basic dXNlcjpjYW5hcnk="));
}
