use std::ffi::OsString;
use std::io::Write as _;

use gather::model::{Origin, Secret};

use crate::cli::layers::{self, Parsed};
use crate::cli::process::Process;
use crate::cli::{self, Settings};

/// A process that finds a file with this text, and has these variables.
fn process(text: &str, variables: &[(&str, &str)]) -> (tempfile::NamedTempFile, Process) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    let process = Process { config_file: Some(file.path().to_owned()), ..Process::with(variables) };
    (file, process)
}

fn words(words: &[&str]) -> Vec<OsString> {
    ["gather", "list"].iter().chain(words).map(OsString::from).collect()
}

fn parsed(given: &[&str], variables: &[(&str, &str)], text: &str) -> Parsed {
    let (_file, process) = process(text, variables);
    layers::parse(&words(given), &process).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn settings(given: &[&str], text: &str) -> Settings {
    let (_file, process) = process(text, &[]);
    cli::settings(&words(given), &process).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The message for a file, with its name as `FILE`.
fn refusal(text: &str) -> String {
    let (file, process) = process(text, &[]);
    let refusal = cli::settings(&words(&[]), &process).err().unwrap_or_else(|| panic!("taken: {text}"));
    refusal.to_string().replace(&file.path().display().to_string(), "FILE")
}

fn secret(text: &str) -> Secret<String> {
    text.to_owned().into()
}

#[test]
fn a_key_is_an_option_with_its_own_type() {
    let args = parsed(
        &[],
        &[],
        "concurrency = 7\nmax-time = 2.5\nmax-filesize = 0x10\ninsecure = true\nverbose = 2\nfields = [\"url\", \"status\"]\n\
         retry-on = \"5xx\"\naccept = 204\nheader = [\"a: 1\", \"b: 2\"]\n\"http1.1\" = true\ncacert = \"roots.pem\"",
    )
    .args;
    assert_eq!((args.fan_out.concurrency.get(), args.time.max_time.as_millis()), (7, 2500));
    assert_eq!((args.results.max_filesize, args.results.fields.len()), (Some(16), 2));
    assert!(args.network.insecure && args.network.http1_1 && args.talk.verbose == 2);
    assert_eq!((args.retries.retry_on.to_string().as_str(), args.results.accept.to_string().as_str()), ("5xx", "204"));
    assert_eq!(args.request.headers, ["a: 1", "b: 2"].map(secret));
    assert_eq!(args.network.cacert, Some("roots.pem".into()));
}

#[test]
fn headers_may_be_a_table() {
    let text = "[headers]\nAccept = \"text/html\"\nX-Two = [\"1\", 2]\nX-Empty = \"\"";
    let headers = parsed(&[], &[], text).args.request.headers;
    assert_eq!(headers, ["Accept: text/html", "X-Empty;", "X-Two: 1", "X-Two: 2"].map(secret));
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let text = "concurrency = 1\nretry = 1\nmax-redirs = 1\nheader = [\"a: file\"]\ninsecure = true\nadaptive = false";
    let parsed =
        parsed(&["-c", "3"], &[("GATHER_RETRY", "2"), ("GATHER_CONCURRENCY", "2"), ("GATHER_INSECURE", "0")], text);
    let args = &parsed.args;
    assert_eq!((args.fan_out.concurrency.get(), args.retries.attempts, args.request.max_redirs), (3, 2, 1));
    assert!(!args.network.insecure && args.fan_out.no_adaptive);
    let given: Vec<_> = parsed.given.iter().map(|given| (given.option.as_str(), given.place.as_str())).collect();
    assert_eq!(given[0], ("--concurrency 3", "on the command line"));
    assert!(given.contains(&("--retry 2", "by the environment variable GATHER_RETRY")), "{given:?}");
    let (_, place) =
        given.iter().find(|(option, _)| *option == "--header 'a: ***'").expect("a header without its value");
    assert!(place.ends_with(":4"), "{place}");
}

#[test]
fn what_an_upper_layer_excludes_is_not_taken_from_the_file() {
    assert!(parsed(&["--adaptive"], &[], "no-adaptive = true").args.fan_out.adaptive);
    let args = parsed(&[], &[("GATHER_MAX_FAILURES", "3")], "fail-early = true").args;
    assert!(!args.results.fail_early && args.results.max_failures.is_some());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
    for (text, message) in [
        ("\nconcurency = 1", "FILE:2: unknown key `concurency`; did you mean `concurrency`?"),
        ("max_per_host = 1", "FILE:1: unknown key `max_per_host`; did you mean `max-per-host`?"),
        ("timeout = 1", "FILE:1: unknown key `timeout`; did you mean `max-time`?"),
        ("xyz = 1", "FILE:1: unknown key `xyz`; keys are the names of long options"),
        ("zzz = 1\naaa = 2", "FILE:1: unknown key `zzz`"),
        ("[host.api.example]\nrate = 1", "unknown table `example` of a host; the name of a host has quotes"),
        ("help = true", "FILE:1: unknown key `help`"),
        ("config = \"x\"", "FILE:1: `config` says which file is read, and cannot stand in one"),
        (
            "[host.\"h\"]\nmax-per-hosts = 1",
            "FILE:2: unknown key `max-per-hosts` in a host's table; did you mean `max-per-host`?",
        ),
        (
            "[host.\"h\"]\nzzz = 1",
            "FILE:2: unknown key `zzz`; a host's table has `headers`, `max-per-host`, `rate`, `accept`",
        ),
    ] {
        assert!(refusal(text).contains(message), "{}", refusal(text));
    }
}

#[test]
fn a_wrong_value_is_named_with_its_line_and_what_would_be_right() {
    for (text, message) in [
        ("\n\nconcurrency = [1]", "FILE:3: `concurrency` is an array, but it takes one text or number"),
        ("concurrency = true", "FILE:1: `concurrency` is true, but it takes one text or number"),
        ("insecure = \"canary\"", "FILE:1: `insecure` is text, but it takes true or false"),
        ("verbose = true", "FILE:1: `verbose` is true, but it takes a number from 0 to 255"),
        ("header = [[\"canary\"]]", "FILE:1: `header` is an array, but it takes text, or an array of texts"),
        ("user = 2020-01-01", "FILE:1: `user` is a date or time"),
        ("concurrency = 0", "--concurrency is set in FILE:1"),
        ("\nuser = \"canary\"", "--user is set in FILE:2"),
        ("ipv4 = true\nipv6 = true", "--ipv4 is set in FILE:1"),
        ("host = 1", "FILE:1: `host` is a number; a host's table is written [host.\"api.example.com\"]"),
        ("[host.\"https://h\"]", "FILE:1: `https://h` is not a host"),
        ("[host.\"H\"]\n[host.h]", "the host h has two tables"),
        ("[host.\"h\"]\n\nrate = \"10\"", "--rate-per-host is set in FILE:3"),
        ("[host.h.headers]\nX-Key = 2020-01-01", "FILE:2: the header `X-Key` is a date or time"),
        ("[host.h]\nheaders = \"User-Agent:\"", "in the table of the host h: the header user-agent"),
        ("a = 1\nuser = \"canary", "FILE:2: this is not TOML: "),
        ("retry = 1\nretry = 2", "FILE:2: this is not TOML: "),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(message), "{refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there_and_one_that_is_found_can_be_left_out() {
    let process = Process { config_file: Some("/nowhere/gather.toml".into()), ..Process::default() };
    assert!(layers::parse(&words(&[]), &process).is_ok());
    let message =
        layers::parse(&words(&["--config", "/nowhere/x.toml"]), &process).err().expect("an error").to_string();
    assert!(message.contains("--config") && message.contains("/nowhere/x.toml"), "{message}");
    assert_eq!(parsed(&["--no-config"], &[], "concurrency = 1").args.fan_out.concurrency.get(), 64);
    assert_eq!(parsed(&[], &[("GATHER_NO_CONFIG", "1")], "no TOML").args.fan_out.concurrency.get(), 64);
    let (named, _) = self::process("concurrency = 2", &[]);
    let named = named.path().display().to_string();
    assert_eq!(parsed(&["--config", &named], &[], "concurrency = 1").args.fan_out.concurrency.get(), 2);
    assert_eq!(parsed(&[], &[("GATHER_CONFIG", &named)], "concurrency = 1").args.fan_out.concurrency.get(), 2);
}

#[test]
fn a_host_has_its_own_limits_headers_and_statuses() {
    let text = "max-per-host = 4\n[host.\"API.example:8080\"]\nheaders = { X-Key = \"canary\" }\nmax-per-host = 0\nrate = \"5/s\"\naccept = 404";
    let settings = settings(&[], text);
    let url = "http://api.example:8080/x".parse().expect("a URL");
    let origin = Origin::of(&url).expect("an origin");
    let limits = &settings.plan.limits;
    assert_eq!((limits.max_of_host.of(&origin), limits.max_per_host.map(usize::from)), (Some(&None), Some(4)));
    assert_eq!(limits.rate_of_host.of(&origin), Some(&"5/s".parse().expect("a rate")));
    assert_eq!(settings.plan.policy.accept_of_host.of_url(&url).map(ToString::to_string).as_deref(), Some("404"));
    let own = settings.input.template.host_headers.of_url(&url).expect("headers");
    assert!(own["x-key"] == "canary" && own["x-key"].is_sensitive());
    let shown: Vec<_> = settings.given.iter().map(|given| given.option.as_str()).collect();
    assert!(shown.contains(&"--header 'X-Key: ***' for api.example:8080"), "{shown:?}");
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn what_stands_above_the_file_wins_over_its_hosts_too() {
    let text = "[host.h]\nheaders = { X-A = \"file\", X-B = \"file\", Authorization = \"file\" }\nmax-per-host = 9\nrate = \"5/s\"\naccept = 404";
    let given = ["-H", "x-a: 1", "-u", "u:p", "--max-per-host", "2", "--rate-per-host", "1/s", "--accept", "2xx"];
    let settings = settings(&given, text);
    let url = "http://h/".parse().expect("a URL");
    let origin = Origin::of(&url).expect("an origin");
    assert_eq!(settings.plan.limits.max_of_host.of(&origin), None);
    assert_eq!(settings.plan.limits.rate_of_host.of(&origin), None);
    assert_eq!(settings.plan.policy.accept_of_host.of_url(&url), None);
    let own = settings.input.template.host_headers.of_url(&url).expect("headers");
    assert_eq!(own.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-b"]);
}
