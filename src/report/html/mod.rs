//! HTML: one page that needs nothing but itself, to look at a run in a browser.
//!
//! The records stand in the page as compact JSON (`row`), a line each, written as they come; the scripts in `page/` draw
//! everything from them. What a browser without scripts shows is at the end (`plain`). Nothing is inserted as markup, and
//! a policy in the page (`page`) keeps it from loading or running anything else.

mod page;
mod plain;
mod row;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use super::records::{Records, Render};
use super::{Output, Report};
use crate::model::{FlakyRule, Record};
use plain::Plain;

/// A report of all records as one HTML page: verdicts, a waterfall of the run, latencies, hosts. No bodies, no headers.
///
/// `title` is what was fetched, such as the name of the list, and `rule` says what a flaky line is. The memory of the report does not grow with the records, and
/// long texts, many hops and attempts are cut in the page. As with all reports, secrets must be redacted in the records.
pub fn html(output: Output, title: &str, rule: FlakyRule) -> Box<dyn Report> {
    Box::new(Records::new(output, Html::new(title, rule)))
}

/// The page, as far as it is written.
struct Html {
    title: String,
    rule: FlakyRule,
    /// The source of the record before.
    source: Option<Arc<str>>,
    is_empty: bool,
    plain: Plain,
}

impl Html {
    fn new(title: &str, rule: FlakyRule) -> Self {
        Self { title: title.to_owned(), rule, source: None, is_empty: true, plain: Plain::default() }
    }
}

impl Render for Html {
    fn head(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.extend_from_slice(page::head(&self.title).as_bytes());
        Ok(())
    }

    /// The comma stands before a row, so that the page can be closed after any number of them.
    fn record(&mut self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.extend_from_slice(if self.is_empty { b"\n" } else { b",\n" });
        let source = record.source.as_deref().filter(|&source| self.source.as_deref() != Some(source));
        row::write(record, self.rule, source, buffer)?;
        self.is_empty = false;
        self.source.clone_from(&record.source);
        self.plain.add(record, self.rule);
        Ok(())
    }

    fn tail(&mut self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(page::tail(&self.plain.render()).as_bytes());
    }
}
