//! What may never reach a terminal, a log or a JSON string raw, and what people see in its place.

use std::borrow::Cow;

/// Whether `character` can act on a terminal or reorder what is shown.
///
/// These are the C0 and C1 controls and DEL (ECMA-48), the bidi controls (UAX #9, section 2), and the line and paragraph
/// separators, which end a line for some readers.
pub const fn is_unsafe(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// Text as a person may see it: every [unsafe](is_unsafe) character is written as `\n`, `\r`, `\t` or `\u{1b}`.
///
/// Made for reading, not for undoing: a backslash stays one. Whatever comes from the network or the list goes through
/// here before it goes to a terminal or a log.
pub fn escape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_unsafe) else {
        return Cow::Borrowed(text);
    };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for character in text[first..].chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            character if is_unsafe(character) => shown.extend(character.escape_unicode()),
            character => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Any text at all, with many of the characters that matter here (`any::<String>()` has no controls).
#[cfg(test)]
pub(crate) fn any_text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;

    let unsafe_ones: Vec<char> = ('\0'..=char::MAX).filter(|&character| is_unsafe(character)).collect();
    let character =
        prop_oneof![any::<char>(), proptest::sample::select(unsafe_ones), proptest::char::range('\0', '\u{ff}')];
    proptest::collection::vec(character, 0..48).prop_map(String::from_iter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn controls_and_bidi_overrides_become_visible() {
        assert_eq!(escape("a\x1b[31mb\r\n\tc"), "a\\u{1b}[31mb\\r\\n\\tc");
        assert_eq!(escape("\u{9b}2J \u{7f} \u{202e}gpj.exe \u{2028}"), "\\u{9b}2J \\u{7f} \\u{202e}gpj.exe \\u{2028}");
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(escape("https://例え.example/ü?q=\\n"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_once_is_enough(text in any_text()) {
            let shown = escape(&text);
            prop_assert!(!shown.chars().any(is_unsafe));
            prop_assert_eq!(escape(&shown), &*shown);
        }
    }
}
