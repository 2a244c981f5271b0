//! What should not be in an intake, and is: one bad case stops nothing but itself, and
//! goes on by itself when it is corrected.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use daylily_lifecycle::case::{ConditionName, State, StateName};

use super::same::assert_same;
use super::setup::{Setup, UNTIL_LET_GO, slowly};
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::wait;

/// A user without rights who owns nothing here.
const NOBODY: u32 = 65_534;

/// A good case beside the bad ones, put there last, succeeds.
fn others_go_on(world: &World) {
    write(&world.intake().join("a good one/input"), "x");
    world.until_succeeded(&["a good one"]);
}

/// A daemon that modes keep out, also where the tests run as root.
fn started_unprivileged(setup: Setup) -> World {
    // Behind ssh jobs run as somebody who is not root.
    if setup.site.is_far() || !nix::unistd::geteuid().is_root() {
        return World::started(setup);
    }
    let mut world = World::new(Setup { uid: Some(NOBODY), ..setup });
    for folder in ["", "new_cases", "state", "elsewhere", "config.yaml"] {
        std::os::unix::fs::chown(world.path(folder), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    world.start();
    world
}

fn rejected_for(world: &World, name: &str, words: &str) {
    world.until_state(name, StateName::Rejected);
    let State::Rejected { problems, .. } = world.case(name).unwrap().state else { unreachable!() };
    assert!(problems.iter().any(|problem| problem.contains(words)), "{name}: {problems:?}");
    world.until_because(name, "goes on by itself");
}

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

fn an_empty_folder_waits_for_a_file_and_then_runs(site: Site) {
    let world = World::started(Setup::at(site));
    fs::create_dir_all(world.intake().join("empty/and/nested")).unwrap();
    world.until("it waits for a file", |world| {
        let holds = |name| {
            let case = world.case("empty");
            case.and_then(|case| case.condition(name).map(|condition| condition.holds))
        };
        holds(ConditionName::Quiet) == Some(true) && holds(ConditionName::Content) == Some(false)
    });
    others_go_on(&world);
    assert_eq!(world.state("empty"), Some(StateName::Arriving));
    write(&world.intake().join("empty/input"), "x");
    world.until_succeeded(&["empty"]);
    world.is_settled();
}

fn a_file_in_place_of_a_folder_is_rejected_and_goes_on_when_it_is_replaced_by_one(site: Site) {
    let world = World::started(Setup::at(site));
    fs::write(world.intake().join("thing"), "x").unwrap();
    rejected_for(&world, "thing", "a case is a folder");
    others_go_on(&world);
    fs::remove_file(world.intake().join("thing")).unwrap();
    write(&world.intake().join("thing/input"), "x");
    world.until_succeeded(&["thing"]);
    world.is_settled();
}

fn special_files_and_symlinks_that_leave_are_rejected_until_they_are_gone(site: Site) {
    let world = World::started(Setup::at(site));
    let intake = world.intake();
    for name in ["fifo", "socket", "absolute", "climbing", "through"] {
        write(&intake.join(name).join("input"), "x");
        fs::create_dir(intake.join(name).join("sub")).unwrap();
    }
    fifo(&intake.join("fifo/sub/pipe"));
    let _socket = UnixListener::bind(intake.join("socket/sub/s")).unwrap();
    symlink("/etc/passwd", intake.join("absolute/sub/l")).unwrap();
    symlink("../../fifo/input", intake.join("climbing/sub/l")).unwrap();
    symlink(".", intake.join("through/sub/here")).unwrap();
    symlink("here/../../../fifo/input", intake.join("through/sub/l")).unwrap();
    for (name, words, bad) in [
        ("fifo", "sub/pipe is a FIFO", "sub/pipe"),
        ("socket", "sub/s is a socket", "sub/s"),
        ("absolute", "sub/l is a symlink that leaves the case, to /etc/passwd", "sub/l"),
        ("climbing", "sub/l is a symlink that leaves the case", "sub/l"),
        ("through", "sub/l is a symlink that leaves the case", "sub/l"),
    ] {
        rejected_for(&world, name, words);
        if name == "fifo" {
            others_go_on(&world);
        }
        fs::remove_file(intake.join(name).join(bad)).unwrap();
    }
    for name in ["fifo", "socket", "absolute", "climbing", "through"] {
        world.until_succeeded(&[name]);
        assert_same(&intake.join(name), &world.copy_of(name), &["out.txt"]);
    }
    world.is_settled();
}

fn control_characters_in_names_are_rejected_outside_and_inside(site: Site) {
    let world = World::started(Setup::at(site));
    let intake = world.intake();
    write(&intake.join("new\nline/input"), "x");
    write(&intake.join("inside/input"), "x");
    write(&intake.join("inside/tab\there"), "x");
    rejected_for(&world, "inside", "control character");
    world.until("the folder is rejected", |world| {
        world.all_cases().iter().any(|case| {
            case.name.as_str().contains("line") && case.state.name() == StateName::Rejected
        })
    });
    others_go_on(&world);
    fs::rename(intake.join("inside/tab\there"), intake.join("inside/no tab")).unwrap();
    fs::rename(intake.join("new\nline"), intake.join("no new line")).unwrap();
    world.until_succeeded(&["inside", "no new line"]);
    world.until("the old name is forgotten", |world| {
        world.all_cases().iter().all(|case| case.state.name() == StateName::Succeeded)
    });
    world.is_settled();
}

fn names_that_are_not_utf_8_are_rejected_outside_and_inside(site: Site) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let world = World::started(Setup::at(site));
    let latin = OsStr::from_bytes(b"caf\xe9");
    write(&world.intake().join(latin).join("input"), "x");
    write(&world.intake().join("inside/input"), "x");
    write(&world.intake().join("inside").join(latin), "x");
    rejected_for(&world, "inside", "not valid UTF-8");
    world.until("the folder is rejected", |world| world.all_cases().len() == 2);
    others_go_on(&world);
    fs::rename(world.intake().join("inside").join(latin), world.intake().join("inside/café"))
        .unwrap();
    fs::rename(world.intake().join(latin), world.intake().join("café")).unwrap();
    world.until_succeeded(&["inside", "café"]);
    world.is_settled();
}

fn names_of_255_bytes_run_like_all_others(site: Site) {
    let world = World::started(Setup::at(site));
    let long = "n".repeat(255);
    let umlauts = "ü".repeat(127);
    for name in [&long, &umlauts] {
        write(&world.intake().join(name).join("input"), "x");
        write(&world.intake().join(name).join(&long).join(&umlauts).join(&long), "deep");
    }
    world.until_succeeded(&[&long, &umlauts]);
    for name in [&long, &umlauts] {
        let place = world.case(name).unwrap().attempt().unwrap().place.clone();
        assert_same(&world.intake().join(name), Path::new(&place.remote_dir), &["out.txt"]);
    }
    // A rerun keeps the earlier result under a name that is still within 255 bytes.
    assert_eq!(world.ask("rerun", &long), "done");
    world.until("the rerun has succeeded", |world| {
        let case = world.case(&long).unwrap();
        case.state.name() == StateName::Succeeded && case.attempts().count() == 2
    });
    assert_eq!(fs::read_dir(world.path("results/new_cases")).unwrap().count(), 3);
    world.is_settled();
}

fn an_unreadable_file_is_told_and_goes_on_when_it_can_be_read(site: Site) {
    let world = started_unprivileged(Setup::at(site));
    let folder = world.intake().join("secret");
    write(&folder.join("input"), "x");
    write(&folder.join("sub/of mine"), "x");
    write(&folder.join("closed/inside"), "x");
    let mode = |path: &str, mode| {
        fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("sub/of mine", 0o000);
    mode("closed", 0o000);
    rejected_for(&world, "secret", "sub/of mine cannot be read: permission denied");
    rejected_for(&world, "secret", "closed cannot be read: permission denied");
    others_go_on(&world);
    mode("sub/of mine", 0o644);
    mode("closed", 0o755);
    world.until_succeeded(&["secret"]);
    assert_same(&folder, &world.copy_of("secret"), &["out.txt"]);
    world.is_settled();
}

fn a_folder_that_a_job_closed_is_its_own_trouble(site: Site) {
    let world = started_unprivileged(Setup::job(
        site,
        "cp input out.txt; mkdir closed; chmod 000 closed; [ ! -e all ] || chmod 000 .",
    ));
    write(&world.intake().join("all closed/input"), "x");
    write(&world.intake().join("all closed/all"), "x");
    let folder = world.copy_of("all closed");
    let words = format!("{} cannot be read", folder.display());
    world.until_because("all closed", &words);
    others_go_on(&world);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    world.until_succeeded(&["all closed"]);
    world.is_settled();
}

fn litter_of_other_systems_is_no_part_of_a_case(site: Site) {
    let world = World::started(Setup::at(site));
    let intake = world.intake();
    for litter in ["Thumbs.db", ".DS_Store", "desktop.ini", "._resource"] {
        write(&intake.join(litter), "x");
        write(&intake.join("tidy").join(litter), "x");
        write(&intake.join("tidy/sub").join(litter), "x");
    }
    write(&intake.join("tidy/input"), "x");
    write(&intake.join("tidy/.hidden data"), "x");
    write(&intake.join("New folder/input"), "x");
    write(&intake.join(".not yet/input"), "x");
    write(&intake.join("case.part/input"), "x");
    world.until_succeeded(&["tidy"]);
    let copied: Vec<_> = fs::read_dir(world.copy_of("tidy")).unwrap().flatten().collect();
    let mut names: Vec<_> =
        copied.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".hidden data", "input", "out.txt", "sub"]);
    let all: Vec<String> = world.all_cases().iter().map(|case| case.name.to_string()).collect();
    assert_eq!(all, ["tidy"]);
    // Windows writes Thumbs.db whenever somebody looks: that changes nothing.
    write(&intake.join("tidy/Thumbs.db"), "looked at");
    others_go_on(&world);
    assert!(world.case("tidy").unwrap().changed.is_none());
    fs::rename(intake.join("New folder"), intake.join("named")).unwrap();
    fs::rename(intake.join("case.part"), intake.join("case")).unwrap();
    world.until_succeeded(&["named", "case"]);
    world.is_settled();
}

