//! Small cases that were never there: one question, and whatever comes between its parts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::{AttemptId, ByteCount};
use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::{ShipOrder, Verify};
use tempfile::TempDir;

use super::world::{node, program};
use crate::copy::rig::{Headnode, Rig};
use crate::copy::world::{World, assert_fault, corrupt, listing, text};
use crate::servers::programs_without_rsync;
use crate::servers::sshd::{Login, Sshd};

/// A world in which no rsync can be started.
fn without_rsync(world: World) -> World {
    let settings = world.settings.clone();
    let program = "/nonexistent/rsync".into();
    World {
        settings: daylily_watch::adapters::host::rsync::RsyncSettings { program, ..settings },
        ..world
    }
}

fn new() -> World {
    let world = World::new(Rig::AtOnce);
    world.write("sub/a", b"aaaa");
    world.write("b", b"bbbb");
    world
}

/// Another case of the same content in the same world.
fn order(world: &World, number: usize) -> ShipOrder {
    let at = |path: String| text(&world.work.join(path));
    ShipOrder {
        attempt: AttemptId::new(format!("dw-{number}")),
        dest: at(format!("new/{number}")),
        manifest: at(format!(".daylily-watch/cases/new/{number}.list")),
        lock: at(format!(".daylily-watch/dw-{number}/ship.lock")),
        ..world.order()
    }
}

