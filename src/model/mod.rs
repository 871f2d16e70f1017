//! The words of the program as plain data: what a job asks for, what an exchange brought, what a record says.
//!
//! Knows no library but `url`, `http`, `bytes` and `serde`; every other room speaks in these types.

mod body;
pub(crate) mod escape;
mod exchange;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod headers;
mod job;
mod judge;
mod origin;
mod per_host;
#[cfg(test)]
pub(crate) mod published;
mod record;
mod redact;
mod request;
pub(crate) mod seconds;
mod secret;
mod status;
mod transport;
pub(crate) mod weight;

pub use body::{Base64, Body};
pub use escape::{escape, is_unsafe};
pub use exchange::{Exchange, Response, Timing};
pub use failure::{Failure, FailureKind, Phase};
pub use headers::Headers;
pub use job::{BadLine, Job, Place};
pub use judge::{Judge, Kept, Needs, Seen, Unmet};
pub use origin::Origin;
pub use per_host::{HostName, ParseHostNameError, PerHost};
pub use record::{ExchangeRecord, Field, FlakyRule, Record, RetryStop, Standing, Value, Verdict};
pub use redact::{COVER, redact, redact_each, redacted};
pub use request::{Overrides, Request};
pub use secret::Secret;
pub use status::{ParseStatusSetError, StatusSet};
pub use transport::{Call, Transport};
