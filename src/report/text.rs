//! Text: one aligned line a record, for people.

use std::io;

use super::Style;
use super::cell::Cell;
use super::escape;
use super::fit::{columns, shorten_end, shorten_middle};
use super::records::Render;
use super::style::Tone;
use super::units::{plural, size, time};
use crate::model::{ExchangeRecord, Field, Record, RetryStop, Verdict};

/// Columns before the URL: glyph, status, time, size, and the gaps between them.
const BEFORE_URL: usize = 26;

/// Where notes begin, in columns from the start of the URL, while URLs are shorter than that.
const NOTE_AT: usize = 41;

/// Between a URL and its note.
const GAP: usize = 2;

/// Lines for people: `✓ 200    84ms    1.2 KiB  https://api.example.com/users`.
///
/// The time is `time_total`, the size is `size_download`, bytes on the wire.
pub(super) struct Text {
    pub(super) style: Style,
    /// Only these, one after the other, after the glyph of the verdict.
    pub(super) fields: Option<Vec<Field>>,
}

impl Render for Text {
    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        let line = match &self.fields {
            None => self.line(record),
            Some(fields) => self.chosen(record, fields)?,
        };
        buffer.extend_from_slice(line.as_bytes());
        buffer.push(b'\n');
        Ok(())
    }
}

impl Text {
    fn line(&self, record: &Record) -> String {
        let style = &self.style;
        let status = record.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
        let verdict = style.paint(record.verdict.into(), format_args!("{} {status:>3}", style.glyph(record.verdict)));
        let taken = record.time_total.map_or_else(|| "-".to_owned(), time);
        let size = record.size_download.map_or_else(|| "-".to_owned(), size);
        let method = match record.method.as_str() {
            "" | "GET" => String::new(),
            method => format!("{method} "),
        };
        let (url, gap, note) = self.fit(&escape(&method), &escape(&record.url), &notes(record, style));
        let tone = if record.verdict == Verdict::Failed { Tone::Bad } else { Tone::Faint };
        let note = if note.is_empty() { note } else { style.paint(tone, note) };
        format!("{verdict}{taken:>8}{size:>11}  {url}{:gap$}{note}", "")
    }

    /// Method and URL, gap and note, in what is left of the terminal's width.
    ///
    /// What can be guessed goes first: the scheme, the details of the note, the middle of the URL.
    fn fit(&self, method: &str, url: &str, notes: &Notes) -> (String, usize, String) {
        let style = &self.style;
        let room = style.width.map_or(usize::MAX, |width| width.saturating_sub(BEFORE_URL).max(10));
        let whole = format!("{method}{url}");
        let bare = format!("{method}{}", url.split_once("://").map_or(url, |(_, rest)| rest));
        for (url, note) in [(&whole, &notes.full), (&bare, &notes.full), (&whole, &notes.brief), (&bare, &notes.brief)]
        {
            let gap = gap(columns(url), columns(note), room);
            if columns(url) + gap + columns(note) <= room {
                return (url.clone(), gap, note.clone());
            }
        }
        let note = shorten_end(&notes.brief, room * 3 / 5, style);
        let gap = if note.is_empty() { 0 } else { GAP };
        (shorten_middle(&bare, room - gap - columns(&note), style), gap, note)
    }

    fn chosen(&self, record: &Record, fields: &[Field]) -> io::Result<String> {
        let mut line = String::new();
        for &field in fields {
            let cell = Cell::of(record, field)?;
            let shown = if matches!(cell, Cell::Empty) { "-".into() } else { escape(cell.as_str()) };
            line.push_str("  ");
            line.push_str(&shown);
        }
        let room = self.style.width.map_or(usize::MAX, |width| width.saturating_sub(1).max(10));
        let verdict = self.style.paint(record.verdict.into(), self.style.glyph(record.verdict));
        Ok(format!("{verdict}{}", shorten_end(&line, room, &self.style)))
    }
}

/// Columns between a URL and its note, so that notes stand below each other where there is room for that.
fn gap(url: usize, note: usize, room: usize) -> usize {
    if note == 0 {
        return 0;
    }
    NOTE_AT.min(room.saturating_sub(note)).saturating_sub(url).max(GAP)
}

/// What is worth knowing besides status, time, size and URL.
struct Notes {
    full: String,
    /// Without what a kind says already.
    brief: String,
}

fn notes(record: &Record, style: &Style) -> Notes {
    let (mut full, mut brief) = (Vec::new(), Vec::new());
    if let Some(standing) = record.baseline {
        full.push(standing.name().to_owned());
        brief.push(standing.name().to_owned());
    }
    if !record.attempts.is_empty() {
        let outcomes: Vec<String> = record.attempts.iter().map(outcome).collect();
        let attempts = plural(outcomes.len() as u64, "attempt");
        full.push(format!("{attempts}: {}", outcomes.join(", ")));
        brief.extend(record.error.as_ref().map(|error| error.kind.to_string()));
        brief.push(attempts);
    } else if let Some(error) = &record.error {
        full.push(error.to_string());
        brief.push(error.kind.to_string());
    }
    full.extend(record.failed.iter().cloned());
    match record.failed.as_slice() {
        [] => {}
        [only] => brief.push(only.clone()),
        [first, others @ ..] => brief.push(format!("{first} (and {} more)", others.len())),
    }
    if record.num_redirects > 0 {
        let redirects = plural(record.num_redirects.into(), "redirect");
        full.push(redirects.clone());
        brief.push(redirects);
    }
    match (record.retry_stopped_by, record.retry_after) {
        (None | Some(RetryStop::Attempts), _) => {}
        (Some(RetryStop::MaxRetryAfter), Some(wait)) => full.push(format!("no retry: asked to wait {}", time(wait))),
        (Some(stop), _) => full.push(format!("no retry: {}", stop.name())),
    }
    let [full, brief] = [full, brief].map(|notes| escape(&notes.join(style.separator())).into_owned());
    Notes { full, brief }
}

/// What an attempt brought: the kind of its failure, else its status.
fn outcome(attempt: &ExchangeRecord) -> String {
    match (&attempt.error, attempt.status) {
        (Some(error), _) => error.kind.to_string(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "-".to_owned(),
    }
}
