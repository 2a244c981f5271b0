//! Law 7: replaying a case's journal gives the case, its attempts and its slots as
//! they are stored. Law 2 on the way: what slots say and what attempts say is the
//! same, and no slot is with two.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{ClaimedBy, Force, Place, QueueKind, Stored, Tenure};
use daylily_lifecycle::case::{
    Case, CaseKind, Compared, Condition, ConditionName, HoldWhy, LastChange, Order, Priority,
    StateName, StepName,
};
use daylily_lifecycle::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity,
    GroupName, HeadnodeName, IntakeName, PipelineName, Slot, TaskId,
};
use daylily_lifecycle::observation::{
    Appeared, AttemptSeed, Decision, Observation, Observed, Request, Scanned, Verb,
};
use daylily_lifecycle::outcome::{
    Alive, Claim, Evidence, ExitRecord, Fault, FaultClass, Look, QueueWord,
};
use daylily_lifecycle::policy::SlotState;
use daylily_lifecycle::record::record;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use rusqlite::Connection;

use super::fresh;
use crate::store::journal::{self, JournalId};
use crate::store::recording::{Fact, Outcome, record_all};
use crate::store::{cases, slots};

const CASES: [&str; 3] = ["A", "B", "C"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn replaying_the_journal_gives_what_is_stored(seeds in vec(any::<[u8; 6]>(), 1..150)) {
        let db = fresh();
        let gpus = vec![Some("0".to_owned()), Some("1".to_owned())];
        slots::sync(&db, &HeadnodeName::new("hpc"), &[(GroupName::new("gpu_a"), gpus)])
            .expect("the slots are made");
        for (step, seed) in (0_i64..).zip(&seeds) {
            let id = CaseId::new(CASES[usize::from(seed[0]) % CASES.len()]);
            let case = cases::load(&db, &id).expect("it can be loaded");
            let at = Timestamp::new(1_800_000_000 + step, 1_000_000).expect("it is valid");
            let what = observation(&id, case.as_ref(), step, seed);
            let fact = Fact { case: id, observed: Observed { at, actor: Actor::new("test"), what } };
            apply(&db, fact);
            check_slots(&db);
        }
        for id in CASES.map(CaseId::new) {
            let stored = cases::load(&db, &id).expect("it can be loaded");
            let entries = journal::of_case(&db, &id, JournalId::START).expect("it can be read");
            assert_eq!(journal::replay(&entries), stored);
        }
    }
}

/// As the writer does it.
fn apply(db: &Connection, fact: Fact) {
    db.execute_batch("SAVEPOINT job").expect("it begins");
    match record_all(db, record, &[fact]).expect("it is recorded") {
        Outcome::Keep(_) => {}
        Outcome::Undo(_) => db.execute_batch("ROLLBACK TO job").expect("it is undone"),
    }
    db.execute_batch("RELEASE job").expect("it ends");
}

fn check_slots(db: &Connection) {
    let mut held = BTreeMap::new();
    for id in CASES.map(CaseId::new) {
        let Some(case) = cases::load(db, &id).expect("it can be loaded") else { continue };
        for attempt in case.attempts() {
            let state = match &attempt.tenure {
                Tenure::None => continue,
                Tenure::Reserved { .. } => SlotState::Reserved,
                Tenure::Quarantined { .. } => SlotState::Quarantined,
            };
            for slot in attempt.tenure.slots() {
                let other = held.insert(slot.clone(), (attempt.id.clone(), state));
                assert_eq!(other, None, "{slot} is with two attempts");
            }
        }
    }
    let stored: BTreeMap<_, _> = slots::all(db)
        .expect("they can be read")
        .into_iter()
        .filter_map(|slot| {
            let holder = slot.holder?;
            Some((slot.view.slot, (holder.attempt, slot.view.state)))
        })
        .collect();
    assert_eq!(stored, held);
}

