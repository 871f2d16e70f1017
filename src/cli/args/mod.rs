//! The command line as it is written: one struct a table of options, every flag with its real type.
//!
//! Nothing is decided here; [`resolve`](super::resolve) makes settings of it.

mod checks;
mod configuration;
mod fan_out;
mod network;
mod request;
mod result;
mod retry;
mod talk;
mod time;

use clap::{Parser, ValueEnum};
use gather::input::{InputFormat, Source};

pub(crate) use checks::Checks;
pub(crate) use configuration::Configuration;
pub(crate) use fan_out::FanOut;
pub(crate) use network::Network;
pub(crate) use request::Request;
pub(crate) use result::{BodyPlace, Results};
pub(crate) use retry::Retries;
pub(crate) use talk::{ColorChoice, Generated, LogFormat, Talk};
pub(crate) use time::TimeLimits;

const AFTER_HELP: &str = "\
Each long option is also an environment variable (--max-per-host is GATHER_MAX_PER_HOST)
and a key of gather.toml (max-per-host). The command line wins, then the environment.
--help says more about every option.";

const AFTER_LONG_HELP: &str = "\
Times are seconds, or have units: 2.5, 500ms, 2m.
Sizes are bytes, or have units: 10MiB, 10MB, 10M (= MiB).

Environment:
  GATHER_OPTION_NAME
          Each long option: --max-per-host is GATHER_MAX_PER_HOST. The command
          line wins, then the environment, then gather.toml. Flags take 1 or 0,
          true or false; GATHER_HEADER, GATHER_EXPECT, GATHER_REPORT,
          GATHER_RESOLVE and GATHER_CONNECT_TO take one value a line. An empty
          variable is as good as none, but for GATHER_PROXY and GATHER_NOPROXY.
  http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY
          As in curl; --proxy and --noproxy win.
  SSL_CERT_FILE, SSL_CERT_DIR
          Roots in place of the system's; --cacert wins.
  GITHUB_STEP_SUMMARY
          Where --report github appends its table.
  NO_COLOR, CLICOLOR_FORCE, TERM=dumb
          As usual; --color wins.
  RUST_LOG
          What is logged, in place of -v and -q.

Exit codes:
  0         every line ok, or known not to be (--baseline)
  1         at least one line not ok; with --flaky fail also a flaky one
  2         usage, configuration or unreadable input
  3         results could not be written, or an internal error
  4         the input had no URL
  5         stopped early by --deadline, --fail-early or --max-failures
  130, 143  stopped by SIGINT, SIGTERM";

/// Fetch lists of URLs: concurrently, politely, one complete record per line, in input order.
#[derive(Debug, Parser)]
#[command(name = "gather", version, max_term_width = 110, args_override_self = true)]
#[command(after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub(crate) struct Args {
    /// A file of URLs, `-` (standard input), or a URL; several are read in turn.
    ///
    /// What begins with `http://` or `https://` is a URL, anything else a file, also with `--base-url`. Several sources are
    /// read one after the other as if they were one list. None: standard input, unless that is a terminal.
    #[arg(value_name = "SOURCE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,

    /// How lines are read [default: by file name and first byte].
    ///
    /// `text`: `URL` or `METHOD URL` on a line, then expectations (see --expect), `#` comments. `jsonl`: an object with `url`
    /// and, where needed, `method`, `headers`, `body`, `body_base64`, `id`, `expect`, `timeout`, `accept`, `retry`; other
    /// fields are carried into the record. `csv`, `tsv`: a table with the same names in its header.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) input_format: Option<InputFormatName>,

    /// Column of a table that has the URLs [default: url].
    #[arg(long, value_name = "NAME")]
    pub(crate) url_column: Option<String>,

    #[command(flatten)]
    pub(crate) fan_out: FanOut,
    #[command(flatten)]
    pub(crate) request: Request,
    #[command(flatten)]
    pub(crate) time: TimeLimits,
    #[command(flatten)]
    pub(crate) retries: Retries,
    #[command(flatten)]
    pub(crate) results: Results,
    #[command(flatten)]
    pub(crate) checks: Checks,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    #[command(flatten)]
    pub(crate) talk: Talk,
}

/// The names of input formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormatName {
    Text,
    Jsonl,
    Csv,
    Tsv,
}

impl From<InputFormatName> for InputFormat {
    fn from(name: InputFormatName) -> Self {
        match name {
            InputFormatName::Text => Self::Text,
            InputFormatName::Jsonl => Self::Jsonl,
            InputFormatName::Csv => Self::Csv,
            InputFormatName::Tsv => Self::Tsv,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_derived_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn short_help_fits_80_columns() {
        let help = Args::command().term_width(80).render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 88, "a line of the help is too long: {line}");
        }
    }

    #[test]
    fn every_option_stands_under_a_heading_of_its_table() {
        for option in Args::command().get_opts() {
            let name = option.get_id().as_str();
            assert!(
                option.get_help_heading().is_some() || ["input_format", "url_column"].contains(&name),
                "--{name} has no heading"
            );
        }
    }
}
