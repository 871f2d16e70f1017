//! Sets of status codes, as users write them: `200..=299,304`, `5xx`, `!501`.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;

/// The status codes that can be named: three digits (RFC 9110, section 15).
const CODES: std::ops::RangeInclusive<u16> = 100..=999;

/// A set of status codes.
///
/// Written as a list of codes (`404`), classes (`5xx`) and ranges (`200..=399`, also `200..400` and `200-399`);
/// `!` takes what follows it out of the set, and a list that only takes out starts from all codes.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusSet {
    bits: Box<[u64; 16]>,
    text: String,
}

impl StatusSet {
    /// Whether `status` is in the set.
    pub fn contains(&self, status: StatusCode) -> bool {
        let code = usize::from(status.as_u16());
        self.bits[code / 64] & (1 << (code % 64)) != 0
    }

    fn set(&mut self, code: u16, member: bool) {
        let (word, bit) = (usize::from(code) / 64, 1 << (code % 64));
        if member {
            self.bits[word] |= bit;
        } else {
            self.bits[word] &= !bit;
        }
    }
}

impl FromStr for StatusSet {
    type Err = ParseStatusSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut set = Self { bits: Box::default(), text: text.to_owned() };
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items.iter().all(|item| item.starts_with('!')) {
            CODES.for_each(|code| set.set(code, true));
        }
        for item in items {
            let (item, member) = match item.strip_prefix('!') {
                Some(item) => (item.trim(), false),
                None => (item, true),
            };
            let codes = codes(item).ok_or_else(|| ParseStatusSetError(item.to_owned()))?;
            codes.for_each(|code| set.set(code, member));
        }
        Ok(set)
    }
}

/// The codes that one item of a list names.
fn codes(item: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| CODES.contains(code));
    if let Some(class) = item.strip_suffix("xx").or_else(|| item.strip_suffix("XX")) {
        let first = class.parse::<u16>().ok().filter(|class| (1..=9).contains(class))? * 100;
        return Some(first..=first + 99);
    }
    let (first, last) = if let Some((first, last)) = item.split_once("..=").or_else(|| item.split_once('-')) {
        (code(first)?, code(last)?)
    } else if let Some((first, end)) = item.split_once("..") {
        (code(first)?, end.trim().parse::<u16>().ok()?.checked_sub(1).filter(|code| CODES.contains(code))?)
    } else {
        let only = code(item)?;
        (only, only)
    };
    (first <= last).then_some(first..=last)
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusSet({})", self.text)
    }
}

/// An item of a status list that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status (`404`), a class (`5xx`) or a range (`200..=399`) of codes from 100 to 999")]
pub struct ParseStatusSetError(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<u16> {
        let set: StatusSet = text.parse().expect("a valid set");
        CODES.filter(|&code| set.contains(StatusCode::from_u16(code).expect("a code in range"))).collect()
    }

    #[test]
    fn codes_ranges_and_classes_add_up_and_exclamation_takes_out() {
        assert_eq!(members("200..=202,404"), [200, 201, 202, 404]);
        assert_eq!(members("200..202, 300-301"), [200, 201, 300, 301]);
        assert_eq!(members("5xx,!501..=598"), [500, 599]);
        assert_eq!(members("!200..=999").len(), 100);
    }

    #[test]
    fn what_names_no_status_is_refused_by_name() {
        for bad in ["", "20", "1000", "abc", "300..=200", "0xx", "10xx", "200,,201", "200..100"] {
            assert!(bad.parse::<StatusSet>().is_err(), "{bad:?} was taken");
        }
    }
}