fn a_folder_that_vanishes_while_it_arrives_is_forgotten(site: Site) {
    let world = World::started(Setup { quiet: "3s", ..Setup::at(site) });
    write(&world.intake().join("gone/input"), "x");
    world.until_state("gone", StateName::Arriving);
    fs::remove_dir_all(world.intake().join("gone")).unwrap();
    world.until("it is forgotten", |world| world.case("gone").is_none());
    others_go_on(&world);
    assert_eq!(world.runs().len(), 1);
    // The same name again is a case like any other.
    write(&world.intake().join("gone/input"), "x");
    world.until_succeeded(&["gone"]);
    world.is_settled();
}

/// `first` has the one place; `second` waits in `state`.
fn second_waits(site: Site, state: StateName) -> World {
    let ahead = u32::from(state == StateName::Staged);
    let world = World::started(Setup {
        headnode: vec![format!("ship_ahead: {ahead}")],
        rescan: "1s",
        ..Setup::job(
            site,
            &format!("[ \"$DAYLILY_CASE\" != first ] || {{ {UNTIL_LET_GO}; }}; cp input out.txt"),
        )
        .slots(1)
    });
    write(&world.intake().join("first/input"), "x");
    world.until_running("first");
    write(&world.intake().join("second/input"), "old");
    world.until_state("second", state);
    world
}

