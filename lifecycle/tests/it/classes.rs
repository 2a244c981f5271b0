//! Section 9 of the design: each class of fault with each step, what is recorded, what
//! the sentence says, and whether the step's budget is used up.

use daylily_lifecycle::action::{Action, Plan, Wake};
use daylily_lifecycle::case::{Case, HoldWhy, StepName};
use daylily_lifecycle::diagram::{self, at, attempt_id, seen};
use daylily_lifecycle::observation::{Decision, Observation};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::plan::plan;
use daylily_lifecycle::record::{Recorded, record};

use crate::sentences::{policy, world};

const HOUR: i64 = 3600;

const CLASSES: [FaultClass; 8] = [
    FaultClass::TransientHost,
    FaultClass::TransientStep,
    FaultClass::NoSpace,
    FaultClass::Throttled,
    FaultClass::Ambiguous,
    FaultClass::FatalHost,
    FaultClass::FatalCase,
    FaultClass::NeedsPerson,
];

/// Steps with a state in which each is done.
const STEPS: [(StepName, &str); 6] = [
    (StepName::Scan, "arriving"),
    (StepName::Ship, "shipping"),
    (StepName::Submit, "submitting"),
    (StepName::Claim, "cancelling, unclaimed"),
    (StepName::End, "cancelling"),
    (StepName::Return, "returning"),
];

fn failed(case: &Case, step: StepName, class: FaultClass, second: i64) -> Case {
    let fault = Fault::new(class, "it did not work\nhint: do this");
    let attempt = (step != StepName::Scan).then(|| attempt_id(1));
    let what = Observation::StepFailed { attempt, step, fault };
    let Recorded::Changed(next) = record(Some(case), &seen(second, what)) else {
        panic!("{step:?} may fail in {}", case.state.name());
    };
    *next
}

fn planned(case: &Case, second: i64) -> Plan {
    plan(case, &world(), &policy(), at(second))
}

fn gives_up(plan: &Plan) -> bool {
    plan.actions.iter().any(|action| match action {
        Action::Decide { decision } => {
            matches!(decision, Decision::Hold { why: HoldWhy::Trouble, .. })
        }
        Action::Scan
        | Action::Hash
        | Action::Compare
        | Action::Ship { .. }
        | Action::Submit { .. }
        | Action::TakeClaim { .. }
        | Action::EndProcesses { .. }
        | Action::Stop { .. }
        | Action::Return { .. } => false,
    })
}

#[test]
fn each_class_of_fault_with_each_step_waits_is_tried_again_or_is_given_to_a_person() {
    let mut text = String::new();
    for (step, state) in STEPS {
        text.push_str(&format!("{step:?}, {state}\n"));
        for class in CLASSES {
            let once = failed(&diagram::cases()[state], step, class, 1000);
            let first = planned(&once, 1001);
            let now = if gives_up(&first) { "given to a person at once" } else { "tried again" };
            let long = failed(&once, step, class, 1000 + 13 * HOUR);
            let later = match gives_up(&planned(&long, 1001 + 13 * HOUR)) {
                true => "given to a person after 12 h",
                false => "never given up",
            };
            let (class, told) = (format!("{class:?}"), first.because);
            text.push_str(&format!("    {class:<14} {now}, {later}\n        {told}\n"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn time_spent_waiting_for_room_is_no_time_spent_trying() {
    let shipping = &diagram::cases()["shipping"];
    let mut case = failed(shipping, StepName::Ship, FaultClass::NoSpace, 0);
    case = failed(&case, StepName::Ship, FaultClass::NoSpace, 20 * HOUR);
    case = failed(&case, StepName::Ship, FaultClass::TransientStep, 21 * HOUR);
    assert!(!gives_up(&planned(&case, 21 * HOUR + 1)), "the disk was full, nothing was tried");
    case = failed(&case, StepName::Ship, FaultClass::TransientStep, 34 * HOUR);
    assert!(gives_up(&planned(&case, 34 * HOUR + 1)));
}

#[test]
fn the_clock_of_a_step_starts_anew_when_its_headnode_answers_again() {
    let shipping = &diagram::cases()["shipping"];
    let failed =
        |case: &Case, second| failed(case, StepName::Ship, FaultClass::TransientStep, second);
    let before = failed(shipping, 0);
    let back = record(Some(&before), &seen(30 * HOUR, Observation::ContactRegained));
    let Recorded::Changed(back) = back else { panic!("{back:?}") };
    let now = planned(&back, 30 * HOUR);
    assert_eq!(now.actions, [Action::Ship { attempt: attempt_id(1) }], "it is tried at once");
    let again = failed(&back, 30 * HOUR + 1);
    assert!(!gives_up(&planned(&again, 30 * HOUR + 2)), "while it was away nothing was tried");
    assert_eq!(again.troubles.latest().expect("it has one").tries, 1);
}

#[test]
fn contact_regained_is_no_news_to_a_case_without_trouble_there() {
    for (name, case) in diagram::cases() {
        let same = record(Some(&case), &seen(200, Observation::ContactRegained));
        assert_eq!(same, Recorded::Same, "{name}");
    }
    let fatal = failed(&diagram::cases()["shipping"], StepName::Ship, FaultClass::FatalCase, 100);
    let same = record(Some(&fatal), &seen(200, Observation::ContactRegained));
    assert_eq!(same, Recorded::Same, "what cannot work is not cured by that");
}

#[test]
fn what_needs_a_person_goes_on_by_itself_once_it_works() {
    let submitting = &diagram::cases()["submitting"];
    let waits = failed(submitting, StepName::Submit, FaultClass::NeedsPerson, 1000);
    let now = planned(&waits, 1001);
    assert_eq!((now.actions, now.wake), (Vec::new(), Wake::At(at(1005))));
    let then = planned(&waits, 1005);
    assert_eq!(then.actions, [Action::Submit { attempt: attempt_id(1) }]);
    let slots = waits.attempt().expect("it has one").tenure.slots().len();
    assert_eq!(slots, 1, "it keeps its place");
}
