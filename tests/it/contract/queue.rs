//! What every queue does, as functions over a [`Rig`]. A real pueued starts what waits by
//! itself, a third of a second later; the fake one when it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;

use daylily_lifecycle::attempt::{Force, QueueKind};
use daylily_lifecycle::ids::{AttemptId, GroupName, HeadnodeName};
use daylily_lifecycle::outcome::{Alive, Claim, FaultClass, QueueWord};
use daylily_watch::adapters::host::fake::{FakeHost, FakeMachine};
use daylily_watch::adapters::host::{Host, HostLook, Job};
use daylily_watch::adapters::queue::fake::FakeQueue;
use daylily_watch::adapters::queue::{GroupLook, Queue, Word};

use crate::pueue::ground::Ground;
use crate::stage::{Stage, entry, job_in, new_attempt, owner};
use crate::wait::{LIMIT, until, until_seen};

/// A queue, and the headnode on which it starts jobs.
pub(crate) trait Rig: Send + Sync {
    fn queue(&self) -> &dyn Queue;
    fn host(&self) -> &dyn Host;
    /// A job that runs till it is ended.
    fn job(&self, attempt: &AttemptId) -> Job;
    /// Lets a queue that waits for a place start the entry, and returns when its job has
    /// claimed, or does not, because another entry's did or it is not prepared.
    fn give_a_place(&self, attempt: &AttemptId);
    fn executed(&self, attempt: &AttemptId) -> usize;
    /// Has a queue that does not look for itself see which jobs have ended.
    fn notice_ends(&self) {}
}

struct Real(Stage);

async fn real() -> Real {
    Real(Stage::new().await)
}

impl Rig for Real {
    fn queue(&self) -> &dyn Queue {
        &self.0.direct
    }

    fn host(&self) -> &dyn Host {
        &self.0.host
    }

    fn job(&self, attempt: &AttemptId) -> Job {
        self.0.job(attempt, "echo executed >>executed; sleep 1000")
    }

    fn give_a_place(&self, _attempt: &AttemptId) {}

    fn executed(&self, attempt: &AttemptId) -> usize {
        let lines = std::fs::read_to_string(format!("{}/executed", self.job(attempt).dir));
        lines.unwrap_or_default().lines().count()
    }
}

impl Rig for Ground {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    fn host(&self) -> &dyn Host {
        &self.stage.host
    }

    fn job(&self, attempt: &AttemptId) -> Job {
        self.stage.job(attempt, "echo executed >>executed; sleep 1000")
    }

    fn give_a_place(&self, attempt: &AttemptId) {
        until("none of its entries waits", LIMIT, || {
            let waits = |status: &serde_json::Value| status.get("Queued").is_some();
            let entries = self.pueued.labelled(attempt.as_str());
            entries.is_empty()
                || !entries.iter().any(|(_, task)| waits(&task["status"]))
                    && self.stage.has(attempt, "claim")
        });
    }

    fn executed(&self, attempt: &AttemptId) -> usize {
        Ground::executed(self, attempt)
    }
}

async fn real_list() -> Ground {
    Ground::new().await
}

struct Fake {
    machine: Arc<FakeMachine>,
    host: FakeHost,
    queue: FakeQueue,
}

async fn fake(kind: QueueKind) -> Fake {
    let machine = FakeMachine::new("2026-11-20T06:00:00Z".parse().expect("a time"));
    let host = FakeHost::new(HeadnodeName::new("fake"), machine.clone(), owner("ours", 1));
    host.own(false).await.expect("nobody owned it");
    Fake { queue: FakeQueue::new(kind, machine.clone()), host, machine }
}

async fn fake_direct() -> Fake {
    fake(QueueKind::Direct).await
}

async fn fake_list() -> Fake {
    let fake = fake(QueueKind::Pueue).await;
    *fake.queue.groups() = Some(BTreeMap::new());
    fake
}

impl Rig for Fake {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    fn host(&self) -> &dyn Host {
        &self.host
    }

    fn job(&self, attempt: &AttemptId) -> Job {
        job_in(std::path::Path::new("/fake"), attempt, "true")
    }

    fn give_a_place(&self, attempt: &AttemptId) {
        self.queue.start(attempt);
    }

    fn executed(&self, attempt: &AttemptId) -> usize {
        self.machine.state().attempts[attempt].executed as usize
    }

    fn notice_ends(&self) {
        self.queue.notice_ends();
    }
}

async fn prepared(rig: &impl Rig) -> AttemptId {
    let attempt = new_attempt();
    rig.host().prepare(&rig.job(&attempt)).await.expect("it can be prepared");
    attempt
}

async fn is_claimed_and_alive(rig: &impl Rig, attempt: &AttemptId) -> bool {
    let looks = rig.host().read(std::slice::from_ref(attempt)).await.expect("the host answers");
    matches!(looks[0], HostLook::Saw { claim: Claim::Job { .. }, alive: Alive::Yes, .. })
}

/// In the list, or to be seen in its directory: never neither.
async fn is_known(rig: &impl Rig, attempt: &AttemptId) -> bool {
    let words = rig.queue().look().await.expect("the queue answers").words;
    let looks = rig.host().read(std::slice::from_ref(attempt)).await.expect("the host answers");
    let seen = !matches!(
        looks[0],
        HostLook::Saw { claim: Claim::Absent, alive: Alive::No { .. } | Alive::Unknowable, .. }
    );
    words.contains_key(attempt) || seen
}

