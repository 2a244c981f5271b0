//! Folders that go away or change while they are looked at.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use daylily_watch::clock::{Clock, SystemClock};
use daylily_watch::intake::directory::scan::{ScanError, scan};
use tempfile::tempdir;

use super::scan_settings;

/// Looks again and again while `disturb` runs once.
fn look_during(case: &Path, disturb: impl FnOnce() + Send) -> (u32, u32) {
    let over = AtomicBool::new(false);
    let (mut seen, mut vanished) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            disturb();
            over.store(true, Ordering::Release);
        });
        while !over.load(Ordering::Acquire) {
            match scan(case, &scan_settings(), SystemClock.now()) {
                Ok(tree) => {
                    assert_eq!(tree.problems, Vec::<String>::new());
                    seen += 1;
                }
                Err(ScanError::Vanished { .. }) => vanished += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    (seen, vanished)
}

#[test]
fn a_folder_that_vanishes_at_any_moment_has_vanished_and_nothing_worse() {
    let root = tempdir().unwrap();
    let case = root.path().join("HG002");
    let (seen, vanished) = look_during(&case, || {
        for _ in 0..500 {
            fs::create_dir_all(case.join("run/deep")).unwrap();
            for file in ["a", "run/b", "run/deep/c"] {
                fs::write(case.join(file), "1").unwrap();
            }
            fs::remove_dir_all(&case).unwrap();
        }
    });
    assert!(seen > 0 && vanished > 0, "seen {seen}, vanished {vanished}");
}

#[test]
fn names_that_become_something_else_during_a_scan_are_no_error() {
    let case = tempdir().unwrap();
    let name = case.path().join("changing");
    let (seen, vanished) = look_during(case.path(), || {
        for _ in 0..500 {
            fs::write(&name, "1").unwrap();
            fs::remove_file(&name).unwrap();
            fs::create_dir(&name).unwrap();
            fs::write(name.join("inner"), "1").unwrap();
            fs::remove_dir_all(&name).unwrap();
            std::os::unix::fs::symlink("nowhere", &name).unwrap();
            fs::remove_file(&name).unwrap();
        }
    });
    assert!(seen > 0 && vanished == 0, "seen {seen}, vanished {vanished}");
}
