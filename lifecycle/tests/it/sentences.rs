//! The sentences, as people read them: the models of the design among them.

use daylily_lifecycle::attempt::{Ending, EndingWhy};
use daylily_lifecycle::case::{Case, Changed, StateName, Trouble};
use daylily_lifecycle::diagram::{self, at, seen};
use daylily_lifecycle::explain::{self, Clock, Standing};
use daylily_lifecycle::ids::{Actor, CaseName, GroupName, HeadnodeName, IntakeName};
use daylily_lifecycle::observation::{Observation, Request, Verb};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::plan::plan;
use daylily_lifecycle::policy::{
    GroupSlots, HeadnodeCondition, HeadnodeState, IntakeCondition, Limits, LostAnswer, OnLost,
    Part, Pause, Policy, Retry, SlotState, SlotView, Unreadable, World,
};
use daylily_lifecycle::record::{Recorded, record};
use daylily_lifecycle::settle::MarkerMissing;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

pub(crate) fn policy() -> Policy {
    Policy {
        intake_is_configured: true,
        headnode_is_configured: true,
        time_zone: TimeZone::posix("CET-1").expect("a valid zone"),
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
        starting_alert: SignedDuration::from_secs(60),
        marker_missing: MarkerMissing::Accept,
        groups: vec![GroupSlots { group: GroupName::new("gpu_a"), slots: 2, gpus: 2 }],
        transfer_hours: None,
    }
}

pub(crate) fn world() -> World {
    let view = |number, state| SlotView { slot: diagram::slot(number), state, draining: false };
    World {
        stopped: None,
        intake: IntakeCondition { name: IntakeName::new("new"), unreadable: None, paused: None },
        headnode: HeadnodeCondition {
            name: HeadnodeName::new("hpc"),
            state: HeadnodeState::Ok,
            paused: None,
            draining: false,
            drift: Vec::new(),
        },
        slots: vec![view(0, SlotState::Reserved), view(1, SlotState::Reserved)],
    }
}

fn case(name: &str) -> Case {
    diagram::cases()[name].clone()
}

fn because(case: &Case, world: &World) -> String {
    plan(case, world, &policy(), at(200)).because
}

fn after(case: &Case, observation: Observation) -> Case {
    let recorded = record(Some(case), &seen(150, observation));
    let Recorded::Changed(next) = recorded else { panic!("{recorded:?}") };
    *next
}

