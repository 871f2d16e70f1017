//! How many requests at once, and in which order records come out.

use std::num::{NonZeroU64, NonZeroUsize};

use clap::ValueEnum;
use gather::engine::{Order, Rate};

use crate::cli::values::{self, Limit};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Fan-out")]
pub(crate) struct FanOut {
    /// Requests at once.
    ///
    /// Only requests that move bytes count: a line that waits for a retry or for its host holds no place.
    /// Alias: `--parallel-max`, as in curl.
    #[arg(short, long, value_name = "N", alias = "parallel-max", default_value = "64", value_parser = values::count)]
    pub(crate) concurrency: NonZeroUsize,

    /// Requests at once to one host; 0: no limit of its own.
    ///
    /// A host is scheme, host name and port together. Alias: `--parallel-max-host`, as in curl.
    #[arg(long, value_name = "N", alias = "parallel-max-host", default_value = "8", value_parser = values::limit_or_none)]
    pub(crate) max_per_host: Limit,

    /// Requests in a time, in all: `10/s`, `300/m`, `5/2s`.
    ///
    /// They are spread evenly; redirects and retries count too.
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<Rate>,

    /// Requests in a time to one host: `10/s`, `300/m`, `5/2s`.
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate_per_host: Option<Rate>,

    /// Send fewer requests at once to a host that pushes back (the default).
    ///
    /// After 429, 503 or no answer in time, three tenths fewer at once; slowly up again, never above --max-per-host.
    #[arg(long, conflicts_with = "no_adaptive")]
    pub(crate) adaptive: bool,

    /// Send as many requests at once as --max-per-host allows, whatever the host says.
    #[arg(long)]
    pub(crate) no_adaptive: bool,

    /// Records as lines stand in the input, or as they finish.
    #[arg(long, value_name = "ORDER", value_enum, default_value = "input")]
    pub(crate) order: OrderName,

    /// How far to go ahead of the oldest unwritten line.
    ///
    /// When so many lines have been read and not written, reading pauses until the oldest of them is done.
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = values::count_of_lines)]
    pub(crate) window: NonZeroU64,

    /// How many bytes of finished records wait in memory for an older line.
    ///
    /// What is more waits in a temporary file, in the directory that TMPDIR names, where with 0 it must be possible to write.
    /// In a container it is a quarter of the memory that the container has, if that is less. Lines that were read and wait
    /// for their turn may take as much, or 8 MiB if that is more.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = values::size)]
    pub(crate) memory: u64,

    /// Seed of the random part of waits between attempts, to repeat a run exactly.
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) seed: Option<u64>,
}

/// The names of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OrderName {
    Input,
    Completion,
}

impl From<OrderName> for Order {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::Input => Self::Input,
            OrderName::Completion => Self::Completion,
        }
    }
}
