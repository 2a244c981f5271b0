//! Every point of every story at which the daemon can be killed, one after the other:
//! counted in an undisturbed life, then each is one life more. What it had in memory is
//! gone, what was durable is opened again, and all laws must hold to the end.

use std::fmt::Write as _;

use crate::lives::in_parallel;
use crate::schedule::Schedule;
use crate::stories::{Story, all};
use crate::world::{Lived, live};

/// Evenly over all of them, the same ones each time: `make model` takes all points,
/// `make test` as many as take some seconds.
fn share<T>(all: Vec<T>, setting: &str, usual: u64) -> Vec<T> {
    let wanted = usize::try_from(crate::lives::setting(setting, usual)).unwrap_or(usize::MAX);
    let stride = all.len().div_ceil(wanted.max(1)).max(1);
    // Points before and after a deed take turns: an even stride would meet one side only.
    let stride = if stride > 1 { stride | 1 } else { 1 };
    all.into_iter().step_by(stride).collect()
}

fn killed_at(schedule: &Schedule, kills: &[u64]) -> Schedule {
    Schedule { kills: kills.to_vec(), ..schedule.clone() }
}

/// What to read when a law does not hold.
fn told(name: &str, schedule: &Schedule, verdict: &Result<(), String>) -> String {
    let Lived { story, .. } = live(schedule, true);
    let kills = &schedule.kills;
    let mut text = format!("{name}, killed at {kills:?}: {verdict:?}\n");
    for line in story {
        let _ = writeln!(text, "{line}");
    }
    text
}

#[test]
#[allow(clippy::print_stderr, reason = "the count is what this shows")]
fn a_crash_at_every_point_of_every_story_breaks_no_law() {
    let stories = all();
    let mut lives = Vec::new();
    for (at, Story { schedule, .. }) in stories.iter().enumerate() {
        let points = live(schedule, false).points;
        lives.extend((0..points).map(|point| (at, point)));
    }
    let points = lives.len();
    let lives = share(lives, "MODEL_POINTS", 100);
    let tried = lives.len();
    let failed = in_parallel(lives, |(at, point)| {
        let Story { name, schedule, .. } = &stories[at];
        let killed = killed_at(schedule, &[point]);
        let lived = live(&killed, false);
        lived.verdict.is_err().then(|| told(name, &killed, &lived.verdict))
    });
    let failed: Vec<String> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} of {tried} crash points:\n{}", failed.len(), failed[0]);
    eprintln!("{tried} of {points} crash points in {} stories, all passed", stories.len());
}

#[test]
#[allow(clippy::print_stderr, reason = "the count is what this shows")]
fn a_second_crash_while_the_first_is_repaired_breaks_no_law() {
    let stories = all();
    let mut lives: Vec<(usize, u64, u64)> = Vec::new();
    for (at, Story { schedule, .. }) in stories.iter().enumerate() {
        let points = live(schedule, false).points;
        for first in 0..points {
            lives.extend((first + 1..points + 20).map(|second| (at, first, second)));
        }
    }
    let all = lives.len();
    let lives = share(lives, "MODEL_PAIRS", 20);
    let tried = lives.len();
    let failed = in_parallel(lives, |(at, first, second)| {
        let Story { name, schedule, .. } = &stories[at];
        let killed = killed_at(schedule, &[first, second]);
        let lived = live(&killed, false);
        lived.verdict.is_err().then(|| told(name, &killed, &lived.verdict))
    });
    let failed: Vec<String> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} of {tried} pairs:\n{}", failed.len(), failed[0]);
    eprintln!("{tried} of {all} pairs of crash points, all passed");
}
