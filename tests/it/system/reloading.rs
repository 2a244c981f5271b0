//! A configuration that is read anew while the daemon runs: what changed acts, a file with
//! a mistake changes nothing, and nothing that runs is looked for somewhere else.

use std::fs;

use daylily_lifecycle::case::StateName;
use daylily_watch::reconcile::read_alive;
use nix::sys::signal::Signal;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};

on_sites! {
    what_changed_acts_without_a_restart_and_what_runs_goes_on: here, ssh_pueue;
    to_drop_or_re_point_what_has_live_cases_is_refused: here, ssh_pueue;
    a_file_with_a_mistake_keeps_the_old_one: here;
    a_sighup_reads_it_anew: here;
}

fn config(world: &World) -> String {
    fs::read_to_string(world.path("config.yaml")).unwrap()
}

fn configure(world: &World, text: &str) {
    fs::write(world.path("config.yaml"), text).unwrap();
}

#[track_caller]
fn changed(world: &World, from: &str, to: &str) {
    let text = config(world);
    assert!(text.contains(from), "{from}: {text}");
    configure(world, &text.replace(from, to));
}

fn what_changed_acts_without_a_restart_and_what_runs_goes_on(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO).slots(1));
    if site.has_pueue() {
        world.ground.pueued().must(&["parallel", "2"]);
    }
    write(&world.intake().join("before/input"), "x");
    world.until_running("before");
    let pid = world.pid();
    let alive = || read_alive(&world.path("state")).expect("the daemon says that it lives");
    let started = alive().started_at;
    changed(&world, "slots: 1", "slots: 2");
    changed(&world, "cp input out.txt", "cp input out.txt; echo anew >>out.txt");
    changed(&world, "timezone: UTC", "timezone: Europe/Berlin");
    changed(&world, "pipelines:\n", "notify: []\npipelines:\n");

    let told = "acts now: headnodes[0].groups[0].slots\n\
                acts in jobs that are handed over from now on: pipelines.default.command\n\
                acts after a restart: timezone\n";
    let said = world.verb(&["reload", "--dry-run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.out, format!("configuration: done: {}", told.replace("acts", "would act")));
    world.is_looked_at_again();
    assert_eq!(world.reader().slots().unwrap().len(), 1, "it was only looked at");

    let said = world.verb(&["reload"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.out, format!("configuration: done: {told}"));
    assert_eq!(alive().started_at, started, "it is the same daemon");
    write(&world.intake().join("after/input"), "x");
    world.until_running("after");
    assert_eq!(world.state("before"), Some(StateName::Running), "both have a place");
    assert_eq!(world.pid(), pid);
    world.let_go();
    world.until_succeeded(&["before", "after"]);
    let result = |name: &str| fs::read_to_string(world.results_of(name).join("out.txt")).unwrap();
    assert_eq!((result("before").as_str(), result("after").as_str()), ("x", "xanew\n"));
    assert_eq!(world.runs().len(), 2);
    let said = world.verb(&["reload"]);
    assert!(said.out.contains("after a restart: timezone"), "it still waits for one: {said:?}");
    world.is_settled();
}

fn to_drop_or_re_point_what_has_live_cases_is_refused(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("one/input"), "x");
    write(&world.intake().join("two/input"), "x");
    for name in ["one", "two"] {
        world.until_running(name);
    }
    let good = config(&world);
    let work = format!("work_dir: {}", world.path("work").display());
    let host = good.lines().find(|line| line.contains(" host: ")).unwrap().to_owned();
    for (from, to, told) in [
        (
            work.as_str(),
            "work_dir: /elsewhere",
            "headnode hpc has another work_dir (/elsewhere, was ",
        ),
        (
            &host,
            "    host: nobody@elsewhere",
            "headnode hpc has another host (nobody@elsewhere, was ",
        ),
        ("name: hpc", "name: cluster", "headnode hpc is not there any more"),
        ("path: ./new_cases", "path: ./elsewhere", "intake new_cases has another path ("),
        ("name: new_cases", "name: others", "intake new_cases is not there any more"),
    ] {
        configure(&world, &good);
        changed(&world, from, to);
        for args in [&["reload"][..], &["reload", "--dry-run"]] {
            let said = world.verb(args);
            assert_eq!(said.code, Some(1), "{to}: {said:?}");
            assert!(said.out.contains("refused, and what was read before stays: "), "{said:?}");
            assert!(said.out.contains(told), "{told}: {said:?}");
            assert!(said.out.contains("2 cases are under way ("), "{said:?}");
            assert!(said.out.contains("\nhint: let them end or `cancel` them first ("), "{said:?}");
        }
    }
    world.let_go();
    world.until_succeeded(&["one", "two"]);
    // With nothing under way it is a configuration like any other.
    fs::create_dir(world.path("more")).unwrap();
    configure(&world, &good);
    changed(&world, "path: ./new_cases", "path: ./more");
    let said = world.verb(&["reload"]);
    assert_eq!(
        (said.code, said.out.contains("acts now: intakes[0].path")),
        (Some(0), true),
        "{said:?}"
    );
    write(&world.path("more/three/input"), "x");
    world.until_succeeded(&["three"]);
    assert_eq!(world.runs().len(), 3);
    world.is_settled();
}

fn a_file_with_a_mistake_keeps_the_old_one(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("one/input"), "x");
    world.until_running("one");
    let good = config(&world);
    configure(&world, &format!("{good}headnodez: 1\nlost_after: 5\n"));
    let said = world.verb(&["reload"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    for mistake in ["headnodez", "lost_after"] {
        assert!(said.err.contains(mistake), "{said:?}");
    }
    // Who asks may have another file than the daemon.
    fs::write(world.path("good.yaml"), &good).unwrap();
    let said = world.verb_with("good.yaml", &["reload"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("the file has mistakes, and what was read before stays"), "{said:?}");
    assert!(said.out.contains("headnodez") && said.out.contains("config.yaml"), "{said:?}");
    world.let_go();
    world.until_succeeded(&["one"]);
    write(&world.intake().join("two/input"), "x");
    world.until_succeeded(&["two"]);
    world.is_settled();
}

fn a_sighup_reads_it_anew(site: Site) {
    let mut world = World::started(Setup::at(site));
    changed(&world, "slots: 2", "slots: 3");
    world.signal(Signal::SIGHUP);
    world.until("it is read", |world| world.reader().slots().unwrap().len() == 3);
    world.until("it is told", |world| {
        world.log().contains("acts now: headnodes[0].groups[0].slots")
    });
    changed(&world, "slots: 3", "slotz: 4");
    world.signal(Signal::SIGHUP);
    world.until("it is refused", |world| world.log().contains("the configuration was not taken"));
    write(&world.intake().join("case/input"), "x");
    world.until_succeeded(&["case"]);
    assert_eq!(world.terminate(crate::wait::LIMIT).code(), Some(0));
    // Nobody is there who would read it now.
    changed(&world, "slotz: 4", "slots: 4");
    let said = world.verb(&["reload"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("no daemon is running: the next start reads "), "{said:?}");
}
