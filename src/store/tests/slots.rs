//! Slots are given all or none, and never to two.

use daylily_lifecycle::ids::{GroupName, HeadnodeName};
use rusqlite::Connection;

use super::fresh;
use crate::store::slots::{all, sync};

fn sync_gpus(db: &Connection, gpus: &[&str]) {
    let gpus = gpus.iter().map(|gpu| Some((*gpu).to_owned())).collect();
    sync(db, &HeadnodeName::new("hpc"), &[(GroupName::new("gpu_a"), gpus)]).expect("it is done");
}

fn take(db: &Connection, slot: u32) {
    db.execute_batch(&format!(
        "INSERT OR IGNORE INTO cases (id, intake, name, arrival, path, kind, state, state_since,
             pipeline, priority, headnode, gpus, files, bytes, first_seen, updated_at, version)
         VALUES ('A', 'i', 'n', 1, '/', 'folder', 'arriving', 't', 'p', 'low', 'hpc', 0, 0, 0,
             '2026-11-20T06:00:00.000Z', '2026-11-20T06:00:00.000Z', 1);
         INSERT OR IGNORE INTO attempts (id, case_id, number, headnode, tenure, work_dir,
             remote_dir, attempt_dir, queue, owner, command, config_hash, made_at)
         VALUES ('dw-1', 'A', 1, 'hpc', 'none', '', '', '', 'direct', '', '', '', '');
         UPDATE slots SET state = 'reserved', attempt_id = 'dw-1',
             since = '2026-11-20T06:00:00.000Z' WHERE slot = {slot};"
    ))
    .expect("it is taken");
}

fn shown(db: &Connection) -> Vec<String> {
    let slots = all(db).expect("they can be read");
    slots
        .into_iter()
        .map(|slot| {
            let draining = if slot.view.draining { " draining" } else { "" };
            let gpu = slot.view.slot.gpu.unwrap_or_default();
            format!("{} {gpu} {:?}{draining}", slot.view.slot.slot, slot.view.state)
        })
        .collect()
}

#[test]
fn a_slot_taken_out_of_the_configuration_drains_while_it_is_taken() {
    let db = fresh();
    sync_gpus(&db, &["0", "1", "2"]);
    take(&db, 2);
    sync_gpus(&db, &["0"]);
    assert_eq!(shown(&db), ["0 0 Free", "2 2 Reserved draining"]);
    sync_gpus(&db, &["0", "1", "2"]);
    assert_eq!(shown(&db), ["0 0 Free", "1 1 Free", "2 2 Reserved"]);
}

#[test]
fn a_taken_slot_keeps_its_device_until_it_is_given_back() {
    let db = fresh();
    sync_gpus(&db, &["0", "1"]);
    take(&db, 1);
    sync_gpus(&db, &["GPU-a", "GPU-b"]);
    assert_eq!(shown(&db), ["0 GPU-a Free", "1 1 Reserved"]);
}
