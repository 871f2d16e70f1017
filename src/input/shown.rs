//! The user's own text in messages and records: short, harmless to a terminal, without a secret in it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest piece of input that a message quotes, in characters.
const QUOTE_LIMIT: usize = 80;

/// The longest [`BadLine::text`](crate::model::BadLine::text), in bytes.
const TEXT_LIMIT: usize = 512;

/// `text` in backquotes for a message: redacted, without query and fragment (signatures and keys live there), escaped, cut.
pub(super) fn quoted(text: &str) -> String {
    let mut text = redacted(before_secrets(text));
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
    redacted(text).chars().for_each(|c| push_escaped(&mut name, c));
    name.push('`');
    name
}

/// As much of a bad line as its record keeps: redacted, cut to 512 bytes. Control characters stay; reports escape them.
pub(super) fn kept(line: &str) -> String {
    let mut text = redacted(before_secrets(line)).into_owned();
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

/// Replaces what may be userinfo by `***`, also in text that is no valid URL.
///
/// Rather too much than too little: an authority whose port is no number may be a password with a `/`, `?` or `#` in it, so
/// everything to the last `@` goes.
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| c.is_whitespace() || c == '"') {
        push_redacted(&mut shown, word);
    }
    Cow::Owned(shown)
}

fn push_redacted(shown: &mut String, mut word: &str) {
    let mut has_scheme = false;
    loop {
        let start = match authority_start(word) {
            Some(start) => {
                has_scheme = true;
                start
            }
            None if has_scheme => break,
            None => 0,
        };
        let rest = &word[start..];
        let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
        let is_password = |port: &str| !port.bytes().all(|byte| byte.is_ascii_digit());
        let at = match authority.rfind('@') {
            Some(at) => Some(at),
            None if authority.split_once(':').is_some_and(|(_, port)| is_password(port)) => rest.rfind('@'),
            None => None,
        };
        shown.push_str(&word[..start]);
        word = match at {
            Some(at) if has_scheme || rest[..at].contains(':') => {
                shown.push_str("***");
                &rest[at..]
            }
            _ => rest,
        };
        if !has_scheme {
            break;
        }
    }
    shown.push_str(word);
}

/// Where an authority may start: after `//` at the start, or after a colon and slashes of either kind.
fn authority_start(word: &str) -> Option<usize> {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let bytes = word.as_bytes();
    let slashes = if bytes.starts_with(b"//") {
        0
    } else {
        1 + bytes.windows(2).position(|pair| pair[0] == b':' && is_slash(&pair[1]))?
    };
    Some(slashes + bytes[slashes..].iter().take_while(|byte| is_slash(byte)).count())
}

/// A line that looks like JSON, up to where its secrets may begin: it cannot be parsed, so they cannot be found and covered.
fn before_secrets(line: &str) -> &str {
    if !line.trim_start().starts_with('{') {
        return line;
    }
    let lower = line.to_ascii_lowercase();
    let secret = ["header", "body", "authorization", "cookie", "token", "password", "secret", "key"];
    let end = secret.iter().filter_map(|word| lower.find(word)).min();
    &line[..end.unwrap_or(line.len())]
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
    fn userinfo_is_covered_in_valid_and_broken_urls() {
        for (text, shown) in [
            ("http://u:p@h/x", "http://***@h/x"),
            ("http://token@h/x", "http://***@h/x"),
            ("GET http://u:p@h/ next", "GET http://***@h/ next"),
            ("http://u:p/w@h/x", "http://***@h/x"),
            ("http://u:p?w#v@h/x", "http://***@h/x"),
            ("http://u:p@w@h/x", "http://***@h/x"),
            (r"http:\\u:p@h", r"http:\\***@h"),
            ("http:/u:p@h", "http:/***@h"),
            ("http:u:p@h", "***@h"),
            ("//u:p@h", "//***@h"),
            ("u:p@h:80/x", "***@h:80/x"),
            ("http://h/?next=http://u:p@i/", "http://h/?next=http://***@i/"),
            (r#"{"url": "ftp://u:p@h"}"#, r#"{"url": "ftp://***@h"}"#),
            ("http://h:80/a@b", "http://h:80/a@b"),
            ("http://h/a@b?c=d@e", "http://h/a@b?c=d@e"),
            ("me@example.com", "me@example.com"),
        ] {
            assert_eq!(redacted(text), shown, "of {text}");
        }
    }

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
    }
}
