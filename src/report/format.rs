//! The forms that records can have, and their names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The form of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated values with a header line, quoted as in RFC 4180.
    Csv,
    /// Tab-separated values with a header line, one line a record.
    Tsv,
    /// Lines for people.
    Text,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Ndjson, Self::Json, Self::Csv, Self::Tsv, Self::Text];

    /// The name, as it is given to `--format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Text => "text",
        }
    }

    /// The format that the end of a file's name stands for, in upper or lower case: `.ndjson`, `.jsonl`, `.json`, `.csv`,
    /// `.tsv`, `.txt`.
    pub fn from_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "txt" => Some(Self::Text),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| ParseFormatError(name.to_owned()))
    }
}

/// A name that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format: it is one of ndjson, json, csv, tsv, text")]
pub struct ParseFormatError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_by_the_end_of_the_files_name() {
        let found = |path: &str| Format::from_path(Path::new(path));
        assert_eq!(found("a/b.ndjson"), Some(Format::Ndjson));
        assert_eq!(found("b.JSONL"), Some(Format::Ndjson));
        assert_eq!(found("b.x.json"), Some(Format::Json));
        assert_eq!(found("b.csv"), Some(Format::Csv));
        assert_eq!(found("b.tsv"), Some(Format::Tsv));
        assert_eq!(found("b.txt"), Some(Format::Text));
        assert_eq!(found("json"), None);
        assert_eq!(found("b.gz"), None);
    }

    #[test]
    fn a_name_stands_for_its_format_and_another_is_refused() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!(
            "xml".parse::<Format>().expect_err("no such format").to_string(),
            "`xml` is not a format: it is one of ndjson, json, csv, tsv, text"
        );
    }
}
