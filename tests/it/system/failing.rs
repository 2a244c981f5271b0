//! Jobs that fail, and what is done again: an earlier result is never lost.

use std::fs;

use daylily_lifecycle::case::{Failure, State, StateName};

use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, write};

fn a_failed_job_keeps_its_exit_code_and_last_words_and_gives_its_slot_back(site: Site) {
    let world = World::started(
        Setup::job(site, "echo the first words; echo '  the last words' >&2; exit 3").slots(1),
    );
    write(&world.intake().join("bad/input"), "x");
    world.until_state("bad", StateName::Failed);
    let case = world.case("bad").unwrap();
    let State::Failed { attempt, failure: Failure::Exit { end } } = &case.state else {
        panic!("{:?}", case.state)
    };
    assert_eq!(end.code, Some(3));
    let tail = &attempt.stored.as_ref().unwrap().log_tail;
    assert_eq!(tail, "the first words\n  the last words\n");
    let kept = world.path("state/logs").join(format!("{}.log", attempt.id));
    assert_eq!(fs::read_to_string(kept).unwrap(), *tail);
    world.until_because("bad", "exit code 3");
    assert!(!world.results_of("bad").try_exists().unwrap());
    world.is_settled();
}

fn a_rerun_of_a_failed_case_is_attempt_2_and_leaves_the_first_as_it_was(site: Site) {
    let world = World::started(Setup::job(site, "[ -e \"$GO\" ] || exit 7; cp input out.txt"));
    write(&world.intake().join("again/input"), "x");
    world.until_state("again", StateName::Failed);
    let first = world.attempt("again");
    world.let_go();
    assert_eq!(world.ask("rerun", "again"), "done");
    world.until_succeeded(&["again"]);
    let case = world.case("again").unwrap();
    assert_eq!(case.attempt().unwrap().number, 2);
    assert_eq!(case.past.len(), 1);
    assert_eq!(case.past[0].id, first);
    assert_eq!(case.past[0].end.as_ref().unwrap().code, Some(7));
    assert!(world.path("state/logs").join(format!("{first}.log")).try_exists().unwrap());
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

fn a_rerun_of_a_succeeded_case_keeps_the_earlier_result_beside_the_new_one(site: Site) {
    let world = World::started(Setup::job(site, "cp \"$ELSEWHERE/result\" out.txt"));
    fs::write(world.path("elsewhere/result"), "A").unwrap();
    write(&world.intake().join("again/input"), "x");
    world.until_succeeded(&["again"]);
    for (result, number) in [("B", 2), ("C", 3)] {
        fs::write(world.path("elsewhere/result"), result).unwrap();
        assert_eq!(world.ask("rerun", "again"), "done");
        world.until("the rerun has succeeded", |world| {
            let case = world.case("again").unwrap();
            case.state.name() == StateName::Succeeded && case.attempt().unwrap().number == number
        });
    }
    let result = |name: &str| fs::read_to_string(world.results_of(name).join("out.txt")).unwrap();
    assert_eq!(result("again"), "C");
    assert_eq!(result("again~1"), "A");
    assert_eq!(result("again~2"), "B");
    assert_eq!(world.runs().len(), 3);
    world.is_settled();
}

fn exit_0_with_missing_or_empty_outputs_is_a_failure(site: Site) {
    let world = World::started(Setup {
        pipeline: vec!["expect: [\"full.txt\", \"empty.txt\", \"missing/*.txt\"]".to_owned()],
        ..Setup::job(site, "echo x >full.txt; : >empty.txt")
    });
    write(&world.intake().join("poor/input"), "x");
    world.until_state("poor", StateName::Failed);
    let case = world.case("poor").unwrap();
    let State::Failed { failure: Failure::Missing { patterns, .. }, .. } = &case.state else {
        panic!("{:?}", case.state)
    };
    assert_eq!(patterns, &["empty.txt", "missing/*.txt"]);
    world.is_settled();
}

fn an_output_that_was_shipped_with_the_case_and_not_written_by_the_job_is_missing(site: Site) {
    let world = World::started(Setup {
        pipeline: vec!["expect: [\"out.txt\"]".to_owned()],
        ..Setup::job(site, "true")
    });
    write(&world.intake().join("stale/out.txt"), "of an earlier run");
    world.until_state("stale", StateName::Failed);
    world.is_settled();
}

fn hopeless_cases_are_not_restarted(site: Site) {
    let mut world = World::started(Setup { rescan: "1s", ..Setup::job(site, "exit 1") });
    write(&world.intake().join("hopeless/input"), "x");
    world.until_state("hopeless", StateName::Failed);
    world.kill();
    world.start();
    write(&world.intake().join("other/input"), "x");
    world.until_state("other", StateName::Failed);
    assert_eq!(world.runs_of("hopeless").len(), 1);
    world.is_settled();
}

fn an_output_that_is_a_symlink_to_a_file_counts_and_comes_home_as_the_file(site: Site) {
    let mut setup =
        Setup::job(site, "mkdir d; cp input d/q.vcf; ln -s q.vcf d/latest.vcf; ln -s gone d/b");
    setup.fetch = "[\"d/*\"]";
    setup.pipeline.push("expect: [d/latest.vcf]".to_owned());
    let world = World::started(setup);
    write(&world.intake().join("linked/input"), "x");
    world.until_succeeded(&["linked"]);
    let result = world.results_of("linked");
    assert_eq!(fs::read_to_string(result.join("d/latest.vcf")).unwrap(), "x");
    assert!(!result.join("d/b").try_exists().unwrap(), "what leads nowhere is no output");
    world.is_settled();
}

on_sites! {
    a_failed_job_keeps_its_exit_code_and_last_words_and_gives_its_slot_back: here, ssh_pueue, ssh_direct;
    a_rerun_of_a_failed_case_is_attempt_2_and_leaves_the_first_as_it_was: here, ssh_pueue, ssh_direct;
    exit_0_with_missing_or_empty_outputs_is_a_failure: here, ssh_pueue, ssh_direct;
    a_rerun_of_a_succeeded_case_keeps_the_earlier_result_beside_the_new_one: here, ssh_pueue;
    an_output_that_was_shipped_with_the_case_and_not_written_by_the_job_is_missing: here, ssh_pueue;
    hopeless_cases_are_not_restarted: here, ssh_pueue;
    an_output_that_is_a_symlink_to_a_file_counts_and_comes_home_as_the_file: here, ssh_pueue;
}
