//! Which form the lines of a source have: by its name, else by its first byte.

use std::path::Path;

use super::error::InputError;
use super::options::InputFormat;
use super::{shown, table};

/// What is known of the form of a source's lines before the first one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// The user or the name says it.
    Certain(InputFormat),
    /// `.json`: one object a line, but it may turn out to be an array.
    Json,
    /// The first byte decides.
    None,
}

impl Hint {
    /// The hint that the name of a file gives, `.gz` and `.zst` aside.
    pub(super) fn from_name(path: &Path) -> Self {
        let extension = |path: &Path| path.extension().map(|text| text.to_string_lossy().to_ascii_lowercase());
        let unpacked = match extension(path).as_deref() {
            Some("gz" | "zst") => path.with_extension(""),
            _ => path.to_owned(),
        };
        match extension(&unpacked).as_deref() {
            Some("txt" | "urls" | "list") => Self::Certain(InputFormat::Text),
            Some("jsonl" | "ndjson") => Self::Certain(InputFormat::Jsonl),
            Some("json") => Self::Json,
            Some("csv") => Self::Certain(InputFormat::Csv),
            Some("tsv") => Self::Certain(InputFormat::Tsv),
            _ => Self::None,
        }
    }

    /// The form, from the first line that is not blank, without spaces before it.
    pub(super) fn settle(self, first_line: &[u8], source: &str, url_column: &str) -> Result<InputFormat, InputError> {
        let is_array = match self {
            Self::Certain(format) => return Ok(format),
            Self::Json => first_line.starts_with(b"["),
            Self::None => starts_json_array(first_line),
        };
        match first_line.first() {
            _ if is_array => Err(InputError::JsonArray { name: shown::name(source) }),
            Some(b'{') => Ok(InputFormat::Jsonl),
            _ if self == Self::Json => Ok(InputFormat::Jsonl),
            _ if table::delimiter(first_line, url_column) == Some(b',') => Ok(InputFormat::Csv),
            _ if table::delimiter(first_line, url_column) == Some(b'\t') => Ok(InputFormat::Tsv),
            Some(b'"') => Ok(InputFormat::Jsonl),
            _ => Ok(InputFormat::Text),
        }
    }
}

/// Whether a line can only be the start of a JSON array; `[::1]:80` is not.
fn starts_json_array(line: &[u8]) -> bool {
    let inside = line.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| matches!(inside.first(), None | Some(b'{' | b'[' | b'"' | b']')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_format_and_packing_does_not_hide_it() {
        let text = Hint::Certain(InputFormat::Text);
        let jsonl = Hint::Certain(InputFormat::Jsonl);
        for (name, hint) in [
            ("a.txt", text),
            ("a.urls", text),
            ("a.list", text),
            ("A.TXT", text),
            ("a.txt.gz", text),
            ("a.jsonl", jsonl),
            ("a.ndjson", jsonl),
            ("a.jsonl.zst", jsonl),
            ("a.json", Hint::Json),
            ("a.json.gz", Hint::Json),
            ("a.gz", Hint::None),
            ("a.csv", Hint::Certain(InputFormat::Csv)),
            ("a.TSV", Hint::Certain(InputFormat::Tsv)),
            ("a.csv.gz", Hint::Certain(InputFormat::Csv)),
            ("jsonl", Hint::None),
            ("a.txt/b", Hint::None),
        ] {
            assert_eq!(Hint::from_name(Path::new(name)), hint, "of {name}");
        }
    }

    #[test]
    fn without_a_telling_name_the_first_byte_decides() {
        for (first_line, format) in [
            (r#"{"url": "x"}"#, InputFormat::Jsonl),
            (r#""http://h""#, InputFormat::Jsonl),
            ("http://h", InputFormat::Text),
            ("# comment", InputFormat::Text),
            ("[::1]:80", InputFormat::Text),
            ("id,url", InputFormat::Csv),
            ("\"url\"\tmethod", InputFormat::Tsv),
            ("http://h/?a,b", InputFormat::Text),
            ("url", InputFormat::Text),
        ] {
            assert_eq!(
                Hint::None.settle(first_line.as_bytes(), "-", "url").expect(first_line),
                format,
                "of {first_line}"
            );
            let certain = Hint::Certain(InputFormat::Text);
            assert_eq!(certain.settle(first_line.as_bytes(), "-", "url").expect(first_line), InputFormat::Text);
        }
        assert_eq!(Hint::Json.settle(b"http://h", "-", "url").expect("not an array"), InputFormat::Jsonl);
    }

    #[test]
    fn a_json_array_is_refused_with_a_way_out() {
        for first_line in ["[", "[ ", "[{", r#"[ "http://h"]"#, "[]", "[["] {
            let error = Hint::None.settle(first_line.as_bytes(), "a.json", "url").expect_err(first_line);
            assert_eq!(
                error.to_string(),
                "`a.json` is a JSON array; one object a line is right: `jq -c '.[]'` makes it so"
            );
            assert!(Hint::Json.settle(first_line.as_bytes(), "a", "url").is_err());
        }
        assert!(Hint::Json.settle(b"[1", "a", "url").is_err());
        assert!(Hint::Certain(InputFormat::Jsonl).settle(b"[{", "a", "url").is_ok());
    }
}
