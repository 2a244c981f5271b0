//! How much is asked of a headnode, and how often.

use daylily_lifecycle::attempt::Force;
use daylily_lifecycle::case::StateName;
use daylily_lifecycle::observation::{Observation, Request, Verb};

use super::stage::{Stage, hpc};
use crate::adapters::host::fake::Call;

/// Requests to the queue and readings of directories in a minute with so many jobs.
async fn asked_with(jobs: usize) -> (u64, u64) {
    let mut stage = Stage::new().await;
    for _ in 0..jobs {
        stage.running().await;
    }
    stage.pass(120).await;
    let (words, reads) = (stage.calls(Call::Words), stage.calls(Call::Read));
    stage.pass(60).await;
    (stage.calls(Call::Words) - words, stage.calls(Call::Read) - reads)
}

#[tokio::test]
async fn what_is_asked_does_not_grow_with_the_jobs_that_run() {
    let one = asked_with(1).await;
    let fifty = asked_with(50).await;
    assert_eq!(one, fifty);
    assert!(one.0 <= 2 && one.1 <= 1, "{one:?} in a minute in which nothing happens");
}

#[tokio::test]
async fn a_reading_is_one_request_and_one_look_at_directories() {
    let mut stage = Stage::new().await;
    for _ in 0..5 {
        stage.queued().await;
    }
    let before = (stage.calls(Call::Words), stage.calls(Call::Read));
    stage.tick().await;
    assert_eq!((stage.calls(Call::Words), stage.calls(Call::Read)), (before.0 + 1, before.1 + 1));
}

#[tokio::test]
async fn after_something_was_started_the_next_reading_comes_soon_although_nothing_is_new() {
    let mut stage = Stage::new().await;
    stage.running().await;
    stage.pass(60).await;
    stage.tick().await;
    stage.tick().await;
    assert_eq!(stage.calls_within(Call::Words, 2).await, 1);
}

#[tokio::test]
async fn the_directory_of_a_job_that_runs_is_read_when_its_queue_says_otherwise() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.pass(3).await;
    stage.machine.finish(&attempt, Some(0), None);
    stage.queue.notice_ends();
    stage.pass(30).await;
    assert_eq!(stage.case(&case).state.name(), StateName::Returning);
}

#[tokio::test]
async fn an_end_is_seen_in_time_although_the_queue_goes_on_saying_that_it_runs() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.machine.finish(&attempt, Some(0), None);
    stage.pass(91).await;
    assert_eq!(stage.case(&case).state.name(), StateName::Returning);
}

#[tokio::test]
async fn a_ring_reads_every_directory_at_once() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.pass(5).await;
    stage.machine.finish(&attempt, Some(0), None);
    let node = stage.poller.nodes.get_mut(&hpc()).expect("it is polled");
    node.rung.store(true, std::sync::atomic::Ordering::Relaxed);
    stage.pass(1).await;
    assert_eq!(stage.case(&case).state.name(), StateName::Returning);
}

#[tokio::test]
async fn jobs_that_wait_in_a_long_queue_are_no_reason_to_look_often() {
    let mut stage = Stage::new().await;
    for _ in 0..10 {
        stage.queued().await;
    }
    stage.pass(120).await;
    assert_eq!(stage.calls_within(Call::Words, 60).await, 2);
}

#[tokio::test]
async fn what_does_not_come_to_an_end_is_looked_at_often_only_at_first() {
    let mut stage = Stage::new().await;
    let (case, attempt) = stage.running().await;
    stage.machine.state().attempts.get_mut(&attempt).expect("it is there").deaf = true;
    let verb = Verb::Cancel { abandon: false };
    stage.record(&case, Observation::Asked(Request { verb, reason: None })).await;
    let force = Force::KillAll;
    stage.record(&case, Observation::Signalled { attempt, force }).await;
    stage.pass(2).await;
    assert!(stage.calls_within(Call::Words, 60).await >= 28, "every 2 s");
    stage.pass(120).await;
    assert_eq!(stage.calls_within(Call::Words, 60).await, 2);
}

#[tokio::test]
async fn a_case_says_nothing_new_while_nothing_new_is_seen() {
    let mut stage = Stage::new().await;
    let (running, _) = stage.running().await;
    let (queued, _) = stage.queued().await;
    let versions = |stage: &Stage| (stage.case(&running).version, stage.case(&queued).version);
    let before = versions(&stage);
    stage.pass(300).await;
    assert_eq!(versions(&stage), before);
}
