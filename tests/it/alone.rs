//! Many cases at once, and many that are over: what they cost. What measures has the
//! machine for itself, and its name puts it first: else all others would wait for it in
//! the midst of their work.

use std::collections::BTreeMap;

use std::fs;
use std::time::Duration;

use daylily_lifecycle::case::{CaseKind, Order, Priority, StateName};
use daylily_lifecycle::ids::{
    Actor, Arrival, CaseId, CaseName, HeadnodeName, IntakeName, PipelineName,
};
use daylily_lifecycle::observation::{Appeared, Observation, Observed, Request, Verb};
use daylily_watch::store::recording::Fact;
use daylily_watch::store::{Planned, Store};
use nix::unistd::Pid;

use crate::system::setup::{Setup, UNTIL_LET_GO};
use crate::system::site::{Site, on_sites};
use crate::system::world::{HEADNODE, INTAKE, World, now, write};
use crate::wait;

const QUIET: Duration = Duration::from_secs(2);

/// The most that was resident, without the pages of the program's own file: a debug build
/// has several times those of the one that people install.
fn memory_peak_kib(world: &World) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", world.pid())).unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    field("VmHWM:") - field("RssFile:")
}

/// Processor time that the daemon has used, without its children.
fn processor_time(world: &World) -> Duration {
    let clock = nix::time::clock_getcpuclockid(Pid::from_raw(world.pid())).unwrap();
    Duration::from(nix::time::clock_gettime(clock).unwrap())
}

fn unfinished(world: &World) -> u64 {
    world.reader().counts().unwrap().iter().map(|count| count.cases).sum()
}

fn a_thousand_cases_at_once_are_found_within_10_s_and_each_runs_once(site: Site) {
    // Without a queue each is started by a command of its own, which fewer show as well.
    let cases = if site == Site::SshDirect { 100 } else { 1000 };
    let mut world = World::alone(Setup {
        quiet: "2s",
        fetch: "[]",
        more: vec!["log: {level: warn}".to_owned()],
        headnode: vec!["max_transfers: 8".to_owned(), "ship_ahead: 16".to_owned()],
        ..Setup::job(site, "true").slots(16)
    });
    world.start();
    let names: Vec<String> = (0..cases).map(|n| format!("case {n:04}")).collect();
    for name in &names {
        write(&world.intake().join(name).join("run/input"), name);
    }
    world.until_within("all have succeeded", Duration::from_secs(600), |world| {
        wait::holds(Duration::from_millis(200), || false);
        unfinished(world) == 0 && world.runs().len() == cases
    });
    let all = world.all_cases();
    assert_eq!(all.len(), cases);
    assert!(all.iter().all(|case| case.state.name() == StateName::Succeeded));
    let late = all.into_iter().map(|case| {
        let complete = case.last_change.unwrap().at + QUIET;
        (case.ready_at.unwrap().duration_since(complete), case.name)
    });
    let (latest, name) = late.max().unwrap();
    assert!(latest.as_millis() <= 10_000, "{name} was found {latest:#} late");
    let runs = world.runs();
    assert_eq!(runs.len(), cases);
    let peak = memory_peak_kib(&world);
    assert!(peak < 64 << 10, "{peak} KiB");
    #[allow(clippy::print_stderr, reason = "what was measured")]
    {
        eprintln!("the latest was found {latest:#} late, memory {peak} KiB");
    }
    world.is_settled();
}

/// Cases that are over, made as the daemon makes them.
fn finished(world: &World, cases: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, _) =
            Store::open(&world.path("state"), now(), env!("CARGO_PKG_VERSION")).unwrap();
        let (intake, headnode) = (IntakeName::new(INTAKE), HeadnodeName::new(HEADNODE));
        store.sync_intakes(vec![intake.clone()]).await.unwrap();
        store.sync_headnodes(vec![headnode.clone()]).await.unwrap();
        for chunk in (0..cases).collect::<Vec<_>>().chunks(500) {
            let mut facts = Vec::new();
            for number in chunk {
                let id = CaseId::new(ulid::Ulid::generate().to_string());
                let seen = |what| Observed { at: now(), actor: Actor::new("test"), what };
                let appeared = Observation::Appeared(Box::new(Appeared {
                    case: id.clone(),
                    intake: intake.clone(),
                    name: CaseName::new(format!("old {number:05}")),
                    arrival: Arrival::FIRST,
                    path: world.intake().join(format!("old {number:05}")).display().to_string(),
                    kind_of_case: CaseKind::Folder,
                    order: Order {
                        pipeline: PipelineName::new("default"),
                        priority: Priority::Normal,
                        headnode: headnode.clone(),
                        group: None,
                        gpus: 0,
                        params: BTreeMap::new(),
                        notify: Vec::new(),
                        rule: None,
                        priority_by: None,
                        workset: None,
                    },
                    folder: None,
                    prior: None,
                    baseline: None,
                    problem: None,
                }));
                let verb = Verb::Cancel { abandon: false };
                let cancel = Observation::Asked(Request { verb, reason: None });
                facts.push(Fact { case: id.clone(), observed: seen(appeared) });
                facts.push(Fact { case: id, observed: seen(cancel) });
            }
            let plans = facts.iter().map(|fact| Planned {
                case: fact.case.clone(),
                version: 2,
                because: "Cancelled.".to_owned(),
                wake_at: None,
            });
            let plans = plans.step_by(2).collect();
            store.record_many(facts).await.unwrap();
            assert_eq!(store.planned(plans).await.unwrap(), chunk.len());
        }
        store.close().await;
    });
}

