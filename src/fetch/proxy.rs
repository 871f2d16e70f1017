//! Proxies: which URL goes through which.

use std::collections::HashMap;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Proxy;
use url::{Position, Url};

use super::error::FetchError;
use super::options::Proxies;
use crate::model::{Secret, redacted};

/// The schemes that a proxy can be spoken to with.
const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// Which URL goes through which proxy.
#[derive(Debug, Default)]
pub(super) struct ProxyRules {
    /// The proxy for each scheme.
    http: Option<Secret<Url>>,
    https: Option<Secret<Url>>,
    /// What is bypassed whatever its port.
    anywhere: Option<Matcher>,
    /// What is bypassed at one port.
    at_port: HashMap<u16, Matcher>,
}

impl Proxies {
    /// Whether any URL can go through a proxy.
    pub fn are_used(&self) -> bool {
        (self.http.is_some() || self.https.is_some()) && !self.bypass.split(',').any(|item| item.trim() == "*")
    }
}

impl ProxyRules {
    /// The rules of `proxies`.
    pub(super) fn new(proxies: &Proxies) -> Result<Self, FetchError> {
        if !proxies.are_used() {
            return Ok(Self::default());
        }
        let (mut anywhere, mut at_port) = (Vec::new(), HashMap::<u16, Vec<String>>::new());
        for item in proxies.bypass.to_ascii_lowercase().split(',').map(str::trim) {
            match split_port(item) {
                Some((host, port)) => at_port.entry(port).or_default().push(host.to_owned()),
                None => anywhere.push(item.to_owned()),
            }
        }
        Ok(Self {
            http: proxies.http.as_ref().map(checked).transpose()?,
            https: proxies.https.as_ref().map(checked).transpose()?,
            anywhere: Some(bypassing(&anywhere)),
            at_port: at_port.into_iter().map(|(port, items)| (port, bypassing(&items))).collect(),
        })
    }

    /// The same rules for the HTTP client, if there is a proxy at all.
    pub(super) fn for_client(self: &Arc<Self>) -> Option<Proxy> {
        let rules = Arc::clone(self);
        let any = self.http.is_some() || self.https.is_some();
        any.then(|| Proxy::custom(move |url| rules.proxy(url).cloned()))
    }

    /// Whether a request for `url` goes through a proxy.
    pub(super) fn intercept(&self, url: &Url) -> bool {
        self.proxy(url).is_some()
    }

    /// Whether a request for `url` is sent to a proxy as it is, and not through a tunnel to its host.
    pub(super) fn forwards(&self, url: &Url) -> bool {
        url.scheme() == "http" && self.proxy(url).is_some_and(|proxy| proxy.scheme().starts_with("http"))
    }

    /// The port of the proxy at `host`, if there is one.
    pub(super) fn port(&self, host: &str) -> Option<u16> {
        let ends = [&self.http, &self.https].into_iter().flatten().map(Secret::expose);
        ends.filter(|proxy| proxy.host_str() == Some(host)).find_map(Url::port_or_known_default)
    }

    /// The proxy that a request for `url` goes through.
    fn proxy(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "http" => self.http.as_ref()?.expose(),
            "https" => self.https.as_ref()?.expose(),
            _ => return None,
        };
        let uri = url[..Position::BeforePath].parse().ok()?;
        let at_port = url.port_or_known_default().and_then(|port| self.at_port.get(&port));
        let is_bypassed = |matcher: &Matcher| matcher.intercept(&uri).is_none();
        let bypassed = self.anywhere.iter().chain(at_port).any(is_bypassed);
        (!bypassed).then_some(proxy)
    }
}

/// `host:port` in a list of what is bypassed, as wget and Go have it; curl knows no ports there.
fn split_port(item: &str) -> Option<(&str, u16)> {
    let (host, port) = item.rsplit_once(':')?;
    // An IPv6 address without brackets has no port.
    let is_host = !host.contains(':') || host.ends_with(']');
    port.parse().ok().filter(|_| is_host && !host.is_empty()).map(|port| (host, port))
}

