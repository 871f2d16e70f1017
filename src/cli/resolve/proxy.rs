//! Which proxy is used for which URLs, by the rules of curl.

use gather::fetch::Proxies;
use gather::model::Secret;
use url::Url;

use super::UsageError;
use crate::cli::args::Network;
use crate::cli::process::Process;

/// The port of a proxy that names none, as in curl; `https` proxies have 443.
const DEFAULT_PORT: u16 = 1080;

/// `--proxy` for all URLs, else what the environment says for each scheme.
///
/// As in curl a variable in lower case wins over the one in capitals, `HTTP_PROXY` is not read (a CGI server sets it from a
/// header of the request), and an empty variable is as good as none. `--noproxy` wins over `NO_PROXY`.
pub(super) fn resolve(network: &Network, process: &Process) -> Result<Proxies, UsageError> {
    let bypass = match &network.noproxy {
        Some(list) => list.clone(),
        None => first(process, &["no_proxy", "NO_PROXY"])?.map(|(_, list)| list).unwrap_or_default().to_owned(),
    };
    if let Some(text) = &network.proxy {
        let proxy = Some(text.expose()).filter(|text| !text.is_empty());
        let proxy = proxy.map(|text| parse(text, "--proxy")).transpose()?;
        return Ok(Proxies { http: proxy.clone(), https: proxy, bypass });
    }
    let from = |names: &[&'static str]| first(process, names)?.map(|(name, text)| parse(text, name)).transpose();
    Ok(Proxies {
        http: from(&["http_proxy", "all_proxy", "ALL_PROXY"])?,
        https: from(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
        bypass,
    })
}

/// The first of these variables that is set, with its name.
fn first<'a>(process: &'a Process, names: &[&'static str]) -> Result<Option<(&'static str, &'a str)>, UsageError> {
    for &name in names {
        if let Some(value) = process.variable(name) {
            let text = value.to_str().ok_or_else(|| UsageError(format!("the variable {name} is not UTF-8")))?;
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}

/// The proxy that `text` means; `given_by` is the option or variable that it comes from.
fn parse(text: &str, given_by: &str) -> Result<Secret<Url>, UsageError> {
    // The value may hold a password, so that it is shown only without userinfo.
    let wrong = |why: &str| {
        let shown = text.rsplit('@').next().unwrap_or_default();
        UsageError(format!("{given_by}: {shown:?} {why}; a proxy is written `[scheme://][user:password@]host[:port]`"))
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    if !["http", "https", "socks5", "socks5h"].contains(&scheme.as_str()) {
        return Err(wrong("has a scheme other than http, https, socks5 and socks5h"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    let has_port = host_and_port.rsplit(']').next().is_some_and(|after| after.contains(':'));
    let mut url =
        Url::parse(&format!("{scheme}://{authority}")).map_err(|error| wrong(&format!("is no proxy ({error})")))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("has no host"));
    }
    if !has_port && scheme != "https" {
        url.set_port(Some(DEFAULT_PORT)).expect("a URL with a host can have a port");
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Args;

    fn proxies(words: &[&str], variables: &[(&str, &str)]) -> Result<Proxies, UsageError> {
        let args = Args::parse_from(["gather"].iter().chain(words));
        resolve(&args.network, &Process::with(variables))
    }

    fn urls(words: &[&str], variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let proxies = proxies(words, variables).expect("valid proxies");
        let shown = |url: Secret<Url>| url.expose().to_string();
        (proxies.http.map(shown), proxies.https.map(shown))
    }

    fn both(url: &str) -> (Option<String>, Option<String>) {
        (Some(url.to_owned()), Some(url.to_owned()))
    }

    #[test]
    fn the_option_wins_over_all_variables_and_an_empty_one_means_none() {
        let variables = [("http_proxy", "http://a:1"), ("ALL_PROXY", "http://b:2")];
        assert_eq!(urls(&["-x", "http://c:3"], &variables), both("http://c:3/"));
        assert_eq!(urls(&["-x", ""], &variables), (None, None));
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_the_rest() {
        let variables = [("http_proxy", "http://a:1"), ("ALL_PROXY", "socks5h://b:2")];
        assert_eq!(urls(&[], &variables), (Some("http://a:1/".into()), Some("socks5h://b:2".into())));
        assert_eq!(urls(&[], &[("HTTPS_PROXY", "a:1")]), (None, Some("http://a:1/".into())));
        assert_eq!(urls(&[], &[("https_proxy", "a:1"), ("HTTPS_PROXY", "b:2")]).1, Some("http://a:1/".into()));
    }

    #[test]
    fn http_proxy_in_capitals_is_not_read_and_an_empty_variable_is_none() {
        assert_eq!(urls(&[], &[("HTTP_PROXY", "http://a:1"), ("https_proxy", "")]), (None, None));
    }

    #[test]
    fn the_scheme_is_http_and_the_port_1080_as_in_curl() {
        for (text, url) in [
            ("proxy", "http://proxy:1080/"),
            ("proxy:80", "http://proxy/"),
            ("u:p@proxy", "http://u:p@proxy:1080/"),
            ("[::1]", "http://[::1]:1080/"),
            ("https://proxy", "https://proxy/"),
            ("SOCKS5H://proxy", "socks5h://proxy:1080"),
        ] {
            assert_eq!(urls(&["-x", text], &[]), both(url), "{text}");
        }
    }

    #[test]
    fn noproxy_wins_over_no_proxy() {
        let bypass = |words: &[&str]| proxies(words, &[("NO_PROXY", "a.example")]).expect("valid").bypass;
        assert_eq!(bypass(&[]), "a.example");
        assert_eq!(bypass(&["--noproxy", "b.example"]), "b.example");
        assert_eq!(bypass(&["--noproxy", ""]), "");
    }

    #[test]
    fn a_bad_proxy_is_named_without_its_password() {
        for bad in
            ["ftp://u:canary@proxy", "http://u:canary@", "http://u:canary@proxy:99999", "socks5://u:canary@:1080"]
        {
            let message = proxies(&["-x", bad], &[]).expect_err("a usage error").to_string();
            assert!(message.contains("--proxy") && !message.contains("canary"), "{message}");
            let message = proxies(&[], &[("http_proxy", bad)]).expect_err("a usage error").to_string();
            assert!(message.contains("http_proxy") && !message.contains("canary"), "{message}");
        }
    }
}
