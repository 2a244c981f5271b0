//! The second look, in both its forms.

use std::fs;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::{Shipped, Verify};

use super::rig::Rig;
use super::world::{LONG, World, assert_fault, corrupt, inode};
use crate::wait::until;

over_each!(shipping_again_repairs_what_the_verification_can_see,);

/// Damages the first file in the destination while the second is still copied.
fn ship_with_damage(verify: Verify, damage: fn(&std::path::Path)) -> Result<Shipped, Fault> {
    let mut world = World::new(Rig::Copy);
    world.verify = verify;
    world.write("a", b"aaaa");
    world.write_long("b", 64);
    let shipping = world.start();
    let copied = world.dest().join("a");
    until("the first file to be copied", LONG, || copied.try_exists().unwrap());
    damage(&copied);
    shipping.end()
}

#[test]
fn checksums_catch_a_destination_damaged_behind_its_size_and_time() {
    let ended = ship_with_damage(Verify::Checksum, |path| corrupt(path, b"bbbb"));
    assert_fault(ended, FaultClass::TransientStep, "a is not what was copied there");
}

#[test]
fn the_quick_look_catches_another_size_or_time() {
    let longer = ship_with_damage(Verify::Quick, |path| corrupt(path, b"bbbbb"));
    assert_fault(longer, FaultClass::TransientStep, "a is not what was copied there");
    let later = ship_with_damage(Verify::Quick, |path| fs::write(path, b"bbbb").unwrap());
    assert_fault(later, FaultClass::TransientStep, "a is not what was copied there");
    let removed = ship_with_damage(Verify::Quick, |path| fs::remove_file(path).unwrap());
    assert_fault(removed, FaultClass::TransientStep, "a is not what was copied there");
}

fn shipping_again_repairs_what_the_verification_can_see(rig: Rig) {
    for verify in [Verify::Quick, Verify::Checksum] {
        let mut world = World::new(rig);
        world.verify = verify;
        world.write("a", b"aaaa");
        world.write("b", b"bbbb");
        world.ship().unwrap();
        let kept = inode(&world.dest().join("b"));
        match verify {
            Verify::Quick => corrupt(&world.dest().join("a"), b"longer"),
            Verify::Checksum => corrupt(&world.dest().join("a"), b"xxxx"),
        }
        world.ship().unwrap();
        world.assert_copied();
        assert_eq!(inode(&world.dest().join("b")), kept);
    }
}
