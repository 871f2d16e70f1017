//! Fetches lists of URLs: many at once, within limits, and one complete [`Record`] for each line, in the order of the list.
//!
//! Each line becomes a record, whatever happens to it: a URL that cannot be fetched, a status that is not accepted and a
//! line that is no URL are all data. `Err` means that the fetching itself cannot begin or go on: a certificate file that
//! does not exist, an input that cannot be read, an output that cannot be written.
//!
//! All of it has to run in a Tokio runtime.
//!
//! # URLs at hand
//!
//! [`gather()`] fetches what an iterator gives, with the defaults of the command line:
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), gather::fetch::FetchError> {
//! # let server = wiremock::MockServer::start().await;
//! # let users = wiremock::Mock::given(wiremock::matchers::path("/users"));
//! # users.respond_with(wiremock::ResponseTemplate::new(200).set_body_string("[]")).mount(&server).await;
//! # let api = server.uri();
//! let records = gather::gather([format!("{api}/users"), format!("{api}/nothing"), "not a URL".to_owned()]).await?;
//!
//! assert_eq!((records[0].ok, records[0].status), (true, Some(200)));
//! assert_eq!(records[0].body.as_deref(), Some("[]"));
//! assert_eq!((records[1].ok, records[1].status), (false, Some(404)));
//! assert!(records[2].error.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # A list of any length
//!
//! [`Input`] reads files, standard input and URL arguments as one stream of jobs, and a [`Gatherer`] makes it a stream of
//! records. The first request leaves when the first line is there; memory is bounded by the window
//! ([`Plan::window`](engine::Plan::window)) and not by the length of the list. Dropping the stream aborts what is in
//! flight; [`Gatherer::run`] takes a token that stops a run and lets it end in order.
//!
//! ```
//! use futures::StreamExt as _;
//! use gather::Gatherer;
//! use gather::input::{Input, InputOptions, Source};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = wiremock::MockServer::start().await;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("urls.txt");
//! # let api = server.uri();
//! # std::fs::write(&path, format!("# a comment\n{api}/users\nHEAD {api}/posts\nftp://{api}/\n"))?;
//! # let mut seen = Vec::new();
//! // `path` is a file with a URL, or a method and a URL, on each line.
//! let input = Input::open(vec![Source::File(path)], InputOptions::default())?;
//! let gatherer = Gatherer::builder().concurrency(64).max_per_host(8).build()?;
//!
//! let (jobs, status) = input.into_stream();
//! let mut records = gatherer.stream(jobs);
//! while let Some(record) = records.next().await {
//! #   seen.push((record.line, record.status, record.error.as_ref().map(|error| error.kind.name())));
//!     let line = record.line.unwrap_or_default();
//!     match (&record.error, record.status) {
//!         (Some(error), _) => println!("line {line}: {}: {error}", record.url),
//!         (None, Some(code)) => println!("line {line}: {}: {code}", record.url),
//!         (None, None) => unreachable!("without a response there is an error"),
//!     }
//! }
//! if let Some(error) = status.error() {
//!     eprintln!("the list was not read to its end: {error}");
//! }
//! # assert_eq!(
//! #     seen,
//! #     [(Some(2), Some(404), None), (Some(3), Some(404), None), (Some(4), None, Some("url_unsupported_scheme"))]
//! # );
//! # Ok(())
//! # }
//! ```
//!
//! [`Gatherer::stream_unordered`] gives records as they finish. Jobs need no file: [`input::Template::job`] makes one of
//! a URL, and [`model::Job`] can be filled in by hand. `examples/demo` writes records as text and sums them up with
//! [`report`].
//!
//! # How to read a record
//!
//! - [`ok`]: whether the line is as it should be, that is whether a response came whole, with a status that is accepted
//!   (200 to 399 by default). [`verdict`] also tells a line that took a retry (`flaky`) from one that did not.
//! - [`status`], [`headers`]: of the final response; `None` where no response came.
//! - [`body`] if it is text, else [`body_base64`]; or [`body_file`], where bodies go to files. Always decoded.
//! - [`error`]: why there is no usable response. Its [`kind`](model::FailureKind) has a stable name, belongs to a
//!   [`phase`](model::Phase), and says whether it [may pass by itself](model::FailureKind::is_transient).
//! - [`index`] in the whole input, [`line`] and [`source`], and [`url`] as it was asked for: which line it was.
//! - [`hops`]: the exchanges of an attempt that was redirected. [`attempts`]: those of a line that was retried.
//! - [`time_total`]: from the moment the first request left until all was over, waits in between included.
//!
//! A status of 400 or more is no error: the record has a status that is not accepted, and no `error`. Where it has both,
//! a response began and something after that failed: its body, a redirect that cannot be followed, a `Retry-After` that is
//! too long to wait for.
//!
//! A record serialises to the JSON object that the program writes; `fixtures/record.schema.json` is its schema.
//!
//! # Features
//!
//! - `cli` (default): the program, and with it the progress line in [`report`]. A library needs `default-features = false`,
//!   and then has neither clap nor indicatif nor tracing-subscriber among its dependencies.
//! - `jemalloc` (default): the allocator of the program; it changes nothing of the library.
//!
//! # The house, for those who change it
//!
//! ```text
//! lines ─► input ─► window ─► frontier ═► pool: buffer_unordered(fetch) ─► policy ─► expect ─► window ─► report
//!                                ▲                                           │
//!                                └─ the only back edge: hop, or retry at T ──┘
//! ```
//!
//! A *job* is a line of input, and becomes exactly one *record*. An *exchange* is one request and its response or failure,
//! and it is the unit that is scheduled: the next *hop* of a redirect and the next *attempt* after a failure go back to the
//! *frontier*, which has every job that waits. So each request that leaves has passed the limits of its own *origin*
//! (scheme, host and port), and a job that waits holds no place in the pool. The *window* has the jobs that are admitted
//! and not yet written, and restores their order.
//!
//! The rooms, from the top; each knows only those below it:
//!
//! - `main`, `cli`, `app`: the program, which uses nothing that the library does not offer. Words and environment to
//!   settings, signals, the record loop, exit codes. Only `cli` knows clap and reads the environment.
//! - `gatherer`: the front door, [`gather()`] and [`Gatherer`].
//! - [`engine`]: the pipeline above, and the one place that waits. Its tests hold its promises, with a scripted transport
//!   under a paused clock.
//! - The doers, which do not know one another. [`input`]: bytes to jobs. [`fetch`]: one exchange over HTTP and what its
//!   errors mean; only it knows reqwest, rustls and hickory. [`report`]: records to bytes, the terminal, the summary; only
//!   it knows indicatif. A new format of input or output is one new file there.
//! - The deciders, which neither send nor sleep, and get clock and randomness passed in. `schedule`: who may go now (the
//!   frontier). [`policy`]: what follows an exchange. `order`: the window. [`expect`]: what makes a record ok.
//!   [`baseline`]: what an older run says of it.
//! - [`model`]: the words above as plain data, [`Transport`](model::Transport), the seam between engine and `fetch`, and
//!   [`Judge`](model::Judge), that between a line and what is expected of it.
//!
//! [`Input`]: input::Input
//! [`Record`]: model::Record
//! [`attempts`]: model::Record::attempts
//! [`body_base64`]: model::Record::body_base64
//! [`body_file`]: model::Record::body_file
//! [`body`]: model::Record::body
//! [`error`]: model::Record::error
//! [`headers`]: model::Record::headers
//! [`hops`]: model::Record::hops
//! [`index`]: model::Record::index
//! [`line`]: model::Record::line
//! [`ok`]: model::Record::ok
//! [`source`]: model::Record::source
//! [`status`]: model::Record::status
//! [`time_total`]: model::Record::time_total
//! [`url`]: model::Record::url
//! [`verdict`]: model::Record::verdict

pub mod baseline;
pub mod engine;
pub mod expect;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gatherer;
pub mod input;
pub mod model;
mod order;
pub mod policy;
pub mod report;
mod schedule;

pub use gatherer::{Gatherer, GathererBuilder, gather};