/// An observation that mostly fits where the case is.
fn observation(id: &CaseId, case: Option<&Case>, step: i64, seed: &[u8; 6]) -> Observation {
    let Some(case) = case else { return appeared(id, step, seed) };
    let pick = |index: usize, of: u8| seed[index] % of;
    let attempt = match case.attempt() {
        Some(attempt) if pick(1, 12) != 0 => attempt.id.clone(),
        Some(_) | None => AttemptId::new("dw-none"),
    };
    let seed_of_attempt = || AttemptSeed {
        id: AttemptId::new(format!("dw-{step}")),
        place: Place {
            headnode: HeadnodeName::new("hpc"),
            queue: QueueKind::Pueue,
            work_dir: "/w".to_owned(),
            remote_dir: format!("/w/{id}"),
            attempt_dir: format!("/w/{step}"),
            owner: "o".to_owned(),
            command: "run".to_owned(),
            stop: (step % 2 == 0).then(|| "./stop".to_owned()),
            params: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            config_hash: "h".to_owned(),
        },
    };
    let kind = if seed[1] > 100 { forward(case.state.name(), seed) } else { pick(2, 24) };
    match kind {
        0..3 => scanned(step, seed),
        3 => Observation::Vanished,
        4 => Observation::Hashed {
            fingerprint: Fingerprint::new("same"),
            digest: Digest::new(format!("{}", pick(3, 2))),
        },
        5..7 => Observation::Granted { attempt: seed_of_attempt(), slots: some_slots(seed) },
        7 => Observation::SentAhead { attempt: seed_of_attempt() },
        8 => Observation::Placed { attempt, slots: some_slots(seed) },
        9 => Observation::Shipped { attempt, files: 5, bytes: ByteCount(50), digest: None },
        10 => Observation::Submitted { attempt, task: Some(TaskId::new("7")) },
        11..15 => Observation::Looked {
            attempt,
            look: look(seed),
            queue_wiped: Some(pick(3, 4) == 0),
            begun: None,
        },
        15 => Observation::Claimed {
            attempt,
            by: if pick(3, 2) == 0 { ClaimedBy::Job } else { ClaimedBy::Daemon },
        },
        16 => Observation::Signalled { attempt, force: Force::Terminate },
        17 => Observation::Returned {
            attempt,
            stored: Stored {
                to: Some("/r".to_owned()),
                files: 1,
                bytes: ByteCount(1),
                moved_to: (pick(3, 2) == 0).then(|| "/done".to_owned()),
                log_tail: "bye".to_owned(),
                missing: if pick(4, 3) == 0 { vec!["*.bam".to_owned()] } else { Vec::new() },
            },
        },
        18 => Observation::StepFailed {
            attempt: (pick(3, 2) == 0).then_some(attempt),
            step: [StepName::Scan, StepName::Ship, StepName::Submit, StepName::Return]
                [usize::from(pick(4, 4))],
            fault: Fault::new(FaultClass::TransientStep, "no"),
        },
        19 => Observation::Decided(decision(seed)),
        22 => Observation::Stopped { attempt },
        23 => Observation::Compared(Compared {
            manifest: "SHA256SUMS".to_owned(),
            fingerprint: Fingerprint::new(if pick(3, 4) == 0 { "other" } else { "same" }),
            problems: if pick(4, 2) == 0 { vec!["x is another".to_owned()] } else { Vec::new() },
        }),
        20 => Observation::Asked(Request { verb: verb(seed), reason: Some("because".to_owned()) }),
        _ if pick(3, 8) == 0 => Observation::Panicked { text: "index out of bounds".to_owned() },
        _ => Observation::CameBack {
            folder: Some(FolderIdentity::new("2")),
            fingerprint: Fingerprint::new("2"),
        },
    }
}

/// What takes a case on from where it is; anything else rarely gets it far.
fn forward(state: StateName, seed: &[u8; 6]) -> u8 {
    match state {
        StateName::Arriving | StateName::Rejected => 0,
        StateName::Ready => 5 + seed[2] % 3,
        StateName::Shipping => 9,
        StateName::Staged => 8,
        StateName::Submitting | StateName::Queued | StateName::Running => 11,
        StateName::Cancelling => 11 + seed[2] % 5,
        StateName::Returning if seed[2].is_multiple_of(3) => 11,
        StateName::Returning => 17,
        StateName::Succeeded | StateName::Failed | StateName::Cancelled => 20,
    }
}

fn appeared(id: &CaseId, step: i64, seed: &[u8; 6]) -> Observation {
    Observation::Appeared(Box::new(Appeared {
        case: id.clone(),
        intake: IntakeName::new("new_cases"),
        name: CaseName::new(format!("{id}-{step}")),
        arrival: Arrival::FIRST,
        path: format!("/in/{id}"),
        kind_of_case: CaseKind::Folder,
        order: order_of(PipelineName::new("default")),
        folder: None,
        prior: None,
        baseline: (seed[3].is_multiple_of(8)).then(|| "here before".to_owned()),
        problem: (seed[3] % 16 == 1).then(|| "it is a socket".to_owned()),
    }))
}

