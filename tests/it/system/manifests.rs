//! Cases that bring a list of checksums: nothing starts before all of it is there and right.

use std::time::Duration;

use daylily_lifecycle::case::{ConditionName, StateName};

use super::setup::Setup;
use super::site::Site;
use super::world::{World, write};
use crate::wait;

/// Of `foo` and of `bar`.
const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const BAR: &str = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

fn is_not_complete(world: &World, name: &str, why: &str) {
    world.until_because(name, why);
    assert!(!wait::holds(Duration::from_secs(2), || !world.runs().is_empty()), "it started");
    assert_eq!(world.state(name), Some(StateName::Arriving));
}

fn fails_to_hold(world: &World, name: &str, condition: ConditionName) -> bool {
    let case = world.case(name);
    case.is_some_and(|case| case.condition(condition).is_some_and(|condition| !condition.holds))
}

#[test]
fn a_wrong_file_needs_correction_and_runs_when_it_is_right() {
    let mut world = World::started(Setup { rescan: "1s", ..Setup::at(Site::Here) });
    let folder = world.intake().join("sums");
    write(&folder.join("input"), "foo");
    write(&folder.join("run 2/R1"), "baz");
    write(&folder.join("SHA256SUMS"), format!("{FOO}  input\r\n{BAR} *./run 2/R1\r\n"));
    world.until_state("sums", StateName::Rejected);
    world.until_because(
        "sums",
        "run 2/R1 is not what SHA256SUMS says: its SHA-256 begins with baa5a0964d33, not with \
         fcde2b2edba5",
    );
    // A restart knows it without reading anything again.
    let compared = |world: &World| {
        let log = std::fs::read_to_string(world.path("daemon.log")).unwrap();
        log.lines().filter(|line| line.contains("compared")).count()
    };
    assert_eq!(compared(&world), 1);
    world.terminate(Duration::from_secs(5));
    world.start();
    world.is_looked_at();
    assert_eq!((world.state("sums"), compared(&world)), (Some(StateName::Rejected), 1));
    assert!(world.ask("accept", "sums").contains("never accepted"));
    write(&folder.join("run 2/R1"), "bar");
    world.until_succeeded(&["sums"]);
    assert_eq!((world.runs().len(), compared(&world)), (1, 2));
    world.is_settled();
}

#[test]
fn a_named_file_that_is_missing_is_waited_for() {
    let world = World::started(Setup::at(Site::Here));
    let folder = world.intake().join("sums");
    write(&folder.join("input"), "foo");
    write(&folder.join("md5sum.txt"), "acbd18db4cc2f85cedef654fccc4a4d8  late/input\n");
    is_not_complete(&world, "sums", "md5sum.txt names late/input, which is not there yet");
    write(&folder.join("late/input"), "foo");
    world.until_succeeded(&["sums"]);
    world.is_settled();
}

#[test]
fn a_manifest_that_is_asked_for_must_come_or_be_left_out_by_a_person() {
    let setup = || Setup { settle: ", manifest: sums.txt".to_owned(), ..Setup::at(Site::Here) };
    let world = World::started(setup());
    for name in ["comes", "never comes"] {
        write(&world.intake().join(name).join("input"), "foo");
        is_not_complete(&world, name, "sums.txt has not come");
    }
    write(&world.intake().join("comes/sums.txt"), format!("{FOO}  input\n"));
    assert_eq!(world.ask("accept", "never comes"), "done");
    world.until_succeeded(&["comes", "never comes"]);
    let accepted = world.case("never comes").unwrap().accepted.unwrap();
    assert_eq!(accepted.by.as_str(), "anna");
    world.is_settled();
}

#[test]
fn what_is_there_is_compared_also_where_a_person_left_out_the_rest() {
    let world = World::started(Setup::at(Site::Here));
    let folder = world.intake().join("half");
    write(&folder.join("input"), "wrong");
    write(&folder.join("SHA256SUMS"), format!("{FOO}  input\n{BAR}  never\n"));
    is_not_complete(&world, "half", "names never, which is not there yet");
    assert_eq!(world.ask("accept", "half"), "done");
    world.until_state("half", StateName::Rejected);
    world.until_because("half", "input is not what SHA256SUMS says");
    assert!(world.runs().is_empty());
    world.is_settled();
}

#[test]
fn one_that_cannot_be_read_is_told_by_line_and_none_looks_at_none() {
    let world = World::started(Setup { rescan: "1s", ..Setup::at(Site::Here) });
    let folder = world.intake().join("odd");
    write(&folder.join("input"), "foo");
    write(&folder.join("SHA256SUMS"), "see the other list\n../x\n");
    world.until_state("odd", StateName::Rejected);
    world.until_because("odd", "SHA256SUMS line 1 is no checksum with the name of a file (1 more");
    std::fs::remove_file(folder.join("SHA256SUMS")).unwrap();
    world.until_succeeded(&["odd"]);
    world.is_settled();
    drop(world);

    let world =
        World::started(Setup { settle: ", manifest: none".to_owned(), ..Setup::at(Site::Here) });
    let folder = world.intake().join("odd");
    write(&folder.join("input"), "foo");
    write(&folder.join("SHA256SUMS"), "see the other list\n");
    world.until_succeeded(&["odd"]);
    assert!(!fails_to_hold(&world, "odd", ConditionName::Manifest));
    world.is_settled();
}
