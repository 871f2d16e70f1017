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
use super::table::{Row, Table};
use super::{jsonl, source, text};
use crate::model::{Failure, FailureKind, Job, Place};

/// Reads all sources; the first that cannot be read on ends it.
pub(super) fn read_all(sources: &[Source], options: &InputOptions, sink: &mut Sink) -> Result<(), End> {
    let defaults = Defaults::new(options);
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
                let hint = source::hint(path, options.format);
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
    let mut parser = Parser::new(name, hint, defaults);
    loop {
        while let Some((number, line)) = lines.buffered() {
            sink.count_line();
            if let Some(job) = parser.job(number, line)? {
                sink.push(job)?;
            }
        }
        if lines.has_ended() {
            return parser.finish().map_or(Ok(()), |job| sink.push(job));
        }
        sink.flush()?;
        lines.fill().map_err(|error| InputError::Broken { name: shown::name(name), line: lines.number(), error })?;
    }
}

/// Makes jobs of the lines of one source.
pub(super) struct Parser<'a> {
    source: Arc<str>,
    hint: Hint,
    /// Known from the first line on that is not blank.
    form: Option<Form>,
    defaults: &'a Defaults<'a>,
}

/// The form of the lines.
enum Form {
    Text,
    Jsonl,
    Table(Box<Table>),
}

impl From<InputFormat> for Form {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Text => Self::Text,
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Csv => Self::Table(Box::new(Table::new(b','))),
            InputFormat::Tsv => Self::Table(Box::new(Table::new(b'\t'))),
        }
    }
}

impl<'a> Parser<'a> {
    pub(super) fn new(source: &str, hint: Hint, defaults: &'a Defaults<'a>) -> Self {
        Self { source: source.into(), hint, form: None, defaults }
    }

    /// The job of one line; none if it is blank or a comment, or its record goes on.
    fn job(&mut self, number: u64, line: Line<'_>) -> Result<Option<Job>, InputError> {
        let Some(start) = self.begin(number, line)? else { return Ok(None) };
        let trimmed = start.trim_ascii();
        let form = self.form.as_mut().expect("it is known when a line is not blank");
        let (number, mut job) = match (form, line) {
            (Form::Table(table), Line::Whole(_)) => match table.take(number, start, &self.source, self.defaults)? {
                Row::Open => return Ok(None),
                Row::Job(start, job) => (start, *job),
            },
            (Form::Table(table), Line::TooLong { .. }) => {
                if table.has_column(&[]).is_none() {
                    let problem = format!("is longer than {LINE_LIMIT} bytes");
                    return Err(InputError::Header { name: shown::name(&self.source), problem });
                }
                (number, table.too_long())
            }
            (_, Line::TooLong { length, .. }) => (number, too_long(trimmed, length)),
            (Form::Text, Line::Whole(_)) => (number, parse(trimmed, text::job, self.defaults)),
            (Form::Jsonl, Line::Whole(_)) => (number, parse(trimmed, jsonl::job, self.defaults)),
        };
        job.place = Some(Place { source: Arc::clone(&self.source), line: number });
        Ok(Some(job))
    }

    /// The job of what is left when the source has ended.
    fn finish(&mut self) -> Option<Job> {
        let Some(Form::Table(table)) = &mut self.form else { return None };
        let (line, mut job) = table.finish()?;
        job.place = Some(Place { source: Arc::clone(&self.source), line });
        Some(job)
    }

    /// Looks at one line for what a person must put right, and gives the number of the line where it began; `None` if no
    /// other line needs to be looked at. Lines without expectations and variables are passed over.
    pub(super) fn look(&mut self, number: u64, line: Line<'_>) -> Result<Option<u64>, InputError> {
        let Some(start) = self.begin(number, line)? else { return Ok(Some(number)) };
        if let (Some(Form::Text | Form::Jsonl), Line::TooLong { .. }) = (&self.form, line) {
            return Ok(Some(number));
        }
        let trimmed = start.trim_ascii();
        match self.form.as_ref().expect("it is known when a line is not blank") {
            Form::Text if memchr::memchr(b' ', trimmed).is_none() => Ok(Some(number)),
            Form::Text => {
                if let Ok(trimmed) = std::str::from_utf8(trimmed) {
                    // What is wrong with the rest of the line is told by its record.
                    let _ = text::parse(trimmed, self.defaults);
                }
                Ok(Some(number))
            }
            Form::Jsonl => {
                let has = |part: &[u8]| memchr::memmem::find(trimmed, part).is_some();
                if has(b"\"expect\"") || has(b"${") {
                    parse(trimmed, jsonl::job, self.defaults);
                }
                Ok(Some(number))
            }
            Form::Table(_) => {
                let place = self.job(number, line)?.and_then(|job| job.place).map_or(number, |place| place.line);
                let Some(Form::Table(table)) = &self.form else { return Ok(Some(place)) };
                Ok(Some(place).filter(|_| table.has_column(&["expect", "headers", "body"]) != Some(false)))
            }
        }
    }

    /// The line without a byte order mark, when its form is known; `None` if it is blank or a comment.
    fn begin<'l>(&mut self, number: u64, line: Line<'l>) -> Result<Option<&'l [u8]>, InputError> {
        let mut start = line.start();
        if number == 1 {
            source::check_encoding(start, &self.source)?;
            start = source::without_bom(start);
        }
        let trimmed = start.trim_ascii();
        if trimmed.is_empty() && matches!(line, Line::Whole(_)) {
            let goes_on = matches!(&self.form, Some(Form::Table(table)) if table.is_open());
            return Ok(goes_on.then_some(start));
        }
        let form = if let Some(form) = &self.form {
            form
        } else {
            let format = self.hint.settle(trimmed, &self.source, self.defaults.url_column())?;
            self.form.insert(format.into())
        };
        let is_comment = matches!(form, Form::Text) && text::is_comment(start);
        Ok((!is_comment).then_some(start))
    }
}

fn too_long(line: &[u8], length: u64) -> Job {
    let message = format!("the line has {length} bytes; at most {LINE_LIMIT} make a line");
    // What was cut off may have the `@` after a password.
    bad(kept_bytes(&[line, b"@"].concat()), Failure::new(FailureKind::InputTooLong, message))
}

/// The job of a line that is neither blank nor a comment, without the spaces around it.
fn parse(line: &[u8], job: fn(&str, &Defaults<'_>) -> Job, defaults: &Defaults<'_>) -> Job {
    if let Some(at) = memchr::memchr(0, line) {
        let message = format!("byte {} of the line is NUL; a list is text in UTF-8", at + 1);
        return bad(kept_bytes(line), Failure::new(FailureKind::InputNul, message));
    }
    match std::str::from_utf8(line) {
        Ok(line) => job(line, defaults),
        Err(error) => not_utf8(line, error.valid_up_to()),
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
