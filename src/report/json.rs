//! JSON: one array, each record on its own line.

use std::io;

use super::object::write_object;
use super::records::Render;
use crate::model::{Field, Record};

/// One array of all records.
///
/// The comma stands before a record, not after it, so that the output can be closed after any number of records.
pub(super) struct Json {
    fields: Option<Vec<Field>>,
    is_empty: bool,
}

impl Json {
    pub(super) fn new(fields: Option<Vec<Field>>) -> Self {
        Self { fields, is_empty: true }
    }
}

impl Render for Json {
    fn head(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.push(b'[');
        Ok(())
    }

    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.extend_from_slice(if self.is_empty { b"\n" } else { b",\n" });
        write_object(record, self.fields.as_deref(), buffer)?;
        self.is_empty = false;
        Ok(())
    }

    fn tail(&mut self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(if self.is_empty { b"]\n" } else { b"\n]\n" });
    }
}
