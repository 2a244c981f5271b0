//! What stays in the queue of attempts that can start nothing any more.

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::QueueWord;

use super::stage::{Stage, silence};
use crate::adapters::host::fake::Call;

fn entries(stage: &Stage, attempt: &AttemptId) -> Vec<QueueWord> {
    let list = stage.queue.list();
    list.iter().filter(|l| l.entry.attempt == *attempt).map(|l| l.says).collect()
}

#[tokio::test]
async fn entries_of_attempts_that_have_ended_are_removed_together() {
    let mut stage = Stage::new().await;
    let mut ended = Vec::new();
    for _ in 0..5 {
        ended.push(stage.running().await);
    }
    let (_, queued) = stage.queued().await;
    for (_, attempt) in &ended {
        stage.machine.finish(attempt, Some(0), None);
    }
    stage.queue.notice_ends();
    let before = stage.calls(Call::Remove);
    stage.tick().await;
    assert_eq!(stage.calls(Call::Remove), before + 1);
    for (case, attempt) in &ended {
        assert_eq!(stage.case(case).state.name(), StateName::Returning);
        assert_eq!(entries(&stage, attempt), []);
    }
    assert_eq!(entries(&stage, &queued), [QueueWord::Waiting]);
    stage.tick().await;
    assert_eq!(stage.calls(Call::Remove), before + 1, "nothing is left to be removed");
}

#[tokio::test]
async fn a_queued_copy_of_a_job_that_runs_is_removed_and_the_job_is_not() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.add(&attempt);
    stage.tick().await;
    assert_eq!(entries(&stage, &attempt), [QueueWord::Running]);
    assert_eq!(stage.case(&case).state.name(), StateName::Running);
}

#[tokio::test]
async fn two_copies_of_what_has_not_begun_are_left_till_one_has() {
    let mut stage = Stage::new().await;
    let (_, attempt) = stage.queued().await;
    stage.add(&attempt);
    stage.tick().await;
    assert_eq!(entries(&stage, &attempt), [QueueWord::Waiting; 2], "else none would start");
    stage.queue.start(&attempt);
    stage.tick().await;
    // The first look reads the claim; what it makes inert goes with the same.
    assert_eq!(entries(&stage, &attempt), [QueueWord::Running]);
}

#[tokio::test]
async fn a_label_that_the_database_does_not_know_is_nobodys_to_remove() {
    let mut stage = Stage::new().await;
    stage.running().await;
    let strange = AttemptId::new("dw-of-another-database");
    stage.add(&strange);
    stage.queue.list().last_mut().expect("it was added").says = QueueWord::Done;
    stage.tick().await;
    assert_eq!(entries(&stage, &strange), [QueueWord::Done]);
}

#[tokio::test]
async fn what_could_not_be_removed_is_removed_with_the_next_look() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.machine.finish(&attempt, Some(0), None);
    stage.queue.notice_ends();
    stage.machine.state().refused.insert(Call::Remove, silence());
    stage.tick().await;
    assert_eq!(stage.case(&case).state.name(), StateName::Returning);
    assert_eq!(entries(&stage, &attempt), [QueueWord::Done]);
    stage.machine.state().refused.clear();
    stage.tick().await;
    assert_eq!(entries(&stage, &attempt), []);
}

#[tokio::test]
async fn a_job_that_was_halted_in_its_queue_is_left_there() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.queue.list()[0].says = QueueWord::Waiting;
    let before = stage.calls(Call::Remove);
    stage.tick().await;
    assert_eq!(entries(&stage, &attempt), [QueueWord::Waiting]);
    assert_eq!(stage.calls(Call::Remove), before);
    assert_eq!(stage.case(&case).state.name(), StateName::Running);
}
