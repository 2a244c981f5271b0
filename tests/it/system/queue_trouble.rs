//! A pueue that is killed, emptied, paused and lied to: each attempt is executed once, by
//! what the jobs wrote of themselves, and what a case waits for is said.

use std::fs;
use std::time::Duration;

use daylily_lifecycle::case::{HoldWhy, StateName};
use daylily_lifecycle::ids::AttemptId;

use super::instruments::COUNT;
use super::setup::Setup;
use super::site::Site;
use super::world::{World, processes_of, write};
use crate::wait;

const SITE: Site = Site::HerePueue;

/// Only the case that has a file `wait` waits to be let go.
const SOME_WAIT: &str =
    "[ ! -e wait ] || until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt";

/// A case of this name runs.
fn with_one_that_runs(setup: Setup) -> World {
    let world = World::started(setup);
    drop_waiting(&world, "runs");
    world.until_running("runs");
    world.until("its command has begun", |world| world.runs_of("runs").len() == 1);
    world
}

fn drop_waiting(world: &World, name: &str) {
    write(&world.path("elsewhere/new/input"), name);
    write(&world.path("elsewhere/new/wait"), "");
    fs::rename(world.path("elsewhere/new"), world.intake().join(name)).unwrap();
}

fn drop_quick(world: &World, name: &str) {
    write(&world.intake().join(name).join("input"), name);
}

fn jobs(world: &World, name: &str) -> usize {
    world.ground.pueued().labelled(world.attempt(name).as_str()).len()
}

fn entry(world: &World, attempt: &AttemptId) {
    let job = world.path("work/.daylily-watch").join(attempt.as_str()).join("job.sh");
    world.ground.pueued().add(attempt.as_str(), &format!("exec /bin/sh {}", job.display()));
}

/// A world with one case that runs and one that pueue has not started, for its group
/// stands still.
fn with_one_that_is_queued() -> World {
    let world = with_one_that_runs(Setup::job(SITE, SOME_WAIT).slots(3));
    world.ground.pueued().must(&["pause", "--wait", "--group", "default"]);
    drop_quick(&world, "queued");
    world.until_state("queued", StateName::Queued);
    world
}

/// Lets the job that runs end, after which nothing is left to do and so many have run.
fn ends_well(world: &World, jobs: usize) {
    world.let_go();
    world.until_succeeded(&["runs"]);
    assert_eq!(world.runs().len(), jobs);
    world.is_settled();
}

#[test]
fn pueued_killed_under_a_running_job_ends_nothing_and_the_job_is_found_alive() {
    let mut world = with_one_that_runs(Setup { lost_after: "2s", ..Setup::job(SITE, SOME_WAIT) });
    let attempt = world.attempt("runs");
    world.ground.pueued_mut().kill_9();
    assert!(!processes_of(&attempt).is_empty(), "the job died with it");
    drop_quick(&world, "later");
    world.until_because("later", "pueue");
    world.ground.pueued_mut().start_again();
    world.until("pueue takes it for killed", |world| {
        world
            .ground
            .pueued()
            .labelled(attempt.as_str())
            .iter()
            .all(|(_, entry)| entry["status"]["Done"]["result"] == "Killed")
    });
    // What pueue paused when it came back is a person's to start.
    world.ground.pueued().must(&["start", "--all"]);
    world.until_succeeded(&["later"]);
    assert_eq!(world.state("runs"), Some(StateName::Running));
    assert!(!processes_of(&attempt).is_empty());
    world.let_go();
    world.until_succeeded(&["runs"]);
    assert_eq!((world.runs_of("runs").len(), world.runs_of("later").len()), (1, 1));
    world.is_settled();
}

