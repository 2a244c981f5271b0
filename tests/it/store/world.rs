//! A state_dir, and what a daemon would say of three cases.

use std::collections::BTreeMap;

use std::path::Path;

use daylily_lifecycle::attempt::{Place, QueueKind};
use daylily_lifecycle::case::{CaseKind, Condition, ConditionName, LastChange, Order, Priority};
use daylily_lifecycle::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Fingerprint, FolderIdentity, GroupName,
    HeadnodeName, IntakeName, PipelineName, Slot,
};
use daylily_lifecycle::observation::{
    Appeared, AttemptSeed, Observation, Observed, Request, Scanned, Verb,
};
use daylily_lifecycle::policy::SlotState;
use daylily_lifecycle::record::Recorded;
use daylily_watch::store::Store;
use daylily_watch::store::error::StoreError;
use daylily_watch::store::open::Opened;
use daylily_watch::store::read::Reader;
use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) const VERSION: &str = "1.3";

pub(crate) fn now() -> Timestamp {
    "2026-11-20T06:00:00Z".parse().expect("it is an instant")
}

pub(crate) fn state_dir() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

pub(crate) fn open(state_dir: &Path) -> (Store, Opened) {
    Store::open(state_dir, now(), VERSION).expect("it opens")
}

pub(crate) fn refused(state_dir: &Path) -> StoreError {
    match Store::open(state_dir, now(), VERSION) {
        Ok(_) => panic!("it opens"),
        Err(error) => error,
    }
}

pub(crate) fn observed(what: Observation) -> Observed {
    Observed { at: now(), actor: Actor::new("daylily-watch"), what }
}

pub(crate) fn appeared(id: &str, name: &str, arrival: Arrival) -> Observed {
    observed(Observation::Appeared(Box::new(Appeared {
        case: CaseId::new(id),
        intake: IntakeName::new("new_cases"),
        name: CaseName::new(name),
        arrival,
        path: format!("/in/{name}"),
        kind_of_case: CaseKind::Folder,
        order: Order {
            pipeline: PipelineName::new("default"),
            priority: Priority::Normal,
            headnode: HeadnodeName::new("hpc"),
            group: None,
            gpus: 1,
            params: BTreeMap::new(),
            notify: Vec::new(),
            rule: None,
            priority_by: None,
            workset: None,
        },
        folder: Some(FolderIdentity::new("17")),
        prior: None,
        baseline: None,
        problem: None,
    })))
}

pub(crate) fn complete() -> Observed {
    observed(Observation::Scanned(Box::new(Scanned {
        files: 3,
        bytes: ByteCount(30),
        fingerprint: Fingerprint::new("f"),
        last_change: LastChange { path: "R1.fastq.gz".to_owned(), at: now() },
        settles_at: None,
        conditions: vec![Condition {
            name: ConditionName::Quiet,
            holds: true,
            detail: "nothing changed for 10 s".to_owned(),
            since: now(),
        }],
        problems: Vec::new(),
        refused: None,
        folder: None,
        refuted: false,
        order: None,
    })))
}

pub(crate) fn gpu(slot: u32) -> Slot {
    Slot {
        headnode: HeadnodeName::new("hpc"),
        group: GroupName::new("gpu_a"),
        slot,
        gpu: Some(slot.to_string()),
    }
}

pub(crate) fn granted(attempt: &str, slots: Vec<Slot>) -> Observed {
    observed(Observation::Granted {
        attempt: AttemptSeed {
            id: AttemptId::new(attempt),
            place: Place {
                headnode: HeadnodeName::new("hpc"),
                queue: QueueKind::Pueue,
                work_dir: "/data".to_owned(),
                remote_dir: "/data/new_cases/HG002".to_owned(),
                attempt_dir: format!("/data/.daylily-watch/{attempt}"),
                owner: "o".to_owned(),
                command: "dy-r".to_owned(),
                stop: None,
                params: BTreeMap::new(),
                config_hash: "h".to_owned(),
            },
        },
        slots,
    })
}

pub(crate) fn asked(verb: Verb) -> Observed {
    observed(Observation::Asked(Request { verb, reason: None }))
}

/// Cases A, B and C that are ready, and two GPUs.
pub(crate) async fn three_ready(store: &Store) {
    let gpus = vec![Some("0".to_owned()), Some("1".to_owned())];
    store
        .sync_slots(HeadnodeName::new("hpc"), vec![(GroupName::new("gpu_a"), gpus)])
        .await
        .expect("stored");
    for id in ["A", "B", "C"] {
        store.appear(appeared(id, id, Arrival::FIRST)).await.expect("stored");
        let recorded = store.record(CaseId::new(id), complete()).await.expect("stored");
        assert!(matches!(recorded, Recorded::Changed(_)), "{recorded:?}");
    }
}

pub(crate) async fn slot_states(store: &Store) -> Vec<(SlotState, Option<String>)> {
    let slots = store.read(Reader::slots).await.expect("they can be read");
    slots
        .into_iter()
        .map(|slot| (slot.view.state, slot.holder.map(|holder| holder.name.to_string())))
        .collect()
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
