//! Names and kinds of entries, friendly and hostile, on both sides.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use daylily_lifecycle::outcome::FaultClass;

use super::rig::Rig;
use super::world::{World, assert_fault, write};

over_each!(
    odd_names_are_copied_as_they_are,
    control_characters_in_names_are_refused,
    a_name_that_is_not_utf8_is_refused,
    a_special_file_is_refused,
    a_symlink_that_leaves_the_case_is_refused,
    nothing_is_written_through_a_symlink_in_the_destination,
    a_destination_that_is_a_symlink_is_refused,
    nothing_is_removed_through_a_symlink_that_replaced_a_shipped_folder,
);

fn odd_names_are_copied_as_they_are(rig: Rig) {
    let world = World::new(rig);
    let long = "x".repeat(255);
    let longest = "é".repeat(127);
    for name in [
        "two words",
        "it's",
        "\"quoted\"",
        "$HOME",
        "`id`",
        "a;b",
        "a&b|c",
        "*?[x]",
        "\\back",
        "-rf",
        "~",
        "#1",
        "日本語",
        "é",
        "e\u{301}",
        ".hidden",
        " lead",
        "trail ",
        "%s",
        &long,
        &longest,
    ] {
        world.write(name, name.as_bytes());
        world.write(&format!("in/{name}/{name}"), b"deep");
    }
    world.ship().unwrap();
    world.assert_copied();
}

fn control_characters_in_names_are_refused(rig: Rig) {
    for name in ["a\nb", "tab\there", "esc\u{1b}[2J", "del\u{7f}"] {
        let world = World::new(rig);
        world.write(name, b"");
        assert_fault(world.ship(), FaultClass::FatalCase, "control character");
        assert!(!world.dest().try_exists().unwrap());
    }
}

fn a_name_that_is_not_utf8_is_refused(rig: Rig) {
    let world = World::new(rig);
    world.write("a", b"a");
    let order = world.order();
    fs::write(world.source.join(OsStr::from_bytes(b"\xff")), b"").unwrap();
    assert_fault(world.ship_order(order), FaultClass::FatalCase, "UTF-8");
}

fn a_special_file_is_refused(rig: Rig) {
    let world = World::new(rig);
    let fifo = world.source.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_fault(world.ship(), FaultClass::FatalCase, "fifo");
}

fn a_symlink_that_leaves_the_case_is_refused(rig: Rig) {
    for target in ["/etc/passwd", "..", "../HG003/a", "sub/../../a", "sub/../../HG002/a"] {
        let world = World::new(rig);
        symlink(target, world.source.join("link")).unwrap();
        assert_fault(world.ship(), FaultClass::FatalCase, "leaves the case");
    }
}

fn nothing_is_written_through_a_symlink_in_the_destination(rig: Rig) {
    let world = World::new(rig);
    let outside = world.dir.path().join("outside");
    write(&outside.join("x"), b"precious");
    world.write("sub/x", b"new");
    fs::create_dir_all(world.dest()).unwrap();
    symlink(&outside, world.dest().join("sub")).unwrap();
    assert_fault(world.ship(), FaultClass::FatalCase, "sub is in the way");
    assert_eq!(fs::read(outside.join("x")).unwrap(), b"precious");

    fs::remove_file(world.dest().join("sub")).unwrap();
    fs::create_dir(world.dest().join("sub")).unwrap();
    symlink(outside.join("x"), world.dest().join("sub/x")).unwrap();
    assert_fault(world.ship(), FaultClass::FatalCase, "sub/x is in the way");
    assert_eq!(fs::read(outside.join("x")).unwrap(), b"precious");
}

#[test]
fn a_symlink_planted_under_the_temporary_name_is_replaced_and_not_followed() {
    let world = World::new(Rig::Copy);
    let outside = world.dir.path().join("outside");
    fs::write(&outside, b"precious").unwrap();
    world.write("x", b"new");
    fs::create_dir_all(world.dest()).unwrap();
    let hash = blake3::hash(b"x").to_hex();
    let temporary = format!(".daylily-watch-part.{}", &hash[..16]);
    symlink(&outside, world.dest().join(temporary)).unwrap();
    world.ship().unwrap();
    world.assert_copied();
    assert_eq!(fs::read(outside).unwrap(), b"precious");
}

fn a_destination_that_is_a_symlink_is_refused(rig: Rig) {
    let world = World::new(rig);
    let outside = world.dir.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(world.dest().parent().unwrap()).unwrap();
    symlink(&outside, world.dest()).unwrap();
    world.write("x", b"new");
    assert_fault(world.ship(), FaultClass::FatalCase, "not a folder of its own");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

fn nothing_is_removed_through_a_symlink_that_replaced_a_shipped_folder(rig: Rig) {
    let world = World::new(rig);
    world.write("sub/x", b"x");
    world.ship().unwrap();
    let outside = world.dir.path().join("outside");
    fs::rename(world.dest().join("sub"), &outside).unwrap();
    symlink(&outside, world.dest().join("sub")).unwrap();
    fs::remove_dir_all(world.source.join("sub")).unwrap();
    world.ship().unwrap();
    assert_eq!(fs::read(outside.join("x")).unwrap(), b"x");
}
