//! The real program against real sshd, rsync and pueued while they are killed, frozen,
//! cut off, filled up and rebooted, by a schedule from a printed seed. docs/proof.md says
//! what it shows and what not.

mod cases;
mod machine;
mod observer;
mod round;
mod schedule;
mod strike;
mod table;
mod victims;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use machine::may_mount;
use observer::Violation;
use round::{Round, in_a_thread, play};
use schedule::{Fault, Schedule};
use table::Table;

use crate::system::world::{World, now};

/// What `make chaos` and `make soak` set.
#[allow(clippy::disallowed_methods, reason = "the Makefile speaks by the environment")]
fn asked<T: std::str::FromStr>(name: &str) -> Option<T> {
    let word = std::env::var(name).ok().filter(|word| !word.is_empty())?;
    Some(word.parse().unwrap_or_else(|_| panic!("{name}={word} is not a number")))
}

fn seed() -> u64 {
    asked("DAYLILY_SEED").unwrap_or_else(|| u64::try_from(now().as_millisecond()).unwrap())
}

#[allow(clippy::print_stderr, reason = "a failure is repeated by what is printed here")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// 200 cases, 20 kills of the daemon, 5 of pueued, 5 cuts of sshd, 5 freezes, and some of
/// everything else: in the time that CI has.
#[test]
fn two_hundred_cases_run_once_each_while_everything_around_them_breaks() {
    let mut table = Table::default();
    let schedule = Schedule::shown(seed(), may_mount());
    say(&format!("seed {}: `make chaos SEED={0}` has the same schedule", schedule.seed));
    let outcome = play(schedule.clone());
    say(&table.line(&schedule, &outcome));
    say(&table.to_string());
    let times = |of: &[Fault]| of.iter().filter_map(|of| outcome.hits.get(of)).sum::<usize>();
    assert_eq!(times(&[Fault::DaemonKilled]), 20);
    assert_eq!(times(&[Fault::PueuedKilled]), 5);
    assert_eq!(times(&[Fault::LinesCut]), 5);
    assert!(times(&Fault::FROZEN) >= 3);
    assert!(outcome.violations.is_empty(), "seed {}: {:#?}", schedule.seed, outcome.violations);
}

/// `make soak`: one round after the other until the time is over; without it a short one.
#[test]
fn rounds_of_all_kinds_of_faults_execute_nothing_twice_and_lose_nothing() {
    let hours: Option<f64> = asked("DAYLILY_SOAK_HOURS");
    let lasts = Duration::from_secs_f64(hours.unwrap_or_default() * 3600.0);
    #[allow(clippy::disallowed_methods, reason = "hours are counted")]
    let begun = Instant::now();
    let (mut table, mut seed) = (Table::default(), seed());
    loop {
        let mut schedule = Schedule::soaked(seed, may_mount());
        if hours.is_none() {
            schedule.shorten(6);
        }
        say(&format!("seed {seed}: `make soak HOURS=0 SEED={seed}` has the same schedule"));
        let outcome = play(schedule.clone());
        say(&table.line(&schedule, &outcome));
        for violation in &outcome.violations {
            say(&format!("  {violation}"));
        }
        seed = seed.wrapping_add(1);
        if begun.elapsed() >= lasts {
            break;
        }
    }
    say(&table.to_string());
    assert_eq!(table.violations, 0);
}

/// A job that loses its claim and its end and is started once more: what must never be.
fn starts_again(world: &World, attempt: &str) {
    let at = world.path("work/.daylily-watch").join(attempt);
    for file in ["claim", "exit.json"] {
        fs::remove_file(at.join(file)).unwrap();
    }
    let (uid, gid) = world.ground.jobs_run_as();
    #[allow(clippy::disallowed_methods, reason = "a queue that starts a job again")]
    let mut again = std::process::Command::new("/bin/sh");
    let status = again.arg(at.join("job.sh")).uid(uid.as_raw()).gid(gid.as_raw()).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_real_job_that_is_made_to_run_twice_is_found() {
    let found = in_a_thread(|| Round::of_one(Schedule::quiet(seed()), starts_again));
    let twice = |found: &Violation| matches!(found, Violation::ExecutedAgain { times: 2, .. });
    assert!(found.iter().any(twice), "{found:?}");
}

#[test]
fn a_real_result_in_which_one_byte_is_another_is_found() {
    let spoil = |world: &World, _: &str| {
        let file = world.results_of("case 000").join("out.txt");
        let mut content = fs::read(&file).unwrap();
        content[20] ^= 1;
        fs::write(&file, content).unwrap();
    };
    let found = in_a_thread(move || Round::of_one(Schedule::quiet(seed()), spoil));
    assert_eq!(found, [Violation::WrongBytes { case: "case 000".to_owned() }]);
}
