//! `cancel` in every state: nothing starts after it, nothing of it runs on, and the slot
//! is free only when all of it is gone.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::SlotState;
use nix::fcntl::{Flock, FlockArg};

use super::setup::{Setup, UNTIL_LET_GO, slowly};
use super::site::{Site, on_sites};
use super::world::{World, processes_of, write};

/// A world whose one place is taken by a case `first` until it is let go.
fn with_a_full_house(site: Site, ship_ahead: u32) -> World {
    let world = World::started(Setup {
        headnode: vec![format!("ship_ahead: {ship_ahead}")],
        rescan: "1s",
        ..Setup::job(site, UNTIL_LET_GO).slots(1)
    });
    write(&world.intake().join("first/input"), "x");
    world.until_running("first");
    world
}

fn cancelled(world: &World, name: &str) {
    assert_eq!(world.ask("cancel", name), "done");
    world.until_state(name, StateName::Cancelled);
    assert!(world.ask("cancel", name).contains("it has ended already"));
}

/// Two more looks at the intake change nothing: what is cancelled stays so.
fn stays_cancelled(world: &World, name: &str) {
    world.is_looked_at();
    assert_eq!(world.state(name), Some(StateName::Cancelled));
    assert_eq!(world.case(name).unwrap().arrival.0, 1);
}

fn an_arriving_case_is_cancelled_and_stays_so(site: Site) {
    let world = World::started(Setup { quiet: "1h", rescan: "1s", ..Setup::at(site) });
    write(&world.intake().join("slow/input"), "x");
    world.until_state("slow", StateName::Arriving);
    cancelled(&world, "slow");
    stays_cancelled(&world, "slow");
    assert!(world.runs().is_empty());
    world.is_settled();
}

fn a_case_that_waits_for_a_place_is_cancelled_and_never_starts(site: Site) {
    let world = with_a_full_house(site, 0);
    write(&world.intake().join("second/input"), "x");
    world.until_state("second", StateName::Ready);
    cancelled(&world, "second");
    world.let_go();
    world.until_succeeded(&["first"]);
    stays_cancelled(&world, "second");
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn a_case_that_is_being_copied_is_cancelled_and_the_copy_stops(site: Site) {
    let size: u64 = if site.is_far() { 100 << 20 } else { 6 << 30 };
    let world = World::started(Setup { headnode: slowly(site, "20MiB/s"), ..Setup::at(site) });
    write(&world.intake().join("large/input"), "x");
    fs::File::create(world.intake().join("large/big")).unwrap().set_len(size).unwrap();
    world.until_state("large", StateName::Shipping);
    let attempt_dir = world.case("large").unwrap().attempt().unwrap().place.attempt_dir.clone();
    world.until("the copy has begun", |_| {
        fs::metadata(Path::new(&attempt_dir).join("ship.lock")).is_ok()
    });
    cancelled(&world, "large");
    world.until("the place is free", World::all_slots_are_free);
    // The copy lets go of its lock when it has stopped.
    world.until("the copy has stopped", |_| {
        lock(&Path::new(&attempt_dir).join("ship.lock")).is_some()
    });
    let copied = |folder: &Path| -> u64 {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files
            .map(|file| std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap()) * 512)
            .sum()
    };
    assert!(copied(&world.copy_of("large")) < size, "it was copied to its end");
    assert!(world.runs().is_empty());
    world.is_settled();
}

