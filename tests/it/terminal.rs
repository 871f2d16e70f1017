//! What people see: lines, the summary, colours, and nothing that acts on their terminal.

use crate::support::{Reply, Server, gather};

/// Nobody listens there: the servers of all tests are at 127.0.0.1.
const NOBODY: &str = "http://127.0.0.2:9/nobody";

fn server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/users" => Reply::ok("x".repeat(2000)),
        "/moved" => Reply::redirect("/users"),
        "/flaky" if request.nth == 1 => Reply::status(503),
        "/flaky" => Reply::ok("hello"),
        "/busy" => Reply::status(429).header("retry-after", 90),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        _ => Reply::status(404),
    })
}

/// Standard output and standard error of a run on a list with a bit of everything.
fn shown(arguments: &[&str], locale: &str) -> [String; 2] {
    let server = server();
    let mut list = ["/users", "/moved", "/flaky", "/busy", "/cut", "/missing"]
        .map(|path| server.url_at("api.test", path))
        .to_vec();
    list.extend([format!("POST {NOBODY}"), "ftp://a.test/".to_owned()]);
    let mut program = gather();
    program.args(["--retry", "1", "--resolve", &server.resolve("*"), "--format", "text"]).args(arguments);
    let output = program.env("LC_ALL", locale).write_stdin(list.join("\n")).assert().code(1);
    let output = output.get_output();
    [&output.stdout, &output.stderr].map(|bytes| {
        let text = String::from_utf8(bytes.clone()).expect("text");
        text.replace(&server.port().to_string(), "PORT")
    })
}

/// Hides what differs from run to run.
macro_rules! assert_shown {
    ($name:literal, $text:expr) => {
        insta::with_settings!({filters => [
            (r" {2,}[\d.]+(ms|s) ", "  [TIME] "),
            (r"\b[\d.]+ ?(ms|s)\b", "[TIME]"),
            (r"\b[\d.,]+ req/s", "[RATE] req/s"),
            // Two answers of one round trip are one sign of overload, and two signs otherwise.
            (r"settled at \d+ at once", "settled at [FEW] at once"),
        ]}, {
            insta::assert_snapshot!($name, $text);
        })
    };
}

#[test]
fn lines_and_summary_without_colours() {
    let [lines, summary] = shown(&["--color", "never"], "C.UTF-8");
    assert!(!lines.contains('\u{1b}') && !summary.contains('\u{1b}'), "{lines}{summary}");
    assert_shown!("plain", lines + &summary);
}

#[test]
fn lines_and_summary_in_colours_by_verdict() {
    let [lines, summary] = shown(&["--color", "always"], "C.UTF-8");
    assert_shown!("coloured", (lines + &summary).replace('\u{1b}', "ESC"));
}

#[test]
fn lines_and_summary_in_ascii_where_the_locale_has_no_more() {
    let [lines, summary] = shown(&[], "C");
    assert!(lines.is_ascii() && summary.is_ascii(), "{lines}{summary}");
    assert_shown!("ascii", lines + &summary);
}

#[test]
fn there_are_no_colours_without_a_terminal_unless_forced() {
    let server = server();
    for (arguments, variable, colours) in [
        (&[][..], ("TERM", "xterm"), false),
        (&[], ("CLICOLOR_FORCE", "1"), true),
        (&["--color", "never"], ("CLICOLOR_FORCE", "1"), false),
        (&["--color", "always"], ("NO_COLOR", "1"), true),
    ] {
        let mut program = gather();
        program.args(["--format", "text", &server.url("/users")]).args(arguments).env(variable.0, variable.1);
        let output = program.assert().code(0);
        for stream in [&output.get_output().stdout, &output.get_output().stderr] {
            assert_eq!(
                stream.contains(&0x1b),
                colours,
                "{arguments:?} {variable:?}: {}",
                String::from_utf8_lossy(stream)
            );
        }
    }
}

/// Whether a character acts on a terminal or turns around what is shown. Not the program's own list: this one judges it.
fn acts(character: char) -> bool {
    let turns_around = ['\u{61c}', '\u{200e}', '\u{200f}'].contains(&character)
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character);
    character.is_control() || turns_around || ['\u{2028}', '\u{2029}'].contains(&character)
}

/// Escape sequences of both kinds, DEL, a bidi override, a line separator.
const EVIL: &str = "\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\u{7f}\u{202e}\u{2028}";

#[test]
fn nothing_that_acts_on_a_terminal_is_shown_raw() {
    let obs_text = EVIL.replace(['\u{1b}', '\u{7}', '\u{7f}'], "");
    let server = Server::start(move |request| match request.target.as_str() {
        "/body" => Reply::ok(EVIL),
        // Bytes above 0x7f are legal in fields.
        "/fields" => Reply::ok("x").header("x-evil", &obs_text).header("content-type", &obs_text),
        "/coding" => Reply::ok("x").header("content-encoding", &obs_text),
        "/location" => Reply::redirect(format!("/body?{obs_text}")),
        "/scheme" => Reply::redirect(format!("evil:{obs_text}")),
        "/illegal" => Reply::ok("x").header("x-evil", EVIL),
        "/reason" => Reply::raw(format!("HTTP/1.1 200 {obs_text}\r\ncontent-length: 0\r\n\r\n")),
        "/garbage" => Reply::raw(format!("{EVIL}\r\n\r\n")),
        redirected if redirected.starts_with("/body?") => Reply::ok(EVIL),
        other => panic!("{other} was asked for"),
    });
    let paths = ["/body", "/fields", "/coding", "/location", "/scheme", "/illegal", "/reason", "/garbage"];
    let mut list = paths.map(|path| server.url(path)).to_vec();
    list.extend([server.url(&format!("/{EVIL}")), EVIL.to_owned(), format!("{{\"url\": \"{EVIL}\"}}")]);
    let list = list.join("\n");
    for arguments in [
        &["--format", "text"][..],
        &["--format", "text", "--fields", "url,content_type,headers,body,error"],
        &["--format", "ndjson", "--log-format", "json"],
    ] {
        let mut program = gather();
        let output =
            program.args(["-vvv", "--color", "never", "--retry", "0"]).args(arguments).write_stdin(list.clone());
        let output = output.assert().code(1);
        let output = output.get_output();
        for (name, stream) in [("standard output", &output.stdout), ("standard error", &output.stderr)] {
            let text = std::str::from_utf8(stream).expect("UTF-8");
            let raw: Vec<&str> = text.lines().filter(|line| line.contains(acts)).collect();
            assert!(raw.is_empty(), "{arguments:?}: {name} has {raw:?}");
        }
        assert!(String::from_utf8_lossy(&output.stdout).contains("u{1b}") || arguments.contains(&"ndjson"));
    }
}

#[test]
fn a_name_of_a_file_is_not_shown_raw_either() {
    let output = gather().arg(format!("missing{EVIL}")).assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("missing") && !stderr.trim_end_matches('\n').contains(acts), "{stderr:?}");
}
