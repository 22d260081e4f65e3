//! The machine: its clock, its bounds, its size.

use std::{
    fs,
    num::NonZero,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use super::{files::Claims, finding::Finding};
use crate::{config::Config, driver, store};

/// How far in the future a file may lie: file systems round, and machines in a network disagree a little.
const CLOCK_SLACK: Duration = Duration::from_secs(2 * 60);

/// The beginning of 2026, in seconds since 1970: no clock of a running node can be earlier.
const EPOCH_S: u64 = 1_767_225_600;

/// Open files that a node needs beside its connections: store, blobs, pages, libraries.
const FILES_BASE: u64 = 128;

/// Open files that a peer may take: two connections, and as many blobs on their way.
const FILES_PER_PEER: u64 = 4;

/// Copies of a model that training and aggregation hold in memory at once: parameters, gradients, momentum, two more
/// models, and the updates of a round one by one.
const COPIES_IN_MEMORY: u64 = 8;

/// Memory of a node beside its models and data, in bytes.
const MEMORY_BASE: u64 = 64 * 1024 * 1024;

/// A clock that stands is found by what was written under it. Only other machines could tell whether it is right.
pub(super) fn clock(config: &Config) -> Finding {
    let now = SystemTime::now();
    if now < SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH_S) {
        return Finding::warns(
            "clock",
            "this machine's clock is years behind; set it, or events and logs tell wrong times",
        );
    }
    let files = [config.genesis.clone(), config.key.clone(), config.data_dir.join(store::FILE_NAME)];
    let ahead = files.iter().filter_map(|path| Some((path, ahead_of(path, now)?))).max_by_key(|(_, ahead)| *ahead);
    match ahead {
        Some((path, ahead)) if ahead > CLOCK_SLACK => Finding::warns(
            "clock",
            format_args!(
                "{} was written {} s in the future: the clock was set back, or is wrong; set it, or events and logs tell wrong times",
                path.display(),
                ahead.as_secs()
            ),
        ),
        _ => Finding::fine(
            "clock",
            "no file lies in its future; whether it is right only other machines know, and no decision depends on it",
        ),
    }
}

/// How far the last change of `path` lies after `now`.
fn ahead_of(path: &Path, now: SystemTime) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.duration_since(now).ok()
}

pub(super) fn open_files(config: &Config) -> Finding {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let wanted = FILES_BASE + FILES_PER_PEER * u64::from(config.net.max_peers);
    match soft_limit(&limits) {
        None => Finding::fine("open files", "the system tells no limit"),
        Some(limit) if limit >= wanted => Finding::fine("open files", format_args!("{limit} are allowed")),
        Some(limit) => Finding::warns(
            "open files",
            format_args!(
                "{limit} are allowed, and {wanted} may be needed; run `ulimit -n {wanted}` before the node, or lower net.max_peers"
            ),
        ),
    }
}

/// The soft limit of open files in the kernel's table.
fn soft_limit(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Compares the memory with the model.
pub(super) fn memory(config: &Config, claims: &Claims) -> Finding {
    let limit = config.limits.memory_mb.saturating_mul(1024 * 1024);
    let wanted = claims.model_bytes().saturating_mul(COPIES_IN_MEMORY).saturating_add(MEMORY_BASE);
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let available = driver::available_memory();
    if limit < wanted {
        return Finding::warns(
            "memory",
            format_args!(
                "limits.memory_mb is {}, and training this model may take {}; raise it",
                mib(limit),
                mib(wanted)
            ),
        );
    }
    match available {
        Some(free) if free < wanted => Finding::warns(
            "memory",
            format_args!(
                "{} MiB are free, and training this model may take {}; stop something else",
                mib(free),
                mib(wanted)
            ),
        ),
        Some(free) => {
            Finding::fine("memory", format_args!("{} MiB are free, about {} are needed", mib(free), mib(wanted)))
        }
        None => Finding::fine("memory", "the system does not tell how much is free"),
    }
}

pub(super) fn cores(config: &Config) -> Finding {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let percent = config.limits.core_percent;
    Finding::fine("cores", format_args!("{cores}; training takes at most {percent} % of one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_of_limits_is_understood() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 524288               files\n";
        assert_eq!(soft_limit(table), Some(1_024));
        assert_eq!(soft_limit("Max open files            unlimited            unlimited            files\n"), None);
        assert_eq!(soft_limit(""), None);
    }

    #[test]
    fn a_file_of_tomorrow_lies_in_the_future() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let now = SystemTime::now();
        file.as_file().set_modified(now + Duration::from_secs(86_400)).unwrap();
        assert!(ahead_of(file.path(), now).unwrap() > CLOCK_SLACK);
        file.as_file().set_modified(now - Duration::from_secs(86_400)).unwrap();
        assert_eq!(ahead_of(file.path(), now), None);
    }
}
