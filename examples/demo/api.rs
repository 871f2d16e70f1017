//! A small API on loopback: some answers take longer than others, and one thing fails when it is first asked for.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The API: what can be asked for, the milliseconds that it takes, and what comes. Anything else is a 404.
const API: [(&str, u64, &str); 7] = [
    ("/users/1", 80, r#"{"id":1,"name":"Ada"}"#),
    ("/users/2", 120, r#"{"id":2,"name":"Grace"}"#),
    ("/posts?user=1", 300, r#"[{"id":1,"user":1,"title":"Notes on the engine"},{"id":2,"user":1,"title":"On order"}]"#),
    ("/posts/1", 150, r#"{"id":1,"user":1,"title":"Notes on the engine"}"#),
    (FLAKY, 60, r#"{"id":2,"user":1,"title":"On order"}"#),
    ("/comments?post=1", 600, r#"[{"id":1,"post":1,"text":"First!"},{"id":2,"post":1,"text":"Well said."}]"#),
    ("/comments/1", 200, r#"{"id":1,"post":1,"text":"First!"}"#),
];

/// Answers 503 when it is asked for the first time.
const FLAKY: &str = "/posts/2";

/// Serves the API on a free port of loopback, for as long as the runtime lives.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let asked = Arc::new(Mutex::new(HashSet::new()));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, Arc::clone(&asked)));
        }
    });
    Ok(address)
}

/// Answers the requests of one connection until the client closes it.
async fn serve(connection: TcpStream, asked: Arc<Mutex<HashSet<String>>>) -> io::Result<()> {
    let mut connection = BufReader::new(connection);
    while let Some(target) = read_request(&mut connection).await? {
        let is_first = asked.lock().expect("no thread panics with it").insert(target.clone());
        let found = API.iter().find(|(path, ..)| *path == target);
        let (status, delay, body) = match found {
            Some((path, delay, _)) if *path == FLAKY && is_first => {
                ("503 Service Unavailable", *delay, r#"{"error":"warming up"}"#)
            }
            Some((_, delay, body)) => ("200 OK", *delay, *body),
            None => ("404 Not Found", 40, r#"{"error":"no such thing"}"#),
        };
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        connection.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    }
    Ok(())
}

/// Reads the head of a GET and gives its target; `None` when the client has closed the connection.
async fn read_request(connection: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut lines = connection.lines();
    let target = match lines.next_line().await? {
        Some(request_line) => request_line.split(' ').nth(1).unwrap_or_default().to_owned(),
        None => return Ok(None),
    };
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    Ok(Some(target))
}
