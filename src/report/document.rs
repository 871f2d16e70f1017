//! Reports that begin with figures of the whole run, and so can be written only when it is over.

use std::fmt;
use std::io::{self, Write};

use super::{Output, Report};
use crate::model::Record;

/// What a document is made of.
pub(super) trait Draft: Send {
    /// Takes a record, of which it keeps what it needs.
    fn record(&mut self, record: &Record) -> io::Result<()>;

    /// Hears that the run was stopped, and how.
    fn stopped_early(&mut self, how: &str) {
        let _ = how;
    }

    /// Writes all of it.
    fn write(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// A report that is written at the end: all of it or, as far as the target allows, nothing.
pub(super) struct Document<D> {
    output: Output,
    draft: D,
}

impl<D: Draft> Document<D> {
    pub(super) fn new(output: Output, draft: D) -> Self {
        Self { output, draft }
    }
}

impl<D: Draft> Report for Document<D> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.draft.record(record)
    }

    fn is_full(&self) -> bool {
        false
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn stopped_early(&mut self, how: &str) {
        self.draft.stopped_early(how);
    }

    fn finish(&mut self) -> io::Result<()> {
        self.output.document(|out| self.draft.write(out))
    }
}

impl<D> fmt::Debug for Document<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("output", &self.output).finish_non_exhaustive()
    }
}
