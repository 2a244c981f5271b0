//! Owns finding the processes of a round: each kind of them by what it carries, so that
//! nothing of another test, or of the machine, is ever met.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::servers::processes::{family, is_alive, program};
use crate::system::world::{World, processes};
use crate::wait;

fn all() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn program_of(pid: i32) -> String {
    u32::try_from(pid).map(program).unwrap_or_default()
}

fn lives(pid: i32) -> bool {
    u32::try_from(pid).is_ok_and(is_alive)
}

fn words(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()
}

fn has(pid: i32, text: &str) -> bool {
    let around = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    words(pid).contains(text) || String::from_utf8_lossy(&around).contains(text)
}

/// The ssh masters of the daemon.
pub(super) fn masters(world: &World) -> Vec<i32> {
    let run = world.path("run").display().to_string();
    let is_one = |pid: &i32| {
        let words = words(*pid);
        program_of(*pid) == "ssh"
            && words.contains(&run)
            && (words.contains("[mux]") || words.contains(" -M "))
    };
    all().into_iter().filter(is_one).collect()
}

/// rsync on either side.
pub(super) fn rsyncs(world: &World) -> Vec<i32> {
    let at = world.path("").display().to_string();
    let is_one = |pid: &i32| program_of(*pid) == "rsync" && words(*pid).contains(&at);
    all().into_iter().filter(is_one).collect()
}

/// What runs in sshd's sessions and is no job.
pub(super) fn sessions(world: &World) -> Vec<i32> {
    let jobs: BTreeSet<i32> = processes().into_iter().map(|(pid, _)| pid).collect();
    let is_one =
        |pid: &i32| lives(*pid) && !program_of(*pid).starts_with("sshd") && !jobs.contains(pid);
    let family = family(world.ground.sshd().listener()).into_iter();
    family.filter_map(|pid| i32::try_from(pid).ok()).filter(is_one).collect()
}

/// Attempts of this round of which something runs, with what runs.
pub(super) fn jobs(world: &World) -> Vec<(String, Vec<i32>)> {
    let mine: BTreeSet<String> = world.attempts().into_iter().collect();
    let mut found: Vec<(String, Vec<i32>)> = Vec::new();
    let mut running = processes();
    running.retain(|(_, attempt)| mine.contains(attempt));
    running.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    for (pid, attempt) in running {
        match found.last_mut() {
            Some((last, pids)) if *last == attempt => pids.push(pid),
            Some(_) | None => found.push((attempt, vec![pid])),
        }
    }
    found
}

/// Those of an attempt that are not its `job.sh`.
pub(super) fn command_of(pids: &[i32]) -> Vec<i32> {
    let is_command = |pid: &i32| !words(*pid).ends_with("/job.sh entered");
    pids.iter().copied().filter(is_command).collect()
}

/// All that runs on the headnode, but for its servers: told by their folders, which each
/// process there has around it.
pub(super) fn on_the_headnode(world: &World) -> Vec<i32> {
    let sshd = world.ground.sshd();
    let mut marks = vec![sshd.home().display().to_string()];
    if world.ground.site().has_pueue() {
        marks.push(world.ground.pueued().path("").display().to_string());
    }
    let theirs = |pid: i32| {
        let owner = fs::metadata(format!("/proc/{pid}")).map(|meta| meta.uid());
        owner.is_ok_and(|uid| uid == sshd.uid().as_raw())
    };
    let is_one = |pid: &i32| {
        lives(*pid)
            && theirs(*pid)
            && program_of(*pid) != "pueued"
            && !program_of(*pid).starts_with("sshd")
            && marks.iter().any(|mark| has(*pid, mark))
    };
    all().into_iter().filter(is_one).collect()
}

/// As a person would tell which it is.
pub(super) fn described(pid: i32) -> String {
    format!("{pid} {}: {}", program_of(pid), words(pid))
}

pub(super) fn signal(pid: i32, signal: Signal) {
    // It may have ended by itself.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Kills what `of` finds until it finds nothing.
pub(super) fn kill_all(what: &str, mut of: impl FnMut() -> Vec<i32>) {
    wait::until(what, wait::LIMIT, || {
        let found = of();
        for &pid in &found {
            signal(pid, Signal::SIGKILL);
        }
        found.is_empty()
    });
}
