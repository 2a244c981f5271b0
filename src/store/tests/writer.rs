//! The writer's promises: few commits for many jobs, no job that spoils another, no
//! answer before the commit, and a loud end when the database is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use daylily_lifecycle::case::{Case, CaseKind, Order, Priority};
use daylily_lifecycle::ids::{
    Actor, Arrival, CaseId, CaseName, HeadnodeName, IntakeName, PipelineName,
};
use daylily_lifecycle::observation::{Appeared, Observation, Observed};
use daylily_lifecycle::record::{Recorded, record};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::super::error::StoreError;
use super::super::journal::JournalId;
use super::super::recording::{Fact, Recorder, record_all};
use super::super::schema::MIGRATIONS;
use super::super::writer::Verdict;
use super::super::{Store, open};

fn now() -> Timestamp {
    "2026-11-20T06:00:00Z".parse().expect("it is an instant")
}

fn store_with(state_dir: &Path, recorder: Recorder, patience: u32) -> Store {
    let opened = open::open(state_dir, now(), "1.3").expect("it opens");
    Store::start(opened, state_dir, "1.3", recorder, patience).expect("it starts").0
}

fn state_dir() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

fn appeared(name: &str) -> Observed {
    Observed {
        at: now(),
        actor: Actor::new("daylily-watch"),
        what: Observation::Appeared(Box::new(Appeared {
            case: CaseId::new(name),
            intake: IntakeName::new("new_cases"),
            name: CaseName::new(name),
            arrival: Arrival::FIRST,
            path: format!("/in/{name}"),
            kind_of_case: CaseKind::Folder,
            order: Order {
                pipeline: PipelineName::new("default"),
                priority: Priority::Normal,
                headnode: HeadnodeName::new("hpc"),
                group: None,
                gpus: 0,
                params: BTreeMap::new(),
                notify: Vec::new(),
                rule: None,
                priority_by: None,
                workset: None,
            },
            folder: None,
            prior: None,
            baseline: None,
            problem: None,
        })),
    }
}

#[tokio::test]
async fn a_thousand_records_that_wait_take_a_few_commits() {
    let dir = state_dir();
    let store = store_with(dir.path(), record, 0);
    let (go, wait) = channel::<()>();
    let mut all = JoinSet::new();
    let gate = store.clone();
    all.spawn(async move {
        let opened = gate.write("wait", move |_| Ok(wait.recv().is_ok())).await;
        opened.map(|_| JournalId::START)
    });
    for number in 0..1000 {
        let (store, recorder) = (store.clone(), store.recorder);
        all.spawn(async move {
            let journal = store.journalled();
            let observed = appeared(&format!("{number:04}"));
            let case = CaseId::new(format!("{number:04}"));
            let work = move |db: &Connection| {
                record_all(db, recorder, &[Fact { case, observed }])?;
                // What was told last is the same for all jobs of one commit.
                let told = *journal.borrow();
                Ok(Verdict::Keep(told))
            };
            store.writer.run("record", work).await
        });
    }
    // Every task has handed over its job when each has been polled once.
    tokio::task::yield_now().await;
    go.send(()).expect("the gate waits");
    let mut commits = BTreeSet::new();
    while let Some(done) = all.join_next().await {
        commits.insert(done.expect("it did not panic").expect("it is stored"));
    }
    assert!(commits.len() <= 3, "{commits:?}");
    let live = store.read(|reader| reader.live_cases()).await.expect("it can be read");
    assert_eq!(live.len(), 1000);
}

#[tokio::test]
async fn a_job_that_fails_or_panics_spoils_no_other() {
    let dir = state_dir();
    let store = store_with(dir.path(), panics_on_b, 0);
    let (a, b, c) = tokio::join!(
        store.appear(appeared("A")),
        store.appear(appeared("B")),
        store.appear(appeared("C")),
    );
    assert!(matches!(a, Ok(Recorded::Changed(_))), "{a:?}");
    assert!(matches!(c, Ok(Recorded::Changed(_))), "{c:?}");
    let text = b.expect_err("it panicked").to_string();
    assert!(text.contains("B is too much"), "{text}");
    let live = store.read(|reader| reader.live_cases()).await.expect("it can be read");
    let names: Vec<_> = live.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["A", "C"]);
}

