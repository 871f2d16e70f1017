//! Text made to fit a number of terminal columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Style;

/// The columns that `text` takes, which must have been [escaped](super::escape()) and carry no colour.
///
/// The greater of the two ways to count: terminals that know no joined emoji show every character on its own.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum::<usize>().max(text.width())
}

/// `text` in at most `room` columns, shortened in the middle: of a URL, both ends tell most.
pub(super) fn shorten_middle(text: &str, room: usize, style: &Style) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let left = room.saturating_sub(columns(style.ellipsis()));
    let head = take(text.chars(), left.div_ceil(2));
    let tail: Vec<char> = take(text.chars().rev(), left / 2);
    head.into_iter().chain(style.ellipsis().chars()).chain(tail.into_iter().rev()).collect()
}

/// `text` in at most `room` columns, shortened at its end.
pub(super) fn shorten_end(text: &str, room: usize, style: &Style) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let left = room.saturating_sub(columns(style.ellipsis()));
    take(text.chars(), left).into_iter().chain(style.ellipsis().chars()).collect()
}

/// Parts with `separator` between them, in lines of at most `style.width` columns where a part alone fits; lines after
/// the first are indented by `indent`.
///
/// Each part is given as it is measured and as it is shown, which differ by colour.
pub(super) fn wrap(parts: &[(String, String)], separator: &str, indent: usize, style: &Style) -> String {
    let room = style.width.unwrap_or(usize::MAX);
    let mut lines = String::new();
    let mut used = 0;
    for (plain, shown) in parts {
        let wide = columns(plain);
        if used > 0 && used + columns(separator) + wide > room {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if used > 0 {
            lines.push_str(separator);
            used += columns(separator);
        }
        lines.push_str(shown);
        used += wide;
    }
    lines
}

fn columns_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// As many characters as fit in `room` columns.
fn take(characters: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut used = 0;
    characters
        .take_while(|&character| {
            used += columns_of(character);
            used <= room
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Style = Style { color: false, unicode: true, width: None };

    #[test]
    fn the_middle_goes_and_both_ends_stay() {
        assert_eq!(shorten_middle("https://api.example.com/users/42", 16, &PLAIN), "https://…sers/42");
        assert_eq!(shorten_middle("https://api.example.com", 23, &PLAIN), "https://api.example.com");
        assert_eq!(shorten_end("3 attempts: 503, 503", 12, &PLAIN), "3 attempts:…");
        let ascii = Style { unicode: false, ..PLAIN };
        assert_eq!(shorten_middle("https://api.example.com/users/42", 16, &ascii), "https:/...ers/42");
    }

    #[test]
    fn a_wide_character_counts_as_two_columns() {
        assert_eq!(columns("例え"), 4);
        assert_eq!(shorten_middle("例え例え例え", 8, &PLAIN), "例え…え");
    }

    #[test]
    fn parts_go_to_the_next_line_where_they_no_longer_fit() {
        let parts = ["aaaa", "bbbb", "cccc"].map(|part| (part.to_owned(), part.to_owned()));
        let narrow = Style { width: Some(11), ..PLAIN };
        assert_eq!(wrap(&parts, " · ", 2, &narrow), "aaaa · bbbb\n  cccc");
        assert_eq!(wrap(&parts, " · ", 2, &PLAIN), "aaaa · bbbb · cccc");
    }

    proptest! {
        #[test]
        fn what_is_shortened_fits(text in "\\PC*", room in 3usize..40, unicode in any::<bool>()) {
            let style = Style { unicode, ..PLAIN };
            prop_assert!(columns(&shorten_middle(&text, room, &style)) <= room);
            prop_assert!(columns(&shorten_end(&text, room, &style)) <= room);
        }
    }
}
