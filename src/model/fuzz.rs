//! What must hold for any text that is shown, and for any record that is read back.

use url::Url;

use super::{Record, redact, redact_each, redacted};

/// What is covered stays covered and shows no password, and a URL without secrets is shown as it is.
pub fn redaction(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for cover in [redact, redact_each] {
        let once = cover(text);
        assert_eq!(cover(&once), once, "of {text:?}");
    }
    if let Ok(mut url) = Url::parse(text)
        && !url.as_str().contains("canary")
        && url.set_password(Some("canary")).is_ok()
    {
        assert!(!redacted(&url).contains("canary"), "of {url}");
        assert!(!redact(url.as_str()).contains("canary"), "of {url}");
    }
}

/// A record that can be read is written and read again without a loss.
pub fn record(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
    let written = serde_json::to_string(&record).expect("a record is JSON");
    let again: Record = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("a record is JSON"), written);
}
