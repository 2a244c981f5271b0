//! Trouble of a headnode and of its queue, from the first fault to the return.

use daylily_lifecycle::case::{StateName, StepName};
use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::policy::{HeadnodeState, Part};
use jiff::SignedDuration;

use super::stage::{Stage, hpc, silence};
use crate::adapters::host::fake::Call;
use crate::clock::Clock as _;
use crate::reconcile::contact::host_fault;

fn trouble(stage: &Stage) -> Option<(Part, bool)> {
    match stage.node().state {
        HeadnodeState::Ok => None,
        HeadnodeState::Unreachable { part, needs_person, .. } => Some((part, needs_person)),
        HeadnodeState::Broken { part, .. } => panic!("{part:?} is broken"),
    }
}

fn broken(stage: &Stage) -> Option<Part> {
    match stage.node().state {
        HeadnodeState::Broken { part, .. } => Some(part),
        HeadnodeState::Ok | HeadnodeState::Unreachable { .. } => None,
    }
}

/// Everything that was tried, whatever it was.
fn tried(stage: &Stage) -> u64 {
    let state = stage.machine.state();
    state.calls.iter().filter(|(call, _)| **call != Call::Bell).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_headnode_that_is_away_for_a_minute_is_tried_rarely_and_seen_within_5_s_of_its_return() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    let before = stage.case(&case);
    stage.machine.state().away = Some(silence());
    stage.tick().await;
    let tries = tried(&stage);
    stage.pass(60).await;
    assert_eq!(trouble(&stage), Some((Part::Host, false)));
    let tries = tried(&stage) - tries;
    // Each asks the queue and then the directories.
    assert!((20..=2 * 30).contains(&tries), "{tries} tries in 60 s");
    assert_eq!(stage.case(&case), before, "silence changes nothing");
    stage.machine.state().away = None;
    stage.machine.finish(&attempt, Some(0), None);
    stage.queue.notice_ends();
    stage.pass(5).await;
    assert_eq!(trouble(&stage), None);
    assert_eq!(stage.case(&case).state.name(), StateName::Returning);
    assert_eq!(stage.node().failures, 0);
}

#[tokio::test]
async fn an_open_circuit_is_found_again_after_a_restart() {
    let mut stage = Stage::new().await;
    stage.running().await;
    stage.machine.state().away = Some(silence());
    stage.pass(1800).await;
    let HeadnodeState::Unreachable { since, next_try, .. } = stage.node().state else {
        panic!("it is away");
    };
    stage.restart();
    let tries = tried(&stage);
    stage.pass(1).await;
    let wait = next_try.duration_since(stage.clock.now());
    assert!(wait > SignedDuration::ZERO, "the test looks between two tries");
    assert_eq!(tried(&stage), tries, "a restart is no reason to try sooner");
    stage.machine.state().away = None;
    stage.pass(u64::try_from(wait.as_secs()).expect("it lies ahead") + 1).await;
    assert_eq!(trouble(&stage), None);
    assert!(stage.age(since) > SignedDuration::from_mins(30));
}

#[tokio::test]
async fn a_headnode_on_which_nothing_runs_is_looked_at_too() {
    let mut stage = Stage::new().await;
    stage.tick().await;
    stage.machine.state().away = Some(silence());
    stage.pass(60).await;
    assert_eq!(trouble(&stage), Some((Part::Host, false)));
    stage.machine.state().away = None;
    stage.pass(5).await;
    assert_eq!(trouble(&stage), None);
}

#[tokio::test]
async fn a_refused_login_needs_a_person_is_tried_rarely_and_goes_on_by_itself() {
    let mut stage = Stage::new().await;
    let (case, _) = stage.running().await;
    let refusal = Fault::new(FaultClass::NeedsPerson, "permission denied (publickey)");
    stage.machine.state().away = Some(refusal);
    stage.tick().await;
    assert_eq!(trouble(&stage), Some((Part::Host, true)));
    let own = stage.calls(Call::Read);
    stage.pass(600).await;
    assert!(
        stage.calls(Call::Read) - own <= 4,
        "{} logins in 10 min",
        stage.calls(Call::Read) - own
    );
    assert_eq!(broken(&stage), None);
    stage.machine.state().away = None;
    stage.pass(300).await;
    assert_eq!(trouble(&stage), None, "nobody told the program");
    assert_eq!(stage.case(&case).state.name(), StateName::Running);
}

