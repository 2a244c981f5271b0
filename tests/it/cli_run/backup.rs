//! `backup` and `restore` as they are typed: where the files may lie, and what is told
//! when they cannot be used.

use std::fs;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::site::Site;
use crate::namespace::ran_in_one;

/// A folder in which a daemon has made its database and ended.
fn with_a_database() -> Site {
    let site = Site::new("true");
    let ran = site.run(&["--run-once"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    site
}

#[test]
fn a_backup_is_made_wherever_its_file_is_named() {
    let site = with_a_database();
    site.write("sub/there", "");
    let whole = site.at("by its whole name.db").display().to_string();
    let mut noted = site.noted_backup();
    for file in ["bare.db", "./dotted.db", "sub/below.db", "sub/../up.db", &whole] {
        let ran = site.run(&["backup", file]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{file}: {ran:?}");
        assert!(ran.out.contains("a whole copy of the database"), "{file}: {ran:?}");
        let now = site.noted_backup();
        assert!(now.is_some() && now != noted, "{file}: it is noted");
        noted = now;
    }
    let ran = site.run(&["restore", "bare.db"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("bare.db is the database now"), "{ran:?}");
    let halves: Vec<_> = site.tree().into_keys().filter(|name| name.contains("half")).collect();
    assert_eq!(halves, [""; 0]);
}

#[test]
fn what_cannot_be_restored_is_told_with_what_can_and_makes_nothing() {
    let site = Site::new("true");
    site.write("text", "no database");
    let before = site.tree();
    for (file, told) in [
        (
            "nothere.db",
            "error: there is no file nothere.db; nothing was changed\nhint: name a file",
        ),
        (".", "error: . is no backup of daylily-watch\nhint: name a file"),
        ("text", "error: text is no backup of daylily-watch\nhint: name a file"),
    ] {
        let ran = site.run(&["restore", file]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.starts_with(told), "{ran:?}");
        assert_eq!(site.tree(), before, "{file}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_told_with_the_next_step() {
    let site = Site::bare();
    for args in [&["--config", "/nonexistent.yaml"][..], &["status", "--config", "no.yaml"]] {
        let ran = site.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let file = args.last().expect("it is named");
        assert!(ran.err.contains(&format!("{file}: cannot be read: No such file")), "{ran:?}");
        assert!(ran.err.contains("\n  hint: name the file with --config, or "), "{ran:?}");
    }
    assert!(site.tree().is_empty());
}

#[test]
fn a_backup_that_finds_no_room_says_so_and_speaks_of_no_daemon() {
    const NAME: &str =
        "cli_run::backup::a_backup_that_finds_no_room_says_so_and_speaks_of_no_daemon";
    if ran_in_one(NAME) {
        return;
    }
    let site = with_a_database();
    assert_eq!(site.run(&["backup", "whole.db"]).code, Some(0));
    let noted = site.noted_backup();
    fs::create_dir(site.at("disk")).expect("there is room");
    let small = |options: &str| {
        mount(Some("tmpfs"), &site.at("disk"), Some("tmpfs"), MsFlags::empty(), Some(options))
            .expect("root may mount, here or in a namespace");
    };
    for options in ["size=16k", "nr_inodes=1"] {
        small(options);
        let ran = site.run(&["backup", "disk/b.db"]);
        let left = fs::read_dir(site.at("disk")).expect("it can be read").count();
        umount2(&site.at("disk"), MntFlags::MNT_DETACH).expect("it is mounted");
        assert_eq!((ran.code, left), (Some(1), 0), "{options}: {ran:?}");
        assert_eq!(
            ran.err,
            "error: the disk of disk/b.db is full; the database is as it was\n\
             hint: make room, or name a file on another disk\n"
        );
        assert_eq!(site.noted_backup(), noted);
    }
    // To restore is the same: there is room for the lock and for no database.
    let text = site.read("config.yaml");
    site.write("config.yaml", &format!("state_dir: ./disk/state\n{text}"));
    small("size=16k");
    let ran = site.run(&["restore", "whole.db"]);
    let left: Vec<_> =
        site.tree().into_keys().filter(|name| name.starts_with("disk/state/d")).collect();
    umount2(&site.at("disk"), MntFlags::MNT_DETACH).expect("it is mounted");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("daylily.db is full; the database is as it was\nhint: make room, and")
    );
    assert_eq!(left, [""; 0], "{ran:?}");
}

/// Makes what a version wrote that remembered no starts.
fn made_older(site: &Site, file: &str) {
    let db = rusqlite::Connection::open(site.at(file)).expect("it opens");
    db.execute_batch(
        "DROP TABLE starts; DROP INDEX attempts_uncleaned; ALTER TABLE cases DROP COLUMN workset;
         PRAGMA user_version = 2;
         UPDATE meta SET app_version = '0.0.9';",
    )
    .expect("it is of this schema");
}

#[test]
fn an_older_backup_is_not_put_in_place_where_something_is_to_be_left_in_it() {
    let site = with_a_database();
    assert_eq!(site.run(&["backup", "old.db"]).code, Some(0));
    made_older(&site, "old.db");
    let before = site.tree();
    let ran = site.run(&["restore", "old.db", "--adopt", "--reason", "the disk was lost"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.starts_with("error: old.db was written by 0.0.9; this is "), "{ran:?}");
    assert!(ran.err.contains("nothing was changed\nhint: restore it without --adopt"), "{ran:?}");
    assert_eq!(site.tree(), before);
    // What the hint says does.
    let ran = site.run(&["restore", "old.db"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut daemon = site.daemon();
    let ran = site.run(&["adopt", "here", "--reason", "restored"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    daemon.signal("TERM");
    daemon.until_it_ends(crate::wait::LIMIT);
}
