//! The window: jobs admitted and not yet written. It gives finished records back in input order.
//!
//! No clock and no network; the only thing it touches is the temporary file of records that memory does not hold. The engine
//! asks it before it admits a line, so that a slow line holds up the reading and never the memory.

mod spill;
mod window;

use std::io;
use std::num::NonZeroU64;

pub(crate) use window::Window;

/// The order of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As the lines stand in the input.
    #[default]
    Input,
    /// As they finish.
    Completion,
}

/// How far the window reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLimits {
    /// Most lines that are read and not yet written, `--window`.
    pub records: NonZeroU64,
    /// About how many bytes of finished records wait in memory; what is more waits in a temporary file, `--memory`.
    pub memory: u64,
    /// About how many bytes of them wait in temporary files. Beyond that, or when the disk is full, only the oldest line
    /// goes on until there is room again.
    pub disk: u64,
}

impl Default for WindowLimits {
    fn default() -> Self {
        Self { records: NonZeroU64::new(1_000_000).expect("not zero"), memory: 256 << 20, disk: u64::MAX }
    }
}

impl WindowLimits {
    /// Checks that temporary files can be written, if it is certain that records will wait there: with no memory for them,
    /// and in the order of the input. Otherwise nobody knows yet, and a run that finds out later goes on without.
    ///
    /// # Errors
    ///
    /// Why no temporary file can be made.
    pub fn check_temporary_files(&self, order: Order) -> io::Result<()> {
        if self.memory == 0 && order == Order::Input { tempfile::tempfile().map(drop) } else { Ok(()) }
    }
}
