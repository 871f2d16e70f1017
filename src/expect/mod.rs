//! Expectations: what makes a record ok, flaky or failed. Pure.

use http::StatusCode;

use crate::model::{Record, StatusSet, Verdict};

/// The verdict on a record: ok if its response came whole and `accept` has its status, flaky if that took a retry.
pub(crate) fn verdict(record: &Record, accept: &StatusSet) -> Verdict {
    let status = record.status.and_then(|status| StatusCode::from_u16(status).ok());
    let held = record.error.is_none() && status.is_some_and(|status| accept.contains(status));
    match (held, record.num_retries) {
        (false, _) => Verdict::Failed,
        (true, 0) => Verdict::Ok,
        (true, _) => Verdict::Flaky,
    }
}
