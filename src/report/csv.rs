//! CSV and TSV: a header line, then one row a record.
//!
//! Absent fields and null are empty cells; what is no plain value is compact JSON in its cell. Rows end with `\n`.
//! CSV quotes as RFC 4180 does, so a row may have line breaks within quotes. TSV has one line a row, for `cut`, `sort` and
//! the like: in its cells a tab, a line break and a backslash are written `\t`, `\n`, `\r`, `\\`.

use std::borrow::Cow;
use std::io;

use ::csv::{Terminator, WriterBuilder};

use super::cell::Cell;
use super::escape;
use super::records::Render;
use crate::model::{Field, Record};

/// What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
const FORMULA_BEGINS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Rows of cells.
pub(super) struct Csv {
    fields: Vec<Field>,
    builder: WriterBuilder,
    /// Whether this is TSV.
    one_line: bool,
    /// Whether text cells are left as they are, even where a spreadsheet would run them.
    raw: bool,
    /// Whether a terminal reads this, so that nothing in a cell may act on it.
    on_terminal: bool,
}

impl Csv {
    pub(super) fn new(delimiter: u8, fields: Option<Vec<Field>>, raw: bool, on_terminal: bool) -> Self {
        let mut builder = WriterBuilder::new();
        builder.delimiter(delimiter).terminator(Terminator::Any(b'\n')).buffer_capacity(1024);
        let fields = fields.unwrap_or_else(|| Field::ALL.to_vec());
        Self { fields, builder, one_line: delimiter == b'\t', raw, on_terminal }
    }

    fn text<'a>(&self, cell: &'a Cell<'_>) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(cell.as_str());
        if !self.raw && matches!(cell, Cell::Text(text) if text.starts_with(FORMULA_BEGINS)) {
            text = format!("'{text}").into();
        }
        if self.one_line && text.contains(['\\', '\t', '\n', '\r']) {
            text = text.replace('\\', r"\\").replace('\t', r"\t").replace('\n', r"\n").replace('\r', r"\r").into();
        }
        if self.on_terminal {
            text = escape(&text).into_owned().into();
        }
        text
    }
}

impl Render for Csv {
    fn head(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut row = self.builder.from_writer(buffer);
        row.write_record(self.fields.iter().map(|field| field.name()))?;
        row.flush()
    }

    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut row = self.builder.from_writer(buffer);
        for &field in &self.fields {
            let cell = Cell::of(record, field)?;
            row.write_field(self.text(&cell).as_ref())?;
        }
        row.write_record(None::<&[u8]>)?;
        row.flush()
    }
}
