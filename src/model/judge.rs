//! The seam between a line and what is expected of it: the little language of `expect`, or code of a library's user.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::{Body, Record, Response};

/// What is expected of a line, judged when its last exchange is over. Its `Display` is what was expected, for a person.
pub trait Judge: fmt::Debug + fmt::Display + Send + Sync {
    /// What the judgement has to look at that a response does not keep by itself.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether `status` is as expected; `None` if nothing is expected of it, so that `--accept` decides.
    fn accepts(&self, status: StatusCode) -> Option<bool>;

    /// What of the body is not as expected.
    ///
    /// Called only where the body is [needed](Needs::body), on a thread that may be kept busy.
    fn look(&self, response: &Response) -> Vec<Unmet> {
        let _ = response;
        Vec::new()
    }

    /// Everything that is not as expected, in the order in which it is expected, each with what was seen. Not called for a
    /// record with an error.
    fn judge(&self, record: &Record, seen: Seen) -> Vec<String>;
}

/// What a judgement has to look at that a response does not keep by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The decoded body, also where no record shows it.
    pub body: bool,
    /// The certificate of the peer.
    pub certificate: bool,
}

/// An expectation that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Its place among the expectations of its line, from 0.
    pub place: usize,
    /// The expectation, and what was seen.
    pub text: String,
}

/// What a transport keeps of a response for a [`Judge`], and what was made of it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The decoded body, where [`Response::body`] does not hold it. `Discarded`: it is too large to be kept beside its file.
    pub body: Option<Body>,
    /// When the certificate of the peer expires; `None` without TLS.
    pub certificate_expires: Option<SystemTime>,
    /// What of the body is not as expected.
    pub unmet: Vec<Unmet>,
}

/// What a [`Judge`] sees beside the record.
#[derive(Debug)]
pub struct Seen {
    /// What was found in the body.
    pub unmet: Vec<Unmet>,
    /// When the certificate of the peer expires.
    pub certificate_expires: Option<SystemTime>,
    /// How long the final attempt took: its exchanges, redirects included, without waits.
    pub attempt_time: Duration,
    /// The time of the judgement, on the wall clock.
    pub now: SystemTime,
}
