//! The queue behind a passage.

use std::sync::Arc;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::{Fault, FaultClass, QueueWord};
use daylily_watch::adapters::queue::fake::{FakeQueue, Listed};
use daylily_watch::adapters::queue::{Entry, Queue, QueueLook};

use crate::passage::Passage;
use crate::schedule::Lie;

pub(crate) struct ModelQueue {
    queue: Arc<FakeQueue>,
    passage: Passage,
}

impl ModelQueue {
    pub(crate) fn new(queue: Arc<FakeQueue>, passage: Passage) -> Self {
        Self { queue, passage }
    }
}

#[async_trait::async_trait]
impl Queue for ModelQueue {
    fn kind(&self) -> QueueKind {
        self.queue.kind()
    }

    async fn look(&self) -> Result<QueueLook, Fault> {
        let queue = self.queue.clone();
        let deed = async move { queue.look().await };
        self.passage
            .call_or("look at the queue", deed, Err, |look, lie| look.map(|look| lied(look, lie)))
            .await
    }

    async fn add(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>> {
        let (queue, entries) = (self.queue.clone(), entries.to_vec());
        let count = entries.len();
        let (again, same) = (self.queue.clone(), entries.clone());
        let deed = async move { queue.add(&entries).await };
        // Whoever hears nothing of an adding cannot tell whether it happened.
        let failed = move |fault: Fault| {
            let class = match fault.class {
                FaultClass::TransientHost => FaultClass::Ambiguous,
                class => class,
            };
            vec![Err(Fault { class, ..fault }); count]
        };
        let twice = move |answer, lie| {
            if lie == Lie::Twice {
                add_again(&again, &same);
            }
            answer
        };
        self.passage.call_or("add", deed, failed, twice).await
    }

    async fn remove(&self, attempts: &[AttemptId]) -> Result<(), Fault> {
        let (queue, attempts) = (self.queue.clone(), attempts.to_vec());
        self.passage.call("remove", async move { queue.remove(&attempts).await }).await
    }

    async fn create_groups(&self, groups: &[(GroupName, u32)]) -> Result<(), Fault> {
        let (queue, groups) = (self.queue.clone(), groups.to_vec());
        self.passage.call("create groups", async move { queue.create_groups(&groups).await }).await
    }

    async fn start_groups(&self, groups: &[GroupName]) -> Result<(), Fault> {
        let (queue, groups) = (self.queue.clone(), groups.to_vec());
        self.passage.call("start groups", async move { queue.start_groups(&groups).await }).await
    }

    async fn version(&self) -> Result<Option<String>, Fault> {
        let queue = self.queue.clone();
        self.passage.call("ask the version", async move { queue.version().await }).await
    }
}

/// A second entry for each, as somebody who adds by hand leaves them.
fn add_again(queue: &FakeQueue, entries: &[Entry]) {
    let mut list = queue.list();
    for entry in entries {
        let task = TaskId::new(list.len().to_string());
        list.push(Listed { entry: entry.clone(), task, says: QueueWord::Waiting });
    }
}

fn lied(mut look: QueueLook, lie: Lie) -> QueueLook {
    match lie {
        Lie::Empty => {
            look.words.clear();
            look.entries = 0;
        }
        Lie::Over => {
            for word in look.words.values_mut() {
                word.says = match word.says {
                    QueueWord::Running => QueueWord::Done,
                    QueueWord::Waiting => QueueWord::FailedToSpawn,
                    said @ (QueueWord::Done
                    | QueueWord::Killed
                    | QueueWord::FailedToSpawn
                    | QueueWord::Absent
                    | QueueWord::Unreadable) => said,
                };
            }
        }
        Lie::Runs => {
            for word in look.words.values_mut() {
                word.says = QueueWord::Running;
            }
        }
        Lie::Blind | Lie::Twice => {}
    }
    look
}
