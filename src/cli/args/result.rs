//! What becomes of the responses.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gather::model::{Field, StatusSet};
use gather::report::Format;

use crate::cli::values;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Result")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Results {
    /// Write records to this file [default: standard output].
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,

    /// Form of the records.
    ///
    /// `auto`: by the name of the --output file (`.ndjson`, `.jsonl`, `.json`, `.csv`, `.tsv`, `.txt`); without it `text` on a
    /// terminal, else `ndjson`.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "auto")]
    pub(crate) format: FormatName,

    /// Write bodies to files in this directory.
    ///
    /// Each is written under a temporary name and then renamed; the record has its name in `body_file`.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["body", "no_body"])]
    pub(crate) output_dir: Option<PathBuf>,

    /// Whether records hold the body.
    ///
    /// A body that is not wanted is still read and counted.
    #[arg(long, value_name = "PLACE", value_enum, default_value = "inline", conflicts_with = "no_body")]
    pub(crate) body: BodyPlace,

    /// The same as --body none.
    #[arg(long)]
    pub(crate) no_body: bool,

    /// Fields of a record, in this order [default: all].
    ///
    /// A list of names with commas between, as in `index,url,status,time_total`. `sha256` is computed if it is listed.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = field(), hide_possible_values = true)]
    pub(crate) fields: Vec<Field>,

    /// Largest decoded body [default: 10MiB; with --output-dir none].
    ///
    /// A larger one fails its line as `body_too_large`. 0: no limit.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) max_filesize: Option<u64>,

    /// Statuses that count as ok.
    ///
    /// A list of codes, classes (`2xx`) and ranges (`200..=399`); `!` takes out what follows it (`2xx,!204`).
    #[arg(long, value_name = "RANGES", default_value = "200..=399")]
    pub(crate) accept: StatusSet,

    /// What must hold for every line, as in `status == 200` or `time < 500ms`; may be repeated.
    ///
    /// `status`, `time`, `size`, `header NAME`, `body`, `jq FILTER` and `cert_days`, with `==`, `!=`, `<`, `<=`, `>`, `>=`,
    /// `contains`, `not contains`, and `~` for a regular expression; `;` stands between several. It holds beside what a line
    /// expects of itself; an expectation of the status replaces --accept. README.md has the whole language.
    #[arg(long = "expect", value_name = "EXPR")]
    pub(crate) expectations: Vec<String>,

    /// Stop at the first line that is not ok.
    #[arg(long, conflicts_with = "max_failures")]
    pub(crate) fail_early: bool,

    /// Stop when so many lines were not ok [default: never].
    ///
    /// Wherever in the list they are, also while older lines are on their way; with --baseline, which is looked up in the
    /// order of the list, when their records are written.
    #[arg(long, value_name = "N", value_parser = values::count_of_lines)]
    pub(crate) max_failures: Option<NonZeroU64>,

    /// An input without URLs is no error.
    #[arg(long)]
    pub(crate) allow_empty: bool,

    /// Overwrite the files of --output, --report and --summary.
    #[arg(long)]
    pub(crate) force: bool,

    /// No `'` before CSV text that a spreadsheet would run.
    ///
    /// Without it, text fields of csv and tsv that begin with `=`, `+`, `-` or `@` get a `'` before them.
    #[arg(long)]
    pub(crate) csv_raw: bool,
}

/// The names of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    Auto,
    Ndjson,
    Json,
    Csv,
    Tsv,
    Text,
}

impl FormatName {
    /// The format of that name, unless it is to be found.
    pub(crate) fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Ndjson => Some(Format::Ndjson),
            Self::Json => Some(Format::Json),
            Self::Csv => Some(Format::Csv),
            Self::Tsv => Some(Format::Tsv),
            Self::Text => Some(Format::Text),
        }
    }
}

/// Where the body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BodyPlace {
    Inline,
    None,
}

/// The field of that name; clap lists the known ones and the nearest.
fn field() -> impl TypedValueParser<Value = Field> {
    PossibleValuesParser::new(Field::ALL.iter().map(|field| field.name()))
        .map(|name| Field::named(&name).expect("only names of fields are possible values"))
}
