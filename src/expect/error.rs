//! An expectation that cannot be understood: where, what was seen, and what would be right.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use crate::model::escape;

/// How much is shown on either side of the place, in characters.
const AROUND: usize = 60;

/// An expectation cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseExpectationError {
    text: String,
    at: Range<usize>,
    message: String,
}

impl ParseExpectationError {
    pub(super) fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { text: text.to_owned(), at, message: message.into() }
    }

    /// The message, and below it the expectation with the place marked under it: three lines, safe to print.
    pub fn marked(&self) -> String {
        let (before, place, after) = self.parts();
        let indent = " ".repeat(before.width());
        let carets = "^".repeat(place.width().max(1));
        format!("{}\n  {before}{place}{after}\n  {indent}{carets}", self.message)
    }

    /// What stands before the place, at it and after it, as far as it is shown.
    fn parts(&self) -> (String, String, String) {
        let (before, rest) = self.text.split_at(self.at.start);
        let (place, after) = rest.split_at(self.at.len());
        let start = before.char_indices().rev().nth(AROUND - 1).map_or(0, |(start, _)| start);
        let cut = |text: &str| match text.char_indices().nth(AROUND) {
            Some((end, _)) => format!("{}…", escape(&text[..end])),
            None => escape(text).into_owned(),
        };
        let ellipsis = if start > 0 { "…" } else { "" };
        let shown = cut(place);
        let after = if shown.ends_with('…') { String::new() } else { cut(after) };
        (format!("{ellipsis}{}", escape(&before[start..])), shown, after)
    }
}

/// On one line.
impl fmt::Display for ParseExpectationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, place, after) = self.parts();
        let character = self.text[..self.at.start].chars().count() + 1;
        write!(f, "the expectation `{before}{place}{after}` is wrong at character {character}: {}", self.message)
    }
}

impl std::error::Error for ParseExpectationError {}
