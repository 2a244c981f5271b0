//! The whole loop over a headnode and a queue in memory: what becomes of cases while
//! either is in trouble, and how they go on by themselves.

mod stage;

use std::collections::BTreeMap;

use daylily_lifecycle::case::{HoldWhy, StateName, StepName};
use daylily_lifecycle::ids::GroupName;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::policy::{HeadnodeState, Part};
use daylily_watch::adapters::host::fake::{Call, Upset};
use daylily_watch::adapters::queue::GroupLook;

use stage::Stage;

fn silence() -> Fault {
    Fault::new(FaultClass::TransientHost, "connection refused")
}

fn group(paused: bool) -> BTreeMap<GroupName, GroupLook> {
    BTreeMap::from([(GroupName::new("cpu"), GroupLook { paused, places: 4 })])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_fails_nothing_frees_nothing_and_is_over_by_itself() {
    let stage = Stage::new(&["runs", "ships", "waits"]);
    stage.machine().upset(Call::Ship, Upset::Refuse(silence()));
    stage
        .open(async |stage| {
            stage.until_taken(3).await;
            stage.until_state("runs", StateName::Queued).await;
            stage.start("runs").await;
            stage.until_state("runs", StateName::Running).await;
            stage.machine().state().away = Some(silence());
            stage
                .until_headnode("it does not answer", |state| {
                    matches!(state, HeadnodeState::Unreachable { part: Part::Host, .. })
                })
                .await;
            stage.until_because("runs", "the job is not assumed to have failed").await;
            let tries = stage.steps_tried();
            stage.passes(600).await;
            assert_eq!(stage.steps_tried(), tries, "only one probe at a time is made");
            for case in stage.cases() {
                assert!(case.hold.is_none() && !case.state.name().is_terminal(), "{}", case.name);
                let slots = case.attempt().map(|attempt| attempt.tenure.slots().len());
                assert_eq!(slots, Some(1), "{} keeps its place", case.name);
            }
            stage.machine().state().away = None;
            for name in ["ships", "waits"] {
                stage.until_state(name, StateName::Queued).await;
                stage.start(name).await;
            }
            for name in ["runs", "ships", "waits"] {
                stage.until_state(name, StateName::Running).await;
                stage.finish(name).await;
                stage.until_state(name, StateName::Succeeded).await;
            }
            let executed = |attempt: &_| stage.machine().state().attempts[attempt].executed;
            let attempts = stage.machine().state().attempts.keys().cloned().collect::<Vec<_>>();
            assert_eq!(attempts.len(), 3);
            assert!(attempts.iter().all(|attempt| executed(attempt) == 1));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_never_reaches_a_headnode_that_answers_is_tried_ever_less_often() {
    let stage = Stage::new(&["A"]);
    stage.machine().state().refused.insert(Call::Ship, silence());
    stage
        .open(async |stage| {
            stage.until("it was tried", |stage| stage.machine().calls(Call::Ship) > 0).await;
            stage.passes(3600).await;
            let tries = stage.machine().calls(Call::Ship);
            assert!(tries <= 20, "{tries} tries in an hour");
            let case = stage.case("A");
            let trouble = case.troubles.latest().expect("it is told");
            assert_eq!((trouble.step, trouble.class), (StepName::Ship, FaultClass::TransientHost));
            assert!(case.hold.is_none(), "it uses up no budget");
            stage.machine().state().refused.clear();
            stage.until_state("A", StateName::Queued).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_missing_is_the_trouble_of_the_case_that_asks_for_it() {
    let stage = Stage::new(&["A"]);
    let missing = "the group cpu does not exist\nhint: `pueue group add cpu` there makes it";
    let missing = Fault::new(FaultClass::NeedsPerson, missing);
    stage.machine().state().refused.insert(Call::Add, missing);
    stage
        .open(async |stage| {
            stage.until_because("A", "Waiting for a person: handing it over has not worked").await;
            stage.until_because("A", "`pueue group add cpu` there makes it").await;
            stage.passes(24 * 3600).await;
            let case = stage.case("A");
            assert_eq!((case.state.name(), case.hold), (StateName::Submitting, None));
            assert_eq!(stage.headnode(), HeadnodeState::Ok, "it is not the headnode's");
            stage.machine().state().refused.clear();
            stage.until_state("A", StateName::Queued).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_queue_is_set_aside_nothing_is_handed_over_and_a_person_releases_all() {
    let stage = Stage::new(&["runs", "later"]);
    stage
        .open(async |stage| {
            stage.until_taken(2).await;
            for name in ["runs", "later"] {
                stage.until_state(name, StateName::Queued).await;
            }
            stage.start("runs").await;
            stage.until_state("runs", StateName::Running).await;
            let fatal = Fault::new(FaultClass::FatalHost, "its answer is kept in queue-here.json");
            stage.machine().state().refused.insert(Call::Words, fatal);
            stage
                .until_headnode("it is set aside", |state| {
                    matches!(state, HeadnodeState::Broken { part: Part::Queue, .. })
                })
                .await;
            stage.until_because("later", "pueue on here is set aside").await;
            stage.add_case("new");
            stage.finish("runs").await;
            stage.until_state("runs", StateName::Succeeded).await;
            let added = stage.machine().calls(Call::Add);
            stage.until_because("new", "set aside").await;
            stage.passes(600).await;
            assert_eq!(stage.machine().calls(Call::Add), added, "nothing is handed over");
            stage.machine().state().refused.clear();
            stage.passes(600).await;
            assert!(matches!(stage.headnode(), HeadnodeState::Broken { .. }));
            stage.resume().await;
            stage.until_state("new", StateName::Queued).await;
            assert_eq!(stage.headnode(), HeadnodeState::Ok);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_forgot_all_is_given_what_had_not_begun_once_more() {
    let stage = Stage::new(&["A", "B"]);
    stage
        .open(async |stage| {
            for name in ["A", "B"] {
                stage.until_state(name, StateName::Queued).await;
            }
            let before = stage.case("A").attempt().map(|attempt| attempt.id.clone());
            stage.queue().list().clear();
            for name in ["A", "B"] {
                let again = |stage: &Stage| {
                    let case = stage.case(name);
                    case.state.name() == StateName::Queued && case.past.len() == 1
                };
                stage.until("it is in the queue again", again).await;
            }
            assert_ne!(stage.case("A").attempt().map(|attempt| attempt.id.clone()), before);
            for name in ["A", "B"] {
                stage.start(name).await;
                stage.finish(name).await;
                stage.until_state(name, StateName::Succeeded).await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_somebody_removed_waits_for_that_person() {
    let stage = Stage::new(&["A", "B"]);
    stage
        .open(async |stage| {
            for name in ["A", "B"] {
                stage.until_state(name, StateName::Queued).await;
            }
            let attempt = stage.attempt("A");
            stage.queue().list().retain(|listed| listed.entry.attempt != attempt);
            stage.until("it is held", |stage| stage.case("A").hold.is_some()).await;
            assert_eq!(stage.case("A").hold.map(|hold| hold.why), Some(HoldWhy::Removed));
            assert_eq!(stage.case("B").state.name(), StateName::Queued);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_group_is_told_by_the_case_that_waits_in_it() {
    let stage = Stage::new(&["A"]);
    *stage.queue().groups() = Some(group(true));
    stage
        .open(async |stage| {
            stage.until_because("A", "`pueue start -g cpu` there starts it").await;
            *stage.queue().groups() = Some(group(false));
            stage.until_because("A", "pueue starts it when its place is free").await;
        })
        .await;
}
