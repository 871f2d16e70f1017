//! Secrets: each goes where it was given for, to no other origin, and into nothing that is shown.
//!
//! Every slot that takes a secret gets a canary of its own, so that a test that fails says which secret went where.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::redirects::{STATUSES, follow_the_path, to};
use crate::support::{Authority, Reply, Request, Server, gather, records};

/// A user whose password is the canary.
fn user(canary: &str) -> String {
    format!("user:{canary}")
}

/// Every form in which a canary could be shown: raw, in Basic credentials, percent-encoded.
fn forms(canary: &str) -> [String; 3] {
    let hex = canary.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    [canary.to_owned(), STANDARD.encode(user(canary)), hex]
}

/// Whether a secret is in any field of a request, raw or in Basic credentials.
fn carries(request: &Request, canary: &str) -> bool {
    let [raw, basic, _] = forms(canary);
    request.headers.iter().any(|(_, value)| value.contains(&raw) || value.contains(&basic))
}

/// Fails if any canary is in what a program said.
fn assert_hidden(said: &[u8], canaries: &[&str], context: &str) {
    let said = String::from_utf8_lossy(said);
    for canary in canaries {
        for form in forms(canary) {
            let line = said.lines().find(|line| line.contains(&form));
            assert_eq!(line, None, "{context}: {canary} is shown");
        }
    }
}

/// The origins of the matrix. A is `a.test` on the first server of its scheme.
struct Origins {
    plain: Server,
    port: Server,
    tls: Server,
    other_tls: Server,
    authority: Authority,
}

/// What a chain of redirects is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// Another host, port, or a scheme that is safer.
    Away,
    /// From https to http, which is refused where there is a secret to lose.
    Down,
}

/// A line of the matrix: two redirects, the first of which leads to another origin.
struct Chain {
    leg: Leg,
    url: String,
}

impl Origins {
    fn start() -> Self {
        let authority = Authority::new();
        let tls = |name| Server::builder().tls(authority.certificate(name)).start(follow_the_path);
        let (tls, other_tls) = (tls("a.test"), tls("b.test"));
        Self { plain: Server::start(follow_the_path), port: Server::start(follow_the_path), tls, other_tls, authority }
    }

    fn servers(&self) -> [&Server; 4] {
        [&self.plain, &self.port, &self.tls, &self.other_tls]
    }

    /// {other host, port, scheme up, host with TLS, scheme down} × {A → B → B, A → B → A, userinfo in both Locations} × statuses.
    fn matrix(&self) -> Vec<Chain> {
        let plain = self.plain.url_at("a.test", "");
        let secure = self.tls.url_at("a.test", "");
        let legs = [
            (Leg::Away, &plain, self.plain.url_at("b.test", "")),
            (Leg::Away, &plain, self.port.url_at("a.test", "")),
            (Leg::Away, &plain, secure.clone()),
            (Leg::Away, &secure, self.other_tls.url_at("b.test", "")),
            (Leg::Down, &secure, plain.clone()),
        ];
        let chosen = |url: &str| url.replace("://", "://user:canary-location@");
        let mut chains = Vec::new();
        for (leg, a, b) in legs {
            // From an https B, the way back to an http A is open: nothing is left that could be lost.
            for (first, second) in [(b.clone(), b.clone()), (b.clone(), a.clone()), (chosen(&b), chosen(a))] {
                for status in STATUSES {
                    let hops = to(status, &(first.clone() + &to(status, &format!("{second}/end"))));
                    chains.push(Chain { leg, url: a.clone() + &hops });
                }
            }
        }
        chains
    }

    /// Runs the program on `list`, in which the names of all servers are known.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)], list: &str) -> (Vec<u8>, Vec<u8>) {
        let roots = self.authority.pem_file();
        let mut program = gather();
        program.arg("--cacert").arg(roots.path());
        for server in self.servers() {
            program.args(["--resolve", &server.resolve("*")]);
        }
        let output = program.args(arguments).envs(variables.iter().copied()).write_stdin(list).assert();
        let output = output.get_output();
        (output.stdout.clone(), output.stderr.clone())
    }

    fn requests(&self) -> Vec<Request> {
        self.servers().iter().flat_map(|server| server.log().requests().to_vec()).collect()
    }
}

/// One way to give secrets to a run.
struct Slots {
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    /// The line for a URL.
    line: fn(&str) -> String,
    canaries: &'static [&'static str],
}

fn plain_line(url: &str) -> String {
    url.to_owned()
}

