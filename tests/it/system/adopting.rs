//! A state_dir that is lost, put back from an old copy, or one of two: what runs on the
//! headnode is found again by `adopt`, and nothing runs twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use daylily_lifecycle::case::{HoldWhy, StateName};
use daylily_lifecycle::policy::HeadnodeState;
use daylily_watch::store::read::Reader;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{HEADNODE, World, write};

/// What the sentence tells to type.
const TYPED: &str = "daylily-watch adopt hpc --reason '...'";

fn is_broken(world: &World, with: &str) -> bool {
    let headnodes = world.reader().headnodes().unwrap();
    matches!(&headnodes[0].state, HeadnodeState::Broken { because, .. } if because.contains(with))
}

fn headnode_is_ok(world: &World) -> bool {
    world.reader().headnodes().unwrap()[0].state == HeadnodeState::Ok
}

fn hold(world: &World, name: &str) -> Option<HoldWhy> {
    world.case(name).and_then(|case| case.hold.map(|hold| hold.why))
}

fn executed(world: &World) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for run in world.runs() {
        *count.entry(run.case).or_default() += 1;
    }
    count
}

fn once(names: &[&str]) -> BTreeMap<String, usize> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

const FIRST_ENDS: &str =
    "[ \"$DAYLILY_CASE\" = ended ] || until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt";

on_sites! {
    with_the_database_lost_nothing_starts_until_the_headnode_is_adopted_and_nothing_runs_twice: here, here_pueue, ssh_pueue, ssh_direct;
    a_job_that_ends_while_its_case_is_held_gives_its_place_back: here;
    a_job_of_a_lost_database_is_ended_by_cancel: here, here_pueue, ssh_pueue, ssh_direct;
    what_was_prepared_and_never_began_is_given_up_and_made_anew: here;
    an_old_copy_of_the_database_is_refused_however_often_it_is_started: here, ssh_pueue;
    a_snapshot_of_the_same_start_is_told_by_the_attempts_that_it_does_not_know: here;
    of_two_databases_on_one_work_dir_the_second_waits_until_it_takes_over: here, ssh_pueue;
    what_cannot_be_adopted_is_told_with_what_helps: here;
    what_is_asked_while_no_daemon_runs_is_done_at_its_start: here;
}

fn with_the_database_lost_nothing_starts_until_the_headnode_is_adopted_and_nothing_runs_twice(
    site: Site,
) {
    let mut world = World::started(Setup::job(site, FIRST_ENDS).slots(1));
    write(&world.intake().join("ended/input"), "of ended");
    world.until_succeeded(&["ended"]);
    write(&world.intake().join("running/input"), "of running");
    world.until_running("running");
    write(&world.intake().join("staged/input"), "of staged");
    world.until_state("staged", StateName::Staged);
    world.kill();
    fs::rename(world.path("state"), world.path("lost")).unwrap();
    fs::rename(world.path("results"), world.path("lost results")).unwrap();

    world.start();
    world.until("the headnode is set aside", |world| is_broken(world, "belongs to the database"));
    for name in ["ended", "running", "staged"] {
        world.until_state(name, StateName::Ready);
        world.until_because(name, &format!("`{TYPED}`"));
        world.until_because(name, "until it is adopted.");
        assert!(!world.because(name).contains("until `resume"), "{}", world.because(name));
    }
    let status = world.verb(&["status"]).out;
    assert!(
        status.contains(&format!("`{TYPED}`")) && !status.contains("takes it back"),
        "{status}"
    );
    let check = world.verb(&["check"]).out;
    assert!(check.contains(&format!("hint: {TYPED}\n")), "{check}");
    assert_eq!(executed(&world), once(&["ended", "running"]));

    let said = world.verb(&["adopt", HEADNODE, "--reason", "the disk of the database died"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for told in ["1 attempt that may run", "1 that has ended", "was owned by the start"] {
        assert!(said.out.contains(told), "{said:?}");
    }
    world.until("it is worked with again", headnode_is_ok);
    assert_eq!(world.state("running"), Some(StateName::Running));
    assert_eq!(world.state("ended"), Some(StateName::Returning));
    for name in ["running", "ended"] {
        assert_eq!(hold(&world, name), Some(HoldWhy::Adopted), "{name}");
        world.until_because(name, "found at");
    }
    // The place of the one that runs is its own again, so the third waits.
    assert_eq!(world.case("running").unwrap().attempt().unwrap().tenure.slots().len(), 1);
    assert_eq!(hold(&world, "staged"), None);
    world.until_state("staged", StateName::Staged);

    let again = world.verb(&["adopt", HEADNODE, "--reason", "once more"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("nothing was found that was not known"), "{again:?}");

    assert_eq!(world.verb(&["resume", "--held"]).code, Some(0));
    world.until_succeeded(&["ended"]);
    world.let_go();
    world.until_succeeded(&["ended", "running", "staged"]);
    for name in ["ended", "running", "staged"] {
        let result = fs::read_to_string(world.results_of(name).join("out.txt")).unwrap();
        assert_eq!(result, format!("of {name}"));
    }
    assert_eq!(executed(&world), once(&["ended", "running", "staged"]));
    world.is_settled();
}

fn a_job_that_ends_while_its_case_is_held_gives_its_place_back(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO).slots(1));
    write(&world.intake().join("running/input"), "x");
    world.until_running("running");
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    world.start();
    world.until("the headnode is set aside", |world| is_broken(world, "belongs to"));
    assert_eq!(world.verb(&["adopt", HEADNODE, "--reason", "lost"]).code, Some(0));
    world.let_go();
    world.until_state("running", StateName::Returning);
    world.until("its place is free", World::all_slots_are_free);
    assert_eq!(hold(&world, "running"), Some(HoldWhy::Adopted), "what comes of it waits");
    assert_eq!(world.verb(&["cancel", "running"]).code, Some(0));
    world.until_state("running", StateName::Cancelled);
    assert_eq!(executed(&world), once(&["running"]));
    world.is_settled();
}

fn a_job_of_a_lost_database_is_ended_by_cancel(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("running/input"), "x");
    world.until_running("running");
    let attempt = world.attempt("running");
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    world.start();
    world.until("the headnode is set aside", |world| is_broken(world, "belongs to"));
    assert_eq!(world.verb(&["adopt", HEADNODE, "--reason", "lost"]).code, Some(0));
    assert_eq!(world.attempt("running"), attempt);
    assert_eq!(world.verb(&["cancel", "running"]).code, Some(0));
    world.until_state("running", StateName::Cancelled);
    assert!(super::world::processes_of(&attempt).is_empty());
    world.is_settled();
}

