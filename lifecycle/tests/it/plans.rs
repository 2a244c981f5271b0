//! What is done next, one situation a test.

use daylily_lifecycle::action::{Action, Plan, Wake};
use daylily_lifecycle::attempt::{EndingWhy, Force};
use daylily_lifecycle::backoff::{delay, delay_with_jitter};
use daylily_lifecycle::case::{Case, HoldWhy, State, StateName, StepName};
use daylily_lifecycle::diagram::{self, at, attempt_id, seen};
use daylily_lifecycle::ids::{GroupName, HeadnodeName, IntakeName};
use daylily_lifecycle::observation::{Decision, Observation, Request, Verb};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::plan::{may_start, plan};
use daylily_lifecycle::policy::{
    GroupSlots, HeadnodeState, LostAnswer, OnLimit, Part, Pause, Policy, Unreadable, World,
};
use daylily_lifecycle::record::{Recorded, record};
use jiff::SignedDuration;

use crate::sentences::{policy, world};

pub(crate) fn case(name: &str) -> Case {
    diagram::cases()[name].clone()
}

pub(crate) fn after(case: &Case, second: i64, what: Observation) -> Case {
    let recorded = record(Some(case), &seen(second, what));
    let Recorded::Changed(next) = recorded else { panic!("{recorded:?}") };
    *next
}

pub(crate) fn look(name: &str) -> Observation {
    let found = diagram::looks().into_iter().find(|(known, _)| *known == name);
    let (_, look) = found.expect("the look is in the list");
    Observation::Looked { attempt: attempt_id(1), look, queue_wiped: Some(false), begun: None }
}

pub(crate) fn asked(verb: Verb) -> Observation {
    Observation::Asked(Request { verb, reason: None })
}

pub(crate) fn planned(case: &Case, second: i64) -> Plan {
    plan(case, &world(), &policy(), at(second))
}

pub(crate) fn decision(plan: &Plan) -> Option<&Decision> {
    plan.actions.iter().find_map(|action| match action {
        Action::Decide { decision } => Some(decision),
        Action::Scan
        | Action::Hash
        | Action::Compare
        | Action::Ship { .. }
        | Action::Submit { .. }
        | Action::TakeClaim { .. }
        | Action::EndProcesses { .. }
        | Action::Stop { .. }
        | Action::Return { .. } => None,
    })
}

/// Runs the lost job of `looks`, until the plan decides what becomes of it.
fn lost(looks: &str, policy: &Policy) -> Decision {
    let mut case = after(&case("running"), 100, look(looks));
    assert_eq!(decision(&plan(&case, &world(), policy, at(101))), None, "one look is not enough");
    case = after(&case, 160, look(looks));
    assert_eq!(decision(&plan(&case, &world(), policy, at(161))), None, "a minute is not enough");
    case = after(&case, 221, look(looks));
    let ended = plan(&case, &world(), policy, at(222));
    assert_eq!(decision(&ended), Some(&Decision::EndObserved));
    case = after(&case, 222, Observation::Decided(Decision::EndObserved));
    assert!(case.attempt().expect("it has one").tenure.slots().is_empty(), "the slot is free");
    decision(&plan(&case, &world(), policy, at(223))).expect("something is decided").clone()
}

#[test]
fn a_silent_job_is_lost_only_after_two_looks_far_enough_apart() {
    let decided = lost("silent", &policy());
    assert!(matches!(decided, Decision::Hold { why: HoldWhy::Lost, .. }), "{decided:?}");
}

#[test]
fn a_job_lost_by_a_reboot_runs_again_where_the_policy_says_so() {
    assert_eq!(lost("silent, rebooted", &policy()), Decision::Rerun);
    let mut strict = policy();
    strict.on_lost.rebooted = LostAnswer::Hold;
    assert!(matches!(lost("silent, rebooted", &strict), Decision::Hold { .. }));
}

