//! Bringing results home.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::FetchOrder;
use tempfile::TempDir;

use super::world::{assert_fault, corrupt, fetch, inode, text, write};

struct Home {
    dir: TempDir,
    from: PathBuf,
    to: PathBuf,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("work/HG002");
        fs::create_dir_all(&from).unwrap();
        let to = dir.path().join("results/new/.HG002.dw-1.part");
        Self { dir, from, to }
    }

    fn order(&self, files: &[&str]) -> FetchOrder {
        FetchOrder {
            attempt: AttemptId::new("dw-1"),
            from: text(&self.from),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            to: self.to.clone(),
        }
    }
}

#[test]
fn the_files_asked_for_are_fetched_and_no_others() {
    let home = Home::new();
    write(&home.from.join("out/a b/$x"), &[1; 3_000_000]);
    write(&home.from.join("out/é"), b"e");
    write(&home.from.join("other"), b"other");
    let fetched = fetch(&home.order(&["out/a b/$x", "out/é"])).unwrap();
    assert_eq!((fetched.files, fetched.bytes.0), (2, 3_000_001));
    assert_eq!(fs::read(home.to.join("out/a b/$x")).unwrap(), [1; 3_000_000]);
    assert_eq!(fs::read(home.to.join("out/é")).unwrap(), b"e");
    assert!(!home.to.join("other").try_exists().unwrap());
}

#[test]
fn a_file_asked_for_twice_is_fetched_once() {
    let home = Home::new();
    write(&home.from.join("a"), b"a");
    assert_eq!(fetch(&home.order(&["a", "a"])).unwrap().files, 1);
}

#[test]
fn names_that_could_leave_the_folder_are_refused() {
    let home = Home::new();
    for name in ["/etc/passwd", "../x", "a/../../x", "a/..", "", ".", "a//b", "./a", "a/", "a\nb"] {
        assert_fault(fetch(&home.order(&[name])), FaultClass::FatalCase, "cannot be the name");
    }
    assert!(!home.to.try_exists().unwrap());
}

#[test]
fn symlinks_to_files_of_the_same_folder_are_fetched_as_files() {
    let home = Home::new();
    write(&home.from.join("work/x1/result"), b"result");
    fs::create_dir(home.from.join("out")).unwrap();
    symlink("../work/x1/result", home.from.join("out/relative")).unwrap();
    symlink(home.from.join("work/x1/result"), home.from.join("out/absolute")).unwrap();
    symlink("work/x1", home.from.join("folder")).unwrap();
    let names = ["out/relative", "out/absolute", "folder/result"];
    fetch(&home.order(&names)).unwrap();
    for name in names {
        let path = home.to.join(name);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(path).unwrap(), b"result");
    }
}

#[test]
fn symlinks_that_lead_elsewhere_are_refused() {
    let home = Home::new();
    write(&home.dir.path().join("work/HG003/secret"), b"secret");
    symlink("../HG003/secret", home.from.join("link")).unwrap();
    symlink("../HG003", home.from.join("folder")).unwrap();
    for name in ["link", "folder/secret"] {
        assert_fault(fetch(&home.order(&[name])), FaultClass::FatalCase, "leaves");
    }
}

#[test]
fn what_is_not_a_regular_file_is_refused() {
    let home = Home::new();
    fs::create_dir(home.from.join("folder")).unwrap();
    nix::unistd::mkfifo(&home.from.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["folder", "fifo"] {
        assert_fault(fetch(&home.order(&[name])), FaultClass::FatalCase, "not a regular file");
    }
}

#[test]
fn a_result_that_vanished_is_tried_again() {
    let home = Home::new();
    assert_fault(fetch(&home.order(&["gone"])), FaultClass::TransientStep, "gone");
}

#[test]
fn fetching_again_copies_only_what_differs() {
    let home = Home::new();
    write(&home.from.join("out/a"), b"aaaa");
    write(&home.from.join("out/b"), b"bbbb");
    let order = home.order(&["out/a", "out/b"]);
    fetch(&order).unwrap();
    corrupt(&home.to.join("out/a"), b"xxxx");
    let (a, b) = (inode(&home.to.join("out/a")), inode(&home.to.join("out/b")));
    fetch(&order).unwrap();
    assert_eq!(fs::read(home.to.join("out/a")).unwrap(), b"aaaa");
    assert_ne!(inode(&home.to.join("out/a")), a);
    assert_eq!(inode(&home.to.join("out/b")), b);
}

#[test]
fn a_symlink_lying_in_the_staging_folder_is_not_written_through() {
    let home = Home::new();
    write(&home.from.join("out/a"), b"new");
    let outside = home.dir.path().join("outside");
    write(&outside.join("a"), b"precious");
    fs::create_dir_all(&home.to).unwrap();
    symlink(&outside, home.to.join("out")).unwrap();
    assert_fault(fetch(&home.order(&["out/a"])), FaultClass::FatalCase, "in the way");
    assert_eq!(fs::read(outside.join("a")).unwrap(), b"precious");
}
