//! What the input can be told.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use url::Url;

use super::variables::Variables;
use crate::expect::Expectations;
use crate::model::{PerHost, redact, redacted};

/// Where lines come from. The `Debug` of a URL shows it as a record does.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, read as a stream; `.gz` and `.zst` are unpacked.
    File(PathBuf),
    /// Standard input, unpacked too if its first bytes say so.
    Stdin,
    /// One URL, given as an argument. Its job has no place.
    Url(String),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Stdin => f.write_str("Stdin"),
            Self::Url(url) => f.debug_tuple("Url").field(&redact(url)).finish(),
        }
    }
}

/// The form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFormat {
    /// `URL` or `METHOD URL` on a line, expectations after it, `#` comments.
    Text,
    /// One JSON object on a line.
    Jsonl,
    /// A table with a header, commas between its fields (RFC 4180).
    Csv,
    /// The same with TABs.
    Tsv,
}

/// How lines become jobs.
#[derive(Debug, Clone, Default)]
pub struct InputOptions {
    /// The form of all lines; `None`: found by name and first byte of each source.
    pub format: Option<InputFormat>,
    /// The column of a table that has the URLs; `None`: `url`.
    pub url_column: Option<String>,
    /// What a line that does not set its own asks for.
    pub template: Template,
    /// What `${NAME}` stands for in header values and bodies of lines.
    pub variables: Variables,
}

impl InputOptions {
    pub(super) fn url_column(&self) -> &str {
        self.url_column.as_deref().unwrap_or("url")
    }
}

/// What a line that does not set its own asks for. Its `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Template {
    /// The method; `None`: GET, or POST where there is a body.
    pub method: Option<Method>,
    /// Header fields of every request; a line's own field of the same name replaces them.
    pub headers: Arc<HeaderMap>,
    /// Header fields of requests to some hosts alone, in place of those of the same name in [`headers`](Self::headers). A
    /// redirect does not bring them to a host that the line does not name.
    pub host_headers: PerHost<HeaderMap>,
    /// The body.
    pub body: Option<Bytes>,
    /// What relative URLs are relative to, as in a browser (RFC 3986, section 5): with `https://api.example.com/v1/`, a line
    /// `users` asks for `/v1/users` and a line `/users` for `/users`; without the slash at its end, `v1` is replaced.
    pub base_url: Option<Url>,
    /// What is expected of every line, beside what a line expects of itself.
    pub expect: Option<Arc<Expectations>>,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("method", &self.method)
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .field("host_headers", &self.host_headers)
            .field("body", &self.body.as_ref().map(Bytes::len))
            .field("base_url", &self.base_url.as_ref().map(redacted))
            .field("expect", &self.expect.as_ref().map(ToString::to_string))
            .finish()
    }
}

/// An argument as the command line takes it: `-`, a URL with `http://` or `https://`, else the name of a file.
impl From<OsString> for Source {
    fn from(argument: OsString) -> Self {
        let is_url = |text: &&str| {
            let starts_with = |scheme: &str| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
            starts_with("http://") || starts_with("https://")
        };
        match argument.to_str() {
            Some("-") => Self::Stdin,
            Some(text) if is_url(&text) => Self::Url(text.to_owned()),
            _ => Self::File(argument.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_file_unless_it_is_a_dash_or_an_http_url() {
        for (argument, source) in [
            ("-", Source::Stdin),
            ("http://h", Source::Url("http://h".into())),
            ("HTTPS://h", Source::Url("HTTPS://h".into())),
            ("http:/h", Source::File("http:/h".into())),
            ("./-", Source::File("./-".into())),
            ("läste", Source::File("läste".into())),
        ] {
            assert_eq!(Source::from(OsString::from(argument)), source);
        }
    }
}
