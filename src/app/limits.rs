//! Limits that the system sets to this process.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use gather::engine::{Limits, WindowLimits};
use gather::fetch::{Bodies, FetchOptions};
use tracing::{debug, info, warn};

/// Descriptors that are not for connections: the streams, input, output, the runtime's own, name servers.
const KEPT: u64 = 32;

/// Of all that is left, connections that are kept with nothing to do have at least a third: most lists are not of as many
/// hosts as lines. Second connections that are tried beside the first have what these leave; should that not be enough, the
/// pool shrinks.
const PARTS: u64 = 3;

/// Finished records may hold one in so many parts of the memory of a container; the rest is for exchanges, for what renders
/// the records, and for the system's cache of temporary files.
const MEMORY_PARTS: u64 = 4;

/// Room for more descriptors is not made beforehand: the kernel takes eight bytes for each.
#[cfg(target_os = "linux")]
const MOST_RESERVED: u64 = 1 << 20;

/// Where the system shows its control groups.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// Raises the soft limit of open files to the hard one, and makes room for them. Where even that is too low, fewer exchanges
/// are made at once and fewer connections kept.
pub(super) fn raise_open_files(limits: &mut Limits, fetch: &mut FetchOptions) {
    let limit = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            debug!(%error, "the limit of open files cannot be raised");
            return;
        }
    };
    let each = 1 + u64::from(matches!(fetch.bodies, Bodies::Directory(_)));
    let possible = concurrency_within(limit, each);
    let concurrency = limits.concurrency.min(possible);
    let open = open_by_exchanges(concurrency, each);
    fetch.max_idle = fetch.max_idle.min(idle_beside(open, limit));
    reserve_descriptors(open.saturating_add(u64::try_from(fetch.max_idle).unwrap_or(u64::MAX)).min(limit));
    if limits.concurrency > possible {
        warn!(
            open_files = limit,
            concurrency = possible,
            "--concurrency is lowered to what the limit of open files allows (ulimit -n)"
        );
        limits.concurrency = possible;
    }
}

/// Makes the table of this process's descriptors large enough for so many.
///
/// Linux doubles the table when it is full, and where a process has several threads it first waits until none of them can
/// look at the old one (`expand_files` calls `synchronize_rcu`). That takes some 10 ms each time, in which no socket can be
/// opened: a good part of the time that thousands of connections take.
#[cfg(target_os = "linux")]
fn reserve_descriptors(count: u64) {
    let last = i32::try_from(count.min(MOST_RESERVED)).expect("it fits") - 1;
    let reserved = fs::File::open("/dev/null").and_then(|file| Ok(rustix::io::fcntl_dupfd_cloexec(file, last)?));
    if let Err(error) = reserved {
        debug!(%error, count, "the table of open files cannot be enlarged beforehand");
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve_descriptors(_: u64) {}

/// The most exchanges at once, with so many descriptors for `each`, that a limit of open files leaves room for.
fn concurrency_within(open_files: u64, each: u64) -> NonZeroUsize {
    let possible = open_files.saturating_sub(KEPT) / PARTS * (PARTS - 1) / each;
    usize::try_from(possible).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
}

/// Descriptors that may be open while so many exchanges are made, besides those of kept connections.
fn open_by_exchanges(concurrency: NonZeroUsize, each: u64) -> u64 {
    u64::try_from(concurrency.get()).unwrap_or(u64::MAX).saturating_mul(each).saturating_add(KEPT)
}

/// The most connections that may be kept beside so many open descriptors.
fn idle_beside(open: u64, open_files: u64) -> usize {
    usize::try_from(open_files.saturating_sub(open)).unwrap_or(usize::MAX)
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
        let within = |open_files, each| concurrency_within(open_files, each).get();
        assert_eq!([within(0, 1), within(64, 1), within(64, 2)], [1, 20, 10]);
        assert_eq!([within(1024, 1), within(1024, 2), within(20_000, 1)], [660, 330, 13_312]);
    }

    #[test]
    fn exchanges_and_kept_connections_together_are_within_the_limit_of_open_files() {
        for (open_files, each, wanted) in
            [(0, 1, 64), (64, 2, 64), (1024, 1, 64), (1024, 2, 5_000), (20_000, 1, 10_000)]
        {
            let concurrency = concurrency_within(open_files, each).min(NonZeroUsize::new(wanted).expect("not 0"));
            let open = open_by_exchanges(concurrency, each);
            let idle = idle_beside(open, open_files);
            let all = open + idle as u64;
            assert!(all <= open_files.max(KEPT + each), "{all} of {open_files}");
            assert!(open_files < KEPT || idle >= concurrency.get() / 3, "{idle} beside {concurrency} of {open_files}");
        }
    }
}
