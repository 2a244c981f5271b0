//! Copies that are stopped, dropped or doubled, and sources that move under them.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use daylily_lifecycle::outcome::FaultClass;
use nix::fcntl::{Flock, FlockArg};

use super::rig::Rig;
use super::world::{LONG, World, assert_fault, inode, write};
use crate::wait::until;

over_both!(
    a_copy_ends_within_a_second_of_being_stopped,
    a_copy_whose_future_is_dropped_ends_and_lets_go_of_its_lock,
    a_second_copy_of_an_attempt_is_refused_while_one_is_under_way,
    a_copy_stopped_anywhere_is_finished_by_the_next_one,
    what_a_stopped_copy_began_is_removed_when_the_case_no_longer_has_it,
    a_file_cut_short_while_it_is_copied_is_noticed,
    a_file_that_grows_while_it_is_copied_is_noticed,
    a_file_rewritten_with_its_time_put_back_while_it_is_copied_is_noticed,
    files_that_change_vanish_or_come_while_another_is_copied_are_noticed,
    a_source_that_goes_away_is_tried_again,
);

const MIB: u64 = 1024 * 1024;

fn a_copy_ends_within_a_second_of_being_stopped(rig: Rig) {
    let world = World::new(rig);
    world.write_long("big", 4096);
    let shipping = world.start();
    shipping.await_bytes(MIB);
    shipping.stop.cancel();
    let ended = shipping.end_within(Duration::from_secs(1));
    assert_fault(ended, FaultClass::TransientStep, "stopped");
    assert!(!world.dest().join("big").try_exists().unwrap());
}

fn a_copy_whose_future_is_dropped_ends_and_lets_go_of_its_lock(rig: Rig) {
    let world = World::new(rig);
    world.write_long("big", 4096);
    let shipping = world.start();
    shipping.await_bytes(MIB);
    shipping.abandon();
    let lock = fs::File::open(world.lock()).unwrap();
    let mut lock = Some(lock);
    until("the lock to be free", LONG, || {
        let Some(file) = lock.take() else { return true };
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(file, _)| lock = Some(file))
            .is_ok()
    });
}

fn a_second_copy_of_an_attempt_is_refused_while_one_is_under_way(rig: Rig) {
    let world = World::new(rig);
    world.write_long("big", 4096);
    let shipping = world.start();
    shipping.await_bytes(MIB);
    assert_fault(world.ship(), FaultClass::TransientStep, "an earlier transfer is still ending");
    shipping.stop.cancel();
    assert_fault(shipping.end(), FaultClass::TransientStep, "stopped");
}

fn a_copy_stopped_anywhere_is_finished_by_the_next_one(rig: Rig) {
    let step = if rig == Rig::Copy { 1 } else { 5 };
    for point in (0..24).step_by(step) {
        let world = World::new(rig);
        for n in 0..6 {
            world.write(&format!("{n}/a"), &vec![n; 1_500_000]);
        }
        symlink("0/a", world.source.join("link")).unwrap();
        fs::create_dir(world.source.join("empty")).unwrap();
        let shipping = world.start();
        shipping.await_bytes(point * 350_000);
        shipping.stop.cancel();
        // It may have ended before it was told to stop.
        let _ended = shipping.end();
        let first = world.dest().join("0/a");
        let before = first.try_exists().unwrap().then(|| inode(&first));
        let shipped = world.ship().unwrap();
        world.assert_copied();
        assert_eq!((shipped.files, shipped.bytes.0), (6, 9_000_000));
        if let Some(before) = before {
            assert_eq!(inode(&first), before, "what was whole is not copied again");
        }
    }
}

fn what_a_stopped_copy_began_is_removed_when_the_case_no_longer_has_it(rig: Rig) {
    let world = World::new(rig);
    world.write("a", b"a");
    world.write_long("big", 4096);
    let shipping = world.start();
    shipping.await_bytes(MIB);
    shipping.stop.cancel();
    assert_fault(shipping.end(), FaultClass::TransientStep, "stopped");
    fs::remove_file(world.source.join("big")).unwrap();
    world.ship().unwrap();
    world.assert_copied();
}

fn a_file_cut_short_while_it_is_copied_is_noticed(rig: Rig) {
    let world = World::new(rig);
    world.write_long("big", 4096);
    let shipping = world.start();
    shipping.await_bytes(MIB);
    fs::File::options().write(true).open(world.source.join("big")).unwrap().set_len(MIB).unwrap();
    assert_fault(shipping.end(), FaultClass::TransientStep, "big changed while it was copied");
    assert!(!world.dest().join("big").try_exists().unwrap());
}

fn a_file_that_grows_while_it_is_copied_is_noticed(rig: Rig) {
    let world = World::new(rig);
    world.write_long("big", 64);
    let shipping = world.start();
    shipping.await_bytes(MIB);
    let file = fs::File::options().write(true).open(world.source.join("big")).unwrap();
    file.set_len(65 * MIB).unwrap();
    assert_fault(shipping.end(), FaultClass::TransientStep, "big changed while it was copied");
}

fn a_file_rewritten_with_its_time_put_back_while_it_is_copied_is_noticed(rig: Rig) {
    let world = World::new(rig);
    world.write_long("big", 64);
    let modified = fs::metadata(world.source.join("big")).unwrap().modified().unwrap();
    let shipping = world.start();
    shipping.await_bytes(MIB);
    let file = fs::File::options().write(true).open(world.source.join("big")).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"other", 0).unwrap();
    file.set_modified(modified).unwrap();
    assert_fault(shipping.end(), FaultClass::TransientStep, "big changed while it was copied");
}

fn files_that_change_vanish_or_come_while_another_is_copied_are_noticed(rig: Rig) {
    let changes: [fn(&World); 4] = [
        |world| world.write("z", b"changed"),
        |world| fs::remove_file(world.source.join("z")).unwrap(),
        |world| world.write("late", b"late"),
        |world| {
            fs::remove_file(world.source.join("z")).unwrap();
            symlink("/etc/passwd", world.source.join("z")).unwrap();
        },
    ];
    for change in changes {
        let world = World::new(rig);
        world.write_long("big", 64);
        world.write("z", b"z");
        let shipping = world.start();
        shipping.await_bytes(MIB);
        change(&world);
        assert_fault(shipping.end(), FaultClass::TransientStep, "");
        // rsync places what it read; that it is not what was meant is all that is promised.
        if rig == Rig::Copy {
            assert_ne!(fs::read(world.dest().join("z")).ok().as_deref(), Some(&b"changed"[..]));
        }
    }
}

fn a_source_that_goes_away_is_tried_again(rig: Rig) {
    let world = World::new(rig);
    write(&world.source.join("a"), b"a");
    let order = world.order();
    fs::remove_dir_all(&world.source).unwrap();
    assert_fault(world.ship_order(order), FaultClass::TransientStep, "No such file");
}
