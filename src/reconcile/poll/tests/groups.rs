//! The groups of the queue: made, started, told of, and left alone.

use daylily_lifecycle::ids::GroupName;
use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::stage::{Stage, cpu, silence};
use crate::adapters::host::fake::Call;
use crate::adapters::queue::GroupLook;

fn group(stage: &Stage) -> Option<GroupLook> {
    stage.queue.groups().as_ref().and_then(|groups| groups.get(&cpu()).copied())
}

fn pause(stage: &Stage) {
    if let Some(group) = stage.queue.groups().as_mut().and_then(|groups| groups.get_mut(&cpu())) {
        group.paused = true;
    }
}

fn remove_groups(stage: &Stage) {
    *stage.queue.groups() = Some(std::collections::BTreeMap::new());
}

async fn strict() -> Stage {
    Stage::with(|config| config.replace("true", "false")).await
}

#[tokio::test]
async fn a_missing_group_is_made_with_its_places_at_first_and_when_it_vanishes() {
    let mut stage = Stage::new().await;
    for _ in 0..2 {
        remove_groups(&stage);
        stage.tick().await;
        assert_eq!(group(&stage), Some(GroupLook { paused: false, places: 60 }));
        assert_eq!(stage.node().drift, None);
    }
    let made = stage.calls(Call::CreateGroups);
    stage.pass(120).await;
    assert_eq!(stage.calls(Call::CreateGroups), made, "what is there is not made again");
}

#[tokio::test]
async fn a_group_that_may_not_be_made_is_told_with_what_makes_it() {
    let mut stage = strict().await;
    remove_groups(&stage);
    stage.tick().await;
    assert_eq!(group(&stage), None);
    let drift = stage.node().drift.expect("it is told");
    assert!(drift.contains("`pueue group add -p 60 cpu`"), "{drift}");
    let groups = std::collections::BTreeMap::from([
        (cpu(), GroupLook { paused: false, places: 60 }),
        (GroupName::new("of_others"), GroupLook { paused: true, places: 1 }),
    ]);
    *stage.queue.groups() = Some(groups);
    stage.tick().await;
    assert_eq!(stage.node().drift, None, "groups of others are none of our business");
}

#[tokio::test]
async fn a_group_that_the_queue_paused_when_it_was_started_anew_is_started() {
    let mut stage = Stage::new().await;
    stage.queue.is_run("run 1");
    stage.tick().await;
    stage.machine.state().refused.insert(Call::StartGroups, silence());
    stage.queue.is_run("run 2");
    pause(&stage);
    stage.tick().await;
    assert!(group(&stage).is_some_and(|group| group.paused));
    assert!(stage.node().drift.is_some_and(|drift| drift.contains("paused")), "it is told");
    stage.machine.state().refused.clear();
    stage.tick().await;
    assert!(group(&stage).is_some_and(|group| !group.paused), "it is tried again");
    assert_eq!(stage.node().drift, None);
}

#[tokio::test]
async fn a_group_that_a_person_paused_stays_paused() {
    let mut stage = Stage::new().await;
    stage.queue.is_run("run 1");
    stage.tick().await;
    pause(&stage);
    for _ in 0..2 {
        stage.tick().await;
        assert!(group(&stage).is_some_and(|group| group.paused));
        assert!(stage.node().drift.is_some_and(|drift| drift.contains("pueue start -g cpu")));
        // Paused before it was started anew, it is still that person's pause.
        stage.queue.is_run("run 2");
        stage.restart();
    }
    assert_eq!(stage.calls(Call::StartGroups), 0);
}

#[tokio::test]
async fn a_paused_group_is_left_alone_where_the_configuration_says_so() {
    let mut stage = strict().await;
    stage.queue.is_run("run 1");
    stage.tick().await;
    stage.queue.is_run("run 2");
    pause(&stage);
    stage.tick().await;
    stage.tick().await;
    assert_eq!(stage.calls(Call::StartGroups), 0);
    assert!(stage.node().drift.is_some());
}

#[tokio::test]
async fn drift_is_told_since_it_began_and_asks_for_nothing_anew() {
    let mut stage = strict().await;
    stage.tick().await;
    pause(&stage);
    stage.pass(40).await;
    let since = |stage: &Stage| stage.node().queue_seen.expect("it was seen").drift[0].since;
    let began = since(&stage);
    stage.pass(600).await;
    assert_eq!(since(&stage), began);
}

#[tokio::test]
async fn the_version_is_asked_for_once_per_contact() {
    let mut stage = Stage::new().await;
    stage.tick().await;
    stage.pass(300).await;
    assert_eq!(stage.node().queue_version.as_deref(), Some("4.0.4"));
    assert_eq!(stage.calls(Call::Version), 1);
    let away = Fault::new(FaultClass::TransientHost, "no route to host");
    stage.machine.state().away = Some(away);
    stage.pass(60).await;
    stage.machine.state().away = None;
    stage.pass(60).await;
    assert_eq!(stage.calls(Call::Version), 2);
}
