//! What happens to pueued, and what the attempt directory says then.

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::outcome::{AfterClaim, Conclusion, FaultClass, QueueWord};
use daylily_watch::adapters::host::Host;
use daylily_watch::adapters::queue::Queue;
use nix::sys::signal::Signal;

use super::ground::{COUNTED, Ground, NEVER_SEEN, SEEN, WIPED};
use crate::stage::carriers;
use crate::wait::{LIMIT, until};

#[tokio::test]
async fn a_daemon_killed_under_a_running_job_leaves_it_running_whatever_it_says() {
    let mut ground = Ground::new().await;
    let attempt =
        ground.running(&format!("{COUNTED}until [ -e go ]; do sleep 0.05; done; exit 3")).await;
    let waiting = ground.waiting("true").await;
    ground.pueued.kill_9();
    assert!(!carriers(&attempt).is_empty());
    ground.pueued.start_again();
    assert_eq!(ground.says(&attempt).await, QueueWord::Killed);
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert!(matches!(concluded, Conclusion::Running { orphaned: true, .. }), "{concluded:?}");
    // What waited waits on, in a group that pueue paused.
    assert_eq!(ground.concluded(&waiting, SEEN).await, Conclusion::Waiting);
    let groups = ground.look().await.groups.expect("it has groups");
    assert!(groups.values().all(|group| group.paused), "{groups:?}");
    std::fs::write(format!("{}/go", ground.stage.job(&attempt, "").dir), "").unwrap();
    until("its end is written", LIMIT, || ground.stage.has(&attempt, "exit.json"));
    ground.stage.until_nothing_lives(&attempt);
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert!(matches!(concluded, Conclusion::Ended { code: Some(3), .. }), "{concluded:?}");
    assert_eq!(ground.executed(&attempt), 1);
}

#[tokio::test]
async fn a_daemon_that_is_shut_down_ends_its_jobs_and_they_say_so() {
    let mut ground = Ground::new().await;
    let attempt = ground.running("sleep 1000").await;
    ground.pueued.signal(Signal::SIGTERM);
    until("the daemon is gone", LIMIT, || ground.pueued.cli(&["status"]).code != Some(0));
    ground.pueued.kill_9();
    ground.pueued.start_again();
    assert_eq!(ground.says(&attempt).await, QueueWord::Killed);
    // pueue ends them without a chance to write; what lives on is found all the same.
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert!(
        matches!(
            concluded,
            Conclusion::Ended { .. }
                | Conclusion::Silent { .. }
                | Conclusion::Running { .. }
                | Conclusion::EndedWithLeftOvers { .. }
        ),
        "{concluded:?}"
    );
    ground.stage.host.end(&attempt, Force::KillAll).await.expect("it can be ended");
    ground.stage.until_nothing_lives(&attempt);
}

#[tokio::test]
async fn a_daemon_that_goes_while_it_is_asked_is_never_taken_for_broken() {
    let mut ground = Ground::new().await;
    ground.running("sleep 1000").await;
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT] {
        ground.pueued.signal(signal);
        let mut refused = 0;
        while refused < 3 {
            match ground.queue.look().await {
                Ok(_) => {}
                Err(fault) => {
                    assert_eq!(fault.class, FaultClass::TransientHost, "{signal}: {fault}");
                    refused += usize::from(fault.text.contains("does not run"));
                }
            }
        }
        ground.pueued.kill_9();
        ground.pueued.start_again();
        assert!(ground.queue.look().await.is_ok());
    }
}

#[tokio::test]
async fn a_clean_takes_no_result_with_it() {
    let ground = Ground::new().await;
    let attempt = ground.stage.prepared("exit 5").await;
    ground.add(&attempt).await.expect("it is added");
    ground.until_says(&attempt, QueueWord::Done).await;
    ground.pueued.must(&["clean"]);
    assert_eq!(ground.says(&attempt).await, QueueWord::Absent);
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert!(matches!(concluded, Conclusion::Ended { code: Some(5), .. }), "{concluded:?}");
}

#[tokio::test]
async fn a_reset_loses_what_waited_and_the_claim_keeps_it_from_running() {
    let ground = Ground::new().await;
    let (running, waiting) = (ground.running("sleep 1000").await, ground.waiting(COUNTED).await);
    ground.pueued.reset();
    for (seen, then) in [(SEEN, AfterClaim::Hold), (WIPED, AfterClaim::NewAttempt)] {
        assert_eq!(ground.concluded(&waiting, seen).await, Conclusion::TakeClaim { then });
    }
    assert_eq!(ground.stage.host.take_claim(&waiting).await, Ok(ClaimedBy::Daemon));
    // A copy that turns up after all is inert.
    ground.add(&waiting).await.expect("it is added");
    ground.until_says(&waiting, QueueWord::Done).await;
    assert_eq!(ground.executed(&waiting), 0);
    assert_eq!(ground.concluded(&waiting, SEEN).await, Conclusion::NeverRan);
    // The one that ran was killed by it, or lives: never is it taken for one that never ran.
    let concluded = ground.concluded(&running, SEEN).await;
    assert!(
        !matches!(concluded, Conclusion::TakeClaim { .. } | Conclusion::NotSubmitted),
        "{concluded:?}"
    );
}

