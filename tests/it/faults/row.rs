//! One row of the fault list.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Reply, Request, Server};

/// The kinds of failure by the phase in which they come up, as the fault list has them.
const PHASES: [(&str, &[&str]); 8] = [
    ("dns", &["dns_not_found", "dns_no_records", "dns_servfail", "dns_timeout"]),
    (
        "connect",
        &["connect_refused", "connect_timeout", "connect_unreachable", "connect_reset", "proxy_connect", "proxy_auth"],
    ),
    (
        "tls",
        &["tls_handshake", "tls_cert_expired", "tls_cert_untrusted", "tls_cert_name_mismatch", "tls_protocol_version"],
    ),
    (
        "http",
        &[
            "http_empty_reply",
            "http_incomplete",
            "http_parse",
            "http_header_too_large",
            "http_too_many_headers",
            "http_ambiguous_length",
            "http_unsupported_transfer_encoding",
            "http_unexpected_upgrade",
            "reset",
            "h2_protocol",
            "h2_goaway",
            "h2_refused",
        ],
    ),
    (
        "body",
        &[
            "body_truncated",
            "body_too_large",
            "body_ratio_exceeded",
            "content_decoding",
            "unsupported_content_encoding",
            "read_timeout",
        ],
    ),
    ("redirect", &["redirect_loop", "redirect_limit", "redirect_invalid_location", "redirect_scheme"]),
    ("policy", &["attempt_timeout", "total_timeout", "rate_limited", "host_circuit_open"]),
    ("local", &["local_fd_exhausted", "local_port_exhausted"]),
];

/// How long a line takes at most unless its row says otherwise. What is not a matter of time takes milliseconds.
const QUICK: Duration = Duration::from_secs(4);

/// A row of the fault list: a server, the lines that ask it, and what must come of them.
pub(super) struct Row {
    /// The words of the fault list.
    pub(super) name: String,
    /// The only server that the lines ask, if there is one.
    pub(super) server: Option<Server>,
    pub(super) lines: Vec<Line>,
    /// Requests that the server must have seen; one a line if nothing else is said.
    pub(super) requests: Option<RangeInclusive<usize>>,
    /// Connections that the server must have seen, where that is part of the row.
    pub(super) connections: Option<usize>,
    /// The time that each line may take.
    pub(super) limit: Duration,
}

/// A line of a row.
pub(super) struct Line {
    /// The line in JSON, but for its `id`.
    pub(super) json: Value,
    pub(super) outcome: Outcome,
}

/// What must come of a line.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// A failure of one of these kinds: of one, but where chance decides what is seen first.
    Fails(Vec<&'static str>),
    /// A response with this status, and this body where that matters.
    Answers(u16, Option<String>),
}

/// A failure of this kind.
pub(super) fn fails(kind: &'static str) -> Outcome {
    Outcome::Fails(vec![kind])
}

/// A failure of one of these kinds; chance decides which.
pub(super) fn fails_as(kinds: &[&'static str]) -> Outcome {
    Outcome::Fails(kinds.to_vec())
}

/// 200 with this body.
pub(super) fn answers(body: impl Into<String>) -> Outcome {
    Outcome::Answers(200, Some(body.into()))
}

/// A response with this status, whatever its body.
pub(super) fn status(status: u16) -> Outcome {
    Outcome::Answers(status, None)
}

/// The phase in which failures of this kind come up.
pub(super) fn phase(kind: &str) -> &'static str {
    let phase = PHASES.iter().find(|(_, kinds)| kinds.contains(&kind));
    phase.unwrap_or_else(|| panic!("{kind} is in no phase of the fault list")).0
}

impl Row {
    /// A row without lines, for this server.
    pub(super) fn at(name: impl Into<String>, server: Server) -> Self {
        Self {
            name: name.into(),
            server: Some(server),
            lines: Vec::new(),
            requests: None,
            connections: None,
            limit: QUICK,
        }
    }

    /// A row for a server that gives `reply` to every request: one GET, of which `outcome` must come.
    pub(super) fn of(name: impl Into<String>, reply: Reply, outcome: Outcome) -> Self {
        Self::asks(name, move |_| reply.clone(), outcome)
    }

    /// A row for a server with a script: one GET, of which `outcome` must come.
    pub(super) fn asks(
        name: impl Into<String>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
        outcome: Outcome,
    ) -> Self {
        Self::at(name, Server::start(answer)).get("/", outcome)
    }

    /// A row for a URL that no server of the tests listens at.
    pub(super) fn nobody(name: impl Into<String>, url: impl Into<String>, outcome: Outcome) -> Self {
        let line = Line { json: json!({ "url": url.into() }), outcome };
        let lines = vec![line];
        Self { name: name.into(), server: None, lines, requests: None, connections: None, limit: QUICK }
    }

    /// Another line: a GET of `target`.
    pub(super) fn get(self, target: &str, outcome: Outcome) -> Self {
        self.ask(target, json!({}), outcome)
    }

    /// Another line: a request for `target` with these fields of a JSON line.
    pub(super) fn ask(mut self, target: &str, mut fields: Value, outcome: Outcome) -> Self {
        let server = self.server.as_ref().expect("a row with a server");
        fields["url"] = server.url(target).into();
        self.lines.push(Line { json: fields, outcome });
        self
    }

    /// The server must have seen so many requests.
    pub(super) fn requests(self, requests: usize) -> Self {
        Self { requests: Some(requests..=requests), ..self }
    }

    /// Whether the server sees the requests is chance: it fails them as soon as it can.
    pub(super) fn any_requests(self) -> Self {
        Self { requests: Some(0..=usize::MAX), ..self }
    }

    /// The server must have seen so many connections.
    pub(super) fn connections(self, connections: usize) -> Self {
        Self { connections: Some(connections), ..self }
    }

    /// Each line may take so long.
    pub(super) fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }
}
