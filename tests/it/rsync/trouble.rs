//! Rows of the table of rsync's ends, each met for real.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use daylily_lifecycle::outcome::FaultClass;

use super::world::{fast, node, noise, program, script};
use crate::copy::rig::{Headnode, Rig};
use crate::copy::world::{World, assert_fault};
use crate::servers::programs_without_rsync;
use crate::servers::sshd::{Login, NOISE, Sshd};

/// Lets rsync go by another remote shell than scripts do.
fn with_remote_shell(world: &mut World, text: &str) {
    let shell = world.dir.path().join("ssh");
    program(&shell, text);
    world.remote_shell = Some(shell.to_str().unwrap().to_owned());
}

#[test]
fn a_headnode_without_rsync_is_told_with_the_line_to_paste() {
    let bin = programs_without_rsync();
    let line = format!("SetEnv PATH={} HOME=/nonexistent", bin.path().display());
    let node = Headnode::of(Sshd::with(Login::Plain, &[&line]));
    let mut world = World::on(node);
    world.settings.path = Vec::new();
    world.write("a", b"a");
    for _ in 0..2 {
        assert_fault(world.ship(), FaultClass::FatalHost, "sudo apt-get install rsync");
    }
}

#[test]
fn an_rsync_in_the_folders_of_the_headnodes_path_is_found() {
    let mut world = fast();
    world.write("a", b"a");
    let bin = node(&world).far.sshd.home().join("own bin");
    program(&bin.join("rsync"), ": >\"$HOME/was-here\"; exec /usr/bin/rsync \"$@\"");
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
    world.settings.path = vec!["~/own bin".into()];
    world.ship().unwrap();
    assert!(node(&world).far.sshd.home().join("was-here").try_exists().unwrap());
}

#[test]
fn a_login_shell_that_prints_is_told_with_what_it_prints() {
    let world = World::on(Headnode::of(Sshd::with(Login::Noisy, &[])));
    world.write("a", b"a");
    assert_fault(world.ship(), FaultClass::FatalHost, NOISE);
}

#[test]
fn a_connection_that_is_refused_is_the_hosts_trouble() {
    let mut world = fast();
    world.write("a", b"a");
    with_remote_shell(&mut world, "exec ssh -F /dev/null -o BatchMode=yes -p 1 127.0.0.1 true");
    assert_fault(world.ship(), FaultClass::TransientHost, "connection refused");
}

#[test]
fn a_host_key_that_nobody_knows_needs_a_person() {
    let mut world = fast();
    world.write("a", b"a");
    let config = node(&world).far.sshd.config_file();
    let text = format!("exec ssh -F '{}' -o UserKnownHostsFile=/dev/null \"$@\"", config.display());
    with_remote_shell(&mut world, &text);
    assert_fault(world.ship(), FaultClass::NeedsPerson, "the host key of hpc");
}

#[test]
fn a_key_that_is_refused_needs_a_person() {
    let mut world = fast();
    world.write("a", b"a");
    world.ship().unwrap();
    world.write("b", b"b");
    let config = node(&world).far.sshd.config_file();
    node(&world).far.sshd.refuse_our_key();
    let text = format!("exec ssh -F '{}' \"$@\"", config.display());
    with_remote_shell(&mut world, &text);
    assert_fault(world.ship(), FaultClass::NeedsPerson, "hpc refuses our key");
}

#[test]
fn no_remote_shell_and_no_rsync_here_are_told() {
    let mut world = fast();
    world.write("a", b"a");
    world.remote_shell = Some("/nonexistent/ssh".to_owned());
    assert_fault(world.ship(), FaultClass::FatalHost, "openssh-client");
    world.settings.program = "/nonexistent/rsync".into();
    assert_fault(world.ship(), FaultClass::FatalHost, "rsync is not found on this machine");
}

