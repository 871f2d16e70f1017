//! The scripted server does what it is told and sees what is sent (its clients here are plain sockets), and a program that
//! runs is really talked to.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::tls::handshake;
use super::{Authority, Identity, Latch, Reply, Running, Server, gather, records};

/// How long a client waits for bytes: far longer than they take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that says exactly what it is told.
struct Client(BufReader<TcpStream>);

impl Client {
    fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("a server that listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        Self(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("a server that reads");
    }

    fn get(&mut self, target: &str) {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    }

    fn read(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).expect("as many bytes as that");
        String::from_utf8(bytes).expect("text")
    }

    fn status(&mut self) -> u16 {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a status line");
        line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
    }

    fn rest(&mut self) -> Result<String, ErrorKind> {
        let mut text = String::new();
        self.0.read_to_string(&mut text).map(|_| text).map_err(|error| error.kind())
    }
}

#[test]
fn a_request_is_answered_and_logged() {
    let server = Server::start(|request| Reply::new(404, &request.body).header("x-seen", request.connection));
    let mut client = Client::of(&server);
    client.send("POST /a?b=c HTTP/1.1\r\nHost: a.test\r\nX-Token: s3cret\r\nContent-Length: 5\r\n\r\nhello");
    let reply = "HTTP/1.1 404 Not Found\r\nx-seen: 1\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(client.read(reply.len()), reply);
    let log = server.log();
    let [request] = log.requests() else { panic!("not one request: {log:?}") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/a?b=c"));
    assert_eq!((request.header("x-token"), request.host()), (Some("s3cret"), "a.test"));
    assert_eq!((request.body.as_slice(), request.at_once), (&b"hello"[..], 1));
    assert!(log.mentions("s3cret") && log.mentions("hell") && !log.mentions("heaven"));
}

#[test]
fn a_connection_is_kept_and_requests_are_numbered() {
    let server = Server::start(|request| Reply::status(200 + u16::try_from(request.nth).expect("few requests")));
    let (mut first, mut second) = (Client::of(&server), Client::of(&server));
    for (client, target, status) in [(0, "/a", 201), (0, "/a", 202), (1, "/a", 203), (1, "/b", 201)] {
        let client = if client == 0 { &mut first } else { &mut second };
        client.get(target);
        assert_eq!(client.status(), status);
        client.read("content-length: 0\r\n\r\n".len());
    }
    let log = server.log();
    assert_eq!((log.connections(), log.most_open()), (2, 2));
    assert_eq!(log.targets(), ["/a", "/a", "/a", "/b"]);
    assert_eq!(log.requests_for("/a").len(), 3);
    let places: Vec<_> = log.requests().iter().map(|seen| (seen.connection, seen.nth_on_connection)).collect();
    assert_eq!(places, [(1, 1), (1, 2), (2, 1), (2, 2)]);
}

#[test]
fn a_held_reply_waits_for_the_test_and_counts_as_in_progress() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |_| Reply::ok("x").held_by(&held));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::of(&server)).collect();
    for client in &mut clients {
        client.get("/");
    }
    server.wait_until("3 requests in progress", |log| log.in_progress() == 3);
    latch.release();
    assert!(clients.iter_mut().all(|client| client.status() == 200));
    server.wait_until("none in progress", |log| log.in_progress() == 0);
    let log = server.log();
    assert_eq!((log.most_at_once(), log.most_at_once_to("a.test"), log.most_at_once_to("b.test")), (3, 3, 0));
    assert_eq!(log.abandoned(), 0);
}

#[test]
fn replies_wait_for_one_another() {
    let server = Server::start(|_| Reply::ok("x").held_until(|log| log.requests().len() == 2));
    let (mut first, mut second) = (Client::of(&server), Client::of(&server));
    first.get("/1");
    server.wait_until("one request", |log| log.requests().len() == 1);
    second.get("/2");
    assert_eq!((first.status(), second.status()), (200, 200));
}

