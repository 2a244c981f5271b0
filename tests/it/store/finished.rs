//! Law 8: finished cases cost nothing.

#![expect(clippy::disallowed_methods, reason = "this measures time")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use daylily_lifecycle::ids::{Arrival, HeadnodeName};
use rusqlite::Connection;

use super::world::{appeared, now, open, state_dir};

/// A hundred thousand finished cases, each with an attempt and four journal entries.
fn fill(path: &PathBuf) {
    let db = Connection::open(path).expect("it opens");
    db.execute_batch(
        "PRAGMA synchronous = OFF;
         BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n;
         INSERT INTO cases (id, intake, name, arrival, path, kind, state, state_since, because,
             pipeline, priority, headnode, gpus, files, bytes, fingerprint, first_seen, finished_at,
             updated_at, version, planned_version)
         SELECT printf('01%024d', i), 'new_cases', 'HG' || i, 1, '/in/HG' || i, 'folder',
             'cancelled', '2026-01-01T00:00:00.000Z', 'Cancelled by anna.', 'default', 'normal',
             'hpc', 0, 5, 1000, hex(randomblob(32)), '2026-01-01T00:00:00.000Z',
             '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 9, 9 FROM n;
         INSERT INTO attempts (id, case_id, number, headnode, tenure, work_dir, remote_dir,
             attempt_dir, queue, owner, command, config_hash, made_at)
         SELECT printf('dw-01%024d', i), printf('01%024d', i), 1, 'hpc', 'none', '/w', '/w/r',
             '/w/a', 'pueue', 'o', 'dy-r', 'h', '2026-01-01T00:00:00.000Z' FROM n;
         INSERT INTO journal (case_id, at, actor, kind, detail)
         SELECT printf('01%024d', i), '2026-01-01T00:00:00.000Z', 'daylily-watch', 'vanished',
             hex(randomblob(150)) FROM n, (VALUES (1), (2), (3), (4));
         COMMIT;",
    )
    .expect("it is filled");
}

#[tokio::test]
async fn a_hundred_thousand_finished_cases_cost_nothing() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.close().await;
    fill(&dir.path().join("daylily.db"));

    let begin = Instant::now();
    let (store, _) = open(dir.path());
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.live_cases().expect("it can be read"), []);
    assert_eq!(reader.slots().expect("it can be read"), []);
    let ready = begin.elapsed();
    assert!(ready < Duration::from_secs(1), "ready after {ready:?}");

    let begin = Instant::now();
    for _ in 0..100 {
        reader.due(now()).expect("it can be read");
        reader.waiting().expect("it can be read");
        reader.running(&HeadnodeName::new("hpc")).expect("it can be read");
        reader.take_requests().expect("it can be read");
    }
    let ticks = begin.elapsed();
    assert!(ticks < Duration::from_secs(1), "100 ticks took {ticks:?}");
    store.appear(appeared("A", "HG1", Arrival::FIRST.next())).await.expect("stored");
    let due = reader.due(now()).expect("it can be read");
    assert_eq!(due.len(), 1);
}