const SLOTS: [Slots; 5] = [
    Slots {
        arguments: &["-u", "user:canary-user", "-H", "X-Api-Key: canary-key", "-H", "Cookie: session=canary-cookie"],
        variables: &[],
        line: plain_line,
        canaries: &["canary-user", "canary-key", "canary-cookie"],
    },
    Slots {
        arguments: &["-H", "Authorization: Bearer canary-header"],
        variables: &[("GATHER_HEADER", "X-Other: nothing")],
        line: plain_line,
        canaries: &["canary-header"],
    },
    Slots {
        arguments: &[],
        variables: &[("GATHER_OAUTH2_BEARER", "canary-bearer")],
        line: plain_line,
        canaries: &["canary-bearer"],
    },
    Slots {
        arguments: &[],
        variables: &[],
        line: |url| url.replacen("://", "://user:canary-userinfo@", 1),
        canaries: &["canary-userinfo"],
    },
    Slots {
        arguments: &["--input-format", "jsonl"],
        variables: &[],
        line: |url| json!({"url": url, "headers": {"X-Any": "canary-any", "Cookie": "canary-line"}}).to_string(),
        canaries: &["canary-any", "canary-line"],
    },
];

#[test]
fn a_secret_stays_at_its_origin_and_never_comes_back_through_the_whole_matrix() {
    for slots in SLOTS {
        let origins = Origins::start();
        let chains = origins.matrix();
        let list: Vec<String> = chains.iter().map(|chain| (slots.line)(&chain.url)).collect();
        let arguments = [&["-vvv"], slots.arguments].concat();
        let (stdout, stderr) = origins.run(&arguments, slots.variables, &list.join("\n"));

        let context = format!("{:?} {:?}", slots.arguments, slots.variables);
        for (record, chain) in records(&stdout).iter().zip(&chains) {
            let expected = if chain.leg == Leg::Down { json!("redirect_downgrade") } else { Value::Null };
            assert_eq!(record["error"]["kind"], expected, "{record}");
        }
        let (first, later): (Vec<_>, Vec<_>) =
            origins.requests().into_iter().partition(|request| request.target.matches("/to/").count() == 2);
        let away = chains.iter().filter(|chain| chain.leg == Leg::Away).count();
        assert_eq!((chains.len(), first.len(), later.len()), (75, 75, 2 * away), "{context}");
        for canary in slots.canaries {
            for request in &first {
                assert!(carries(request, canary), "{canary} did not even reach its own origin: {request:?}");
            }
            for request in &later {
                assert!(!carries(request, canary), "{canary} went along: {request:?}");
            }
        }
        for request in first.iter().chain(&later) {
            assert!(!carries(request, "canary-location"), "credentials that a server chose were sent: {request:?}");
        }
        let shown = [slots.canaries, &["canary-location"]].concat();
        assert_hidden(&stdout, &shown, &context);
        assert_hidden(&stderr, &shown, &context);
        assert!(String::from_utf8_lossy(&stderr).contains("DEBUG"), "the log is silent");
    }
}

#[test]
fn a_trusted_location_gets_every_secret_through_the_whole_matrix() {
    let origins = Origins::start();
    let slots = &SLOTS[0];
    let list: Vec<String> = origins.matrix().into_iter().map(|chain| chain.url).collect();
    let arguments = [&["-vvv", "--location-trusted"], slots.arguments].concat();
    let (stdout, stderr) = origins.run(&arguments, &[], &list.join("\n"));
    let requests = origins.requests();
    assert_eq!(requests.len(), 3 * list.len());
    for request in &requests {
        for canary in slots.canaries {
            assert!(carries(request, canary), "{canary} did not go along: {request:?}");
        }
        assert!(!carries(request, "canary-location"), "{request:?}");
    }
    assert_hidden(&stdout, slots.canaries, "standard output");
    assert_hidden(&stderr, slots.canaries, "standard error");
}

/// A proxy that makes tunnels (CONNECT) to ports of this machine, whatever the host, and keeps the heads of what it was asked.
struct Tunnels {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        // Ends with the process; a tunnel ends with either of its ends.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || tunnel(client, &log));
            }
        });
        Self { port, heads }
    }
}

fn tunnel(mut client: TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).ok()?;
    let port = head.strip_prefix("CONNECT ")?.split_once(' ')?.0.rsplit_once(':')?.1.parse().ok()?;
    log.lock().expect("no panic under the lock").push(head);
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    client.shutdown(std::net::Shutdown::Both).ok()
}