/// Intercepts all but these hosts, addresses and blocks.
fn bypassing(items: &[String]) -> Matcher {
    // `*` stands for every host: the matcher takes it for every name, but not for addresses. Nor does it know brackets.
    let whole = |item: &String| if item == "*" { "*,0.0.0.0/0,::/0".to_owned() } else { item.replace(['[', ']'], "") };
    let list = items.iter().map(whole).collect::<Vec<_>>().join(",");
    // Only whether there is a proxy is asked of it, never which.
    Matcher::builder().all("http://proxy").no(list).build()
}

/// A proxy URL that the HTTP client understands; it would silently go without a proxy where it does not.
fn checked(url: &Secret<Url>) -> Result<Secret<Url>, FetchError> {
    let url = url.expose();
    if !SCHEMES.contains(&url.scheme()) {
        return Err(unusable(url, &format!("the scheme must be one of {}", SCHEMES.join(", "))));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(unusable(url, &"it has no host"));
    }
    let mut url = url.clone();
    if url.scheme().starts_with("socks") && url.port().is_none() {
        // The client would take 80. RFC 1928, section 3: "The SOCKS service is conventionally located on TCP port 1080."
        url.set_port(Some(1080)).map_err(|()| unusable(&url, &"it cannot have a port"))?;
    }
    Ok(url.into())
}

fn unusable(url: &Url, problem: &dyn ToString) -> FetchError {
    FetchError::Proxy { url: redacted(url), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(bypass: &str) -> ProxyRules {
        let http = "http://user:secret@proxy.example:3128".parse::<Url>().expect("a URL");
        let http = Some(http.into());
        ProxyRules::new(&Proxies { http, https: None, bypass: bypass.into() }).expect("a good proxy")
    }

    fn intercepts(rules: &ProxyRules, url: &str) -> bool {
        rules.intercept(&url.parse().expect("a URL"))
    }

    #[test]
    fn names_subdomains_addresses_and_blocks_are_bypassed() {
        let rules = rules("a.example, 10.0.0.0/8,[::1],127.0.0.1");
        for direct in
            ["http://a.example/", "http://x.a.example/", "http://10.1.2.3/", "http://127.0.0.1:81/", "http://[::1]/"]
        {
            assert!(!intercepts(&rules, direct), "{direct}");
        }
        for proxied in ["http://b.example/", "http://xa.example/", "http://11.1.2.3/"] {
            assert!(intercepts(&rules, proxied), "{proxied}");
        }
        assert!(!intercepts(&rules, "https://b.example/"), "there is no proxy for https");
    }

    #[test]
    fn a_star_bypasses_names_and_addresses() {
        let rules = rules("*");
        assert!(!intercepts(&rules, "http://b.example/"));
        assert!(!intercepts(&rules, "http://11.1.2.3/"));
    }

    #[test]
    fn an_entry_with_a_port_bypasses_that_port_alone() {
        let rules = rules("A.example:8080, 10.0.0.0/8:80,[::1]:81, *:9, ::2");
        for direct in ["http://a.example:8080/", "http://x.a.example:8080/", "http://10.1.2.3/", "http://[::1]:81/"] {
            assert!(!intercepts(&rules, direct), "{direct}");
        }
        for direct in ["http://b.example:9/", "http://11.1.2.3:9/", "http://[::3]:9/", "http://[::2]:7/"] {
            assert!(!intercepts(&rules, direct), "{direct}");
        }
        for proxied in ["http://a.example/", "http://10.1.2.3:81/", "http://[::1]/", "http://b.example:8080/"] {
            assert!(intercepts(&rules, proxied), "{proxied}");
        }
    }

    #[test]
    fn a_proxy_that_would_silently_not_be_used_is_refused_without_its_password() {
        let https = "ftp://user:secret@proxy.example".parse::<Url>().expect("a URL");
        let https = Some(https.into());
        let error = ProxyRules::new(&Proxies { http: None, https, bypass: String::new() }).expect_err("not a proxy");
        let text = error.to_string();
        assert!(text.contains("ftp://***@proxy.example") && text.contains("socks5h"), "{text}");
    }
}