#[test]
fn half_an_end_record_is_never_run_again_by_itself() {
    let mut eager = policy();
    eager.on_lost.unknown = LostAnswer::Rerun;
    let decided = lost("half a record", &eager);
    assert!(matches!(decided, Decision::Hold { why: HoldWhy::Lost, .. }), "{decided:?}");
}

#[test]
fn an_end_record_that_comes_late_counts_more_than_having_been_lost() {
    let late = after(&case("running, lost"), 900, look("ended 0"));
    assert_eq!(late.state.name(), StateName::Returning);
    assert!(late.hold.is_none());
    let State::Returning { attempt, end } = &late.state else { panic!("{:?}", late.state) };
    assert_eq!(attempt.end.as_ref(), Some(end));
    assert_eq!(end.code, Some(0));
}

#[test]
fn a_job_that_was_taken_for_dead_and_runs_is_watched_on_and_can_be_cancelled() {
    let back = after(&case("running, lost"), 900, look("running"));
    assert!(back.hold.is_none());
    assert_eq!(back.attempt().expect("it has one").end, None);
    let because = planned(&back, 901).because;
    assert!(because.contains("it had been taken for dead"), "{because}");
    let cancelling = after(&back, 902, asked(Verb::Cancel { abandon: false }));
    assert_eq!(cancelling.state.name(), StateName::Cancelling, "not before its end is seen");
    assert!(!planned(&cancelling, 903).actions.is_empty());
}

#[test]
fn a_claim_that_was_read_once_is_not_forgotten_with_its_file() {
    let gone = after(&case("running"), 100, look("not submitted"));
    assert!(gone.attempt().expect("it has one").silence.is_some(), "{gone:?}");
    let there = record(Some(&case("running")), &seen(100, look("starting")));
    assert!(matches!(there, Recorded::Same | Recorded::Changed(_)));
}

#[test]
fn what_is_left_of_a_job_says_nothing_of_how_it_ended() {
    let left = after(&case("running"), 100, look("ended, left-overs"));
    let State::Returning { attempt, end } = &left.state else { panic!("{:?}", left.state) };
    assert!(attempt.ending.is_some() && attempt.ran_well(end));
}

#[test]
fn a_held_case_whose_look_is_given_up_asks_for_nothing_in_a_hurry() {
    let failed = |second| {
        let fault = Fault::new(FaultClass::FatalCase, "permission denied");
        (second, Observation::StepFailed { attempt: None, step: StepName::Scan, fault })
    };
    let (second, what) = failed(100);
    let troubled = after(&case("arriving"), second, what);
    let hold = Decision::Hold { why: HoldWhy::Trouble, reason: "permission denied".to_owned() };
    let held = after(&troubled, 101, Observation::Decided(hold));
    let plan = planned(&held, 1000);
    assert_eq!((plan.actions, plan.wake), (Vec::new(), Wake::At(at(1060))));
    assert!(plan.because.contains("permission denied"), "{}", plan.because);
}

#[test]
fn a_persons_word_is_for_the_content_as_it_was() {
    let accepted = after(&without_quiet(), 50, asked(Verb::Accept));
    let ready = after(&accepted, 60, diagram::scan("f1", true, &[]));
    assert!(ready.accepted.is_some());
    let grown = after(&ready, 70, diagram::scan("f2", true, &[]));
    assert_eq!((grown.state.name(), grown.accepted.clone()), (StateName::Arriving, None));
}

/// Still arriving, and nothing of it has been judged yet.
fn without_quiet() -> Case {
    let mut case = case("arriving");
    case.conditions.clear();
    case
}

#[test]
fn what_cannot_be_left_out_is_refused_when_somebody_says_accept() {
    let refused = record(Some(&case("arriving")), &seen(50, asked(Verb::Accept)));
    assert!(matches!(refused, Recorded::Refused { .. }), "{refused:?}");
}

