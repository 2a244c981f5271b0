//! Entries that are gone from the queue: removed by hand, or all of them at once.

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::{AttemptId, CaseId};
use daylily_lifecycle::outcome::AfterClaim;

use super::stage::Stage;

fn giving_up(stage: &Stage, case: &CaseId) -> Option<AfterClaim> {
    stage.case(case).attempt().expect("it has one").giving_up
}

fn remove(stage: &Stage, attempts: &[&AttemptId]) {
    stage.queue.list().retain(|listed| !attempts.contains(&&listed.entry.attempt));
}

#[tokio::test]
async fn a_queue_that_was_emptied_makes_new_attempts_of_what_had_not_begun() {
    let mut stage = Stage::new().await;
    let (first, _) = stage.queued().await;
    let (second, _) = stage.queued().await;
    let (running, _) = stage.running().await;
    stage.queue.list().clear();
    stage.tick().await;
    for case in [&first, &second] {
        assert_eq!(giving_up(&stage, case), Some(AfterClaim::NewAttempt));
    }
    let orphan = stage.case(&running);
    assert_eq!(orphan.state.name(), StateName::Running, "its process lives");
    assert!(orphan.attempt().expect("it has one").error.is_some(), "and that is told");
}

#[tokio::test]
async fn an_entry_that_was_removed_by_hand_is_not_started_again() {
    let mut stage = Stage::new().await;
    let (kept, _) = stage.queued().await;
    let (removed, attempt) = stage.queued().await;
    remove(&stage, &[&attempt]);
    stage.tick().await;
    assert_eq!(giving_up(&stage, &removed), Some(AfterClaim::Hold));
    assert_eq!(giving_up(&stage, &kept), None);
}

#[tokio::test]
async fn entries_that_were_removed_one_after_the_other_were_removed_by_hand() {
    let mut stage = Stage::new().await;
    let (first, one) = stage.queued().await;
    let (second, two) = stage.queued().await;
    remove(&stage, &[&one]);
    stage.tick().await;
    remove(&stage, &[&two]);
    stage.tick().await;
    assert_eq!(giving_up(&stage, &first), Some(AfterClaim::Hold));
    assert_eq!(giving_up(&stage, &second), Some(AfterClaim::Hold));
}

#[tokio::test]
async fn the_only_entry_in_a_queue_that_was_started_anew_and_is_empty_was_wiped() {
    let mut stage = Stage::new().await;
    stage.queue.is_run("run 1");
    let (case, _) = stage.queued().await;
    stage.queue.list().clear();
    stage.queue.is_run("run 2");
    // The daemon was away meanwhile, too.
    stage.restart();
    stage.tick().await;
    assert_eq!(giving_up(&stage, &case), Some(AfterClaim::NewAttempt));
}

#[tokio::test]
async fn the_only_entry_that_is_gone_from_the_same_run_was_removed_by_hand() {
    let mut stage = Stage::new().await;
    stage.queue.is_run("run 1");
    let (case, _) = stage.queued().await;
    stage.queue.list().clear();
    stage.tick().await;
    assert_eq!(giving_up(&stage, &case), Some(AfterClaim::Hold));
}

#[tokio::test]
async fn who_could_not_be_looked_at_when_all_was_gone_learns_it_later() {
    let mut stage = Stage::new().await;
    let (first, _) = stage.queued().await;
    let (second, id) = stage.queued().await;
    let hidden = stage.machine.state().attempts.remove(&id).expect("it is there");
    stage.queue.list().clear();
    stage.tick().await;
    assert_eq!(giving_up(&stage, &first), Some(AfterClaim::NewAttempt));
    assert_eq!(giving_up(&stage, &second), None, "nothing is known of it");
    // By the time it can be looked at, the queue has entries again.
    stage.pass(2).await;
    let (third, again) = stage.queued().await;
    stage.machine.state().attempts.insert(id, hidden);
    stage.tick().await;
    assert_eq!(giving_up(&stage, &second), Some(AfterClaim::NewAttempt));
    remove(&stage, &[&again]);
    stage.tick().await;
    assert_eq!(giving_up(&stage, &third), Some(AfterClaim::Hold), "that one went alone");
}
