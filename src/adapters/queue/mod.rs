//! The contract of a queue: something that gets `job.sh` started some time.
//!
//! A queue is believed in nothing but that: answers get lost, ids are given out
//! again, entries vanish. `add` may be called again for a label only when `look`
//! says that it is absent and was never seen; a duplicate is inert by the claim.

pub mod direct;
pub mod fake;
pub mod pueue;

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::{Fault, QueueWord};

#[async_trait::async_trait]
pub trait Queue: Send + Sync + 'static {
    fn kind(&self) -> QueueKind;

    /// Everything the queue knows of labels that start with `dw-`, and its groups, in
    /// one request. An answer that cannot be understood is asked for once more at once;
    /// if that is no better it is `FatalHost`, and the text names the file in which the
    /// answer was kept.
    async fn look(&self) -> Result<QueueLook, Fault>;

    /// Adds entries; the answers are in the order asked. `Ambiguous`: it may have
    /// been added, look before adding again. With `direct` a repeat is always inert.
    /// `TransientStep`: its `job.sh` is missing, and it was not added.
    /// `NeedsPerson`: the queue has no such group; that is one entry's trouble, not
    /// the headnode's.
    async fn add(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>>;

    /// Takes entries of these labels that have not begun, or are over, out of the
    /// queue. Absent is success. It never ends a process.
    async fn remove(&self, attempts: &[AttemptId]) -> Result<(), Fault>;

    /// Makes groups, each with so many places. One that is there already stays as it is.
    async fn create_groups(&self, groups: &[(GroupName, u32)]) -> Result<(), Fault>;

    /// Starts groups that are paused.
    async fn start_groups(&self, groups: &[GroupName]) -> Result<(), Fault>;

    /// The version of the queue's program. None: it has none.
    async fn version(&self) -> Result<Option<String>, Fault>;
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueLook {
    /// A label that is not here is absent. A queue that keeps no list (direct) has none.
    pub words: BTreeMap<AttemptId, Word>,
    /// None: the queue has no groups (direct), or tells of them what nobody understands.
    pub groups: Option<BTreeMap<GroupName, GroupLook>>,
    /// Entries of anybody; of us alone where the whole list is too long to be asked for.
    pub entries: u64,
    /// Which run of the queue's daemon answered, where that can be told.
    pub instance: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupLook {
    pub paused: bool,
    /// How many entries it runs at a time. 0: as many as there are.
    pub places: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub says: QueueWord,
    pub task: Option<TaskId>,
    /// How many entries have this label.
    pub copies: u32,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub attempt: AttemptId,
    pub group: GroupName,
}
