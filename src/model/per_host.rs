//! What is for some hosts alone, by their names.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::Origin;

/// A host as users name it: `api.example.com` for all its schemes and ports, `api.example.com:8443` for one port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName {
    /// As URLs have it: in lower case, other scripts in punycode, IPv6 in brackets.
    host: Box<str>,
    port: Option<u16>,
}

impl FromStr for HostName {
    type Err = ParseHostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseHostNameError(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let digits = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        let number =
            digits.map(|digits| digits.parse::<u16>().ok().filter(|&port| port > 0).ok_or_else(wrong)).transpose()?;
        // `*` is no pattern here, and no server has it in its name.
        if host.is_empty() || host.contains('*') || number.is_none() != port.is_none() {
            return Err(wrong());
        }
        let host = Host::parse(host).map_err(|_| wrong())?;
        Ok(Self { host: host.to_string().into(), port: number })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host (`api.example.com`, `127.0.0.1`, `[::1]`), alone or with a port (`api.example.com:8443`)")]
pub struct ParseHostNameError(String);

/// Values that are for some hosts alone. Where a host is named with a port and without, the value with the port is taken.
#[derive(Clone)]
pub struct PerHost<T>(HashMap<Box<str>, Vec<(Option<u16>, T)>>);

impl<T> PerHost<T> {
    /// The value for an origin, if there is one.
    pub fn of(&self, origin: &Origin) -> Option<&T> {
        self.find(origin.host(), origin.port())
    }

    /// The value for the origin of a URL, if there is one.
    pub fn of_url(&self, url: &Url) -> Option<&T> {
        if self.0.is_empty() {
            return None;
        }
        self.find(url.host_str()?, url.port_or_known_default()?)
    }

    /// The same hosts with other values.
    pub fn map<'a, U>(&'a self, change: impl Fn(&'a T) -> U) -> PerHost<U> {
        let changed = self.0.iter().map(|(host, values)| {
            let values = values.iter().map(|(port, value)| (*port, change(value)));
            (host.clone(), values.collect())
        });
        PerHost(changed.collect())
    }

    fn find(&self, host: &str, port: u16) -> Option<&T> {
        let values = self.0.get(host)?;
        let with = |wanted: Option<u16>| values.iter().find(move |(port, _)| *port == wanted);
        with(Some(port)).or_else(|| with(None)).map(|(_, value)| value)
    }
}

impl<T> Default for PerHost<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> FromIterator<(HostName, T)> for PerHost<T> {
    /// Of several values for one name the first is taken.
    fn from_iter<I: IntoIterator<Item = (HostName, T)>>(values: I) -> Self {
        let mut hosts = Self::default();
        for (name, value) in values {
            hosts.0.entry(name.host).or_default().push((name.port, value));
        }
        hosts
    }
}

/// Shows which hosts have values, and not the values: they may be secrets.
impl<T> fmt::Debug for PerHost<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> PerHost<String> {
        names.iter().map(|name| (name.parse().expect("a host"), (*name).to_owned())).collect()
    }

    #[test]
    fn a_name_is_for_every_scheme_and_port_and_a_port_is_for_itself() {
        let hosts = hosts(&["a.example", "a.example:443", "[::1]:8080"]);
        for (url, found) in [
            ("http://a.example/x", Some("a.example")),
            ("http://A.EXAMPLE:8080", Some("a.example")),
            ("https://a.example", Some("a.example:443")),
            ("http://a.example:443", Some("a.example:443")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("http://[::1]", None),
            ("http://b.a.example", None),
        ] {
            let url: Url = url.parse().expect("a URL");
            assert_eq!(hosts.of_url(&url).map(String::as_str), found, "{url}");
            assert_eq!(hosts.of(&Origin::of(&url).expect("an origin")).map(String::as_str), found, "{url}");
        }
    }

    #[test]
    fn a_name_is_taken_as_urls_have_it() {
        for (text, name) in [
            ("API.Example.com", "api.example.com"),
            ("bücher.example:81", "xn--bcher-kva.example:81"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("127.1", "127.0.0.1"),
        ] {
            assert_eq!(text.parse::<HostName>().expect(text).to_string(), name);
        }
        for text in ["", ":80", "h:", "h:0", "h:65536", "h:+1", "https://h", "h/x", "u@h", "::1", "a b", "*.h"] {
            assert!(text.parse::<HostName>().is_err(), "{text:?} was taken");
        }
    }
}
