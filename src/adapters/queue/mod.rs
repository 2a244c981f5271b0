//! The contract of a queue: something that gets `job.sh` started some time.
//!
//! A queue is believed in nothing but that: answers get lost, ids are given out
//! again, entries vanish. `add` may be called again for a label only when `words`
//! says that it is absent and was never seen; a duplicate is inert by the claim.

pub mod direct;
pub mod fake;

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::{Fault, QueueWord};

#[async_trait::async_trait]
pub trait Queue: Send + Sync + 'static {
    fn kind(&self) -> QueueKind;

    /// Everything the queue knows of labels that start with `dw-`, in one request.
    /// A label that is not in the map is absent. A queue that keeps no list (direct)
    /// answers an empty map.
    async fn words(&self) -> Result<BTreeMap<AttemptId, Word>, Fault>;

    /// Adds entries; the answers are in the order asked. `Ambiguous`: it may have
    /// been added, look before adding again. With `direct` a repeat is always inert.
    async fn add(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>>;

    /// Takes entries of this label that have not begun, or are over, out of the
    /// queue. Absent is success. It never ends a process.
    async fn remove(&self, attempt: &AttemptId) -> Result<(), Fault>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub says: QueueWord,
    pub task: Option<TaskId>,
    /// More than one entry with this label.
    pub copies: u32,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub attempt: AttemptId,
    pub group: GroupName,
}
