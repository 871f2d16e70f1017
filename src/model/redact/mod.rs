//! URLs as they may be shown: credentials and secret parameters are covered. What is sent stays whole.
//!
//! The only place that decides what in a URL is secret. Covered are userinfo, and in path, query and fragment the values of
//! parameters whose names say that they sign or hold a secret, and encoded URLs that have either (see `parameters`). It
//! covers rather too much than too little, and what has nothing to cover comes back byte for byte.

mod parameters;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::Headers;
use parameters::{Part, cover_encoded, cover_parameters};

/// What stands in place of a secret, wherever one would be shown.
pub const COVER: &str = "***";

/// Fields of a response whose values are URLs, or have URLs in them.
const URL_FIELDS: [HeaderName; 4] = [header::LOCATION, header::CONTENT_LOCATION, header::REFRESH, header::LINK];

/// The URL as it may be shown.
pub fn redacted(url: &Url) -> String {
    redact(url.as_str()).into_owned()
}

/// One URL as it may be shown, valid or not, or a line that has one in it.
///
/// In a URL that cannot be parsed nobody knows where the password ends. So all up to the last `@` is taken for userinfo where
/// the authority could not stand as it is; spaces and quotation marks end nothing.
pub fn redact(text: &str) -> Cow<'_, str> {
    cover(text, 0)
}

/// Text with URLs in it, such as the value of `Link` or a line of a log, as it may be shown.
///
/// White space, quotation marks and angle brackets end a URL here, as RFC 3986, appendix C, advises.
pub fn redact_each(text: &str) -> Cow<'_, str> {
    let ends_url = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '`');
    let is_clean = |piece: &str| matches!(redact(piece), Cow::Borrowed(_));
    if text.split(ends_url).all(is_clean) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_url) {
        let end = piece.chars().next_back().filter(|&c| ends_url(c));
        shown.push_str(&redact(&piece[..piece.len() - end.map_or(0, char::len_utf8)]));
        shown.extend(end);
    }
    Cow::Owned(shown)
}

/// The fields of a response as they may be shown: URLs that it names elsewhere are covered, all else is as the server sent it.
///
/// `Set-Cookie` stays, as the body does: the record is the response, and what a server gives is what the user asked for. What
/// the user gave, `Authorization` and `Cookie`, is in no record, unless the server repeats it in what it gives.
pub(super) fn response(mut headers: HeaderMap) -> HeaderMap {
    for name in URL_FIELDS {
        // Asking for the entry would make room for it.
        if !headers.contains_key(&name) {
            continue;
        }
        let header::Entry::Occupied(mut field) = headers.entry(&name) else { continue };
        for value in field.iter_mut() {
            let text = Headers::text(value);
            // All but Link have one URL, in which there may be spaces that should not be there.
            let shown = if name == header::LINK { redact_each(&text) } else { redact(&text) };
            if let Cow::Owned(shown) = shown {
                // A value that was legal stays so: only bytes that were there, as UTF-8, and asterisks.
                *value = HeaderValue::from_bytes(shown.as_bytes()).unwrap_or(const { HeaderValue::from_static(COVER) });
            }
        }
    }
    headers
}

fn cover(text: &str, depth: usize) -> Cow<'_, str> {
    // Most URLs have neither an `@` nor a parameter.
    if memchr::memchr3(b'@', b'=', b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let shown = match cover_userinfo(text) {
        Cow::Borrowed(text) => cover_parameters(text, Part::Path, depth),
        Cow::Owned(shown) => {
            // Where a delimiter went with the userinfo, nobody knows which part comes after it.
            let count = |text: &str| text.matches(['?', '#']).count();
            let part = if count(&shown) == count(text) { Part::Path } else { Part::Fragment };
            Cow::Owned(cover_parameters(&shown, part, depth).into_owned())
        }
    };
    match shown {
        Cow::Borrowed(text) => cover_encoded(text, depth),
        Cow::Owned(shown) => Cow::Owned(cover_encoded(&shown, depth).into_owned()),
    }
}

/// Covers userinfo wherever an authority may start, in a URL within a URL too.
fn cover_userinfo(text: &str) -> Cow<'_, str> {
    let Some(mut authority) = Authority::first(text) else {
        return Cow::Borrowed(text);
    };
    let last_at = text.rfind('@').max(text.rfind("%40"));
    let mut shown = String::new();
    let mut done = 0;
    loop {
        if let Some(at) = authority.userinfo_end(text, last_at)
            && &text[authority.start..at] != COVER
        {
            shown.push_str(&text[done..authority.start]);
            shown.push_str(COVER);
            done = at;
        }
        match Authority::after(text, authority.start.max(done)) {
            Some(next) => authority = next,
            None => break,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[done..]);
    Cow::Owned(shown)
}

/// Where an authority (RFC 3986, section 3.2) may start.
#[derive(Clone, Copy)]
struct Authority {
    start: usize,
    /// Whether slashes stand before it.
    is_certain: bool,
}

impl Authority {
    /// The first of `text`: after slashes, or at its start, where somebody forgot the scheme.
    fn first(text: &str) -> Option<Self> {
        if text.starts_with("//") {
            return Some(Self { start: after_slashes(text, 0), is_certain: true });
        }
        let forgotten = || text.contains('@').then_some(Self { start: 0, is_certain: false });
        Self::after(text, 0).or_else(forgotten)
    }

    /// The first after a colon and slashes of either kind, from `from` on.
    fn after(text: &str, from: usize) -> Option<Self> {
        let is_start = |pair: &[u8]| pair[0] == b':' && is_slash(pair[1]);
        let colon = from + text.as_bytes()[from..].windows(2).position(is_start)?;
        Some(Self { start: after_slashes(text, colon + 1), is_certain: true })
    }

    /// Where its userinfo ends, if it may have some. `last_at` is the last `@` of the text, encoded or not.
    fn userinfo_end(self, text: &str, last_at: Option<usize>) -> Option<usize> {
        let rest = &text[self.start..];
        let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
        let at = match authority.rfind('@') {
            Some(at) => Some(self.start + at),
            // It may be a password with a `/`, `?` or `#` in it, or an `@` that was encoded by mistake.
            None if has_odd_port(authority) => last_at.filter(|&at| at >= self.start),
            None => None,
        };
        at.filter(|&at| self.is_certain || text[self.start..at].contains(':'))
    }
}

fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn after_slashes(text: &str, from: usize) -> usize {
    from + text.as_bytes()[from..].iter().take_while(|&&byte| is_slash(byte)).count()
}

/// Whether what follows the host is no port, or an empty one, which nobody writes.
fn has_odd_port(authority: &str) -> bool {
    let after_address = authority.strip_prefix('[').and_then(|literal| literal.split_once(']'));
    let host_and_port = after_address.map_or(authority, |(_, port)| port);
    host_and_port
        .split_once(':')
        .is_some_and(|(_, port)| port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()))
}
