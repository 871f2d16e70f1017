//! JSON as this program writes it: one record as an object, one value in a cell.

use std::io::{self, Write as _};

use serde::{Serialize, Serializer as _};
use serde_json::Serializer;

use crate::model::{Field, Record};

/// As many bytes are looked through at once.
const STRETCH: usize = 256;

/// Appends `record` as one JSON object on one line: all of it, or `fields` in their order, without those that do not apply.
pub(super) fn write_object(record: &Record, fields: Option<&[Field]>, buffer: &mut Vec<u8>) -> io::Result<()> {
    let Some(fields) = fields else {
        return write_value(record, buffer);
    };
    let start = buffer.len();
    let present = fields.iter().filter_map(|&field| Some((field.name(), record.get(field)?)));
    Serializer::new(&mut *buffer).collect_map(present)?;
    escape_from(start, buffer)
}

/// Appends `value` as compact JSON.
pub(super) fn write_value(value: &impl Serialize, buffer: &mut Vec<u8>) -> io::Result<()> {
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, value)?;
    escape_from(start, buffer)
}

/// Writes as `\uXXXX` what JSON allows raw, and so only within strings, but [`is_unsafe`](super::is_unsafe).
///
/// One pass over the whole object is several times faster than a `serde_json` formatter, which sees every string in the
/// pieces between its quotes and backslashes.
fn escape_from(start: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.extend_from_slice(&[0; 2]);
    if find_unsafe(&buffer[start..]).is_none() {
        buffer.truncate(buffer.len() - 2);
        return Ok(());
    }
    let raw = buffer.split_off(start);
    let mut rest = &raw[..];
    while let Some(at) = find_unsafe(rest) {
        let (before, from) = rest.split_at(at);
        let length = match from[0] {
            0x7f => 1,
            0xe2 => 3,
            _ => 2,
        };
        let character =
            std::str::from_utf8(&from[..length]).expect("JSON is UTF-8, and this is the length of a character");
        buffer.extend_from_slice(before);
        character.chars().try_for_each(|character| write!(buffer, "\\u{:04x}", u32::from(character)))?;
        rest = &from[length..];
    }
    buffer.extend_from_slice(&rest[..rest.len() - 2]);
    Ok(())
}

/// Where the first unsafe character begins. The last two bytes of `padded` are not looked at.
fn find_unsafe(padded: &[u8]) -> Option<usize> {
    let last = padded.len() - 2;
    for at in (0..last).step_by(STRETCH) {
        let stretch = &padded[at..(at + STRETCH).min(last) + 2];
        // Neither fold exits early, so that the compiler makes both of them compare many bytes at a time.
        let highest = stretch.iter().fold(0, |highest, &byte| byte.max(highest));
        if highest >= 0x7f && stretch.windows(3).fold(false, |found, bytes| found | begins_unsafe(bytes)) {
            return stretch.windows(3).position(begins_unsafe).map(|offset| at + offset);
        }
    }
    None
}

/// Whether an unsafe character begins with the first of three bytes of UTF-8: DEL, C1, U+061C, and those of U+20xx.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "a branch would keep the compiler from comparing many bytes at a time"
)]
fn begins_unsafe(bytes: &[u8]) -> bool {
    let (first, second, third) = (bytes[0], bytes[1], bytes[2]);
    let is_within = |byte: u8, low: u8, high: u8| byte.wrapping_sub(low) <= high - low;
    (first == 0x7f)
        | ((first == 0xc2) & is_within(second, 0x80, 0x9f))
        | ((first == 0xd8) & (second == 0x9c))
        | ((first == 0xe2) & (second == 0x80) & (is_within(third, 0x8e, 0x8f) | is_within(third, 0xa8, 0xae)))
        | ((first == 0xe2) & (second == 0x81) & is_within(third, 0xa6, 0xa9))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::escape::any_text;
    use crate::report::is_unsafe;

    fn json(text: &str) -> String {
        let mut buffer = Vec::new();
        write_value(&text, &mut buffer).expect("a string is JSON");
        String::from_utf8(buffer).expect("JSON is UTF-8")
    }

    #[test]
    fn what_json_leaves_raw_is_escaped_too() {
        assert_eq!(
            json("é\u{7f}\u{9b}31m\u{202e}ü\u{2028}\u{61c}x\u{1b}"),
            r#""é\u007f\u009b31m\u202eü\u2028\u061cx\u001b""#
        );
    }

    #[test]
    fn neighbours_of_unsafe_characters_stay_as_they_are() {
        let text = "\u{a0}\u{2027}\u{202f}\u{2065}\u{206a}\u{61b}\u{61d}\u{200d}\u{2010}~";
        assert_eq!(json(text), format!("\"{text}\""));
    }

    #[test]
    fn exactly_the_unsafe_characters_are_found_by_their_bytes() {
        for character in '\u{20}'..=char::MAX {
            let padded = format!("{character}\0\0");
            assert_eq!(find_unsafe(padded.as_bytes()).is_some(), is_unsafe(character), "{:x}", u32::from(character));
        }
    }

    #[test]
    fn an_unsafe_character_is_found_wherever_it_stands() {
        for before in 0..2 * STRETCH + 8 {
            let text = format!("{}\u{2066}\u{7f}", "x".repeat(before));
            assert_eq!(json(&text), format!("\"{}\\u2066\\u007f\"", "x".repeat(before)));
        }
    }

    #[test]
    fn what_stood_in_the_buffer_stays() {
        let mut buffer = "\u{7f}".as_bytes().to_vec();
        write_value(&"\u{7f}", &mut buffer).expect("a string is JSON");
        assert_eq!(buffer, b"\x7f\"\\u007f\"");
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_safe_line_that_reads_back_equal(text in any_text()) {
            let json = json(&text);
            prop_assert!(!json.chars().any(is_unsafe), "{json:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("it is JSON"), text);
        }
    }
}
