//! Parameters in path, query and fragment: which are secret, and where their values end.

use std::borrow::Cow;

use super::{COVER, cover};

/// How often a value is decoded in search of a URL within it. What is nested deeper is covered whole.
const MOST_NESTED: usize = 3;

/// From this length on the value of `code` is taken for an OAuth authorization code, which has at least 128 bits (RFC 6749,
/// section 10.10), and not for a country, a coupon or a status.
const SHORTEST_CODE: usize = 16;

/// Names of parameters that are secrets, in lower case and without anything but letters and digits: `X-Amz-Credential` is
/// `xamzcredential`.
const SECRET_NAMES: [&str; 25] = [
    "accesskeyid",
    "appkey",
    "auth",
    "authkey",
    "authorization",
    "awsaccesskeyid",
    "bearer",
    "cookie",
    "googleaccessid",
    "hmac",
    "jwt",
    "key",
    "keypairid",
    "licensekey",
    "otp",
    "pass",
    "passphrase",
    "pwd",
    "samlresponse",
    "sas",
    "session",
    "sid",
    "sig",
    "subscriptionkey",
    "ticket",
];

/// Ends of names that are secrets, in the same form: `X-Amz-Signature`, `user[password]`, `refresh_token`.
const SECRET_ENDS: [&str; 14] = [
    "accesskey",
    "apikey",
    "assertion",
    "credential",
    "credentials",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "sessid",
    "sessionid",
    "signature",
    "token",
];

/// What may stand before the name of a parameter, and what after it.
const NAME_STARTS: [char; 4] = ['?', '#', '&', ';'];
const NAME_ENDS: [char; 6] = ['=', '?', '#', '&', ';', '/'];

/// Names of tokens that only say where the next page begins.
const HARMLESS_TOKENS: [&str; 5] = ["continuationtoken", "nextpagetoken", "nexttoken", "pagetoken", "synctoken"];

/// Covers the values of secret parameters in `text`, which begins in `part` of a URL.
///
/// A name may stand after `?`, `#`, `&` and `;`. A value goes on to the next `&`, beyond a `;`, which some servers take for
/// a part of it; before the fragment it ends at the `#`, and in the path also at the next `/` or `?`.
pub(super) fn cover_parameters(text: &str, mut part: Part, depth: usize) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut done, mut from) = (0, 0);
    // Looked for once for all the parameters before it, so that many of them take no more time than their length.
    let mut end = 0;
    while let Some(found) = text[from..].find(NAME_STARTS) {
        let delimiter = from + found;
        part = part.after(text.as_bytes()[delimiter]);
        from = delimiter + 1;
        let name_end = text[from..].find(NAME_ENDS).map_or(text.len(), |length| from + length);
        if !text[name_end..].starts_with('=') {
            continue;
        }
        let start = name_end + 1;
        if end < start {
            end = text[start..].find(part.value_ends()).map_or(text.len(), |length| start + length);
        }
        let value = &text[start..end];
        if value.is_empty() || value == COVER {
            continue;
        }
        let own = || value.split(NAME_STARTS).next().unwrap_or_default();
        if holds_secret(&text[from..name_end], value) || hides_secret(own(), depth) {
            shown.push_str(&text[done..start]);
            shown.push_str(COVER);
            (from, done) = (end, end);
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[done..]);
    Cow::Owned(shown)
}

/// Covers encoded URLs that are no parameter's value but a whole segment or query, if they have a secret in them: many a
/// proxy and cache is asked for `/fetch/https%3A%2F%2Fuser%3Apassword%40host`.
pub(super) fn cover_encoded(text: &str, depth: usize) -> Cow<'_, str> {
    let ends_piece = |c: char| c == '/' || NAME_STARTS.contains(&c);
    let slashes = ["2f", "2F", "5c", "5C"];
    // Without slashes it is no URL, but such as `image%3Atag%40digest`.
    let is_url = |piece: &str| !piece.contains('=') && slashes.iter().any(|&slash| piece.contains(slash));
    let mut shown = String::new();
    let (mut done, mut start) = (0, 0);
    for piece in text.split(ends_piece) {
        let end = start + piece.len();
        if is_url(piece) && hides_secret(piece, depth) {
            shown.push_str(&text[done..start]);
            shown.push_str(COVER);
            done = end;
        }
        start = end + 1;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[done..]);
    Cow::Owned(shown)
}

/// The part of a URL that a parameter is in.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Path,
    Query,
    Fragment,
}

impl Part {
    const fn after(self, delimiter: u8) -> Self {
        match (self, delimiter) {
            (Self::Fragment, _) | (_, b'#') => Self::Fragment,
            (Self::Query, _) | (_, b'?') => Self::Query,
            (Self::Path, _) => Self::Path,
        }
    }

    const fn value_ends(self) -> &'static [char] {
        match self {
            Self::Path => &['&', '/', '?', '#'],
            Self::Query => &['&', '#'],
            Self::Fragment => &['&'],
        }
    }
}

/// Whether a parameter's name, however it is spelt and encoded, says that its value signs the URL or is a secret.
fn holds_secret(name: &str, value: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(name).filter(u8::is_ascii_alphanumeric);
    let name: String = decoded.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    let ends_secret = || SECRET_ENDS.iter().any(|end| name.ends_with(end));
    SECRET_NAMES.binary_search(&name.as_str()).is_ok()
        || (name == "code" && value.len() >= SHORTEST_CODE)
        || (ends_secret() && !HARMLESS_TOKENS.contains(&name.as_str()))
}

/// Whether a value is something encoded that has a secret in it, such as the URL to go back to.
fn hides_secret(value: &str, depth: usize) -> bool {
    if !value.contains('%') {
        return false;
    }
    let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
    if decoded == value || !decoded.contains(['@', '=', '%']) {
        return false;
    }
    depth >= MOST_NESTED || matches!(cover(&decoded, depth + 1), Cow::Owned(_)) || hides_secret(&decoded, depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_for_the_search() {
        assert!(SECRET_NAMES.is_sorted());
    }
}
