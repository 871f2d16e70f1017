//! Text to a URL that can be sent, or the kind of failure that says why not.
//!
//! Stricter than the WHATWG URL standard wherever its error correction would ask for something that the user did not write:
//! TAB and line breaks are not deleted, backslashes are not slashes, `http:/x` and `http:///x` have no host.

use std::net::Ipv6Addr;

use url::{Host, ParseError, Url};

use super::shown::{find_hidden, quoted};
use crate::model::{Failure, FailureKind};

/// The longest URL, in bytes; that of the `http` crate, with which requests are made.
const URL_LIMIT: usize = 65_534;

/// The longest label and the longest name that DNS has, in bytes (RFC 1035, section 2.3.4).
const LABEL_LIMIT: usize = 63;
const NAME_LIMIT: usize = 253;

/// Parses the URL of a line: an absolute `http` or `https` URL, or, with `base`, one relative to it (RFC 3986, section 5).
///
/// The failure's kind is one of `url_invalid`, `url_missing_scheme`, `url_unsupported_scheme`, `url_missing_host`,
/// `url_invalid_port` and `url_too_long`; its message has no userinfo and no query in it.
pub fn parse_url(text: &str, base: Option<&Url>) -> Result<Url, Failure> {
    if text.len() > URL_LIMIT {
        return Err(too_long(text.len()));
    }
    check_characters(text)?;
    let url = match split_scheme(text) {
        Some((scheme, rest)) if is_http(scheme) => {
            check_authority(scheme, rest, text)?;
            Url::parse(text)
        }
        Some((scheme, rest)) => return Err(foreign_scheme(scheme, rest, text)),
        None => {
            let Some(base) = base else {
                return Err(missing_scheme(text));
            };
            base.join(text)
        }
    };
    let url = url.map_err(|error| refused(error, text))?;
    check_sendable(&url, text)?;
    Ok(url)
}

fn check_characters(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Err(invalid("the URL is empty"));
    }
    if let Some((at, c)) = text.find(' ').map(|at| (at, ' ')).or_else(|| find_hidden(text)) {
        return Err(character_inside(text, at, c));
    }
    let path = || &text[..text.find(['?', '#']).unwrap_or(text.len())];
    if text.contains('\\') && path().contains('\\') {
        return Err(invalid(format!("{} has a backslash; `/` is right, or `%5C` for a real one", quoted(text))));
    }
    Ok(())
}

/// What is wrong with the character `c` at byte `at` of a line or URL.
pub(super) fn character_inside(text: &str, at: usize, c: char) -> Failure {
    let (name, right) = match c {
        '\t' => ("a TAB".to_owned(), "a space between method and URL is right, `%09` within a URL"),
        '\r' => ("a carriage return".to_owned(), "a line ends with a line feed, or with both"),
        ' ' => ("a space".to_owned(), "`%20` is right"),
        '\u{feff}' => ("a byte order mark".to_owned(), "it may stand only at the start of a file"),
        c => (format!("the character U+{:04X}", u32::from(c)), "remove it, or write it percent-encoded"),
    };
    let column = text[..at].chars().count() + 1;
    invalid(format!("there is {name} inside, at character {column} of {}; {right}", quoted(text)))
}

/// Scheme and what follows its colon (RFC 3986, section 3.1).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_scheme_byte))
        .then_some((scheme, rest))
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Why a URL with a scheme of its own that is not ours is refused; `localhost:8080` and `a.example:80/x` only look like one.
fn foreign_scheme(scheme: &str, rest: &str, text: &str) -> Failure {
    let port = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !rest.starts_with("//") && (is_port || scheme.contains('.')) {
        return missing_scheme(text);
    }
    let message =
        format!("the scheme of {} is {}; only `http` and `https` can be fetched", quoted(text), quoted(scheme));
    Failure::new(FailureKind::UrlUnsupportedScheme, message)
}