fn a_staged_case_is_cancelled_and_never_starts(site: Site) {
    let world = with_a_full_house(site, 1);
    write(&world.intake().join("second/input"), "x");
    world.until_state("second", StateName::Staged);
    cancelled(&world, "second");
    world.let_go();
    world.until_succeeded(&["first"]);
    stays_cancelled(&world, "second");
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

/// Holds a lock file as a job would.
pub(super) fn lock(path: &Path) -> Option<Flock<OwnedFd>> {
    let file = fs::OpenOptions::new().create(true).append(true).open(path).ok()?;
    Flock::lock(OwnedFd::from(file), FlockArg::LockExclusiveNonblock).ok()
}

fn a_case_that_is_being_handed_over_is_cancelled_by_taking_its_claim(site: Site) {
    let world = World::started(Setup::at(site));
    // Something of an earlier attempt seems to run: every start is refused.
    let locks = world.path("work/.daylily-watch/cases/new_cases");
    world.ground.make_there(&locks);
    let held = lock(&locks.join("busy.lock")).unwrap();
    world.ground.give(&locks.join("busy.lock"));
    write(&world.intake().join("busy/input"), "x");
    world.until("it cannot be handed over", |world| {
        let case = world.case("busy");
        case.is_some_and(|case| {
            case.state.name() == StateName::Submitting && !case.troubles.is_empty()
        })
    });
    assert_eq!(world.ask("cancel", "busy"), "done");
    world.until_state("busy", StateName::Cancelled);
    drop(held);
    // What was begun too late finds the claim taken.
    let claim =
        world.path("work/.daylily-watch").join(world.attempt("busy").as_str()).join("claim");
    assert!(fs::read_to_string(claim).unwrap().contains("\"by\":\"daemon\""));
    assert!(world.runs().is_empty());
    world.is_settled();
}

/// Runs on as a child, in a session of its own, without any descriptor, as an orphan,
/// and all of these again.
const ESCAPING: &str = "sleep 1000 &
setsid sleep 1000 &
setsid sh -c 'exec <&- >&- 2>&- 8>&- 9>&-; sleep 1000 & exec sleep 1000' &
(setsid sh -c '(exec <&- >&- 2>&- 8>&- 9>&-; sleep 1000 & sleep 1000 &) &' &)
sleep 1000";

/// Cancels, and proves that nothing is left of it when the slot is seen to be free.
fn ends_all_before_the_slot_is_free(world: &World, name: &str) {
    let attempt = world.attempt(name);
    assert_eq!(world.ask("cancel", name), "done");
    world.until("the place is free", |world| {
        let free = world.reader().slots().unwrap()[0].view.state == SlotState::Free;
        if free {
            let left = processes_of(&attempt);
            assert!(left.is_empty(), "the place is free and {left:?} run on");
        }
        free
    });
    world.until_state(name, StateName::Cancelled);
    world.is_settled();
}

fn cancel_ends_children_that_escape_before_the_slot_is_free(site: Site) {
    let world = World::started(Setup::job(site, ESCAPING).slots(1));
    write(&world.intake().join("wild/input"), "x");
    let is_sleep = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    };
    world.until("all of it runs", |world| {
        world.state("wild") == Some(StateName::Running)
            && processes_of(&world.attempt("wild")).iter().filter(|pid| is_sleep(pid)).count() == 7
    });
    ends_all_before_the_slot_is_free(&world, "wild");
}

fn cancel_ends_what_does_not_listen_to_a_polite_signal(site: Site) {
    let world = World::started(
        Setup::job(site, "trap '' TERM; setsid sh -c 'trap \"\" TERM; exec 8>&- 9>&-; while :; do sleep 1; done' & while :; do sleep 1; done").slots(1),
    );
    write(&world.intake().join("deaf/input"), "x");
    world.until("all of it runs", |world| {
        world.state("deaf") == Some(StateName::Running)
            && processes_of(&world.attempt("deaf")).len() >= 3
    });
    ends_all_before_the_slot_is_free(&world, "deaf");
}

fn left_overs_of_a_job_that_ended_are_gone_before_the_slot_is_free(site: Site) {
    let world = World::started(
        Setup::job(
            site,
            "setsid sh -c 'exec <&- >&- 2>&- 8>&- 9>&-; exec sleep 1000' & cp input out.txt",
        )
        .slots(1),
    );
    write(&world.intake().join("untidy/input"), "x");
    world.until("it has begun", |world| !world.runs().is_empty());
    let attempt = world.attempt("untidy");
    world.until("the place is free again", |world| {
        let free = world.all_slots_are_free();
        assert!(!free || processes_of(&attempt).is_empty(), "the place is free, it runs on");
        free
    });
    world.until_succeeded(&["untidy"]);
    let result = fs::read_to_string(world.results_of("untidy").join("out.txt")).unwrap();
    assert_eq!(result, "x", "what it left behind says nothing of its results");
    world.is_settled();
}

