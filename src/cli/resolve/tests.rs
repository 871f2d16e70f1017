use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::time::Duration;

use gather::engine::Order;
use gather::fetch::{Bodies, FetchOptions};
use gather::report::Format;

use super::*;
use crate::cli;
use crate::cli::process::Terminal;
use crate::cli::settings::ProgressForm;

/// Settings, or the text of the usage error, with `list` as the source.
fn settings_of(words: &[&str], process: &Process) -> Result<Settings, String> {
    let words: Vec<_> = ["gather", "list"].iter().chain(words).map(OsString::from).collect();
    cli::settings(&words, process).map_err(|error| error.to_string())
}

fn settings(words: &[&str]) -> Settings {
    settings_of(words, &Process::default()).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn refusal(words: &[&str]) -> String {
    settings_of(words, &Process::default()).expect_err("a usage error")
}

fn sources_of(words: &[&str]) -> Vec<Source> {
    sources(&words.iter().map(|word| OsString::from(word).into()).collect::<Vec<_>>(), &Process::default())
        .expect("sources")
}

fn header(words: &[&str], name: &str) -> Option<String> {
    let settings = settings(words);
    let value = settings.input.template.headers.get(name)?;
    Some(value.to_str().expect("text").to_owned())
}

fn file_with(bytes: &[u8]) -> (tempfile::NamedTempFile, String) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    let named = format!("@{}", file.path().display());
    (file, named)
}

#[test]
fn without_options_all_is_as_the_library_has_it() {
    let settings = settings(&["--seed", "1"]);
    assert_eq!(format!("{:?}", settings.fetch), format!("{:?}", FetchOptions::default()));
    assert_eq!(format!("{:?}", settings.plan), format!("{:?}", Plan { seed: 1, ..Plan::default() }));
    assert_eq!(format!("{:?}", settings.input), format!("{:?}", InputOptions::default()));
    assert_eq!(settings.rules, Rules::default());
}

#[test]
fn a_negative_number_is_the_bad_value_of_its_option() {
    for words in [["-c", "-1"], ["--retry", "-1"], ["-m", "-2.5"], ["--max-filesize", "-1"]] {
        let message = refusal(&words);
        assert!(message.contains(&format!("invalid value '{}' for '--", words[1])), "{message}");
    }
    assert!(
        refusal(&["-c", "-4"]).contains("--concurrency") && settings(&["-c", "4", "-4"]).fetch.ip_version.is_some()
    );
}

#[test]
fn a_number_that_is_too_large_is_not_said_to_be_none() {
    let large = "99999999999999999999";
    assert!(refusal(&["-m", large]).contains("the longest time is"));
    assert!(refusal(&["-c", large]).contains("a whole number from 1 to 1844"));
}

#[test]
fn every_bad_value_is_refused_with_the_option_and_the_value() {
    for (option, value) in [
        ("--concurrency", "0"),
        ("--concurrency", "-1"),
        ("--max-per-host", "many"),
        ("--order", "random"),
        ("--window", "0"),
        ("--memory", "lots"),
        ("--rate", "10"),
        ("--rate-per-host", "0/s"),
        ("--request", "GE T"),
        ("--max-redirs", "-1"),
        ("--connect-timeout", "0"),
        ("--read-timeout", "soon"),
        ("--max-time", "0s"),
        ("--retry-max-time", "1x"),
        ("--deadline", "0"),
        ("--grace", "-1"),
        ("--retry", "-1"),
        ("--retry-on", "600..500"),
        ("--max-retry-after", "inf"),
        ("--format", "xml"),
        ("--body", "file"),
        ("--fields", "sttus"),
        ("--max-filesize", "10X"),
        ("--accept", "abc"),
        ("--max-failures", "0"),
        ("--resolve", "host"),
        ("--connect-to", "a:b"),
        ("--color", "blue"),
        ("--log-format", "xml"),
        ("--input-format", "yaml"),
        ("--base-url", "/health"),
        ("--base-url", "ftp://h/"),
        ("--proxy", "ftp://h"),
    ] {
        let message = refusal(&[&format!("{option}={value}")]);
        assert!(message.contains(option) && message.contains(value), "{option} {value}: {message}");
    }
}

