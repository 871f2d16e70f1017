//! One request to send: what a line asks for, or the hop that a redirect made of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use url::Url;

use super::{Judge, StatusSet, redacted};

/// A request, ready to send. Cheap to clone but for its URL. Its `Debug` shows no secret: of fields only names, of the body only
/// its length.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; never with userinfo, which [`Request::new`] turns into an `Authorization` header.
    pub url: Url,
    /// Header fields that the user gave, for every line or for this one; shared between lines that add none.
    pub headers: Arc<HeaderMap>,
    /// The body to send.
    pub body: Option<Bytes>,
    /// What this line sets for itself in place of the options.
    pub overrides: Option<Box<Overrides>>,
    /// What is expected of its line beside that a response comes whole.
    pub expect: Option<Arc<dyn Judge>>,
}

/// What a line sets for itself in place of the options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Statuses that count as ok, in place of `--accept`.
    pub accept: Option<StatusSet>,
    /// Time of one attempt, in place of `--max-time`.
    pub timeout: Option<Duration>,
    /// Further attempts, in place of `--retry`.
    pub retry: Option<u32>,
}

impl Request {
    /// A GET of `url` without headers or body.
    ///
    /// Userinfo in the URL becomes Basic credentials (RFC 7617) of this request, as curl does.
    pub fn new(url: Url) -> Self {
        let mut request =
            Self { method: Method::GET, url, headers: Arc::default(), body: None, overrides: None, expect: None };
        request.take_userinfo();
        request
    }

    /// Moves userinfo out of the URL into an `Authorization` header, unless one was given.
    pub fn take_userinfo(&mut self) {
        use base64::Engine as _;

        if self.url.username().is_empty() && self.url.password().is_none() {
            return;
        }
        let decode = |text: &str| percent_decode(text);
        let mut pair = decode(self.url.username());
        pair.push(b':');
        pair.extend(decode(self.url.password().unwrap_or_default()));
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut value = http::HeaderValue::from_str(&basic).expect("base64 is a legal header value");
        value.set_sensitive(true);
        Arc::make_mut(&mut self.headers).entry(http::header::AUTHORIZATION).or_insert(value);
        let cleared = self.url.set_username("").and_then(|()| self.url.set_password(None));
        cleared.expect("a URL that has userinfo can lose it");
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &redacted(&self.url))
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .field("body", &self.body.as_ref().map(Bytes::len))
            .field("overrides", &self.overrides)
            .field("expect", &self.expect)
            .finish()
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn percent_decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn userinfo_becomes_basic_credentials_and_leaves_the_url() {
        let request = Request::new("http://al%3Aice:s%20cret@h.example/x".parse().expect("a URL"));
        assert_eq!(request.url.as_str(), "http://h.example/x");
        // base64 of "al:ice:s cret"
        assert_eq!(request.headers["authorization"], "Basic YWw6aWNlOnMgY3JldA==");
        assert!(request.headers["authorization"].is_sensitive());
    }

    #[test]
    fn what_is_printed_for_debugging_has_no_secret() {
        let mut request = Request::new("http://u:canary@h.example/?token=canary".parse().expect("a URL"));
        request.body = Some(Bytes::from_static(b"canary"));
        let shown = format!("{:?}", crate::model::Job::new(request));
        assert!(shown.contains("http://h.example/?token=***") && shown.contains("authorization"), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("dTpjYW5hcnk"), "{shown}");
    }
}
