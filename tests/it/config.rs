//! Options from a file, as the server sees them.

use std::path::Path;

use crate::support::{Reply, Server, gather};

fn server() -> Server {
    Server::start(|_| Reply::ok("hello"))
}

fn directory_with(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("gather.toml"), text).expect("written");
    directory
}

/// The host and port of a server, as a key names them.
fn authority(server: &Server) -> String {
    server.address().to_string()
}

fn stderr_in(directory: &Path, arguments: &[&str], code: i32) -> String {
    let output = gather().current_dir(directory).args(arguments).assert().code(code);
    String::from_utf8_lossy(&output.get_output().stderr).into_owned()
}

#[test]
fn a_file_in_the_working_directory_is_read_and_can_be_left_out() {
    let server = server();
    let directory = directory_with("user-agent = \"from-a-file\"");
    for arguments in [&[][..], &["--no-config"], &["-A", "from-words"]] {
        gather().current_dir(directory.path()).arg(server.url("/a")).args(arguments).assert().code(0);
    }
    let log = server.log();
    let sent: Vec<_> = log.requests().iter().map(|request| request.header("user-agent").unwrap_or_default()).collect();
    let own = concat!("gather/", env!("CARGO_PKG_VERSION"));
    assert_eq!(sent, ["from-a-file", own, "from-words"]);
}

#[test]
fn the_headers_of_a_host_go_to_it_alone_and_do_not_follow_a_redirect() {
    let other = server();
    let target = other.url("/b");
    let server = Server::start(move |_| Reply::redirect(&target));
    let (host, other_host) = (authority(&server), authority(&other));
    let directory = directory_with(&format!(
        "[host.\"{host}\".headers]\nX-Key = \"canary\"\n[host.\"{other_host}\".headers]\nX-Other = \"canary\""
    ));
    let output = gather().current_dir(directory.path()).args([&server.url("/a"), &other.url("/c")]).assert().code(0);
    assert!(!String::from_utf8_lossy(&output.get_output().stdout).contains("canary"));
    assert_eq!(server.log().requests()[0].header("x-key"), Some("canary"));
    let log = other.log();
    let sent = |target: &str| log.requests().iter().find(|request| request.target == target).expect("a request");
    assert_eq!((sent("/c").header("x-key"), sent("/c").header("x-other")), (None, Some("canary")));
    // A server that redirects does not make us send what another host is trusted with.
    assert_eq!((sent("/b").header("x-key"), sent("/b").header("x-other")), (None, None));
}

#[test]
fn the_statuses_of_a_host_are_its_own() {
    let (server, other) = (Server::start(|_| Reply::status(404)), Server::start(|_| Reply::status(404)));
    let directory = directory_with(&format!("[host.\"{}\"]\naccept = 404", authority(&server)));
    for (url, code) in [(server.url("/a"), 0), (other.url("/a"), 1)] {
        gather().current_dir(directory.path()).arg(url).assert().code(code);
    }
}

#[test]
fn a_dry_run_says_where_options_come_from_and_no_secret() {
    let directory = directory_with(
        "user = \"canary:canary\"\nretry = 1\n[host.\"api.example\"]\nheaders = { X-Key = \"canary\" }\nrate = \"1/s\"",
    );
    let mut program = gather();
    program.current_dir(directory.path()).env("GATHER_JSON", "{\"canary\": 1}").env("GATHER_RETRY", "2");
    let output = program.args(["--dry-run", "-c", "3", "http://api.example/a"]).assert().code(0);
    let (stdout, stderr) = (&output.get_output().stdout, &output.get_output().stderr);
    let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    let lines: Vec<_> = stderr.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "--concurrency 3 set on the command line",
            "--json '***' set by the environment variable GATHER_JSON",
            "--user '***' set in gather.toml:1",
            "--retry 2 set by the environment variable GATHER_RETRY",
            "--dry-run set on the command line",
            "--rate-per-host 1/s for api.example set in gather.toml:5",
            "--header 'X-Key: ***' for api.example set in gather.toml:4",
        ]
    );
    assert!(stdout.contains("x-key: ***") && !stdout.contains("canary"), "{stdout}");
}

#[test]
fn a_bad_file_is_a_usage_error_that_cannot_act_on_a_terminal() {
    let directory = directory_with("\"\\u001b[31mkey\" = 1");
    let said = stderr_in(directory.path(), &["http://127.0.0.1:9/"], 2);
    assert!(said.contains("gather.toml:1: unknown key") && !said.contains('\u{1b}'), "{said:?}");
    // A key in bytes of its own, not escaped by TOML.
    let directory = directory_with("retry = \"\u{9b}31m\"");
    let said = stderr_in(directory.path(), &["http://127.0.0.1:9/"], 2);
    assert!(said.contains("--retry is set in gather.toml:1") && !said.contains('\u{9b}'), "{said:?}");
}
