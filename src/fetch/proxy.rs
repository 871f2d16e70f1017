//! Proxies: which URL goes through which.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{NoProxy, Proxy};
use url::Url;

use super::error::FetchError;
use super::options::Proxies;
use crate::model::redacted;

/// The schemes that a proxy can be spoken to with.
const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// Which URL goes through a proxy.
#[derive(Debug, Default)]
pub(super) struct ProxyRules {
    matcher: Option<Matcher>,
    /// Host and port of each proxy.
    ends: Vec<(String, u16)>,
}

impl Proxies {
    /// Whether any URL can go through a proxy.
    pub fn are_used(&self) -> bool {
        (self.http.is_some() || self.https.is_some()) && !self.bypasses_all()
    }

    /// `*` stands for every host. The matcher takes it for every name, but not for addresses.
    fn bypasses_all(&self) -> bool {
        self.bypass.split(',').any(|item| item.trim() == "*")
    }
}

impl ProxyRules {
    /// The rules of `proxies`, and the same for the HTTP client.
    pub(super) fn new(proxies: &Proxies) -> Result<(Self, Vec<Proxy>), FetchError> {
        if !proxies.are_used() {
            return Ok((Self::default(), Vec::new()));
        }
        let mut matcher = Matcher::builder().no(proxies.bypass.as_str());
        let mut ends = Vec::new();
        let mut for_client = Vec::new();
        let bypass = NoProxy::from_string(&proxies.bypass);
        if let Some(url) = &proxies.http {
            let url = checked(url.expose())?;
            let proxy = Proxy::http(url.clone()).map_err(|error| unusable(&url, &error.without_url()))?;
            for_client.push(proxy.no_proxy(bypass.clone()));
            ends.extend(end(&url));
            matcher = matcher.http(String::from(url));
        }
        if let Some(url) = &proxies.https {
            let url = checked(url.expose())?;
            let proxy = Proxy::https(url.clone()).map_err(|error| unusable(&url, &error.without_url()))?;
            for_client.push(proxy.no_proxy(bypass));
            ends.extend(end(&url));
            matcher = matcher.https(String::from(url));
        }
        Ok((Self { matcher: Some(matcher.build()), ends }, for_client))
    }

    /// Whether a request for `url` goes through a proxy.
    pub(super) fn intercept(&self, url: &Url) -> bool {
        let Some(matcher) = &self.matcher else {
            return false;
        };
        url.as_str().parse().is_ok_and(|uri| matcher.intercept(&uri).is_some())
    }

    /// The port of the proxy at `host`, if there is one.
    pub(super) fn port(&self, host: &str) -> Option<u16> {
        self.ends.iter().find(|(proxy, _)| proxy == host).map(|&(_, port)| port)
    }
}

/// A proxy URL that the HTTP client understands; it would silently go without a proxy where it does not.
fn checked(url: &Url) -> Result<Url, FetchError> {
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
    Ok(url)
}

fn unusable(url: &Url, problem: &dyn ToString) -> FetchError {
    FetchError::Proxy { url: redacted(url), problem: problem.to_string() }
}

fn end(url: &Url) -> Option<(String, u16)> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(bypass: &str) -> ProxyRules {
        let http = "http://user:secret@proxy.example:3128".parse::<Url>().expect("a URL");
        let http = Some(http.into());
        ProxyRules::new(&Proxies { http, https: None, bypass: bypass.into() }).expect("a good proxy").0
    }

    fn intercepts(rules: &ProxyRules, url: &str) -> bool {
        rules.intercept(&url.parse().expect("a URL"))
    }

    #[test]
    fn names_subdomains_addresses_and_blocks_are_bypassed() {
        let rules = rules("a.example, 10.0.0.0/8,[::1],127.0.0.1");
        for direct in ["http://a.example/", "http://x.a.example/", "http://10.1.2.3/", "http://127.0.0.1:81/"] {
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
    fn a_proxy_that_would_silently_not_be_used_is_refused_without_its_password() {
        let https = "ftp://user:secret@proxy.example".parse::<Url>().expect("a URL");
        let https = Some(https.into());
        let error = ProxyRules::new(&Proxies { http: None, https, bypass: String::new() }).expect_err("not a proxy");
        let text = error.to_string();
        assert!(text.contains("ftp://***@proxy.example") && text.contains("socks5h"), "{text}");
    }
}
