//! No statement of a tick touches finished cases: each goes through an index.

use super::fresh;
use crate::store::read::{board, live, lookup};
use crate::store::{prune, requests};

fn check(sql: &str, indexes: &[&str]) {
    let db = fresh();
    let mut select = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it is valid");
    let params = vec!["x"; select.parameter_count()];
    let steps: Vec<String> = select
        .query_map(rusqlite::params_from_iter(params), |row| row.get("detail"))
        .expect("it can be explained")
        .collect::<Result<_, _>>()
        .expect("it is text");
    for step in &steps {
        let whole = step.starts_with("SCAN")
            && !indexes.iter().any(|index| step.contains(index))
            && !step.contains("SUBQUERY")
            && !step.contains("slots");
        assert!(!whole, "{sql}\nreads a whole table: {steps:#?}");
    }
    for index in indexes {
        assert!(
            steps.iter().any(|step| step.contains(index)),
            "{sql}\ndoes not use {index}: {steps:#?}"
        );
    }
}

#[test]
fn the_live_cases_come_from_partial_indexes() {
    check(live::LIVE, &["cases_live", "cases_unplanned"]);
}

#[test]
fn the_due_cases_come_from_partial_indexes() {
    check(live::DUE, &["cases_wake", "cases_unplanned"]);
    check(live::NEXT_WAKE, &["cases_wake"]);
}

#[test]
fn the_waiting_cases_come_from_a_partial_index() {
    check(live::WAITING, &["cases_live"]);
}

#[test]
fn the_running_attempts_come_from_a_partial_index() {
    check(live::RUNNING, &["cases_live"]);
    check(live::AHEAD, &["cases_live"]);
    check(live::TROUBLED, &["cases_live"]);
    check(live::THERE, &["cases_live"]);
}

#[test]
fn the_names_in_an_intake_come_from_indexes() {
    check(live::LIVE_NAMES, &["cases_live"]);
}

#[test]
fn a_place_is_looked_for_by_the_names_it_can_have() {
    check(lookup::PLACE, &["case_id="]);
}

#[test]
fn the_open_requests_come_from_a_partial_index() {
    check(requests::OPEN, &["requests_open"]);
}

#[test]
fn the_board_reads_no_more_finished_cases_than_it_shows() {
    check(board::UNFINISHED, &["cases_live"]);
    check(board::FINISHED, &["cases_finished"]);
    check(board::CHANGED, &["cases_updated"]);
}

#[test]
fn pruning_looks_only_at_what_is_left_to_prune() {
    check(prune::FINISHED, &["cases_prunable"]);
    check(prune::DROPPED, &["journal_dropped"]);
    check(lookup::UNCLEANED, &["attempts_uncleaned"]);
}