fn missing_scheme(text: &str) -> Failure {
    let right = if text.starts_with(['/', '?', '.', '#']) && !text.starts_with("//") {
        "write the whole URL, or give `--base-url` for relative lines"
    } else {
        "write `https://` or `http://` before it, or give `--base-url` for relative lines"
    };
    Failure::new(FailureKind::UrlMissingScheme, format!("{} has no scheme; {right}", quoted(text)))
}

/// Checks the host and port in `rest`, which starts with the slashes, for what the parser would repair or name less well.
fn check_authority(scheme: &str, rest: &str, text: &str) -> Result<(), Failure> {
    let missing_host = || {
        let message = format!("{} has no host; `{scheme}://host/path` is right", quoted(text));
        Failure::new(FailureKind::UrlMissingHost, message)
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(if matches!(rest, "" | "/") {
            missing_host()
        } else {
            invalid(format!("in {} two slashes must follow `{scheme}:`", quoted(text)))
        });
    };
    let authority = &rest[..memchr::memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(invalid(format!("the IPv6 address in {} must stand in brackets: `[{host}]`", quoted(text))));
    }
    if host.starts_with('[') && host.contains('%') {
        return Err(invalid(format!("{} has an IPv6 zone, which is not supported; leave it out", quoted(text))));
    }
    if host.is_empty() || host.starts_with(':') {
        return Err(missing_host());
    }
    Ok(())
}

/// The failure for what the parser refused.
fn refused(error: ParseError, text: &str) -> Failure {
    match error {
        ParseError::EmptyHost => Failure::new(FailureKind::UrlMissingHost, format!("{} has no host", quoted(text))),
        ParseError::InvalidPort => invalid_port(text),
        ParseError::Overflow => too_long(text.len()),
        error => invalid(format!("{} is not a valid URL: {error}", quoted(text))),
    }
}

/// Checks what only the parsed URL shows.
fn check_sendable(url: &Url, text: &str) -> Result<(), Failure> {
    if !is_http(url.scheme()) {
        return Err(foreign_scheme(url.scheme(), "", text));
    }
    if url.port() == Some(0) {
        return Err(invalid_port(text));
    }
    if let Some(Host::Domain(name)) = url.host() {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > NAME_LIMIT || name.split('.').any(|label| label.is_empty() || label.len() > LABEL_LIMIT) {
            let limits = "names have at most 253 bytes, and 1 to 63 between their dots";
            return Err(invalid(format!("the host of {} cannot be a name; {limits}", quoted(text))));
        }
    }
    // Percent-encoding may have made it longer.
    if url.as_str().len() > URL_LIMIT {
        return Err(too_long(url.as_str().len()));
    }
    match url.as_str().parse::<http::Uri>() {
        Ok(_) => Ok(()),
        Err(error) => Err(invalid(format!("{} cannot be sent: {error}", quoted(text)))),
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::UrlInvalid, message)
}

fn invalid_port(text: &str) -> Failure {
    let message = format!("the port of {} is not a number from 1 to 65535", quoted(text));
    Failure::new(FailureKind::UrlInvalidPort, message)
}

fn too_long(length: usize) -> Failure {
    let message = format!("the URL has {length} bytes; at most {URL_LIMIT} can be sent");
    Failure::new(FailureKind::UrlTooLong, message)
}

#[cfg(test)]
mod tests {
    use super::FailureKind::*;
    use super::*;

    fn kind(text: &str) -> Option<FailureKind> {
        parse_url(text, None).err().map(|failure| failure.kind)
    }

