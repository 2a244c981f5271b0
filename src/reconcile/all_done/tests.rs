use daylily_lifecycle::case::{
    Case, CaseKind, Condition, ConditionName, LastChange, Order, Priority,
};
use std::collections::BTreeMap;

use daylily_lifecycle::ids::{
    Actor, Arrival, ByteCount, CaseId, CaseName, Fingerprint, GroupName, HeadnodeName, IntakeName,
    PipelineName, Slot,
};
use daylily_lifecycle::observation::{Appeared, Observation, Observed, Request, Scanned, Verb};
use daylily_lifecycle::policy::{
    GroupSlots, HeadnodeCondition, HeadnodeState, IntakeCondition, Limits, LostAnswer, OnLost,
    Part, Pause, Policy, Retry, SlotState, SlotView, Unreadable, World,
};
use daylily_lifecycle::record::{Recorded, record};
use daylily_lifecycle::settle::MarkerMissing;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Needs, needs, none_goes_on};

fn now() -> Timestamp {
    "2026-11-20T06:00:00Z".parse().expect("it is an instant")
}

fn after(case: Option<&Case>, what: Observation) -> Case {
    match record(case, &Observed { at: now(), actor: Actor::new("test"), what }) {
        Recorded::Changed(case) => *case,
        other => panic!("it changes the case: {other:?}"),
    }
}

fn appeared() -> Case {
    let order = Order {
        pipeline: PipelineName::new("default"),
        priority: Priority::Normal,
        headnode: HeadnodeName::new("here"),
        group: None,
        gpus: 0,
        params: BTreeMap::new(),
        notify: Vec::new(),
        rule: None,
        priority_by: None,
        workset: None,
    };
    let appeared = Appeared {
        case: CaseId::new("01A"),
        intake: IntakeName::new("new_cases"),
        name: CaseName::new("a"),
        arrival: Arrival::FIRST,
        path: "/in/a".to_owned(),
        kind_of_case: CaseKind::Folder,
        order,
        folder: None,
        prior: None,
        baseline: None,
        problem: None,
    };
    after(None, Observation::Appeared(Box::new(appeared)))
}

fn scanned(holds: &[(ConditionName, bool)], settles_at: Option<Timestamp>) -> Case {
    let condition = |&(name, holds): &(ConditionName, bool)| Condition {
        name,
        holds,
        detail: "seen".to_owned(),
        since: now(),
    };
    let scanned = Scanned {
        files: 1,
        bytes: ByteCount(1),
        fingerprint: Fingerprint::new("f"),
        last_change: LastChange { path: "a".to_owned(), at: now() },
        settles_at,
        conditions: holds.iter().map(condition).collect(),
        problems: Vec::new(),
        refused: None,
        folder: None,
        refuted: false,
        order: None,
    };
    after(Some(&appeared()), Observation::Scanned(Box::new(scanned)))
}

fn ready() -> Case {
    scanned(&[(ConditionName::Quiet, true)], None)
}

fn held(case: &Case) -> Case {
    let request = Request { verb: Verb::Hold, reason: None };
    after(Some(case), Observation::Asked(request))
}

fn world(slot: SlotState) -> World {
    let slot_of = Slot {
        headnode: HeadnodeName::new("here"),
        group: GroupName::new("default"),
        slot: 0,
        gpu: None,
    };
    World {
        stopped: None,
        intake: IntakeCondition {
            name: IntakeName::new("new_cases"),
            unreadable: None,
            paused: None,
        },
        headnode: HeadnodeCondition {
            name: HeadnodeName::new("here"),
            state: HeadnodeState::Ok,
            paused: None,
            draining: false,
            drift: Vec::new(),
        },
        slots: vec![SlotView { slot: slot_of, state: slot, draining: false }],
    }
}

