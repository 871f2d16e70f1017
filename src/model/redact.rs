//! URLs as they may be shown: credentials and secret parameters are covered. What is sent stays whole.
//!
//! The only place that decides what in a URL is secret. Covered are userinfo, and in path, query and fragment the values of
//! parameters whose names say that they sign or hold a secret (see [`holds_secret`]). It covers rather too much than too
//! little, and what has nothing to cover comes back byte for byte.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::Headers;

/// What stands in place of a secret.
const COVER: &str = "***";

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

/// Fields of a response whose values are URLs, or have URLs in them.
const URL_FIELDS: [HeaderName; 4] = [header::LOCATION, header::CONTENT_LOCATION, header::REFRESH, header::LINK];

/// What may stand before the name of a parameter, and what after it.
const NAME_STARTS: [char; 4] = ['?', '#', '&', ';'];
const NAME_ENDS: [char; 6] = ['=', '?', '#', '&', ';', '/'];

/// Names of tokens that only say where the next page begins.
const HARMLESS_TOKENS: [&str; 5] = ["continuationtoken", "nextpagetoken", "nexttoken", "pagetoken", "synctoken"];

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

/// Text with URLs in it, such as the values of `Link` and `Refresh` or a line of a log, as it may be shown.
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
/// the user gave, `Authorization` and `Cookie`, is in no record.
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
    match cover_userinfo(text) {
        Cow::Borrowed(text) => cover_parameters(text, depth),
        Cow::Owned(text) => Cow::Owned(cover_parameters(&text, depth).into_owned()),
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

/// Covers the values of secret parameters.
///
/// A name may stand after `?`, `#`, `&` and `;`. A value goes on to the next `&`, beyond a `;`, which some servers take for
/// a part of it; before the fragment it ends at the `#`, and in the path also at the next `/` or `?`.
fn cover_parameters(text: &str, depth: usize) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut done, mut from) = (0, 0);
    let mut part = Part::Path;
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

