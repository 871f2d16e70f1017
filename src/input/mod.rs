//! Bytes to jobs: sources are read as streams, one file a format.
//!
//! A line that is no request becomes a job too, whose record says what is wrong with it; only what cannot be read at all is an
//! [`InputError`]. A new format is one new file and one arm in `read.rs` and `format.rs`.

mod ahead;
mod asked;
mod error;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod jsonl;
mod lines;
mod options;
mod read;
mod shown;
mod source;
mod stream;
mod table;
mod text;
mod url;
mod variables;

#[cfg(test)]
mod tests;

pub use error::InputError;
pub use options::{InputFormat, InputOptions, Source, Template};
pub use stream::{InputStatus, Jobs};
pub use url::parse_url;
pub use variables::Variables;

/// The bytes of a file, unpacked where they are gzip or zstd. Of a pipe this waits for the writer.
pub fn open_unpacked(path: &std::path::Path) -> Result<Box<dyn std::io::Read>, InputError> {
    source::open(path)
}

/// Sources that are known to be readable, as far as that can be known before reading.
#[derive(Debug)]
pub struct Input {
    sources: Vec<Source>,
    options: InputOptions,
}

impl Input {
    /// Checks the sources, which are read one after the other. Nothing is kept open and no pipe is touched.
    ///
    /// Found here: a missing file, a directory, one without permission, UTF-16, a JSON array, a table without a column of URLs,
    /// one that is not packed as its name says, standard input or a pipe given twice; and in regular files, which are read
    /// through for that, lines whose expectations are wrong or that name a variable which is not set.
    pub fn open(sources: Vec<Source>, options: InputOptions) -> Result<Self, InputError> {
        source::check(&sources, &options)?;
        ahead::check(&sources, &options)?;
        Ok(Self { sources, options })
    }

    /// Starts reading, on a thread of its own. When the stream has ended, the status says whether the input had.
    pub fn into_stream(self) -> (Jobs, InputStatus) {
        stream::spawn(move |sink| read::read_all(&self.sources, &self.options, sink))
    }
}
