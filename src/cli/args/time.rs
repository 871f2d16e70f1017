//! How long things may take.

use std::time::Duration;

use crate::cli::values;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Time")]
pub(crate) struct TimeLimits {
    /// For DNS, TCP and TLS together.
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = values::time_limit)]
    pub(crate) connect_timeout: Duration,

    /// For silence while waiting for bytes.
    #[arg(long, value_name = "TIME", default_value = "20", value_parser = values::time_limit)]
    pub(crate) read_timeout: Duration,

    /// For one attempt, redirects included.
    ///
    /// Time in which the line waits for its turn does not count. Alias: `--timeout`.
    #[arg(short, long, value_name = "TIME", alias = "timeout", default_value = "30", value_parser = values::time_limit)]
    pub(crate) max_time: Duration,

    /// For one line, all attempts and waits included.
    #[arg(long, value_name = "TIME", default_value = "120", value_parser = values::time_limit)]
    pub(crate) retry_max_time: Duration,

    /// For the whole run [default: none].
    ///
    /// When it is over no request leaves any more, and those in flight have --grace. In input order, the records are a whole
    /// beginning of the list.
    #[arg(long, value_name = "TIME", value_parser = values::time_limit)]
    pub(crate) deadline: Option<Duration>,

    /// For requests in flight when the run is stopped.
    ///
    /// After the first SIGINT or SIGTERM, --deadline, --fail-early or --max-failures. 0: they are stopped at once.
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = values::duration)]
    pub(crate) grace: Duration,
}
