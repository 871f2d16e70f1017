//! Lines of the form `URL` or `METHOD URL`, with expectations after it or not.

use std::sync::Arc;

use super::asked::{Asked, Defaults, bad, known_method, malformed, parse_method};
use super::shown::{find_hidden, kept, quoted};
use super::url::character_inside;
use crate::expect::Expectations;
use crate::model::{Failure, Job, redact};

/// Whether the line starts a comment: `#` in column 0, whatever follows it.
pub(super) fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#")
}

/// The job of one line, which is neither blank nor a comment and has no spaces around it.
pub(super) fn job(line: &str, defaults: &Defaults<'_>) -> Job {
    match parse(line, defaults) {
        Ok(asked) => defaults.job(asked),
        Err(failure) => bad(kept(line), failure),
    }
}

/// What a line asks for. Its URL is not looked at yet.
pub(super) fn parse<'l>(line: &'l str, defaults: &Defaults<'_>) -> Result<Asked<'l>, Failure> {
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
        if !first.contains([':', '/', '.', '?']) {
            return Err(malformed(format!(
                "{} is neither a URL nor a method in capital letters; `URL` or `METHOD URL` is right",
                quoted(first)
            )));
        }
        let expect = Some(expectations(line, rest, defaults)?);
        return Ok(Asked { url: first.into(), expect, ..Asked::default() });
    }
    let (url, rest) = split(rest);
    let expect = if rest.is_empty() { None } else { Some(expectations(line, rest, defaults)?) };
    Ok(Asked { url: url.into(), method: Some(parse_method(first)?), expect, ..Asked::default() })
}

/// What is expected of a line, which stands after its URL.
fn expectations(line: &str, rest: &str, defaults: &Defaults<'_>) -> Result<Arc<Expectations>, Failure> {
    // The space may be one in a password.
    if !redact(line).ends_with(rest) {
        return Err(after_the_url("more"));
    }
    // A space in a URL is the more likely mistake, and no reason to refuse a whole list.
    let is_subject = |word: &str| ["status", "time", "size", "header", "body", "jq", "cert_days"].contains(&word);
    let is_operator =
        |word: &str| ["in", "contains", "exists", "not"].contains(&word) || word.contains(['=', '<', '>', '~']);
    let mut words = rest.split(' ');
    if !words.next().is_some_and(is_subject) && !words.any(is_operator) {
        return Err(after_the_url(&quoted(rest)));
    }
    defaults.expectations(rest)
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

fn after_the_url(seen: &str) -> Failure {
    malformed(format!(
        "{seen} stands after the URL; an expectation such as `status == 200` may, and a space in a URL is written `%20`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Template;

    fn job_of(line: &str) -> Job {
        job(line, &Defaults::of(&Template::default()))
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
    fn what_follows_the_url_is_expected_of_its_line() {
        for line in ["http://h/x status == 200; time < 1s", "get http://h/x  status == 200; time < 1s"] {
            let request = job_of(line).request.expect(line);
            assert_eq!(request.url.as_str(), "http://h/x");
            assert_eq!(request.expect.map(|expect| expect.to_string()).as_deref(), Some("status == 200; time < 1s"));
        }
    }

    #[test]
    fn a_bad_line_is_named_with_what_was_seen_and_what_is_right() {
        use crate::model::FailureKind::{InputMalformed, UrlInvalid, UrlMissingScheme};
        for (line, kind, message) in [
            ("http://h/x status = 200", InputMalformed, "the expectation `status = 200` is wrong at character 8: `==`"),
            ("GET http://h/x tiem < 1s", InputMalformed, "the expectation `tiem < 1s` is wrong at character 1: "),
            ("GET http://h/a b", InputMalformed, "`b` stands after the URL; an expectation"),
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
