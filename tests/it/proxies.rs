//! Proxies: which one a request goes through, what it is told, and what is said of one that does not let through.

use serde_json::Value;

use crate::support::{Authority, Reply, Server, gather, records};

/// Stands in every secret of the proxy.
const CANARY: &str = "canary-7f3a";

/// Answers as a proxy that fetches by itself, and opens no tunnel.
fn proxy() -> Server {
    Server::start(|request| match request.method.as_str() {
        "CONNECT" => Reply::status(502),
        _ => Reply::ok("from the proxy"),
    })
}

fn origin() -> Server {
    Server::start(|_| Reply::ok("from the origin"))
}

/// The URL of the proxy with user and password.
fn with_secret(scheme: &str, proxy: &Server) -> String {
    format!("{scheme}://al:{CANARY}@{}", proxy.address())
}

/// The only record of a run, which must not mention the secret, and neither must standard error.
fn record(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let mut program = gather();
    program.args(["--retry", "0", "-vv"]).args(arguments).envs(environment.iter().copied());
    let output = program.output().expect("a program that starts");
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    // base64 of `al:canary-7f3a`
    for secret in [CANARY, "YWw6Y2FuYXJ5LTdmM2E="] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "{arguments:?}: {stdout}{stderr}");
    }
    records(&output.stdout).pop().unwrap_or_else(|| panic!("{arguments:?}: {stderr}"))
}

#[test]
fn a_plain_request_is_given_to_the_proxy_in_absolute_form() {
    let (proxy, origin) = (proxy(), origin());
    let url = origin.url("/users?page=2");
    let record = record(&["-x", &with_secret("http", &proxy), &url], &[]);
    assert_eq!(record["body"], "from the proxy");
    let log = proxy.log();
    assert_eq!((log.targets(), origin.log().connections()), (vec![url.as_str()], 0));
    assert_eq!(log.requests()[0].host(), origin.address().to_string());
    assert!(log.requests()[0].header("proxy-authorization").is_some_and(|value| value.starts_with("Basic ")));
}

#[test]
fn a_tls_request_goes_through_a_tunnel_and_the_origin_sees_no_secret_of_the_proxy() {
    let authority = Authority::new();
    let roots = authority.pem_file();
    let origin = Server::builder().tls(authority.certificate("localhost")).start(|_| Reply::ok("from the origin"));
    let at = origin.address();
    for tls_to_the_proxy in [false, true] {
        let builder = Server::builder();
        let builder = if tls_to_the_proxy { builder.tls(authority.certificate("127.0.0.1")) } else { builder };
        let proxy = builder.start(move |_| Reply::raw("HTTP/1.1 200 Go on\r\n\r\n").tunnel(at));
        let scheme = if tls_to_the_proxy { "https" } else { "http" };
        let roots = roots.path().to_str().expect("UTF-8");
        let arguments = ["--cacert", roots, "-x", &with_secret(scheme, &proxy), &origin.url("/users")];
        let record = record(&arguments, &[]);
        assert_eq!((&record["status"], &record["body"]), (&200.into(), &"from the origin".into()), "{record}");
        let asked = proxy.log().requests()[0].clone();
        assert_eq!((asked.method.as_str(), asked.target), ("CONNECT", format!("localhost:{}", origin.port())));
        assert!(asked.headers.iter().any(|(name, _)| name == "proxy-authorization"), "{:?}", asked.headers);
    }
    let log = origin.log();
    assert_eq!(log.requests().len(), 2);
    let told = |name: &str| log.requests().iter().any(|request| request.header(name).is_some());
    assert!(!told("proxy-authorization") && !log.mentions(CANARY) && !log.mentions("YWw6Y2FuYXJ5LTdmM2E="));
}

#[test]
fn a_socks_proxy_is_told_the_name_only_where_it_shall_look_it_up() {
    let origin = origin();
    // Types of addresses in RFC 1928, section 5: 1 is IPv4, 3 a name with its length.
    for (scheme, host, address) in
        [("socks5", "localhost", &b"\x01\x7f\0\0\x01"[..]), ("socks5h", "name.test", b"\x03\x09name.test")]
    {
        let request = [b"\x05\x01\0", address, &origin.port().to_be_bytes()].concat();
        // User and password are asked for (RFC 1929) and accepted.
        let tunnel = Reply::raw(b"\x05\x02")
            .then_when_received(CANARY)
            .then(b"\x01\0")
            .then_when_received(&request)
            .then(b"\x05\0\0\x01\x7f\0\0\x01\0\x01")
            .tunnel(origin.address());
        let proxy = Server::on_connect(tunnel);
        let record = record(&["-4", "-x", &with_secret(scheme, &proxy), &origin.url_at(host, "/users")], &[]);
        assert_eq!((&record["status"], &record["body"]), (&200.into(), &"from the origin".into()), "{record}");
        assert_eq!(proxy.log().connections(), 1);
    }
    assert!(!origin.log().mentions(CANARY));
}

#[test]
fn the_environment_names_proxies_as_for_curl() {
    let (proxy, origin) = (proxy(), origin());
    let (by_proxy, plain, tls) = (with_secret("http", &proxy), origin.url("/"), "https://name.test/".to_owned());
    for (variable, url, goes_through) in [
        ("http_proxy", &plain, true),
        // A CGI server sets this one from a header of the request.
        ("HTTP_PROXY", &plain, false),
        ("ALL_PROXY", &plain, true),
        ("all_proxy", &plain, true),
        ("HTTPS_PROXY", &plain, false),
        ("HTTPS_PROXY", &tls, true),
        ("https_proxy", &tls, true),
        ("ALL_PROXY", &tls, true),
    ] {
        let before = proxy.log().requests().len();
        record(&[url], &[(variable, &by_proxy)]);
        assert_eq!(proxy.log().requests().len() - before, usize::from(goes_through), "{variable} {url}");
    }
}

