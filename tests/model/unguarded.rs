//! The proof can fail: with a guard taken away the same lives break a law, and it is seen.

use crate::lives::{drawn, in_parallel};
use crate::passage::is_of_law;
use crate::schedule::{CasePlan, Schedule};
use crate::stories::{Story, all};
use crate::world::live;
use daylily_watch::adapters::host::fake::Without;

/// What breaks in the stories of adding, with a crash at every fourth point.
fn broken(without: Without) -> Vec<String> {
    let mut lives = Vec::new();
    for Story { schedule, .. } in all().into_iter().filter(|story| story.name.contains("adding")) {
        let points = live(&schedule, false).points;
        lives.extend((0..points).step_by(4).map(|point| Schedule {
            kills: vec![point],
            without,
            ..schedule.clone()
        }));
    }
    in_parallel(lives, |schedule| live(&schedule, false).verdict.err())
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn without_the_claim_a_crash_at_some_point_runs_a_command_twice() {
    let found = broken(Without { claim: true, ..Without::default() });
    let twice = found.iter().filter(|law| law.contains("was executed 2 times")).count();
    assert!(twice > 0, "no double run was found, only {found:?}");
}

#[test]
fn without_the_owner_two_daemons_run_one_case_twice() {
    let two = |without| Schedule {
        copies: true,
        without,
        ..Schedule::of(vec![CasePlan { arrives: 100, ..CasePlan::PLAIN }])
    };
    let guarded = live(&two(Without::default()), true);
    assert_eq!(guarded.verdict, Ok(()), "{}", guarded.story.join("\n"));
    let found = live(&two(Without { owner: true, ..Without::default() }), true);
    let law = found.verdict.expect_err(&found.story.join("\n"));
    assert!(is_of_law(1, &law), "{law}\n{}", found.story.join("\n"));
}

#[test]
fn without_the_lock_of_a_case_nothing_is_worse_as_long_as_the_rest_is_there() {
    let without = Without { case_lock: true, ..Without::default() };
    let found: Vec<String> = in_parallel((1..20).collect(), |seed| {
        live(&Schedule { without, ..drawn(seed, 10) }, false).verdict.err()
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(found.is_empty(), "it is the last of several guards: {found:?}");
}
