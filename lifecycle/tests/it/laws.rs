//! The laws of the lifecycle over random observations: late, repeated, contradictory.

use std::collections::BTreeMap;

use daylily_lifecycle::action::{Action, Wake};
use daylily_lifecycle::attempt::{Attempt, ClaimedBy, EndHow, Tenure};
use daylily_lifecycle::case::{Case, State, StateName, StepName};
use daylily_lifecycle::diagram::{self, appeared, attempt_id, seed, seen, slot, stored};
use daylily_lifecycle::ids::{AttemptId, ByteCount, Digest, Slot};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{
    Alive, Claim, Evidence, ExitRecord, Fault, FaultClass, Look, QueueWord,
};
use daylily_lifecycle::plan::plan;
use daylily_lifecycle::record::{Recorded, record};
use proptest::prelude::*;

use crate::sentences::{policy, world};

/// One random step: which observation, about which attempt, how much later.
#[derive(Debug, Clone)]
struct Step {
    observation: usize,
    stale: bool,
    later: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count = diagram::observations(1).len();
    let step = (0..count, prop::bool::weighted(0.1), 0..200_i64)
        .prop_map(|(observation, stale, later)| Step { observation, stale, later });
    // Looks and steps that go well come often enough to reach the far states.
    let on_the_way = prop::sample::select(vec![
        "scan: complete",
        "granted",
        "sent ahead",
        "placed",
        "shipped",
        "look: running",
        "look: silent",
        "look: ended 0",
        "look: ended 3",
        "look: ended, left-overs",
        "look: ended by a signal",
        "stopped",
        "asked: cancel",
        "returned",
        "asked: rerun",
        "decided: end observed",
    ])
    .prop_map(|name| Step {
        observation: diagram::observations(1)
            .iter()
            .position(|named| named.name == name)
            .expect("the name is in the list"),
        stale: false,
        later: 5,
    });
    prop::collection::vec(prop_oneof![2 => step, 3 => on_the_way], 1..60)
}

fn current(case: &Case) -> u32 {
    case.attempts().map(|attempt| attempt.number).max().unwrap_or(0)
}

fn start() -> Case {
    let recorded = record(None, &seen(0, appeared(None)));
    let Recorded::Changed(case) = recorded else { panic!("{recorded:?}") };
    *case
}

/// Records a step and checks what must hold between before and after.
fn take(
    case: &Case,
    second: i64,
    observation: &Observation,
) -> Result<Option<Case>, TestCaseError> {
    let recorded = record(Some(case), &seen(second, observation.clone()));
    let next = match recorded {
        Recorded::Changed(next) => *next,
        Recorded::Dropped { .. } => {
            prop_assert!(case.attempts().count() == 0, "a case with attempts was dropped");
            return Ok(None);
        }
        Recorded::Same | Recorded::Stale { .. } | Recorded::Refused { .. } => {
            return Ok(Some(case.clone()));
        }
    };
    prop_assert_eq!(next.version, case.version + 1);
    slots_are_freed_only_by_an_end(case, &next, observation)?;
    silence_is_no_failure(case, &next, observation)?;
    attempts_follow_each_other(&next)?;
    terminal_is_final(case, &next, observation)?;
    what_is_not_stopped_keeps_its_slots(case, &next)?;
    success_is_whole(&next)?;
    Ok(Some(next))
}

fn tenures(case: &Case) -> BTreeMap<AttemptId, Vec<Slot>> {
    case.attempts()
        .filter(|attempt| !attempt.tenure.slots().is_empty())
        .map(|attempt| (attempt.id.clone(), attempt.tenure.slots().to_vec()))
        .collect()
}

/// Law 2.
fn slots_are_freed_only_by_an_end(
    before: &Case,
    after: &Case,
    observation: &Observation,
) -> Result<(), TestCaseError> {
    let kept = tenures(after);
    prop_assert!(kept.len() <= 1, "two attempts of one case hold slots");
    for (id, slots) in tenures(before) {
        if kept.get(&id) == Some(&slots) {
            continue;
        }
        let attempt = after.attempts().find(|attempt| attempt.id == id);
        let attempt = attempt.ok_or_else(|| TestCaseError::fail("an attempt is lost"))?;
        let never_handed_over = attempt.intent_at.is_none();
        prop_assert!(
            attempt.end.is_some() || never_handed_over,
            "{observation:?} freed a slot without an end"
        );
        if let Some(end) = &attempt.end
            && end.how == EndHow::Abandoned
        {
            prop_assert!(matches!(observation, Observation::Asked(_)), "only a person may say so");
        }
    }
    if after.state.name().is_terminal() {
        prop_assert!(kept.is_empty(), "a finished case holds a slot");
    }
    for attempt in &after.past {
        prop_assert!(matches!(attempt.tenure, Tenure::None), "a past attempt holds a slot");
    }
    Ok(())
}

