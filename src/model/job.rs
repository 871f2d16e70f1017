//! A job: one line of input, which becomes exactly one record.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use super::{Failure, Request};

/// One line of input. It becomes exactly one [`Record`](super::Record), whatever happens.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where the line stands, if it stands anywhere.
    pub place: Option<Place>,
    /// The user's own name for it.
    pub id: Option<Box<Value>>,
    /// Fields of the line that are carried into the record.
    pub input: Option<Box<Map<String, Value>>>,
    /// The URL as it was asked for, redacted, where the request's own form of it differs.
    pub asked: Option<Box<str>>,
    /// What to send, or why the line is no request.
    pub request: Result<Request, Box<BadLine>>,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name; `-` for standard input.
    pub source: Arc<str>,
    /// The line in it, from 1.
    pub line: u64,
}

/// A line that is no request: its record says so, and nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line, or as much of it as can be shown, secrets covered.
    pub text: String,
    /// The raw bytes, where the line is not UTF-8 and nothing in it had to be covered.
    pub raw: Option<Bytes>,
    /// What is wrong with it.
    pub failure: Failure,
}

impl Job {
    /// A job that is not from a file.
    pub fn new(request: Request) -> Self {
        Self { place: None, id: None, input: None, asked: None, request: Ok(request) }
    }
}

impl From<Url> for Job {
    /// A GET of the URL.
    fn from(url: Url) -> Self {
        Self::new(Request::new(url))
    }
}