#[tokio::test]
async fn an_emptied_state_file_is_an_empty_list_and_the_job_goes_on() {
    let mut ground = Ground::new().await;
    let (running, waiting) = (ground.running("sleep 1000").await, ground.waiting("true").await);
    ground.pueued.kill_9();
    ground.pueued.empty_state();
    ground.pueued.start_again();
    let look = ground.look().await;
    assert_eq!(look.entries, 0);
    assert!(look.words.is_empty());
    let concluded = ground.concluded(&running, SEEN).await;
    assert!(matches!(concluded, Conclusion::Running { orphaned: true, .. }), "{concluded:?}");
    let then = AfterClaim::NewAttempt;
    assert_eq!(ground.concluded(&waiting, WIPED).await, Conclusion::TakeClaim { then });
}

#[tokio::test]
async fn a_paused_group_takes_entries_and_they_wait() {
    let ground = Ground::new().await;
    let attempt = ground.waiting(&format!("{COUNTED}true")).await;
    for _ in 0..5 {
        assert_eq!(ground.concluded(&attempt, SEEN).await, Conclusion::Waiting);
    }
    let groups = ground.look().await.groups.expect("it has groups");
    assert!(groups.values().all(|group| group.paused), "{groups:?}");
    assert_eq!(ground.executed(&attempt), 0);
    ground.pueued.must(&["start", "--group", "default"]);
    until("it was executed", LIMIT, || ground.executed(&attempt) == 1);
}

#[tokio::test]
async fn an_id_that_is_given_out_again_is_another_entry() {
    let ground = Ground::new().await;
    let first = ground.stage.prepared("exit 4").await;
    let task = ground.add(&first).await.expect("it is added");
    ground.until_says(&first, QueueWord::Done).await;
    ground.pueued.must(&["clean"]);
    let second = ground.waiting("true").await;
    let again = ground.pueued.labelled(second.as_str())[0].0.clone();
    assert_eq!(task.expect("it has an id").as_str(), again);
    assert_eq!(ground.says(&first).await, QueueWord::Absent);
    // Neither is the second taken for the first, nor taken out for it.
    let concluded = ground.concluded(&first, SEEN).await;
    assert!(matches!(concluded, Conclusion::Ended { code: Some(4), .. }), "{concluded:?}");
    ground.queue.remove(&[first]).await.expect("it is absent");
    assert_eq!(ground.says(&second).await, QueueWord::Waiting);
    // By hand the same label may be given to another entry: both are of it.
    let copies = ground.look().await.words[&second].copies;
    ground.add(&second).await.expect("it is added");
    assert_eq!(ground.look().await.words[&second].copies, copies + 1);
}

#[tokio::test]
async fn an_entry_added_again_by_hand_executes_nothing_and_ends_nothing() {
    let ground = Ground::new().await;
    let attempt = ground.running(&format!("{COUNTED}until [ -e go ]; do sleep 0.05; done")).await;
    let command = ground.pueued.labelled(attempt.as_str())[0].1["command"].clone();
    for _ in 0..2 {
        ground.pueued.add(attempt.as_str(), command.as_str().unwrap());
    }
    until("the copies are done", LIMIT, || {
        let done = ground.pueued.labelled(attempt.as_str());
        done.iter().filter(|(_, task)| task["status"]["Done"]["result"]["Failed"] == 98).count()
            == 2
    });
    let word = ground.look().await.words[&attempt].clone();
    assert_eq!((word.says, word.copies), (QueueWord::Running, 3));
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert!(matches!(concluded, Conclusion::Running { orphaned: false, .. }), "{concluded:?}");
    std::fs::write(format!("{}/go", ground.stage.job(&attempt, "").dir), "").unwrap();
    ground.until_says(&attempt, QueueWord::Done).await;
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert!(matches!(concluded, Conclusion::Ended { code: Some(0), .. }), "{concluded:?}");
    assert_eq!(ground.executed(&attempt), 1);
}

#[tokio::test]
async fn an_add_that_a_frozen_daemon_takes_later_is_found_and_not_repeated() {
    let ground = Ground::new().await;
    let mut way = ground.way();
    way.settings.patience = std::time::Duration::from_millis(300);
    let impatient = ground.queue_by(way);
    let attempt = ground.stage.prepared(&format!("{COUNTED}true")).await;
    ground.pueued.freeze();
    let entry = crate::stage::entry(&attempt);
    let fault = impatient.add(&[entry]).await.remove(0).expect_err("nobody answers");
    assert_eq!(fault.class, FaultClass::Ambiguous);
    // That nothing is known is not that it is absent.
    assert!(impatient.look().await.is_err());
    ground.pueued.thaw();
    if ground.concluded(&attempt, NEVER_SEEN).await == Conclusion::NotSubmitted {
        ground.add(&attempt).await.expect("it is added");
    }
    ground.until_says(&attempt, QueueWord::Done).await;
    assert_eq!(ground.executed(&attempt), 1);
}