/// Law 2, where a pipeline has a `stop`: no abnormal end counts before it has worked.
fn what_is_not_stopped_keeps_its_slots(before: &Case, after: &Case) -> Result<(), TestCaseError> {
    let (had, kept) = (tenures(before), tenures(after));
    for attempt in after.attempts().filter(|attempt| attempt.awaits_stop()) {
        prop_assert_eq!(kept.get(&attempt.id), had.get(&attempt.id), "freed and not stopped");
        prop_assert!(!after.state.name().is_terminal(), "over and not stopped");
        prop_assert!(!after.past.contains(attempt), "put away and not stopped");
    }
    Ok(())
}

/// Laws 3 and 4.
fn silence_is_no_failure(
    before: &Case,
    after: &Case,
    observation: &Observation,
) -> Result<(), TestCaseError> {
    let silent = matches!(
        observation,
        Observation::StepFailed { .. } | Observation::Looked { look: Look::CouldNot { .. }, .. }
    );
    if silent {
        prop_assert_eq!(before.state.name(), after.state.name());
        prop_assert_eq!(tenures(before), tenures(after));
    }
    if let Observation::Looked { look: Look::Saw(evidence), .. } = observation
        && evidence.exit == ExitRecord::Absent
        && evidence.claim != Claim::Daemon
        && after.state.name() != before.state.name()
    {
        prop_assert!(
            !matches!(after.state.name(), StateName::Failed | StateName::Succeeded),
            "an end without an end record"
        );
    }
    Ok(())
}

/// Law 1, as far as a single case goes.
fn attempts_follow_each_other(case: &Case) -> Result<(), TestCaseError> {
    let numbers: Vec<u32> = case.attempts().map(|attempt| attempt.number).collect();
    prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    for attempt in &case.past {
        prop_assert!(attempt.end.is_some(), "attempt {} was left without an end", attempt.number);
    }
    Ok(())
}

fn terminal_is_final(
    before: &Case,
    after: &Case,
    observation: &Observation,
) -> Result<(), TestCaseError> {
    if before.state.name().is_terminal() && before.state.name() != after.state.name() {
        // What is found on the headnode is newer than what an old copy of the database says.
        let may = matches!(observation, Observation::Asked(_) | Observation::Adopted(_));
        prop_assert!(may, "{observation:?} revived it");
    }
    Ok(())
}

/// Law 5.
fn success_is_whole(case: &Case) -> Result<(), TestCaseError> {
    if let State::Succeeded { end, stored, .. } = &case.state {
        prop_assert_eq!(end.code, Some(0));
        prop_assert_eq!(end.how, EndHow::Recorded);
        prop_assert!(stored.missing.is_empty());
    }
    Ok(())
}

/// The observation, its attempt being one of a pipeline with a `stop` where that is wanted.
fn of_pipeline(mut observation: Observation, stop: bool) -> Observation {
    if let Observation::Granted { attempt, .. } | Observation::SentAhead { attempt } =
        &mut observation
        && stop
    {
        attempt.place.stop = Some("./stop".to_owned());
    }
    observation
}

fn live(steps: &[Step], stop: bool) -> Result<(Option<Case>, i64), TestCaseError> {
    let mut case = start();
    let mut second = 1;
    for step in steps {
        second += step.later;
        let number = current(&case);
        let number = if step.stale { number.saturating_sub(1) } else { number };
        let named = diagram::observations(number).swap_remove(step.observation);
        match take(&case, second, &of_pipeline(named.observation, stop))? {
            Some(next) => case = next,
            None => return Ok((None, second)),
        }
        let plan = plan(&case, &world(), &policy(), diagram::at(second));
        prop_assert!(plan.because.ends_with('.'), "no sentence: {:?}", plan.because);
        prop_assert_eq!(
            case.state.name().is_terminal(),
            plan.wake == Wake::Never,
            "{:?}",
            plan.wake
        );
        if case.hold.is_some() {
            prop_assert!(
                plan.actions.iter().all(|action| matches!(
                    action,
                    Action::Scan | Action::Hash | Action::Decide { .. }
                )),
                "a held case acts: {:?}",
                plan.actions
            );
        }
    }
    Ok((Some(case), second))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn laws_one_to_five_hold_over_any_observations(steps in steps(), stop: bool) {
        live(&steps, stop)?;
    }

    /// Law 7: once nothing goes wrong any more, the case ends or waits for a person.
    #[test]
    fn with_finitely_many_faults_every_case_ends_or_is_held(steps in steps(), stop: bool) {
        if let (Some(case), second) = live(&steps, stop)? {
            let end = drive(case, second, stop)?;
            prop_assert!(
                end.state.name().is_terminal() || end.hold.is_some() || end.vanished_at.is_some(),
                "{} goes on for ever", end.state.name()
            );
        }
    }

    /// Law 7: what is stored is what the journal says.
    #[test]
    fn recording_the_same_observations_again_gives_the_same_case(steps in steps(), stop: bool) {
        let (once, _) = live(&steps, stop)?;
        let (twice, _) = live(&steps, stop)?;
        prop_assert_eq!(once, twice);
    }
}