fn what_was_prepared_and_never_began_is_given_up_and_made_anew(site: Site) {
    let mut world = World::started(Setup::at(site));
    write(&world.intake().join("first/input"), "of first");
    world.until_succeeded(&["first"]);
    let attempt = world.attempt("first");
    world.kill();
    // As a crash between the preparing and the handing over leaves it.
    let dir = world.path("work/.daylily-watch").join(attempt.as_str());
    for file in ["claim", "exit.json", "output.log"] {
        fs::remove_file(dir.join(file)).unwrap();
    }
    fs::remove_file(world.path("elsewhere/runs")).unwrap();
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::remove_dir_all(world.path("results")).unwrap();
    world.start();
    world.until("the headnode is set aside", |world| is_broken(world, "belongs to"));
    let said = world.verb(&["adopt", HEADNODE, "--reason", "lost"]);
    assert!(said.out.contains("1 that has not begun"), "{said:?}");
    assert_eq!(hold(&world, "first"), Some(HoldWhy::Adopted));
    assert_eq!(world.verb(&["resume", "first"]).code, Some(0));
    world.until_succeeded(&["first"]);
    assert_ne!(world.attempt("first"), attempt, "its place may be another's");
    let claim = fs::read_to_string(dir.join("claim")).unwrap();
    assert!(claim.contains("\"by\":\"daemon\""), "{claim}");
    assert_eq!(executed(&world), once(&["first"]));
    world.is_settled();
}

fn an_old_copy_of_the_database_is_refused_however_often_it_is_started(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("old/input"), "of old");
    world.until_running("old");
    world.kill();
    copy(&world.path("state"), &world.path("copy"));
    world.start();
    write(&world.intake().join("new/input"), "of new");
    world.until_running("new");
    world.let_go();
    world.until_succeeded(&["old", "new"]);
    world.kill();
    fs::rename(world.path("state"), world.path("newer")).unwrap();
    fs::rename(world.path("copy"), world.path("state")).unwrap();
    fs::remove_dir_all(world.path("results")).unwrap();

    // By its generation it would pass as a later start before long.
    for _ in 0..4 {
        world.start();
        world.until("the headnode is set aside", |world| is_broken(world, TYPED));
        world.until_state("new", StateName::Ready);
        world.kill();
    }
    assert_eq!(executed(&world), once(&["new", "old"]));
    world.start();
    let said = world.verb(&["adopt", HEADNODE, "--reason", "an old copy was put back"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("1 that has ended"), "{said:?}");
    // What the copy knew goes on by itself, what it did not waits.
    world.until_succeeded(&["old"]);
    assert_eq!(hold(&world, "new"), Some(HoldWhy::Adopted));
    assert_eq!(world.verb(&["resume", "new"]).code, Some(0));
    world.until_succeeded(&["new"]);
    assert_eq!(executed(&world), once(&["new", "old"]));
    world.is_settled();
}

