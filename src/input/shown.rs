//! The user's own text in messages and records: short, harmless to a terminal, without a secret in it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::redact;

/// The longest piece of input that a message quotes, in characters.
const QUOTE_LIMIT: usize = 80;

/// The longest [`BadLine::text`](crate::model::BadLine::text), in bytes.
const TEXT_LIMIT: usize = 512;

/// `text` in backquotes for a message: redacted, without query and fragment (signatures and keys live there), escaped, cut.
pub(super) fn quoted(text: &str) -> String {
    let mut text = redact(before_secrets(text));
    if let Some(query) = text.find(['?', '#']).filter(|query| query + 1 < text.len()) {
        text.to_mut().replace_range(query + 1.., "…");
    }
    let mut quote = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == QUOTE_LIMIT {
            quote.push('…');
            break;
        }
        push_escaped(&mut quote, c);
    }
    quote.push('`');
    quote
}

/// The name of a source in backquotes for a message: redacted and escaped, but whole.
pub(super) fn name(text: &str) -> String {
    let mut name = String::from("`");
    redact(text).chars().for_each(|c| push_escaped(&mut name, c));
    name.push('`');
    name
}

/// As much of a bad line as its record keeps: redacted, cut to 512 bytes. Control characters stay; reports escape them.
pub(super) fn kept(line: &str) -> String {
    let mut text = redact(before_secrets(line)).into_owned();
    text.truncate(text.floor_char_boundary(TEXT_LIMIT));
    text
}

/// [`kept`] for bytes: what is not UTF-8 is written `\xNN`.
pub(super) fn kept_bytes(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02X}").expect("a string takes every write");
        }
    }
    kept(&text)
}

/// Whether a line has nothing that must be covered, so that its raw bytes may be kept.
pub(super) fn is_harmless(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let shown = before_secrets(&text);
    shown.len() == text.len() && matches!(redact(shown), Cow::Borrowed(_))
}

/// The first character that has no place in a URL, and where it is: white space but for the space, or a hidden one.
pub(super) fn find_hidden(text: &str) -> Option<(usize, char)> {
    // Nearly every URL is plain ASCII, which its bytes alone show.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    text.char_indices().find(|&(_, c)| c != ' ' && (c.is_whitespace() || is_hidden(c)))
}

/// Whether `c` is a control character or one that is not seen or turns its neighbours about.
///
/// The zero-width joiners are not among them: Persian words and emoji are written with them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        )
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A line that looks like JSON, up to where its secrets may begin: it cannot be parsed, so they cannot be found and covered.
fn before_secrets(line: &str) -> &str {
    if !line.trim_start().starts_with('{') {
        return line;
    }
    let lower = line.to_ascii_lowercase();
    let secret = ["header", "body", "authorization", "cookie", "token", "password", "secret", "key"];
    let end = secret.iter().filter_map(|word| lower.find(word)).min();
    // A character that is written as an escape may be the `@` after a password.
    let authority = lower.find("\\u").and_then(|_| lower.find("//"));
    &line[..end.into_iter().chain(authority).min().unwrap_or(line.len())]
}

fn push_escaped(text: &mut String, c: char) {
    if is_hidden(c) {
        text.extend(c.escape_default());
    } else {
        text.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_one_short_line_without_escape_sequences_and_queries() {
        assert_eq!(quoted("a\u{1b}[31m\u{202e}\r\nb\u{7f}"), r"`a\u{1b}[31m\u{202e}\r\nb\u{7f}`");
        assert_eq!(quoted("http://h/x?signature=secret"), "`http://h/x?…`");
        assert_eq!(quoted("http://h/x#token=secret"), "`http://h/x#…`");
        assert_eq!(quoted(r#"{"url": 1, "headers": {"x": "secret"}}"#), r#"`{"url": 1, "`"#);
        assert_eq!(quoted(&"é".repeat(100)), format!("`{}…`", "é".repeat(80)));
    }

    #[test]
    fn the_text_of_a_bad_line_is_short_and_has_no_secrets_of_broken_json() {
        assert_eq!(kept(&"é".repeat(1000)), "é".repeat(256));
        assert_eq!(kept_bytes(b"caf\xe9 \xf0\x9f"), r"caf\xE9 \xF0\x9F");
        assert_eq!(kept(r#"{"url": "http://h", "headers": {"X-Api-Key": "secret""#), r#"{"url": "http://h", ""#);
        assert_eq!(kept("{'url': 'http://h', 'Cookie': 'secret'}"), "{'url': 'http://h', '");
        assert_eq!(kept(r#"{"url": "http://u:secret\u0040h"#), r#"{"url": "http:"#);
    }

    #[test]
    fn the_bytes_of_a_line_are_harmless_if_nothing_in_it_is_secret() {
        for (line, expected) in [
            (&b"http://h/caf\xe9?a=b"[..], true),
            (b"http://u:p@h/caf\xe9", false),
            (b"http://h/caf\xe9?token=s", false),
            (b"{\"url\": \"http://h/caf\xe9\", \"headers\": {}}", false),
        ] {
            assert_eq!(is_harmless(line), expected, "{}", line.escape_ascii());
        }
    }
}
