//! Where options come from besides the command line.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Configuration {
    /// File with options [default: `gather.toml`, if it is there].
    ///
    /// TOML, with the names of long options as keys: `max-per-host = 4`. Flags are `true` or `false`, options that may be
    /// repeated take an array. Tables such as `[host."api.example.com"]` hold what is for that host alone. Variables of the
    /// environment win over the file, and the command line over both; --dry-run shows what came from where.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,

    /// Read no `gather.toml`.
    #[arg(long)]
    pub(crate) no_config: bool,
}