/// A world in which everything works from now on.
fn drive(mut case: Case, mut second: i64, stop: bool) -> Result<Case, TestCaseError> {
    for _ in 0..400 {
        let name = case.state.name();
        if name.is_terminal() {
            return Ok(case);
        }
        second += 1;
        let made = plan(&case, &world(), &policy(), diagram::at(second));
        let mut observations: Vec<Observation> =
            made.actions.iter().filter_map(|action| done(&case, action)).collect();
        match made.wake {
            Wake::At(at) if observations.is_empty() => {
                let ahead = at.duration_since(diagram::at(second)).as_secs().max(1);
                second += ahead;
                observations.extend(looked(&case));
            }
            Wake::Poll(_) if observations.is_empty() => {
                second += 10;
                observations.extend(looked(&case));
            }
            Wake::Slot(_) if name == StateName::Staged => observations.push(Observation::Placed {
                attempt: attempt_id(current(&case)),
                slots: vec![slot(0)],
            }),
            Wake::Slot(_) => observations.push(Observation::Granted {
                attempt: seed(current(&case) + 1),
                slots: vec![slot(0)],
            }),
            Wake::Person if observations.is_empty() => return Ok(case),
            Wake::At(_) | Wake::Poll(_) | Wake::Person | Wake::Never => {}
        }
        if case.hold.is_some() && observations.is_empty() {
            return Ok(case);
        }
        let before = case.clone();
        for observation in observations {
            match take(&case, second, &of_pipeline(observation, stop))? {
                Some(next) => case = next,
                None => return Ok(before),
            }
        }
        if case.hold.is_some() && case == before {
            return Ok(case);
        }
    }
    Ok(case)
}

fn done(case: &Case, action: &Action) -> Option<Observation> {
    let attempt = || attempt_id(current(case));
    match action {
        Action::Scan => Some(diagram::scan("f1", true, &[])),
        Action::Hash => Some(Observation::Hashed {
            fingerprint: case.content.fingerprint.clone()?,
            digest: Digest::new("another"),
        }),
        Action::Compare => {
            Some(diagram::compared(case.content.fingerprint.as_ref()?.as_str(), &[]))
        }
        Action::Stop { attempt } => Some(Observation::Stopped { attempt: attempt.clone() }),
        Action::Ship { attempt } => Some(Observation::Shipped {
            attempt: attempt.clone(),
            files: 5,
            bytes: ByteCount(1),
            digest: None,
        }),
        Action::Submit { attempt } => {
            Some(Observation::Submitted { attempt: attempt.clone(), task: None })
        }
        Action::TakeClaim { attempt } => {
            Some(Observation::Claimed { attempt: attempt.clone(), by: ClaimedBy::Daemon })
        }
        Action::EndProcesses { attempt, force } => {
            Some(Observation::Signalled { attempt: attempt.clone(), force: *force })
        }
        Action::Return { attempt } => {
            Some(Observation::Returned { attempt: attempt.clone(), stored: stored(&[]) })
        }
        Action::Decide { decision } => Some(Observation::Decided(decision.clone())),
    }
    .filter(|_| {
        action.step() != Some(StepName::Look) || case.attempt().is_some_and(|a| a.id == attempt())
    })
}

/// What a look sees where everything works: a job that was handed over has ended well.
fn looked(case: &Case) -> Option<Observation> {
    let attempt: &Attempt = case.attempt()?;
    let exit = ExitRecord::Present { code: Some(0), signal: None, ended: diagram::at(9999) };
    let claim = Claim::Job { at: diagram::at(9000), host: "node1".to_owned() };
    let silent = attempt.silence.is_some();
    let evidence = Evidence {
        exit: if silent { ExitRecord::Absent } else { exit },
        claim,
        alive: Alive::No { rebooted: false },
        queue: QueueWord::Done,
    };
    Some(Observation::Looked {
        attempt: attempt.id.clone(),
        look: Look::Saw(evidence),
        queue_wiped: Some(false),
        begun: None,
    })
}

#[test]
fn a_step_that_fails_for_ever_is_given_to_a_person_and_does_not_fail() {
    let cases = diagram::cases();
    let mut case = cases["shipping"].clone();
    let mut second = 10;
    for _ in 0..10_000 {
        let made = plan(&case, &world(), &policy(), diagram::at(second));
        match (made.actions.first(), made.wake) {
            (Some(Action::Ship { attempt }), _) => {
                let fault = Fault::new(FaultClass::TransientStep, "the line is noisy");
                let failed = Observation::StepFailed {
                    attempt: Some(attempt.clone()),
                    step: StepName::Ship,
                    fault,
                };
                if let Recorded::Changed(next) = record(Some(&case), &seen(second, failed)) {
                    case = *next;
                }
            }
            (Some(Action::Decide { decision }), _) => {
                let decided = Observation::Decided(decision.clone());
                let Recorded::Changed(next) = record(Some(&case), &seen(second, decided)) else {
                    panic!("the decision was not taken");
                };
                assert!(next.hold.is_some());
                assert_eq!(next.state.name(), StateName::Shipping);
                let hours = second / 3600;
                assert!((12..14).contains(&hours), "given up after {hours} h");
                return;
            }
            (_, Wake::At(at)) => second += at.duration_since(diagram::at(second)).as_secs().max(1),
            (action, wake) => panic!("{action:?} {wake:?}"),
        }
    }
    panic!("it was tried for ever");
}
