//! What a server saw: the oracle of a test.

use std::collections::HashMap;
use std::time::Instant;

/// A request as it arrived, head and body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: String,
    /// The request target as it stood on the request line, query included.
    pub(crate) target: String,
    /// Every field in its order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty where the server answers before it reads one.
    pub(crate) body: Vec<u8>,
    /// The connection that it came on, from 1.
    pub(crate) connection: usize,
    /// Which request of its connection it is, from 1.
    pub(crate) nth_on_connection: usize,
    /// Which request of this method and target at this host it is, from 1.
    pub(crate) nth: usize,
    /// When all of it had arrived.
    pub(crate) arrived: Instant,
    /// How many requests were in progress, with this one.
    pub(crate) at_once: usize,
}

impl Request {
    /// The first value of a field; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The HTTP/2 stream that it came on, where that is spoken: clients number theirs 1, 3, 5 …
    pub(crate) fn stream(&self) -> u32 {
        u32::try_from(self.nth_on_connection).expect("few requests") * 2 - 1
    }

    /// The `Host` field; empty where there is none.
    pub(crate) fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }
}

/// All that a server saw so far.
///
/// A request is *in progress* from the arrival of its last byte until the last byte of its reply has left or its client has
/// gone. The server has one thread, so a client that obeys a limit is never seen above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    requests: Vec<Request>,
    same: HashMap<[String; 3], usize>,
    connections: usize,
    open: Peak,
    in_progress: Peak,
    in_progress_by_host: HashMap<String, Peak>,
    abandoned: usize,
    failed_handshakes: usize,
    script_panicked: bool,
}

/// A count and the greatest that it has been.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    now: usize,
    most: usize,
}

impl Log {
    /// Every request, in the order of arrival.
    pub(crate) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The target of every request, in the order of arrival.
    pub(crate) fn targets(&self) -> Vec<&str> {
        self.requests.iter().map(|request| request.target.as_str()).collect()
    }

    /// The requests for one target, in the order of arrival.
    pub(crate) fn requests_for(&self, target: &str) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.target == target).collect()
    }

    /// Whether `secret` stands anywhere in what arrived.
    pub(crate) fn mentions(&self, secret: &str) -> bool {
        self.requests.iter().any(|request| {
            request.target.contains(secret)
                || request.headers.iter().any(|(_, value)| value.contains(secret))
                || request.body.windows(secret.len()).any(|window| window == secret.as_bytes())
        })
    }

    /// Connections accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Connections that are open.
    pub(crate) fn open_now(&self) -> usize {
        self.open.now
    }

    /// The most connections that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.open.most
    }

    /// Requests in progress.
    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress.now
    }

    /// The most requests that were in progress at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.in_progress.most
    }

    /// The most requests with this `Host` (`a.test:8080`) that were in progress at once.
    pub(crate) fn most_at_once_to(&self, host: &str) -> usize {
        self.in_progress_by_host.get(host).map_or(0, |peak| peak.most)
    }

    /// Requests whose client went before it had the whole reply.
    pub(crate) fn abandoned(&self) -> usize {
        self.abandoned
    }

    /// TLS handshakes that failed.
    pub(crate) fn failed_handshakes(&self) -> usize {
        self.failed_handshakes
    }

    pub(super) fn script_panicked(&self) -> bool {
        self.script_panicked
    }

    pub(super) fn note_script_panic(&mut self) {
        self.script_panicked = true;
    }

    pub(super) fn note_failed_handshake(&mut self) {
        self.failed_handshakes += 1;
    }

    /// Notes a new connection and gives its number.
    pub(super) fn open(&mut self) -> usize {
        self.open.rise();
        self.connections += 1;
        self.connections
    }

    /// Notes that a connection is over.
    pub(super) fn close(&mut self, panicked: bool) {
        self.open.fall();
        self.script_panicked |= panicked;
    }

    /// Notes that `request` has arrived, and fills in what only the log knows.
    pub(super) fn begin(&mut self, request: &mut Request) {
        let same = [request.method.clone(), request.host().to_owned(), request.target.clone()];
        let nth = self.same.entry(same).or_default();
        *nth += 1;
        request.nth = *nth;
        self.in_progress_by_host.entry(request.host().to_owned()).or_default().rise();
        request.at_once = self.in_progress.rise();
        self.requests.push(request.clone());
    }

    /// Notes that the reply to `request` has left, or that its client has.
    pub(super) fn end(&mut self, request: &Request, abandoned: bool) {
        self.in_progress.fall();
        self.in_progress_by_host.entry(request.host().to_owned()).or_default().fall();
        self.abandoned += usize::from(abandoned);
    }
}

impl Peak {
    fn rise(&mut self) -> usize {
        self.now += 1;
        self.most = self.most.max(self.now);
        self.now
    }

    fn fall(&mut self) {
        self.now -= 1;
    }
}
