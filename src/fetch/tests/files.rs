//! Bodies that go to files.

use std::path::{Path, PathBuf};

use super::super::Bodies;
use super::*;

fn into(directory: &Path) -> FetchOptions {
    let bodies = Bodies::Directory(directory.to_owned());
    FetchOptions { bodies, max_filesize: None, sha256: true, ..FetchOptions::default() }
}

/// All files below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_body_becomes_a_file_that_the_record_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let body = "hello ".repeat(200_000);
    let response = whole(exchange_with(into(directory.path()), Reply::ok("Content-Type: text/plain\r\n", &body)).await);
    let Body::File(path) = response.body else { panic!("no file") };
    assert!(path.starts_with(directory.path()) && path.extension().is_some_and(|found| found == "txt"), "{path:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), body);
    assert_eq!(files(directory.path()), [path]);
    assert_eq!(response.size_decoded, 1_200_000);
    assert!(response.sha256.is_some());
}

#[tokio::test]
async fn an_empty_body_is_an_empty_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let response = whole(exchange_with(into(directory.path()), Reply::ok("", "")).await);
    let Body::File(path) = response.body else { panic!("no file") };
    assert_eq!(std::fs::metadata(path).expect("the file").len(), 0);
}

#[tokio::test]
async fn nothing_is_left_of_a_body_that_failed() {
    let directory = tempfile::tempdir().expect("a directory");
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let reply = Reply::bytes([head.as_bytes(), &vec![b'x'; 600_000]].concat());
    for (reply, expected) in
        [(reply.clone().then_close(), FailureKind::BodyTruncated), (reply.then_drip(), FailureKind::AttemptTimeout)]
    {
        let server = Server::start([reply]).await;
        let call = Call { time_limit: Duration::from_millis(300), ..get(server.url("/")) };
        let exchange = transport(into(directory.path())).exchange(call).await;
        assert_eq!(kind(&exchange), expected);
        // A write that goes on when the body is given up ends on its own thread, and removes its file there.
        while !files(directory.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_written_is_told_to_the_app() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("000"), "in the way").expect("a file");
    let server = Server::start([Reply::ok("", "x")]).await;
    let transport = transport(into(directory.path()));
    assert_eq!(transport.output_error(), None);
    let exchange = transport.exchange(get(server.url("/"))).await;
    assert_eq!(kind(&exchange), FailureKind::InternalError);
    let error = transport.output_error().expect("it was told");
    assert!(error.contains(&directory.path().join("000").display().to_string()), "{error}");
}

#[test]
fn a_directory_that_cannot_be_made_is_refused_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = HttpTransport::new(into(&file.join("below"))).expect_err("a file is in the way");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[tokio::test]
async fn nothing_is_left_of_an_exchange_that_another_one_follows() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start([Reply::ok("", "hello")]).await;
    let transport = transport(into(directory.path()));
    let exchange = transport.exchange(get(server.url("/"))).await;
    assert_eq!(files(directory.path()).len(), 1);
    transport.discard(exchange);
    assert!(files(directory.path()).is_empty());
}
