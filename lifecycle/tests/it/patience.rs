//! What repeats: looks that overtake each other, steps that fail in turn, clocks that are
//! set, signals that reach nobody.

use daylily_lifecycle::action::Action;
use daylily_lifecycle::attempt::{EndingWhy, Force};
use daylily_lifecycle::backoff::is_due;
use daylily_lifecycle::case::{Case, HoldWhy, StateName, StepName};
use daylily_lifecycle::diagram::{self, at, attempt_id, seed, slot};
use daylily_lifecycle::observation::{Decision, Observation, Verb};
use daylily_lifecycle::outcome::{AfterClaim, Fault, FaultClass, Look};
use daylily_lifecycle::record::{Recorded, record};

use crate::plans::{after, asked, case, decision, look, planned};

fn look_begun(name: &str, begun: i64) -> Observation {
    let found: Option<(_, Look)> = diagram::looks().into_iter().find(|(known, _)| *known == name);
    let (_, look) = found.expect("the look is in the list");
    let begun = Some(at(begun));
    Observation::Looked { attempt: attempt_id(1), look, queue_wiped: Some(false), begun }
}

fn failed(step: StepName, class: FaultClass) -> Observation {
    let attempt = (step != StepName::Scan).then(|| attempt_id(1));
    Observation::StepFailed { attempt, step, fault: Fault::new(class, "input/output error") }
}

#[test]
fn an_absence_that_was_seen_before_the_hand_over_says_nothing_of_it() {
    let mut handed_over = case("submitting");
    handed_over = after(&handed_over, 100, look("waiting"));
    let older = record(Some(&handed_over), &diagram::seen(101, look_begun("not submitted", 99)));
    assert!(matches!(older, Recorded::Same), "{older:?}");
    let newer = after(&handed_over, 103, look_begun("not submitted", 102));
    let plan = planned(&newer, 104);
    assert!(matches!(plan.actions[..], [Action::TakeClaim { .. }]), "{plan:?}");
}

#[test]
fn whether_an_entry_went_alone_is_not_concluded_where_only_it_was_looked_for() {
    let queued = after(&case("submitting"), 100, look("waiting"));
    let Observation::Looked { attempt, look, .. } = look("not submitted") else {
        panic!("it is a look");
    };
    let of = |queue_wiped| {
        let (attempt, look) = (attempt.clone(), look.clone());
        let what = Observation::Looked { attempt, look, queue_wiped, begun: None };
        record(Some(&queued), &diagram::seen(101, what))
    };
    assert!(matches!(of(None), Recorded::Same), "{:?}", of(None));
    for whole in [true, false] {
        let Recorded::Changed(given_up) = of(Some(whole)) else { panic!("it is given up") };
        let then = if whole { AfterClaim::NewAttempt } else { AfterClaim::Hold };
        assert_eq!(given_up.attempt().expect("it has one").giving_up, Some(then));
    }
}

#[test]
fn an_entry_that_is_first_seen_when_the_queue_is_done_with_it_is_given_up() {
    let submitting = case("submitting");
    let seen = after(&submitting, 103, look_begun("queue done", 102));
    let plan = planned(&seen, 104);
    assert!(matches!(plan.actions[..], [Action::TakeClaim { .. }]), "{plan:?}");
}

#[test]
fn a_copy_that_fails_waits_although_its_folder_cannot_be_looked_at_either() {
    let mut shipping =
        after(&case("shipping"), 100, failed(StepName::Ship, FaultClass::TransientStep));
    for second in 101..104 {
        let scan = failed(StepName::Scan, FaultClass::TransientStep);
        shipping = after(&shipping, second, scan);
        assert!(planned(&shipping, second).actions.is_empty(), "it waits its time");
    }
    assert_eq!(shipping.troubles.of(StepName::Scan).expect("it is in trouble").tries, 3);
    shipping = after(&shipping, 200, failed(StepName::Ship, FaultClass::TransientStep));
    assert_eq!(shipping.troubles.of(StepName::Ship).expect("it is in trouble").tries, 2);
}

#[test]
fn a_job_that_never_begins_is_given_to_a_person_in_the_end() {
    let mut now = 1000;
    let mut number = 1;
    let mut this = case("ready");
    loop {
        if this.state.name() == StateName::Ready {
            let plan = planned(&this, now);
            if let Some(Decision::Hold { why: HoldWhy::Trouble, .. }) = decision(&plan) {
                break;
            }
            let granted = Observation::Granted { attempt: seed(number), slots: vec![slot(0)] };
            this = never_begins(&after(&this, now, granted), number, now);
            number += 1;
        }
        now += 600;
        assert!(now < 20 * 3600, "{} attempts, and nobody was asked", this.past.len());
    }
    assert!(number > 10, "it was tried for hours");
}

/// Shipped, handed over, seen waiting, and done without a claim.
fn never_begins(this: &Case, number: u32, now: i64) -> Case {
    let attempt = attempt_id(number);
    let of = |name: &str| {
        let found = diagram::looks().into_iter().find(|(known, _)| *known == name);
        let (_, look) = found.expect("the look is in the list");
        Observation::Looked {
            attempt: attempt.clone(),
            look,
            queue_wiped: Some(false),
            begun: None,
        }
    };
    let (files, bytes) = (1, daylily_lifecycle::ids::ByteCount(1));
    let shipped = Observation::Shipped { attempt: attempt.clone(), files, bytes, digest: None };
    let this = after(this, now + 1, shipped);
    let handed_over = Observation::Submitted { attempt: attempt.clone(), task: None };
    let this = after(&this, now + 2, handed_over);
    let this = after(&this, now + 3, of("waiting"));
    let this = after(&this, now + 4, of("queue done"));
    let by = daylily_lifecycle::attempt::ClaimedBy::Daemon;
    after(&this, now + 5, Observation::Claimed { attempt, by })
}

#[test]
fn a_clock_that_was_ahead_keeps_nothing_from_being_tried() {
    let two_hours = 2 * 3600;
    let failed = failed(StepName::Ship, FaultClass::TransientStep);
    let shipping = after(&case("shipping"), 1000 + two_hours, failed);
    let plan = planned(&shipping, 1000);
    assert!(matches!(plan.actions[..], [Action::Ship { .. }]), "{plan:?}");
    assert!(is_due(at(1000 + two_hours), at(1000)));
    assert!(!is_due(at(1200), at(1000)));
}

#[test]
fn what_cannot_be_killed_is_signalled_ever_less_often() {
    let mut this = after(&case("running"), 1000, asked(Verb::Cancel { abandon: false }));
    let mut signals = 0;
    for second in 1001..1001 + 24 * 3600 {
        let plan = planned(&this, second);
        let Some(Action::EndProcesses { force, .. }) = plan.actions.first() else { continue };
        signals += 1;
        let signalled = Observation::Signalled { attempt: attempt_id(1), force: *force };
        this = after(&this, second, signalled);
        assert!(signals < 4 || *force == Force::KillAll);
    }
    assert!((5..40).contains(&signals), "{signals} signals in a day");
}

#[test]
fn a_limit_of_the_queue_is_over_once_the_job_has_begun() {
    let limit = Observation::Decided(Decision::End { why: EndingWhy::Limit });
    let limited = after(&case("queued"), 100, limit);
    let by = daylily_lifecycle::attempt::ClaimedBy::Job;
    let refused = after(&limited, 101, Observation::Claimed { attempt: attempt_id(1), by });
    let running = after(&refused, 102, look("running"));
    assert_eq!(running.state.name(), StateName::Running);
    assert_eq!(running.attempt().expect("it has one").ending, None);
}