#[test]
fn hosts_that_bypass_the_proxy_are_reached_directly_and_told_nothing_of_it() {
    let (proxy, origin) = (proxy(), origin());
    let by_proxy = with_secret("http", &proxy);
    let (port, other) = (origin.port(), if origin.port() == 80 { 81 } else { 80 });
    let named = origin.url_at("api.a.test", "/");
    let (plain, resolve) = (origin.url("/"), origin.resolve("api.a.test"));
    for (bypass, url, is_bypassed) in [
        ("127.0.0.0/8", &plain, true),
        ("10.0.0.0/8, 127.0.0.1", &plain, true),
        ("10.0.0.0/8", &plain, false),
        ("*", &plain, true),
        ("*", &named, true),
        ("a.test", &named, true),
        (".a.test", &named, true),
        ("A.Test", &named, true),
        ("pi.a.test", &named, false),
        (&format!("a.test:{port}"), &named, true),
        (&format!("a.test:{other}"), &named, false),
        (&format!("127.0.0.1:{port}"), &plain, true),
        (&format!("127.0.0.1:{other}"), &plain, false),
    ] {
        for by_option in [true, false] {
            let mut arguments = vec!["--resolve", &resolve, url];
            let mut environment = vec![("ALL_PROXY", by_proxy.as_str()), ("NO_PROXY", bypass)];
            if by_option {
                arguments.extend(["--noproxy", bypass]);
                environment[1].1 = "192.0.2.1";
            }
            let record = record(&arguments, &environment);
            let from = if is_bypassed { "from the origin" } else { "from the proxy" };
            assert_eq!(record["body"], from, "{bypass} {url}, by option: {by_option}");
        }
    }
    let told = origin.log().requests().iter().any(|request| request.header("proxy-authorization").is_some());
    assert!(!told && !origin.log().mentions(CANARY));
}

#[test]
fn a_redirect_to_a_host_without_proxy_takes_no_secret_of_the_proxy_along() {
    let origin = origin();
    let location = origin.url("/direct");
    let proxy = Server::start(move |request| match request.target.as_str() {
        "http://name.test/direct" => Reply::redirect(&location),
        other => panic!("{other} was asked for"),
    });
    let arguments = ["--noproxy", "127.0.0.1", "-x", &with_secret("http", &proxy), "http://name.test/direct"];
    assert_eq!(record(&arguments, &[])["body"], "from the origin");
    let log = origin.log();
    assert!(log.requests()[0].header("proxy-authorization").is_none() && !log.mentions(CANARY));
}

#[test]
fn a_proxy_that_does_not_let_through_has_its_own_kinds() {
    let refused = Reply::status(407).header("proxy-authenticate", "Basic realm=\"x\"");
    let endless = Reply::raw("HTTP/1.1 200 OK\r\n").then_forever(format!("x-a: {}\r\n", "a".repeat(1000)));
    let silent = Reply::nothing().hang();
    for (name, reply, tunnel, forward) in [
        ("407", refused, "proxy_auth", "proxy_auth"),
        ("502", Reply::status(502), "proxy_connect", ""),
        ("closes", Reply::nothing(), "proxy_connect", "http_empty_reply"),
        ("half a head", Reply::raw("HTTP/1.1 200 O"), "proxy_connect", "http_empty_reply"),
        ("endless head", endless, "proxy_connect", "http_header_too_large"),
        ("no proxy at all", Reply::raw("SSH-2.0-x\r\n\r\n"), "proxy_connect", "http_parse"),
        ("silent", silent, "connect_timeout", "read_timeout"),
    ] {
        let proxy = Server::start(move |_| reply.clone());
        let by_proxy = with_secret("http", &proxy);
        for (url, expected) in [("https://name.test/", tunnel), ("http://name.test/", forward)] {
            let times = ["--connect-timeout", "1", "--read-timeout", "1"];
            let record = record(&[&times[..], &["-x", &by_proxy, url]].concat(), &[]);
            assert_eq!(record["error"]["kind"].as_str().unwrap_or_default(), expected, "{name} {url}: {record}");
            let is_blamed =
                record["error"]["message"].as_str().is_some_and(|message| message.contains("the proxy closed"));
            assert_eq!(is_blamed, expected == "http_empty_reply", "{name} {url}: {record}");
        }
        assert_eq!(proxy.log().requests().len(), 2, "{name}: it was asked again");
    }
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_as_such_for_every_scheme() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port on loopback");
    for scheme in ["http", "https", "socks5", "socks5h"] {
        for url in ["http://127.0.0.2/", "https://127.0.0.2/"] {
            let record = record(&["-x", &format!("{scheme}://al:{CANARY}@{closed}"), url], &[]);
            assert_eq!(record["error"]["kind"], "proxy_connect", "{scheme} {url}: {record}");
        }
    }
}

#[test]
fn the_certificate_of_a_proxy_is_checked() {
    let authority = Authority::new();
    let proxy = Server::builder().tls(authority.certificate("127.0.0.1")).start(|_| Reply::ok("from the proxy"));
    let record = record(&["-x", &with_secret("https", &proxy), "http://name.test/"], &[]);
    assert_eq!(record["error"]["kind"], "tls_cert_untrusted", "{record}");
    assert!(!proxy.log().mentions(CANARY));
}
