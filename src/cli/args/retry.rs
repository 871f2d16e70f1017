//! What is tried again.

use std::time::Duration;

use gather::model::StatusSet;

use crate::cli::values;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Retries")]
pub(crate) struct Retries {
    /// Attempts after the first.
    ///
    /// Waits between attempts are random, up to 0.25 s, 0.5 s, 1 s and so on to 20 s, or what the server's Retry-After says.
    #[arg(long = "retry", value_name = "N", default_value = "2", value_parser = values::limit)]
    pub(crate) attempts: u32,

    /// Statuses that are tried again.
    ///
    /// A list of codes, classes (`5xx`) and ranges (`500..=504`); `!` takes out what follows it (`5xx,!501`). Failures without
    /// a status that may pass, such as a refused connection, are always tried again.
    #[arg(long, value_name = "LIST", default_value = "408,425,429,500,502,503,504,522,524")]
    pub(crate) retry_on: StatusSet,

    /// Try again also POST and other methods that may act twice.
    ///
    /// Without it, a request whose method is not idempotent is tried again only if it was certainly not sent.
    #[arg(long)]
    pub(crate) retry_all_methods: bool,

    /// Longest Retry-After that is waited for.
    ///
    /// If the server asks for a longer wait, the line fails as `rate_limited` and its record has the wait.
    #[arg(long, value_name = "TIME", default_value = "60", value_parser = values::duration)]
    pub(crate) max_retry_after: Duration,
}
