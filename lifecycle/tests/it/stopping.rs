//! What a pipeline's `stop` does to an end: an abnormal one counts only when it has worked.

use daylily_lifecycle::action::Action;
use daylily_lifecycle::attempt::{EndHow, Force, Stopping, Tenure};
use daylily_lifecycle::case::{Case, HoldWhy, State, StateName, StepName};
use daylily_lifecycle::diagram::{at, attempt_id, seed_with_stop, seen, slot};
use daylily_lifecycle::observation::{Decision, Observation, Verb};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::record::{Recorded, record};

use crate::plans::{after, asked, case, decision, look, planned};

/// A running job of a pipeline with a `stop`.
fn running() -> Case {
    let granted = Observation::Granted { attempt: seed_with_stop(1), slots: vec![slot(0)] };
    let mut running = after(&case("ready"), 3, granted);
    if let State::Shipping { attempt } = running.state {
        running.state = State::Submitting { attempt };
    }
    after(&running, 60, look("running"))
}

fn stopped() -> Observation {
    Observation::Stopped { attempt: attempt_id(1) }
}

fn stop() -> Vec<Action> {
    vec![Action::Stop { attempt: attempt_id(1) }]
}

fn failed() -> Observation {
    let fault = Fault::new(FaultClass::TransientStep, "`stop` ended with exit code 1");
    Observation::StepFailed { attempt: Some(attempt_id(1)), step: StepName::Stop, fault }
}

#[track_caller]
fn keeps_its_place(case: &Case, second: i64) {
    let attempt = case.attempt().expect("it has one");
    assert!(attempt.tenure.is_quarantined(), "{:?}", attempt.tenure);
    assert_eq!(planned(case, second).actions, stop());
    assert!(planned(case, second).because.contains("its place is kept"));
}

#[track_caller]
fn has_no_place(case: &Case) {
    assert_eq!(case.attempt().expect("it has one").tenure, Tenure::None);
}

#[test]
fn a_cancelled_job_is_cancelled_when_its_stop_has_worked() {
    let mut case = after(&running(), 100, asked(Verb::Cancel { abandon: false }));
    let signalled = Observation::Signalled { attempt: attempt_id(1), force: Force::Terminate };
    case = after(&case, 101, signalled);
    case = after(&case, 102, look("ended 0"));
    assert_eq!(case.state.name(), StateName::Cancelling, "it was ended by us, whatever it says");
    keeps_its_place(&case, 103);
    case = after(&case, 104, failed());
    assert!(planned(&case, 105).actions.is_empty(), "it is tried again in its time");
    keeps_its_place(&case, 110);
    case = after(&case, 111, stopped());
    assert_eq!(case.state.name(), StateName::Cancelled);
    has_no_place(&case);
}

#[test]
fn a_job_that_had_ended_by_itself_is_cancelled_without_its_stop() {
    let mut case = after(&running(), 100, asked(Verb::Cancel { abandon: false }));
    case = after(&case, 102, look("ended 3"));
    assert_eq!(case.state.name(), StateName::Cancelled);
}

#[test]
fn a_pipeline_that_ends_by_itself_needs_no_stop() {
    for how in ["ended 0", "ended 3"] {
        let ended = after(&running(), 100, look(how));
        assert_eq!(ended.state.name(), StateName::Returning, "{how}");
        has_no_place(&ended);
    }
}

#[test]
fn a_killed_job_keeps_running_and_its_place_until_its_stop_has_worked() {
    let mut case = after(&running(), 100, look("ended by a signal"));
    assert_eq!(case.state.name(), StateName::Running);
    keeps_its_place(&case, 101);
    // Looking again changes nothing.
    let again = record(Some(&case), &seen(102, look("ended by a signal")));
    assert_eq!(again, Recorded::Same);
    case = after(&case, 103, stopped());
    assert_eq!(case.state.name(), StateName::Returning);
    has_no_place(&case);
    let late = record(Some(&case), &seen(104, stopped()));
    assert!(matches!(late, Recorded::Stale { .. }), "{late:?}");
}

#[test]
fn a_lost_job_is_held_or_run_again_only_after_its_stop() {
    let mut case = after(&running(), 100, look("silent"));
    case = after(&case, 230, look("silent"));
    case = after(&case, 231, Observation::Decided(Decision::EndObserved));
    assert_eq!(case.state.name(), StateName::Running);
    keeps_its_place(&case, 232);
    let rerun = record(Some(&case), &seen(233, Observation::Decided(Decision::Rerun)));
    assert!(matches!(rerun, Recorded::Stale { .. }), "{rerun:?}");
    let rerun = record(Some(&case), &seen(233, asked(Verb::Rerun { abandon: false })));
    assert!(matches!(rerun, Recorded::Refused { .. }), "{rerun:?}");
    case = after(&case, 240, stopped());
    has_no_place(&case);
    let plan = planned(&case, 241);
    assert!(matches!(decision(&plan), Some(Decision::Hold { why: HoldWhy::Lost, .. })), "{plan:?}");
}

