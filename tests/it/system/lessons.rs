//! What hurts people who run such systems, each as a test with its name. Those that are
//! shown elsewhere in this module are not repeated here.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use daylily_lifecycle::case::{ConditionName, HoldWhy, State, StateName};
use daylily_lifecycle::policy::SlotState;
use serde_json::json;

use super::same::assert_same;
use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, processes_of, write};
use crate::servers::pueued::PROGRAMS;
use crate::wait;

fn with_a_marker(site: Site, settle: &str) -> Setup {
    Setup { settle: format!(", marker: daylily.ready{settle}"), ..Setup::at(site) }
}

fn holds(world: &World, name: &str, condition: ConditionName) -> Option<bool> {
    world.case(name).and_then(|case| case.condition(condition).map(|condition| condition.holds))
}

fn a_marker_written_before_the_data_does_not_start_a_case(site: Site) {
    let world = World::started(with_a_marker(site, ""));
    let folder = world.intake().join("eager");
    write(&folder.join("daylily.ready"), "");
    world.until("the marker alone is seen", |world| {
        holds(world, "eager", ConditionName::Marker) == Some(true)
            && holds(world, "eager", ConditionName::Quiet) == Some(true)
    });
    assert_eq!(world.state("eager"), Some(StateName::Arriving));
    for part in 0..5 {
        write(&folder.join(format!("part {part}")), "x");
        assert!(!wait::holds(Duration::from_millis(600), || !world.runs().is_empty()));
    }
    write(&folder.join("input"), "whole");
    world.until_succeeded(&["eager"]);
    assert_same(&folder, &world.copy_of("eager"), &["out.txt"]);
    world.is_settled();
}

fn a_marker_that_never_comes_is_waited_for_and_a_person_can_do_without(site: Site) {
    let world = World::started(with_a_marker(site, ""));
    write(&world.intake().join("late/input"), "x");
    world.until_because("late", "Complete except for its marker: daylily.ready has not come");
    assert_eq!(world.ask("accept", "late"), "done");
    world.until_succeeded(&["late"]);
    let accepted = world.case("late").unwrap().accepted.unwrap();
    assert_eq!((accepted.by.as_str(), accepted.reason.as_deref()), ("anna", Some("for a test")));
    world.is_settled();
}

fn a_marker_that_never_comes_follows_the_configured_policy(site: Site) {
    let world = World::started(with_a_marker(site, ", marker_timeout: 2s, marker_missing: accept"));
    write(&world.intake().join("without/input"), "x");
    world.until_succeeded(&["without"]);
    world.is_settled();
    drop(world);

    let world = World::started(with_a_marker(site, ", marker_timeout: 2s, marker_missing: reject"));
    write(&world.intake().join("without/input"), "x");
    world.until_state("without", StateName::Rejected);
    write(&world.intake().join("without/daylily.ready"), "");
    world.until_succeeded(&["without"]);
    world.is_settled();
}

