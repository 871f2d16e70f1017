//! Records to bytes: one file a format, the terminal, the summary, progress. Sees nothing but records.

use std::io;

use crate::model::Record;

/// Takes records in the order in which they come out.
pub trait Report {
    /// Takes one record.
    fn record(&mut self, record: &Record) -> io::Result<()>;

    /// Makes everything taken so far visible to the reader.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes what comes after the last record.
    fn finish(&mut self) -> io::Result<()>;
}

/// The form of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// Tab-separated values with a header line.
    Tsv,
    /// Lines for people.
    Text,
}
