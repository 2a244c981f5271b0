//! Owns what the processor did: the time of processes with all that they have waited for,
//! and how busy the machine was.

use std::fs;
use std::path::Path;

use nix::unistd::{SysconfVar, sysconf};

use crate::servers::processes::family;

/// User and system time of processes and everything below them, what has ended included,
/// in seconds.
pub(crate) fn spent(roots: impl IntoIterator<Item = u32>) -> f64 {
    let ticks: u64 = roots.into_iter().flat_map(family).map(ticks).sum();
    let second = sysconf(SysconfVar::CLK_TCK).unwrap().unwrap();
    #[allow(clippy::cast_precision_loss, reason = "a run has few ticks")]
    {
        ticks as f64 / second as f64
    }
}

/// Of one process and of the children it has waited for.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    // The fields after the name begin with the third.
    rest.split(' ').skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// The ssh masters that have their socket in a folder. They are nobody's children.
pub(crate) fn masters(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_master = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.starts_with("ssh: ") && line.contains(&folder)
    };
    pids.filter(is_master).collect()
}

/// What must be known of the machine to judge a figure.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!("{cores} cores, load {load}")
}
