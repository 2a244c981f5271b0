//! Owns the picture of the states: a case in every state and every kind of
//! observation, tried against each other. The table, the diagram in docs/ and the
//! tests all come from here, so none of them can say what the code does not do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::attempt::{
    AttemptResult, ClaimedBy, End, EndHow, EndingWhy, Force, Place, QueueKind, Stored,
};
use crate::case::{
    Case, CaseKind, Compared, Condition, ConditionName, Content, HoldWhy, LastChange, Order, Prior,
    Priority, StateName, StepName,
};
use crate::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity,
    GroupName, HeadnodeName, IntakeName, PipelineName, Slot,
};
use crate::observation::{
    Adopted, AdoptedRole, Appeared, AttemptSeed, Decision, Observation, Observed, Request, Scanned,
    Verb,
};
use crate::outcome::{Alive, Claim, Evidence, ExitRecord, Fault, FaultClass, Look, QueueWord};
use crate::record::{Recorded, record};

/// An observation with the words in which tables name it.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub observation: Observation,
}

fn named(name: &str, observation: Observation) -> Named {
    Named { name: name.to_owned(), observation }
}

pub fn at(second: i64) -> Timestamp {
    // 2026-11-20 13:00:00 UTC.
    Timestamp::from_second(1_795_179_600_i64.saturating_add(second)).unwrap_or(Timestamp::MAX)
}

pub fn seen(second: i64, what: Observation) -> Observed {
    Observed { at: at(second), actor: Actor::new("daylily-watch"), what }
}

pub fn attempt_id(number: u32) -> AttemptId {
    AttemptId::new(format!("dw-01JD{number:022}"))
}

pub fn slot(number: u32) -> Slot {
    Slot {
        headnode: HeadnodeName::new("hpc"),
        group: GroupName::new("gpu_a"),
        slot: number,
        gpu: Some(number.to_string()),
    }
}

pub fn seed(number: u32) -> AttemptSeed {
    let id = attempt_id(number);
    AttemptSeed {
        place: Place {
            headnode: HeadnodeName::new("hpc"),
            queue: QueueKind::Pueue,
            work_dir: "/data/daylily".to_owned(),
            remote_dir: "/data/daylily/new/HG002".to_owned(),
            attempt_dir: format!("/data/daylily/.daylily-watch/{id}"),
            owner: "01JDDB 1".to_owned(),
            command: "dy-r".to_owned(),
            stop: None,
            params: BTreeMap::new(),
            config_hash: "c0ffee".to_owned(),
        },
        id,
    }
}

/// The same of a pipeline with a `stop`.
pub fn seed_with_stop(number: u32) -> AttemptSeed {
    let mut seed = seed(number);
    seed.place.stop = Some("./stop".to_owned());
    seed
}

pub fn appeared(prior: Option<Digest>) -> Observation {
    Observation::Appeared(Box::new(Appeared {
        case: CaseId::new("01JDCASE"),
        intake: IntakeName::new("new"),
        name: CaseName::new("HG002"),
        arrival: Arrival::FIRST,
        path: "/srv/new/HG002".to_owned(),
        kind_of_case: CaseKind::Folder,
        order: Order {
            pipeline: PipelineName::new("default"),
            priority: Priority::Normal,
            headnode: HeadnodeName::new("hpc"),
            group: Some(GroupName::new("gpu_a")),
            gpus: 1,
            params: BTreeMap::new(),
            notify: Vec::new(),
            rule: None,
            priority_by: None,
            workset: None,
        },
        folder: Some(FolderIdentity::new("12:34")),
        prior: prior.map(|digest| Prior { case: CaseId::new("01JDOLD"), digest: Some(digest) }),
        baseline: None,
        problem: None,
    }))
}

/// A scan that saw the tree as `print`; complete if every condition holds.
pub fn scan(print: &str, complete: bool, problems: &[&str]) -> Observation {
    let since = at(1);
    Observation::Scanned(Box::new(Scanned {
        files: 5,
        bytes: ByteCount(50 * 1024),
        fingerprint: Fingerprint::new(print),
        last_change: LastChange { path: "run2/R1.fastq.gz".to_owned(), at: since },
        settles_at: (!complete).then(|| at(300)),
        conditions: vec![
            Condition {
                name: ConditionName::Content,
                holds: true,
                detail: "5 files".to_owned(),
                since,
            },
            Condition {
                name: ConditionName::Quiet,
                holds: complete,
                detail: "the last change was run2/R1.fastq.gz".to_owned(),
                since,
            },
        ],
        problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
        refused: None,
        folder: None,
        refuted: false,
        order: None,
    }))
}

