//! What the input can be told.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

/// Where lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, read as a stream; `.gz` and `.zst` are unpacked.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// One URL, given as an argument.
    Url(String),
}

/// The form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFormat {
    /// `URL` or `METHOD URL` on a line, `#` comments.
    Text,
    /// One JSON object on a line.
    Jsonl,
}

/// How lines become jobs.
#[derive(Debug, Clone, Default)]
pub struct InputOptions {
    /// The form of all lines; `None`: found by name and first byte of each source.
    pub format: Option<InputFormat>,
    /// What a line that does not set its own asks for.
    pub template: Template,
}

/// What a line that does not set its own asks for.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// The method; `None`: GET, or POST where there is a body.
    pub method: Option<Method>,
    /// Header fields of every request; a line's own field of the same name replaces them.
    pub headers: Arc<HeaderMap>,
    /// The body.
    pub body: Option<Bytes>,
    /// What relative URLs are relative to.
    pub base_url: Option<Url>,
}
