//! Owns a server's processes: the one that was started and all that came of it. They are
//! told by their parents, so that no other process is ever met.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::{LIMIT, until};

/// Those that `of` itself has started.
pub(crate) fn children(of: u32) -> Vec<u32> {
    all().remove(&of).unwrap_or_default()
}

/// `root` and everything below it, parents first.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let children = all();
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        family.extend(children.get(&family[at]).into_iter().flatten());
        at += 1;
    }
    family
}

/// Every process by its parent.
fn all() -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").expect("/proc is there").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// Stops all of it, the first before its children, so that nothing is missed.
pub(crate) fn freeze(root: u32) {
    until("everything of it stands still", LIMIT, || {
        let family = family(root);
        for &pid in &family {
            signal(pid, Signal::SIGSTOP);
        }
        family.iter().all(|&pid| matches!(state(pid), Some('T' | 'Z') | None))
    });
}

pub(crate) fn thaw(root: u32) {
    for pid in family(root) {
        signal(pid, Signal::SIGCONT);
    }
}

/// Ends what is below `root`, and returns when it is gone. `root` goes on.
pub(crate) fn end_children(root: u32, which: impl Fn(u32) -> bool) {
    until("what came of it is gone", LIMIT, || {
        let children: Vec<u32> = family(root)
            .into_iter()
            .filter(|&pid| pid != root && is_alive(pid) && which(pid))
            .collect();
        for &pid in &children {
            signal(pid, Signal::SIGKILL);
        }
        children.is_empty()
    });
}

/// Ends all of it but `root`, which its parent has to wait for after it has signalled it.
pub(crate) fn end_all(root: u32) {
    freeze(root);
    end_children(root, |_| true);
    signal(root, Signal::SIGKILL);
}

pub(crate) fn is_alive(pid: u32) -> bool {
    !matches!(state(pid), Some('Z') | None)
}

/// The name of its program.
pub(crate) fn program(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn signal(pid: u32, signal: Signal) {
    // It may be gone already.
    let _ = kill(Pid::from_raw(pid.try_into().expect("a process id is positive")), signal);
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

fn state(pid: u32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// The words after the name in parentheses, which may have anything in it.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, words) = stat.rsplit_once(") ")?;
    Some(words.split(' ').map(str::to_owned).collect())
}