#[test]
fn options_that_exclude_each_other_are_refused_by_name() {
    for (one, other) in [
        (["-4"].as_slice(), ["-6"].as_slice()),
        (&["--http1.1"], &["--http2-prior-knowledge"]),
        (&["--data=a"], &["--json=1"]),
        (&["--user=a:b"], &["--oauth2-bearer=t"]),
        (&["--output-dir=d"], &["--body=inline"]),
        (&["--output-dir=d"], &["--no-body"]),
        (&["--body=none"], &["--no-body"]),
        (&["--fail-early"], &["--max-failures=2"]),
        (&["-q"], &["-v"]),
    ] {
        let message = refusal(&[one, other].concat());
        assert!(message.contains("cannot be used with"), "{one:?} {other:?}: {message}");
    }
    assert!(refusal(&["--key=k"]).contains("--cert"));
    assert!(refusal(&["--fields=url,ok,url"]).contains("`url` twice"));
}

#[test]
fn an_unknown_field_is_answered_with_the_known_ones_and_the_nearest() {
    let message = refusal(&["--fields=url,sttus"]);
    assert!(message.contains("time_total") && message.contains("'status'"), "{message}");
}

#[test]
fn the_last_of_a_repeated_option_counts_as_in_curl() {
    assert_eq!(settings(&["-c", "3", "--parallel-max", "5"]).plan.limits.concurrency.get(), 5);
}

#[test]
fn limits_times_and_stops_arrive() {
    let given = settings(&[
        "-c9",
        "--max-per-host=0",
        "--order=completion",
        "--window=7",
        "--memory=1M",
        "--rate=10/s",
        "--rate-per-host=5/2s",
        "--no-adaptive",
        "-m1.5",
        "--retry-max-time=2m",
        "--grace=0",
        "--retry=0",
        "--retry-on=5xx",
        "--max-redirs=0",
        "--location-trusted",
        "--deadline=1h",
        "--max-failures=3",
        "-L",
    ]);
    assert_eq!(given.plan.limits.concurrency.get(), 9);
    assert_eq!(given.plan.limits.max_per_host, None);
    assert_eq!(given.plan.order, Order::Completion);
    assert_eq!(given.plan.window.records.get(), 7);
    assert_eq!(given.plan.window.memory, 1 << 20);
    assert_eq!(given.plan.limits.rate, "10/s".parse().ok());
    assert_eq!(given.plan.limits.rate_per_host, "5/2s".parse().ok());
    assert!(!given.plan.limits.adaptive);
    assert_eq!(given.plan.grace, Duration::ZERO);
    assert_eq!(given.plan.policy.max_time, Duration::from_millis(1500));
    assert_eq!(given.plan.policy.retries.max_time, Duration::from_mins(2));
    assert_eq!(given.plan.policy.retries.attempts, 0);
    assert_eq!(given.plan.policy.retries.statuses.to_string(), "5xx");
    assert_eq!(given.plan.policy.redirects.limit, 0);
    assert!(given.plan.policy.redirects.trust_location);
    assert_eq!((given.rules.deadline, given.rules.max_failures), (Some(Duration::from_hours(1)), NonZeroU64::new(3)));
    assert_eq!(settings(&["--fail-early"]).rules.max_failures, NonZeroU64::new(1));
}

#[test]
fn an_argument_is_a_url_only_with_a_scheme_of_http() {
    let file = |name: &str| Source::File(name.into());
    assert_eq!(sources_of(&[]), [Source::Stdin]);
    assert_eq!(sources_of(&["-", "list"]), [Source::Stdin, file("list")]);
    assert_eq!(sources_of(&["HTTPS://h/"]), [Source::Url("HTTPS://h/".to_owned())]);
    assert_eq!(sources_of(&["http://["]), [Source::Url("http://[".to_owned())]);
    assert_eq!(sources_of(&["/health", "h.example"]), [file("/health"), file("h.example")]);
}