#[test]
fn every_state_has_its_sentence() {
    let mut text = String::new();
    for (name, case) in diagram::cases() {
        text.push_str(&format!("{name}\n    {}\n", because(&case, &world())));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_changing_folder_says_what_changed_last_and_when_it_would_be_complete() {
    insta::assert_snapshot!(because(&case("arriving"), &world()), @"Still arriving: the last change was run2/R1.fastq.gz at 14:00:01 CET; if nothing else changes it is complete at 14:05:00.");
}

#[test]
fn a_missing_marker_says_since_when_and_what_happens_then() {
    insta::assert_snapshot!(because(&without_marker(), &world()), @"Complete except for its marker: daylily.ready has not come since 11:20 CET; at 17:20 it starts without it, or use `accept HG002` now.");
}

fn without_marker() -> Case {
    let mut case = case("arriving");
    for condition in &mut case.conditions {
        condition.holds = true;
    }
    case.conditions.push(daylily_lifecycle::case::Condition {
        name: daylily_lifecycle::case::ConditionName::Marker,
        holds: false,
        detail: "daylily.ready has not come".to_owned(),
        since: at(-9600),
    });
    case.settles_at = Some(at(12_000));
    case
}

#[test]
fn an_unreadable_intake_loses_nothing() {
    let mut world = world();
    world.intake.unreadable = Some(Unreadable {
        since: at(-600),
        because: "/mnt/scanner has not been mounted".to_owned(),
        next_look: at(260),
    });
    insta::assert_snapshot!(because(&case("arriving"), &world), @"Cannot be judged: /mnt/scanner has not been mounted since 13:50 CET; nothing is lost, looking again at 14:04.");
}

#[test]
fn an_invalid_case_names_the_first_problem_and_counts_the_rest() {
    let problems = vec![
        "SampleSheet.csv line 14, column Lane, has '9' and this flow cell has 4 lanes".to_owned(),
        "SampleSheet.csv line 15 is empty".to_owned(),
    ];
    insta::assert_snapshot!(explain::rejected(&problems), @"Needs correction: SampleSheet.csv line 14, column Lane, has '9' and this flow cell has 4 lanes (1 more below); correct it and the case goes on by itself.");
}

#[test]
fn a_case_without_a_place_says_which_are_taken_and_reading_joins_by_whom() {
    let stored = because(&case("ready"), &world());
    insta::assert_snapshot!(stored, @"Waiting for a GPU: both places of gpu_a on hpc are taken.");
    let standing =
        Standing { holders: vec![CaseName::new("HG002"), CaseName::new("HG003")], ahead: 2 };
    insta::assert_snapshot!(explain::joined(&stored, &standing), @"Waiting for a GPU: both places of gpu_a on hpc are taken (HG002, HG003) and 2 cases go first.");
}

#[test]
fn a_full_disk_is_waited_for() {
    let fault =
        Fault::new(FaultClass::NoSpace, "hpc:/data has 80 GiB free and this case needs 96 GiB");
    let failed = Observation::StepFailed {
        attempt: Some(diagram::attempt_id(1)),
        step: daylily_lifecycle::case::StepName::Ship,
        fault,
    };
    let mut case = after(&case("shipping"), failed);
    let trouble = |trouble: &Trouble| Trouble { tries: 20, ..trouble.clone() };
    case.troubles = case.troubles.iter().map(trouble).collect();
    insta::assert_snapshot!(because(&case, &world()), @"Waiting for space: hpc:/data has 80 GiB free and this case needs 96 GiB since 14:02 CET; `clean --dry-run` lists what could go there; looking again at 14:12:30.");
}

#[test]
fn lost_contact_is_no_failure() {
    let mut world = world();
    world.headnode.state = HeadnodeState::Unreachable {
        part: Part::Host,
        needs_person: false,
        since: at(160),
        because: "connection timed out".to_owned(),
        next_try: at(500),
    };
    insta::assert_snapshot!(because(&case("running"), &world), @"Last known running on hpc; hpc has not answered since 14:02 CET (connection timed out), the job is not assumed to have failed, and the next try is at 14:08:20.");
}

#[test]
fn a_failed_job_says_how_and_where_to_look() {
    let mut case = case("failed");
    if let daylily_lifecycle::case::State::Failed { attempt, failure } = &mut case.state {
        let end = daylily_lifecycle::attempt::End {
            at: at(60 + 3 * 3600 + 600),
            code: Some(137),
            signal: None,
            how: daylily_lifecycle::attempt::EndHow::Recorded,
        };
        attempt.started_at = Some(at(60));
        *failure = daylily_lifecycle::case::Failure::Exit { end };
    }
    insta::assert_snapshot!(because(&case, &world()), @"Failed: the pipeline ended with exit code 137 after 3 h 10 min (usually out of memory); its log is in `log HG002`, and `rerun HG002` starts it again.");
}

#[test]
fn a_lost_job_is_not_started_again_without_a_person() {
    insta::assert_snapshot!(because(&case("running, lost"), &world()), @"Waiting for a person: it started on hpc at 14:01 CET and has left neither an end record nor a process, so it may have done part of its work; look at hpc:/data/daylily/new/HG002, then `confirm-dead HG002` or `rerun HG002`.");
}

#[test]
fn a_change_after_success_is_told_and_nothing_is_run_again() {
    let mut case = case("succeeded");
    case.changed = Some(Changed { since: at(1700), path: "SampleSheet.csv".to_owned() });
    insta::assert_snapshot!(because(&case, &world()), @"Succeeded at 2026-11-20 14:02 CET, but SampleSheet.csv changed in the intake at 2026-11-20 14:28 CET; the result is of the earlier version, and `rerun HG002` makes a new one and keeps the old.");
}

#[test]
fn the_red_button_is_named_with_who_pressed_it() {
    let mut world = world();
    let pause = Pause {
        by: Some(Actor::new("anna")),
        since: at(-300),
        reason: Some("cooling failure".to_owned()),
    };
    world.stopped = Some(pause.clone());
    insta::assert_snapshot!(because(&case("ready"), &world), @"Stopped by anna since 13:55 CET (cooling failure): nothing new ships or starts, running jobs are not touched, and `resume --all` lifts it.");
    let zone = policy().time_zone;
    let clock = Clock { zone: &zone, now: at(200) };
    insta::assert_snapshot!(explain::stopped_banner(&pause, clock), @"STOPPED by anna since 13:55 CET: cooling failure");
}

#[test]
fn instants_of_another_day_carry_their_date() {
    let zone = policy().time_zone;
    let clock = Clock { zone: &zone, now: at(24 * 3600) };
    insta::assert_snapshot!(clock.at(at(0)), @"2026-11-20 14:00 CET");
}

#[test]
fn a_name_that_a_shell_would_split_is_quoted_in_the_commands_that_are_offered() {
    assert_eq!(explain::argument(&CaseName::new("HG002")), "HG002");
    assert_eq!(explain::argument(&CaseName::new("a b's $x")), r"'a b'\''s $x'");
    assert_eq!(explain::argument(&CaseName::new("-rf")), "-- '-rf'");
}

#[test]
fn no_stored_sentence_tells_a_duration_that_goes_on() {
    for (name, case) in diagram::cases() {
        let sentence = because(&case, &world());
        for word in [" ago", "minutes", "seconds", "%", "/s"] {
            assert!(!sentence.contains(word), "{name}: {sentence}");
        }
    }
}

#[test]
fn a_held_case_says_who_holds_it_and_how_to_release_it() {
    let hold = Observation::Asked(Request {
        verb: Verb::Hold,
        reason: Some("wait for the new reference".to_owned()),
    });
    let mut text = String::new();
    for (name, case) in diagram::cases() {
        if let Recorded::Changed(held) = record(Some(&case), &seen(150, hold.clone())) {
            assert!(held.hold.is_some() && !case.state.name().is_terminal(), "{name}");
            text = because(&held, &world());
        }
    }
    insta::assert_snapshot!(text, @"Waiting for a person: held by daylily-watch since 14:02 CET (wait for the new reference); `resume HG002` releases it.");
}

#[test]
fn a_cancelled_case_says_by_whom_and_whether_anything_ran() {
    let mut case = case("cancelled");
    assert_eq!(case.state.name(), StateName::Cancelled);
    insta::assert_snapshot!(because(&case, &world()), @"Cancelled at 2026-11-20 14:00 CET; nothing of it had run; `rerun HG002` starts it again.");
    let running = diagram::cases()["cancelling"].clone();
    let ended = diagram::looks().into_iter().find(|(name, _)| *name == "ended 3");
    let look = Observation::Looked {
        attempt: diagram::attempt_id(1),
        look: ended.expect("it is in the list").1,
        queue_wiped: Some(false),
        begun: None,
    };
    case = after(&running, look);
    if let daylily_lifecycle::case::State::Cancelled { attempt: Some(attempt) } = &mut case.state {
        attempt.ending = Some(Ending {
            why: EndingWhy::Cancel,
            asked_at: at(100),
            by: Actor::new("anna (uid 1000)"),
            reason: None,
            sent: None,
        });
    }
    insta::assert_snapshot!(because(&case, &world()), @"Cancelled at 2026-11-20 14:02 CET by anna (uid 1000); the pipeline had ended with exit code 3; `rerun HG002` starts it again.");
}
