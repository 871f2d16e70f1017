//! TLS as the program shows it: who is trusted, and what a record says of who is not.

use serde_json::Value;

use crate::support::{Authority, Identity, Reply, Server, gather, records};

fn server(identity: Identity) -> Server {
    Server::builder().tls(identity).start(|_| Reply::ok("hello"))
}

#[test]
fn each_fault_of_a_certificate_has_its_kind_and_is_not_tried_again() {
    let (authority, other) = (Authority::new(), Authority::new());
    let roots = authority.pem_file();
    for (identity, kind) in [
        (authority.expired_certificate("localhost"), "tls_cert_expired"),
        (authority.future_certificate("localhost"), "tls_cert_not_yet_valid"),
        (authority.certificate("other.test"), "tls_cert_name_mismatch"),
        (other.certificate("localhost"), "tls_cert_untrusted"),
        (authority.certificate("localhost").for_clients_of(&other), "tls_client_cert_required"),
    ] {
        let server = server(identity);
        let output = gather().arg("--cacert").arg(roots.path()).arg(server.url("/")).assert().code(1);
        let [record] = &records(&output.get_output().stdout)[..] else { panic!("one record") };
        let error = &record["error"];
        assert_eq!((&error["kind"], &error["phase"]), (&Value::from(kind), &Value::from("tls")), "{record}");
        assert_eq!((record.get("attempts"), &record["status"]), (None, &Value::Null), "{record}");
        assert_eq!(server.log().connections(), 1, "{kind}");
    }
}

#[test]
fn the_variables_of_openssl_replace_the_roots() {
    let authority = Authority::new();
    let roots = authority.pem_file();
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::copy(roots.path(), directory.path().join("root.pem")).expect("a file");
    std::fs::write(directory.path().join("README"), "no certificate").expect("a file");
    let server = server(authority.certificate("localhost"));
    gather().arg(server.url("/")).assert().code(1);
    gather().arg(server.url("/")).env("SSL_CERT_FILE", roots.path()).assert().code(0);
    gather().arg(server.url("/")).env("SSL_CERT_DIR", directory.path()).assert().code(0);
    let output = gather().arg(server.url("/")).env("SSL_CERT_FILE", "/no/such/file").assert().code(2);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("SSL_CERT_FILE") && stderr.contains("/no/such/file"), "{stderr}");
}

#[test]
fn a_client_certificate_opens_the_door() {
    let authority = Authority::new();
    let (roots, client) = (authority.pem_file(), authority.certificate("client.test").pem_file());
    let server = server(authority.certificate("localhost").for_clients_of(&authority));
    let mut program = gather();
    program.arg("--cacert").arg(roots.path()).arg("-E").arg(client.path()).arg(server.url("/")).assert().code(0);
}

#[test]
fn insecure_is_said_once_and_in_the_summary() {
    let server = server(Authority::new().expired_certificate("other.test"));
    let list = [server.url("/a"), server.url("/b"), server.url("/c")].join("\n");
    let output = gather().args(["-k", "--no-progress"]).write_stdin(list).assert().code(0);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    let said: Vec<_> = stderr.lines().filter(|line| line.contains("--insecure")).collect();
    assert_eq!(said.len(), 2, "a warning and a note: {stderr}");
    assert!(said[0].contains("WARN") && said[1].contains("not checked"), "{stderr}");
}

#[test]
fn the_wrong_protocol_on_a_port_is_told() {
    let plain = Server::on_connect(Reply::raw("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").close());
    let secure = server(Authority::new().certificate("localhost"));
    let list = [plain.url("/").replace("http://", "https://"), secure.url("/").replace("https://", "http://")];
    let output = gather().args(["--retry", "0"]).write_stdin(list.join("\n")).assert().code(1);
    let records = records(&output.get_output().stdout);
    assert_eq!(records[0]["error"]["kind"], "tls_handshake", "{}", records[0]);
    assert_eq!(records[1]["error"]["phase"], "http", "{}", records[1]);
}
