//! An end of rsync with 0 proves nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::Verify;

use super::world::{fast, node, script};
use crate::copy::world::{World, assert_fault};

/// A world in which `damage` happens between the transfer and the second look.
fn damaged(verify: Verify, damage: &str) -> World {
    let mut world = fast();
    world.verify = verify;
    world.write("a", b"aaaa");
    world.write("sub/b", b"bbbb");
    let dest = world.dest();
    let text =
        format!("rsync \"$@\"\ncode=$?\ncd '{}' || exit 99\n{damage}\nexit $code", dest.display());
    world.settings.program = script(&world, &text);
    world
}

/// Other content behind the same size and time.
const CORRUPT: &str = "touch -r a was && printf bbbb >a && touch -r was a && rm was";

#[test]
fn checksums_send_what_was_damaged_once_more() {
    let once = format!("[ -e ../once ] || {{ {CORRUPT}; }}; : >../once");
    let world = damaged(Verify::Checksum, &once);
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn checksums_name_a_file_that_is_damaged_again_and_again() {
    let world = damaged(Verify::Checksum, CORRUPT);
    assert_fault(world.ship(), FaultClass::TransientStep, "a is not what was copied there");
}

#[test]
fn the_quick_look_cannot_see_behind_size_and_time() {
    let world = damaged(Verify::Quick, CORRUPT);
    world.ship().unwrap();
    assert_eq!(fs::read(world.dest().join("a")).unwrap(), b"bbbb");
}

#[test]
fn the_quick_look_sees_what_was_cut_short_touched_or_removed() {
    for damage in ["truncate -s 2 a", "touch a", "rm a", "rm sub/b", "ln -sf x a", "rm -r sub"] {
        let mut world = damaged(Verify::Quick, damage);
        assert_fault(world.ship(), FaultClass::TransientStep, "is not what was copied there");
        world.settings.program = "rsync".into();
        world.ship().unwrap();
        world.assert_copied();
    }
}

#[test]
fn an_rsync_that_sends_nothing_and_ends_well_is_found_out() {
    let mut world = fast();
    world.write("a", b"a");
    world.settings.program = script(&world, "cat >/dev/null; exit 0");
    assert_fault(world.ship(), FaultClass::TransientStep, "a is not what was copied there");
}

#[test]
fn names_that_mean_something_to_rsync_are_sent_as_they_are() {
    let mut world = fast();
    world.verify = Verify::Checksum;
    for name in ["#1", ";x", "a:b", "host:/x", "-e sh", "--delete", "[a]", "back\\slash", "a*", "é"]
    {
        world.write(name, name.as_bytes());
        world.write(&format!("in {name}/{name}"), name.as_bytes());
    }
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn directories_whose_names_mean_something_to_shells_and_globs_are_shipped_to() {
    for name in [
        "HG[1]",
        "*",
        "it's $(touch PWNED) `touch PWNED`",
        "a\\' ; touch PWNED ; \\'",
        "wow! !!",
        "-rf",
        "~x",
        "a:b",
        "back\\slash",
        "back\\",
        "two  words",
        "é",
    ] {
        let world = fast();
        world.write("a", b"a");
        let dest = world.work.join("new").join(name);
        // What a glob would find in its place.
        let decoy = world.work.join("new/HG1");
        fs::create_dir_all(&decoy).unwrap();
        let mut order = world.order();
        order.dest = dest.to_str().unwrap().to_owned();
        world.ship_order(order).unwrap();
        assert_eq!(fs::read(dest.join("a")).unwrap(), b"a");
        assert_eq!(fs::read_dir(decoy).unwrap().count(), 0);
        let home = node(&world).far.sshd.home();
        for folder in [&home, &world.work, &world.work.join(".daylily-watch"), &dest] {
            assert!(!folder.join("PWNED").try_exists().unwrap(), "{}", folder.display());
        }
        let script = fs::metadata(world.lock().with_file_name("rsync.sh")).unwrap();
        assert_eq!(script.permissions().mode() & 0o7777, 0o700);
    }
}

#[test]
fn a_case_with_a_name_of_the_transfers_own_is_refused() {
    for name in [".daylily-watch-partial/a", "sub/.daylily-watch-incoming"] {
        let world = fast();
        world.write(name, b"a");
        assert_fault(world.ship(), FaultClass::FatalCase, "keep for themselves");
    }
}

#[test]
fn symlinks_planted_under_the_names_of_transfers_are_not_followed() {
    let world = fast();
    let outside = world.work.join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("x"), b"precious").unwrap();
    world.write("x", b"new");
    fs::create_dir_all(world.dest()).unwrap();
    for name in [".daylily-watch-partial", ".daylily-watch-incoming"] {
        std::os::unix::fs::symlink(&outside, world.dest().join(name)).unwrap();
    }
    world.ship().unwrap();
    world.assert_copied();
    assert_eq!(fs::read(outside.join("x")).unwrap(), b"precious");
}