/// A scan of a complete folder whose manifest has not been compared with it.
pub fn uncompared(print: &str) -> Observation {
    let mut seen = scan(print, true, &[]);
    if let Observation::Scanned(scanned) = &mut seen {
        let detail = "the 5 files are compared with what SHA256SUMS says".to_owned();
        let (name, since) = (ConditionName::Checksums, at(1));
        scanned.conditions.push(Condition { name, holds: false, detail, since });
    }
    seen
}

pub fn compared(print: &str, problems: &[&str]) -> Observation {
    Observation::Compared(Compared {
        manifest: "SHA256SUMS".to_owned(),
        fingerprint: Fingerprint::new(print),
        problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
    })
}

fn saw(exit: ExitRecord, claim: Claim, alive: Alive, queue: QueueWord) -> Look {
    Look::Saw(Evidence { exit, claim, alive, queue })
}

/// One look for each conclusion of the table in ATTEMPT.md.
pub fn looks() -> Vec<(&'static str, Look)> {
    let job = || Claim::Job { at: at(60), host: "node1".to_owned() };
    let exit = |code| ExitRecord::Present { code: Some(code), signal: None, ended: at(120) };
    let gone = Alive::No { rebooted: false };
    vec![
        ("could not look", Look::CouldNot { why: "job.sh is missing".to_owned() }),
        ("not submitted", saw(ExitRecord::Absent, Claim::Absent, gone, QueueWord::Absent)),
        ("waiting", saw(ExitRecord::Absent, Claim::Absent, gone, QueueWord::Waiting)),
        ("starting", saw(ExitRecord::Absent, Claim::Absent, Alive::Yes, QueueWord::Absent)),
        ("queue done", saw(ExitRecord::Absent, Claim::Absent, gone, QueueWord::Done)),
        ("running", saw(ExitRecord::Absent, job(), Alive::Yes, QueueWord::Running)),
        ("orphaned", saw(ExitRecord::Absent, job(), Alive::Yes, QueueWord::Killed)),
        ("silent", saw(ExitRecord::Absent, job(), gone, QueueWord::Killed)),
        (
            "silent, rebooted",
            saw(ExitRecord::Absent, job(), Alive::No { rebooted: true }, QueueWord::Absent),
        ),
        ("half a record", saw(ExitRecord::Partial, job(), gone, QueueWord::Done)),
        ("unconfirmed", saw(ExitRecord::Absent, job(), Alive::Unknowable, QueueWord::Killed)),
        ("claim is ours", saw(ExitRecord::Absent, Claim::Daemon, gone, QueueWord::Absent)),
        ("ended 0", saw(exit(0), job(), gone, QueueWord::Done)),
        ("ended 3", saw(exit(3), job(), gone, QueueWord::Done)),
        ("ended, left-overs", saw(exit(0), job(), Alive::Yes, QueueWord::Done)),
        (
            "ended by a signal",
            saw(
                ExitRecord::Present { code: Some(137), signal: Some(9), ended: at(120) },
                job(),
                gone,
                QueueWord::Done,
            ),
        ),
        ("ended, unconfirmed", saw(exit(0), job(), Alive::Unknowable, QueueWord::Running)),
        ("impossible", saw(exit(0), Claim::Daemon, gone, QueueWord::Done)),
    ]
}

pub fn stored(missing: &[&str]) -> Stored {
    Stored {
        to: Some("./results/new/HG002".to_owned()),
        files: 2,
        bytes: ByteCount(2048),
        moved_to: None,
        log_tail: "all done".to_owned(),
        missing: missing.iter().map(|pattern| (*pattern).to_owned()).collect(),
    }
}

fn end() -> End {
    End { at: at(120), code: Some(0), signal: None, how: EndHow::Recorded }
}

fn newest(handed_over: bool, former: Option<End>) -> AdoptedRole {
    AdoptedRole::Newest { slots: vec![slot(1)], handed_over, former }
}