fn a_folder_that_vanishes_while_it_waits_starts_nothing_and_is_told(site: Site) {
    for state in [StateName::Ready, StateName::Staged] {
        let world = second_waits(site, state);
        fs::rename(world.intake().join("second"), world.path("elsewhere/second")).unwrap();
        world.until("it is told", |world| world.case("second").unwrap().vanished_at.is_some());
        world.let_go();
        world.until_succeeded(&["first"]);
        others_go_on(&world);
        assert!(world.runs_of("second").is_empty(), "{state}");
        // It is found again where it was.
        fs::rename(world.path("elsewhere/second"), world.intake().join("second")).unwrap();
        world.until_succeeded(&["second"]);
        assert_eq!(world.runs_of("second").len(), 1);
        world.is_settled();
    }
}

fn a_folder_replaced_while_it_waits_runs_with_its_new_content(site: Site) {
    for state in [StateName::Ready, StateName::Staged] {
        let world = second_waits(site, state);
        write(&world.path("elsewhere/second/input"), "new");
        fs::rename(world.intake().join("second"), world.path("elsewhere/old")).unwrap();
        fs::rename(world.path("elsewhere/second"), world.intake().join("second")).unwrap();
        world.until("it arrives again", |world| world.state("second") == Some(StateName::Arriving));
        world.let_go();
        world.until_succeeded(&["second"]);
        let result = fs::read_to_string(world.results_of("second").join("out.txt")).unwrap();
        assert_eq!(result, "new", "{state}");
        // It is known to be this case's folder: nothing has to be compared.
        world.is_looked_at();
        assert_eq!(world.all_cases().len(), 2);
        let history = world.reader().last_history(500).unwrap();
        let folders = history.iter().filter(|entry| entry.from.is_none()).count();
        assert_eq!(folders, 2, "{state}: it appeared anew");
        assert_eq!(world.runs_of("second").len(), 1);
        world.is_settled();
    }
}

