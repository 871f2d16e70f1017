//! The report of records: one of the formats, onto one output.

use std::fmt;
use std::io;

use super::{Output, Report};
use crate::model::Record;

/// One format. Renders into memory, so that only the output can fail half-way.
pub(super) trait Render: Send {
    /// Appends what comes before the first record.
    fn head(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let _ = buffer;
        Ok(())
    }

    /// Appends one record. Where it gives an error, what it appended is taken away again.
    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()>;

    /// Hears that the run was stopped, and how.
    fn stopped_early(&mut self, how: &str) {
        let _ = how;
    }

    /// Appends what comes after the last record.
    fn tail(&mut self, buffer: &mut Vec<u8>) {
        let _ = buffer;
    }
}

/// Every record, in one format.
pub(super) struct Records<R> {
    output: Output,
    render: R,
    has_head: bool,
}

impl<R: Render> Records<R> {
    pub(super) fn new(output: Output, render: R) -> Self {
        Self { output, render, has_head: false }
    }

    fn head(&mut self) -> io::Result<()> {
        if self.has_head {
            return Ok(());
        }
        self.has_head = true;
        self.output.unit(|buffer| self.render.head(buffer))
    }

    /// Closes an output that failed and could be cut, so that it is valid as it is.
    fn close_if_failed(&mut self, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() {
            let mut tail = Vec::new();
            self.render.tail(&mut tail);
            self.output.close_after_failure(&tail);
        }
        result
    }
}

impl<R: Render> Report for Records<R> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let result = self.head().and_then(|()| self.output.unit(|buffer| self.render.record(record, buffer)));
        self.close_if_failed(result)
    }

    fn is_full(&self) -> bool {
        self.output.is_full()
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.output.flush();
        self.close_if_failed(result)
    }

    fn stopped_early(&mut self, how: &str) {
        self.render.stopped_early(how);
    }

    fn finish(&mut self) -> io::Result<()> {
        let result = self.head().and_then(|()| {
            self.output.unit(|buffer| {
                self.render.tail(buffer);
                Ok(())
            })?;
            self.output.finish()
        });
        self.close_if_failed(result)
    }
}

impl<R> fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("output", &self.output).finish_non_exhaustive()
    }
}