fn a_stale_marker_of_an_earlier_attempt_is_not_believed(site: Site) {
    // The attempt directory of the first run lies there with its exit code 0 while the
    // second runs; so do copies of that record wherever one of the second might be
    // looked for: beside its data, and as one that was written and never put in place.
    let world = World::started(Setup::job(
        site,
        "[ \"$DAYLILY_CASE\" = again ] || { cp input out.txt; exit 0; }
[ -e \"$ELSEWHERE/first\" ] || { : >\"$ELSEWHERE/first\"; cp input out.txt; exit 0; }
until [ -e \"$GO\" ]; do sleep 0.05; done
exit 5",
    ));
    write(&world.intake().join("again/input"), "x");
    world.until_succeeded(&["again"]);
    assert_eq!(world.ask("rerun", "again"), "done");
    world.until("it runs again", |world| {
        world.state("again") == Some(StateName::Running) && world.runs().len() == 2
    });
    let dirs = world.path("work/.daylily-watch");
    let second = world.attempt("again");
    let first = world.attempts().into_iter().find(|id| id != second.as_str()).unwrap();
    let stale = fs::read_to_string(dirs.join(&first).join("exit.json")).unwrap();
    assert!(stale.contains("\"code\":0") || stale.contains("\"code\": 0"), "{stale}");
    let second = dirs.join(second.as_str());
    assert!(second.join("claim").try_exists().unwrap() && !stale.is_empty());
    assert!(!second.join("exit.json").try_exists().unwrap(), "the second has not ended");
    for place in [
        second.join("exit.json.tmp"),
        dirs.join("exit.json"),
        world.copy_of("again").join("exit.json"),
        world.copy_of("again").join(".exitcode"),
    ] {
        fs::write(&place, &stale).unwrap();
    }
    // Who sees the end of another job, which began later, has looked at this one too.
    write(&world.intake().join("another/input"), "x");
    world.until_succeeded(&["another"]);
    assert_eq!(world.state("again"), Some(StateName::Running), "{}", world.because("again"));
    world.let_go();
    world.until_state("again", StateName::Failed);
    world.until_because("again", "exit code 5");
    world.is_settled();
}

fn a_job_started_twice_does_not_execute_twice(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("twice/input"), "x");
    world.until_running("twice");
    let job =
        world.path("work/.daylily-watch").join(world.attempt("twice").as_str()).join("job.sh");
    let start = || {
        let (uid, gid) = world.ground.jobs_run_as();
        #[allow(clippy::disallowed_methods, reason = "a queue that starts a job again")]
        let mut again = std::process::Command::new("/bin/sh");
        again.arg(&job).uid(uid.as_raw()).gid(gid.as_raw());
        again.output().unwrap().status.code()
    };
    assert_eq!(start(), Some(98));
    world.let_go();
    world.until_succeeded(&["twice"]);
    assert_eq!(start(), Some(98));
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn the_job_was_started_but_the_answer_was_lost_found_not_added_again(site: Site) {
    let mut world = World::new(Setup::job(site, UNTIL_LET_GO));
    // What starts it does so and does not come back: the answer cannot be known.
    let (program, real, is_it) = match site.has_pueue() {
        true => ("bin/pueue", format!("{PROGRAMS}/pueue"), "[ \"$1\" = add ]"),
        false => ("bin/setsid", "/usr/bin/setsid".to_owned(), "true"),
    };
    let script = format!(
        "{is_it} || exec \"$REAL\" \"$@\"\necho once >>\"$NOTES/added\"\n\"$REAL\" \"$@\"\n\
         until [ -e \"$NOTES/answered\" ]; do sleep 0.05; done"
    );
    world.put_program(&world.path(program), &real, &script);
    world.start();
    write(&world.intake().join("found/input"), "x");
    world.until("the job has begun", |world| !world.runs().is_empty());
    world.kill();
    let case = world.case("found").unwrap();
    assert_eq!(case.attempt().unwrap().submitted_at, None, "the answer is lost");
    let attempt = world.attempt("found");
    world.start();
    world.until_running("found");
    world.give_sign("answered");
    world.let_go();
    world.until_succeeded(&["found"]);
    assert_eq!(fs::read_to_string(world.sign("added")).unwrap(), "once\n");
    assert_eq!(world.attempt("found"), attempt);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

/// Ends every process of a running attempt without a trace.
fn a_job_that_is_gone_without_a_trace_is_not_done_and_does_not_stay_running_for_ever(site: Site) {
    let world =
        World::started(Setup { lost_after: "2s", ..Setup::job(site, UNTIL_LET_GO).slots(1) });
    write(&world.intake().join("lost/input"), "x");
    world.until_running("lost");
    world.wipe_out("lost");
    world.until("it waits for a person", |world| {
        world.case("lost").unwrap().hold.is_some_and(|hold| hold.why == HoldWhy::Lost)
    });
    world.until_because("lost", "Waiting for a person");
    assert!(world.ask("resume", "lost").contains("rerun"));
    world.let_go();
    assert_eq!(world.ask("rerun", "lost"), "done");
    world.until_succeeded(&["lost"]);
    assert_eq!(world.case("lost").unwrap().attempt().unwrap().number, 2);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn a_lost_job_that_a_person_confirms_dead_has_failed(site: Site) {
    let world = World::started(Setup { lost_after: "1s", ..Setup::job(site, UNTIL_LET_GO) });
    write(&world.intake().join("lost/input"), "x");
    world.until_running("lost");
    world.wipe_out("lost");
    world.until("it waits for a person", |world| world.case("lost").unwrap().hold.is_some());
    assert_eq!(world.ask("confirm-dead", "lost"), "done");
    world.until_state("lost", StateName::Failed);
    world.is_settled();
}

fn silence_is_never_failure_while_it_may_still_be_a_cache(site: Site) {
    let world =
        World::started(Setup { lost_after: "1h", ..Setup::job(site, UNTIL_LET_GO).slots(1) });
    write(&world.intake().join("silent/input"), "x");
    world.until_running("silent");
    world.wipe_out("silent");
    world.until("the silence is noticed", |world| {
        world.case("silent").unwrap().attempt().unwrap().silence.is_some()
    });
    assert!(!wait::holds(Duration::from_secs(3), || {
        world.state("silent") != Some(StateName::Running) || world.all_slots_are_free()
    }));
    // A person who knows better says so.
    let id = world.case("silent").unwrap().id;
    let args = json!({ "abandon": true }).as_object().unwrap().clone();
    assert_eq!(world.ask_with("cancel", id.as_str(), args), "done");
    world.until_state("silent", StateName::Cancelled);
    world.is_settled();
}

fn cancel_tells_the_truth(site: Site) {
    // While a process lives, the case is being cancelled, not cancelled.
    let world = World::started(
        Setup::job(site, "trap '' TERM; : >\"$ELSEWHERE/deaf\"; while :; do sleep 1; done")
            .slots(1),
    );
    write(&world.intake().join("deaf/input"), "x");
    world.until("it is deaf", |world| {
        world.path("elsewhere/deaf").try_exists().unwrap()
            && world.state("deaf") == Some(StateName::Running)
    });
    let attempt = world.attempt("deaf");
    assert_eq!(world.ask("cancel", "deaf"), "done");
    assert!(world.ask("cancel", "deaf").contains("being cancelled already"));
    world.until("it has ended", |world| {
        let alive = !processes_of(&attempt).is_empty();
        let cancelled = world.state("deaf") == Some(StateName::Cancelled);
        let free = world.reader().slots().unwrap()[0].view.state == SlotState::Free;
        assert!(!((cancelled || free) && !processes_of(&attempt).is_empty()), "it lives: {alive}");
        cancelled
    });
    world.is_settled();
}

fn a_limit_ends_what_runs_too_long_as_failed(site: Site) {
    let world = World::started(Setup {
        pipeline: vec!["limits: {run: 1s, on_limit: cancel}".to_owned()],
        ..Setup::job(site, "sleep 1000").slots(1)
    });
    write(&world.intake().join("long/input"), "x");
    world.until_state("long", StateName::Failed);
    let State::Failed { attempt, .. } = world.case("long").unwrap().state else { unreachable!() };
    assert!(processes_of(&attempt.id).is_empty());
    world.is_settled();
}

fn why_is_it_waiting_where_is_it_when_will_it_be_ready_is_one_sentence(site: Site) {
    let world = World::started(Setup {
        headnode: vec!["ship_ahead: 0".to_owned()],
        quiet: "4s",
        ..Setup::job(site, UNTIL_LET_GO).slots(1)
    });
    // The one command, and the first line of what it says.
    let why = |world: &World, name: &str| {
        let said = world.verb(&["why", name]);
        assert_eq!(said.err, "", "{said:?}");
        said.out.lines().next().unwrap_or_default().to_owned()
    };
    let says = |world: &World, name: &str, words: &str| {
        let mut last = String::new();
        world.until(&format!("`why {name}` says {words:?}"), |world| {
            let is_there = world.case(name).is_some();
            last = if is_there { why(world, name) } else { String::new() };
            last.contains(words)
        });
        last
    };
    write(&world.intake().join("one/input"), "x");
    // When it will be ready: the quiet period after the last change.
    let arriving = says(&world, "one", "if nothing else changes it is complete at ");
    let times: Vec<jiff::civil::Time> = arriving
        .split([' ', ';', '.'])
        .filter(|word| word.matches(':').count() == 2)
        .map(|word| word.parse().unwrap())
        .collect();
    assert!(arriving.contains("the last change was input at "), "{arriving}");
    let [changed, complete] = times[..] else { panic!("{arriving}") };
    // Both are shown in whole seconds.
    let quiet = (complete - changed).get_seconds() + 60 * (complete - changed).get_minutes();
    assert!((4..=5).contains(&quiet), "{arriving}");
    says(&world, "one", "Running on hpc since ");
    // Where it is, and what it waits for.
    write(&world.intake().join("two/input"), "x");
    let waiting = says(&world, "two", "Waiting for a place: ");
    assert!(waiting.contains("on hpc is taken (one)"), "{waiting}");
    world.let_go();
    says(&world, "one", "Succeeded at ");
    says(&world, "two", "Succeeded at ");
    world.is_settled();
}

fn a_case_named_like_the_second_arrival_of_another_has_a_place_of_its_own(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::at(site) });
    write(&world.intake().join("HG002/input"), "first");
    write(&world.intake().join("HG002.2/input"), "a sample of that name");
    world.until_succeeded(&["HG002", "HG002.2"]);
    fs::remove_dir_all(world.intake().join("HG002")).unwrap();
    world.is_looked_at();
    write(&world.intake().join("HG002/input"), "second");
    world.until("the second arrival has succeeded", |world| {
        let case = world.case("HG002").unwrap();
        case.arrival.0 == 2 && case.state.name() == StateName::Succeeded
    });
    let copied = fs::read_to_string(world.copy_of("HG002.2").join("input")).unwrap();
    assert_eq!(copied, "a sample of that name");
    let result = fs::read_to_string(world.results_of("HG002.2").join("out.txt")).unwrap();
    assert_eq!(result, "a sample of that name");
    let place = world.case("HG002").unwrap().attempt().unwrap().stored.clone().unwrap().to.unwrap();
    assert_eq!(fs::read_to_string(format!("{place}/out.txt")).unwrap(), "second");
    assert_eq!(world.runs().len(), 3);
    world.is_settled();
}

on_sites! {
    a_stale_marker_of_an_earlier_attempt_is_not_believed: here, ssh_pueue, ssh_direct;
    a_job_started_twice_does_not_execute_twice: here, ssh_pueue, ssh_direct;
    the_job_was_started_but_the_answer_was_lost_found_not_added_again: here, ssh_pueue, ssh_direct;
    a_job_that_is_gone_without_a_trace_is_not_done_and_does_not_stay_running_for_ever: here, ssh_pueue, ssh_direct;
    a_lost_job_that_a_person_confirms_dead_has_failed: here, ssh_pueue, ssh_direct;
    silence_is_never_failure_while_it_may_still_be_a_cache: here, ssh_pueue, ssh_direct;
    cancel_tells_the_truth: here, ssh_pueue, ssh_direct;
    a_limit_ends_what_runs_too_long_as_failed: here, ssh_pueue, ssh_direct;
    why_is_it_waiting_where_is_it_when_will_it_be_ready_is_one_sentence: here, ssh_pueue;
    a_case_named_like_the_second_arrival_of_another_has_a_place_of_its_own: here, ssh_pueue;
    // Markers are of the intake.
    a_marker_written_before_the_data_does_not_start_a_case: here;
    a_marker_that_never_comes_is_waited_for_and_a_person_can_do_without: here;
    a_marker_that_never_comes_follows_the_configured_policy: here;
}
