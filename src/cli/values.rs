//! Values of options: text to the types that they mean, and for what does not fit, what would be right.
//!
//! clap puts the option's name and the value before each of these messages.

use std::net::IpAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use bytesize::ByteSize;
use gather::fetch::{ConnectTo, ResolveEntry};
use http::Method;

/// The longest time that can be asked for. Beyond it, arithmetic with points in time could overflow.
const LONGEST: Duration = Duration::from_hours(24 * 3650);

const TOO_LONG: &str = "the longest time is 3650 days";

/// A time, which may be zero: a number of seconds as in curl, or with units as in `humantime`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number of seconds (`2.5`) or has units (`500ms`, `2m`, `1h30m`)".to_owned();
    let parsed = match text.parse::<f64>() {
        Ok(seconds) if seconds > LONGEST.as_secs_f64() => return Err(TOO_LONG.to_owned()),
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    if parsed > LONGEST {
        return Err(TOO_LONG.to_owned());
    }
    Ok(parsed)
}

/// A time that cannot be zero.
pub(crate) fn time_limit(text: &str) -> Result<Duration, String> {
    let parsed = duration(text)?;
    if parsed.is_zero() {
        return Err("zero would leave no time at all: give more than 0".to_owned());
    }
    Ok(parsed)
}

/// Bytes: `10485760`, `10MiB`, `10MB`; a single letter is binary, as in curl (`10M` is `10MiB`).
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic()).trim_end();
    let unit = match text[digits.len()..].trim_start() {
        letter if letter.len() == 1 && !letter.eq_ignore_ascii_case("b") => format!("{letter}iB"),
        unit => unit.to_owned(),
    };
    let parsed = format!("{digits}{unit}").parse::<ByteSize>();
    parsed
        .map(|size| size.as_u64())
        .map_err(|_| "a size is a number of bytes or has a unit (`10MiB`, `10MB`, `10M`)".into())
}

/// A count of at least one.
pub(crate) fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("a whole number from 1 to {} is needed", usize::MAX))
}

/// A count of at least one.
pub(crate) fn count_of_lines(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| format!("a whole number from 1 to {} is needed", u64::MAX))
}

/// A count that may be zero.
pub(crate) fn limit(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("a whole number from 0 to {} is needed", u32::MAX))
}

/// A limit where zero is none.
pub(crate) fn limit_or_none(text: &str) -> Result<Limit, String> {
    let parsed = text.parse::<usize>();
    let number =
        parsed.map_err(|_| format!("a whole number from 1 to {}, or 0 for no limit, is needed", usize::MAX))?;
    Ok(Limit(NonZeroUsize::new(number)))
}

/// A limit, or none; its own type because clap gives `Option` a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<NonZeroUsize>);

/// A method: a token (RFC 9110, section 9.1), sent as it is written.
pub(crate) fn method(text: &str) -> Result<Method, String> {
    let wrong = || "a method is a word such as GET, HEAD or POST".to_owned();
    match Method::from_bytes(text.as_bytes()).map_err(|_| wrong())? {
        Method::CONNECT => Err("CONNECT opens a tunnel and has no response to record".to_owned()),
        method => Ok(method),
    }
}

/// curl's `HOST:PORT:ADDR[,ADDR]…`; an IPv6 host or address may stand in brackets.
pub(crate) fn resolve_entry(text: &str) -> Result<ResolveEntry, String> {
    let wrong = || "`HOST:PORT:ADDR[,ADDR]…` is needed, as in `api.example.com:443:127.0.0.1`".to_owned();
    // curl's `+` makes an entry time out in its cache; here no entry ever does.
    let (host, rest) = split_host(text.strip_prefix('+').unwrap_or(text)).ok_or_else(wrong)?;
    let (port, addresses) = rest.split_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|&port| port != 0).ok_or_else(|| port_wrong(port))?;
    let addresses = addresses.split(',').map(address).collect::<Result<Vec<_>, _>>()?;
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(ResolveEntry { host: host.to_lowercase(), port, addresses })
}

