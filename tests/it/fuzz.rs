//! Words, names and texts that nobody would give a thing, over a real sshd and through the
//! login shells of this machine: they arrive as they are, and none of them is ever run.
//! `make fuzz` tries many more than a test does.

mod names;
mod words;

use std::fs;
use std::path::Path;

use proptest::test_runner::{Config, TestRunner};

use crate::servers::sshd::Sshd;

/// Login shells of each family, which `make servers` installs: POSIX, those that add to it,
/// that of C, and one that is like none.
const SHELLS: [&str; 6] =
    ["/bin/sh", "/bin/bash", "/bin/zsh", "/bin/mksh", "/bin/tcsh", "/usr/bin/fish"];

/// More of them, where they are there.
const MORE: [&str; 3] = ["/bin/dash", "/bin/ksh", "/bin/csh"];

/// Those that are not another one by another name.
fn shells() -> Vec<&'static str> {
    for shell in SHELLS {
        assert!(fs::metadata(shell).is_ok(), "{shell} is missing: run `make servers`");
    }
    let there = SHELLS.into_iter().chain(MORE).filter(|shell| fs::metadata(shell).is_ok());
    let mut known = Vec::new();
    let mut shells = Vec::new();
    for shell in there {
        let real = fs::canonicalize(shell).unwrap();
        if !known.contains(&real) {
            known.push(real);
            shells.push(shell);
        }
    }
    // Some systems have bash, or ksh, for sh.
    assert!(shells.len() >= SHELLS.len() - 1, "{shells:?}");
    shells
}

/// So many tries, more by `PROPTEST_CASES`.
fn runner(tries: u32) -> TestRunner {
    // What it is where nobody says otherwise.
    const USUAL: u32 = 256;
    let times = (Config::default().cases / USUAL).max(1);
    TestRunner::new(Config {
        cases: tries * times,
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    })
}

/// Each hostile word would leave a file `pwned` where it is run.
#[track_caller]
fn nothing_was_run(sshd: &Sshd, more: &[&Path]) {
    let (home, remote) = (sshd.home(), sshd.remote_dir());
    let mut open = vec![home, remote];
    open.extend(more.iter().map(|path| path.to_path_buf()));
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            assert!(entry.file_name() != "pwned", "{} is there", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    for place in ["/pwned", "/tmp/pwned", "/root/pwned"] {
        assert!(fs::symlink_metadata(place).is_err(), "{place} is there");
    }
}