#[test]
fn a_reply_can_stop_half_way_until_the_test_goes_on() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |_| Reply::redirect("/next").then_held_by(&held).then("more").close());
    let mut client = Client::of(&server);
    client.get("/");
    let reply = "HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(client.read(reply.len()), reply);
    assert_eq!(server.log().in_progress(), 1);
    latch.release();
    assert_eq!(client.rest().as_deref(), Ok("more"));
}

#[test]
fn bytes_drip_in_their_rhythm() {
    let every = Duration::from_millis(2);
    let server = Server::start(move |_| Reply::raw("12345").dripped(every).after(every).then("6789").then_after(every));
    let started = Instant::now();
    let mut client = Client::of(&server);
    client.get("/");
    assert_eq!(client.rest().as_deref(), Ok("123456789"));
    assert!(started.elapsed() >= every * 7);
}

#[test]
fn a_connection_ends_as_asked() {
    let server = Server::start(|request| match request.target.as_str() {
        "/fin" => Reply::raw("cut"),
        "/rst" => Reply::raw("cut").reset(),
        _ => Reply::ok("then").close(),
    });
    let end = |target: &str| {
        let mut client = Client::of(&server);
        client.get(target);
        assert_eq!(client.read(3).len(), 3);
        client.rest()
    };
    assert_eq!(end("/fin"), Ok(String::new()));
    assert_eq!(end("/rst"), Err(ErrorKind::ConnectionReset));
    assert!(end("/kept").expect("a whole reply").ends_with("then"));
}

#[test]
fn a_connection_is_greeted_before_it_asks() {
    let server = Server::on_connect(Reply::raw("SSH-2.0-x\r\n"));
    assert_eq!(Client::of(&server).rest().as_deref(), Ok("SSH-2.0-x\r\n"));
    let server = Server::builder().greeting(|_| Reply::raw("hi").keep()).start(|_| Reply::raw("there"));
    let mut client = Client::of(&server);
    assert_eq!(client.read(2), "hi");
    client.get("/");
    assert_eq!(client.rest().as_deref(), Ok("there"));
}