/// curl's `HOST1:PORT1:HOST2:PORT2`, each part of which may be empty.
pub(crate) fn connect_to(text: &str) -> Result<ConnectTo, String> {
    let wrong = || {
        "`HOST1:PORT1:HOST2:PORT2` is needed, as in `www.example.com:443:staging.example.com:8443`; \
         an empty part means any, or the same"
            .to_owned()
    };
    let (from_host, rest) = split_host(text).ok_or_else(wrong)?;
    let (from_port, rest) = rest.split_once(':').ok_or_else(wrong)?;
    let (to_host, to_port) = split_host(rest).ok_or_else(wrong)?;
    Ok(ConnectTo {
        from_host: non_empty(from_host),
        from_port: optional_port(from_port)?,
        to_host: non_empty(to_host),
        to_port: optional_port(to_port)?,
    })
}

/// Splits at the first colon that is not within brackets; the brackets are taken off.
fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once("]:"),
        None => text.split_once(':'),
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| format!("`{text}` is not an IPv4 or IPv6 address"))
}

fn non_empty(host: &str) -> Option<String> {
    (!host.is_empty()).then(|| host.to_lowercase())
}

fn optional_port(text: &str) -> Result<Option<u16>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().ok().filter(|&port| port != 0).map(Some).ok_or_else(|| port_wrong(text))
}

fn port_wrong(text: &str) -> String {
    format!("`{text}` is not a port from 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_has_units() {
        let time = |text| duration(text).expect("a time");
        assert_eq!(time("2"), Duration::from_secs(2));
        assert_eq!(time("0.25"), Duration::from_millis(250));
        assert_eq!(time("500ms"), Duration::from_millis(500));
        assert_eq!(time("2m"), Duration::from_mins(2));
        assert_eq!(time("1h30m"), Duration::from_mins(90));
        assert_eq!(time("0"), Duration::ZERO);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "-1", "inf", "nan", "soon", "5 parsecs", "1e300", "4000d"] {
            assert!(duration(bad).is_err(), "{bad:?} was taken");
        }
        assert!(time_limit("0").is_err());
        assert!(time_limit("0ms").is_err());
        assert!(time_limit("1e-30").is_err(), "too short to count is zero");
    }

    #[test]
    fn a_size_with_a_single_letter_is_binary_as_in_curl() {
        let sizes = [("1000", 1000), ("10M", 10 << 20), ("10MiB", 10 << 20), ("10MB", 10_000_000), ("1k", 1024)];
        for (text, bytes) in sizes {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(size("512 B"), Ok(512));
        assert_eq!(size("1.5 KiB"), Ok(1536));
        for bad in ["", "M", "-1", "10X", "ten", "1 0"] {
            assert!(size(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_resolve_entry_takes_several_addresses_of_both_families() {
        let entry = resolve_entry("API.example.com:443:127.0.0.1,[::1]").expect("an entry");
        assert_eq!((entry.host.as_str(), entry.port), ("api.example.com", 443));
        assert_eq!(entry.addresses, ["127.0.0.1".parse::<IpAddr>().expect("v4"), "::1".parse().expect("v6")]);
        assert_eq!(resolve_entry("[::1]:80:::1").expect("an IPv6 host").host, "::1");
        for bad in
            ["", "host", "host:80", "host:80:", "host:0:127.0.0.1", "host:x:127.0.0.1", "host:80:other.host", ":80:::1"]
        {
            assert!(resolve_entry(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn connect_to_takes_empty_parts_for_any() {
        let all = connect_to("a.example:443:B.example:8443").expect("four parts");
        assert_eq!((all.from_host.as_deref(), all.from_port), (Some("a.example"), Some(443)));
        assert_eq!((all.to_host.as_deref(), all.to_port), (Some("b.example"), Some(8443)));
        let any = connect_to("::[::1]:").expect("empty parts");
        assert_eq!(any, ConnectTo { from_host: None, from_port: None, to_host: Some("::1".into()), to_port: None });
        for bad in ["", "a", "a:1", "a:1:b", "a:1:b:x", "a:0:b:1", "a:1:b:70000"] {
            assert!(connect_to(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_method_is_a_token_and_not_connect() {
        assert_eq!(method("PURGE"), Ok(Method::from_bytes(b"PURGE").expect("a token")));
        for bad in ["", "GET /", "CONNECT", "G:T"] {
            assert!(method(bad).is_err(), "{bad:?} was taken");
        }
    }
}
