//! Owns taking away what attempts of our own have left: nothing of them runs or ever
//! will, and their entries are out of the queue. For work_dirs that are made to be
//! thrown away; on a user's own, ends are for the daemon to see.

use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Alive, ExitRecord, Fault, FaultClass};

use super::HostLook;
use super::attempts::ShellHost;
use super::shell::Shell;
use crate::adapters::queue::Queue;
use crate::clock::Clock;

/// How long what was ended may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Whether a queue has entries of a label that is no attempt's.
#[async_trait::async_trait]
pub trait Listed: Send + Sync {
    async fn entries(&self, label: &AttemptId) -> Result<usize, Fault>;
}

/// A work_dir with the queue that starts what is in it.
pub struct Remains<S> {
    pub host: ShellHost<S>,
    pub queue: Arc<dyn Queue>,
    /// None where the queue keeps no list.
    pub listed: Option<Box<dyn Listed>>,
    pub clock: Arc<dyn Clock>,
}

impl<S: Shell> Remains<S> {
    /// What one look at an attempt sees; None where there is nothing of it.
    pub async fn look(&self, attempt: &AttemptId) -> Result<Option<HostLook>, Fault> {
        Ok(self.host.read(std::slice::from_ref(attempt)).await?.pop())
    }

    /// Sees to it that nothing of an attempt runs or ever will.
    pub async fn ended(&self, attempt: &AttemptId) -> Result<(), Fault> {
        let Some(HostLook::Saw { exit, .. }) = self.look(attempt).await.unwrap_or_default() else {
            // It was never made.
            return Ok(());
        };
        if exit == ExitRecord::Absent && self.host.take_claim(attempt).await? == ClaimedBy::Daemon {
            return Ok(());
        }
        let begun = self.clock.monotonic();
        let mut force = Force::Terminate;
        loop {
            match self.look(attempt).await? {
                Some(HostLook::Saw { alive: Alive::Yes, .. }) => {}
                Some(HostLook::Saw { alive: Alive::No { .. } | Alive::Unknowable, .. })
                | Some(HostLook::CouldNot { .. })
                | None => return Ok(()),
            }
            if self.clock.monotonic().saturating_sub(begun) >= GONE_WITHIN {
                let text = format!("processes with DAYLILY_ATTEMPT={attempt}");
                return Err(Fault::new(FaultClass::TransientStep, text));
            }
            self.host.end(attempt, force).await?;
            force = Force::KillAll;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// pueue sees the end of a task only after a while, and lets go of it only then.
    pub async fn taken_out(&self, attempt: &AttemptId) -> Result<(), Fault> {
        let label = std::slice::from_ref(attempt);
        let Some(listed) = &self.listed else { return self.queue.remove(label).await };
        let begun = self.clock.monotonic();
        loop {
            if listed.entries(attempt).await? == 0 {
                return Ok(());
            }
            self.queue.remove(label).await?;
            if self.clock.monotonic().saturating_sub(begun) >= GONE_WITHIN {
                let text = format!("the entry {attempt} in the queue");
                return Err(Fault::new(FaultClass::TransientStep, text));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