fn a_folder_that_changes_or_vanishes_while_it_is_copied_is_never_run_by_half(site: Site) {
    let world = World::started(Setup {
        rescan: "1s",
        headnode: slowly(site, "20MiB/s"),
        ..Setup::at(site)
    });
    for name in ["changes", "vanishes"] {
        let folder = world.intake().join(name);
        write(&folder.join("input"), "old");
        // A copy over ssh is written in full.
        let size = if site.is_far() { 100 << 20 } else { 2 << 30 };
        fs::File::create(folder.join("big")).unwrap().set_len(size).unwrap();
    }
    world.until_state("changes", StateName::Shipping);
    write(&world.intake().join("changes/input"), "new content");
    world.until_state("vanishes", StateName::Shipping);
    fs::remove_dir_all(world.intake().join("vanishes")).unwrap();
    world.until_succeeded(&["changes"]);
    let result = fs::read_to_string(world.results_of("changes").join("out.txt")).unwrap();
    assert_eq!(result, "new content");
    world.until("it is told", |world| {
        world.case("vanishes").is_none_or(|case| case.vanished_at.is_some())
    });
    others_go_on(&world);
    assert!(world.runs_of("vanishes").is_empty());
    world.is_lawful();
}

fn a_folder_deleted_while_its_job_runs_takes_nothing_from_the_run(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::job(site, UNTIL_LET_GO) });
    write(&world.intake().join("early/input"), "kept");
    world.until_running("early");
    fs::remove_dir_all(world.intake().join("early")).unwrap();
    world.until("it is noticed", |world| world.case("early").unwrap().vanished_at.is_some());
    world.let_go();
    world.until_succeeded(&["early"]);
    assert_eq!(fs::read_to_string(world.results_of("early").join("out.txt")).unwrap(), "kept");
    world.is_settled();
}

fn one_bad_case_blocks_no_other(site: Site) {
    let world =
        World::started(Setup::job(site, "[ ! -e crash ] || kill -9 $$; cp input out.txt").slots(1));
    let intake = world.intake();
    write(&intake.join("crashes/crash"), "x");
    write(&intake.join("in the way/input"), "x");
    world.ground.make_there(&world.copy_of("in the way"));
    write(&world.copy_of("in the way").join("input"), "of somebody else");
    world.ground.give(&world.copy_of("in the way").join("input"));
    write(&intake.join("special/input"), "x");
    fifo(&intake.join("special/pipe"));
    fs::write(intake.join("file"), "x").unwrap();
    fs::create_dir(intake.join("empty")).unwrap();
    for n in 0..5 {
        write(&intake.join(format!("good {n}/input")), "x");
    }
    for n in 0..5 {
        world.until_succeeded(&[&format!("good {n}")]);
    }
    world.until_state("crashes", StateName::Failed);
    world.until("it is held", |world| world.case("in the way").unwrap().hold.is_some());
    world.until_because("in the way", "Waiting for a person");
    // What was there is not touched, and once it is moved away the case goes on.
    let there = world.copy_of("in the way").join("input");
    assert_eq!(fs::read_to_string(&there).unwrap(), "of somebody else");
    fs::remove_file(there).unwrap();
    assert_eq!(world.ask("retry", "in the way"), "done");
    world.until_succeeded(&["in the way"]);
    world.is_settled();
    assert!(!wait::holds(Duration::from_millis(100), || !world.all_slots_are_free()));
}

on_sites! {
    a_folder_that_a_job_closed_is_its_own_trouble: here, ssh_pueue, ssh_direct;
    a_folder_that_changes_or_vanishes_while_it_is_copied_is_never_run_by_half: here, ssh_pueue, ssh_direct;
    one_bad_case_blocks_no_other: here, ssh_pueue, ssh_direct;
    names_of_255_bytes_run_like_all_others: here, ssh_pueue;
    a_folder_that_vanishes_while_it_waits_starts_nothing_and_is_told: here, ssh_pueue;
    a_folder_replaced_while_it_waits_runs_with_its_new_content: here, ssh_pueue;
    a_folder_deleted_while_its_job_runs_takes_nothing_from_the_run: here, ssh_pueue;
    // What the intake alone refuses never comes near a headnode.
    an_empty_folder_waits_for_a_file_and_then_runs: here;
    a_file_in_place_of_a_folder_is_rejected_and_goes_on_when_it_is_replaced_by_one: here;
    special_files_and_symlinks_that_leave_are_rejected_until_they_are_gone: here;
    control_characters_in_names_are_rejected_outside_and_inside: here;
    names_that_are_not_utf_8_are_rejected_outside_and_inside: here;
    an_unreadable_file_is_told_and_goes_on_when_it_can_be_read: here;
    litter_of_other_systems_is_no_part_of_a_case: here;
    a_folder_that_vanishes_while_it_arrives_is_forgotten: here;
}
