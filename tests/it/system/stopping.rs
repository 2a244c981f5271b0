//! A pipeline with a `stop`: what a job left elsewhere is ended before its place is free.

use std::time::Duration;

use daylily_lifecycle::case::{HoldWhy, StateName, StepName};

use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, processes_of, write};

/// Fails until the test allows it, and tells of every run.
const STOP: &str = "stop: 'printf \"%s\\n\" \"$DAYLILY_STOP $DAYLILY_CASE $PWD\" \
                    >>\"$ELSEWHERE/stops\"; [ -e \"$ELSEWHERE/allowed\" ] || { echo not yet; exit 1; }'";

const FOR_EVER: &str = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

fn stoppable(site: Site, job: &str) -> Setup {
    let mut setup = Setup::job(site, job).slots(1);
    setup.pipeline.push(STOP.to_owned());
    setup
}

fn stops(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.path("elsewhere/stops")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn allow(world: &World) {
    write(&world.path("elsewhere/allowed"), "");
}

/// Waits until the `stop` has failed twice, its place being kept all the while.
fn keeps_its_place_while_it_fails(world: &World, name: &str, state: StateName) {
    world.until("it was tried twice", |world| {
        assert!(!world.all_slots_are_free(), "its place is free");
        stops(world).len() >= 2
    });
    world.until("its failure is told", |world| {
        world.case(name).is_some_and(|case| case.troubles.of(StepName::Stop).is_some())
    });
    let case = world.case(name).unwrap();
    assert_eq!(case.state.name(), state);
    assert!(case.attempt().unwrap().tenure.is_quarantined());
    let expected = format!("{} {name} {}", world.attempt(name), world.copy_of(name).display());
    assert!(stops(world).iter().all(|stop| *stop == expected), "{:?}", stops(world));
}

fn a_cancelled_job_keeps_its_place_until_its_stop_ends_with_0(site: Site) {
    let world = World::started(stoppable(site, FOR_EVER));
    write(&world.intake().join("far/input"), "x");
    world.until("it runs", |world| !world.runs().is_empty());
    world.until_running("far");
    assert_eq!(world.ask("cancel", "far"), "done");
    keeps_its_place_while_it_fails(&world, "far", StateName::Cancelling);
    world.until_because("far", "`stop` ended with exit code 1: not yet");
    assert!(processes_of(&world.attempt("far")).is_empty(), "its own processes went before");
    // Others wait, and start when it is over.
    write(&world.intake().join("next/input"), "x");
    world.until_because("next", "for a place");
    allow(&world);
    world.until_state("far", StateName::Cancelled);
    world.until("the next one runs", |world| !world.runs_of("next").is_empty());
    assert_eq!(world.ask("cancel", "next"), "done");
    world.until_state("next", StateName::Cancelled);
    world.is_settled();
}

fn a_daemon_that_is_killed_while_stop_fails_goes_on_with_it(site: Site) {
    let mut world = World::started(stoppable(site, FOR_EVER));
    write(&world.intake().join("far/input"), "x");
    world.until_running("far");
    assert_eq!(world.ask("cancel", "far"), "done");
    keeps_its_place_while_it_fails(&world, "far", StateName::Cancelling);
    world.kill();
    let before = stops(&world).len();
    world.start();
    world.until("it is tried again", |world| stops(world).len() > before);
    assert!(!world.all_slots_are_free());
    allow(&world);
    world.until_state("far", StateName::Cancelled);
    world.is_settled();
}

fn a_pipeline_that_fails_by_itself_needs_no_stop(site: Site) {
    let world = World::started(stoppable(site, "exit 3"));
    write(&world.intake().join("tidy/input"), "x");
    world.until_state("tidy", StateName::Failed);
    assert!(stops(&world).is_empty());
    world.is_settled();
}

fn a_job_that_somebody_kills_fails_after_its_stop(site: Site) {
    let world = World::started(stoppable(site, "kill -9 $$; sleep 1000"));
    write(&world.intake().join("killed/input"), "x");
    world.until("it is to be stopped", |world| !stops(world).is_empty());
    assert!(processes_of(&world.attempt("killed")).is_empty(), "what it left here went before");
    keeps_its_place_while_it_fails(&world, "killed", StateName::Running);
    world.until_because("killed", "Waiting to try again: stopping what it left elsewhere");
    allow(&world);
    world.until_state("killed", StateName::Failed);
    world.is_settled();
}

fn a_lost_job_is_held_after_its_stop_and_a_change_of_the_configuration_changes_neither(site: Site) {
    let mut world = World::started(Setup { lost_after: "1s", ..stoppable(site, FOR_EVER) });
    write(&world.intake().join("lost/input"), "x");
    world.until("it runs", |world| !world.runs().is_empty());
    world.until_running("lost");
    // The attempt was made with its `stop`.
    world.terminate(Duration::from_secs(5));
    let config = std::fs::read_to_string(world.path("config.yaml")).unwrap();
    assert!(config.contains(STOP));
    write(&world.path("config.yaml"), config.replace(STOP, "stop: null"));
    world.wipe_out("lost");
    world.start();
    keeps_its_place_while_it_fails(&world, "lost", StateName::Running);
    allow(&world);
    world.until("it is held", |world| {
        let hold = world.case("lost").and_then(|case| case.hold);
        hold.is_some_and(|hold| hold.why == HoldWhy::Lost)
    });
    world.until("its place is free", World::all_slots_are_free);
    world.is_lawful();
}

fn a_persons_word_frees_the_place_of_what_cannot_be_stopped(site: Site) {
    let world = World::started(stoppable(site, FOR_EVER));
    write(&world.intake().join("stuck/input"), "x");
    world.until_running("stuck");
    assert_eq!(world.ask("cancel", "stuck"), "done");
    keeps_its_place_while_it_fails(&world, "stuck", StateName::Cancelling);
    assert_eq!(world.ask("confirm-dead", "stuck"), "done");
    world.until_state("stuck", StateName::Cancelled);
    world.is_settled();
}

on_sites! {
    a_cancelled_job_keeps_its_place_until_its_stop_ends_with_0: here, ssh_pueue, ssh_direct;
    a_daemon_that_is_killed_while_stop_fails_goes_on_with_it: here, ssh_pueue, ssh_direct;
    a_pipeline_that_fails_by_itself_needs_no_stop: here, ssh_pueue, ssh_direct;
    a_job_that_somebody_kills_fails_after_its_stop: here, ssh_pueue, ssh_direct;
    a_lost_job_is_held_after_its_stop_and_a_change_of_the_configuration_changes_neither: here, ssh_pueue, ssh_direct;
    a_persons_word_frees_the_place_of_what_cannot_be_stopped: here, ssh_pueue, ssh_direct;
}