#[test]
fn what_lives_is_ended_before_its_stop_begins() {
    let mut case = after(&running(), 100, asked(Verb::Cancel { abandon: false }));
    let signalled = Observation::Signalled { attempt: attempt_id(1), force: Force::Terminate };
    case = after(&case, 101, signalled);
    case = after(&case, 102, look("ended, left-overs"));
    let force = Force::KillChildren;
    let ends = vec![Action::EndProcesses { attempt: attempt_id(1), force }];
    assert_eq!(planned(&case, 120).actions, ends);
    assert!(matches!(record(Some(&case), &seen(121, stopped())), Recorded::Stale { .. }));
    case = after(&case, 122, look("ended 0"));
    keeps_its_place(&case, 123);
    case = after(&case, 124, look("ended, left-overs"));
    assert!(matches!(record(Some(&case), &seen(125, stopped())), Recorded::Stale { .. }));
}

#[test]
fn a_job_that_was_taken_for_dead_and_lives_keeps_its_place_and_needs_another_stop() {
    let mut case = after(&running(), 100, look("silent"));
    case = after(&case, 230, look("silent"));
    case = after(&case, 231, Observation::Decided(Decision::EndObserved));
    case = after(&case, 240, look("running"));
    let attempt = case.attempt().expect("it has one");
    assert!(matches!(attempt.tenure, Tenure::Reserved { .. }), "{:?}", attempt.tenure);
    assert_eq!((attempt.end.as_ref(), attempt.stopping, &attempt.error), (None, None, &None));
    case = after(&case, 300, look("ended by a signal"));
    keeps_its_place(&case, 301);
}

#[test]
fn a_stop_that_never_works_is_given_to_a_person_whose_word_frees_the_place() {
    let mut case = after(&running(), 100, look("ended by a signal"));
    let mut second = 101;
    let held = loop {
        assert!(second < 20 * 3600, "it is tried for ever");
        let plan = planned(&case, second);
        if let Some(decision) = decision(&plan) {
            break after(&case, second, Observation::Decided(decision.clone()));
        }
        if plan.actions == stop() {
            case = after(&case, second, failed());
        }
        second += 60;
    };
    assert_eq!(held.hold.as_ref().map(|hold| hold.why), Some(HoldWhy::Trouble));
    assert!(held.attempt().expect("it has one").tenure.is_quarantined());
    let because = planned(&held, second).because;
    assert!(because.contains("`stop` ended with exit code 1") && because.contains("confirm-dead"));

    let retried = after(&held, second, asked(Verb::Retry));
    assert_eq!(planned(&retried, second).actions, stop());

    let dead = after(&held, second, asked(Verb::ConfirmDead));
    has_no_place(&dead);
    let attempt = dead.attempt().expect("it has one");
    assert_eq!(attempt.stopping, Some(Stopping::Waived { since: at(second) }));
    assert_eq!(attempt.end.as_ref().map(|end| end.how), Some(EndHow::Recorded));
    assert_eq!(dead.state.name(), StateName::Returning, "its log is still fetched");

    let cancelled = after(&held, second, asked(Verb::Cancel { abandon: true }));
    assert_eq!(cancelled.state.name(), StateName::Cancelled);
    let again = after(&held, second, asked(Verb::Rerun { abandon: true }));
    assert_eq!(again.state.name(), StateName::Arriving);
}

#[test]
fn a_job_over_its_limit_fails_when_its_stop_has_worked() {
    let limit =
        Observation::Decided(Decision::End { why: daylily_lifecycle::attempt::EndingWhy::Limit });
    let mut case = after(&running(), 100, limit);
    let signalled = Observation::Signalled { attempt: attempt_id(1), force: Force::KillAll };
    case = after(&case, 101, signalled);
    case = after(&case, 102, look("silent"));
    case = after(&case, 230, look("silent"));
    case = after(&case, 231, Observation::Decided(Decision::EndObserved));
    keeps_its_place(&case, 232);
    case = after(&case, 233, stopped());
    assert_eq!(case.state.name(), StateName::Returning);
    has_no_place(&case);
}

#[test]
fn nothing_is_stopped_where_its_headnode_does_not_answer() {
    let case = after(&running(), 100, look("ended by a signal"));
    let mut silent = crate::sentences::world();
    silent.headnode.state = daylily_lifecycle::policy::HeadnodeState::Unreachable {
        part: daylily_lifecycle::policy::Part::Host,
        needs_person: false,
        since: at(90),
        because: "connection timed out".to_owned(),
        next_try: at(500),
    };
    let plan = daylily_lifecycle::plan::plan(&case, &silent, &crate::sentences::policy(), at(101));
    assert!(plan.actions.is_empty());
}