#[test]
fn credentials_of_a_proxy_go_to_no_origin_through_the_whole_matrix() {
    let (origins, tunnels) = (Origins::start(), Tunnels::start());
    let chains = origins.matrix();
    let list: Vec<&str> = chains.iter().map(|chain| chain.url.as_str()).collect();
    let proxy = format!("http://user:canary-proxy@127.0.0.1:{}", tunnels.port);
    let (stdout, stderr) = origins.run(&["-vvv"], &[("HTTPS_PROXY", &proxy)], &list.join("\n"));
    for record in records(&stdout) {
        assert_eq!((record["status"].as_u64(), record["num_redirects"].as_u64()), (Some(200), Some(2)), "{record}");
    }
    let heads = tunnels.heads.lock().expect("no panic under the lock");
    assert!(!heads.is_empty(), "the proxy was not used");
    for head in &*heads {
        assert!(head.contains(&STANDARD.encode("user:canary-proxy")), "{head}");
    }
    let requests = origins.requests();
    assert_eq!(requests.len(), 3 * chains.len());
    for request in &requests {
        assert_eq!(request.header("proxy-authorization"), None, "{request:?}");
        assert!(!carries(request, "canary-proxy") && !carries(request, "canary-location"), "{request:?}");
    }
    assert_hidden(&stdout, &["canary-proxy", "canary-location"], "standard output");
    assert_hidden(&stderr, &["canary-proxy", "canary-location"], "standard error");
}

#[test]
fn a_proxy_that_is_left_for_another_hop_keeps_its_credentials_to_itself() {
    let direct = Server::start(follow_the_path);
    let end = direct.url_at("b.test", "/end");
    let proxy = Server::start(move |_| Reply::redirect(&end));
    let url = proxy.url("").replace("://", "://user:canary-proxy@");
    let output = gather()
        .args(["-vvv", "-x", &url, "--noproxy", "b.test", "--resolve", &direct.resolve("*"), "http://a.test/"])
        .assert()
        .code(0);
    assert!(proxy.log().requests().iter().all(|request| carries(request, "canary-proxy")));
    let log = direct.log();
    let [request] = log.requests() else { panic!("{:?}", log.targets()) };
    assert!(request.header("proxy-authorization").is_none() && !carries(request, "canary-proxy"), "{request:?}");
    assert_hidden(&output.get_output().stderr, &["canary-proxy"], "standard error");
}

/// Secrets that stand in URLs: of the list, of a Location, of other fields of a response.
const IN_URLS: [&str; 6] =
    ["canary-token", "canary-signature", "canary-fragment", "canary-userinfo", "canary-next", "canary-link"];

/// A server with a redirect to a signed URL, and with all that can fail about one.
fn signing() -> Server {
    let signed = "/signed?X-Amz-Credential=canary-signature&X-Amz-Signature=canary-signature&a=b";
    Server::start(move |request| match request.target.split('?').next() {
        Some("/moved") => Reply::redirect(signed),
        Some("/flaky") if request.nth == 1 => Reply::status(503),
        Some("/loop") => Reply::redirect(&request.target),
        Some("/bad") => Reply::redirect("http://user:canary-next@[::1"),
        Some("/ftp") => Reply::redirect("ftp://user:canary-next@a.test/?token=canary-next"),
        Some("/cut") => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        Some("/next") => Reply::ok("x")
            .header("link", "<http://user:canary-link@a.test/?page=2&sig=canary-link>; rel=\"next\"")
            .header("refresh", "5; url=/?access_token=canary-link")
            .header("content-location", "/x?key=canary-link"),
        _ => Reply::ok("x"),
    })
}

/// Lines with secrets in their URLs, good and bad.
fn signed_lines(server: &Server) -> String {
    let query = "a=b&%74oken=canary-token;b&KEY=canary-token&back=http%3A%2F%2Fh%2F%3Fsig%3Dcanary-token#access_token=canary-fragment";
    let paths = ["/moved", "/flaky", "/loop", "/bad", "/ftp", "/cut", "/next", "/x"];
    let mut lines = paths.map(|path| server.url(&format!("{path}?{query}"))).to_vec();
    lines.push(server.url("/x").replace("://", "://user:canary-userinfo@"));
    lines.extend(
        [
            "http://user:canary-userinfo@[::1",
            "http://user:canary-userinfo@h:0/?token=canary-token",
            "http://user:canary-userinfo is@h/",
            "http://user:is canary-userinfo@h/",
            "http://user:\"canary-userinfo\"@h:x/",
            "ftp://user:canary-userinfo@h/?key=canary-token",
            "GET http://h/?password=canary-token and more",
            "user:canary-userinfo@h/?secret=canary-token",
            "http://h/\u{1b}?token=canary-token",
        ]
        .map(str::to_owned),
    );
    lines.join("\n") + "\n"
}

