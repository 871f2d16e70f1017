//! Redirects: where they lead, what goes along, and what must never go along.
//!
//! The servers do what paths say: `/302/to/URL` redirects to that URL, which may be of the same form.

use serde_json::{Value, json};

use crate::support::{Authority, Reply, Request, Server, gather, records};

/// The statuses that redirect.
pub(crate) const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Does what the path says.
pub(crate) fn follow_the_path(request: &Request) -> Reply {
    match request.target.split_once("/to/") {
        Some((status, location)) => {
            let status = status.trim_start_matches('/').parse().expect("a status");
            Reply::status(status).header("location", location)
        }
        None => Reply::ok("the end"),
    }
}

fn server() -> Server {
    Server::start(follow_the_path)
}

/// The path that redirects with `status` to `url`.
pub(crate) fn to(status: u16, url: &str) -> String {
    format!("/{status}/to/{url}")
}

fn run(arguments: &[&str], list: String) -> (Vec<Value>, String) {
    let output = gather().args(arguments).write_stdin(list).assert().get_output().clone();
    (records(&output.stdout), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn kind(record: &Value) -> &str {
    record["error"]["kind"].as_str().unwrap_or("none")
}

/// Three origins beside the first: another host, another port, another scheme.
struct Origins {
    plain: Server,
    port: Server,
    tls: Server,
    authority: Authority,
}

impl Origins {
    fn start() -> Self {
        let authority = Authority::new();
        let tls = Server::builder().tls(authority.certificate("a.test")).start(follow_the_path);
        Self { plain: server(), port: server(), tls, authority }
    }

    /// The origin of all lines.
    fn first(&self) -> String {
        self.plain.url_at("a.test", "")
    }

    fn others(&self) -> [String; 3] {
        [self.plain.url_at("b.test", ""), self.port.url_at("a.test", ""), self.tls.url_at("a.test", "")]
    }

    /// For each other origin B and each status, A → B → B and A → B → A.
    fn chains(&self) -> Vec<String> {
        let a = self.first();
        let mut chains = Vec::new();
        for b in self.others() {
            for end in [format!("{b}/end"), format!("{a}/end")] {
                chains.extend(STATUSES.map(|status| a.clone() + &to(status, &(b.clone() + &to(status, &end)))));
            }
        }
        chains
    }

    fn requests(&self) -> Vec<Request> {
        [&self.plain, &self.port, &self.tls].iter().flat_map(|server| server.log().requests().to_vec()).collect()
    }

    fn run(&self, arguments: &[&str], list: &[String]) -> (Vec<Value>, String) {
        let resolve = [&self.plain, &self.port, &self.tls].map(|server| server.resolve("*"));
        let roots = self.authority.pem_file();
        let mut all = vec!["--cacert", roots.path().to_str().expect("a path in UTF-8")];
        all.extend(resolve.iter().flat_map(|resolve| ["--resolve", resolve]));
        all.extend(arguments);
        run(&all, list.join("\n"))
    }
}

#[test]
fn what_cannot_be_a_secret_crosses_origins_and_no_referer_does() {
    let origins = Origins::start();
    let fields = ["Accept-Language: de", "Range: bytes=0-99", "If-None-Match: \"x\"", "User-Agent: probe"];
    let arguments: Vec<&str> = fields.iter().flat_map(|field| ["-H", *field]).collect();
    origins.run(&arguments, &origins.chains());
    let requests = origins.requests();
    assert_eq!(requests.len(), 90);
    for request in requests {
        for field in fields {
            let (name, value) = field.split_once(": ").expect("a field");
            assert_eq!(request.header(&name.to_ascii_lowercase()), Some(value), "{request:?}");
        }
        assert_eq!(request.header("referer"), None, "{request:?}");
    }
}

#[test]
fn secrets_go_along_within_an_origin_and_to_others_only_if_location_is_trusted() {
    let server = server();
    let resolve = server.resolve("*");
    let key = ["-H", "X-Api-Key: canary", "-u", "user:canary", "--resolve", &resolve];
    let chain = |name| server.url_at("a.test", &to(302, &server.url_at(name, "/end")));
    run(&key, chain("a.test"));
    run(&[&key[..], &["--location-trusted"]].concat(), chain("b.test"));
    let log = server.log();
    assert_eq!(log.requests().len(), 4);
    for request in log.requests() {
        assert_eq!(request.header("x-api-key"), Some("canary"), "{request:?}");
        assert!(request.header("authorization").is_some_and(|value| value.starts_with("Basic ")), "{request:?}");
    }
}

#[test]
fn a_new_attempt_starts_at_the_first_origin_with_its_credentials() {
    let server = Server::start(|request| match request.target.as_str() {
        "/flaky" if request.nth == 1 => Reply::status(503),
        _ => follow_the_path(request),
    });
    let list = server.url_at("a.test", &to(302, &server.url_at("b.test", "/flaky")));
    let resolve = server.resolve("*");
    let (records, _) = run(&["-H", "Authorization: canary", "--resolve", &resolve], list);
    let log = server.log();
    let seen: Vec<_> =
        log.requests().iter().map(|request| (&request.host()[..1], request.header("authorization"))).collect();
    assert_eq!(seen, [("a", Some("canary")), ("b", None), ("a", Some("canary")), ("b", None)]);
    let record = &records[0];
    assert_eq!(
        (&record["verdict"], &record["num_retries"], &record["num_redirects"]),
        (&json!("flaky"), &json!(1), &json!(1))
    );
    let hops = |attempt: &Value| {
        attempt["hops"].as_array().expect("hops").iter().map(|hop| hop["status"].as_u64()).collect::<Vec<_>>()
    };
    let attempts = record["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.iter().map(hops).collect::<Vec<_>>(), [[Some(302), Some(503)], [Some(302), Some(200)]]);
}

#[test]
fn method_and_body_change_as_the_fetch_standard_says() {
    let server = server();
    let mut list = String::new();
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
        for status in STATUSES {
            let url = server.url(&to(status, &format!("/end?{method}-{status}")));
            let body = (method == "POST" || method == "PUT").then_some("content");
            let line = json!({"url": url, "method": method, "body": body, "headers": {"content-type": "text/x"}});
            list.push_str(&line.to_string());
            list.push('\n');
        }
    }
    run(&[], list);
    let log = server.log();
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
        for status in STATUSES {
            let target = format!("/end?{method}-{status}");
            let [request] = log.requests_for(&target)[..] else { panic!("{target}: {:?}", log.targets()) };
            let becomes_get = match status {
                301 | 302 => method == "POST",
                303 => method != "HEAD" && method != "GET",
                _ => false,
            };
            let had_body = method == "POST" || method == "PUT";
            assert_eq!(request.method, if becomes_get { "GET" } else { method }, "{target}");
            assert_eq!(
                request.body.as_slice(),
                if had_body && !becomes_get { &b"content"[..] } else { b"" },
                "{target}"
            );
            let kept_type = request.header("content-type").is_some();
            assert_eq!(kept_type, !becomes_get, "{target}: {request:?}");
        }
    }
}

#[test]
fn a_loop_is_found_before_it_is_gone_round() {
    let server = Server::start(|request| match request.target.as_str() {
        "/self" => Reply::redirect("/self"),
        "/ping" => Reply::redirect("/pong"),
        _ => Reply::redirect("/ping"),
    });
    let (records, _) = run(&[], [server.url("/self"), server.url("/ping")].join("\n"));
    assert_eq!(records.iter().map(kind).collect::<Vec<_>>(), ["redirect_loop", "redirect_loop"]);
    let mut targets: Vec<_> = server.log().targets().into_iter().map(str::to_owned).collect();
    targets.sort();
    assert_eq!(targets, ["/ping", "/pong", "/self"]);
}

#[test]
fn as_many_redirects_are_followed_as_allowed() {
    let server = Server::start(|request| {
        let number: u32 = request.target[1..].parse().expect("a number");
        Reply::redirect(format!("/{}", number + 1))
    });
    for (arguments, most) in [(&[][..], 10), (&["--max-redirs", "2"], 2)] {
        let before = server.log().requests().len();
        let (records, _) = run(arguments, server.url("/0"));
        assert_eq!(kind(&records[0]), "redirect_limit");
        let hops = records[0]["hops"].as_array().expect("the chain");
        let paths: Vec<_> =
            hops.iter().filter_map(|hop| hop["url"].as_str()?.rsplit_once('/')).map(|(_, path)| path).collect();
        assert_eq!(paths, (0..=most).map(|number: usize| number.to_string()).collect::<Vec<_>>());
        assert_eq!(server.log().requests().len() - before, most + 1);
    }
}

#[test]
fn none_is_followed_if_none_shall_be_and_the_response_counts() {
    let server = Server::start(|request| match request.target.as_str() {
        "/moved" => Reply::new(302, "gone there").header("location", "/end"),
        _ => Reply::ok("the end"),
    });
    let (records, _) = run(&["--max-redirs", "0"], server.url("/moved"));
    let record = &records[0];
    assert_eq!((&record["status"], &record["ok"], &record["body"]), (&json!(302), &json!(true), &json!("gone there")));
    assert_eq!((&record["headers"]["location"], record.get("hops")), (&json!(["/end"]), None));
    assert_eq!(server.log().targets(), ["/moved"]);
}

#[test]
fn a_location_leads_where_browsers_go() {
    let locations = [
        ("/x", "/x"),
        ("x", "/dir/x"),
        ("../x", "/x"),
        ("?x=1", "/dir/y?x=1"),
        ("/a b", "/a%20b"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/x#fragment", "/x"),
        ("  /x  ", "/x"),
    ];
    for (location, target) in locations {
        let server = Server::start(move |request| match request.target.as_str() {
            "/dir/y" => Reply::redirect(location),
            _ => Reply::ok("the end"),
        });
        let (records, _) = run(&[], server.url("/dir/y"));
        assert_eq!(records[0]["ok"], true, "{location:?}: {}", records[0]);
        assert_eq!(server.log().targets(), ["/dir/y", target], "{location:?}");
    }
}

#[test]
fn a_location_that_cannot_be_followed_is_a_failure_and_none_at_all_is_not() {
    let server = Server::start(|request| {
        let moved = Reply::status(302);
        match request.target.as_str() {
            "/none" => moved,
            "/empty" => moved.header("location", ""),
            "/two" => moved.header("location", "/a").header("location", "/b"),
            "/bad" => moved.header("location", "http://[::1"),
            "/ftp" => moved.header("location", "ftp://a.test/"),
            "/file" => moved.header("location", "file:///etc/passwd"),
            "/data" => moved.header("location", "data:text/plain,x"),
            other => panic!("{other} was followed"),
        }
    });
    let expected = [
        ("/none", "none"),
        ("/empty", "redirect_invalid_location"),
        ("/two", "redirect_invalid_location"),
        ("/bad", "redirect_invalid_location"),
        ("/ftp", "redirect_scheme"),
        ("/file", "redirect_scheme"),
        ("/data", "redirect_scheme"),
    ];
    let (records, _) = run(&[], expected.map(|(path, _)| server.url(path)).join("\n"));
    let kinds: Vec<_> = records.iter().map(|record| (record["status"].as_u64(), kind(record))).collect();
    assert_eq!(kinds, expected.map(|(_, kind)| (Some(302), kind)));
    assert_eq!(server.log().requests().len(), expected.len());
}

#[test]
fn credentials_that_a_location_chooses_are_not_sent() {
    let server = server();
    let end = server.url("/end").replace("://", "://chosen:canary@");
    let (records, stderr) = run(&["-vvv"], server.url(&to(302, &end)));
    let log = server.log();
    let [first, last] = log.requests() else { panic!("{:?}", log.targets()) };
    assert_eq!(
        (first.header("authorization"), last.target.as_str(), last.header("authorization")),
        (None, "/end", None)
    );
    assert_eq!(records[0]["url_effective"], server.url("/end"));
    // The list itself names the Location, in the path of its URL, which is shown as it was asked.
    let of_hop = |line: &&str| line.contains("chosen:canary") && !line.contains("/302/to/");
    assert_eq!(stderr.lines().find(of_hop), None);
}

#[test]
fn from_https_to_http_nothing_goes_that_carries_a_secret() {
    let authority = Authority::new();
    let plain = server();
    let secure = Server::builder().tls(authority.certificate("localhost")).start(follow_the_path);
    let roots = authority.pem_file();
    let roots = roots.path().to_str().expect("a path in UTF-8");
    let list = secure.url(&to(302, &plain.url("/end")));
    for secret in ["X-Api-Key: canary", "Authorization: canary", "Cookie: canary"] {
        let (records, _) = run(&["--cacert", roots, "-H", secret], list.clone());
        assert_eq!(kind(&records[0]), "redirect_downgrade", "{secret}");
    }
    assert_eq!(plain.log().connections(), 0);
    let (records, _) = run(&["--cacert", roots, "-H", "Accept: text/html"], list);
    assert_eq!((records[0]["ok"].as_bool(), plain.log().targets()), (Some(true), vec!["/end"]));
}

#[test]
fn the_body_of_a_redirect_is_not_waited_for() {
    let server = Server::start(|request| match request.target.as_str() {
        "/moved" => Reply::raw("HTTP/1.1 302 Found\r\nlocation: /end\r\n\r\n").then_forever("x".repeat(1000)),
        _ => Reply::ok("the end"),
    });
    let (records, _) = run(&[], server.url("/moved"));
    assert_eq!(records[0]["body"], "the end");
    server.wait_until("that the rest is not wanted", |log| log.abandoned() == 1);
}
