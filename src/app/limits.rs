//! Limits that the system sets to this process.

use std::num::NonZeroUsize;

use gather::engine::Limits;
use gather::fetch::FetchOptions;
use tracing::{debug, warn};

/// Descriptors that are not for connections: the streams, input, output, the runtime's own, name servers.
const KEPT: u64 = 32;

/// Descriptors for each exchange that is made at once: two connections may be tried, or a body goes to a file, and another
/// connection is kept with nothing to do.
const PER_EXCHANGE: u64 = 3;

/// Raises the soft limit of open files to the hard one. Where even that is too low, fewer exchanges are made at once and
/// fewer connections kept.
pub(super) fn raise_open_files(limits: &mut Limits, fetch: &mut FetchOptions) {
    let limit = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            debug!(%error, "the limit of open files cannot be raised");
            return;
        }
    };
    let possible = concurrency_within(limit);
    fetch.max_idle = fetch.max_idle.min(possible.get());
    if limits.concurrency > possible {
        warn!(
            open_files = limit,
            concurrency = possible,
            "--concurrency is lowered to what the limit of open files allows (ulimit -n)"
        );
        limits.concurrency = possible;
    }
}

/// The most exchanges at once that a limit of open files leaves room for.
fn concurrency_within(open_files: u64) -> NonZeroUsize {
    let possible = usize::try_from(open_files.saturating_sub(KEPT) / PER_EXCHANGE).unwrap_or(usize::MAX);
    NonZeroUsize::new(possible).unwrap_or(NonZeroUsize::MIN)
}

/// Makes a write beyond the limit of a file's size (`ulimit -f`) fail as others do: SIGXFSZ ends the process unless it is
/// caught. The process stays able to catch it when what is made here is dropped.
pub(super) fn catch_file_size_limit() {
    #[cfg(unix)]
    if let Err(error) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ)) {
        debug!(%error, "SIGXFSZ cannot be caught");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_the_lowest_limit_of_open_files_leaves_one_exchange() {
        assert_eq!(concurrency_within(0).get(), 1);
        assert_eq!(concurrency_within(64).get(), 10);
        assert_eq!(concurrency_within(1024).get(), 330);
    }
}
