//! What changes around a case while it is there: its folder, its name's owner, the
//! configuration.

use std::fs;
use std::time::Duration;

use daylily_lifecycle::case::StateName;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, now, write};

fn an_earlier_arrival_is_not_run_again_with_the_content_of_a_later_one(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::at(site) });
    write(&world.intake().join("twice/input"), "first");
    world.until_succeeded(&["twice"]);
    let first = world.case("twice").unwrap();
    fs::remove_dir_all(world.intake().join("twice")).unwrap();
    world.is_looked_at();
    write(&world.intake().join("twice/input"), "second");
    world.until("the second arrival has succeeded", |world| {
        let case = world.case("twice").unwrap();
        case.arrival.0 == 2 && case.state.name() == StateName::Succeeded
    });
    let answer = world.ask_with("rerun", first.id.as_str(), serde_json::Map::new());
    assert!(answer.contains("its folder was replaced: what is there now is twice.2"), "{answer}");
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn a_folder_that_changed_while_its_job_ran_is_not_moved_away(site: Site) {
    let mut setup = Setup::job(site, UNTIL_LET_GO);
    setup.intake.push("on_success: {move_to: ./done}".to_owned());
    let world = World::started(setup);
    write(&world.intake().join("grows/input"), "x");
    world.until_running("grows");
    write(&world.intake().join("grows/later"), "y");
    world.let_go();
    world.until_succeeded(&["grows"]);
    assert!(world.intake().join("grows/later").try_exists().unwrap());
    assert!(!world.path("done/grows").try_exists().unwrap());
    world.is_settled();
}

fn results_are_counted_also_when_bringing_them_home_was_repeated(site: Site) {
    let mut setup = Setup::at(site);
    setup.intake.push("on_success: {move_to: ./done}".to_owned());
    let mut world = World::new(setup);
    fs::write(world.path("done"), "in the way").unwrap();
    world.start();
    write(&world.intake().join("again/input"), "12345");
    world.until("its folder cannot be moved", |world| {
        world.case("again").is_some_and(|case| !case.troubles.is_empty())
    });
    fs::remove_file(world.path("done")).unwrap();
    world.until_succeeded(&["again"]);
    let case = world.case("again").unwrap();
    let stored = case.attempt().unwrap().stored.clone().unwrap();
    assert_eq!((stored.files, stored.bytes.0), (1, 5));
    world.is_settled();
}

fn a_case_whose_intake_is_configured_no_more_waits_and_keeps_no_slot(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO).slots(1));
    write(&world.intake().join("one/input"), "x");
    world.until_running("one");
    write(&world.intake().join("two/input"), "x");
    world.until_state("two", StateName::Staged);
    world.terminate(Duration::from_secs(5));
    let file = world.path("config.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let renamed = before.replacen("name: new_cases", "name: others", 1);
    let renamed = renamed.replacen("path: ./new_cases", "path: ./others", 1);
    assert!(renamed.contains("./others"), "{before}");
    fs::create_dir(world.path("others")).unwrap();
    fs::write(&file, renamed).unwrap();
    world.start();
    world.let_go();
    world.until_state("one", StateName::Succeeded);
    world.until_because("two", "the intake new_cases is not in the configuration any more");
    world.until("the only place is free", World::all_slots_are_free);
    world.terminate(Duration::from_secs(5));
    fs::write(&file, before).unwrap();
    world.start();
    world.until_succeeded(&["two"]);
    world.is_settled();
}

/// Nobody looks while the job runs: what looks at the intake comes once in an hour.
fn a_change_that_no_look_saw_while_the_job_ran_is_told_after_its_end(site: Site) {
    let setup = Setup { rescan: "1h", ..Setup::job(site, UNTIL_LET_GO) };
    let mut world = World::started(setup);
    write(&world.intake().join("busy/input"), "x");
    world.until_running("busy");
    let ready = world.case("busy").unwrap().ready_at.unwrap();
    // Change times are compared by the second, and the kernel's clock for files lags.
    world.until("a change is later", |_| now().duration_since(ready).as_millis() > 1_100);
    write(&world.intake().join("busy/late.txt"), "late");
    world.let_go();
    world.until_succeeded(&["busy"]);
    world.kill();
    world.start();
    world.until("it is told", |world| world.case("busy").unwrap().changed.is_some());
    world.until_because("busy", "late.txt changed in the intake");
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

/// The job runs in the folder that lies in the intake: what it writes there is no change
/// that anybody made.
fn what_a_job_writes_into_a_shared_folder_is_no_change_of_the_case(site: Site) {
    let mut setup = Setup { rescan: "1s", ..Setup::job(site, UNTIL_LET_GO) };
    setup
        .headnode
        .push("ship: {shared: {here: ./new_cases, there: \"{dir}/new_cases\"}}".to_owned());
    let world = World::started(setup);
    write(&world.intake().join("shared/input"), "x");
    world.until_running("shared");
    write(&world.intake().join("shared/log.txt"), "half-way");
    world.is_looked_at();
    world.let_go();
    world.until_succeeded(&["shared"]);
    assert!(world.intake().join("shared/out.txt").try_exists().unwrap(), "it ran elsewhere");
    world.is_looked_at();
    assert_eq!(world.case("shared").unwrap().changed, None);
    assert_eq!(fs::read_to_string(world.results_of("shared").join("out.txt")).unwrap(), "x");
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

on_sites! {
    an_earlier_arrival_is_not_run_again_with_the_content_of_a_later_one: here, ssh_pueue;
    results_are_counted_also_when_bringing_them_home_was_repeated: here, ssh_pueue;
    // The folder lies in the intake.
    a_folder_that_changed_while_its_job_ran_is_not_moved_away: here;
    a_change_that_no_look_saw_while_the_job_ran_is_told_after_its_end: here;
    what_a_job_writes_into_a_shared_folder_is_no_change_of_the_case: here;
    // The configuration of the intake is what changes.
    a_case_whose_intake_is_configured_no_more_waits_and_keeps_no_slot: here;
}
