//! One source after the other, line by line, into the sink.

use std::io::Read;
use std::sync::Arc;

use super::asked::{Asked, Defaults, bad};
use super::error::InputError;
use super::format::Hint;
use super::lines::{LINE_LIMIT, Line, Lines};
use super::options::{InputFormat, InputOptions, Source};
use super::shown::{self, is_harmless, kept_bytes};
use super::stream::{End, Sink};
use super::{jsonl, source, text};
use crate::model::{Failure, FailureKind, Job, Place};

/// Reads all sources; the first that cannot be read on ends it.
pub(super) fn read_all(sources: &[Source], options: &InputOptions, sink: &mut Sink) -> Result<(), End> {
    let defaults = Defaults::new(&options.template);
    for source in sources {
        match source {
            Source::Url(url) => sink.push(defaults.job(Asked { url: url.into(), ..Asked::default() }))?,
            Source::Stdin => {
                sink.flush()?;
                let hint = options.format.map_or(Hint::None, Hint::Certain);
                read_lines(source::open_stdin()?, "-", hint, &defaults, sink)?;
            }
            Source::File(path) => {
                // Opening a pipe waits for its writer.
                sink.flush()?;
                let hint = source::hint(path, options.format)?;
                read_lines(source::open(path)?, &path.to_string_lossy(), hint, &defaults, sink)?;
            }
        }
    }
    Ok(())
}

/// Makes a job of every line of one source. All that is whole is passed on before a read that may block.
pub(super) fn read_lines(
    reader: impl Read,
    name: &str,
    hint: Hint,
    defaults: &Defaults<'_>,
    sink: &mut Sink,
) -> Result<(), End> {
    let mut lines = Lines::new(reader);
    let mut parser = Parser { source: name.into(), hint, format: None, defaults };
    loop {
        while let Some((number, line)) = lines.buffered() {
            sink.count_line();
            if let Some(job) = parser.job(number, line)? {
                sink.push(job)?;
            }
        }
        if lines.has_ended() {
            return Ok(());
        }
        sink.flush()?;
        lines.fill().map_err(|error| InputError::Broken { name: shown::name(name), line: lines.number(), error })?;
    }
}

/// Makes jobs of the lines of one source.
struct Parser<'a> {
    source: Arc<str>,
    hint: Hint,
    /// Known from the first line on that is not blank.
    format: Option<InputFormat>,
    defaults: &'a Defaults<'a>,
}

impl Parser<'_> {
    /// The job of one line; none if it is blank or a comment.
    fn job(&mut self, number: u64, line: Line<'_>) -> Result<Option<Job>, InputError> {
        let mut start = line.start();
        if number == 1 {
            source::check_encoding(start, &self.source)?;
            start = source::without_bom(start);
        }
        let trimmed = start.trim_ascii();
        let is_whole = matches!(line, Line::Whole(_));
        if trimmed.is_empty() && is_whole {
            return Ok(None);
        }
        let format = match self.format {
            Some(format) => format,
            None => *self.format.insert(self.hint.settle(trimmed, &self.source)?),
        };
        if format == InputFormat::Text && text::is_comment(start) {
            return Ok(None);
        }
        let mut job = match line {
            Line::Whole(_) => parse(trimmed, format, self.defaults),
            Line::TooLong { length, .. } => {
                let message = format!("the line has {length} bytes; at most {LINE_LIMIT} make a line");
                // What was cut off may have the `@` after a password.
                bad(kept_bytes(&[trimmed, b"@"].concat()), Failure::new(FailureKind::InputTooLong, message))
            }
        };
        job.place = Some(Place { source: Arc::clone(&self.source), line: number });
        Ok(Some(job))
    }
}

/// The job of a line that is neither blank nor a comment, without the spaces around it.
fn parse(line: &[u8], format: InputFormat, defaults: &Defaults<'_>) -> Job {
    if let Some(at) = memchr::memchr(0, line) {
        let message = format!("byte {} of the line is NUL; a list is text in UTF-8", at + 1);
        return bad(kept_bytes(line), Failure::new(FailureKind::InputNul, message));
    }
    match (std::str::from_utf8(line), format) {
        (Ok(line), InputFormat::Text) => text::job(line, defaults),
        (Ok(line), InputFormat::Jsonl) => jsonl::job(line, defaults),
        (Err(error), _) => not_utf8(line, error.valid_up_to()),
    }
}

fn not_utf8(line: &[u8], at: usize) -> Job {
    let message = format!(
        "byte {} of the line, 0x{:02X}, is not UTF-8; convert the list, for example with `iconv -f ISO-8859-1 -t UTF-8`",
        at + 1,
        line[at]
    );
    let mut job = bad(kept_bytes(line), Failure::new(FailureKind::InputInvalidUtf8, message));
    if let Err(bad) = &mut job.request
        && is_harmless(line)
    {
        bad.raw = Some(bytes::Bytes::copy_from_slice(line));
    }
    job
}