/// An attempt of that number, found without a record of it.
pub fn adopted(number: u32, role: AdoptedRole) -> Observation {
    Observation::Adopted(Box::new(Adopted {
        case: CaseId::new("01JDFOUND"),
        intake: IntakeName::new("new"),
        name: CaseName::new("HG002"),
        arrival: Arrival::FIRST,
        path: "/srv/new/HG002".to_owned(),
        kind_of_case: CaseKind::Folder,
        order: Order {
            pipeline: PipelineName::new("default"),
            priority: Priority::Normal,
            headnode: HeadnodeName::new("hpc"),
            group: Some(GroupName::new("gpu_a")),
            gpus: 1,
            params: BTreeMap::new(),
            notify: Vec::new(),
            rule: None,
            priority_by: None,
            workset: None,
        },
        folder: Some(FolderIdentity::new("12:34")),
        content: Content {
            files: 5,
            bytes: ByteCount(50 * 1024),
            fingerprint: Some(Fingerprint::new("f1")),
            digest: Some(Digest::new("d1")),
        },
        attempt: seed(number),
        number: number.max(1),
        made_at: at(50),
        reason: "its job may run there".to_owned(),
        role,
    }))
}

/// Every kind of observation, about the attempt of that number.
pub fn observations(number: u32) -> Vec<Named> {
    let id = || attempt_id(number);
    let fault = |class, text: &str| Fault::new(class, text);
    let failed = |step, class| Observation::StepFailed {
        attempt: Some(id()),
        step,
        fault: fault(class, "it did not work"),
    };
    let asked = |verb| Observation::Asked(Request { verb, reason: None });
    let mut all = vec![
        named("scan: changing", scan("f2", false, &[])),
        named("scan: same, unquiet", scan("f1", false, &[])),
        named("scan: complete", scan("f1", true, &[])),
        named("scan: complete, changed", scan("f2", true, &[])),
        named("scan: invalid", scan("f1", true, &["x is a socket"])),
        named(
            "hashed: new",
            Observation::Hashed { fingerprint: Fingerprint::new("f1"), digest: Digest::new("d2") },
        ),
        named("compared: as it says", compared("f1", &[])),
        named("compared: not as it says", compared("f1", &["x is not as SHA256SUMS says"])),
        named("vanished", Observation::Vanished),
        named(
            "came back",
            Observation::CameBack {
                folder: Some(FolderIdentity::new("56:78")),
                fingerprint: Fingerprint::new("f2"),
            },
        ),
        named(
            "granted",
            Observation::Granted { attempt: seed(number.saturating_add(1)), slots: vec![slot(0)] },
        ),
        named("sent ahead", Observation::SentAhead { attempt: seed(number.saturating_add(1)) }),
        named("placed", Observation::Placed { attempt: id(), slots: vec![slot(0)] }),
        named(
            "shipped",
            Observation::Shipped {
                attempt: id(),
                files: 5,
                bytes: ByteCount(50 * 1024),
                digest: Some(Digest::new("d1")),
            },
        ),
        named("ship failed", failed(StepName::Ship, FaultClass::TransientStep)),
        named("submit failed", failed(StepName::Submit, FaultClass::Ambiguous)),
        named("return failed", failed(StepName::Return, FaultClass::NoSpace)),
        named("submitted", Observation::Submitted { attempt: id(), task: None }),
        named("claimed by us", Observation::Claimed { attempt: id(), by: ClaimedBy::Daemon }),
        named("claimed by the job", Observation::Claimed { attempt: id(), by: ClaimedBy::Job }),
        named("signalled", Observation::Signalled { attempt: id(), force: Force::Terminate }),
        named("stopped", Observation::Stopped { attempt: id() }),
        named("stop failed", failed(StepName::Stop, FaultClass::TransientStep)),
        named("returned", Observation::Returned { attempt: id(), stored: stored(&[]) }),
        named(
            "returned, missing",
            Observation::Returned { attempt: id(), stored: stored(&["*.vcf"]) },
        ),
        named("asked: accept", asked(Verb::Accept)),
        named("asked: hold", asked(Verb::Hold)),
        named("asked: resume", asked(Verb::Resume)),
        named("asked: retry", asked(Verb::Retry)),
        named("asked: rerun", asked(Verb::Rerun { abandon: false })),
        named("asked: rerun --abandon", asked(Verb::Rerun { abandon: true })),
        named("asked: cancel", asked(Verb::Cancel { abandon: false })),
        named("asked: cancel --abandon", asked(Verb::Cancel { abandon: true })),
        named("asked: confirm-dead", asked(Verb::ConfirmDead)),
        named("asked: priority", asked(Verb::SetPriority { priority: Priority::Urgent })),
        named("asked: note", asked(Verb::Note)),
        named(
            "decided: hold",
            Observation::Decided(Decision::Hold {
                why: HoldWhy::Trouble,
                reason: "it did not work".to_owned(),
            }),
        ),
        named(
            "decided: reject",
            Observation::Decided(Decision::Reject { problem: "no such group".to_owned() }),
        ),
        named("decided: reconsider", Observation::Decided(Decision::Reconsider)),
        named("decided: end, limit", Observation::Decided(Decision::End { why: EndingWhy::Limit })),
        named("decided: end observed", Observation::Decided(Decision::EndObserved)),
        named("decided: rerun", Observation::Decided(Decision::Rerun)),
        named("adopted", adopted(number.saturating_add(1), newest(true, None))),
        named("adopted, not begun", adopted(number.saturating_add(1), newest(false, None))),
        named(
            "adopted, former ended",
            adopted(number.saturating_add(1), newest(true, Some(end()))),
        ),
        named("adopted, earlier", adopted(0, AdoptedRole::Earlier { end: end() })),
        named(
            "adopted, cleaned",
            adopted(
                number.saturating_add(1),
                AdoptedRole::Cleaned {
                    at: at(150),
                    end: Some(end()),
                    result: Some(AttemptResult::Succeeded),
                    stored: Some(stored(&[])),
                },
            ),
        ),
        named(
            "cleaned",
            Observation::Cleaned { attempts: vec![id()], bytes: ByteCount(2048), reason: None },
        ),
        named("contact regained", Observation::ContactRegained),
        named("clock stepped", Observation::ClockStepped),
        named("panicked", Observation::Panicked { text: "index out of bounds".to_owned() }),
    ];
    for (name, look) in looks() {
        let observation =
            Observation::Looked { attempt: id(), look, queue_wiped: Some(false), begun: None };
        all.push(named(&format!("look: {name}"), observation));
    }
    all
}

