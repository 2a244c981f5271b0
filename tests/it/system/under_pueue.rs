//! The whole program with a real pueued on this machine: what happens to one of the two
//! costs no case anything.

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::{HeadnodeState, Part};

use super::setup::{Setup, UNTIL_LET_GO};
use super::world::{World, write};
use crate::servers::pueued::{PROGRAMS, Pueued};

fn under(pueued: &Pueued, job: &str) -> Setup {
    let config = pueued.config().display().to_string();
    Setup {
        queue: "pueue",
        headnode: vec![
            format!("path: [\"{PROGRAMS}\"]"),
            format!("env: {{PUEUE_CONFIG_PATH: \"{config}\"}}"),
        ],
        ..Setup::job(job)
    }
}

fn headnode(world: &World) -> HeadnodeState {
    world.reader().headnodes().unwrap()[0].state.clone()
}

fn bring(world: &World, names: &[&str]) {
    for name in names {
        write(&world.intake().join(name).join("input"), format!("of {name}"));
    }
}

fn each_ran_once(world: &World, names: &[&str]) {
    for name in names {
        assert_eq!(world.runs_of(name).len(), 1, "{name}");
        let result = std::fs::read_to_string(world.results_of(name).join("out.txt"));
        assert_eq!(result.unwrap(), format!("of {name}"));
    }
    assert!(world.all_slots_are_free());
    world.is_lawful();
}

#[test]
fn cases_run_by_pueue_once_and_bring_their_results() {
    let pueued = Pueued::start();
    let world = World::started(under(&pueued, "cp input out.txt"));
    let names = ["HG001", "HG002", "it's 3", "HG004"];
    bring(&world, &names);
    world.until_succeeded(&names);
    each_ran_once(&world, &names);
    let name = &names[0];
    let listed = pueued.labelled(world.attempt(name).as_str());
    assert!(listed.len() <= 1, "{listed:?}");
}

#[test]
fn a_pueued_killed_under_a_running_case_costs_it_nothing() {
    let mut pueued = Pueued::start();
    let world = World::started(under(&pueued, UNTIL_LET_GO));
    bring(&world, &["HG001"]);
    world.until_state("HG001", StateName::Running);
    pueued.kill_9();
    world.until("its silence is told", |world| {
        let queue = Part::Queue;
        matches!(headnode(world), HeadnodeState::Unreachable { part, .. } if part == queue)
    });
    // Its processes and its directory are seen all the same.
    world.until_because("HG001", "Running on here");
    assert_eq!(world.state("HG001"), Some(StateName::Running));
    pueued.start_again();
    world.until("it is heard again", |world| headnode(world) == HeadnodeState::Ok);
    world.until_because("HG001", "unning on here");
    world.let_go();
    world.until_succeeded(&["HG001"]);
    each_ran_once(&world, &["HG001"]);
}

#[test]
fn a_job_that_ends_while_pueued_is_away_is_over_without_it() {
    let mut pueued = Pueued::start();
    let world = World::started(under(&pueued, UNTIL_LET_GO));
    bring(&world, &["HG001"]);
    world.until_state("HG001", StateName::Running);
    pueued.kill_9();
    world.let_go();
    world.until_succeeded(&["HG001"]);
    bring(&world, &["HG002"]);
    world.until_because("HG002", "on here: it has not answered since");
    pueued.start_again();
    world.until_succeeded(&["HG002"]);
    each_ran_once(&world, &["HG001", "HG002"]);
}

#[test]
fn a_list_emptied_under_waiting_and_running_cases_runs_nothing_twice() {
    let mut pueued = Pueued::start();
    let world = World::started(under(&pueued, UNTIL_LET_GO));
    bring(&world, &["HG001"]);
    world.until_state("HG001", StateName::Running);
    pueued.kill_9();
    pueued.empty_state();
    pueued.start_again();
    world.let_go();
    world.until_succeeded(&["HG001"]);
    each_ran_once(&world, &["HG001"]);
}

#[test]
fn a_daemon_killed_with_cases_in_the_queue_finds_them_there() {
    let pueued = Pueued::start();
    let mut world = World::started(under(&pueued, UNTIL_LET_GO));
    pueued.must(&["pause", "--group", "default"]);
    bring(&world, &["HG001", "HG002"]);
    world.until_state("HG001", StateName::Queued);
    world.until_state("HG002", StateName::Queued);
    world.kill();
    pueued.must(&["start", "--group", "default"]);
    world.start();
    world.until_state("HG001", StateName::Running);
    world.kill();
    world.let_go();
    world.start();
    world.until_succeeded(&["HG001", "HG002"]);
    each_ran_once(&world, &["HG001", "HG002"]);
}
