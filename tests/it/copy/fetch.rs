//! Bringing results home.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::local::LocalCopy;
use daylily_watch::adapters::host::{FetchOrder, Fetched};
use tempfile::TempDir;

use super::rig::{Headnode, Rig, settings};
use super::world::{assert_fault, corrupt, fetch, inode, text, write};

over_both!(
    the_files_asked_for_are_fetched_and_no_others,
    a_file_asked_for_twice_is_fetched_once,
    names_that_could_leave_the_folder_are_refused,
    symlinks_to_files_of_the_same_folder_are_fetched_as_files,
    symlinks_that_lead_elsewhere_are_refused,
    what_is_not_a_regular_file_is_refused,
    a_result_that_vanished_is_tried_again,
    fetching_again_copies_only_what_differs,
    a_symlink_lying_in_the_staging_folder_is_not_written_through,
);

struct Home {
    dir: TempDir,
    node: Option<Headnode>,
    from: PathBuf,
    to: PathBuf,
}

impl Home {
    fn new(rig: Rig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = (rig == Rig::Rsync).then(Headnode::start);
        let work = node.as_ref().map_or_else(|| dir.path().join("work"), Headnode::work);
        let from = work.join("HG002");
        fs::create_dir_all(&from).unwrap();
        let to = dir.path().join("results/new/.HG002.dw-1.part");
        Self { dir, node, from, to }
    }

    fn fetch(&self, order: &FetchOrder) -> Result<Fetched, Fault> {
        match &self.node {
            None => fetch(&LocalCopy::new(0o027), order),
            Some(node) => {
                node.give();
                fetch(&node.transfer(settings(), None), order)
            }
        }
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

fn the_files_asked_for_are_fetched_and_no_others(rig: Rig) {
    let home = Home::new(rig);
    write(&home.from.join("out/a b/$x"), &[1; 3_000_000]);
    write(&home.from.join("out/é"), b"e");
    write(&home.from.join("other"), b"other");
    let fetched = home.fetch(&home.order(&["out/a b/$x", "out/é"])).unwrap();
    assert_eq!((fetched.files, fetched.bytes.0), (2, 3_000_001));
    assert_eq!(fs::read(home.to.join("out/a b/$x")).unwrap(), [1; 3_000_000]);
    assert_eq!(fs::read(home.to.join("out/é")).unwrap(), b"e");
    assert!(!home.to.join("other").try_exists().unwrap());
}

fn a_file_asked_for_twice_is_fetched_once(rig: Rig) {
    let home = Home::new(rig);
    write(&home.from.join("a"), b"a");
    assert_eq!(home.fetch(&home.order(&["a", "a"])).unwrap().files, 1);
}

fn names_that_could_leave_the_folder_are_refused(rig: Rig) {
    let home = Home::new(rig);
    for name in ["/etc/passwd", "../x", "a/../../x", "a/..", "", ".", "a//b", "./a", "a/", "a\nb"] {
        assert_fault(home.fetch(&home.order(&[name])), FaultClass::FatalCase, "cannot be the name");
    }
    assert!(!home.to.try_exists().unwrap());
}

fn symlinks_to_files_of_the_same_folder_are_fetched_as_files(rig: Rig) {
    let home = Home::new(rig);
    write(&home.from.join("work/x1/result"), b"result");
    fs::create_dir(home.from.join("out")).unwrap();
    symlink("../work/x1/result", home.from.join("out/relative")).unwrap();
    symlink(home.from.join("work/x1/result"), home.from.join("out/absolute")).unwrap();
    symlink("work/x1", home.from.join("folder")).unwrap();
    let names = ["out/relative", "out/absolute", "folder/result"];
    home.fetch(&home.order(&names)).unwrap();
    for name in names {
        let path = home.to.join(name);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(path).unwrap(), b"result");
    }
}

fn symlinks_that_lead_elsewhere_are_refused(rig: Rig) {
    let home = Home::new(rig);
    write(&home.from.with_file_name("HG003").join("secret"), b"secret");
    symlink("../HG003/secret", home.from.join("link")).unwrap();
    symlink("../HG003", home.from.join("folder")).unwrap();
    for name in ["link", "folder/secret"] {
        assert_fault(home.fetch(&home.order(&[name])), FaultClass::FatalCase, "leaves");
    }
}

fn what_is_not_a_regular_file_is_refused(rig: Rig) {
    let home = Home::new(rig);
    fs::create_dir(home.from.join("folder")).unwrap();
    nix::unistd::mkfifo(&home.from.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["folder", "fifo"] {
        assert_fault(home.fetch(&home.order(&[name])), FaultClass::FatalCase, "not a regular file");
    }
}

fn a_result_that_vanished_is_tried_again(rig: Rig) {
    let home = Home::new(rig);
    assert_fault(home.fetch(&home.order(&["gone"])), FaultClass::TransientStep, "gone");
}

fn fetching_again_copies_only_what_differs(rig: Rig) {
    let home = Home::new(rig);
    write(&home.from.join("out/a"), b"aaaa");
    write(&home.from.join("out/b"), b"bbbb");
    let order = home.order(&["out/a", "out/b"]);
    home.fetch(&order).unwrap();
    corrupt(&home.to.join("out/a"), b"xxxx");
    let (a, b) = (inode(&home.to.join("out/a")), inode(&home.to.join("out/b")));
    home.fetch(&order).unwrap();
    assert_eq!(fs::read(home.to.join("out/a")).unwrap(), b"aaaa");
    assert_ne!(inode(&home.to.join("out/a")), a);
    assert_eq!(inode(&home.to.join("out/b")), b);
}

fn a_symlink_lying_in_the_staging_folder_is_not_written_through(rig: Rig) {
    let home = Home::new(rig);
    write(&home.from.join("out/a"), b"new");
    let outside = home.dir.path().join("outside");
    write(&outside.join("a"), b"precious");
    fs::create_dir_all(&home.to).unwrap();
    symlink(&outside, home.to.join("out")).unwrap();
    assert_fault(home.fetch(&home.order(&["out/a"])), FaultClass::FatalCase, "in the way");
    assert_eq!(fs::read(outside.join("a")).unwrap(), b"precious");
}
