//! The world around the daemon is not what it was: a headnode points elsewhere, the disk
//! of the database is full or read-only. Nothing is concluded, nothing runs twice, and
//! what is wrong is said aloud.

use std::fs;
use std::path::{Path, PathBuf};

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::HeadnodeState;
use daylily_watch::store::standstill::Standstill;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, processes_of, write};
use crate::namespace::ran_in_one;
use crate::wait::{self, LIMIT};

on_sites! {
    two_headnodes_that_change_places_run_nothing_twice: here, ssh_direct;
    what_was_being_handed_over_is_not_begun_again_by_adopting_another_place: here;
    a_headnode_that_points_elsewhere_concludes_nothing_and_goes_on_when_it_points_back: here, ssh_pueue;
    a_headnode_with_another_name_is_refused_until_it_is_adopted: here;
    a_full_disk_of_the_database_stops_everything_loudly_and_no_job: here, ssh_pueue;
    a_read_only_database_stops_everything_loudly_and_no_job: here, ssh_pueue;
}

/// Whether a headnode is set aside with these words.
fn is_aside(world: &World, name: &str, words: &str) -> bool {
    let headnodes = world.reader().headnodes().unwrap();
    let node = headnodes.iter().find(|node| node.name.as_str() == name).unwrap();
    matches!(&node.state, HeadnodeState::Broken { because, .. } if because.contains(words))
}

fn is_owned(world: &World, name: &str) -> bool {
    let headnodes = world.reader().headnodes().unwrap();
    headnodes.iter().any(|node| node.name.as_str() == name && node.owned_at.is_some())
}

fn config(world: &World) -> String {
    fs::read_to_string(world.path("config.yaml")).unwrap()
}

fn configure(world: &World, text: &str) {
    fs::write(world.path("config.yaml"), text).unwrap();
}

/// What stands there of the headnode, from its name to the pipelines.
fn headnode_of(text: &str) -> &str {
    let begin = text.find("  - name: hpc").unwrap();
    &text[begin..text.find("pipelines:").unwrap()]
}

/// Two headnodes, `hpc` and `spare`; on the first a job has begun, and the database does
/// not know. Returns the configuration, and the one in which they have changed places.
fn begun_and_not_known(site: Site) -> (World, String, String) {
    let mut world = World::new(Setup { rescan: "1s", ..Setup::job(site, UNTIL_LET_GO) });
    let text = config(&world);
    let (work, other) = (world.path("work").display().to_string(), world.path("other"));
    world.ground.make_there(&other);
    let spare = headnode_of(&text)
        .replace("name: hpc", "name: spare")
        .replace(&work, &other.display().to_string());
    let both = text.replace("pipelines:", &format!("{spare}pipelines:"));
    configure(&world, &both);
    world.start();
    world.until("both are ours", |world| is_owned(world, "hpc") && is_owned(world, "spare"));

    // The job has begun, and the database does not know.
    write(&world.intake().join("case/input"), "x");
    // Only what is planned is done without the database.
    world.until("it is about to be handed over", |world| {
        world
            .reader()
            .board(0)
            .unwrap()
            .iter()
            .any(|row| row.state == StateName::Submitting && row.planned)
    });
    let standstill = Standstill::new(&world.path("state"), env!("CARGO_PKG_VERSION")).unwrap();
    standstill.begin().unwrap();
    assert_eq!(world.state("case"), Some(StateName::Submitting), "it was met too late");
    world.until("the job has begun", |world| world.runs().len() == 1);
    world.kill();
    standstill.end().unwrap();
    drop(standstill);

    let swapped = both
        .replace(&format!("work_dir: {work}\n"), "work_dir: THERE\n")
        .replace(&format!("work_dir: {}\n", other.display()), &format!("work_dir: {work}\n"))
        .replace("work_dir: THERE\n", &format!("work_dir: {}\n", other.display()));
    (world, both, swapped)
}

