//! Tables: csv and tsv with a header, a record of it on one line or, in quotes, on several (RFC 4180).
//!
//! Lines come one by one as in every format, so that reading, its limits and its counting are the same for all.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::asked::{Defaults, bad, malformed};
use super::error::InputError;
use super::jsonl;
use super::lines::LINE_LIMIT;
use super::shown::{self, kept_bytes};
use crate::model::{Failure, FailureKind, Job};

/// Most columns of a table.
const MOST_COLUMNS: usize = 1024;

/// A table that is being read.
pub(super) struct Table {
    reader: Reader,
    /// Known from the first record on.
    columns: Option<Vec<Column>>,
    /// The line on which the current record began; `None` between records.
    start: Option<u64>,
    /// The record as far as it has come: its text without quotes, and where its fields end in it.
    text: Vec<u8>,
    text_length: usize,
    ends: Vec<usize>,
    fields: usize,
    /// As much of its first line as is shown if it is bad.
    first_line: Vec<u8>,
}

/// What a column is for.
struct Column {
    /// The field of a line in jsonl that it stands for.
    field: String,
    /// Whether it is carried into the record although a field of that name means something.
    is_carried: bool,
}

/// What a line brings.
pub(super) enum Row {
    /// Nothing yet: it is the header, or its record goes on.
    Open,
    /// The job of the record that began on this line.
    Job(u64, Box<Job>),
}

impl Table {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            columns: None,
            start: None,
            text: vec![0; LINE_LIMIT],
            text_length: 0,
            ends: vec![0; MOST_COLUMNS],
            fields: 0,
            first_line: Vec::new(),
        }
    }

    /// Whether a record has begun and not ended, so that the next line belongs to it.
    pub(super) fn is_open(&self) -> bool {
        self.start.is_some()
    }

    /// Whether the header is known, and has a column of one of these fields.
    pub(super) fn has_column(&self, fields: &[&str]) -> Option<bool> {
        let columns = self.columns.as_ref()?;
        Some(columns.iter().any(|column| fields.contains(&column.field.as_str())))
    }

    /// Takes the next line, without its line feed.
    pub(super) fn take(
        &mut self,
        number: u64,
        line: &[u8],
        source: &str,
        defaults: &Defaults<'_>,
    ) -> Result<Row, InputError> {
        let start = *self.start.get_or_insert(number);
        if start == number {
            self.first_line = line[..line.len().min(1024)].to_vec();
        }
        for input in [line, b"\n"] {
            match self.feed(input) {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
                ReadRecordResult::Record => return self.record(start, source, defaults),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Ok(Row::Job(start, Box::new(self.too_long())));
                }
            }
        }
        Ok(Row::Open)
    }

    /// The job of a record that the input ended in, if one has begun.
    pub(super) fn finish(&mut self) -> Option<(u64, Job)> {
        let start = self.start?;
        Some((
            start,
            self.give_up(malformed("the record does not end: a `\"` that begins a field has no other to end it")),
        ))
    }

    /// The job of the record, a line of which is too long.
    pub(super) fn too_long(&mut self) -> Job {
        let message = format!(
            "the record has more than {LINE_LIMIT} bytes or {MOST_COLUMNS} fields; a `\"` may be missing that ends a field"
        );
        self.give_up(Failure::new(FailureKind::InputTooLong, message))
    }

    fn feed(&mut self, mut input: &[u8]) -> ReadRecordResult {
        loop {
            let (text, ends) = (&mut self.text[self.text_length..], &mut self.ends[self.fields..]);
            let (result, read, written, fields) = self.reader.read_record(input, text, ends);
            input = &input[read..];
            self.text_length += written;
            self.fields += fields;
            // Of a record that ends before the line feed, only that is left.
            if !matches!(result, ReadRecordResult::InputEmpty) || input.is_empty() {
                return result;
            }
        }
    }

    fn give_up(&mut self, failure: Failure) -> Job {
        self.reader.reset();
        self.reset();
        bad(kept_bytes(self.first_line.trim_ascii()), failure)
    }

    fn reset(&mut self) {
        (self.start, self.text_length, self.fields) = (None, 0, 0);
    }

    /// The record that has just ended.
    fn record(&mut self, start: u64, source: &str, defaults: &Defaults<'_>) -> Result<Row, InputError> {
        let text = std::mem::take(&mut self.text);
        let (fields, length) = (self.fields, self.text_length);
        self.reset();
        let mut from = 0;
        let values: Vec<&[u8]> =
            self.ends[..fields].iter().map(|&end| &text[std::mem::replace(&mut from, end)..end]).collect();
        let row = match &self.columns {
            None => self.header(&values, source, defaults.url_column()).map(|()| Row::Open),
            Some(columns) => {
                let job = job(columns, &values, defaults)
                    .unwrap_or_else(|failure| bad(kept_bytes(self.first_line.trim_ascii()), failure));
                Ok(Row::Job(start, Box::new(job)))
            }
        };
        debug_assert!(length <= text.len());
        self.text = text;
        row
    }

    fn header(&mut self, names: &[&[u8]], source: &str, url_column: &str) -> Result<(), InputError> {
        let wrong = |problem: String| InputError::Header { name: shown::name(source), problem };
        let names = names.iter().map(|name| std::str::from_utf8(name).map(str::trim));
        let names: Vec<&str> = names.collect::<Result<_, _>>().map_err(|_| wrong("is not UTF-8".to_owned()))?;
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) && !name.is_empty() {
                return Err(wrong(format!("has two columns {}; each needs a name of its own", shown::quoted(name))));
            }
        }
        if !names.contains(&url_column) {
            let seen: Vec<_> = names.iter().take(20).map(|name| shown::quoted(name)).collect();
            return Err(wrong(format!(
                "has no column {}; it has {}; --url-column names the one with the URLs",
                shown::quoted(url_column),
                seen.join(", ")
            )));
        }
        // Where another column has the URLs, that called `url` is one like any other.
        let columns = names.iter().map(|&name| {
            let field = if name == url_column { "url" } else { name };
            Column { field: field.to_owned(), is_carried: name == "url" && name != url_column }
        });
        self.columns = Some(columns.collect());
        Ok(())
    }
}

/// The job of one record.
fn job(columns: &[Column], values: &[&[u8]], defaults: &Defaults<'_>) -> Result<Job, Failure> {
    if values.len() != columns.len() {
        let (fields, expected) = (values.len(), columns.len());
        return Err(malformed(format!("the record has {fields} fields and the header {expected}; as many are right")));
    }
    let mut row = Vec::with_capacity(values.len());
    for (column, value) in columns.iter().zip(values) {
        let name = shown::quoted(&column.field);
        let text = std::str::from_utf8(value)
            .map_err(|_| Failure::new(FailureKind::InputInvalidUtf8, format!("the field {name} is not UTF-8")))?;
        if text.contains('\0') {
            return Err(Failure::new(FailureKind::InputNul, format!("there is a NUL in the field {name}")));
        }
        if !text.is_empty() {
            row.push((column.field.as_str(), column.is_carried, text));
        }
    }
    Ok(jsonl::row(&row, defaults))
}

/// Whether a first line is the header of a table, and with which delimiter.
pub(super) fn delimiter(first_line: &[u8], url_column: &str) -> Option<u8> {
    let is_header = |delimiter: &u8| {
        let names = first_line.split(|byte| byte == delimiter).map(<[u8]>::trim_ascii);
        let mut names =
            names.map(|name| name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name));
        first_line.contains(delimiter) && names.any(|name| name == url_column.as_bytes())
    };
    [b',', b'\t'].into_iter().find(is_header)
}
