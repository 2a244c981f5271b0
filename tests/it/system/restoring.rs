//! `backup` and `restore`: a whole copy at any moment, and the way back without running
//! anything twice.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use daylily_lifecycle::case::{HoldWhy, StateName};
use daylily_lifecycle::policy::HeadnodeState;
use daylily_watch::store::read::Reader;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{HEADNODE, World, write};
use crate::wait::LIMIT;

on_sites! {
    the_drill_of_a_lost_disk_ends_or_holds_every_case_and_runs_nothing_twice: here, ssh_pueue, ssh_direct;
    a_restore_that_is_to_adopt_does_so_at_the_next_start: here, ssh_pueue;
    what_ran_and_was_removed_since_the_backup_is_not_run_again: here, ssh_pueue;
    a_backup_made_while_the_daemon_runs_brings_everything_back: here;
    what_is_no_backup_changes_nothing: here;
    without_any_database_a_backup_is_put_in_place_and_old_requests_are_not_done: here;
}

fn a_backup_made_while_the_daemon_runs_brings_everything_back(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("before/input"), "x");
    world.until_running("before");
    let file = world.path("elsewhere/copy.db");
    let said = world.verb(&["backup", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("a whole copy of the database"), "{said:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(world.reader().about().unwrap().last_backup_at.is_some());
    let again = world.verb(&["backup", file.to_str().unwrap()]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("is there already and is not overwritten\nhint: "), "{again:?}");

    write(&world.intake().join("after/input"), "x");
    world.until_running("after");
    let refused = world.verb(&["restore", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("is in use by another daemon"), "{refused:?}");
    world.let_go();
    world.until_succeeded(&["before", "after"]);
    // Killed, so that its last words are in the log beside the database only.
    world.kill();

    let said = world.verb(&["restore", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("daylily-watch adopt hpc --reason"), "{said:?}");
    let kept = said.out.lines().find_map(|line| line.strip_prefix("what was there is kept in "));
    let kept = kept.unwrap_or_else(|| panic!("{said:?}")).to_owned();
    let aside = world.path("elsewhere/aside");
    fs::create_dir(&aside).unwrap();
    fs::copy(&kept, aside.join("daylily.db")).unwrap();
    let aside = Reader::open(&aside, env!("CARGO_PKG_VERSION")).unwrap();
    let states: Vec<_> =
        aside.finished(None, None, 10).unwrap().iter().map(|row| row.state).collect();
    assert_eq!(states, [StateName::Succeeded; 2], "all of what was there is kept");

    world.start();
    world.until("the headnode is set aside", |world| {
        let headnodes = world.reader().headnodes().unwrap();
        matches!(headnodes[0].state, HeadnodeState::Broken { .. })
    });
    world.until_state("after", StateName::Ready);
    assert_eq!(world.state("before"), Some(StateName::Running), "as it was then");
    let said = world.verb(&["adopt", HEADNODE, "--reason", "restored a backup"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    world.until_succeeded(&["before"]);
    let after = world.case("after").unwrap();
    assert_eq!(after.hold.map(|hold| hold.why), Some(HoldWhy::Adopted));
    assert_eq!(world.verb(&["resume", "after"]).code, Some(0));
    world.until_succeeded(&["after"]);
    assert_eq!(world.runs().len(), 2, "each was executed once");
    world.is_settled();
}

fn what_is_no_backup_changes_nothing(site: Site) {
    let mut world = World::started(Setup::at(site));
    write(&world.intake().join("case/input"), "x");
    world.until_succeeded(&["case"]);
    assert_eq!(world.terminate(LIMIT).code(), Some(0));
    let text = world.path("elsewhere/text");
    fs::write(&text, "no database").unwrap();
    let empty = world.path("elsewhere/empty");
    fs::write(&empty, "").unwrap();
    let foreign = world.path("elsewhere/foreign.db");
    let sqlite = rusqlite::Connection::open(&foreign).unwrap();
    sqlite.execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1);").unwrap();
    drop(sqlite);
    let newer = world.path("elsewhere/newer.db");
    assert_eq!(world.verb(&["backup", newer.to_str().unwrap()]).code, Some(0));
    let sqlite = rusqlite::Connection::open(&newer).unwrap();
    sqlite
        .execute_batch("PRAGMA user_version = 999; UPDATE meta SET app_version = '9.9';")
        .unwrap();
    drop(sqlite);
    let damaged = world.path("elsewhere/damaged.db");
    assert_eq!(world.verb(&["backup", damaged.to_str().unwrap()]).code, Some(0));
    let mut bytes = fs::read(&damaged).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    fs::write(&damaged, bytes).unwrap();
    for (file, told) in [
        (text, "is no backup of daylily-watch"),
        (empty, "is no backup of daylily-watch"),
        (foreign, "is no backup of daylily-watch"),
        (newer, "was written by 9.9"),
        (damaged, "damaged"),
        (world.path("elsewhere/nothing"), "there is no file"),
    ] {
        let said = world.verb(&["restore", file.to_str().unwrap()]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(told), "{told}: {said:?}");
    }
    world.start();
    assert_eq!(world.state("case"), Some(StateName::Succeeded));
    world.is_settled();
}

fn without_any_database_a_backup_is_put_in_place_and_old_requests_are_not_done(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("case/input"), "x");
    world.until_running("case");
    assert_eq!(world.terminate(LIMIT).code(), Some(0));
    let said = world.verb(&["cancel", "case"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let file = world.path("elsewhere/copy.db");
    assert_eq!(world.verb(&["backup", file.to_str().unwrap()]).code, Some(0));
    fs::remove_dir_all(world.path("state")).unwrap();
    let said = world.verb(&["restore", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.out.contains("what was there"), "{said:?}");
    world.start();
    world.until_because("case", "this one was restored from a backup");
    assert_eq!(world.state("case"), Some(StateName::Running), "as it was then");
    assert_eq!(world.verb(&["adopt", HEADNODE, "--reason", "restored"]).code, Some(0));
    world.let_go();
    world.until_succeeded(&["case"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

/// Each job waits for a sign of its own, or for the one of all.
const EACH_LET_GO: &str = "until [ -e \"$GO\" ] || [ -e \"$ELSEWHERE/go.$DAYLILY_CASE\" ]; do \
    sleep 0.05; done; cp input out.txt";

/// Cases before the backup, cases after it, and then the disk of the database is lost.
/// Returns the backup.
fn until_the_disk_is_lost(world: &mut World) -> String {
    for (name, state) in [
        ("ended", StateName::Succeeded),
        ("running", StateName::Running),
        ("goes-on", StateName::Running),
        ("waits", StateName::Staged),
    ] {
        if state == StateName::Succeeded {
            world.give_sign(&format!("go.{name}"));
        }
        write(&world.intake().join(name).join("input"), format!("of {name}"));
        world.until_state(name, state);
    }
    let file = world.path("elsewhere/copy.db").display().to_string();
    assert_eq!(world.verb(&["backup", &file]).code, Some(0));

    // One that ran ends, so that the one that waited runs, and others come.
    world.give_sign("go.running");
    world.until_succeeded(&["running"]);
    world.until_running("waits");
    world.give_sign("go.waits");
    world.until_succeeded(&["waits"]);
    world.give_sign("go.ended-later");
    for (name, state) in [
        ("ended-later", StateName::Succeeded),
        ("running-later", StateName::Running),
        ("waits-later", StateName::Staged),
    ] {
        write(&world.intake().join(name).join("input"), format!("of {name}"));
        world.until_state(name, state);
    }
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::remove_dir_all(world.path("results")).unwrap();
    file
}

const DRILLED: [&str; 7] =
    ["ended", "running", "goes-on", "waits", "ended-later", "running-later", "waits-later"];

/// Nothing begins until each headnode is adopted; then what the backup did not know waits
/// for a person, who lets all of it go on.
fn ends_well(world: &World) {
    world.until("what was made since the backup is held", |world| {
        ["ended-later", "running-later"].iter().all(|name| {
            let hold = world.case(name).and_then(|case| case.hold);
            hold.is_some_and(|hold| hold.why == HoldWhy::Adopted)
        })
    });
    // What the backup knew goes on by itself, and so does what was never begun.
    world.until_succeeded(&["running"]);
    world.until("every other case has ended, is held, or has its place", |world| {
        world.all_cases().iter().all(|case| {
            let state = case.state.name();
            state.is_terminal()
                || case.hold.is_some()
                || matches!(state, StateName::Queued | StateName::Running)
        })
    });
    assert_eq!(world.verb(&["resume", "--held"]).code, Some(0));
    world.let_go();
    world.until_succeeded(&DRILLED);
    for name in DRILLED {
        assert_eq!(world.runs_of(name).len(), 1, "{name}");
        let result = world.results_of(name).join("out.txt");
        // The first had come home before the backup, which says so; results have backups
        // of their own.
        if name != "ended" {
            assert_eq!(fs::read_to_string(result).unwrap(), format!("of {name}"));
        }
    }
    world.is_settled();
}

fn the_drill_of_a_lost_disk_ends_or_holds_every_case_and_runs_nothing_twice(site: Site) {
    let mut world = World::started(Setup::job(site, EACH_LET_GO));
    let file = until_the_disk_is_lost(&mut world);
    let said = world.verb(&["restore", &file]);
    assert_eq!(said.code, Some(0), "{said:?}");
    world.start();
    world.until("the headnode is set aside", |world| {
        let headnodes = world.reader().headnodes().unwrap();
        matches!(headnodes[0].state, HeadnodeState::Broken { .. })
    });
    for name in ["ended-later", "running-later", "waits-later"] {
        world.until_state(name, StateName::Ready);
    }
    // A job's own record comes a moment after its claim.
    world.until("those from before have begun", |world| world.runs().len() == 6);
    world.is_looked_at_again();
    assert_eq!(world.runs().len(), 6, "nothing has begun: {:?}", world.runs());
    let said = world.verb(&["adopt", HEADNODE, "--reason", "the disk was lost"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    ends_well(&world);
}

fn a_restore_that_is_to_adopt_does_so_at_the_next_start(site: Site) {
    let mut world = World::started(Setup::job(site, EACH_LET_GO));
    let file = until_the_disk_is_lost(&mut world);
    let without = world.verb(&["restore", &file, "--adopt"]);
    assert_eq!(without.code, Some(2), "a reason is asked for: {without:?}");
    let said = world.verb(&["restore", &file, "--adopt", "--reason", "the disk was lost"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("the next start takes in what is on hpc"), "{said:?}");
    world.start();
    ends_well(&world);
}

fn what_ran_and_was_removed_since_the_backup_is_not_run_again(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO).slots(1));
    write(&world.intake().join("first/input"), "of first");
    world.until_running("first");
    // Its attempt is in the backup and has not been handed over.
    write(&world.intake().join("waits/input"), "of waits");
    world.until_state("waits", StateName::Staged);
    let file = world.path("elsewhere/copy.db").display().to_string();
    assert_eq!(world.verb(&["backup", &file]).code, Some(0));
    let attempt = world.attempt("waits");
    world.let_go();
    world.until_succeeded(&["first", "waits"]);
    let said = world.verb(&["clean", "waits", "--reason", "it is published"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!world.copy_of("waits").try_exists().unwrap(), "{said:?}");
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    let said = world.verb(&["restore", &file, "--adopt", "--reason", "the disk was lost"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    world.start();
    world.until_succeeded(&["first"]);
    world.until("a person is asked", |world| {
        world.case("waits").is_some_and(|case| case.hold.is_some())
            || world.runs_of("waits").len() > 1
    });
    assert_eq!(world.runs_of("waits").len(), 1, "{}", world.because("waits"));
    world.until_because("waits", "was removed from hpc");
    assert_eq!(world.attempt("waits"), attempt);
    assert_eq!(world.verb(&["cancel", "waits"]).code, Some(0));
    world.until_state("waits", StateName::Cancelled);
    assert_eq!(world.verb(&["rerun", "waits"]).code, Some(0));
    world.until("it was run again as another attempt", |world| {
        let case = world.case("waits").unwrap();
        case.state.name() == StateName::Succeeded && case.attempts().count() == 2
    });
    assert_eq!(world.runs_of("waits").len(), 2);
    world.is_settled();
}
