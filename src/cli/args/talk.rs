//! What is said on standard error.

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Talk")]
pub(crate) struct Talk {
    /// No summary, no progress; errors only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more; -vv and -vvv even more.
    ///
    /// `GATHER_VERBOSE` takes the number.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// No progress.
    #[arg(long)]
    pub(crate) no_progress: bool,

    /// When to use colours.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
    pub(crate) color: ColorChoice,

    /// Form of log lines.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Print the requests, send none.
    ///
    /// One line a request, in input order: method, URL, headers with secrets covered, size of the body. Standard error has the
    /// options that are set, and where each comes from.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print completions for a shell, or the man page.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) generate: Option<Generated>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What can be generated from the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    Bash,
    Zsh,
    Fish,
    Man,
}
