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
        &["--format", "json", "--log-format", "json", "-vvv"],
        &["--format", "ndjson", "--log-format", "json"],
        &["--dry-run"],
    ] {
        let mut program = gather();
        let output = program
            .env("RUST_LOG", "trace")
            .args(["-vvv", "--color", "never", "--retry", "0"])
            .args(arguments)
            .write_stdin(list.clone());
        let output = output.assert().code(1);
        let output = output.get_output();
        for (name, stream) in [("standard output", &output.stdout), ("standard error", &output.stderr)] {
            let text = std::str::from_utf8(stream).expect("UTF-8");
            let raw: Vec<&str> = text.lines().filter(|line| line.contains(acts)).collect();
            assert!(raw.is_empty(), "{arguments:?}: {name} has {raw:?}");
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let escapes = if arguments[1..].iter().any(|argument| argument.contains("json")) {
            ["\\u001b", "\\u007f", "\\u009b", "\\u202e", "\\u2028"]
        } else {
            ["\\u{1b}", "\\u{7f}", "\\u{9b}", "\\u{202e}", "\\u{2028}"]
        };
        assert!(escapes.iter().all(|escape| stdout.contains(escape)), "{arguments:?}: {stdout}");
    }
}

#[test]
fn words_names_of_files_and_variables_are_not_shown_raw_either() {
    let evil = format!("evil{EVIL}");
    let file = format!("/missing/{evil}");
    for arguments in [
        &[&file[..]][..],
        &["http://h/", "-o", &file],
        &["http://h/", "--output-dir", "/dev/null", "--cacert", &file],
        &["http://h/", "--output-dir", &format!("/dev/null/{evil}")],
        &["http://h/", "--cert", &file],
        &["http://h/", "-H", &format!("@{file}")],
        &["http://h/", "--max-time", &evil],
        &["http://h/", "--fields", &evil],
        &["http://h/", "--retry-on", &evil],
        &["http://h/", "--resolve", &format!("h:80:{evil}")],
        &["http://h/", "--base-url", &evil],
        &["http://h/", "-x", &format!("{evil}://h")],
        &["http://h/", &format!("--{evil}")],
        &["http://h/", &format!("--color={evil}")],
    ] {
        let output = gather().args(arguments).args(["--color", "never"]).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        let raw = stderr.lines().find(|line| line.contains(acts));
        assert!(stderr.contains("evil") && raw.is_none(), "{arguments:?}: {raw:?} in {stderr:?}");
    }
    for variable in ["GATHER_MAX_TIME", "GATHER_QUIET", "RUST_LOG", "http_proxy"] {
        let value = if variable == "http_proxy" { format!("{evil}://h") } else { evil.clone() };
        let output = gather().arg("http://h/").env(variable, value).assert().code(2);
        let stderr = String::from_utf8_lossy(&output.get_output().stderr);
        let raw = stderr.lines().find(|line| line.contains(acts));
        assert!(stderr.contains(variable) && raw.is_none(), "{variable}: {raw:?} in {stderr:?}");
    }
}

#[test]
fn what_a_spreadsheet_would_run_is_text_in_a_table_unless_it_shall_be_raw() {
    for start in ["=", "+", "-", "@", "\t=", "\r="] {
        let text = format!("{start}1+1");
        let field = text.trim_start().to_owned();
        let server = Server::start(move |_| Reply::ok(&text).header("content-type", &field));
        for (format, raw) in [("csv", false), ("tsv", false), ("csv", true)] {
            let mut program = gather();
            program.args(["--format", format, "--fields", "content_type,body", &server.url("/")]);
            if raw {
                program.arg("--csv-raw");
            }
            let output = program.assert().code(0);
            let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
            let row = stdout.split_once('\n').expect("a header line").1;
            let delimiter = if format == "csv" { ',' } else { '\t' };
            let cells = row.split(delimiter).map(|cell| cell.trim_start_matches('"'));
            let covered: Vec<bool> = cells.map(|cell| cell.starts_with('\'')).collect();
            assert_eq!(covered, [!raw, !raw], "{start:?} {format}: {stdout:?}");
        }
    }
}