async fn what_was_added_is_known_at_once(rig: &impl Rig) {
    for _ in 0..5 {
        let attempt = prepared(rig).await;
        assert!(!is_known(rig, &attempt).await);
        let answers = rig.queue().add(&[entry(&attempt)]).await;
        assert!(matches!(answers[..], [Ok(_)]), "{answers:?}");
        assert!(is_known(rig, &attempt).await);
    }
}

async fn several_are_added_in_one_go(rig: &impl Rig) {
    let attempts = [prepared(rig).await, prepared(rig).await, prepared(rig).await];
    let entries = attempts.each_ref().map(entry);
    let answers = rig.queue().add(&entries).await;
    assert_eq!(answers.len(), 3);
    for (attempt, answer) in attempts.iter().zip(answers) {
        answer.expect("it is added");
        rig.give_a_place(attempt);
        assert!(is_claimed_and_alive(rig, attempt).await);
    }
}

async fn a_duplicate_executes_nothing(rig: &impl Rig) {
    let attempt = prepared(rig).await;
    for _ in 0..3 {
        let _ = rig.queue().add(&[entry(&attempt)]).await;
        rig.give_a_place(&attempt);
    }
    until_seen("it runs", LIMIT, || is_claimed_and_alive(rig, &attempt)).await;
    until_seen("its command began", LIMIT, || async { rig.executed(&attempt) > 0 }).await;
    rig.host().end(&attempt, Force::KillAll).await.expect("it ends");
    let _ = rig.queue().add(&[entry(&attempt)]).await;
    rig.give_a_place(&attempt);
    assert_eq!(rig.executed(&attempt), 1);
}

async fn removing_ends_no_process_and_may_be_repeated(rig: &impl Rig) {
    let attempt = prepared(rig).await;
    rig.queue().remove(std::slice::from_ref(&attempt)).await.expect("absent is success");
    rig.queue().add(&[entry(&attempt)]).await.remove(0).expect("it is added");
    rig.give_a_place(&attempt);
    for _ in 0..2 {
        rig.queue().remove(std::slice::from_ref(&attempt)).await.expect("it may be repeated");
        assert!(is_claimed_and_alive(rig, &attempt).await);
    }
}

async fn an_attempt_that_is_not_prepared_is_not_started(rig: &impl Rig) {
    let attempt = new_attempt();
    let answers = rig.queue().add(&[entry(&attempt)]).await;
    rig.give_a_place(&attempt);
    let running = |word: &QueueWord| *word == QueueWord::Running;
    let words = rig.queue().look().await.expect("the queue answers").words;
    assert!(!words.values().any(|word| running(&word.says)), "{words:?}");
    let fault = answers[0].as_ref().expect_err("there is no job.sh");
    assert_eq!(fault.class, FaultClass::TransientStep, "{fault}");
}

/// A list tells an entry from its beginning to its end and after it; without a list
/// there is never a word.
async fn an_entry_that_is_over_is_removed_and_then_absent(rig: &impl Rig) {
    let attempt = prepared(rig).await;
    rig.queue().add(&[entry(&attempt)]).await.remove(0).expect("it is added");
    rig.give_a_place(&attempt);
    until_seen("it runs", LIMIT, || is_claimed_and_alive(rig, &attempt)).await;
    let has_list =
        rig.queue().look().await.expect("the queue answers").words.contains_key(&attempt);
    assert_eq!(has_list, rig.queue().kind() == QueueKind::Pueue);
    rig.host().end(&attempt, Force::KillAll).await.expect("it ends");
    until_seen("it is over", LIMIT, || async {
        rig.notice_ends();
        let words = rig.queue().look().await.expect("the queue answers").words;
        let over = |word: &Word| matches!(word.says, QueueWord::Done | QueueWord::Killed);
        words.get(&attempt).is_none_or(over)
    })
    .await;
    for _ in 0..2 {
        rig.queue().remove(std::slice::from_ref(&attempt)).await.expect("it is over");
        let words = rig.queue().look().await.expect("the queue answers").words;
        assert!(!words.contains_key(&attempt), "{words:?}");
    }
}

async fn groups_are_made_once_and_started(rig: &impl Rig) {
    let group = GroupName::new("gpu_a");
    for _ in 0..2 {
        rig.queue().create_groups(&[(group.clone(), 2)]).await.expect("it may be repeated");
        rig.queue().create_groups(&[(group.clone(), 7)]).await.expect("it is there");
        rig.queue().start_groups(std::slice::from_ref(&group)).await.expect("it runs already");
        let groups = rig.queue().look().await.expect("the queue answers").groups;
        if let Some(groups) = groups {
            assert_eq!(groups.get(&group), Some(&GroupLook { paused: false, places: 2 }));
        }
    }
}

macro_rules! suite {
    ($($test:ident,)*) => {
        suite!(@of real, $($test,)*);
        suite!(@of real_list, $($test,)*);
        suite!(@of fake_direct, $($test,)*);
        suite!(@of fake_list, $($test,)*);
    };
    (@of $rig:ident, $($test:ident,)*) => {
        mod $rig {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::$rig().await).await;
            })*
        }
    };
}

suite! {
    what_was_added_is_known_at_once,
    several_are_added_in_one_go,
    a_duplicate_executes_nothing,
    removing_ends_no_process_and_may_be_repeated,
    an_attempt_that_is_not_prepared_is_not_started,
    an_entry_that_is_over_is_removed_and_then_absent,
    groups_are_made_once_and_started,
}
