//! Owns the queue that is none: a job starts the moment it is added, in a session of
//! its own, nobody's child. It keeps no list and ends nothing; the attempt directory
//! knows all there is to know.

use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::{Entry, Queue, QueueLook};
use crate::adapters::host::attempts::plain;
use crate::adapters::host::shell::{About, Ran, Script, Shell, WorkDir, code};

/// The script itself waits for at most twice 5 s.
const START: Script = Script::short(
    About::Attempt,
    concat!(include_str!("../host/scripts/owner.sh"), "\n", include_str!("scripts/start.sh")),
)
.within(Duration::from_secs(20));

/// Each start waits for its claim, so several are waited for together.
const AT_ONCE: usize = 4;

#[derive(Debug)]
pub struct Direct<S> {
    work_dir: Arc<WorkDir<S>>,
}

impl<S: Shell> Direct<S> {
    pub fn new(work_dir: Arc<WorkDir<S>>) -> Self {
        Self { work_dir }
    }

    async fn start(&self, attempt: &AttemptId) -> Result<Option<TaskId>, Fault> {
        let ran = self.work_dir.ask(START, &[plain(attempt)?], &[], 4096).await?;
        let answer = match ran {
            Ran::TimedOut => {
                let text = format!("starting {attempt} took longer than {:?}", START.limit);
                return Err(Fault::new(FaultClass::Ambiguous, text));
            }
            Ran::Ended(answer) => answer,
        };
        match answer.code {
            Some(0) => Ok(None),
            Some(code::MISSING) => Err(Fault::new(
                FaultClass::TransientStep,
                format!("job.sh of {attempt} is missing"),
            )),
            Some(code::NOT_BEGUN) => {
                let said = String::from_utf8_lossy(&answer.stdout);
                let said = said.lines().find(|line| !line.trim().is_empty());
                let said = said.unwrap_or("it has said nothing");
                let text = format!("{attempt} ended before its claim: {said}");
                Err(Fault::new(FaultClass::TransientStep, text))
            }
            Some(_) | None => Err(self.work_dir.failed(START, &answer)),
        }
    }
}

#[async_trait::async_trait]
impl<S: Shell> Queue for Direct<S> {
    fn kind(&self) -> QueueKind {
        QueueKind::Direct
    }

    async fn look(&self) -> Result<QueueLook, Fault> {
        Ok(QueueLook::default())
    }

    async fn add(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>> {
        let mut answers = Vec::with_capacity(entries.len());
        for some in entries.chunks(AT_ONCE) {
            let started = some.iter().map(|entry| self.start(&entry.attempt));
            answers.extend(futures_util::future::join_all(started).await);
        }
        answers
    }

    async fn remove(&self, _attempts: &[AttemptId]) -> Result<(), Fault> {
        Ok(())
    }

    async fn create_groups(&self, _groups: &[(GroupName, u32)]) -> Result<(), Fault> {
        Ok(())
    }

    async fn start_groups(&self, _groups: &[GroupName]) -> Result<(), Fault> {
        Ok(())
    }

    async fn version(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }
}