/// The part of a URL that a parameter is in.
#[derive(Clone, Copy)]
enum Part {
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
    use proptest::prelude::*;

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
            ("http://u:p w@h/x", "http://***@h/x"),
            ("http://u:p\"w@h/x", "http://***@h/x"),
            ("http://u:p%40h/x", "http://***%40h/x"),
            ("http://u:p@[::1", "http://***@[::1"),
            ("http://u:p@[::1]:80/x@y", "http://***@[::1]:80/x@y"),
            (r"http:\\u:p@h", r"http:\\***@h"),
            ("http:/u:p@h", "http:/***@h"),
            ("http:u:p@h", "***@h"),
            ("//u:p@h", "//***@h"),
            ("u:p@h:80/x", "***@h:80/x"),
            ("http://h/?next=http://u:p@i/", "http://h/?next=http://***@i/"),
            ("http://h/302/to/http://u:p@i/", "http://h/302/to/http://***@i/"),
            ("http://u:p@h/?next=http://u:p@i/", "http://***@h/?next=http://***@i/"),
            (r#"{"url": "ftp://u:p@h"}"#, r#"{"url": "ftp://***@h"}"#),
        ] {
            assert_eq!(redact(text), shown, "of {text}");
        }
    }

    #[test]
    fn secret_parameters_are_covered_however_they_are_spelt() {
        for (text, shown) in [
            ("http://h/?token=s", "http://h/?token=***"),
            ("http://h/?a=b&sig=s%2Bs&c=d#e", "http://h/?a=b&sig=***&c=d#e"),
            ("http://h/?X-Amz-Signature=s&X-Amz-Date=d", "http://h/?X-Amz-Signature=***&X-Amz-Date=d"),
            ("http://h/?X-Amz-Credential=s%2Faws4", "http://h/?X-Amz-Credential=***"),
            ("http://h/?x-amz-security-token=s", "http://h/?x-amz-security-token=***"),
            ("http://h/?X-Goog-Signature=s", "http://h/?X-Goog-Signature=***"),
            ("http://h/?%74oken=s&%54OKEN=s", "http://h/?%74oken=***&%54OKEN=***"),
            ("http://h/?api_key=s&apikey=s&api-key=s&Key=s", "http://h/?api_key=***&apikey=***&api-key=***&Key=***"),
            ("http://h/?user[password]=s&token[]=s", "http://h/?user[password]=***&token[]=***"),
            ("http://h/?client_secret=s&csrfToken=s", "http://h/?client_secret=***&csrfToken=***"),
            ("http://h/?aws_secret_access_key=s&PHPSESSID=s", "http://h/?aws_secret_access_key=***&PHPSESSID=***"),
            ("http://h/?token=a=b/c?d", "http://h/?token=***"),
            ("http://h/?a;token=s;t&b", "http://h/?a;token=***&b"),
            ("http://h/x;jsessionid=s/y;v=1?z", "http://h/x;jsessionid=***/y;v=1?z"),
            ("http://h/#access_token=s&state=x", "http://h/#access_token=***&state=x"),
            ("http://h/#/route?token=s#t", "http://h/#/route?token=***"),
            ("/login?password=s", "/login?password=***"),
            ("http://h/?code=SplxlOBeZQQYbYS6WxSbIA", "http://h/?code=***"),
            ("http://h/?next=/y?token=s", "http://h/?next=/y?token=***"),
            ("http://h/?next=http%3A%2F%2Fi%2F%3Ftoken%3Ds&a", "http://h/?next=***&a"),
            ("http://h/?next=http%3A%2F%2Fu%3Ap%40i%2F", "http://h/?next=***"),
            ("http://h/?next=%252Fy%253Ftoken%253Ds", "http://h/?next=***"),
            ("http://h/?a=%2525252525253D", "http://h/?a=***"),
        ] {
            assert_eq!(redact(text), shown, "of {text}");
        }
    }

    #[test]
    fn what_has_no_secret_is_not_even_copied() {
        for text in [
            "http://h/",
            "http://h:80/a@b",
            "http://[::1]/a@b",
            "http://h/a@b?c=d@e",
            "me@example.com",
            "http://h/?token",
            "http://h/?token=&key=",
            "http://h/?q=token&keyword=x&monkey=x&design=x&author=x",
            "http://h/?code=DE&page_token=x&nextPageToken=x",
            "http://h/token=x/?a=b",
            "http://h/?next=http%3A%2F%2Fi%2F%3Fa%3Db&q=100%25%3D",
            "http://h/%zz?%=%&a=%e9",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{text}: {}", redact(text));
        }
    }

    #[test]
    fn each_url_in_a_text_is_covered_on_its_own() {
        for (text, shown) in [
            (
                "<http://h?a>; rel=\"next\", <http://u:p@h/?key=s>",
                "<http://h?a>; rel=\"next\", <http://***@h/?key=***>",
            ),
            ("0; url=http://h/?token=s x", "0; url=http://h/?token=*** x"),
            ("url=\"/x?token=s\" status=200", "url=\"/x?token=***\" status=200"),
        ] {
            assert_eq!(redact_each(text), shown);
        }
    }

    #[test]
    fn urls_in_a_response_are_covered_and_what_it_gives_is_not() {
        let fields = [
            ("location", "http://u:p@h/?token=s \"s", "http://***@h/?token=***"),
            ("link", "</x?sig=s>; rel=next", "</x?sig=***>; rel=next"),
            ("refresh", "0;url=/?key=s", "0;url=/?key=***"),
            ("content-location", "/x?a=b", "/x?a=b"),
            ("set-cookie", "token=s", "token=s"),
        ];
        let given =
            fields.iter().map(|&(name, value, _)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let shown = response(given.collect());
        for (name, _, value) in fields {
            assert_eq!(shown[name], value);
        }
    }

    /// Lists and servers choose these texts. Some would take minutes if the time grew with the square of the length.
    #[test]
    fn no_text_takes_longer_than_its_length_asks_for() {
        for piece in ["a:/", "://", "?;a=b", ";a=%25", "&a=%2525", "?a=%3Fb%3D", "=", "@", "[", "?#", "a:/@", "//:"] {
            let text = piece.repeat(50_000 / piece.len());
            for text in [&text, &format!("http://h/?{text}"), &format!("http://h/#{text}@")] {
                assert!(redact(text).len() <= redact_each(text).len() + text.len());
            }
        }
    }

    #[test]
    fn the_names_are_sorted_for_the_search() {
        assert!(SECRET_NAMES.is_sorted());
    }

    /// A part of a URL, without the characters that delimit.
    fn part() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[a-z0-9A-Z%._~!$'()*+,-]{0,12}").expect("a pattern")
    }

    fn secret_name() -> impl Strategy<Value = String> {
        let name = proptest::sample::select(&["X-Amz-Signature", "sig", "token", "API_KEY", "password", "%6bey"]);
        name.prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn once_is_enough(text in "[a-z:/@?#&;=%\\[\\] \"\\\\0-9.-]{0,40}", parts in proptest::collection::vec(part(), 4)) {
            let url = format!("http://{text}?{}={}&{}={}", parts[0], parts[1], parts[2], parts[3]);
            for text in [text.as_str(), url.as_str()] {
                let once = redact(text).into_owned();
                prop_assert_eq!(redact(&once), once.as_str());
                let once = redact_each(text).into_owned();
                prop_assert_eq!(redact_each(&once), once.as_str());
            }
        }

        #[test]
        fn a_secret_never_shows(
            before in part(), name in secret_name(), around in "[/?:;=a-z%+]{0,8}", fragment in any::<bool>(), after in part(),
        ) {
            let start = if fragment { '#' } else { '?' };
            let url = format!("http://u:{around}CANARY{around}@h/{before}{start}x={before}&{name}={around}CANARY{around}&y={after}");
            let shown = redact(&url);
            prop_assert!(!shown.contains("CANARY"), "{url}: {shown}");
            let shown = redact_each(&url);
            prop_assert!(!shown.contains("CANARY"), "{url}: {shown}");
        }

        #[test]
        fn a_url_without_secrets_stays_byte_for_byte(path in "[a-z0-9@/_.-]{0,20}", query in "[a-d=&;@:_.,+-]{0,20}") {
            let url = format!("http://h.example/{path}?{query}");
            prop_assert_eq!(redact(&url), url.as_str());
        }
    }
}
