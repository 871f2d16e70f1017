//! Limits that the system sets to this process.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use gather::engine::{Limits, WindowLimits};
use gather::fetch::FetchOptions;
use tracing::{debug, info, warn};

/// Descriptors that are not for connections: the streams, input, output, the runtime's own, name servers.
const KEPT: u64 = 32;

/// Descriptors for each exchange that is made at once: two connections may be tried, or a body goes to a file, and another
/// connection is kept with nothing to do.
const PER_EXCHANGE: u64 = 3;

/// Finished records may hold one in so many parts of the memory of a container; the rest is for exchanges, for what renders
/// the records, and for the system's cache of temporary files.
const MEMORY_PARTS: u64 = 4;

/// Where the system shows its control groups.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

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

/// Lets no more records wait in memory than the control group of this process (a container) has room for: beyond its limit
/// the system ends the process.
pub(super) fn fit_memory(window: &mut WindowLimits) {
    let Some(limit) = memory_limit() else { return };
    let possible = limit / MEMORY_PARTS;
    if window.memory > possible {
        info!(limit, memory = possible, "--memory is lowered to a quarter of what the control group allows");
        window.memory = possible;
    }
}

/// The least memory that a control group of this process, or one above it, allows.
fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limit = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse().ok();
    groups.lines().flat_map(memory_files).filter_map(limit).min()
}

/// The files that may hold a limit, for one line of `/proc/self/cgroup`: `0::/pod/a` (version 2), `4:memory:/pod/a`. A
/// container sees its own group as the root, whatever the line says; so all groups above are looked at.
fn memory_files(line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, name) = match controllers {
        "" => (PathBuf::from(CONTROL_GROUPS), "memory.max"),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            (Path::new(CONTROL_GROUPS).join("memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = Path::new(group.trim_start_matches('/'));
    group.ancestors().map(|group| root.join(group).join(name)).collect()
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
    fn limits_of_memory_are_looked_for_in_all_groups_above() {
        let shown = |line| memory_files(line).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            shown("0::/pod/a"),
            ["/sys/fs/cgroup/pod/a/memory.max", "/sys/fs/cgroup/pod/memory.max", "/sys/fs/cgroup/memory.max"]
        );
        assert_eq!(
            shown("4:memory:/a"),
            ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!(shown("0::/"), ["/sys/fs/cgroup/memory.max"]);
        assert!(shown("3:cpu,cpuacct:/a").is_empty() && shown("nothing").is_empty());
    }

    #[test]
    fn even_the_lowest_limit_of_open_files_leaves_one_exchange() {
        assert_eq!(concurrency_within(0).get(), 1);
        assert_eq!(concurrency_within(64).get(), 10);
        assert_eq!(concurrency_within(1024).get(), 330);
    }
}
