//! Lines of the form `URL` or `METHOD URL`.

use super::asked::{Asked, Defaults, bad, known_method, malformed, parse_method};
use super::shown::{find_hidden, kept, quoted};
use super::url::character_inside;
use crate::model::{Failure, Job, redact};

/// Whether the line starts a comment: `#` in column 0, whatever follows it.
pub(super) fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#")
}

/// The job of one line, which is neither blank nor a comment and has no spaces around it.
pub(super) fn job(line: &str, defaults: &Defaults<'_>) -> Job {
    match parse(line) {
        Ok(asked) => defaults.job(asked),
        Err(failure) => bad(kept(line), failure),
    }
}

fn parse(line: &str) -> Result<Asked<'_>, Failure> {
    if let Some((at, c)) = find_hidden(line) {
        return Err(character_inside(line, at, c));
    }
    if line.starts_with('#') {
        return Err(malformed("a comment has its `#` in the first column; this line has spaces before it"));
    }
    if line.starts_with('{') {
        return Err(malformed(format!(
            "{} looks like JSON in a list of URLs; `--input-format jsonl` reads it",
            quoted(line)
        )));
    }
    let (first, rest) = split(line);
    if rest.is_empty() {
        return match known_method(first) {
            Some(method) if method.as_str() == first => {
                Err(malformed(format!("the URL after the method `{first}` is missing")))
            }
            _ => Ok(Asked { url: first.into(), ..Asked::default() }),
        };
    }
    if !looks_like_method(first) {
        return Err(not_a_method(line, first, rest));
    }
    let (url, rest) = split(rest);
    if !rest.is_empty() {
        return Err(after_the_url(line, rest));
    }
    Ok(Asked { url: url.into(), method: Some(parse_method(first)?), ..Asked::default() })
}

/// The first word, and what follows it without the spaces between.
fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// An unknown method needs capital letters, else every slip before a URL would be one.
fn looks_like_method(word: &str) -> bool {
    let is_unknown_method = || {
        word.bytes().any(|byte| byte.is_ascii_uppercase())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
    };
    known_method(word).is_some() || is_unknown_method()
}

fn not_a_method(line: &str, first: &str, rest: &str) -> Failure {
    if first.contains([':', '/', '.']) {
        return after_the_url(line, rest);
    }
    malformed(format!(
        "{} is neither a URL nor a method in capital letters; `URL` or `METHOD URL` is right",
        quoted(first)
    ))
}

fn after_the_url(line: &str, rest: &str) -> Failure {
    // The space may be one in a password.
    let seen = if redact(line).ends_with(rest) { quoted(rest) } else { "more".to_owned() };
    malformed(format!("{seen} stands after the URL; nothing may follow it, and a space in it is written `%20`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Template;

    fn job_of(line: &str) -> Job {
        job(line, &Defaults::new(&Template::default()))
    }

    #[test]
    fn a_line_is_a_url_with_or_without_a_method() {
        for (line, method, url) in [
            ("http://h/x", "GET", "http://h/x"),
            ("POST http://h/x", "POST", "http://h/x"),
            ("delete   http://h/x", "DELETE", "http://h/x"),
            ("PURGE http://h/x", "PURGE", "http://h/x"),
            ("M-SEARCH http://h/x", "M-SEARCH", "http://h/x"),
        ] {
            let request = job_of(line).request.expect(line);
            assert_eq!((request.method.as_str(), request.url.as_str()), (method, url));
        }
    }

    #[test]
    fn a_bad_line_is_named_with_what_was_seen_and_what_is_right() {
        use crate::model::FailureKind::{InputMalformed, UrlInvalid, UrlMissingScheme};
        for (line, kind, message) in [
            ("http://h/x status == 200", InputMalformed, "`status == 200` stands after the URL; nothing"),
            ("GET http://h/a b", InputMalformed, "`b` stands after the URL; nothing"),
            ("GET", InputMalformed, "the URL after the method `GET` is missing"),
            ("foo http://h/", InputMalformed, "`foo` is neither a URL nor a method in capital letters"),
            ("CONNECT http://h/", InputMalformed, "the method `CONNECT` asks for a tunnel"),
            ("# indented", InputMalformed, "a comment has its `#` in the first column"),
            (r#"{"url": "http://h"}"#, InputMalformed, "`{\"url\": \"http://h\"}` looks like JSON"),
            ("GET\thttp://h/", UrlInvalid, "there is a TAB inside, at character 4 of"),
            ("http://h/\rhttp://h/", UrlInvalid, "there is a carriage return inside, at character 10 of"),
            ("\u{feff}http://h/", UrlInvalid, "there is a byte order mark inside"),
            ("http://h/\u{1b}[2J", UrlInvalid, "there is the character U+001B inside"),
            ("get", UrlMissingScheme, "`get` has no scheme"),
        ] {
            let bad = job_of(line).request.expect_err(line);
            assert_eq!((bad.failure.kind, bad.text.as_str()), (kind, line));
            assert!(bad.failure.message.starts_with(message), "{} of {line:?}", bad.failure.message);
        }
    }
}