/// A case in every state, each reached by recording what leads there.
pub fn cases() -> BTreeMap<String, Case> {
    let look = |name: &str| {
        let found = looks().into_iter().find(|(known, _)| *known == name);
        Observation::Looked {
            attempt: attempt_id(1),
            look: found.map_or(Look::CouldNot { why: String::new() }, |(_, look)| look),
            queue_wiped: Some(false),
            begun: None,
        }
    };
    let first = attempt_id(1);
    let shipped = || Observation::Shipped {
        attempt: attempt_id(1),
        files: 5,
        bytes: ByteCount(50 * 1024),
        digest: Some(Digest::new("d1")),
    };
    let granted = || Observation::Granted { attempt: seed(1), slots: vec![slot(0)] };
    let returned = |missing: &[&str]| Observation::Returned {
        attempt: attempt_id(1),
        stored: stored(missing),
    };
    let cancel =
        || Observation::Asked(Request { verb: Verb::Cancel { abandon: false }, reason: None });
    let ready = vec![appeared(None), scan("f1", true, &[])];
    let with = |base: &[Observation], more: Vec<Observation>| {
        base.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let submitting = with(&ready, vec![granted(), shipped()]);
    let running = with(&submitting, vec![look("running")]);
    // Of a pipeline with a `stop`.
    let stoppable = with(
        &ready,
        vec![
            Observation::Granted { attempt: seed_with_stop(1), slots: vec![slot(0)] },
            shipped(),
            look("running"),
        ],
    );
    let ended = |how: &str| with(&running, vec![look(how)]);
    let roads = vec![
        ("arriving", vec![appeared(None), scan("f1", false, &[])]),
        ("arriving, uncompared", vec![appeared(None), uncompared("f1")]),
        ("rejected", vec![appeared(None), scan("f1", true, &["x is a socket"])]),
        ("ready", ready.clone()),
        ("shipping", with(&ready, vec![granted()])),
        ("staged", with(&ready, vec![Observation::SentAhead { attempt: seed(1) }, shipped()])),
        ("submitting", submitting.clone()),
        ("queued", with(&submitting, vec![look("waiting")])),
        ("running", running.clone()),
        ("running, silent", with(&running, vec![look("silent")])),
        (
            "running, lost",
            with(
                &running,
                vec![
                    look("silent"),
                    Observation::Decided(Decision::EndObserved),
                    Observation::Decided(Decision::Hold {
                        why: HoldWhy::Lost,
                        reason: "neither an end record nor a process".to_owned(),
                    }),
                ],
            ),
        ),
        ("running, unstopped", with(&stoppable, vec![look("ended by a signal")])),
        (
            "running, lost and unstopped",
            with(&stoppable, vec![look("silent"), Observation::Decided(Decision::EndObserved)]),
        ),
        ("running, unconfirmed", with(&running, vec![look("unconfirmed")])),
        ("returning", ended("ended 0")),
        ("returning, left-overs", ended("ended, left-overs")),
        ("succeeded", with(&ended("ended 0"), vec![returned(&[])])),
        ("failed", with(&ended("ended 3"), vec![returned(&[])])),
        ("cancelling", with(&running, vec![cancel()])),
        (
            "cancelling, unclaimed",
            with(
                &submitting,
                vec![Observation::Submitted { attempt: first, task: None }, cancel()],
            ),
        ),
        ("cancelling, unstopped", with(&stoppable, vec![cancel(), look("ended by a signal")])),
        ("cancelled", with(&ready, vec![cancel()])),
    ];
    let mut cases = BTreeMap::new();
    for (name, road) in roads {
        let mut case: Option<Case> = None;
        for (second, what) in (0_i64..).zip(road) {
            if let Recorded::Changed(next) = record(case.as_ref(), &seen(second, what)) {
                case = Some(*next);
            }
        }
        if let Some(case) = case {
            cases.insert(name.to_owned(), case);
        }
    }
    cases
}

/// Every state against every observation, as a table for people and for a snapshot.
pub fn table() -> String {
    let mut text = String::new();
    for (name, case) in cases() {
        text.push_str(&format!("{name}\n"));
        for Named { name, observation } in observations(1) {
            let became = became(&case, observation);
            if became != "same" {
                text.push_str(&format!("    {name:<26} {became}\n"));
            }
        }
    }
    text
}

fn became(case: &Case, observation: Observation) -> String {
    match record(Some(case), &seen(200, observation)) {
        Recorded::Changed(next) => {
            let held = match &next.hold {
                Some(hold) if case.hold.is_none() => format!(", held ({:?})", hold.why),
                None if case.hold.is_some() => ", released".to_owned(),
                Some(_) | None => String::new(),
            };
            let slots = |case: &Case| {
                case.attempt().map_or("no slot", |attempt| match attempt.tenure {
                    crate::attempt::Tenure::None => "no slot",
                    crate::attempt::Tenure::Reserved { .. } => "slot",
                    crate::attempt::Tenure::Quarantined { .. } => "slot quarantined",
                })
            };
            let (before, after) = (slots(case), slots(&next));
            let slots = if before == after { String::new() } else { format!(", {after}") };
            let state = next.state.name();
            if state == case.state.name() {
                format!("({state}){held}{slots}")
            } else {
                format!("{state}{held}{slots}")
            }
        }
        Recorded::Same => "same".to_owned(),
        Recorded::Stale { .. } => "stale".to_owned(),
        Recorded::Dropped { .. } => "dropped".to_owned(),
        Recorded::Refused { .. } => "refused".to_owned(),
    }
}

/// Every change of state that a single observation can bring about.
pub fn edges() -> BTreeMap<(StateName, StateName), BTreeSet<String>> {
    let mut edges: BTreeMap<(StateName, StateName), BTreeSet<String>> = BTreeMap::new();
    for case in cases().values() {
        for Named { name, observation } in observations(1) {
            if let Recorded::Changed(next) = record(Some(case), &seen(200, observation)) {
                let (from, to) = (case.state.name(), next.state.name());
                if from != to {
                    let family = name.split(':').next().unwrap_or(&name);
                    let label = if matches!(family, "look" | "scan") { family } else { &name };
                    edges.entry((from, to)).or_default().insert(label.to_owned());
                }
            }
        }
    }
    edges
}

/// docs/states.md: the diagram, in Mermaid, with the table behind it.
pub fn page() -> String {
    let mut text = String::from(
        "# The states of a case\n\nGenerated from the code by `make docs`; a test keeps it true.\n\n\
         ```mermaid\nstateDiagram-v2\n    [*] --> arriving: appeared\n",
    );
    for ((from, to), by) in edges() {
        let by: Vec<String> = by.into_iter().map(|name| name.replace(": ", " ")).collect();
        text.push_str(&format!("    {from} --> {to}: {}\n", by.join(", ")));
    }
    text.push_str("    arriving --> [*]: vanished\n    rejected --> [*]: vanished\n");
    for state in StateName::ALL.into_iter().filter(|state| state.is_terminal()) {
        text.push_str(&format!("    {state} --> [*]\n"));
    }
    text.push_str("```\n\n| state | in plain words |\n|---|---|\n");
    for state in StateName::ALL {
        text.push_str(&format!("| `{state}` | {} |\n", state.in_plain_words()));
    }
    text.push_str(
        "\n## What every observation does in every state\n\nObservations that change nothing are \
         left out. A state in brackets stays as it is.\n\n```text\n",
    );
    text.push_str(&table());
    text.push_str("```\n");
    text
}