fn list(order: &ShipOrder) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(&order.manifest).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What lies beside a list, and in the folder of its attempt.
fn beside(order: &ShipOrder) -> Vec<String> {
    let folders = [&order.manifest, &order.lock].map(|file| Path::new(file).parent().unwrap());
    let entries = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_small_case_that_was_never_there_takes_one_question_and_no_rsync() {
    let world = without_rsync(new());
    world.write("run", b"#!/bin/sh\n");
    fs::set_permissions(world.source.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(world.source.join("none")).unwrap();
    let before = node(&world).far.sshd.sessions();
    let shipped = world.ship().unwrap();
    assert_eq!(node(&world).far.sshd.sessions() - before, 1);
    world.assert_copied();
    assert_eq!((shipped.files, shipped.bytes.0), (3, 18));

    let order = world.order();
    assert_eq!(beside(&order), ["HG002.list", "ship.lock"]);
    let lines = list(&order);
    assert!(lines.iter().all(|line| line["shipped"] == true), "{lines:?}");
    let paths: Vec<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["b", "none", "run", "sub", "sub/a"]);
    let hash = blake3::hash(b"bbbb").to_hex();
    assert_eq!(lines[0]["blake3"], hash.as_str());
}

#[test]
fn it_is_the_same_as_what_rsync_leaves() {
    let trees = [None, Some(ByteCount(1 << 20))].map(|at_once| {
        let mut world = new();
        world.settings.at_once = at_once;
        std::os::unix::fs::symlink("../b", world.source.join("sub/link")).unwrap();
        fs::create_dir(world.source.join("none")).unwrap();
        // As another folder's: what the first world's times are does not matter.
        let shipped = world.ship().unwrap();
        let modes: BTreeMap<PathBuf, u32> = listing(&world.dest())
            .into_iter()
            .map(|(path, _)| {
                let meta = fs::symlink_metadata(world.dest().join(&path)).unwrap();
                (path, meta.permissions().mode())
            })
            .collect();
        let kinds: Vec<String> = list(&world.order())
            .iter()
            .map(|line| format!("{} {} {}", line["path"], line["kind"], line["blake3"]))
            .collect();
        (shipped, modes, kinds)
    });
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn what_is_large_limited_to_be_compared_or_marked_goes_by_rsync() {
    let large: fn(&mut World) = |world| world.settings.at_once = Some(ByteCount(7));
    let limited: fn(&mut World) = |world| world.settings.bandwidth = Some(ByteCount(1 << 20));
    let compared: fn(&mut World) = |world| world.verify = Verify::Checksum;
    let marked: fn(&mut World) = |world| world.marker = Some("b".to_owned());
    let many: fn(&mut World) = |world| {
        for n in 0..500 {
            world.write(&format!("many/{n}"), b"");
        }
    };
    for change in [large, limited, compared, marked, many] {
        let mut world = without_rsync(new());
        change(&mut world);
        assert_fault(world.ship(), FaultClass::FatalHost, "rsync is not found on this machine");
        world.settings.program = "rsync".into();
        world.ship().unwrap();
        world.assert_copied();
    }
}

#[test]
fn a_headnode_by_which_no_result_could_come_home_is_told_at_once() {
    let bin = programs_without_rsync();
    let line = format!("SetEnv PATH={} HOME=/nonexistent", bin.path().display());
    let mut world = World::at_once(Headnode::of(Sshd::with(Login::Plain, &[&line])));
    world.settings.path = Vec::new();
    world.write("a", b"a");
    assert_fault(world.ship(), FaultClass::FatalHost, "sudo apt-get install rsync");
}

#[test]
fn a_folder_that_is_there_already_is_looked_at_first() {
    let world = new();
    fs::create_dir_all(world.dest()).unwrap();
    fs::write(world.dest().join("b"), b"precious").unwrap();
    assert_fault(world.ship(), FaultClass::FatalCase, "b is there with other content");
    assert_eq!(listing(&world.dest()).len(), 1);
    fs::write(world.dest().join("b"), b"bbbb").unwrap();
    world.ship().unwrap();
    assert_eq!(fs::read(world.dest().join("sub/a")).unwrap(), b"aaaa");
}

#[test]
fn another_owner_is_noticed_before_anything_is_made() {
    let world = new();
    for (owner, said) in [("other 1 word", "belongs to the database other"), ("db 1 other", "copy")]
    {
        fs::write(world.work.join(".daylily-watch/owner"), format!("{owner}\n")).unwrap();
        assert_fault(world.ship(), FaultClass::FatalHost, said);
        assert!(!world.dest().try_exists().unwrap());
        assert!(!world.lock().try_exists().unwrap());
    }
}

#[test]
fn a_lock_that_is_held_keeps_it_away() {
    let world = new();
    fs::create_dir_all(world.lock().parent().unwrap()).unwrap();
    let lock = fs::File::create(world.lock()).unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    assert_fault(world.ship(), FaultClass::TransientStep, "an earlier transfer is still ending");
    assert!(!world.dest().try_exists().unwrap());
    drop(held);
    without_rsync(world).ship().unwrap();
}

#[test]
fn a_source_that_changes_while_it_is_read_is_not_sent() {
    let world = new();
    let order = world.order();
    fs::write(world.source.join("b"), b"later").unwrap();
    assert_fault(world.ship_order(order), FaultClass::TransientStep, "has changed since");
    assert!(!world.dest().try_exists().unwrap());
}

/// A world whose headnode has these programs in place of its own. In them `$REAL` is the
/// folder of the real ones.
fn with_programs(programs: &[(&str, &str)]) -> (World, TempDir) {
    let bin = tempfile::tempdir().unwrap();
    fs::set_permissions(bin.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for (name, text) in programs {
        let path = bin.path().join(name);
        program(&path, &format!("REAL=/usr/bin; HERE={}\n{text}", bin.path().display()));
    }
    let path = format!("SetEnv PATH={}:/usr/bin:/bin HOME=/nonexistent", bin.path().display());
    let world = World::at_once(Headnode::of(Sshd::with(Login::Plain, &[&path])));
    world.write("sub/a", b"aaaa");
    world.write("b", b"bbbb");
    (world, bin)
}

#[test]
fn an_owner_that_changes_while_it_arrives_is_the_end_of_it() {
    let (world, bin) = with_programs(&[(
        "tar",
        "[ \"$1\" = --version ] || echo 'db 2 later' >\"$(cat \"$HERE/owner\")\"\n\
         exec $REAL/tar \"$@\"",
    )]);
    let owner = world.work.join(".daylily-watch/owner");
    fs::write(bin.path().join("owner"), text(&owner)).unwrap();
    assert_fault(world.ship(), FaultClass::TransientStep, "the owner has changed");
    assert_fault(world.ship(), FaultClass::FatalHost, "used by a later start");
    assert!(list(&world.order()).iter().all(|line| line["shipped"] == false));
}

#[test]
fn a_tar_of_another_make_is_not_asked() {
    let (world, _bin) = with_programs(&[(
        "tar",
        "[ \"$1\" = --version ] && echo 'tar (busybox) 1.36.1' && exit\necho odd >&2; exit 1",
    )]);
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn what_arrives_otherwise_is_looked_at_and_sent_again() {
    // As on a file system that keeps whole seconds, and as one that was meddled with.
    for (damage, by_rsync) in [("touch -d @1700000000 ./b", true), ("rm ./b", true), (":", false)] {
        let script = format!(
            "[ \"$1\" = --version ] && exec $REAL/tar \"$@\"\n$REAL/tar \"$@\" || exit\n{damage}"
        );
        let (mut world, _bin) = with_programs(&[("tar", &script)]);
        let log = world.dir.path().join("asked");
        let text = format!("echo asked >>'{}'; exec rsync \"$@\"", log.display());
        world.settings.program = super::world::script(&world, &text);
        world.ship().unwrap();
        world.assert_copied();
        assert_eq!(log.try_exists().unwrap(), by_rsync, "{damage}");
    }
}

#[test]
fn a_headnode_that_goes_down_at_any_step_leaves_what_the_next_try_finishes() {
    // The n-th program that is started ends all of the script instead.
    let programs = ["stat", "mkdir", "flock", "head", "wc", "sync", "mv", "tar", "find", "rmdir"];
    let programs = programs.into_iter().chain(["sort", "sha256sum", "rm"]);
    let count = |name| {
        let text = format!(
            "echo >>\"$HERE/count\"\n\
             [ \"$(wc -l <\"$HERE/count\")\" != \"$(cat \"$HERE/last\")\" ] || kill -9 0\n\
             exec $REAL/{name} \"$@\""
        );
        (name, text.replace("$(wc", "$($REAL/wc"))
    };
    let programs: Vec<(&str, String)> = programs.map(count).collect();
    let programs: Vec<(&str, &str)> =
        programs.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (world, bin) = with_programs(&programs);
    let at = |name: &str| bin.path().join(name);
    let mut steps = 0;
    loop {
        steps += 1;
        fs::write(at("count"), "").unwrap();
        fs::set_permissions(at("count"), fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(at("last"), steps.to_string()).unwrap();
        let order = order(&world, steps);
        let ended = world.ship_order(order.clone());
        let reached = fs::read_to_string(at("count")).unwrap().lines().count();
        fs::write(at("last"), "never").unwrap();
        if reached < steps {
            ended.unwrap();
            break;
        }
        let dest = Path::new(&order.dest);
        if ended.is_err() {
            // What was not on the disk yet is lost, although it looks whole.
            let boot = PathBuf::from(format!("{}.boot", order.manifest));
            let is_said = Path::new(&order.manifest).try_exists().unwrap()
                && list(&order).iter().any(|line| line["shipped"] == true);
            if boot.try_exists().unwrap() && !is_said {
                fs::write(&boot, "another start\n").unwrap();
                if dest.join("b").try_exists().unwrap() {
                    corrupt(&dest.join("b"), b"\0\0\0\0");
                }
            }
        }
        world.ship_order(order.clone()).unwrap();
        assert_eq!(listing(&world.source), listing(dest), "after step {steps}");
        assert!(list(&order).iter().all(|line| line["shipped"] == true), "after step {steps}");
    }
    assert!(steps > 20, "only {steps} programs were started");
}
