//! Names that come back, folders that change too late, and people who stop things.

use std::fs;
use std::time::Duration;

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::HeadnodeState;
use serde_json::{Map, Value, json};

use super::setup::{Setup, UNTIL_LET_GO, slowly};
use super::site::{Site, on_sites};
use super::world::{HEADNODE, INTAKE, World, now, processes_of, write};
use crate::namespace::ran_in_one;

fn quick(site: Site) -> Setup {
    Setup { rescan: "1s", ..Setup::at(site) }
}

fn args(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn take_away(world: &World, name: &str) {
    fs::remove_dir_all(world.intake().join(name)).unwrap();
    world.is_looked_at();
}

fn a_name_that_comes_back_with_the_same_content_is_not_run_again(site: Site) {
    let mut world = World::started(quick(site));
    write(&world.intake().join("twice/input"), "same");
    world.until_succeeded(&["twice"]);
    take_away(&world, "twice");
    write(&world.intake().join("twice/input"), "same");
    world.until("it was compared", |world| {
        world
            .reader()
            .last_history(50)
            .unwrap()
            .iter()
            .any(|entry| entry.note.as_ref().is_some_and(|note| note.contains("the same content")))
    });
    world.is_looked_at();
    world.kill();
    world.start();
    world.is_looked_at();
    assert_eq!(world.runs().len(), 1);
    let case = world.case("twice").unwrap();
    assert_eq!((case.arrival.0, case.state.name()), (1, StateName::Succeeded));
    // It is compared once, not at every look.
    let compared =
        world.reader().last_history(500).unwrap().into_iter().filter(|entry| {
            entry.note.as_ref().is_some_and(|note| note.contains("the same content"))
        });
    assert_eq!(compared.count(), 1);
    assert_eq!(world.ask("rerun", "twice"), "done");
    world.until("the rerun has succeeded", |world| {
        let case = world.case("twice").unwrap();
        case.state.name() == StateName::Succeeded && case.attempts().count() == 2
    });
    world.is_settled();
}

fn a_name_that_comes_back_with_other_content_is_a_second_arrival(site: Site) {
    let world = World::started(quick(site));
    write(&world.intake().join("twice/input"), "first");
    world.until_succeeded(&["twice"]);
    take_away(&world, "twice");
    write(&world.intake().join("twice/input"), "second");
    world.until("the second arrival has succeeded", |world| {
        let case = world.case("twice").unwrap();
        case.arrival.0 == 2 && case.state.name() == StateName::Succeeded
    });
    let result = |name: &str| fs::read_to_string(world.results_of(name).join("out.txt")).unwrap();
    assert_eq!((result("twice").as_str(), result("twice.2").as_str()), ("first", "second"));
    let copied = |name: &str| fs::read_to_string(world.copy_of(name).join("input")).unwrap();
    assert_eq!((copied("twice").as_str(), copied("twice.2").as_str()), ("first", "second"));
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn a_finished_folder_may_be_deleted(site: Site) {
    let mut world = World::started(quick(site));
    write(&world.intake().join("done/input"), "x");
    world.until_succeeded(&["done"]);
    let before = world.case("done").unwrap();
    take_away(&world, "done");
    world.terminate(Duration::from_secs(5));
    world.start();
    world.is_looked_at();
    assert_eq!(world.case("done").unwrap(), before);
    assert!(world.results_of("done").join("out.txt").try_exists().unwrap());
    world.is_settled();
}

fn touching_an_old_case_does_not_start_new_work_and_is_told_once(site: Site) {
    let world = World::started(quick(site));
    let folder = world.intake().join("old");
    write(&folder.join("input"), "x");
    world.until_succeeded(&["old"]);
    let ended = world.case("old").unwrap().finished_at.unwrap();
    // Change times are compared by the second, and the kernel's clock for files lags.
    world.until("a change is later than the end", |_| {
        now().duration_since(ended).as_millis() > 1_100
    });
    write(&folder.join("late.txt"), "late");
    world.until("it is told", |world| world.case("old").unwrap().changed.is_some());
    world.until_because("old", "late.txt changed in the intake");
    let version = world.case("old").unwrap().version;
    write(&folder.join("later.txt"), "later");
    world.is_looked_at();
    assert_eq!(world.case("old").unwrap().version, version, "it was told again");
    assert_eq!(world.runs().len(), 1);
    // The rerun takes what is there now.
    assert_eq!(world.ask("rerun", "old"), "done");
    world.until("the rerun has succeeded", |world| {
        let case = world.case("old").unwrap();
        case.state.name() == StateName::Succeeded && case.attempts().count() == 2
    });
    assert!(world.copy_of("old").join("late.txt").try_exists().unwrap());
    assert!(world.case("old").unwrap().changed.is_none());
    world.is_settled();
}

fn a_change_while_the_job_runs_is_told_and_not_run(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::job(site, UNTIL_LET_GO) });
    write(&world.intake().join("busy/input"), "x");
    world.until_running("busy");
    write(&world.intake().join("busy/late.txt"), "late");
    world.until("it is noticed", |world| world.case("busy").unwrap().changed.is_some());
    world.let_go();
    world.until_succeeded(&["busy"]);
    world.until_because("busy", "late.txt");
    assert!(!world.copy_of("busy").join("late.txt").try_exists().unwrap());
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

/// Stops, proves that a new case does not start, resumes, and sees it through.
fn stops_and_goes_on(world: &World, stop: impl Fn(&World), go_on: impl Fn(&World), told: &str) {
    write(&world.intake().join("running/input"), "x");
    world.until_running("running");
    stop(world);
    write(&world.intake().join("new/input"), "x");
    world.until("it says why it waits", |world| {
        world.state("new") == Some(StateName::Ready) && world.because("new").contains(told)
    });
    // What runs is not touched.
    world.let_go();
    world.until_succeeded(&["running"]);
    world.is_looked_at();
    assert!(world.runs_of("new").is_empty());
    go_on(world);
    world.until_succeeded(&["new"]);
    world.is_settled();
}

fn waiting_world(site: Site) -> World {
    World::started(Setup { rescan: "1s", ..Setup::job(site, UNTIL_LET_GO) })
}

fn the_file_stop_stops_what_is_new_and_nothing_that_runs(site: Site) {
    stops_and_goes_on(
        &waiting_world(site),
        |world| fs::write(world.path("state/STOP"), "the tape robot burns").unwrap(),
        |world| fs::remove_file(world.path("state/STOP")).unwrap(),
        "the tape robot burns",
    );
}

fn the_file_stop_holds_across_restarts_and_resume_takes_it_away(site: Site) {
    let mut world = World::new(quick(site));
    fs::write(world.path("state/STOP"), "").unwrap();
    write(&world.intake().join("new/input"), "x");
    for _ in 0..2 {
        world.start();
        world.until_state("new", StateName::Ready);
        world.is_looked_at();
        world.kill();
    }
    assert!(world.runs().is_empty());
    world.start();
    assert_eq!(world.ask_with("resume", "", args(json!({ "all": true }))), "done");
    world.until_succeeded(&["new"]);
    assert!(!world.path("state/STOP").try_exists().unwrap());
    world.is_settled();
}

fn pause_all_intake_and_headnode_stop_what_is_new(site: Site) {
    for what in
        [json!({ "all": true }), json!({ "intake": INTAKE }), json!({ "headnode": HEADNODE })]
    {
        let ask = |world: &World, verb: &str| {
            assert_eq!(world.ask_with(verb, "", args(what.clone())), "done", "{what}");
        };
        let world = waiting_world(site);
        stops_and_goes_on(
            &world,
            |world| ask(world, "pause"),
            |world| ask(world, "resume"),
            "anna",
        );
    }
}

fn a_pause_holds_across_a_kill(site: Site) {
    let mut world = World::started(quick(site));
    assert_eq!(world.ask_with("pause", "", args(json!({ "all": true }))), "done");
    world.kill();
    world.start();
    write(&world.intake().join("new/input"), "x");
    world.until_state("new", StateName::Ready);
    world.is_looked_at();
    assert!(world.runs().is_empty());
    assert_eq!(world.ask_with("resume", "", args(json!({ "all": true }))), "done");
    world.until_succeeded(&["new"]);
    world.is_settled();
}

fn held_before_it_is_handed_over_a_case_gives_its_slot_to_the_next(site: Site) {
    let setup = Setup { headnode: slowly(site, "20MiB/s"), ..Setup::at(site) };
    let world = World::started(setup.slots(1));
    write(&world.intake().join("held/input"), "x");
    let size: u64 = if site.is_far() { 300 << 20 } else { 6 << 30 };
    fs::File::create(world.intake().join("held/big")).unwrap().set_len(size).unwrap();
    world.until_state("held", StateName::Shipping);
    assert_eq!(world.ask("hold", "held"), "done");
    write(&world.intake().join("next/input"), "x");
    world.until_succeeded(&["next"]);
    assert_eq!(world.state("held"), Some(StateName::Shipping));
    world.until_because("held", "Waiting for a person");
    assert!(world.runs_of("held").is_empty());
    fs::File::options()
        .write(true)
        .open(world.intake().join("held/big"))
        .unwrap()
        .set_len(9)
        .unwrap();
    assert_eq!(world.ask("resume", "held"), "done");
    world.until_succeeded(&["held"]);
    world.is_settled();
}

fn held_while_it_runs_a_case_keeps_its_slot_until_its_end_is_seen(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO).slots(1));
    write(&world.intake().join("held/input"), "x");
    world.until_running("held");
    assert_eq!(world.ask("hold", "held"), "done");
    assert!(!world.all_slots_are_free());
    world.let_go();
    // The end frees the slot; what follows waits for the person.
    world.until("the place is free", World::all_slots_are_free);
    world.until_state("held", StateName::Returning);
    assert_eq!(world.ask("resume", "held"), "done");
    world.until_succeeded(&["held"]);
    world.is_settled();
}

