//! A daemon that is killed, asked to end, and started again: every command is executed
//! once, and no place is lost.

use std::fs;
use std::time::Duration;

use daylily_lifecycle::case::StateName;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::same::assert_same;
use super::setup::{Setup, UNTIL_LET_GO, slowly};
use super::site::{Site, on_sites};
use super::world::{World, now, processes_of, write};
use crate::dice::Dice;
use crate::wait;

const KILLED_IN: [StateName; 10] = [
    StateName::Arriving,
    StateName::Ready,
    StateName::Shipping,
    StateName::Staged,
    StateName::Submitting,
    StateName::Running,
    StateName::Returning,
    StateName::Submitting,
    StateName::Shipping,
    StateName::Returning,
];

fn thirty_cases_and_ten_kills_execute_every_command_once(site: Site) {
    let seed = u64::try_from(now().as_millisecond()).unwrap();
    #[allow(clippy::print_stderr, reason = "the seed is what a failure can be repeated by")]
    {
        eprintln!("seed {seed}");
    }
    let mut dice = Dice::of(seed);
    let mut world = World::new(Setup::job(site, "sleep 0.3; cp input out.txt").slots(3));
    let names: Vec<String> = (0..30).map(|n| format!("case {n}")).collect();
    let mut killed_in = KILLED_IN;
    if site.has_pueue() {
        killed_in[7] = StateName::Queued;
    }
    let mut hit = Vec::new();
    for (kill, state) in killed_in.into_iter().enumerate() {
        world.spawn();
        for name in &names[kill * 3..kill * 3 + 3] {
            let folder = world.intake().join(name);
            write(&folder.join("input"), format!("of {name}"));
            for file in 0..dice.roll(40) {
                write(&folder.join(format!("d{}/f{file}", file % 3)), vec![1; 3000]);
            }
        }
        let seen = wait::holds(Duration::from_secs(10), || {
            // Before its first start there is no database.
            let reader = daylily_watch::store::read::Reader::open(
                &world.path("state"),
                env!("CARGO_PKG_VERSION"),
            );
            reader.is_ok_and(|reader| {
                reader.counts().unwrap().iter().any(|count| count.state == state && count.cases > 0)
            })
        });
        if seen {
            hit.push(state);
        }
        let delay = Duration::from_millis(dice.roll(30));
        wait::holds(delay, || false);
        world.kill();
    }
    assert!(hit.len() >= 8, "seed {seed}: it was killed only in {hit:?}");
    world.start();
    world.until_succeeded(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let runs = world.runs();
    assert_eq!(runs.len(), 30, "seed {seed}");
    for name in &names {
        assert_eq!(world.runs_of(name).len(), 1, "seed {seed}: {name}");
        assert_same(&world.intake().join(name), &world.copy_of(name), &["out.txt"]);
        let result = fs::read_to_string(world.results_of(name).join("out.txt")).unwrap();
        assert_eq!(result, format!("of {name}"), "seed {seed}");
    }
    let kept: Vec<_> = fs::read_dir(world.path("results/new_cases")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 30, "seed {seed}: {kept:?}");
    world.is_settled();
}

fn sigterm_ends_within_5_s_and_leaves_jobs_running_for_the_next_daemon(site: Site) {
    let mut world = World::started(Setup {
        headnode: vec!["ship_ahead: 0".to_owned()],
        ..Setup::job(site, UNTIL_LET_GO)
    });
    for name in ["a", "b", "waits"] {
        write(&world.intake().join(name).join("input"), name);
    }
    world.until("two run", |world| {
        world.runs().len() == 2
            && world
                .all_cases()
                .iter()
                .filter(|case| case.state.name() == StateName::Running)
                .count()
                == 2
    });
    let status = world.terminate(Duration::from_secs(5));
    assert!(status.success(), "{status}");
    assert!(!world.path("state/alive.json").try_exists().unwrap());
    let running: Vec<_> = world
        .all_cases()
        .into_iter()
        .filter_map(|case| case.attempt().map(|a| a.id.clone()))
        .collect();
    assert_eq!(running.len(), 2);
    for attempt in &running {
        assert!(!processes_of(attempt).is_empty(), "{attempt} did not live on");
    }
    world.start();
    world.let_go();
    world.until_succeeded(&["a", "b", "waits"]);
    assert_eq!(world.runs().len(), 3);
    world.is_settled();
}

fn finished_while_no_daemon_ran_the_exit_record_is_read_later(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("alone/input"), "x");
    world.until_running("alone");
    world.kill();
    let attempt = world.attempt("alone");
    world.let_go();
    world.until("the job has ended", |_| processes_of(&attempt).is_empty());
    assert_eq!(world.state("alone"), Some(StateName::Running));
    world.start();
    world.until_succeeded(&["alone"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn a_large_transfer_that_was_killed_is_gone_on_with(site: Site) {
    let mut world = World::started(Setup { headnode: slowly(site, "20MiB/s"), ..Setup::at(site) });
    let size: u64 = if site.is_far() { 100 << 20 } else { 2 << 30 };
    write(&world.intake().join("large/input"), "x");
    fs::File::create(world.intake().join("large/big")).unwrap().set_len(size).unwrap();
    world.until_state("large", StateName::Shipping);
    world.kill();
    world.start();
    world.until_succeeded(&["large"]);
    assert_eq!(world.runs().len(), 1);
    assert_eq!(fs::metadata(world.copy_of("large").join("big")).unwrap().len(), size);
    assert_eq!(world.case("large").unwrap().attempts().count(), 1);
    world.is_settled();
}

fn a_lock_that_a_killed_daemon_left_for_a_moment_stops_no_restart(site: Site) {
    let mut world = World::new(Setup::at(site));
    let path = world.path("state/lock");
    let file = fs::File::create(&path).unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    world.spawn();
    let fds = format!("/proc/{}/fd", world.pid());
    world.until("the daemon asks for the lock", |_| {
        let Ok(fds) = fs::read_dir(&fds) else { return false };
        fds.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|file| file == path))
    });
    drop(held);
    write(&world.intake().join("on time/input"), "x");
    world.until("the database is there", |world| {
        world.path("state/daylily.db").try_exists().unwrap()
    });
    world.until("it goes round", |world| world.path("state/alive.json").try_exists().unwrap());
    world.until_succeeded(&["on time"]);
    world.is_settled();
}

fn one_state_dir_admits_one_daemon(site: Site) {
    let mut world = World::started(Setup::at(site));
    let mut first = world.daemon_taken();
    world.spawn();
    let status = world.ended();
    assert!(!status.success());
    assert!(first.try_wait().unwrap().is_none(), "the first one ended");
    world.daemon_given(first);
    write(&world.intake().join("still/input"), "x");
    world.until_succeeded(&["still"]);
    world.is_settled();
}

fn sigterm_in_the_middle_of_a_large_copy_ends_within_5_s(site: Site) {
    let mut world = World::started(Setup { headnode: slowly(site, "20MiB/s"), ..Setup::at(site) });
    write(&world.intake().join("large/input"), "x");
    let size: u64 = if site.is_far() { 300 << 20 } else { 6 << 30 };
    fs::File::create(world.intake().join("large/big")).unwrap().set_len(size).unwrap();
    world.until_state("large", StateName::Shipping);
    let status = world.terminate(Duration::from_secs(5));
    assert!(status.success(), "{status}");
    assert_eq!(world.state("large"), Some(StateName::Shipping));
    // It has become small since, which is a change like any other.
    fs::File::options()
        .write(true)
        .open(world.intake().join("large/big"))
        .unwrap()
        .set_len(9)
        .unwrap();
    world.start();
    world.until_succeeded(&["large"]);
    assert_same(&world.intake().join("large"), &world.copy_of("large"), &["out.txt"]);
    world.is_settled();
}

fn a_killed_daemon_leaves_nobody_listening_for_ever(site: Site) {
    let mut world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("bell/input"), "x");
    world.until_running("bell");
    let work = fs::canonicalize(world.path("work/.daylily-watch")).unwrap();
    let listeners = || {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let here = all.filter(|process| {
            let is_here = fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == work);
            is_here
                && fs::read_to_string(process.path().join("comm"))
                    .is_ok_and(|name| name == "head\n")
        });
        here.count()
    };
    let daemon = Pid::from_raw(world.pid());
    world.until("somebody listens to a daemon that stands still", |_| {
        kill(daemon, Signal::SIGSTOP).unwrap();
        let somebody = listeners() > 0;
        if !somebody {
            kill(daemon, Signal::SIGCONT).unwrap();
        }
        somebody
    });
    world.kill();
    // Behind ssh it ends with the session.
    assert!(site.is_far() || listeners() > 0);
    world.until("nobody listens", |_| listeners() == 0);
}

on_sites! {
    thirty_cases_and_ten_kills_execute_every_command_once: here, ssh_pueue, ssh_direct;
    sigterm_ends_within_5_s_and_leaves_jobs_running_for_the_next_daemon: here, ssh_pueue, ssh_direct;
    finished_while_no_daemon_ran_the_exit_record_is_read_later: here, ssh_pueue, ssh_direct;
    a_large_transfer_that_was_killed_is_gone_on_with: here, ssh_pueue, ssh_direct;
    sigterm_in_the_middle_of_a_large_copy_ends_within_5_s: here, ssh_pueue, ssh_direct;
    a_killed_daemon_leaves_nobody_listening_for_ever: here, ssh_pueue, ssh_direct;
    // The lock is the daemon's own.
    a_lock_that_a_killed_daemon_left_for_a_moment_stops_no_restart: here;
    one_state_dir_admits_one_daemon: here;
}