#[test]
fn a_terminal_is_no_list_unless_it_is_asked_for() {
    let terminal = Process { stdin_is_terminal: true, ..Process::default() };
    let message = sources(&[], &terminal).expect_err("a usage error").to_string();
    assert!(message.contains("standard input"), "{message}");
    assert_eq!(sources(&[Source::Stdin], &terminal), Ok(vec![Source::Stdin]));
}

#[test]
fn headers_have_the_three_forms_of_curl() {
    let words = ["-H", "X-One:  1 ", "-H", "X-Empty;", "-H", "X-None:"];
    assert_eq!(header(&words, "x-one").as_deref(), Some("1"));
    assert_eq!(header(&words, "x-empty").as_deref(), Some(""));
    assert_eq!(header(&words, "x-none"), None);
    assert_eq!(settings(&["-H", "User-Agent:"]).fetch.user_agent, "");
    assert_eq!(header(&["--json=1", "-H", "content-type:"], "content-type"), None);
}

#[test]
fn headers_come_from_a_file_one_a_line() {
    let (_file, named) = file_with(b"A: 1\r\n\r\nB: 2\n");
    assert_eq!(header(&["-H", &named], "a").as_deref(), Some("1"));
    assert_eq!(header(&["-H", &named], "b").as_deref(), Some("2"));
    assert!(refusal(&["-H", "@/no/such/file"]).contains("/no/such/file"));
}

#[test]
fn a_bad_header_is_refused_without_its_value() {
    for bad in ["canary", "na me: canary", ": canary", "x: canary\u{7f}", "Content-Length: canary"] {
        let message = refusal(&["-H", bad]);
        assert!(message.contains("--header") && !message.contains("canary"), "{message}");
    }
    assert!(refusal(&["-H", "Accept-Encoding:"]).contains("accept-encoding"));
}

#[test]
fn values_that_may_be_secrets_are_marked() {
    let settings = settings(&["-H", "X-Api-Key: k", "-H", "Accept: text/html", "-u", "a:b"]);
    let headers = &settings.input.template.headers;
    assert!(headers["x-api-key"].is_sensitive() && headers["authorization"].is_sensitive());
    assert!(!headers["accept"].is_sensitive());
}

