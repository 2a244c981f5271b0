//! What a case asks for, and its manifest: both follow its files until it has an attempt.

use daylily_lifecycle::action::Action;
use daylily_lifecycle::case::{Case, ConditionName, Order, Priority, StateName};
use daylily_lifecycle::diagram::{compared, scan, seed, seen, slot, uncompared};
use daylily_lifecycle::ids::{Actor, PipelineName};
use daylily_lifecycle::observation::{Observation, Verb};
use daylily_lifecycle::record::{Recorded, record};

use crate::plans::{after, asked, case, planned};

fn asking(mut seen: Observation, pipeline: &str, priority: Priority) -> Observation {
    let order = case("arriving").order;
    if let Observation::Scanned(scanned) = &mut seen {
        let pipeline = PipelineName::new(pipeline);
        scanned.order = Some(Box::new(Order { pipeline, priority, ..order }));
    }
    seen
}

fn wants(case: &Case) -> (&str, Priority) {
    (case.order.pipeline.as_str(), case.order.priority)
}

#[test]
fn a_case_follows_its_files_until_it_is_given_an_attempt() {
    let mut case = case("arriving");
    case = after(&case, 10, asking(scan("f1", true, &[]), "mc_dose", Priority::Urgent));
    assert_eq!(wants(&case), ("mc_dose", Priority::Urgent));
    case = after(&case, 11, asking(scan("f2", true, &[]), "other", Priority::Low));
    case = after(&case, 12, asking(scan("f2", true, &[]), "other", Priority::Low));
    assert_eq!((wants(&case), case.state.name()), (("other", Priority::Low), StateName::Ready));
    let granted = Observation::Granted { attempt: seed(1), slots: vec![slot(0)] };
    case = after(&case, 13, granted);
    let late = asking(scan("f2", true, &[]), "too late", Priority::Urgent);
    if let Recorded::Changed(shipping) = record(Some(&case), &seen(14, late)) {
        assert_eq!(wants(&shipping), wants(&case), "fixed with the attempt");
    }
    // A change of its files takes the attempt back, and it asks anew.
    let changed = after(&case, 15, asking(scan("f3", true, &[]), "third", Priority::Normal));
    assert_eq!(wants(&changed), ("third", Priority::Normal));
}

#[test]
fn a_priority_that_a_person_has_set_stays() {
    let mut case = case("arriving");
    case = after(&case, 10, asked(Verb::SetPriority { priority: Priority::Low }));
    case = after(&case, 11, asking(scan("f1", true, &[]), "mc_dose", Priority::Urgent));
    assert_eq!(wants(&case), ("mc_dose", Priority::Low));
    assert_eq!(case.order.priority_by, Some(Actor::new("daylily-watch")));
}

#[test]
fn a_manifest_is_compared_when_nothing_else_is_waited_for_and_once() {
    let mut case = case("arriving, uncompared");
    assert_eq!(planned(&case, 10).actions, [Action::Compare]);
    case = after(&case, 11, compared("f1", &[]));
    assert_eq!(planned(&case, 12).actions, [Action::Scan], "the next scan judges by it");
    case = after(&case, 13, scan("f1", true, &[]));
    assert_eq!(case.state.name(), StateName::Ready);

    let held = after(&diagram_uncompared("f1"), 20, asked(Verb::Hold));
    assert_eq!(planned(&held, 21).actions, [Action::Scan], "what is held is not read whole");

    let mut changing = diagram_uncompared("f1");
    for condition in &mut changing.conditions {
        condition.holds &= condition.name != ConditionName::Quiet;
    }
    assert!(!planned(&changing, 400).actions.contains(&Action::Compare), "it is not quiet");
}

fn diagram_uncompared(print: &str) -> Case {
    after(&case("arriving"), 5, uncompared(print))
}

#[test]
fn a_comparison_of_files_that_have_changed_since_is_made_again() {
    let case = diagram_uncompared("f2");
    let stale = record(Some(&case), &seen(20, compared("f1", &[])));
    assert!(matches!(stale, Recorded::Stale { .. }), "{stale:?}");
    let known = after(&case, 21, compared("f2", &["x is not as SHA256SUMS says"]));
    let changed = after(&known, 22, uncompared("f3"));
    assert_eq!(planned(&changed, 23).actions, [Action::Compare]);
}

#[test]
fn what_disagrees_is_rejected_whatever_else_is_open_and_retry_reads_it_again() {
    let case = diagram_uncompared("f1");
    let mut case = after(&case, 20, compared("f1", &["x is not as SHA256SUMS says"]));
    let Observation::Scanned(mut scanned) = uncompared("f1") else { unreachable!() };
    scanned.problems = vec!["x is not as SHA256SUMS says".to_owned()];
    scanned.refuted = true;
    case = after(&case, 21, Observation::Scanned(scanned));
    assert_eq!(case.state.name(), StateName::Rejected);
    assert!(!planned(&case, 22).actions.contains(&Action::Compare), "it is not read for ever");
    let refused = record(Some(&case), &seen(23, asked(Verb::Accept)));
    let Recorded::Refused { why } = refused else { panic!("{refused:?}") };
    assert!(why.contains("is never accepted; correct it"), "{why}");
    case = after(&case, 24, asked(Verb::Retry));
    assert_eq!(planned(&case, 25).actions, [Action::Compare]);
}

#[test]
fn a_comparison_cannot_be_left_out_by_a_person() {
    let case = diagram_uncompared("f1");
    let refused = record(Some(&case), &seen(20, asked(Verb::Accept)));
    let Recorded::Refused { why } = refused else { panic!("{refused:?}") };
    assert!(why.contains("cannot be left out"), "{why}");
}