/// Runs the program on all of it, and looks at what the server saw and at what is shown.
fn show_signed_lines(arguments: &[&str], filter: &str) {
    let server = signing();
    let mut list = signed_lines(&server).into_bytes();
    list.extend(b"http://user:canary-userinfo@h/caf\xe9?token=canary-token\n\0http://user:canary-userinfo@h/\n");
    list.extend(format!("http://user:canary-userinfo{}@h/\n", "x".repeat(70_000)).into_bytes());
    let mut program = gather();
    program.args(["--retry", "1", "-"]).args(arguments).env("RUST_LOG", filter);
    program.arg(server.url("/x?sig=canary-token").replace("://", "://user:canary-userinfo@"));
    let output = program.write_stdin(list).assert().code(1);
    let output = output.get_output();
    let context = format!("{arguments:?} {filter}");
    assert_hidden(&output.stdout, &IN_URLS, &context);
    assert_hidden(&output.stderr, &IN_URLS, &context);
    assert!(String::from_utf8_lossy(&output.stdout).contains("***"), "{context}: no URL is shown");
    let log = server.log();
    if arguments == ["--dry-run"] {
        assert_eq!(log.connections(), 0);
        return;
    }
    let whole = "/x?a=b&%74oken=canary-token;b&KEY=canary-token&back=http%3A%2F%2Fh%2F%3Fsig%3Dcanary-token";
    assert!(log.targets().contains(&whole), "{context}: {:?}", log.targets());
    assert!(log.mentions("X-Amz-Signature=canary-signature") || arguments.contains(&"--max-redirs"), "{context}");
}

#[test]
fn secrets_in_urls_are_sent_whole_and_shown_nowhere() {
    let outputs = tempfile::tempdir().expect("a directory");
    let bodies = outputs.path().join("bodies");
    let directory = bodies.to_str().expect("a path in UTF-8");
    let ways = [
        &["--format", "ndjson"][..],
        &["--format", "json", "-v"],
        &["--format", "csv", "-vv"],
        &["--format", "tsv", "--csv-raw", "-vvv"],
        &["--format", "text", "--color", "always", "-vvv"],
        &["--format", "ndjson", "--log-format", "json", "-vvv"],
        &["--format", "ndjson", "--max-redirs", "0"],
        &["--format", "ndjson", "--output-dir", directory],
        &["--format", "text", "--fields", "url,url_effective,headers,hops,attempts,error"],
        &["--dry-run"],
    ];
    // Each waits for a retry, so they wait together.
    std::thread::scope(|scope| {
        for arguments in ways {
            for filter in ["", "trace"] {
                scope.spawn(move || show_signed_lines(arguments, filter));
            }
        }
    });
    let entries = std::fs::read_dir(bodies.join("000")).expect("a directory with bodies").flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    assert!(!names.is_empty());
    assert_hidden(names.join("\n").as_bytes(), &IN_URLS, "names of files");
}

#[test]
fn different_secrets_are_different_urls_and_not_a_loop() {
    let server = Server::start(|request| match request.target.as_str() {
        "/?token=1" => Reply::redirect("/?token=2"),
        "/?token=2" => Reply::redirect("/?token=3"),
        _ => Reply::ok("x"),
    });
    let output = gather().arg(server.url("/?token=1")).assert().code(0);
    let record: &Value = &records(&output.get_output().stdout)[0];
    assert_eq!((&record["num_redirects"], &record["url_effective"]), (&json!(2), &json!(server.url("/?token=***"))));
}

#[test]
fn the_raw_bytes_of_a_line_are_kept_only_where_they_hold_no_secret() {
    let output = gather().write_stdin(&b"http://h/caf\xe9\nhttp://u:canary@h/caf\xe9\n"[..]).assert().code(1);
    let records = records(&output.get_output().stdout);
    assert_eq!(records[0]["line_base64"], STANDARD.encode(b"http://h/caf\xe9"));
    assert_eq!(records[1].get("line_base64"), None);
}

#[test]
fn options_that_are_refused_do_not_repeat_their_secrets() {
    for arguments in [
        &["-u", "canary"][..],
        &["-u", "user:canary", "--oauth2-bearer", "canary"],
        &["-u", "user:canary", "-H", "Authorization: canary"],
        &["-H", "canary"],
        &["-H", "X-Key: canary\u{7f}"],
        &["--oauth2-bearer", "canary\u{7f}"],
        &["-x", "ftp://user:canary@proxy"],
        &["-x", "canary@proxy:99999"],
        &["--base-url", "ftp://user:canary@h/?token=canary"],
        &["--json", "canary", "--data", "canary"],
        &["-d", "canary", "--max-time", "soon"],
    ] {
        for (name, value) in [("X", ""), ("GATHER_USER", "user:canary"), ("GATHER_HEADER", "canary")] {
            let output =
                gather().args(arguments).args(["-", "--dry-run"]).env(name, value).write_stdin("http://h/").assert();
            let output = output.code(2);
            assert_hidden(&output.get_output().stderr, &["canary"], &format!("{arguments:?} {name}"));
        }
    }
}
