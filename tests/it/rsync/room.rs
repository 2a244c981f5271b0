//! Disks of the headnode that are too small: real ones, in memory.

use std::path::PathBuf;

use daylily_lifecycle::outcome::FaultClass;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::world::{MIB, fast, node, noise};
use crate::copy::world::{World, assert_fault};
use crate::namespace::ran_in_one;

struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Below the work_dir, for all cases of the intake.
    fn below(world: &World, options: &str) -> Self {
        let at = world.work.join("new");
        std::fs::create_dir_all(&at).unwrap();
        mount(Some("tmpfs"), &at, Some("tmpfs"), MsFlags::empty(), Some(options))
            .expect("root may mount, here or in a namespace");
        node(world).give();
        Self { at }
    }

    fn becomes(&self, options: &str) {
        mount(Some("tmpfs"), &self.at, Some("tmpfs"), MsFlags::MS_REMOUNT, Some(options)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing better can be done with a failure here.
        let _unmounted = umount2(&self.at, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_case_for_which_there_is_no_room_there_is_not_begun() {
    if ran_in_one("rsync::room::a_case_for_which_there_is_no_room_there_is_not_begun") {
        return;
    }
    let world = fast();
    let _disk = SmallDisk::below(&world, "size=20m");
    world.write_long("big", 30);
    assert_fault(world.ship(), FaultClass::NoSpace, "free and this case needs 46 MiB");
    assert!(!world.dest().try_exists().unwrap());
}

#[test]
fn more_files_than_the_disk_there_can_hold_are_not_begun() {
    if ran_in_one("rsync::room::more_files_than_the_disk_there_can_hold_are_not_begun") {
        return;
    }
    let world = fast();
    let _disk = SmallDisk::below(&world, "size=64m,nr_inodes=20");
    for n in 0..30 {
        world.write(&format!("{n}"), b"x");
    }
    assert_fault(world.ship(), FaultClass::NoSpace, "more files and this case needs 30");
}

#[test]
fn a_disk_there_that_fills_up_under_way_waits_for_room_and_goes_on() {
    if ran_in_one("rsync::room::a_disk_there_that_fills_up_under_way_waits_for_room_and_goes_on") {
        return;
    }
    let world = fast();
    let disk = SmallDisk::below(&world, "size=64m");
    world.write("big", &noise(40 << 20));
    // Somebody else's, between the look and the transfer.
    let other = disk.at.join("other");
    let text = format!("head -c {} /dev/zero >'{}'; exec rsync \"$@\"", 50 * MIB, other.display());
    let mut world = world;
    world.settings.program = super::world::script(&world, &text);
    assert_fault(world.ship(), FaultClass::NoSpace, "No space left on device");
    disk.becomes("size=200m");
    world.settings.program = "rsync".into();
    world.ship().unwrap();
    world.assert_copied();
}