fn order_of(pipeline: PipelineName) -> Order {
    Order {
        rule: (pipeline.as_str() == "by_rule").then(|| "rules[0]: x matches *".to_owned()),
        pipeline,
        priority: Priority::Normal,
        headnode: HeadnodeName::new("hpc"),
        group: None,
        gpus: 1,
        params: BTreeMap::from([("a".to_owned(), "it's".to_owned())]),
        notify: vec!["anna".to_owned()],
        priority_by: None,
        workset: None,
    }
}

fn scanned(step: i64, seed: &[u8; 6]) -> Observation {
    let at = Timestamp::new(1_800_000_000 + step, 123_456_789).expect("it is valid");
    let name = ConditionName::Quiet;
    let holds = !seed[3].is_multiple_of(4);
    Observation::Scanned(Box::new(Scanned {
        files: 3,
        bytes: ByteCount(30),
        fingerprint: Fingerprint::new(if seed[4] < 230 { "same" } else { "other" }),
        last_change: LastChange { path: "a/b".to_owned(), at },
        settles_at: (!holds).then_some(at),
        conditions: vec![Condition { name, holds, detail: "quiet".to_owned(), since: at }],
        problems: if seed[5].is_multiple_of(16) { vec!["line 14".to_owned()] } else { Vec::new() },
        refused: (seed[5] % 16 == 1).then(|| "no marker".to_owned()),
        folder: Some(FolderIdentity::new("1")),
        refuted: false,
        order: seed[4].is_multiple_of(3).then(|| Box::new(order_of(PipelineName::new("by_rule")))),
    }))
}

fn some_slots(seed: &[u8; 6]) -> Vec<Slot> {
    let slot = |slot: u32| Slot {
        headnode: HeadnodeName::new("hpc"),
        group: GroupName::new("gpu_a"),
        slot,
        gpu: Some(slot.to_string()),
    };
    match seed[3] % 4 {
        0 => vec![slot(0)],
        1 => vec![slot(1)],
        2 => vec![slot(0), slot(1)],
        // There is no such slot.
        _ => vec![slot(0), slot(2)],
    }
}

fn look(seed: &[u8; 6]) -> Look {
    let at = Timestamp::new(1_800_000_500, 987_654_321).expect("it is valid");
    let exit = match seed[3] % 6 {
        0 => ExitRecord::Present { code: Some(0), signal: None, ended: at },
        1 => ExitRecord::Present { code: None, signal: Some(9), ended: at },
        2 => ExitRecord::Partial,
        _ => ExitRecord::Absent,
    };
    let claim = match seed[4] % 5 {
        0 => Claim::Absent,
        1 => Claim::Daemon,
        _ => Claim::Job { at, host: "hpc".to_owned() },
    };
    let alive = match seed[5] % 5 {
        0 => Alive::Unknowable,
        1 => Alive::Yes,
        _ => Alive::No { rebooted: seed[5] > 200 },
    };
    let words = [QueueWord::Running, QueueWord::Waiting, QueueWord::Done, QueueWord::Absent];
    match seed[1] % 9 {
        0 => Look::CouldNot { why: "it does not answer".to_owned() },
        _ => {
            let queue = words[usize::from(seed[1]) % words.len()];
            Look::Saw(Evidence { exit, claim, alive, queue })
        }
    }
}

fn decision(seed: &[u8; 6]) -> Decision {
    match seed[3] % 6 {
        0 => Decision::Hold { why: HoldWhy::Lost, reason: "lost".to_owned() },
        1 => Decision::Reject { problem: "too many GPUs".to_owned() },
        2 => Decision::Reconsider,
        3 => Decision::End { why: daylily_lifecycle::attempt::EndingWhy::Limit },
        4 => Decision::EndObserved,
        _ => Decision::Rerun,
    }
}

fn verb(seed: &[u8; 6]) -> Verb {
    match seed[3] % 9 {
        0 => Verb::Accept,
        1 => Verb::Hold,
        2 => Verb::Resume,
        3 => Verb::Retry,
        4 => Verb::Rerun { abandon: seed[4].is_multiple_of(2) },
        5 => Verb::Cancel { abandon: seed[4].is_multiple_of(2) },
        6 => Verb::ConfirmDead,
        7 => Verb::SetPriority { priority: Priority::Urgent },
        _ => Verb::Note,
    }
}