    #[test]
    fn every_bad_url_has_its_kind() {
        for (text, expected) in [
            ("", UrlInvalid),
            ("example.com", UrlMissingScheme),
            ("example.com/x?y=z:1", UrlMissingScheme),
            ("localhost:8080", UrlMissingScheme),
            ("localhost:8080/x", UrlMissingScheme),
            ("a.example:x/y", UrlMissingScheme),
            ("127.0.0.1:80", UrlMissingScheme),
            ("[::1]:80", UrlMissingScheme),
            ("//h/p", UrlMissingScheme),
            ("/health", UrlMissingScheme),
            ("?q=1", UrlMissingScheme),
            ("ftp://h/x", UrlUnsupportedScheme),
            ("file:///etc/passwd", UrlUnsupportedScheme),
            ("data:text/plain,x", UrlUnsupportedScheme),
            ("javascript:alert(1)", UrlUnsupportedScheme),
            ("mailto:me@h.example", UrlUnsupportedScheme),
            ("htp://h", UrlUnsupportedScheme),
            ("ws://h:80/", UrlUnsupportedScheme),
            ("http:", UrlMissingHost),
            ("http:/", UrlMissingHost),
            ("http://", UrlMissingHost),
            ("http:///x", UrlMissingHost),
            ("http://:80", UrlMissingHost),
            ("http://u:p@", UrlMissingHost),
            ("http://u:p@/x", UrlMissingHost),
            ("http://@:80/x", UrlMissingHost),
            ("http://?x", UrlMissingHost),
            ("http:x", UrlInvalid),
            ("http:/x", UrlInvalid),
            (r"http:\\h", UrlInvalid),
            (r"http://h\x", UrlInvalid),
            ("http://h:0", UrlInvalidPort),
            ("http://h:65536", UrlInvalidPort),
            ("http://h:99999999999999999999", UrlInvalidPort),
            ("http://h:-1", UrlInvalidPort),
            ("http://h:http/", UrlInvalidPort),
            ("http://u:p/w@h/", UrlInvalidPort),
            ("http://[::1", UrlInvalid),
            ("http://[::1]x/", UrlInvalid),
            ("http://[::g]/", UrlInvalid),
            ("http://::1/", UrlInvalid),
            ("http://[fe80::1%25eth0]/", UrlInvalid),
            ("http://[fe80::1%eth0]/", UrlInvalid),
            ("http://256.1.1.1/", UrlInvalid),
            ("http://1.2.3.4.5/", UrlInvalid),
            ("http://xn--a/", UrlInvalid),
            ("http://xn--999999999/", UrlInvalid),
            ("http://a..b/", UrlInvalid),
            ("http://./", UrlInvalid),
            ("http://a b/", UrlInvalid),
            ("http://a<b/", UrlInvalid),
            ("http://a%00b/", UrlInvalid),
            ("http://h/a b", UrlInvalid),
            ("http://h/a\tb", UrlInvalid),
            ("http://h/a\rb", UrlInvalid),
            ("http://h/\0", UrlInvalid),
            ("http://h/\u{1b}[31m", UrlInvalid),
            ("http://h/\u{202e}x", UrlInvalid),
            ("http://h/x\u{a0}", UrlInvalid),
            ("\u{feff}http://h/", UrlInvalid),
            ("http://h/\u{feff}", UrlInvalid),
        ] {
            assert_eq!(kind(text), Some(expected), "of {text:?}: {:?}", parse_url(text, None));
        }
    }

