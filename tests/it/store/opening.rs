//! What opening makes, and what it refuses with which words.

use std::os::unix::fs::PermissionsExt;

use daylily_watch::store::error::StoreError;
use daylily_watch::store::read::Reader;
use daylily_watch::store::restore::{Then, restore};
use rusqlite::Connection;

use super::world::{VERSION, names_in, now, open, refused, state_dir, three_ready};

#[test]
fn a_second_daemon_is_told_who_has_the_folder() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    let text = refused(dir.path()).to_string();
    assert!(text.contains(&format!("process {} on ", std::process::id())), "{text}");
    assert!(text.contains("\nhint: "), "{text}");
    // The lock alone decides: reading goes on.
    Reader::open(dir.path(), VERSION).expect("it opens");
    drop(store);
}

#[test]
fn reading_without_a_database_says_what_to_do() {
    let dir = state_dir();
    let error = Reader::open(dir.path(), VERSION).expect_err("there is none");
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("\nhint: "), "{error}");
    assert_eq!(names_in(dir.path()), [""; 0], "reading makes nothing");
}

#[tokio::test]
async fn reading_works_without_a_daemon() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    store.close().await;
    let reader = Reader::open(dir.path(), VERSION).expect("it opens");
    assert_eq!(reader.board(5).expect("it can be read").len(), 3);
    assert_eq!(reader.damage().expect("it can be read"), None);
    let copy = dir.path().join("copy.db");
    reader.back_up(&copy).expect("it is copied");
    let copy = Connection::open(copy).expect("it opens");
    let cases: i64 = copy.query_row("SELECT count(*) FROM cases", [], |row| row.get(0)).expect("1");
    assert_eq!(cases, 3);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    for (content, expected) in [
        ("this is a text, long enough to be taken for a page of something".repeat(100), "is not a"),
        (String::new(), "is empty"),
    ] {
        let dir = state_dir();
        let path = dir.path().join("daylily.db");
        std::fs::write(&path, &content).expect("it can be written");
        let error = refused(dir.path()).to_string();
        assert!(error.contains(expected) && error.contains("\nhint: "), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("it is text"), content);
    }
    let dir = state_dir();
    let other = Connection::open(dir.path().join("daylily.db")).expect("it opens");
    other.execute_batch("CREATE TABLE cases (a); PRAGMA user_version = 1;").expect("it is made");
    drop(other);
    assert!(matches!(refused(dir.path()), StoreError::NotOurs { .. }));
}

#[tokio::test]
async fn a_damaged_schema_is_told_at_once() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.close().await;
    let path = dir.path().join("daylily.db");
    let mut bytes = std::fs::read(&path).expect("it can be read");
    bytes[100..4000].fill(0xA5);
    std::fs::write(&path, bytes).expect("it can be written");
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("\nhint: "), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let dir = state_dir();
    let error = refused(&dir.path().join("a/b"));
    assert!(matches!(error, StoreError::NoParent { .. }), "{error}");
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[tokio::test]
async fn the_folder_and_the_file_are_for_the_owner_only() {
    let dir = state_dir();
    let state = dir.path().join("state");
    let (store, opened) = open(&state);
    assert!(opened.created);
    for (path, mode) in [(state.clone(), 0o700), (state.join("daylily.db"), 0o600)] {
        let meta = std::fs::metadata(&path).expect("it is there");
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{}", path.display());
    }
    store.close().await;
    assert_eq!(names_in(&state), ["daylily.db", "lock"], "nothing half-made is left");
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_damaged_database() {
    let dir = state_dir();
    let (store, before) = open(dir.path());
    three_ready(&store).await;
    let backup = dir.path().join("backup.db");
    store.reader().expect("it opens").back_up(&backup).expect("it is copied");
    let error =
        restore(dir.path(), &backup, Then::Nothing, VERSION, now()).expect_err("the daemon runs");
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    store.close().await;
    let path = dir.path().join("daylily.db");
    std::fs::write(&path, "gone").expect("it can be written");
    std::fs::write(dir.path().join("daylily.db-wal"), "old").expect("it can be written");

    let error =
        restore(dir.path(), &path, Then::Nothing, VERSION, now()).expect_err("it is no backup");
    assert!(matches!(error, StoreError::NoBackup { .. }), "{error}");
    let kept = restore(dir.path(), &backup, Then::Nothing, VERSION, now()).expect("it is restored");
    let kept = kept.expect("there was one");
    assert_eq!(std::fs::read_to_string(kept).expect("it is text"), "gone");
    let kept = "daylily.db.before-restore-20261120T060000000Z";
    let log = format!("{kept}-wal");
    assert_eq!(names_in(dir.path()), ["backup.db", "daylily.db", kept, &log, "lock"]);

    let (store, after) = open(dir.path());
    assert_eq!(after.database, before.database);
    assert_eq!(store.read(|reader| reader.live_cases()).await.expect("it can be read").len(), 3);
}
