//! NDJSON: one JSON object a line.

use std::io;

use super::object::write_object;
use super::records::Render;
use crate::model::{Field, Record};

/// One JSON object a line; see `fixtures/record.schema.json`.
pub(super) struct Ndjson {
    pub(super) fields: Option<Vec<Field>>,
}

impl Render for Ndjson {
    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        write_object(record, self.fields.as_deref(), buffer)?;
        buffer.push(b'\n');
        Ok(())
    }
}
