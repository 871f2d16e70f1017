//! The origin: scheme, host and port (RFC 6454), the key of every per-host limit.

use std::fmt;
use std::sync::Arc;

use url::Url;

/// Scheme, host and port of a URL (RFC 6454, section 4). Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    https: bool,
    port: u16,
    host: Arc<str>,
}

impl Origin {
    /// The origin of an `http` or `https` URL; `None` for a URL that has no such origin.
    pub fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { https, port: url.port_or_known_default()?, host: url.host_str()?.into() })
    }

    /// The host: a lower-case name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// The host, and the port where it is not the scheme's own: `api.example.com`, `127.0.0.1:8080`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match (self.https, self.port) {
            (true, 443) | (false, 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().expect("a valid URL")).expect("an http URL")
    }

    #[test]
    fn the_default_port_is_the_same_origin_and_another_scheme_is_not() {
        assert_eq!(origin("http://A.example/x"), origin("http://a.example:80/y"));
        assert_ne!(origin("http://a.example"), origin("https://a.example"));
        assert_ne!(origin("http://a.example"), origin("http://a.example:8080"));
    }

    #[test]
    fn it_is_shown_as_people_write_it() {
        assert_eq!(origin("https://api.example.com/users").to_string(), "api.example.com");
        assert_eq!(origin("http://127.0.0.1:8080").to_string(), "127.0.0.1:8080");
        assert_eq!(origin("http://[::1]:443").to_string(), "[::1]:443");
    }
}
