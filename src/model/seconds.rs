//! Durations as seconds with six decimals, the unit of curl's `time_*`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Seconds, rounded to the microsecond.
pub(crate) fn rounded(duration: Duration) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a run of 285 years would have to pass before a microsecond is lost"
    )]
    let micros = duration.as_micros() as f64;
    micros / 1e6
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_f64(rounded(*duration)),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let seconds = Option::<f64>::deserialize(deserializer)?;
    seconds.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)).transpose()
}