#[test]
fn processes_are_ended_ever_harder_and_never_too_soon() {
    let mut case = after(&case("running"), 100, asked(Verb::Cancel { abandon: false }));
    for (second, force) in [
        (100, Force::Terminate),
        (110, Force::KillChildren),
        (120, Force::KillAll),
        (130, Force::KillAll),
    ] {
        if second > 100 {
            let early = planned(&case, second - 1);
            assert_eq!((early.actions, early.wake), (Vec::new(), Wake::At(at(second))));
        }
        let action = Action::EndProcesses { attempt: attempt_id(1), force };
        assert_eq!(planned(&case, second).actions, vec![action]);
        let signalled = Observation::Signalled { attempt: attempt_id(1), force };
        case = after(&case, second, signalled);
    }
    let silent = after(&case, 131, look("silent"));
    assert!(planned(&silent, 200).actions.is_empty(), "nothing is left to be ended");
}

#[test]
fn what_was_handed_over_is_cancelled_by_taking_its_claim() {
    let queued = after(&case("queued"), 100, asked(Verb::Cancel { abandon: false }));
    let action = Action::TakeClaim { attempt: attempt_id(1) };
    assert_eq!(planned(&queued, 101).actions, vec![action]);
    let slots = queued.attempt().expect("it has one").tenure.slots().len();
    assert_eq!(slots, 1, "the slot is kept until the claim is ours");
}

#[test]
fn a_limit_is_told_or_ends_the_job_as_the_policy_says() {
    let mut limited = policy();
    limited.limits.run = Some(SignedDuration::from_mins(10));
    let running = case("running");
    let told = plan(&running, &world(), &limited, at(60 + 600));
    assert!(told.actions.is_empty());
    assert!(told.because.contains("longer than its limit of 10 min"), "{}", told.because);
    let before = plan(&running, &world(), &limited, at(60 + 599));
    assert_eq!(before.wake, Wake::At(at(660)));
    limited.limits.on_limit = OnLimit::Cancel;
    let ended = plan(&running, &world(), &limited, at(660));
    assert_eq!(decision(&ended), Some(&Decision::End { why: EndingWhy::Limit }));
    let ending =
        after(&running, 660, Observation::Decided(Decision::End { why: EndingWhy::Limit }));
    let over = after(&ending, 670, look("ended 3"));
    let returned = Observation::Returned { attempt: attempt_id(1), stored: diagram::stored(&[]) };
    let failed = after(&over, 671, returned);
    assert_eq!(failed.state.name(), StateName::Failed);
    let because = planned(&failed, 680).because;
    assert!(because.starts_with("Failed: it took longer than its limit"), "{because}");
}

#[test]
fn a_job_that_waits_in_the_queue_beyond_its_limit_is_given_up_by_claim() {
    let mut limited = policy();
    limited.limits.queue = Some(SignedDuration::from_mins(10));
    limited.limits.on_limit = OnLimit::Cancel;
    let queued = case("queued");
    let decided = plan(&queued, &world(), &limited, at(700));
    assert_eq!(decision(&decided), Some(&Decision::End { why: EndingWhy::Limit }));
    let ending = after(&queued, 700, Observation::Decided(Decision::End { why: EndingWhy::Limit }));
    let action = Action::TakeClaim { attempt: attempt_id(1) };
    assert_eq!(plan(&ending, &world(), &limited, at(701)).actions, vec![action]);
    let ours = after(&ending, 702, look("claim is ours"));
    assert_eq!(ours.state.name(), StateName::Failed);
}

