//! Folders that arrive in every way people have: each runs once, when it is whole.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::same::assert_same;
use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, now, write};
use crate::intake::sender::Sender;
use crate::wait::{self, LIMIT};

const AWKWARD: [&str; 6] = [
    "two words and a 'quote'",
    "costs $HOME \"double\"",
    "`touch pwned`; rm -rf x",
    "Größe-東京-é",
    "-rf --delete",
    "a*b?[c]&(d)|<e>#~!%n\\",
];

/// Waits out a while: what must not happen in it has no condition to wait for.
fn for_a_while(how_long: Duration, never: impl FnMut() -> bool) {
    assert!(!wait::holds(how_long, never), "it happened");
}

fn fill(folder: &Path, name: &str) {
    write(&folder.join("input"), format!("the input of {name}\n"));
    write(&folder.join("run 1/R1 'x'.fastq.gz"), vec![7; 70_000]);
    write(&folder.join("run 1/deep/er/$(id);`id`/-x"), b"\0\xff binary \n");
    write(&folder.join("empty"), "");
    fs::create_dir_all(folder.join("no files in here")).unwrap();
    std::os::unix::fs::symlink("../input", folder.join("run 1/link")).unwrap();
}

fn six_awkward_cases_run_once_each_while_another_is_written_slowly(site: Site) {
    let world = World::started(Setup::at(site));
    // Slow: gaps of three quarters of the quiet period, till all others are done.
    let slow = world.intake().join("slow");
    write(&slow.join("input"), "slow\n");
    for name in AWKWARD {
        fill(&world.intake().join(name), name);
    }
    let mut parts = 0;
    let mut last_write = now();
    let done = |world: &World| {
        AWKWARD.iter().all(|name| {
            world.state(name).is_some_and(daylily_lifecycle::case::StateName::is_terminal)
        })
    };
    while parts < 8 || !done(&world) {
        for_a_while(Duration::from_millis(750), || !world.runs_of("slow").is_empty());
        parts += 1;
        last_write = now();
        write(&slow.join(format!("nested {parts}/part")), [parts; 1000]);
        assert!(parts < 100, "the others do not end");
    }
    world.until_succeeded(&AWKWARD);
    world.until_succeeded(&["slow"]);

    for name in AWKWARD.iter().chain(&["slow"]) {
        let original = world.intake().join(name);
        assert_same(&original, &world.copy_of(name), &["out.txt"]);
        let result = fs::read(world.results_of(name).join("out.txt")).unwrap();
        assert_eq!(result, fs::read(original.join("input")).unwrap(), "result of {name}");
        assert_eq!(world.runs_of(name).len(), 1, "{name}");
    }
    let began = world.runs_of("slow")[0].began_ns;
    let quiet = last_write.as_nanosecond().unsigned_abs() + 990_000_000;
    assert!(began >= quiet, "it began {} ns too early", quiet - began);
    assert!(!world.path("work/new_cases/pwned").try_exists().unwrap());
    world.is_settled();
}

fn a_folder_renamed_into_place_runs_once(site: Site) {
    let world = World::started(Setup::at(site));
    fill(&world.path("elsewhere/whole"), "whole");
    fs::rename(world.path("elsewhere/whole"), world.intake().join("whole")).unwrap();
    world.until_succeeded(&["whole"]);
    assert_same(&world.intake().join("whole"), &world.copy_of("whole"), &["out.txt"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn folders_already_there_at_start_run_once_not_never_and_not_twice(site: Site) {
    let mut world = World::new(Setup::at(site));
    fill(&world.intake().join("before"), "before");
    world.start();
    world.until_succeeded(&["before"]);
    world.terminate(Duration::from_secs(5));
    world.start();
    fill(&world.intake().join("after"), "after");
    world.until_succeeded(&["after"]);
    assert_eq!(world.runs_of("before").len(), 1);
    assert_eq!(world.runs_of("after").len(), 1);
    world.is_settled();
}

fn a_sender_slower_than_the_quiet_period_does_not_split_a_case(site: Site) {
    let world = World::started(Setup::at(site));
    let folder = world.intake().join("held open");
    write(&folder.join("input"), "");
    let mut sender = Sender::open(&folder.join("input"));
    sender.append("first");
    world.until("the writer is seen", |world| {
        world.case("held open").is_some_and(|case| {
            let holds = |name| case.condition(name).is_some_and(|condition| condition.holds);
            holds(daylily_lifecycle::case::ConditionName::Quiet)
                && !holds(daylily_lifecycle::case::ConditionName::NoWriters)
        })
    });
    for_a_while(Duration::from_secs(2), || !world.runs().is_empty());
    sender.append("last");
    drop(sender);
    world.until_succeeded(&["held open"]);
    let result = fs::read_to_string(world.results_of("held open").join("out.txt")).unwrap();
    assert_eq!(result, "first\nlast\n");
    world.is_settled();
}

fn half_written_names_of_rsync_keep_a_case_arriving(site: Site) {
    let world = World::started(Setup::at(site));
    let folder = world.intake().join("by rsync");
    write(&folder.join("input"), "whole\n");
    write(&folder.join("run/.R1.fastq.gz.aB3dE9"), vec![1; 1000]);
    world.until("the half-written file is what is waited for", |world| {
        world.case("by rsync").is_some_and(|case| {
            let name = daylily_lifecycle::case::ConditionName::Unfinished;
            let quiet = daylily_lifecycle::case::ConditionName::Quiet;
            case.condition(name).is_some_and(|condition| !condition.holds)
                && case.condition(quiet).is_some_and(|condition| condition.holds)
        })
    });
    for_a_while(Duration::from_secs(2), || !world.runs().is_empty());
    fs::rename(folder.join("run/.R1.fastq.gz.aB3dE9"), folder.join("run/R1.fastq.gz")).unwrap();
    world.until_within("it runs", LIMIT, |world| !world.runs().is_empty());
    world.until_succeeded(&["by rsync"]);
    assert_same(&folder, &world.copy_of("by rsync"), &["out.txt"]);
    world.is_settled();
}

fn writes_from_another_host_are_found_without_inotify(site: Site) {
    let world = World::started(Setup {
        rescan: "1s",
        intake: vec!["existing: process".to_owned(), "watch: poll".to_owned()],
        ..Setup::at(site)
    });
    fill(&world.intake().join("told by nobody"), "told by nobody");
    world.until_succeeded(&["told by nobody"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

on_sites! {
    six_awkward_cases_run_once_each_while_another_is_written_slowly: here, ssh_pueue, ssh_direct;
    a_folder_renamed_into_place_runs_once: here, ssh_pueue;
    folders_already_there_at_start_run_once_not_never_and_not_twice: here, ssh_pueue;
    a_sender_slower_than_the_quiet_period_does_not_split_a_case: here, ssh_pueue;
    half_written_names_of_rsync_keep_a_case_arriving: here, ssh_pueue;
    // Only the intake is looked at in another way.
    writes_from_another_host_are_found_without_inotify: here;
}
