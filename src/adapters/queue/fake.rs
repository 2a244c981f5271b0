//! Owns a queue in memory, for tests: it keeps a list like pueue's, or none like the
//! direct queue, and starts jobs on a [`FakeMachine`] when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::{Fault, FaultClass, QueueWord};

use super::{Entry, GroupLook, Queue, QueueLook, Word};
use crate::adapters::host::fake::{Call, FakeMachine, Started};

#[derive(Debug)]
pub struct FakeQueue {
    kind: QueueKind,
    machine: Arc<FakeMachine>,
    list: Mutex<Vec<Listed>>,
    groups: Mutex<Option<BTreeMap<GroupName, GroupLook>>>,
    /// Which run of its daemon answers, where it tells that.
    instance: Mutex<Option<String>>,
}

#[derive(Debug, Clone)]
pub struct Listed {
    pub entry: Entry,
    pub task: TaskId,
    pub says: QueueWord,
}

impl FakeQueue {
    pub fn new(kind: QueueKind, machine: Arc<FakeMachine>) -> Self {
        let (list, groups, instance) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { kind, machine, list, groups, instance }
    }

    /// The list, to be looked at or changed between calls.
    pub fn list(&self) -> MutexGuard<'_, Vec<Listed>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The groups, to be looked at or changed between calls. None: it tells of none.
    pub fn groups(&self) -> MutexGuard<'_, Option<BTreeMap<GroupName, GroupLook>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another run of its daemon answers from now on.
    pub fn is_run(&self, instance: &str) {
        *self.instance.lock().unwrap_or_else(PoisonError::into_inner) = Some(instance.to_owned());
    }

    /// Starts the first waiting entry of this label.
    pub fn start(&self, attempt: &AttemptId) -> Option<Started> {
        let mut state = self.machine.state();
        let mut list = self.list();
        let listed = list
            .iter_mut()
            .find(|l| l.entry.attempt == *attempt && l.says == QueueWord::Waiting)?;
        let here = state.here.clone();
        let started = state.start(attempt, here);
        listed.says = match started {
            Started::Claimed => QueueWord::Running,
            Started::NotThere | Started::CaseLocked | Started::ClaimedBefore => QueueWord::Done,
        };
        Some(started)
    }

    /// Notices jobs that have ended.
    pub fn notice_ends(&self) {
        let state = self.machine.state();
        for listed in self.list().iter_mut().filter(|l| l.says == QueueWord::Running) {
            if state.attempts.get(&listed.entry.attempt).is_none_or(|this| !this.running) {
                listed.says = QueueWord::Done;
            }
        }
    }
}

#[async_trait::async_trait]
impl Queue for FakeQueue {
    fn kind(&self) -> QueueKind {
        self.kind
    }

    async fn look(&self) -> Result<QueueLook, Fault> {
        self.machine.act(Call::Words, None, |_| {
            let mut words: BTreeMap<AttemptId, Word> = BTreeMap::new();
            for Listed { entry, task, says } in self.list().iter() {
                let new = Word { says: *says, task: Some(task.clone()), copies: 0 };
                let word = words.entry(entry.attempt.clone()).or_insert(new);
                word.copies += 1;
                // What lives says more than what is over.
                if matches!(says, QueueWord::Running)
                    || matches!(says, QueueWord::Waiting) && word.says != QueueWord::Running
                {
                    word.says = *says;
                    word.task = Some(task.clone());
                }
            }
            let entries = u64::try_from(self.list().len()).unwrap_or(u64::MAX);
            let instance = self.instance.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Ok(QueueLook { words, groups: self.groups().clone(), entries, instance })
        })
    }

    async fn add(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>> {
        let add = |entry: &Entry| match self.kind {
            QueueKind::Direct => self.machine.act(Call::Add, None, |state| {
                let here = state.here.clone();
                let trouble = match state.start(&entry.attempt, here) {
                    Started::Claimed | Started::ClaimedBefore => return Ok(None),
                    Started::NotThere => "job.sh is missing",
                    Started::CaseLocked => "another attempt of this case runs",
                };
                let text = format!("{}: {trouble}", entry.attempt);
                Err(Fault::new(FaultClass::TransientStep, text))
            }),
            QueueKind::Pueue => self.machine.act(Call::Add, None, |state| {
                if !state.attempts.contains_key(&entry.attempt) {
                    let text = format!("{}: job.sh is missing", entry.attempt);
                    return Err(Fault::new(FaultClass::TransientStep, text));
                }
                let mut list = self.list();
                let task = TaskId::new(list.len().to_string());
                let listed =
                    Listed { entry: entry.clone(), task: task.clone(), says: QueueWord::Waiting };
                list.push(listed);
                Ok(Some(task))
            }),
        };
        entries.iter().map(add).collect()
    }

    async fn remove(&self, attempts: &[AttemptId]) -> Result<(), Fault> {
        self.machine.act(Call::Remove, None, |_| {
            let gone =
                |l: &Listed| attempts.contains(&l.entry.attempt) && l.says != QueueWord::Running;
            self.list().retain(|l| !gone(l));
            Ok(())
        })
    }

    async fn create_groups(&self, groups: &[(GroupName, u32)]) -> Result<(), Fault> {
        self.machine.act(Call::CreateGroups, None, |_| {
            if let Some(known) = self.groups().as_mut() {
                for (name, places) in groups {
                    let made = GroupLook { paused: false, places: *places };
                    known.entry(name.clone()).or_insert(made);
                }
            }
            Ok(())
        })
    }

    async fn start_groups(&self, groups: &[GroupName]) -> Result<(), Fault> {
        self.machine.act(Call::StartGroups, None, |_| {
            if let Some(known) = self.groups().as_mut() {
                for name in groups {
                    if let Some(group) = known.get_mut(name) {
                        group.paused = false;
                    }
                }
            }
            Ok(())
        })
    }

    async fn version(&self) -> Result<Option<String>, Fault> {
        self.machine.act(Call::Version, None, |_| {
            Ok((self.kind == QueueKind::Pueue).then(|| "4.0.4".to_owned()))
        })
    }
}
