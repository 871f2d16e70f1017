//! Comparisons of numbers, times and sizes.

use std::time::Duration;

use bytesize::ByteSize;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A value that another one is compared to.
#[derive(Debug, Clone)]
pub(super) struct Comparison<T> {
    pub(super) compare: Compare,
    pub(super) limit: T,
}

impl<T: PartialOrd> Comparison<T> {
    /// Whether `seen` is as it should be.
    pub(super) fn holds(&self, seen: &T) -> bool {
        match self.compare {
            Compare::Equal => *seen == self.limit,
            Compare::Unequal => *seen != self.limit,
            Compare::Less => *seen < self.limit,
            Compare::AtMost => *seen <= self.limit,
            Compare::Greater => *seen > self.limit,
            Compare::AtLeast => *seen >= self.limit,
        }
    }
}

/// A number of seconds as in curl, or a time with units.
pub(super) fn duration(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

/// Bytes, with or without a unit; a single letter is binary, as in curl.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic()).trim_end();
    let unit = match text[digits.len()..].trim_start() {
        letter if letter.len() == 1 && !letter.eq_ignore_ascii_case("b") => format!("{letter}iB"),
        unit => unit.to_owned(),
    };
    format!("{digits}{unit}").parse::<ByteSize>().ok().map(|size| size.as_u64())
}