#[test]
fn an_end_that_happens_while_pueued_is_dead_is_recorded_all_the_same() {
    let mut world = with_one_that_runs(Setup::job(SITE, SOME_WAIT));
    world.ground.pueued_mut().kill_9();
    world.let_go();
    world.until_succeeded(&["runs"]);
    world.until("its place is free", World::all_slots_are_free);
    world.ground.pueued_mut().start_again();
    drop_quick(&world, "next");
    world.ground.pueued().must(&["start", "--all"]);
    world.until_succeeded(&["next"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

#[test]
fn a_clean_takes_no_end_away() {
    let mut world = with_one_that_runs(Setup::job(SITE, SOME_WAIT));
    world.ground.pueued().must(&["clean"]);
    world.kill();
    let attempt = world.attempt("runs");
    world.let_go();
    world.until("it has ended", |world| {
        processes_of(&attempt).is_empty()
            && world
                .ground
                .pueued()
                .labelled(attempt.as_str())
                .iter()
                .all(|(_, entry)| entry["status"]["Done"].is_object())
    });
    world.ground.pueued().must(&["clean"]);
    assert_eq!(jobs(&world, "runs"), 0);
    world.start();
    world.until_succeeded(&["runs"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

#[test]
fn a_reset_starts_what_waited_anew_and_asks_about_what_ran() {
    let world =
        with_one_that_runs(Setup { lost_after: "2s", ..Setup::job(SITE, SOME_WAIT).slots(3) });
    world.ground.pueued().must(&["pause", "--wait", "--group", "default"]);
    for name in ["one", "two"] {
        drop_quick(&world, name);
        world.until_state(name, StateName::Queued);
    }
    let first = world.attempt("one");
    world.ground.pueued().reset();
    world.ground.pueued().must(&["start", "--all"]);
    world.until_succeeded(&["one", "two"]);
    assert_ne!(world.attempt("one"), first, "the first is given up for good");
    for name in ["one", "two"] {
        assert_eq!(world.runs_of(name).len(), 1, "{name}");
    }
    // `reset` kills what runs: nobody knows how far it came.
    world.until("the one that ran waits for a person or has failed", |world| {
        let case = world.case("runs").unwrap();
        case.hold.as_ref().is_some_and(|hold| hold.why == HoldWhy::Lost)
            || case.state.name() == StateName::Failed
    });
    assert_eq!(world.runs_of("runs").len(), 1);
    world.let_go();
    assert_eq!(world.ask("rerun", "runs"), "done");
    world.until_succeeded(&["runs"]);
    assert_eq!(world.runs_of("runs").len(), 2);
    world.is_settled();
}

#[test]
fn a_paused_group_is_told_and_gone_on_with_when_it_is_started() {
    let world = with_one_that_is_queued();
    world.until_because("queued", "the group default is paused");
    assert!(
        world.because("queued").contains(" start -g default` there"),
        "{}",
        world.because("queued")
    );
    assert!(world.runs_of("queued").is_empty());
    world.ground.pueued().must(&["start", "--group", "default"]);
    world.until_succeeded(&["queued"]);
    ends_well(&world, 2);
}

#[test]
fn a_state_file_that_was_emptied_loses_nothing_that_runs_and_nothing_that_waits() {
    let mut world = with_one_that_is_queued();
    drop_quick(&world, "also queued");
    world.until_state("also queued", StateName::Queued);
    world.ground.pueued_mut().kill_9();
    world.ground.pueued().empty_state();
    world.ground.pueued_mut().start_again();
    world.until_succeeded(&["queued", "also queued"]);
    assert_eq!(world.state("runs"), Some(StateName::Running));
    ends_well(&world, 3);
}

#[test]
fn one_entry_that_was_removed_by_hand_waits_for_a_person() {
    let world = with_one_that_is_queued();
    drop_quick(&world, "stays");
    world.until_state("stays", StateName::Queued);
    let (id, _) = world.ground.pueued().labelled(world.attempt("queued").as_str()).remove(0);
    world.ground.pueued().must(&["remove", &id]);
    world.until("it waits for a person", |world| {
        let hold = world.case("queued").unwrap().hold;
        hold.is_some_and(|hold| hold.why == HoldWhy::Removed)
    });
    world.until_because("queued", "Waiting for a person");
    world.ground.pueued().must(&["start", "--all"]);
    world.until_succeeded(&["stays"]);
    assert!(world.runs_of("queued").is_empty());
    assert_eq!(world.ask("resume", "queued"), "done");
    world.until_succeeded(&["queued"]);
    assert_eq!(world.runs_of("queued").len(), 1);
    world.let_go();
    world.until_succeeded(&["runs"]);
    world.is_settled();
}

#[test]
fn a_recycled_task_id_is_not_taken_for_the_job_that_had_it() {
    let world = with_one_that_runs(Setup::job(SITE, SOME_WAIT).slots(1));
    let id = world.ground.pueued().labelled(world.attempt("runs").as_str())[0].0.clone();
    world.let_go();
    world.until_succeeded(&["runs"]);
    world.until("its entry is gone", |world| jobs(world, "runs") == 0);
    // Somebody else's entry gets the id, and fails.
    let theirs = world.ground.pueued().add("theirs", "exit 7");
    assert_eq!(theirs, id, "pueue gives the id out again");
    wait::until("it has failed", wait::LIMIT, || {
        world.ground.pueued().list()["tasks"][&id]["status"]["Done"].is_object()
    });
    assert_eq!(world.state("runs"), Some(StateName::Succeeded));
    drop_quick(&world, "next");
    world.until_succeeded(&["next"]);
    assert_eq!(world.ground.pueued().labelled("theirs").len(), 1, "it is not ours to remove");
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

#[test]
fn an_entry_added_once_more_by_hand_executes_nothing() {
    let world = with_one_that_is_queued();
    for name in ["runs", "queued"] {
        let attempt = world.attempt(name);
        entry(&world, &attempt);
    }
    world.ground.pueued().must(&["start", "--all"]);
    world.until_succeeded(&["queued"]);
    world.let_go();
    world.until_succeeded(&["runs"]);
    entry(&world, &world.attempt("runs"));
    world.until("nothing of it is left in the queue", |world| {
        jobs(world, "runs") == 0 && jobs(world, "queued") == 0
    });
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

/// The answer to `add` never arrives, in the ways in which it can get lost.
fn a_lost_answer(script: &str) {
    let world = World::new(Setup::job(SITE, SOME_WAIT));
    world.before_pueue(&format!("{COUNT}[ \"$1\" = add ] || exec \"$REAL\" \"$@\"\n{script}\n"));
    let mut world = world;
    world.start();
    for name in ["a", "b", "c"] {
        drop_quick(&world, name);
    }
    world.until_succeeded(&["a", "b", "c"]);
    assert_eq!(world.pueue_calls("add"), 3, "one was added again");
    assert_eq!(world.runs().len(), 3);
    world.is_settled();
}

#[test]
fn an_entry_whose_answer_was_lost_is_found_and_not_added_again() {
    a_lost_answer("\"$REAL\" \"$@\" >/dev/null 2>&1; exit 101");
}

#[test]
fn an_entry_whose_client_was_killed_is_found_and_not_added_again() {
    a_lost_answer("\"$REAL\" \"$@\" >/dev/null 2>&1; kill -9 $$");
}

#[test]
fn an_entry_whose_client_hangs_is_found_and_not_added_again() {
    a_lost_answer("\"$REAL\" \"$@\" >/dev/null 2>&1; exec sleep 1000");
}

#[test]
fn an_entry_that_never_arrived_is_added_again_and_runs_once() {
    let mut world = World::new(Setup::job(SITE, SOME_WAIT));
    world.before_pueue(&format!(
        "{COUNT}[ \"$1\" = add ] || exec \"$REAL\" \"$@\"
[ -e \"$NOTES/lost\" ] && exec \"$REAL\" \"$@\"
: >\"$NOTES/lost\"; kill -9 $$"
    ));
    world.start();
    drop_quick(&world, "twice asked");
    world.until_succeeded(&["twice asked"]);
    assert_eq!(world.pueue_calls("add"), 2);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

#[test]
fn a_pueued_that_stands_still_fails_nothing() {
    let world = with_one_that_runs(Setup::job(SITE, SOME_WAIT));
    world.ground.pueued().freeze();
    drop_quick(&world, "later");
    world.until_because("later", "pueue");
    assert_eq!(world.state("runs"), Some(StateName::Running));
    assert!(!world.all_slots_are_free());
    world.ground.pueued().thaw();
    world.until_succeeded(&["later"]);
    ends_well(&world, 2);
}

#[test]
fn a_daemon_killed_with_cases_in_the_queue_finds_them_there() {
    let mut world = with_one_that_is_queued();
    world.kill();
    world.ground.pueued().must(&["start", "--all"]);
    world.until("it has run", |world| world.runs_of("queued").len() == 1);
    world.start();
    world.until_succeeded(&["queued"]);
    ends_well(&world, 2);
}

#[test]
fn a_queued_case_is_cancelled_and_its_entry_goes() {
    let world = with_one_that_is_queued();
    let attempt = world.attempt("queued");
    assert_eq!(world.ask("cancel", "queued"), "done");
    world.until_state("queued", StateName::Cancelled);
    world.until("its entry is gone", |world| jobs(world, "queued") == 0);
    // Added once more by hand it finds its claim taken.
    entry(&world, &attempt);
    world.ground.pueued().must(&["start", "--all"]);
    world.until("that is gone as well", |world| jobs(world, "queued") == 0);
    world.let_go();
    world.until_succeeded(&["runs"]);
    assert!(world.runs_of("queued").is_empty());
    world.is_settled();
}

#[test]
fn what_outlives_a_kill_by_pueue_keeps_its_place_until_it_is_ended() {
    // `pueue kill` reaches the shell and not what took a session of its own.
    let world = with_one_that_runs(Setup {
        lost_after: "1s",
        ..Setup::job(SITE, "setsid sleep 1000 & until [ -e \"$GO\" ]; do sleep 0.05; done")
    });
    let attempt = world.attempt("runs");
    let (id, _) = world.ground.pueued().labelled(attempt.as_str()).remove(0);
    world.ground.pueued().must(&["kill", &id]);
    world.until_because("runs", "it runs on and is watched by its processes");
    assert!(!wait::holds(Duration::from_secs(3), || {
        world.state("runs") != Some(StateName::Running) || world.all_slots_are_free()
    }));
    assert!(!processes_of(&attempt).is_empty());
    assert_eq!(world.ask("cancel", "runs"), "done");
    world.until("the place is free", |world| {
        let free = world.all_slots_are_free();
        assert!(!free || processes_of(&attempt).is_empty(), "the place is free, it runs on");
        free
    });
    world.until_state("runs", StateName::Cancelled);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}