#[test]
fn data_is_a_form_joined_with_ampersands_and_without_the_line_breaks_of_files() {
    let (_file, named) = file_with(b"b=\r\n2\n\0");
    let given = settings(&["-d", "a=1", "-d", &named]);
    assert_eq!(given.input.template.body.as_deref(), Some(b"a=1&b=2".as_slice()));
    assert_eq!(header(&["-d", "a"], "content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!(header(&["-d", "a", "-H", "content-type: text/x"], "content-type").as_deref(), Some("text/x"));
    assert_eq!(given.input.template.method, None, "the body makes it POST");
    assert_eq!(settings(&["-d", "a", "-X", "PUT"]).input.template.method, Some(http::Method::PUT));
}

#[test]
fn json_is_sent_as_it_is() {
    let (_file, named) = file_with(b"{\n}\n");
    assert_eq!(settings(&["--json", &named]).input.template.body.as_deref(), Some(b"{\n}\n".as_slice()));
    assert_eq!(header(&["--json=1"], "content-type").as_deref(), Some("application/json"));
    assert_eq!(header(&["--json=1"], "accept").as_deref(), Some("application/json"));
    assert_eq!(header(&["--json=1", "-H", "Accept: a/b"], "accept").as_deref(), Some("a/b"));
}

#[test]
fn standard_input_is_read_for_one_purpose_only() {
    let message = refusal(&["-", "-d", "@-"]);
    assert!(message.contains("--data") && message.contains("the list of URLs"), "{message}");
}

#[test]
fn credentials_become_an_authorization_header() {
    assert_eq!(
        header(&["-u", "Aladdin:open sesame"], "authorization").as_deref(),
        Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    );
    let (_file, named) = file_with(b"token\n");
    assert_eq!(header(&["--oauth2-bearer", &named], "authorization").as_deref(), Some("Bearer token"));
}

#[test]
fn bad_credentials_are_refused_without_being_shown() {
    for (words, option) in [
        (["-u", "canary"].as_slice(), "--user"),
        (&["--oauth2-bearer", "can\nary"], "--oauth2-bearer"),
        (&["--oauth2-bearer", "  "], "--oauth2-bearer"),
        (&["--oauth2-bearer", "\u{7f}canary"], "--oauth2-bearer"),
        (&["-u", "a:canary", "-H", "Authorization: x"], "--user"),
        (&["--base-url", "ftp://u:canary@h"], "--base-url"),
    ] {
        let result = settings_of(words, &Process::default());
        let Err(message) = result else { continue };
        assert!(message.contains(option) && !message.contains("canary"), "{message}");
    }
}

#[test]
fn what_is_printed_of_options_for_debugging_has_no_secret() {
    let process = Process::with(&[("GATHER_HEADER", "X-Api-Key: canary"), ("ALL_PROXY", "http://u:canary@proxy")]);
    for words in [
        &["-u", "user:canary", "-H", "Cookie: canary", "-d", "canary"][..],
        &["--oauth2-bearer", "canary", "-x", "u:canary@proxy", "--json", "canary"],
        &["--base-url", "http://u:canary@h/?key=canary", "http://u:canary@h/?token=canary"],
    ] {
        let settings = settings_of(words, &process).expect("settings");
        let words: Vec<_> = ["gather"].iter().chain(words).map(OsString::from).collect();
        let args = cli::layers::parse(&words, &process).ok().expect("arguments").args;
        let shown = format!("{process:?} {args:?} {settings:?}");
        for secret in ["canary", "dXNlcjpjYW5hcnk", "dTpjYW5hcnk"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn the_format_is_found_by_name_then_by_what_standard_output_is() {
    let format = |words: &[&str]| settings(words).output.format;
    assert_eq!(format(&[]), Format::Ndjson);
    assert_eq!(format(&["-o", "r.CSV"]), Format::Csv);
    assert_eq!(format(&["-o", "r.json"]), Format::Json);
    assert_eq!(format(&["-o", "r.jsonl"]), Format::Ndjson);
    assert_eq!(format(&["-o", "r.csv", "--format", "tsv"]), Format::Tsv);
    let terminal = Process { stdout: Some(Terminal::default()), ..Process::default() };
    let format = |words: &[&str]| settings_of(words, &terminal).expect("settings").output.format;
    assert_eq!(format(&[]), Format::Text);
    assert_eq!(format(&["-o", "results"]), Format::Ndjson);
}

#[test]
fn bodies_that_nobody_sees_are_not_kept() {
    let bodies = |words: &[&str]| settings(words).fetch.bodies;
    assert_eq!(bodies(&[]), Bodies::Inline);
    assert_eq!(bodies(&["--no-body"]), Bodies::Discard);
    assert_eq!(bodies(&["--body=none"]), Bodies::Discard);
    assert_eq!(bodies(&["--fields=url,status"]), Bodies::Discard);
    assert_eq!(bodies(&["--fields=url,body"]), Bodies::Inline);
    assert_eq!(bodies(&["--format=text"]), Bodies::Discard);
    assert_eq!(bodies(&["--format=text", "--fields=body"]), Bodies::Inline);
    assert_eq!(bodies(&["--output-dir=d"]), Bodies::Directory("d".into()));
}

#[test]
fn bodies_in_files_have_no_cap_of_their_own_and_a_digest() {
    assert_eq!(settings(&["--output-dir=d"]).fetch.max_filesize, None);
    assert_eq!(settings(&["--output-dir=d", "--max-filesize=1k"]).fetch.max_filesize, Some(1024));
    assert_eq!(settings(&["--max-filesize=0"]).fetch.max_filesize, None);
    assert!(settings(&["--output-dir=d"]).fetch.sha256 && settings(&["--fields=sha256"]).fetch.sha256);
}

#[test]
fn the_option_for_roots_wins_over_the_environment() {
    let process = Process::with(&[("SSL_CERT_FILE", "f.pem"), ("SSL_CERT_DIR", "dir")]);
    let tls = settings_of(&[], &process).expect("settings").fetch.tls;
    assert_eq!((tls.ca_file, tls.ca_directory), (Some("f.pem".into()), Some("dir".into())));
    let tls = settings_of(&["--cacert=o.pem"], &process).expect("settings").fetch.tls;
    assert_eq!((tls.ca_file, tls.ca_directory), (Some("o.pem".into()), None));
}

#[test]
fn colours_follow_the_option_then_the_environment_then_the_terminal() {
    let colored = |words: &[&str], variables: &[(&str, &str)], is_terminal: bool| {
        let stdout = is_terminal.then(Terminal::default);
        let process = Process { stdout, ..Process::with(variables) };
        settings_of(words, &process).expect("settings").output.rendering.style.color
    };
    assert!(colored(&[], &[], true) && !colored(&[], &[], false));
    assert!(!colored(&[], &[("NO_COLOR", "1")], true));
    assert!(colored(&[], &[("NO_COLOR", "")], true));
    assert!(!colored(&[], &[("TERM", "dumb")], true));
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")], false));
    assert!(colored(&["--color=always"], &[("NO_COLOR", "1")], false));
    assert!(!colored(&["--color=never"], &[("CLICOLOR_FORCE", "1")], true));
}

#[test]
fn progress_never_shares_a_terminal_with_records() {
    let progress = |words: &[&str], stdout_is_terminal, stderr_is_terminal| {
        let terminal = |is_terminal: bool| is_terminal.then(Terminal::default);
        let process = Process {
            stdout: terminal(stdout_is_terminal),
            stderr: terminal(stderr_is_terminal),
            ..Process::default()
        };
        settings_of(words, &process).expect("settings").talk.progress
    };
    assert_eq!(progress(&[], true, true), ProgressForm::Hidden);
    assert_eq!(progress(&["-o", "f"], true, true), ProgressForm::Drawn);
    assert_eq!(progress(&[], false, true), ProgressForm::Drawn);
    assert_eq!(progress(&[], false, false), ProgressForm::Plain);
    assert_eq!(progress(&["-q"], false, true), ProgressForm::Hidden);
    assert_eq!(progress(&["--no-progress"], false, false), ProgressForm::Hidden);
}

#[test]
fn rust_log_wins_over_verbosity_and_is_checked() {
    let filter = |words: &[&str], variables: &[(&str, &str)]| {
        settings_of(words, &Process::with(variables)).map(|settings| settings.log.filter)
    };
    assert_eq!(filter(&["-q"], &[]).expect("a filter"), "error");
    assert_eq!(filter(&["-vv"], &[]).expect("a filter"), "info,gather=debug");
    assert_eq!(filter(&["-q"], &[("RUST_LOG", "gather=trace")]).expect("a filter"), "gather=trace");
    let message = filter(&[], &[("RUST_LOG", "gather=loud")]).expect_err("a usage error");
    assert!(message.contains("RUST_LOG") && message.contains("gather=loud"), "{message}");
}

#[test]
fn text_has_glyphs_where_the_locale_has_them_or_there_is_none() {
    let unicode =
        |variables: &[(&str, &str)]| settings_of(&[], &Process::with(variables)).expect("settings").talk.style.unicode;
    assert!(unicode(&[]) && unicode(&[("LANG", "de_DE.UTF-8")]) && unicode(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
    assert!(!unicode(&[("LANG", "C")]) && !unicode(&[("LC_CTYPE", "de_DE.ISO-8859-1"), ("LANG", "de_DE.UTF-8")]));
}
