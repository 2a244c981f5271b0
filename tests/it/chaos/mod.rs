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

use std::time::{Duration, Instant};

use machine::may_mount;
use round::play;
use schedule::{Fault, Schedule};
use table::Table;

use crate::system::world::now;

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
