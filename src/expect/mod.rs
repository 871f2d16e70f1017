//! Expectations: what makes a record ok, flaky or failed. Pure, but for the clock of the limit on jq filters.
//!
//! ```text
//! status == 200            status in 200..=299,304      time < 500ms            size < 1MB
//! header content-type ~ json                            header x-cache == HIT   header etag exists
//! body contains "ok"       body ~ "v[0-9]+"             jq .status == "up"      cert_days > 14
//! ```
//!
//! - `;` stands between expectations, all of which must hold. It ends a value, unless it is in quotes or in the brackets of a
//!   jq filter.
//! - `status` has `==`, `!=`, `in`, `not in` with a set as `--accept` has it, and `<`, `<=`, `>`, `>=`. It replaces
//!   `--accept` for its line, and a status that is expected is not tried again.
//! - `time` is that of the final attempt: its exchanges, redirects included, without waits. A number is seconds.
//! - `size` is that of the body in bytes, decoded. `1MB` is 1,000,000, `1M` and `1MiB` are 1,048,576, as in curl.
//! - `header NAME` and `body` have `==`, `!=`, `contains`, `not contains`, `~` and `!~`; a header also `exists` and
//!   `not exists`. Of a header with several values one must do. `not` and `!` make the exact opposite, so a header that is
//!   not there is `!= HIT`. A value stands in `"` with the escapes of JSON, in `'` as it is, or bare up to the next `;`.
//!   Patterns are those of the crate `regex`, match anywhere, and keep their backslashes in quotes.
//! - `jq FILTER` holds if the first output of the filter is neither false nor null. Filters ask and do not compute: see
//!   `jq.rs` for what they may use.
//! - `cert_days` is for how many days more the certificate of the server is valid, fractions included.
//!
//! Where a line has an error, that is told and no expectation: there was no response to look at, or not a whole one.

mod compare;
mod error;
mod jq;
mod judge;
mod parse;
mod text;

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, StatusCode};

use crate::model::{Record, Verdict};
use compare::Comparison;
pub use error::ParseExpectationError;
use text::TextTest;

/// What is expected of a line. All must hold. Parsed by [`FromStr`].
#[derive(Debug, Clone, Default)]
pub struct Expectations(Vec<Expectation>);

/// One expectation, as it was written and as it is judged.
#[derive(Debug, Clone)]
struct Expectation {
    text: Box<str>,
    check: Check,
}

/// What is looked at, and what it should be.
#[derive(Debug, Clone)]
enum Check {
    Status { statuses: crate::model::StatusSet, negated: bool },
    Time(Comparison<std::time::Duration>),
    Size(Comparison<u64>),
    CertDays(Comparison<f64>),
    Header(HeaderName, TextTest),
    Body(TextTest),
    Jq(jq::Filter),
}

impl Expectations {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and then `others`.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// Adds one of its own source, such as another `--expect`.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }
}

impl FromStr for Expectations {
    type Err = ParseExpectationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::list(text).map(Self)
    }
}

/// As they were written, with `; ` between them.
impl fmt::Display for Expectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, expectation) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{}", expectation.text)?;
        }
        Ok(())
    }
}

/// The verdict on a record: ok if its response came whole, `accepts` has its status, and all that is expected holds; flaky if
/// that took a retry.
pub(crate) fn verdict(record: &Record, accepts: impl FnOnce(StatusCode) -> bool) -> Verdict {
    let status = record.status.and_then(|status| StatusCode::from_u16(status).ok());
    let held = record.error.is_none() && record.failed.is_empty() && status.is_some_and(accepts);
    match (held, record.num_retries) {
        (false, _) => Verdict::Failed,
        (true, 0) => Verdict::Ok,
        (true, _) => Verdict::Flaky,
    }
}

#[cfg(test)]
mod tests;
