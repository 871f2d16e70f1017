//! What ends a run because the input cannot be read, as opposed to a bad line, which is data.

use std::io;

/// The input cannot be read. Every message names the source, what was seen and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// There is no such file.
    #[error(
        "{name}: there is no such file; a source is a file, `-` for standard input, or a URL with `http://` or `https://`"
    )]
    Missing {
        /// The source, escaped and in backquotes.
        name: String,
    },
    /// The source is a directory.
    #[error("{name} is a directory; name the files in it")]
    Directory {
        /// The source, escaped and in backquotes.
        name: String,
    },
    /// The source cannot be opened.
    #[error("{name} cannot be opened: {error}")]
    Unreadable {
        /// The source, escaped and in backquotes.
        name: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The source starts with a byte order mark of UTF-16.
    #[error("{name} is UTF-16; a list is UTF-8: convert it, for example with `iconv -f UTF-16 -t UTF-8`")]
    Utf16 {
        /// The source, escaped and in backquotes.
        name: String,
    },
    /// Standard input or a pipe is given twice.
    #[error("{name} is given twice; a pipe and standard input can be read only once")]
    Twice {
        /// The source, escaped and in backquotes.
        name: String,
    },
    /// A table cannot be read because of its header.
    #[error("the header of {name} {problem}")]
    Header {
        /// The source, escaped and in backquotes.
        name: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// Lines of files have expectations that are wrong, or name variables that are not set.
    #[error("{shown}")]
    Lines {
        /// The first few with source, line and what is wrong, the place marked; and how many more there are.
        shown: String,
    },
    /// The source is one JSON array and not one object a line.
    #[error("{name} is a JSON array; one object a line is right: `jq -c '.[]'` makes it so")]
    JsonArray {
        /// The source, escaped and in backquotes.
        name: String,
    },
    /// The name says that the source is compressed, and its first bytes say that it is not.
    #[error("{name} has the name of a {packing} file but does not start like one; rename it if it is not compressed")]
    NotPacked {
        /// The source, escaped and in backquotes.
        name: String,
        /// `gzip` or `zstd`.
        packing: &'static str,
    },
    /// Reading failed half-way: the disk, or compressed data that is cut off or damaged. All lines before became jobs.
    #[error("{name} cannot be read {}", how_far(*.line, .error))]
    Broken {
        /// The source, escaped and in backquotes.
        name: String,
        /// The last whole line, from 1; 0 if there was none.
        line: u64,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// The thread that reads could not be started.
    #[error("the input cannot be read: no thread could be started: {0}")]
    Thread(#[source] io::Error),
    /// The thread that reads panicked; lines may be missing.
    #[error("the input was not read to its end because of a fault in this program; please report it")]
    Internal,
}

/// Where reading failed, why, and what became of the lines before.
fn how_far(line: u64, error: &io::Error) -> String {
    match line {
        0 => format!("as far as the end of its first line: {error}"),
        line => format!("beyond line {line}: {error}; the lines up to it were taken"),
    }
}