#[test]
fn a_head_is_answered_before_its_body_has_come() {
    let server = Server::builder().before_body().start(|_| Reply::status(413).close());
    let mut client = Client::of(&server);
    client.send("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
    assert_eq!(client.status(), 413);
}

#[test]
fn a_client_that_goes_is_noticed() {
    let server = Server::start(|request| match request.target.as_str() {
        "/hang" => Reply::nothing().hang(),
        "/held" => Reply::ok("x").held_by(&Latch::new()),
        _ => Reply::nothing().then_forever("x"),
    });
    let clients = ["/hang", "/held", "/forever"].map(|target| {
        let mut client = Client::of(&server);
        client.get(target);
        client
    });
    server.wait_until("3 requests in progress", |log| log.in_progress() == 3);
    drop(clients);
    server.wait_until("3 abandoned requests", |log| log.abandoned() == 3 && log.in_progress() == 0);
}

#[test]
fn a_dropped_server_closes_everything() {
    let server = Server::start(|_| Reply::nothing().hang());
    let mut client = Client::of(&server);
    client.get("/");
    server.wait_until("a request", |log| log.in_progress() == 1);
    drop(server);
    assert_eq!(client.rest().as_deref(), Ok(""));
}

#[test]
#[should_panic(expected = "the server's script panicked")]
fn a_script_that_panics_fails_its_test() {
    let server = Server::start(|request| panic!("this script does not know {}", request.target));
    let mut client = Client::of(&server);
    client.get("/");
    assert_eq!(client.rest().as_deref(), Ok(""));
}

#[tokio::test]
async fn async_tests_can_wait_too() {
    let server = Server::start(|_| Reply::ok("x"));
    Client::of(&server).get("/");
    server.until("a request", |log| log.requests().len() == 1).await;
}

#[test]
fn it_speaks_tls_and_has_bad_certificates() {
    let authority = Authority::new();
    let outcome = |identity: Identity, client: Option<&Identity>| {
        let server = Server::builder().tls(identity).start(|_| Reply::ok("x").close());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = runtime.block_on(handshake(&authority, client, server.address()));
        if outcome.is_ok() {
            assert_eq!(server.log().requests().len(), 1);
        } else {
            server.wait_until("a failed handshake", |log| log.failed_handshakes() == 1);
        }
        outcome
    };
    let client = authority.certificate("a client");
    let pem = |file: tempfile::NamedTempFile| std::fs::read_to_string(file.path()).expect("a PEM file");
    assert_eq!(pem(authority.pem_file()).matches("-----BEGIN").count(), 1);
    assert_eq!(pem(client.pem_file()).matches("-----BEGIN").count(), 2);
    assert_eq!(outcome(authority.certificate("localhost"), None), Ok(()));
    assert_eq!(outcome(authority.certificate("localhost").only_tls12(), None), Ok(()));
    assert_eq!(outcome(authority.certificate("localhost").for_clients_of(&authority), Some(&client)), Ok(()));
    for (identity, problem) in [
        (authority.expired_certificate("localhost"), "certificate expired"),
        (authority.future_certificate("localhost"), "certificate not valid yet"),
        (authority.certificate("elsewhere.test"), "certificate not valid for name \"localhost\""),
        (Authority::new().certificate("localhost"), "UnknownIssuer"),
        (authority.certificate("localhost").for_clients_of(&authority), "CertificateRequired"),
    ] {
        let seen = outcome(identity, None).expect_err(problem);
        assert!(seen.contains(problem), "{seen:?} does not say {problem:?}");
    }
}

#[test]
fn any_name_can_be_a_name_of_the_server() {
    let server = Server::start(|_| Reply::ok("x"));
    let port = server.port();
    assert_eq!(server.url("/x"), format!("http://127.0.0.1:{port}/x"));
    assert_eq!(server.url_at("a.test", "/x"), format!("http://a.test:{port}/x"));
    assert_eq!(server.resolve("a.test"), format!("a.test:{port}:127.0.0.1"));
}

fn shell(script: &str) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Running::start(command)
}

#[test]
fn the_program_starts() {
    gather().arg("--version").assert().success();
    assert_eq!(Running::gather(["--version"]).end().code, Some(0));
}

#[test]
fn a_running_program_is_talked_to() {
    let mut running = shell("read name; echo hello $name; read more; echo $more; echo done >&2; exit 7");
    running.write("you\n");
    assert_eq!(running.line(), "hello you");
    running.write("more\n");
    let ended = running.end();
    assert_eq!((ended.code, ended.signal), (Some(7), None));
    assert_eq!((ended.stdout.as_slice(), ended.stderr.as_str()), (&b"hello you\nmore\n"[..], "done\n"));
}

#[test]
fn a_running_program_takes_signals() {
    let running = shell("read nothing");
    running.signal(Signal::TERM);
    assert_eq!(running.end().signal, Some(Signal::TERM.as_raw()));
    // Not INT: where the tests run in the background of a script, it is ignored, and a shell cannot undo that.
    let mut running = shell("trap 'exit 143' TERM; echo ready; while :; do read nothing; done");
    assert_eq!(running.line(), "ready");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(143));
}

#[test]
fn records_are_whole_lines_of_json() {
    assert_eq!(records(b"{\"a\":1}\n{\"a\":2}\n"), [serde_json::json!({"a": 1}), serde_json::json!({"a": 2})]);
    assert!(records(b"").is_empty());
    for bad in [&b"{\"a\":1}\n{\"a\":"[..], b"{\"a\":1}", b"\n", b"{}\n{\n"] {
        assert!(std::panic::catch_unwind(|| records(bad)).is_err(), "{bad:?} was taken");
    }
}