#[tokio::test]
async fn a_silent_queue_hides_no_end() {
    let mut stage = Stage::new().await;
    let (ended, attempt) = stage.running().await;
    let (queued, _) = stage.queued().await;
    stage.machine.state().refused.insert(Call::Words, silence());
    stage.tick().await;
    assert_eq!(trouble(&stage), Some((Part::Queue, false)));
    stage.machine.finish(&attempt, Some(0), None);
    stage.pass(30).await;
    assert_eq!(stage.case(&ended).state.name(), StateName::Returning);
    let (words, reads) = (stage.calls(Call::Words), stage.calls(Call::Read));
    stage.pass(600).await;
    let (words, reads) = (stage.calls(Call::Words) - words, stage.calls(Call::Read) - reads);
    assert!(words <= 60, "the queue was asked {words} times in 10 min");
    assert!(reads >= 20, "directories were read {reads} times");
    let case = stage.case(&queued);
    assert_eq!(case.state.name(), StateName::Queued);
    assert_eq!(case.attempt().expect("it has one").tenure.slots().len(), 1);
    stage.machine.state().refused.clear();
    stage.pass(60).await;
    assert_eq!(trouble(&stage), None);
    assert!(stage.case(&queued).troubles.is_empty());
}

#[tokio::test]
async fn a_queue_that_is_silent_for_a_moment_is_heard_soon_although_nothing_runs() {
    let mut stage = Stage::new().await;
    stage.tick().await;
    stage.pass(120).await;
    stage.machine.state().refused.insert(Call::Words, silence());
    stage.pass(90).await;
    assert_eq!(trouble(&stage), Some((Part::Queue, false)));
    stage.machine.state().refused.clear();
    stage.pass(5).await;
    assert_eq!(trouble(&stage), None);
}

#[tokio::test]
async fn a_queue_that_cannot_be_understood_is_set_aside_until_a_person_says_otherwise() {
    let mut stage = Stage::new().await;
    let (ended, attempt) = stage.running().await;
    let (queued, _) = stage.queued().await;
    let fatal = Fault::new(FaultClass::FatalHost, "its answer is kept in hpc.json");
    stage.machine.state().refused.insert(Call::Words, fatal);
    stage.tick().await;
    assert_eq!(broken(&stage), Some(Part::Queue));
    let asked = stage.calls(Call::Words);
    stage.restart();
    stage.machine.finish(&attempt, Some(0), None);
    stage.pass(60).await;
    assert_eq!(stage.case(&ended).state.name(), StateName::Returning, "directories still count");
    assert_eq!(stage.calls(Call::Words), asked, "it is not asked again");
    stage.machine.state().refused.clear();
    stage.pass(60).await;
    assert_eq!(broken(&stage), Some(Part::Queue), "no passing of time releases it");
    assert_eq!(stage.case(&queued).attempt().expect("it has one").tenure.slots().len(), 1);
    let release = |node: &mut crate::store::places::Headnode| node.state = HeadnodeState::Ok;
    stage.context.store.change_headnode(hpc(), release).await.expect("stored");
    stage.tick().await;
    assert_eq!((broken(&stage), trouble(&stage)), (None, None));
    assert!(stage.calls(Call::Words) > asked);
}

#[tokio::test]
async fn a_headnode_whose_work_dir_is_anothers_is_set_aside_and_not_read() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    let owner = stage.machine.state().owner.take();
    stage.tick().await;
    assert_eq!(broken(&stage), Some(Part::Host));
    stage.machine.finish(&attempt, Some(0), None);
    stage.machine.state().owner = owner;
    let tries = tried(&stage);
    stage.pass(120).await;
    assert_eq!(tried(&stage), tries);
    assert_eq!(stage.case(&case).state.name(), StateName::Running);
}

#[tokio::test]
async fn the_clock_of_a_step_starts_anew_when_the_headnode_answers_again() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.submitting().await;
    stage.tick().await;
    let failed = |class| Observation::StepFailed {
        attempt: Some(attempt.clone()),
        step: StepName::Submit,
        fault: Fault::new(class, "it did not work"),
    };
    stage.record(&case, failed(FaultClass::TransientStep)).await;
    stage.machine.state().away = Some(silence());
    stage.pass(3600).await;
    assert!(!stage.case(&case).troubles.is_empty());
    stage.machine.state().away = None;
    stage.pass(300).await;
    assert_eq!(trouble(&stage), None);
    assert!(stage.case(&case).troubles.is_empty());
}

#[tokio::test]
async fn steps_that_fail_one_after_the_other_open_one_circuit_once() {
    let mut stage = Stage::new().await;
    stage.running().await;
    stage.machine.state().away = Some(silence());
    stage.tick().await;
    let before = stage.node().state;
    let node = stage.context.nodes[&hpc()].clone();
    for _ in 0..50 {
        let met = daylily_lifecycle::circuit::Met::Working;
        let late = host_fault(&stage.context, &node, Part::Host, &silence(), met).await;
        assert_eq!(late.expect("stored"), before);
    }
    assert_eq!(stage.node().failures, 1);
    assert_eq!(node.settings.name, HeadnodeName::new("hpc"));
}