fn a_snapshot_of_the_same_start_is_told_by_the_attempts_that_it_does_not_know(site: Site) {
    let mut world = World::started(Setup::at(site));
    write(&world.intake().join("old/input"), "of old");
    world.until_succeeded(&["old"]);
    // As a snapshot of the file system has it: of one moment, while the daemon runs.
    world.signal(nix::sys::signal::Signal::SIGSTOP);
    copy(&world.path("state"), &world.path("snapshot"));
    world.signal(nix::sys::signal::Signal::SIGCONT);
    write(&world.intake().join("new/input"), "of new");
    world.until_succeeded(&["new"]);
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::rename(world.path("snapshot"), world.path("state")).unwrap();

    for _ in 0..2 {
        world.start();
        world.until("the headnode is set aside", |world| {
            is_broken(world, "is not known to this database")
        });
        world.until_state("new", StateName::Ready);
        assert_eq!(world.runs_of("new").len(), 1);
        world.kill();
    }
    world.start();
    assert_eq!(world.verb(&["adopt", HEADNODE, "--reason", "a snapshot"]).code, Some(0));
    assert_eq!(world.verb(&["resume", "new"]).code, Some(0));
    world.until_succeeded(&["new"]);
    assert_eq!(executed(&world), once(&["new", "old"]));
    // What was adopted is done with.
    world.kill();
    world.start();
    write(&world.intake().join("later/input"), "of later");
    world.until_succeeded(&["later"]);
    world.is_settled();
}

fn of_two_databases_on_one_work_dir_the_second_waits_until_it_takes_over(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("running/input"), "of running");
    world.until_running("running");
    let config = fs::read_to_string(world.path("config.yaml")).unwrap();
    fs::write(world.path("first.yaml"), format!("state_dir: ./first\n{config}")).unwrap();
    world.terminate(crate::wait::LIMIT);
    fs::rename(world.path("state"), world.path("first")).unwrap();
    let first = world.daemon_of("first.yaml");
    let reader =
        |world: &World| Reader::open(&world.path("first"), env!("CARGO_PKG_VERSION")).unwrap();
    world.until("the first daemon goes round", |world| {
        reader(world).headnodes().unwrap()[0].owned_at.is_some()
            && daylily_watch::reconcile::read_alive(&world.path("first")).is_some()
    });

    world.start();
    world.until("the second is refused", |world| is_broken(world, "belongs to the database"));
    world.until_state("running", StateName::Ready);
    let said = world.verb(&["adopt", HEADNODE, "--reason", "the first is to go"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    world.until("now the first is refused", |world| {
        let headnodes = reader(world).headnodes().unwrap();
        matches!(headnodes[0].state, HeadnodeState::Broken { .. })
    });
    assert_eq!(world.verb(&["resume", "running"]).code, Some(0));
    world.let_go();
    world.until_succeeded(&["running"]);
    assert_eq!(executed(&world), once(&["running"]));
    drop(first);
    world.is_settled();
}

fn what_cannot_be_adopted_is_told_with_what_helps(site: Site) {
    let world = World::started(Setup::at(site));
    world.until("the headnode is ours", |world| {
        world.reader().headnodes().unwrap()[0].owned_at.is_some()
    });
    let said = world.verb(&["adopt", "hcp", "--reason", "x"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("did you mean hpc?"), "{said:?}");
    assert_eq!(world.verb(&["adopt", HEADNODE]).code, Some(2), "a reason is asked for");
    fs::rename(world.path("work"), world.path("away")).unwrap();
    let said = world.verb(&["adopt", HEADNODE, "--reason", "x"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("is missing\nhint: is"), "{said:?}");
    assert!(fs::metadata(world.path("work")).is_err(), "nothing was made");
    world.until("the headnode is set aside", |world| is_broken(world, "is missing"));
    fs::rename(world.path("away"), world.path("work")).unwrap();
    assert_eq!(world.verb(&["adopt", HEADNODE, "--reason", "it is back"]).code, Some(0));
    write(&world.intake().join("case/input"), "x");
    world.until_succeeded(&["case"]);
    world.is_settled();
}

fn what_is_asked_while_no_daemon_runs_is_done_at_its_start(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("running/input"), "x");
    world.until_running("running");
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    world.start();
    world.until("the headnode is set aside", |world| is_broken(world, "belongs to"));
    world.terminate(crate::wait::LIMIT);
    let said = world.verb(&["adopt", HEADNODE, "--reason", "lost"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    world.start();
    world.until("it is taken in", |world| hold(world, "running") == Some(HoldWhy::Adopted));
    world.until("it is worked with again", headnode_is_ok);
    assert_eq!(world.verb(&["resume", "running"]).code, Some(0));
    world.let_go();
    world.until_succeeded(&["running"]);
    assert_eq!(executed(&world), once(&["running"]));
    world.is_settled();
}