fn left_overs_excuse_no_missing_output(site: Site) {
    let mut setup = Setup::job(
        site,
        "setsid sh -c 'exec <&- >&- 2>&- 8>&- 9>&-; exec sleep 1000' & cp input out.txt",
    );
    setup.pipeline.push("expect: [never.vcf]".to_owned());
    let world = World::started(setup);
    write(&world.intake().join("untidy/input"), "x");
    world.until_state("untidy", StateName::Failed);
    world.until_because("untidy", "never.vcf is missing");
    world.is_settled();
}

fn a_case_whose_results_are_being_fetched_is_cancelled(site: Site) {
    let world = World::new(Setup::at(site));
    // A file is where the results are to go.
    fs::write(world.path("results"), "in the way").unwrap();
    let mut world = world;
    world.start();
    write(&world.intake().join("home/input"), "x");
    world.until("the results cannot be stored", |world| {
        let case = world.case("home");
        case.is_some_and(|case| {
            case.state.name() == StateName::Returning && !case.troubles.is_empty()
        })
    });
    cancelled(&world, "home");
    world.is_settled();
}

fn a_held_case_is_cancelled(site: Site) {
    let world = with_a_full_house(site, 1);
    write(&world.intake().join("second/input"), "x");
    world.until_state("second", StateName::Staged);
    for name in ["second", "first"] {
        assert_eq!(world.ask("hold", name), "done");
        assert_eq!(world.ask("cancel", name), "done");
        world.until_state(name, StateName::Cancelled);
    }
    assert_eq!(world.runs().len(), 1);
    assert!(processes_of(&world.attempt("first")).is_empty());
    world.is_settled();
}

fn a_rejected_case_is_cancelled_and_stays_so(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::at(site) });
    fs::write(world.intake().join("no folder"), "x").unwrap();
    write(&world.intake().join("link/input"), "x");
    std::os::unix::fs::symlink("/etc/passwd", world.intake().join("link/out")).unwrap();
    for name in ["no folder", "link"] {
        world.until_state(name, StateName::Rejected);
        cancelled(&world, name);
    }
    stays_cancelled(&world, "no folder");
    stays_cancelled(&world, "link");
    world.is_settled();
}

fn a_rerun_of_a_cancelled_case_runs_it(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO).slots(1));
    write(&world.intake().join("after all/input"), "x");
    world.until_running("after all");
    cancelled(&world, "after all");
    world.let_go();
    assert_eq!(world.ask("rerun", "after all"), "done");
    world.until_succeeded(&["after all"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

on_sites! {
    a_case_that_waits_for_a_place_is_cancelled_and_never_starts: here, ssh_pueue, ssh_direct;
    a_case_that_is_being_copied_is_cancelled_and_the_copy_stops: here, ssh_pueue, ssh_direct;
    a_staged_case_is_cancelled_and_never_starts: here, ssh_pueue, ssh_direct;
    a_case_that_is_being_handed_over_is_cancelled_by_taking_its_claim: here, ssh_pueue, ssh_direct;
    cancel_ends_children_that_escape_before_the_slot_is_free: here, ssh_pueue, ssh_direct;
    cancel_ends_what_does_not_listen_to_a_polite_signal: here, ssh_pueue, ssh_direct;
    left_overs_of_a_job_that_ended_are_gone_before_the_slot_is_free: here, ssh_pueue, ssh_direct;
    left_overs_excuse_no_missing_output: here, ssh_pueue, ssh_direct;
    a_case_whose_results_are_being_fetched_is_cancelled: here, ssh_pueue, ssh_direct;
    a_held_case_is_cancelled: here, ssh_pueue, ssh_direct;
    a_rerun_of_a_cancelled_case_runs_it: here, ssh_pueue, ssh_direct;
    // No headnode knows of it.
    an_arriving_case_is_cancelled_and_stays_so: here;
    a_rejected_case_is_cancelled_and_stays_so: here;
}
