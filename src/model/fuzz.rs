//! What must hold for any text that is shown, and for any record that is read back.

use url::Url;

use super::{Record, redact, redact_each, redacted};

/// No text makes covering panic. A URL shows no password, and what was covered once is not covered anew; in what is no URL, a
/// second look may cover more.
pub fn redaction(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    _ = redact_each(text);
    _ = redact(text);
    let Ok(mut url) = Url::parse(text) else { return };
    if matches!(url.scheme(), "http" | "https") {
        let once = redacted(&url);
        assert_eq!(redact(&once), once, "of {url}");
    }
    if !url.as_str().contains("canary") && url.set_password(Some("canary")).is_ok() {
        assert!(!redacted(&url).contains("canary"), "of {url}");
        assert!(!redact_each(url.as_str()).contains("canary"), "of {url}");
    }
}

/// A record that can be read is written and read again without a loss.
pub fn record(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
    let written = serde_json::to_string(&record).expect("a record is JSON");
    let again: Record = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("a record is JSON"), written);
}