fn an_intake_whose_check_file_is_missing_is_unreadable_not_empty(site: Site) {
    let mut setup = quick(site);
    setup.intake.push("mount_check: .mounted".to_owned());
    setup.quiet = "3s";
    let mut world = World::new(setup);
    fs::write(world.intake().join(".mounted"), "").unwrap();
    world.start();
    write(&world.intake().join("arriving/input"), "x");
    world.until_state("arriving", StateName::Arriving);
    // As an unmounted share looks: another, empty folder.
    fs::rename(world.intake(), world.path("elsewhere/share")).unwrap();
    fs::create_dir(world.intake()).unwrap();
    loses_nothing(&mut world, "arriving");
    fs::remove_dir(world.intake()).unwrap();
    fs::rename(world.path("elsewhere/share"), world.intake()).unwrap();
    world.until_succeeded(&["arriving"]);
    assert_eq!(world.case("arriving").unwrap().arrival.0, 1);
    world.is_settled();
}

fn loses_nothing(world: &mut World, name: &str) {
    let unreadable = |world: &World| world.reader().intakes().unwrap()[0].unreadable.is_some();
    world.until("it is seen", unreadable);
    world.until("it is told", |world| world.because(name).contains("Cannot be judged"));
    // A look a second: the quiet period passes meanwhile.
    let next_look =
        |world: &World| world.reader().intakes().unwrap()[0].unreadable.clone().unwrap().next_look;
    for _ in 0..4 {
        let before = next_look(world);
        world.until("it is looked at again", |world| next_look(world) > before);
    }
    assert_eq!(world.state(name), Some(StateName::Arriving));
    world.kill();
    world.start();
    world.until("it is still seen", unreadable);
    assert_eq!(world.state(name), Some(StateName::Arriving));
}

