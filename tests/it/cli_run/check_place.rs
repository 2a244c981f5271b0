//! `check` where the work_dir, the programs or the clock of a headnode behind ssh are not
//! as they must be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::far::FarSite;
use crate::namespace::ran_in_one;
use crate::servers::programs_without_rsync;
use crate::servers::sshd::Login;

#[test]
fn an_rsync_outside_of_path_is_told_with_the_line_that_makes_it_found() {
    let programs = programs_without_rsync();
    let shell = format!("env PATH={} /bin/sh", programs.path().display());
    let far = FarSite::with_login(Login::Shell(shell.leak()));
    let said = far.check().fails_alone("headnode.hpc.rsync");
    let expected = "fail: rsync is not in PATH on hpc, but in /usr/bin\n\
                    hint: in headnode hpc of the configuration: path: [/usr/bin]";
    assert_eq!(said, expected);
}

#[test]
fn an_rsync_that_is_too_old_is_told() {
    let mut far = FarSite::direct();
    far.stand_in("rsync", "echo 'rsync  version 2.6.9  protocol version 29'");
    let said = far.check().fails_alone("headnode.hpc.rsync");
    assert!(said.contains("is too old: rsync  version 2.6.9"), "{said}");
    assert!(said.contains("on hpc: install rsync 3.2.3 or later"), "{said}");
}

#[test]
fn a_work_dir_that_cannot_be_made_is_told_with_the_line_that_makes_it() {
    let mut far = FarSite::direct();
    let closed = far.sshd.remote_dir().join("closed");
    fs::create_dir(&closed).expect("there is room");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("it is ours");
    far.set("work_dir", closed.join("daylily").display().to_string());
    let said = far.check().fails_alone("headnode.hpc.work_dir");
    assert!(said.starts_with("fail: hpc:[remote]/closed/daylily is not there, and [remote]/closed cannot be written to\n"), "{said}");
    if nix::unistd::geteuid().is_root() {
        // It is root's, and we are not root there.
        let line = "sudo install -d -o [user] -m 755 [remote]/closed/daylily";
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn a_work_dir_that_another_user_made_is_not_taken_from_them() {
    let mut far = FarSite::direct();
    let closed = far.sshd.remote_dir().join("work");
    fs::create_dir(&closed).expect("there is room");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("it is ours");
    let said = far.set("umask", "\"0022\"").check().fails_alone("headnode.hpc.work_dir");
    let line =
        if nix::unistd::geteuid().is_root() { "use a work_dir of ours" } else { "chmod u+rwX" };
    assert!(said.contains(line), "{said}");
}

#[test]
fn a_file_in_place_of_work_dir_is_told() {
    let far = FarSite::direct();
    fs::write(far.sshd.remote_dir().join("work"), "").expect("there is room");
    let said = far.check().fails_alone("headnode.hpc.work_dir");
    assert!(said.contains("hpc:[remote]/work is in its place and is not a folder"), "{said}");
}

#[test]
fn a_full_disk_is_told_once_with_what_tells_who_fills_it() {
    const NAME: &str =
        "cli_run::check_place::a_full_disk_is_told_once_with_what_tells_who_fills_it";
    if ran_in_one(NAME) {
        return;
    }
    let far = FarSite::direct();
    let disk = far.sshd.remote_dir().join("work");
    fs::create_dir(&disk).expect("there is room");
    let small = |options: &str| {
        mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some(options))
            .expect("root may mount, here or in a namespace");
        fs::set_permissions(&disk, fs::Permissions::from_mode(0o777)).expect("it is ours");
    };
    small("size=1m");
    let full = far.check();
    umount2(&disk, MntFlags::MNT_DETACH).expect("it is mounted");
    // Space it has, and no room for another file.
    small("nr_inodes=1");
    let no_inodes = far.check();
    umount2(&disk, MntFlags::MNT_DETACH).expect("it is mounted");

    let said = full.fails_alone("headnode.hpc.work_dir");
    assert!(
        said.starts_with("fail: the disk of hpc:[remote]/work is full: 1 MiB are free"),
        "{said}"
    );
    assert!(said.contains("du -xh [remote]/work | sort -h | tail"), "{said}");
    let said = no_inodes.fails_alone("headnode.hpc.work_dir");
    assert!(said.contains("is full: 0 bytes are free"), "{said}");
}

#[test]
fn a_clock_that_is_wrong_is_told_with_why_it_matters() {
    let mut far = FarSite::direct();
    // No test can set the clock of the machine it runs on.
    far.stand_in("date", "exec /usr/bin/date -d '1 hour ago' \"$@\"");
    let checked = far.check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
    let said = checked.said("headnode.hpc.clock");
    let text = "59 min 59 s behind ours, and it is the one that tells when jobs start and end";
    assert!(said.starts_with("warn: the clock of hpc is ") && said.contains(text), "{said}");
    assert!(said.contains("timedatectl set-ntp true"), "{said}");
}

#[test]
fn a_work_dir_of_another_database_is_told() {
    let far = FarSite::direct();
    let folder = far.sshd.remote_dir().join("work/.daylily-watch");
    fs::create_dir_all(&folder).expect("there is room");
    fs::write(folder.join("owner"), "01OTHER 7\n").expect("there is room");
    for path in [folder.parent().expect("it is below"), &folder] {
        far.sshd.give_to_user(path);
    }
    let said = far.check().fails_alone("headnode.hpc.owner");
    assert!(said.contains("work_dir was used with the database 01OTHER"), "{said}");
}

#[test]
fn a_probe_that_fails_is_told_with_its_last_words() {
    let mut far = FarSite::direct();
    far.set_pipeline(
        "command: dy-r, setup: 'echo loading; LEVEL=3', probe: 'echo at $LEVEL; no-such-program --version'",
    );
    let said = far.check().fails_alone("headnode.hpc.probe");
    assert!(
        said.contains("ended with exit code 127 as a job (pipeline default, group default)"),
        "{said}"
    );
    assert!(said.contains(": loading / at 3 / ") && said.contains("no-such-program"), "{said}");
    assert!(said.contains("correct pipelines.default.setup"), "{said}");
}