    #[test]
    fn what_can_be_sent_is_taken() {
        for (text, url) in [
            ("http://h", "http://h/"),
            ("HTTPS://EXAMPLE.com:443/A", "https://example.com/A"),
            ("http://h:/x", "http://h/x"),
            ("http://h./x", "http://h./x"),
            ("http://a_b.example/", "http://a_b.example/"),
            ("http://bücher.example/ü?ü#ü", "http://xn--bcher-kva.example/%C3%BC?%C3%BC#%C3%BC"),
            ("http://h/👨‍👩‍👧", "http://h/%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
            ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
            ("http://h:65535/", "http://h:65535/"),
            ("http://u:p%20w@h/", "http://u:p%20w@h/"),
            ("http://h/a/../b//c", "http://h/b//c"),
            (r"http://h/?a\b", r"http://h/?a\b"),
            ("http://h/{a}|^`[x]\"<>", "http://h/%7Ba%7D|^%60[x]%22%3C%3E"),
            ("http://h/?{a}|^`[x]'\"<>", "http://h/?{a}|^`[x]%27%22%3C%3E"),
            ("http://h/%zz?%", "http://h/%zz?%"),
        ] {
            assert_eq!(parse_url(text, None).expect(text).as_str(), url);
        }
    }

    #[test]
    fn a_url_may_have_65534_bytes_also_after_percent_encoding() {
        let url = |bytes: usize| format!("http://h/{}", "x".repeat(bytes - 9));
        assert_eq!(kind(&url(65_534)), None);
        assert_eq!(kind(&url(65_535)), Some(UrlTooLong));
        assert_eq!(kind(&format!("http://h/{}", "ü".repeat(20_000))), Some(UrlTooLong));
    }

    #[test]
    fn a_host_must_fit_into_dns() {
        let label = "x".repeat(63);
        let name = [&label[..]; 4].join(".");
        assert_eq!(kind(&format!("http://{label}/")), None);
        assert_eq!(kind(&format!("http://{label}x/")), Some(UrlInvalid));
        assert_eq!(kind(&format!("http://{}./", &name[..253])), None);
        assert_eq!(kind(&format!("http://{}/", &name[..254])), Some(UrlInvalid));
    }

    #[test]
    fn relative_urls_are_joined_to_the_base_as_browsers_do() {
        let base = |text: &str| Url::parse(text).expect("a URL");
        for (base_url, text, url) in [
            ("https://api.example.com/v1", "/health", "https://api.example.com/health"),
            ("https://api.example.com/v1", "health", "https://api.example.com/health"),
            ("https://api.example.com/v1/", "health?x=1", "https://api.example.com/v1/health?x=1"),
            ("https://api.example.com/v1/", "?x=a:b", "https://api.example.com/v1/?x=a:b"),
            ("https://api.example.com/v1/", "../v2/x", "https://api.example.com/v2/x"),
            ("https://api.example.com/v1/", "//other.example/x", "https://other.example/x"),
            ("https://api.example.com/v1/", "http://h/x", "http://h/x"),
        ] {
            let joined = parse_url(text, Some(&base(base_url)));
            assert_eq!(joined.expect(text).as_str(), url, "{base_url} and {text}");
        }
        for (base_url, text, kind) in [
            ("https://h/", "", UrlInvalid),
            ("https://h/", "https:x", UrlInvalid),
            ("https://h/", "///x", UrlMissingHost),
            ("https://h/", "//:80", UrlMissingHost),
            ("https://h/", "//h:0", UrlInvalidPort),
            ("https://h/", r"\x", UrlInvalid),
            ("https://h/", "localhost:8080", UrlMissingScheme),
            ("https://h/", "ftp://h/", UrlUnsupportedScheme),
            ("ftp://h/", "x", UrlUnsupportedScheme),
            ("mailto:x", "y", UrlInvalid),
        ] {
            let failure = parse_url(text, Some(&base(base_url))).expect_err(text);
            assert_eq!(failure.kind, kind, "{base_url} and {text}: {failure}");
        }
    }

    #[test]
    fn a_message_says_what_was_seen_and_what_is_right_without_secrets() {
        for (text, message) in [
            ("/health", "`/health` has no scheme; write the whole URL, or give `--base-url` for relative lines"),
            (
                "http://u:canary@h:99999/?s=canary",
                "the port of `http://***@h:99999/?…` is not a number from 1 to 65535",
            ),
            (
                "http://h/a\tb",
                r"there is a TAB inside, at character 11 of `http://h/a\tb`; a space between method and URL is right, `%09` within a URL",
            ),
            (
                "http://[fe80::1%eth0]/",
                "`http://[fe80::1%eth0]/` has an IPv6 zone, which is not supported; leave it out",
            ),
            ("http:/x", "in `http:/x` two slashes must follow `http:`"),
        ] {
            assert_eq!(parse_url(text, None).expect_err(text).message, message);
        }
    }
}