fn one_runs(world: &World) {
    write(&world.intake().join("one/input"), "x");
    world.until_succeeded(&["one"]);
}

/// What the daemon uses while nothing happens, per second.
fn idle(world: &World) -> Duration {
    const SECONDS: u32 = 8;
    // What the case has left to do is done.
    wait::holds(Duration::from_secs(3), || false);
    let before = processor_time(world);
    wait::holds(Duration::from_secs(SECONDS.into()), || false);
    (processor_time(world) - before) / SECONDS
}

fn ten_thousand_finished_cases_cost_nothing(site: Site) {
    let mut world = World::alone(Setup::at(site));
    world.start();
    one_runs(&world);
    let without = idle(&world);
    drop(world);
    let mut world = World::alone(Setup::at(site));
    finished(&world, 10_000);
    world.start();
    one_runs(&world);
    let with = idle(&world);
    let peak = memory_peak_kib(&world);
    #[allow(clippy::print_stderr, reason = "what was measured")]
    {
        eprintln!("a second costs {without:?} without and {with:?} with them, memory {peak} KiB");
    }
    assert!(with <= without * 2 + Duration::from_millis(5), "{with:?} instead of {without:?}");
    assert!(with < Duration::from_millis(50), "{with:?} per second");
    assert!(peak < 64 << 10, "{peak} KiB");
}

fn cases_that_wait_for_something_cost_next_to_nothing(site: Site) {
    let mut world = World::alone(Setup {
        settle: ", marker: daylily.ready".to_owned(),
        headnode: vec!["ship_ahead: 1".to_owned()],
        ..Setup::job(site, UNTIL_LET_GO).slots(1)
    });
    let intake = world.intake();
    fs::create_dir(intake.join("empty")).unwrap();
    write(&intake.join("no marker/input"), "x");
    write(&intake.join("half/x.part"), "x");
    fs::write(intake.join("a file"), "x").unwrap();
    write(&intake.join("rejected/daylily.ready"), "x");
    write(&intake.join("rejected/input"), "x");
    std::os::unix::fs::symlink("/etc", intake.join("rejected/link")).unwrap();
    for name in ["runs", "staged", "waits", "held"] {
        write(&intake.join(name).join("input"), "x");
        write(&intake.join(name).join("daylily.ready"), "x");
    }
    world.start();
    world.until("all have come to where they stay", |world| {
        let states: Vec<StateName> =
            world.all_cases().iter().map(|case| case.state.name()).collect();
        let count = |state| states.iter().filter(|is| **is == state).count();
        count(StateName::Running) == 1
            && count(StateName::Staged) == 1
            && count(StateName::Ready) == 2
            && count(StateName::Rejected) == 2
            && count(StateName::Arriving) == 3
    });
    assert_eq!(world.ask("hold", "held"), "done");
    assert_eq!(world.ask("cancel", "empty"), "done");
    fs::remove_dir(intake.join("empty")).unwrap();
    fs::create_dir(intake.join("empty")).unwrap();
    let cost = idle(&world);
    assert!(cost < Duration::from_millis(50), "{cost:?} per second");
    world.is_lawful();
}

on_sites! {
    a_thousand_cases_at_once_are_found_within_10_s_and_each_runs_once: here, ssh_pueue, ssh_direct;
    ten_thousand_finished_cases_cost_nothing: here, ssh_pueue;
    cases_that_wait_for_something_cost_next_to_nothing: here, ssh_pueue;
}
