//! What a copy is like when nothing goes wrong.

use std::fs;
use std::os::unix::fs::symlink;

use daylily_lifecycle::outcome::FaultClass;

use super::rig::Rig;
use super::world::{World, assert_fault, inode, mode, set_mode};
use crate::wait::until;

over_each!(
    nested_and_empty_folders_files_and_symlinks_are_copied,
    a_case_without_anything_is_copied_as_an_empty_folder,
    ignored_names_are_neither_copied_nor_counted,
    the_marker_is_shipped_and_changes_neither_digest_nor_counts,
    execution_bits_are_kept_and_all_else_comes_from_the_umask,
    a_set_group_id_bit_of_the_work_dir_is_inherited,
    a_second_ship_writes_nothing_again,
    a_source_that_is_not_the_one_judged_complete_is_not_copied,
    progress_only_grows_and_ends_at_what_was_shipped,
    more_is_not_made_than_the_folders_of_intake_and_case,
);

fn nested_and_empty_folders_files_and_symlinks_are_copied(rig: Rig) {
    let world = World::new(rig);
    world.write("SampleSheet.csv", b"a,b\n");
    world.write("run1/lane 2/R1.fastq.gz", &[7; 100_000]);
    world.write("empty.txt", b"");
    fs::create_dir_all(world.source.join("none/at/all")).unwrap();
    symlink("run1/lane 2/R1.fastq.gz", world.source.join("latest")).unwrap();
    symlink("../SampleSheet.csv", world.source.join("run1/sheet")).unwrap();
    let shipped = world.ship().unwrap();
    world.assert_copied();
    assert_eq!((shipped.files, shipped.bytes.0), (3, 100_004));
}

fn a_case_without_anything_is_copied_as_an_empty_folder(rig: Rig) {
    let world = World::new(rig);
    let shipped = world.ship().unwrap();
    world.assert_copied();
    assert_eq!(shipped.files, 0);
}

fn ignored_names_are_neither_copied_nor_counted(rig: Rig) {
    let world = World::new(rig);
    world.write("a", b"a");
    let plain = world.ship().unwrap();
    world.write("Thumbs.db", b"thumbs");
    world.write("sub/Thumbs.db", b"thumbs");
    fs::create_dir_all(world.source.join("sub")).unwrap();
    let shipped = world.ship().unwrap();
    assert_eq!(shipped.files, plain.files);
    assert!(!world.dest().join("Thumbs.db").try_exists().unwrap());
    assert!(!world.dest().join("sub/Thumbs.db").try_exists().unwrap());
}

fn the_marker_is_shipped_and_changes_neither_digest_nor_counts(rig: Rig) {
    let mut world = World::new(rig);
    world.marker = Some("daylily.ready".into());
    world.write("a", b"a");
    let before = world.ship().unwrap();
    world.write("daylily.ready", b"now");
    let shipped = world.ship().unwrap();
    assert_eq!(shipped, before);
    world.assert_copied();
}

fn execution_bits_are_kept_and_all_else_comes_from_the_umask(rig: Rig) {
    for umask in [0o027, 0o077, 0o002, 0o000] {
        let mut world = World::new(rig);
        world.umask = umask;
        world.write("sub/run.sh", b"#!/bin/sh\n");
        world.write("sub/data", b"data");
        set_mode(&world.source.join("sub/run.sh"), 0o510);
        set_mode(&world.source.join("sub/data"), 0o444);
        set_mode(&world.source.join("sub"), 0o555);
        world.ship().unwrap();
        let dest = world.dest();
        assert_eq!(mode(&dest.join("sub/run.sh")), 0o777 & !umask);
        assert_eq!(mode(&dest.join("sub/data")), 0o666 & !umask);
        assert_eq!(mode(&dest.join("sub")), 0o777 & !umask);
        assert_eq!(mode(&dest), 0o777 & !umask);
        set_mode(&world.source.join("sub"), 0o755);
    }
}

fn a_set_group_id_bit_of_the_work_dir_is_inherited(rig: Rig) {
    let world = World::new(rig);
    set_mode(&world.work, 0o2770);
    world.write("sub/a", b"a");
    world.ship().unwrap();
    assert_eq!(mode(&world.dest().join("sub")), 0o2750);
}

fn a_second_ship_writes_nothing_again(rig: Rig) {
    let world = World::new(rig);
    world.write("sub/a", b"a");
    let first = world.ship().unwrap();
    let before = inode(&world.dest().join("sub/a"));
    assert_eq!(world.ship().unwrap(), first);
    assert_eq!(inode(&world.dest().join("sub/a")), before);
}

fn a_source_that_is_not_the_one_judged_complete_is_not_copied(rig: Rig) {
    let world = World::new(rig);
    world.write("a", b"a");
    let order = world.order();
    world.write("b", b"b");
    assert_fault(world.ship_order(order), FaultClass::TransientStep, "has changed since");
    assert!(!world.dest().try_exists().unwrap());
}

fn progress_only_grows_and_ends_at_what_was_shipped(rig: Rig) {
    let world = World::new(rig);
    for n in 0..20 {
        world.write(&format!("{n}"), &vec![n; 200_000]);
    }
    let shipping = world.start();
    let progress = std::sync::Arc::clone(&shipping.progress);
    let mut last = (0, 0);
    until("all files to be told", super::world::LONG, || {
        let now = (shipping.files(), shipping.bytes());
        assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
        last = now;
        now.0 == 20
    });
    let shipped = shipping.end().unwrap();
    assert_eq!(progress.files.load(std::sync::atomic::Ordering::Relaxed), shipped.files);
    assert_eq!(progress.bytes.load(std::sync::atomic::Ordering::Relaxed), shipped.bytes.0);
    assert_eq!((shipped.files, shipped.bytes.0), (20, 4_000_000));
}

fn more_is_not_made_than_the_folders_of_intake_and_case(rig: Rig) {
    let world = World::new(rig);
    world.write("a", b"a");
    let mut order = world.order();
    order.dest = super::world::text(&world.dir.path().join("unmounted/data/new/HG002"));
    assert_fault(world.ship_order(order), FaultClass::TransientStep, "unmounted");
    assert!(!world.dir.path().join("unmounted").try_exists().unwrap());
}