fn two_headnodes_that_change_places_run_nothing_twice(site: Site) {
    let (mut world, both, swapped) = begun_and_not_known(site);
    configure(&world, &swapped);
    world.start();
    for name in ["hpc", "spare"] {
        world.until("it is set aside", |world| is_aside(world, name, "as the headnode"));
    }
    world.is_looked_at();
    assert_eq!(world.runs().len(), 1);
    assert_eq!(world.state("case"), Some(StateName::Submitting));
    assert!(!world.all_slots_are_free());

    world.kill();
    configure(&world, &both);
    world.start();
    let args = serde_json::json!({ "headnode": "hpc" }).as_object().unwrap().clone();
    assert_eq!(world.ask_with("resume", "", args), "done");
    world.let_go();
    world.until_succeeded(&["case"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn what_was_being_handed_over_is_not_begun_again_by_adopting_another_place(site: Site) {
    let (mut world, both, swapped) = begun_and_not_known(site);
    configure(&world, &swapped);
    world.start();
    world.until("it is set aside", |world| is_aside(world, "hpc", "as the headnode"));
    let said = world.verb(&["adopt", "hpc", "--reason", "I thought it was the right one"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("1 being handed over and not there, held"), "{said:?}");
    world.until_because("case", "it may run where hpc was before");
    world.is_looked_at();
    assert_eq!(world.runs().len(), 1);
    assert!(!world.all_slots_are_free());
    world.kill();
    configure(&world, &both);
    world.start();
    assert_eq!(world.verb(&["resume", "case"]).code, Some(0));
    world.let_go();
    world.until_succeeded(&["case"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn a_headnode_that_points_elsewhere_concludes_nothing_and_goes_on_when_it_points_back(site: Site) {
    let mut world = World::started(Setup { lost_after: "1s", ..Setup::job(site, UNTIL_LET_GO) });
    write(&world.intake().join("case/input"), "x");
    world.until_running("case");
    let attempt = world.attempt("case");
    world.kill();
    let text = config(&world);
    let work = format!("work_dir: {}\n", world.path("work").display());
    world.ground.make_there(&world.path("elsewhere/empty"));
    let elsewhere = format!("work_dir: {}\n", world.path("elsewhere/empty").display());
    configure(&world, &text.replace(&work, &elsewhere));
    world.start();
    world.until("it is set aside", |world| is_aside(world, "hpc", "owner is missing"));
    write(&world.intake().join("new/input"), "x");
    world.until_state("new", StateName::Ready);
    assert_eq!(world.state("case"), Some(StateName::Running));
    assert!(!world.all_slots_are_free());
    assert!(!processes_of(&attempt).is_empty());
    assert!(fs::read_dir(world.path("elsewhere/empty")).unwrap().next().is_none());
    // Nobody adopts a folder where nothing of ours ever was.
    assert_eq!(world.verb(&["adopt", "hpc", "--reason", "it is there"]).code, Some(1));

    world.kill();
    configure(&world, &text);
    world.start();
    let args = serde_json::json!({ "headnode": "hpc" }).as_object().unwrap().clone();
    assert_eq!(world.ask_with("resume", "", args), "done");
    world.let_go();
    world.until_succeeded(&["case", "new"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn a_headnode_with_another_name_is_refused_until_it_is_adopted(site: Site) {
    let mut world = World::started(Setup::at(site));
    write(&world.intake().join("before/input"), "x");
    world.until_succeeded(&["before"]);
    world.kill();
    configure(&world, &config(&world).replace("name: hpc", "name: cluster"));
    world.start();
    world.until("it is set aside", |world| is_aside(world, "cluster", "as the headnode hpc"));
    write(&world.intake().join("case/input"), "x");
    world.until_state("case", StateName::Ready);
    let said = world.verb(&["adopt", "cluster", "--reason", "it has another name now"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    world.until_succeeded(&["case"]);
    world.kill();
    world.start();
    write(&world.intake().join("later/input"), "x");
    world.until_succeeded(&["later"]);
    assert_eq!(world.runs().len(), 3);
    world.is_settled();
}

/// A small file system; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    /// Over a folder, which stays as it is below.
    fn over(folder: &Path) -> Self {
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some("size=4m,mode=0700"))
            .unwrap();
        Self(folder.to_owned())
    }

    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        // The end of the room is what is wanted.
        let _ = fs::write(&filler, vec![1; 8 << 20]);
        filler
    }

    fn turn(&self, flags: MsFlags) {
        let flags = MsFlags::MS_REMOUNT | flags;
        // What a killed daemon had started may still have a file open.
        wait::until("nobody writes there", LIMIT, || {
            mount(Some("tmpfs"), &self.0, Some("tmpfs"), flags, Some("size=4m")).is_ok()
        });
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn a_full_disk_of_the_database_stops_everything_loudly_and_no_job(site: Site) {
    if ran_in_one(
        "system::wrong_worlds::a_full_disk_of_the_database_stops_everything_loudly_and_no_job::here",
    ) {
        return;
    }
    let mut world = World::new(Setup::job(site, UNTIL_LET_GO));
    let small = Small::over(&world.path("state"));
    world.start();
    write(&world.intake().join("case/input"), "x");
    world.until_running("case");
    let attempt = world.attempt("case");
    let filler = small.fill();
    let mut number = 0;
    // What is in the log already has room; each case needs more.
    world.until("it gives up", |world| {
        if number < 2000 {
            write(&world.intake().join(format!("c{number:04}/input")), "x");
            number += 1;
        }
        world.log().contains("is full")
    });
    let status = world.ended();
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(world.log().lines().last().unwrap_or_default().contains("hint: "), "{}", world.log());
    assert!(!processes_of(&attempt).is_empty(), "its job runs on");
    // While there is no room nothing begins either, and nothing is begun anew.
    world.spawn();
    let status = world.ended();
    assert_eq!(status.code(), Some(1), "{status}");

    fs::remove_file(filler).unwrap();
    for number in 0..number {
        let _ = fs::remove_dir_all(world.intake().join(format!("c{number:04}")));
    }
    world.start();
    world.let_go();
    world.until_succeeded(&["case"]);
    assert_eq!(world.runs_of("case").len(), 1);
    world.until("all that was begun has ended", |world| {
        world
            .all_cases()
            .iter()
            .all(|case| case.state.name().is_terminal() || case.state.name() == StateName::Ready)
    });
    world.is_lawful();
    world.terminate(LIMIT);
    drop(small);
}

fn a_read_only_database_stops_everything_loudly_and_no_job(site: Site) {
    if ran_in_one(
        "system::wrong_worlds::a_read_only_database_stops_everything_loudly_and_no_job::here",
    ) {
        return;
    }
    let mut world = World::new(Setup::job(site, UNTIL_LET_GO));
    let small = Small::over(&world.path("state"));
    world.start();
    write(&world.intake().join("case/input"), "x");
    world.until_running("case");
    world.until("its command has begun", |world| world.runs().len() == 1);
    let attempt = world.attempt("case");
    world.kill();
    small.turn(MsFlags::MS_RDONLY);
    write(&world.intake().join("new/input"), "x");
    world.spawn();
    let status = world.ended();
    assert_eq!(status.code(), Some(1), "{status}");
    let log = world.log();
    assert!(log.contains("cannot write in"), "{log}");
    assert!(log.lines().last().unwrap_or_default().contains("hint: "), "{log}");
    assert!(!processes_of(&attempt).is_empty(), "its job runs on");
    assert_eq!(world.runs().len(), 1);
    small.turn(MsFlags::empty());
    world.start();
    world.let_go();
    world.until_succeeded(&["case", "new"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
    world.terminate(LIMIT);
    drop(small);
}