#[test]
fn a_demand_that_no_group_meets_is_rejected_and_reconsidered_when_one_can() {
    let mut small = policy();
    small.groups = vec![GroupSlots { group: GroupName::new("cpu"), slots: 4, gpus: 0 }];
    let ready = case("ready");
    let refused = plan(&ready, &world(), &small, at(100));
    let Some(Decision::Reject { problem }) = decision(&refused) else { panic!("{refused:?}") };
    assert_eq!(problem, "it asks for 1 GPUs in the group gpu_a, which hpc does not have");
    assert!(!may_start(&ready, &world(), &small, at(100)));
    let decided = Observation::Decided(Decision::Reject { problem: problem.clone() });
    let rejected = after(&ready, 100, decided);
    // A scan that finds the folder as it was does not make the group appear.
    let scanned = record(Some(&rejected), &seen(101, diagram::scan("f1", true, &[])));
    assert_eq!(scanned, Recorded::Same);
    assert_eq!(decision(&plan(&rejected, &world(), &small, at(102))), None);
    let grown = plan(&rejected, &world(), &policy(), at(103));
    assert_eq!(decision(&grown), Some(&Decision::Reconsider));
}

fn pause() -> Pause {
    Pause { by: None, since: at(50), reason: None }
}

/// Worlds in which nothing new may ship or start, for a case that is ready.
fn obstacles() -> Vec<(&'static str, World)> {
    let with = |change: fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        world
    };
    vec![
        ("the red button", with(|world| world.stopped = Some(pause()))),
        ("a paused intake", with(|world| world.intake.paused = Some(pause()))),
        ("a paused headnode", with(|world| world.headnode.paused = Some(pause()))),
        ("a draining headnode", with(|world| world.headnode.draining = true)),
        (
            "no contact",
            with(|world| {
                world.headnode.state = HeadnodeState::Unreachable {
                    part: Part::Host,
                    needs_person: false,
                    since: at(50),
                    because: "connection refused".to_owned(),
                    next_try: at(300),
                };
            }),
        ),
        (
            "a headnode set aside",
            with(|world| {
                world.headnode.state = HeadnodeState::Broken {
                    part: Part::Host,
                    since: at(50),
                    because: "not ours".to_owned(),
                };
            }),
        ),
    ]
}

#[test]
fn nothing_new_starts_where_something_stands_in_the_way() {
    for (name, world) in obstacles() {
        assert!(!may_start(&case("ready"), &world, &policy(), at(100)), "{name}");
        let kept_out = ["a paused intake", "a draining headnode"].contains(&name);
        for state in ["shipping", "submitting"] {
            let plan = plan(&case(state), &world, &policy(), at(100));
            assert_eq!(plan.actions.is_empty(), !kept_out, "{name}, {state}: {plan:?}");
        }
    }
    assert!(may_start(&case("ready"), &world(), &policy(), at(100)));
}

#[test]
fn running_jobs_are_not_touched_by_anything_that_stops_new_ones() {
    for (name, world) in obstacles() {
        let plan = plan(&case("running"), &world, &policy(), at(100));
        assert!(plan.actions.is_empty(), "{name}");
    }
}

#[test]
fn an_intake_that_cannot_be_read_is_not_scanned_and_loses_nothing() {
    let mut away = world();
    away.intake = daylily_lifecycle::policy::IntakeCondition {
        name: IntakeName::new("new"),
        unreadable: Some(Unreadable {
            since: at(10),
            because: "/mnt/scanner is not mounted".to_owned(),
            next_look: at(200),
        }),
        paused: None,
    };
    for state in ["arriving", "rejected"] {
        for (now, wake) in [(150, 200), (500, 560)] {
            let plan = plan(&case(state), &away, &policy(), at(now));
            assert_eq!((plan.actions, plan.wake), (Vec::new(), Wake::At(at(wake))), "{state}");
        }
    }
}

fn shipping_with(class: FaultClass, since: i64, last: i64) -> Case {
    let failed = || Observation::StepFailed {
        attempt: Some(attempt_id(1)),
        step: StepName::Ship,
        fault: Fault::new(class, "it did not work"),
    };
    after(&after(&case("shipping"), since, failed()), last, failed())
}