fn policy() -> Policy {
    Policy {
        intake_is_configured: true,
        headnode_is_configured: true,
        time_zone: TimeZone::UTC,
        retry: Retry {
            first: SignedDuration::from_secs(5),
            most: SignedDuration::from_mins(10),
            give_up_after: SignedDuration::from_hours(12),
        },
        lost_after: SignedDuration::from_mins(2),
        limits: Limits::default(),
        on_lost: OnLost { rebooted: LostAnswer::Rerun, unknown: LostAnswer::Hold },
        grace: SignedDuration::from_secs(10),
        rescan: SignedDuration::from_mins(1),
        starting_alert: SignedDuration::from_mins(1),
        marker_missing: MarkerMissing::Wait,
        groups: vec![GroupSlots { group: GroupName::new("default"), slots: 1, gpus: 0 }],
        transfer_hours: None,
    }
}

#[track_caller]
fn check(case: &Case, world: &World, expected: Needs) {
    assert_eq!(needs(case, world, &policy(), now()), expected);
}

#[test]
fn a_folder_that_is_not_quiet_yet_needs_time() {
    let soon = now() + SignedDuration::from_secs(5);
    check(&appeared(), &world(SlotState::Free), Needs::Time);
    let quiet = [(ConditionName::Quiet, false)];
    check(&scanned(&quiet, Some(soon)), &world(SlotState::Free), Needs::Time);
}

#[test]
fn a_folder_whose_marker_does_not_come_needs_a_person() {
    let conditions = [(ConditionName::Quiet, true), (ConditionName::Marker, false)];
    check(&scanned(&conditions, None), &world(SlotState::Free), Needs::Person);
}

#[test]
fn a_content_that_is_still_compared_needs_time() {
    let conditions = [(ConditionName::Quiet, true), (ConditionName::NewContent, false)];
    check(&scanned(&conditions, None), &world(SlotState::Free), Needs::Time);
}

#[test]
fn a_manifest_is_compared_in_time_and_what_it_names_comes_by_a_person() {
    let open = |name| [(ConditionName::Quiet, true), (name, false)];
    check(&scanned(&open(ConditionName::Checksums), None), &world(SlotState::Free), Needs::Time);
    check(&scanned(&open(ConditionName::Manifest), None), &world(SlotState::Free), Needs::Person);
    let both = [(ConditionName::Manifest, false), (ConditionName::Checksums, false)];
    check(&scanned(&both, None), &world(SlotState::Free), Needs::Person);
}

#[test]
fn an_intake_that_cannot_be_read_needs_a_person() {
    let mut world = world(SlotState::Free);
    let unreadable = Unreadable { since: now(), because: "gone".to_owned(), next_look: now() };
    world.intake.unreadable = Some(unreadable);
    check(&appeared(), &world, Needs::Person);
}

#[test]
fn a_complete_case_needs_a_slot_only_while_none_is_free() {
    check(&ready(), &world(SlotState::Free), Needs::Time);
    check(&ready(), &world(SlotState::Quarantined), Needs::Slot);
}

#[test]
fn what_a_person_stopped_or_must_repair_needs_a_person() {
    check(&held(&ready()), &world(SlotState::Free), Needs::Person);
    let mut broken = world(SlotState::Free);
    broken.headnode.state = HeadnodeState::Broken {
        part: Part::Host,
        since: now(),
        because: "another owner".to_owned(),
    };
    check(&ready(), &broken, Needs::Person);
    let mut stopped = world(SlotState::Free);
    stopped.stopped = Some(Pause { by: None, since: now(), reason: None });
    check(&ready(), &stopped, Needs::Person);
}

#[test]
fn a_headnode_that_does_not_answer_is_waited_for() {
    let mut silent = world(SlotState::Free);
    let next_try = now() + SignedDuration::from_secs(2);
    silent.headnode.state = HeadnodeState::Unreachable {
        part: Part::Host,
        needs_person: false,
        since: now(),
        because: "no route".to_owned(),
        next_try,
    };
    check(&ready(), &silent, Needs::Time);
}

#[test]
fn a_slot_is_waited_for_as_long_as_a_job_may_give_it_back() {
    let waiting = (Needs::Slot, false);
    assert!(!none_goes_on([waiting, (Needs::Person, true)].into_iter()));
    assert!(none_goes_on([waiting, (Needs::Person, false)].into_iter()));
    assert!(!none_goes_on([waiting, (Needs::Time, false)].into_iter()));
    assert!(none_goes_on([].into_iter()));
}
