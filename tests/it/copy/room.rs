//! Disks that are too small: real ones, in memory.

use std::fs;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::FetchOrder;
use daylily_watch::adapters::host::local::LocalCopy;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::namespace::ran_in_one;

use super::world::{World, assert_fault, fetch, text};

/// A small file system, gone with the test.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn new(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        mount(Some("tmpfs"), dir.path(), Some("tmpfs"), MsFlags::empty(), Some(options))
            .expect("root may mount, here or in a namespace");
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn work_dir(&self) -> PathBuf {
        self.path().join("work")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing better can be done with a failure here.
        let _unmounted = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}

fn world_on(disk: &SmallDisk) -> World {
    World::with_work_dir(tempfile::tempdir().unwrap(), disk.work_dir())
}

#[test]
fn a_case_for_which_there_is_no_room_is_not_begun() {
    if ran_in_one("copy::room::a_case_for_which_there_is_no_room_is_not_begun") {
        return;
    }
    let disk = SmallDisk::new("size=20m");
    let world = world_on(&disk);
    world.write_long("big", 30);
    let expected = "free and this case needs 46 MiB";
    assert_fault(world.ship(), FaultClass::NoSpace, expected);
    assert!(!world.dest().try_exists().unwrap());
}

#[test]
fn what_is_there_already_needs_no_room() {
    if ran_in_one("copy::room::what_is_there_already_needs_no_room") {
        return;
    }
    let disk = SmallDisk::new("size=32m");
    let world = world_on(&disk);
    world.write_long("big", 14);
    world.ship().unwrap();
    world.write("small", b"small");
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn more_files_than_the_disk_can_hold_are_not_begun() {
    if ran_in_one("copy::room::more_files_than_the_disk_can_hold_are_not_begun") {
        return;
    }
    let disk = SmallDisk::new("size=64m,nr_inodes=20");
    let world = world_on(&disk);
    for n in 0..30 {
        world.write(&format!("{n}"), b"x");
    }
    assert_fault(world.ship(), FaultClass::NoSpace, "more files and this case needs 30");
}

#[test]
fn a_disk_that_fills_up_under_way_waits_for_room_and_goes_on() {
    if ran_in_one("copy::room::a_disk_that_fills_up_under_way_waits_for_room_and_goes_on") {
        return;
    }
    let disk = SmallDisk::new("size=64m,nr_inodes=20");
    let world = world_on(&disk);
    // Folders are not counted beforehand, so this runs out while it copies.
    for n in 0..30 {
        fs::create_dir(world.source.join(format!("{n}"))).unwrap();
    }
    assert_fault(world.ship(), FaultClass::NoSpace, "no room left to make");
    let more = MsFlags::MS_REMOUNT;
    mount(Some("tmpfs"), disk.path(), Some("tmpfs"), more, Some("nr_inodes=200")).unwrap();
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn results_for_which_there_is_no_room_here_name_the_folder() {
    if ran_in_one("copy::room::results_for_which_there_is_no_room_here_name_the_folder") {
        return;
    }
    let disk = SmallDisk::new("size=20m");
    let from = tempfile::tempdir().unwrap();
    fs::File::create(from.path().join("big")).unwrap().set_len(30 << 20).unwrap();
    let order = FetchOrder {
        attempt: AttemptId::new("dw-1"),
        from: text(from.path()),
        files: vec!["big".into()],
        to: disk.path().join("results"),
    };
    assert_fault(fetch(&LocalCopy::new(0o027), &order), FaultClass::NoSpace, &text(&order.to));
}
