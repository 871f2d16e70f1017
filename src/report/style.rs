//! How text for people looks: colours, glyphs, width.

use std::fmt;

use crate::model::Verdict;

/// How text for people looks. Found out by the command line (`--color`, `NO_COLOR`, `TERM`, locale, window), never here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are written.
    pub color: bool,
    /// Whether characters outside ASCII are written where this program has the choice.
    pub unicode: bool,
    /// Columns of the terminal; `None`: it is not a terminal, and nothing is shortened.
    pub width: Option<usize>,
}

/// For a file or a pipe.
impl Default for Style {
    fn default() -> Self {
        Self { color: false, unicode: true, width: None }
    }
}

/// What a piece of text tells by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Doubtful,
    Bad,
    Faint,
}

impl From<Verdict> for Tone {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Good,
            Verdict::Flaky => Self::Doubtful,
            Verdict::Failed => Self::Bad,
        }
    }
}

impl Style {
    pub(super) fn paint(&self, tone: Tone, text: impl fmt::Display) -> String {
        if !self.color {
            return text.to_string();
        }
        // Forced, so that `console` does not look at the environment for itself.
        let styled = console::style(text).force_styling(true);
        let styled = match tone {
            Tone::Good => styled.green(),
            Tone::Doubtful => styled.yellow(),
            Tone::Bad => styled.red(),
            Tone::Faint => styled.dim(),
        };
        styled.to_string()
    }

    pub(super) const fn glyph(&self, verdict: Verdict) -> &'static str {
        match (verdict, self.unicode) {
            (Verdict::Ok, true) => "✓",
            (Verdict::Ok, false) => "+",
            (Verdict::Flaky, _) => "~",
            (Verdict::Failed, true) => "✗",
            (Verdict::Failed, false) => "x",
        }
    }

    pub(super) const fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// Between the parts of a line.
    pub(super) const fn separator(&self) -> &'static str {
        if self.unicode { " · " } else { " | " }
    }

    /// Before a number of times.
    pub(super) const fn times(&self) -> &'static str {
        if self.unicode { "×" } else { "x" }
    }
}
