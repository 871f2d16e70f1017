//! Tests of text: that of a header's value, or a body.

use regex::bytes::{Regex, RegexBuilder};

/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// What a text should be, or not be.
#[derive(Debug, Clone)]
pub(super) struct TextTest {
    pub(super) kind: TextTestKind,
    pub(super) negated: bool,
}

#[derive(Debug, Clone)]
pub(super) enum TextTestKind {
    Exists,
    Is(Box<str>),
    Contains(Box<str>),
    Matches(Regex),
}

impl TextTest {
    /// Whether one of `texts` is as it should be; negated, whether none is.
    pub(super) fn holds<'a>(&self, mut texts: impl Iterator<Item = &'a [u8]>) -> bool {
        texts.any(|text| self.kind.is_met(text)) != self.negated
    }
}

impl TextTestKind {
    fn is_met(&self, text: &[u8]) -> bool {
        match self {
            Self::Exists => true,
            Self::Is(expected) => text == expected.as_bytes(),
            Self::Contains(part) => memchr::memmem::find(text, part.as_bytes()).is_some(),
            Self::Matches(pattern) => pattern.is_match(text),
        }
    }
}

/// Compiles a pattern; the error is on one line.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT).build().map_err(|error| match error
    {
        regex::Error::CompiledTooBig(_) => "the pattern would take too much memory; make it smaller".to_owned(),
        // Its last line says what is wrong; those before draw the pattern.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("this is not a regular expression: {}", last.trim_start_matches("error: "))
        }
    })
}
