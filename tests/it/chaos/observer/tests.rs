//! That a round can fail: made-up records, each with one thing that must not be.

use super::{Attempt, Claimed, Evidence, Made, Told, Violation, Word, violations};
use crate::system::runs::Run;

fn run(attempt: &str, case: &str, slot: &str, began_ns: u128, ended_ns: Option<u128>) -> Run {
    Run {
        attempt: attempt.to_owned(),
        case: case.to_owned(),
        slot: slot.to_owned(),
        cuda: "none".to_owned(),
        began_ns,
        ended_ns,
    }
}

fn made(attempt: &str, result: &str) -> Made {
    let (attempt, result) = (attempt.to_owned(), result.to_owned());
    Made { attempt, found: "given".to_owned(), result }
}

fn told(word: Word, because: &str) -> Told {
    Told { word, because: because.to_owned() }
}

/// Two cases; the attempt of the second was killed once, and it ran again in a new one.
fn in_order() -> Evidence {
    let mut evidence = Evidence {
        runs: vec![
            run("dw-1", "one", "a/0", 10, Some(20)),
            run("dw-2", "two", "a/1", 10, None),
            run("dw-3", "two", "a/1", 40, Some(50)),
        ],
        made: vec![made("dw-1", "x"), made("dw-3", "y")],
        ..Evidence::default()
    };
    for (case, home) in [("one", "x"), ("two", "y")] {
        evidence.arrived.insert(case.to_owned(), "given".to_owned());
        evidence.home.insert(case.to_owned(), home.to_owned());
        evidence.told.insert(case.to_owned(), told(Word::Succeeded, "Succeeded."));
    }
    for (id, case, number) in [("dw-1", "one", 1), ("dw-2", "two", 1), ("dw-3", "two", 2)] {
        let (case, claimed) = (case.to_owned(), Claimed::Job);
        let attempt = Attempt { case, number, claimed, ended_ns: None };
        evidence.attempts.insert(id.to_owned(), attempt);
    }
    evidence.killed.insert("dw-2".to_owned(), 30);
    evidence
}

/// What is found when one thing is otherwise, apart from what follows from it.
fn found(change: impl FnOnce(&mut Evidence)) -> Vec<String> {
    let mut evidence = in_order();
    change(&mut evidence);
    violations(&evidence).iter().map(Violation::to_string).collect()
}

fn is_found(what: &str, change: impl FnOnce(&mut Evidence)) {
    let found = found(change);
    assert!(found.iter().any(|found| found.contains(what)), "{what:?} is not in {found:#?}");
}

#[test]
fn where_all_is_in_order_nothing_is_found() {
    assert_eq!(found(|_| {}), [""; 0]);
}

#[test]
fn an_attempt_that_was_executed_twice_is_found() {
    is_found("dw-1 of one was executed 2 times", |evidence| {
        evidence.runs.push(run("dw-1", "one", "a/0", 60, Some(70)));
    });
}

#[test]
fn a_case_that_was_never_executed_is_found() {
    is_found("one was never executed", |evidence| {
        evidence.runs.remove(0);
    });
    is_found("dw-1 of one is claimed by its job", |evidence| {
        evidence.runs.remove(0);
    });
}

#[test]
fn one_wrong_byte_is_found() {
    is_found("one has come home otherwise than it was made", |evidence| {
        evidence.home.insert("one".to_owned(), "z".to_owned());
    });
    is_found("one worked with other files", |evidence| {
        evidence.made[0].found = "damaged".to_owned();
    });
}

#[test]
fn a_success_that_no_job_had_or_that_left_nothing_is_found() {
    is_found("its job does not say so", |evidence| {
        evidence.made.remove(0);
    });
    is_found("nothing came home", |evidence| {
        evidence.home.remove("one");
    });
}

#[test]
fn a_case_that_runs_beside_itself_is_found() {
    is_found("two ran beside itself", |evidence| {
        evidence.killed.insert("dw-2".to_owned(), 45);
    });
    is_found("two ran beside itself", |evidence| {
        evidence.killed.clear();
    });
}

#[test]
fn the_end_record_of_a_job_whose_command_was_killed_counts_as_its_end() {
    let ended_at = |at: u128| {
        move |evidence: &mut Evidence| {
            evidence.killed.clear();
            evidence.stopped.insert("dw-2".to_owned());
            evidence.attempts.get_mut("dw-2").unwrap().ended_ns = Some(at);
        }
    };
    assert_eq!(found(ended_at(40)), [""; 0]);
    is_found("two ran beside itself", ended_at(41));
}

#[test]
fn a_slot_of_two_is_found() {
    is_found("slot a/0 (none) had two at once", |evidence| {
        evidence.runs[1].slot = "a/0".to_owned();
    });
}

#[test]
fn a_second_run_that_nothing_asked_for_is_found() {
    is_found("one ran again after dw-1 had made its result", |evidence| {
        evidence.runs.push(run("dw-4", "one", "a/0", 60, Some(70)));
        evidence.made.push(made("dw-4", "x"));
    });
}

#[test]
fn an_execution_whose_claim_is_not_its_own_is_found() {
    is_found("its claim is \"Daemon\"'s", |evidence| {
        evidence.attempts.get_mut("dw-1").unwrap().claimed = Claimed::Daemon;
    });
    is_found("its claim is \"Nobody\"'s", |evidence| {
        evidence.attempts.remove("dw-1");
    });
}

#[test]
fn a_case_that_hangs_or_is_held_or_fails_for_nothing_is_found() {
    let put = |word: Word, because: &'static str| {
        move |evidence: &mut Evidence| {
            evidence.told.insert("one".to_owned(), told(word, because));
        }
    };
    is_found("one has not come to an end, is shipping", put(Word::Other("shipping".into()), ""));
    is_found("nothing was done to it", put(Word::Failed, "Failed: ..."));
    is_found("nothing was done to it", put(Word::Held, "Waiting for a person: ..."));
    is_found("one is held without a reason", put(Word::Held, ""));
    is_found("one is not known", |evidence| {
        evidence.told.remove("one");
    });
}

#[test]
fn what_was_killed_may_be_held_with_a_reason() {
    let said = found(|evidence| {
        evidence.runs.pop();
        let held = told(Word::Held, "Waiting for a person: it started and left nothing.");
        evidence.told.insert("two".to_owned(), held);
        evidence.attempts.remove("dw-3");
    });
    assert_eq!(said, [""; 0]);
}

#[test]
fn a_slot_that_stays_taken_and_what_runs_on_are_found() {
    is_found("a slot is not free: a/0", |evidence| evidence.taken.push("a/0".to_owned()));
    is_found("left: sleep", |evidence| evidence.left.push("sleep".to_owned()));
    is_found("panicked", |evidence| evidence.misbehaved.push("it panicked".to_owned()));
}