#[test]
fn a_source_that_may_not_be_read_is_the_cases_with_the_file() {
    let mut world = fast();
    world.write("sub/secret", &noise(4 << 20));
    let secret = world.source.join("sub/secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if nix::unistd::geteuid().is_root() {
        // Root reads everything, so rsync is somebody else here, who may use the line.
        let user = node(&world).far.sshd.user().to_owned();
        let config = node(&world).far.sshd.config_file();
        let key = config.with_file_name("user_key");
        node(&world).far.sshd.give_to_user(&key);
        for folder in [world.dir.path(), &world.source, &world.source.join("sub")] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        with_remote_shell(&mut world, &format!("exec ssh -F '{}' \"$@\"", config.display()));
        let text = format!(
            "exec setpriv --reuid={user} --regid={user} --clear-groups /usr/bin/rsync \"$@\""
        );
        world.settings.program = script(&world, &text);
    }
    assert_fault(world.ship(), FaultClass::FatalCase, "sub/secret");
}

#[test]
fn a_source_that_vanishes_under_way_takes_the_case_back() {
    let mut world = fast();
    world.write("a", b"a");
    world.write("b", b"b");
    let text = format!("rm '{}'; exec rsync \"$@\"", world.source.join("b").display());
    world.settings.program = script(&world, &text);
    assert_fault(world.ship(), FaultClass::TransientStep, "b");
}

#[test]
fn a_destination_that_may_not_be_written_comes_back() {
    let mut world = fast();
    world.write("sub/a", b"a");
    world.ship().unwrap();
    world.write("sub/b", b"b");
    // rsync opens what its user may open: only another one's folder is closed to it.
    let incoming = world.dest().join(".daylily-watch-incoming");
    let text = match nix::unistd::geteuid().is_root() {
        true => format!("chown 0:0 '{0}'; chmod 755 '{0}'; exec rsync \"$@\"", incoming.display()),
        false => format!("chmod 555 '{}'; exec rsync \"$@\"", incoming.display()),
    };
    world.settings.program = script(&world, &text);
    assert_fault(world.ship(), FaultClass::TransientStep, "Permission denied");
    world.settings.program = "rsync".into();
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn our_own_signal_is_tried_again() {
    let mut world = World::new(Rig::Rsync);
    world.write("big", &noise(64 << 20));
    let text = "rsync \"$@\" & pid=$!; (sleep 1; kill -TERM $pid) & wait $pid";
    world.settings.program = script(&world, text);
    assert_fault(world.ship(), FaultClass::TransientStep, "");
}

#[test]
fn another_owner_stops_a_ship_before_it_touches_anything() {
    let world = fast();
    world.write("a", b"a");
    fs::write(world.work.join(".daylily-watch/owner"), "other 1\n").unwrap();
    assert_fault(world.ship(), FaultClass::FatalHost, "belongs to the database other");
    assert!(!world.dest().try_exists().unwrap());
}

#[test]
fn an_owner_that_changes_under_way_stops_the_transfer() {
    let mut world = fast();
    world.write("a", b"a");
    let owner = world.work.join(".daylily-watch/owner");
    let text = format!("echo other 1 >'{}'; exec rsync \"$@\"", owner.display());
    world.settings.program = script(&world, &text);
    assert_fault(world.ship(), FaultClass::FatalHost, "belongs to the database other");
    assert!(!world.dest().join("a").try_exists().unwrap());
}

#[test]
fn more_than_any_pipe_holds_is_listed_and_told() {
    let world = fast();
    for n in 0..3000 {
        world.write(&format!("{}/{}-{n}", n % 10, "x".repeat(100)), b"x");
    }
    let shipped = world.ship().unwrap();
    world.assert_copied();
    assert_eq!((shipped.files, shipped.bytes.0), (3000, 3000));
}

#[test]
fn what_rsync_repeats_of_a_secret_is_masked() {
    let mut world = fast();
    let secret = "hidden-in-what-rsync-says";
    let file = world.dir.path().join("token");
    fs::write(&file, format!("{secret}\n")).unwrap();
    let file = daylily_watch::config::secret::SecretSource::File(file);
    file.read().unwrap();
    let text = format!("echo 'rsync: [sender] {secret} is wrong (5)' >&2; exit 23");
    world.settings.program = script(&world, &text);
    world.write("a", b"a");
    let fault = world.ship().unwrap_err();
    assert!(fault.text.contains("*** is wrong") && !fault.text.contains(secret), "{fault}");
}
