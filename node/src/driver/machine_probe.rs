//! What the machine is like right now, as far as the operating system tells.

use std::{fs, num::NonZero, thread};

use althing_agents::guardian::Machine;

/// Looks at the machine. A process that is `limit_mb` large already may take no more memory.
///
/// Load and memory come from `/proc`; where there is none, the load is taken for nothing and the memory for what the
/// limit leaves.
pub(crate) fn look(limit_mb: u64) -> Machine {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let resident = kib(&read("/proc/self/status"), "VmRSS:").unwrap_or(0);
    let available = kib(&read("/proc/meminfo"), "MemAvailable:").unwrap_or(u64::MAX);
    Machine {
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        free_memory_bytes: available.min((limit_mb * 1024).saturating_sub(resident)).saturating_mul(1024),
        load_permille: load(&read("/proc/loadavg"), cores).unwrap_or(0),
    }
}

/// Memory that the machine has left for processes, in bytes, if it tells.
pub(crate) fn available_memory() -> Option<u64> {
    kib(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemAvailable:").map(|kib| kib.saturating_mul(1024))
}

/// The number of KiB in the line of `text` that begins with `name`.
fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Tasks that ran or wanted to in the last minute, for each core and in thousandths.
fn load(text: &str, cores: usize) -> Option<u32> {
    let tasks: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some((tasks * 1e3 / cores.max(1) as f64) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(load("3.50 1.20 0.90 2/345 6789\n", 2), Some(1_750));
        assert_eq!((load("", 2), load("much", 2)), (None, None));
        let meminfo = "MemTotal:        8000000 kB\nMemAvailable:    1234567 kB\n";
        assert_eq!((kib(meminfo, "MemAvailable:"), kib(meminfo, "SwapFree:")), (Some(1_234_567), None));
    }

    #[test]
    fn this_machine_has_a_core_and_a_limit_holds() {
        let machine = look(1 << 20);
        assert!(machine.cores >= 1 && machine.free_memory_bytes > 0, "{machine:?}");
        assert_eq!(look(0).free_memory_bytes, 0);
    }
}