fn an_unmounted_intake_is_unreadable_not_empty(site: Site) {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    if ran_in_one("system::identity::an_unmounted_intake_is_unreadable_not_empty::here") {
        return;
    }
    struct Mounted(std::path::PathBuf);
    impl Mounted {
        fn bind(from: &std::path::Path, on: &std::path::Path) -> Self {
            mount(Some(from), on, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
            Self(on.to_owned())
        }
    }
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = umount2(&self.0, MntFlags::MNT_DETACH);
        }
    }
    let mut world = World::new(Setup { quiet: "3s", ..quick(site) });
    let share = Mounted(world.path("share"));
    fs::create_dir(&share.0).unwrap();
    mount(Some("dw-share"), &share.0, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    let intake = world.intake();
    let mounted = Mounted::bind(&share.0, &intake);
    world.start();
    write(&intake.join("arriving/input"), "x");
    world.until_state("arriving", StateName::Arriving);
    drop(mounted);
    loses_nothing(&mut world, "arriving");
    let _mounted = Mounted::bind(&share.0, &intake);
    world.until_succeeded(&["arriving"]);
    assert_eq!(world.case("arriving").unwrap().arrival.0, 1);
    world.is_settled();
    world.kill();
}

fn a_work_dir_that_is_not_mounted_is_broken_and_nothing_is_concluded(site: Site) {
    let mut world =
        World::started(Setup { lost_after: "1s", rescan: "1s", ..Setup::job(site, UNTIL_LET_GO) });
    write(&world.intake().join("running/input"), "x");
    world.until_running("running");
    let attempt = world.attempt("running");
    fs::rename(world.path("work"), world.path("elsewhere/work")).unwrap();
    world.ground.make_there(&world.path("work"));
    let broken = |world: &World| {
        matches!(world.reader().headnodes().unwrap()[0].state, HeadnodeState::Broken { .. })
    };
    world.until("it is broken", broken);
    write(&world.intake().join("new/input"), "x");
    world.until_state("new", StateName::Ready);
    world.kill();
    world.start();
    // Looks at the intake tell that the daemon goes round and round.
    world.is_looked_at();
    world.is_looked_at();
    assert!(broken(&world));
    assert_eq!(world.state("running"), Some(StateName::Running));
    assert!(!world.all_slots_are_free());
    assert!(fs::read_dir(world.path("work")).unwrap().next().is_none(), "something was written");
    assert!(!processes_of(&attempt).is_empty());
    fs::remove_dir(world.path("work")).unwrap();
    fs::rename(world.path("elsewhere/work"), world.path("work")).unwrap();
    assert_eq!(world.ask_with("resume", "", args(json!({ "headnode": HEADNODE }))), "done");
    world.let_go();
    world.until_succeeded(&["running", "new"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn a_rerun_of_a_case_whose_folder_is_gone_says_so_and_runs_when_it_is_back(site: Site) {
    let world = World::started(quick(site));
    write(&world.intake().join("gone/input"), "x");
    world.until_succeeded(&["gone"]);
    fs::rename(world.intake().join("gone"), world.path("elsewhere/gone")).unwrap();
    world.is_looked_at();
    assert_eq!(world.ask("rerun", "gone"), "done");
    world.until("it is noticed", |world| world.case("gone").unwrap().vanished_at.is_some());
    world.until_because("gone", "is gone since");
    assert_eq!(world.runs().len(), 1);
    fs::rename(world.path("elsewhere/gone"), world.intake().join("gone")).unwrap();
    world.until("the rerun has succeeded", |world| {
        let case = world.case("gone").unwrap();
        case.state.name() == StateName::Succeeded && case.attempts().count() == 2
    });
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn folders_are_moved_after_success_and_failure_and_run_again_from_there(site: Site) {
    let mut setup =
        Setup { rescan: "1s", ..Setup::job(site, "[ ! -e fail ] || exit 1; cp input out.txt") };
    setup.intake.push("on_success: {move_to: ./done}".to_owned());
    setup.intake.push("on_failure: {move_to: ./failed}".to_owned());
    let world = World::started(setup);
    write(&world.intake().join("good/input"), "x");
    write(&world.intake().join("bad/input"), "x");
    write(&world.intake().join("bad/fail"), "x");
    world.until_succeeded(&["good"]);
    world.until_state("bad", StateName::Failed);
    assert!(world.path("done/good/input").try_exists().unwrap());
    assert!(world.path("failed/bad/input").try_exists().unwrap());
    assert!(fs::read_dir(world.intake()).unwrap().next().is_none());
    fs::remove_file(world.path("failed/bad/fail")).unwrap();
    assert_eq!(world.ask("rerun", "bad"), "done");
    world.until_succeeded(&["bad"]);
    assert!(world.path("done/bad/input").try_exists().unwrap());
    // The name may come again, with other content.
    write(&world.intake().join("good/input"), "y");
    world.until("the second arrival has succeeded", |world| {
        let case = world.case("good").unwrap();
        case.arrival.0 == 2 && case.state.name() == StateName::Succeeded
    });
    assert_eq!(world.runs().len(), 4);
    let mut done: Vec<_> = fs::read_dir(world.path("done"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    done.sort();
    assert_eq!(done, ["bad", "good", "good.2"]);
    world.is_settled();
}

fn the_file_stop_is_told_by_what_waits_already(site: Site) {
    let world = World::started(Setup {
        headnode: vec!["ship_ahead: 0".to_owned()],
        ..Setup::job(site, UNTIL_LET_GO).slots(1)
    });
    write(&world.intake().join("first/input"), "x");
    world.until_running("first");
    write(&world.intake().join("waits/input"), "x");
    world.until_because("waits", "Waiting for a place");
    fs::write(world.path("state/STOP"), "fire drill").unwrap();
    world.until_because("waits", "fire drill");
    fs::remove_file(world.path("state/STOP")).unwrap();
    world.until_because("waits", "Waiting for a place");
    world.let_go();
    world.until_succeeded(&["first", "waits"]);
    world.is_settled();
}

on_sites! {
    held_before_it_is_handed_over_a_case_gives_its_slot_to_the_next: here, ssh_pueue, ssh_direct;
    held_while_it_runs_a_case_keeps_its_slot_until_its_end_is_seen: here, ssh_pueue, ssh_direct;
    a_work_dir_that_is_not_mounted_is_broken_and_nothing_is_concluded: here, ssh_pueue, ssh_direct;
    a_name_that_comes_back_with_other_content_is_a_second_arrival: here, ssh_pueue;
    the_file_stop_stops_what_is_new_and_nothing_that_runs: here, ssh_pueue;
    pause_all_intake_and_headnode_stop_what_is_new: here, ssh_pueue;
    // Names and folders are of the intake; a headnode meets what comes of them.
    a_name_that_comes_back_with_the_same_content_is_not_run_again: here;
    a_finished_folder_may_be_deleted: here;
    touching_an_old_case_does_not_start_new_work_and_is_told_once: here;
    a_change_while_the_job_runs_is_told_and_not_run: here;
    the_file_stop_holds_across_restarts_and_resume_takes_it_away: here;
    a_pause_holds_across_a_kill: here;
    an_intake_whose_check_file_is_missing_is_unreadable_not_empty: here;
    an_unmounted_intake_is_unreadable_not_empty: here;
    a_rerun_of_a_case_whose_folder_is_gone_says_so_and_runs_when_it_is_back: here;
    folders_are_moved_after_success_and_failure_and_run_again_from_there: here;
    the_file_stop_is_told_by_what_waits_already: here;
}