#[test]
fn waiting_for_room_uses_up_no_budget() {
    let full = shipping_with(FaultClass::NoSpace, 100, 100 + 48 * 3600);
    let plan = planned(&full, 100 + 49 * 3600);
    assert_eq!(plan.actions, vec![Action::Ship { attempt: attempt_id(1) }]);
}

#[test]
fn what_cannot_work_is_given_to_a_person_at_once() {
    let plan = planned(&shipping_with(FaultClass::FatalCase, 100, 101), 102);
    let decided = decision(&plan);
    assert!(matches!(decided, Some(Decision::Hold { why: HoldWhy::Trouble, .. })), "{decided:?}");
}

#[test]
fn the_retry_clock_starts_anew_after_success() {
    let troubled = shipping_with(FaultClass::TransientStep, 100, 100 + 3600);
    let shipped = Observation::Shipped {
        attempt: attempt_id(1),
        files: 5,
        bytes: daylily_lifecycle::ids::ByteCount(1),
        digest: None,
    };
    assert!(after(&troubled, 4000, shipped).troubles.is_empty());
}

#[test]
fn a_held_case_gives_back_its_slot_before_it_is_handed_over_and_not_after() {
    let held = after(&case("shipping"), 100, asked(Verb::Hold));
    assert!(held.attempt().expect("it has one").tenure.slots().is_empty());
    let held = after(&case("running"), 100, asked(Verb::Hold));
    assert_eq!(held.attempt().expect("it has one").tenure.slots().len(), 1);
    let ended = after(&held, 200, look("ended 0"));
    assert!(ended.attempt().expect("it has one").tenure.slots().is_empty(), "an end is seen");
    assert!(ended.hold.is_some() && planned(&ended, 201).actions.is_empty(), "actions stop");
}

#[test]
fn a_look_that_fails_is_told_and_concludes_nothing() {
    let blind = after(&case("running"), 100, look("could not look"));
    assert_eq!(blind.state.name(), StateName::Running);
    let plan = planned(&blind, 101);
    assert_eq!(plan.wake, Wake::Poll(HeadnodeName::new("hpc")));
    assert!(plan.because.starts_with("Cannot be looked at on hpc"), "{}", plan.because);
    assert!(after(&blind, 102, look("running")).troubles.is_empty());
}

#[test]
fn waits_double_up_to_their_most() {
    let (first, most) = (SignedDuration::from_secs(5), SignedDuration::from_mins(10));
    let waits: Vec<i64> = (1..=9).map(|tries| delay(tries, first, most).as_secs()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    assert_eq!(delay(u32::MAX, first, most), most);
}

#[test]
fn jitter_shortens_by_at_most_a_quarter_and_differs_by_seed() {
    let (first, most) = (SignedDuration::from_secs(2), SignedDuration::from_mins(5));
    let waits: Vec<SignedDuration> =
        (0..100).map(|seed| delay_with_jitter(3, first, most, seed)).collect();
    let whole = SignedDuration::from_secs(8);
    assert!(waits.iter().all(|wait| *wait <= whole && *wait > whole * 3 / 4), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait != waits[0]));
}

#[test]
fn a_case_whose_intake_is_configured_no_more_keeps_no_slot_and_loses_nothing() {
    let mut without = policy();
    without.intake_is_configured = false;
    let staged = plan(&case("staged"), &world(), &without, at(100));
    assert_eq!((staged.actions.len(), staged.wake), (0, Wake::Person));
    assert!(staged.because.contains("the intake new is not in the configuration any more"));
    assert!(!may_start(&case("ready"), &world(), &without, at(100)));
    let shipping = plan(&case("shipping"), &world(), &without, at(100));
    let Some(hold) = decision(&shipping) else { panic!("{shipping:?}") };
    let held = after(&case("shipping"), 100, Observation::Decided(hold.clone()));
    assert!(held.attempt().expect("it has one").tenure.slots().is_empty());
    let running = plan(&case("running"), &world(), &without, at(100));
    assert!(running.because.starts_with("Running on hpc"), "{}", running.because);
}
