//! What the tests stand on: a scripted server that can misbehave in every way, and the program as a person would start it.
//!
//! A test reads as a sentence: start a server with a script, run `gather` on its URLs, look at the records and at what the
//! server saw.
//!
//! ```ignore
//! let server = Server::start(|request| match request.target.as_str() {
//!     "/flaky" if request.nth == 1 => Reply::status(503),
//!     "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234").reset(),
//!     _ => Reply::ok("hello"),
//! });
//! let output = gather().args([server.url("/flaky"), server.url("/cut")]).assert().code(1);
//! assert_eq!(records(&output.get_output().stdout).len(), 2);
//! assert_eq!(server.log().most_at_once(), 2);
//! ```
//!
//! Nothing here sleeps to wait for something: replies are held by a [`Latch`] or until the server has seen enough, and a test
//! waits with [`Server::wait_until`]. Everything is bounded: a server dies after a minute, a child is killed.

mod browser;
mod connection;
pub(crate) mod frames;
mod latch;
mod log;
mod name_server;
mod program;
mod reply;
mod self_test;
mod server;
mod tls;

pub(crate) use browser::Browser;
pub(crate) use latch::Latch;
pub(crate) use log::{Log, Request};
pub(crate) use name_server::{NameServer, Say, gather_with_etc};
pub(crate) use program::{Running, can, gather, gather_under, list, records, skipped};
pub(crate) use reply::Reply;
pub(crate) use server::Server;
pub(crate) use tls::{Authority, Identity};
