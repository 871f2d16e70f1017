//! Bytes to jobs: sources are read as streams, one file a format.

mod options;

pub use options::{InputFormat, InputOptions, Source, Template};