fn panics_on_b(case: Option<&Case>, observed: &Observed) -> Recorded {
    if let Observation::Appeared(appeared) = &observed.what {
        assert!(appeared.name.as_str() != "B", "B is too much");
    }
    record(case, observed)
}

#[tokio::test]
async fn a_full_disk_breaks_the_store_and_keeps_what_was_answered() {
    let dir = state_dir();
    let store = store_with(dir.path(), record, 0);
    store.appear(appeared("before")).await.expect("there is room");
    store
        .write("leave no room", |db| {
            let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
        })
        .await
        .expect("it is set");
    let large = "x".repeat(1 << 20);
    let error = store.appear(appeared(&large)).await.expect_err("there is no room");
    assert!(matches!(error, StoreError::Broken { .. }), "{error}");
    let why = store.broken().await.to_string();
    assert!(why.contains("is full"), "{why}");
    let after = store.appear(appeared("after")).await.expect_err("it is broken");
    assert!(matches!(after, StoreError::Broken { .. }), "{after}");
    store.close().await;

    let store = store_with(dir.path(), record, 0);
    let live = store.read(|reader| reader.live_cases()).await.expect("it can be read");
    let names: Vec<_> = live.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["before"]);
}

#[tokio::test]
async fn a_file_removed_under_the_daemon_breaks_the_store() {
    for name in ["daylily.db", "daylily.db-wal"] {
        let dir = state_dir();
        let store = store_with(dir.path(), record, 0);
        std::fs::remove_file(dir.path().join(name)).expect("it was there");
        let error = store.appear(appeared("A")).await.expect_err("there is no file");
        assert!(error.to_string().contains(&format!("{name} was removed or replaced")), "{error}");
        assert!(store.is_broken().is_some());
    }
}

#[tokio::test]
async fn a_log_that_is_another_programs_is_left_alone() {
    let dir = state_dir();
    let store = store_with(dir.path(), record, 0);
    store.appear(appeared("A")).await.expect("stored");
    let log = dir.path().join("daylily.db-wal");
    std::fs::write(dir.path().join("other"), "another's").expect("there is room");
    std::fs::rename(dir.path().join("other"), &log).expect("it is ours");
    store.close().await;
    assert_eq!(std::fs::read(&log).expect("it is there"), b"another's");
}

#[tokio::test]
async fn another_programs_lock_is_waited_for_and_then_told() {
    let dir = state_dir();
    let store = store_with(dir.path(), record, 0);
    store.write("wait less", |db| db.busy_timeout(Duration::from_millis(20))).await.expect("set");
    let other = Connection::open(dir.path().join("daylily.db")).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let error = store.appear(appeared("A")).await.expect_err("it is locked");
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert_eq!(store.is_broken(), None);
    other.execute_batch("ROLLBACK").expect("it ends");
    store.appear(appeared("A")).await.expect("it is free again");
}

#[tokio::test]
async fn an_old_schema_is_backed_up_before_it_is_changed() {
    let dir = state_dir();
    store_with(dir.path(), record, 0).close().await;
    let next = [MIGRATIONS, &["ALTER TABLE cases ADD COLUMN colour TEXT;"]].concat();
    let opened = open::open_with(dir.path(), now(), "1.4", &next).expect("it is brought up");
    let migrated = opened.opened.migrated.expect("it was older");
    assert_eq!((migrated.from, migrated.to), (MIGRATIONS.len(), MIGRATIONS.len() + 1));
    let backup = Connection::open(&migrated.backup).expect("it is a database");
    let by: String =
        backup.query_row("SELECT app_version FROM meta", [], |row| row.get(0)).expect("it is ours");
    assert_eq!(by, "1.3");
    drop((opened.db, opened.lock));

    let error = open::open(dir.path(), now(), "1.3").expect_err("it is newer");
    let text = error.to_string();
    assert!(text.contains("was written by 1.4; this is 1.3"), "{text}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let dir = state_dir();
    store_with(dir.path(), record, 0).close().await;
    let next = [MIGRATIONS, &["CREATE TABLE half (a); SELECT nonsense;"]].concat();
    let error = open::open_with(dir.path(), now(), "1.4", &next).expect_err("it is wrong");
    assert!(matches!(error, StoreError::Migrate { .. }), "{error}");
    let store = store_with(dir.path(), record, 0);
    store.appear(appeared("A")).await.expect("it works as before");
}
