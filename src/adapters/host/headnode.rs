//! Owns how a headnode is put together: its attempt directories are scripts over a
//! [`Shell`], its folders move by a [`Transfer`]. What differs between this machine and
//! one that ssh reaches is in those two.

use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::{AttemptId, ByteCount, HeadnodeName};
use daylily_lifecycle::outcome::Fault;
use tokio_util::sync::CancellationToken;

use super::attempts::ShellHost;
use super::found::FoundAttempt;
use super::shell::{Heard, Shell, WorkDir};
use super::{
    CleanOrder, Cleaned, FetchOrder, Fetched, Host, HostLook, Job, OutputFile, Prepared, Progress,
    ShipOrder, Shipped, Transfer,
};

#[derive(Debug)]
pub struct Headnode<S, T> {
    attempts: ShellHost<S>,
    transfer: T,
}

impl<S: Shell, T: Transfer> Headnode<S, T> {
    pub fn joined(attempts: ShellHost<S>, transfer: T) -> Self {
        Self { attempts, transfer }
    }

    /// The same headnode with another way to move files.
    pub fn moving_by<U: Transfer>(self, transfer: U) -> Headnode<S, U> {
        Headnode { attempts: self.attempts, transfer }
    }

    /// For a queue, which starts jobs where this host prepares them.
    pub fn work_dir(&self) -> &Arc<WorkDir<S>> {
        self.attempts.work_dir()
    }
}

#[async_trait::async_trait]
impl<S: Shell, T: Transfer> Host for Headnode<S, T> {
    fn name(&self) -> &HeadnodeName {
        self.attempts.name()
    }

    async fn own(&self, owned_before: bool) -> Result<(), Fault> {
        self.attempts.own(owned_before).await
    }

    async fn take_over(&self) -> Result<Option<String>, Fault> {
        self.attempts.take_over().await
    }

    async fn free_space(&self) -> Result<ByteCount, Fault> {
        self.attempts.free_space().await
    }

    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        if !self.transfer.compares_the_owner() {
            self.attempts.free_space().await?;
        }
        self.transfer.ship(order, progress, stop).await
    }

    async fn get_ready(&self) {
        self.transfer.get_ready().await;
    }

    async fn prepare(&self, job: &Job) -> Result<(), Fault> {
        self.attempts.prepare(job).await
    }

    async fn prepare_all(&self, jobs: &[Job]) -> Vec<Result<Prepared, Fault>> {
        self.attempts.prepare_all(jobs).await
    }

    async fn read(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault> {
        self.attempts.read(attempts).await
    }

    async fn names(&self) -> Result<Vec<AttemptId>, Fault> {
        self.attempts.names().await
    }

    async fn list(&self) -> Result<Vec<FoundAttempt>, Fault> {
        self.attempts.list().await
    }

    async fn clean(&self, order: &CleanOrder) -> Result<Cleaned, Fault> {
        self.attempts.clean(order).await
    }

    async fn take_claim(&self, attempt: &AttemptId) -> Result<ClaimedBy, Fault> {
        self.attempts.take_claim(attempt).await
    }

    async fn end(&self, attempt: &AttemptId, force: Force) -> Result<(), Fault> {
        self.attempts.end(attempt, force).await
    }

    async fn stop(&self, job: &Job, command: &str) -> Result<(), Fault> {
        self.attempts.stop(job, command).await
    }

    async fn outputs(&self, dir: &str, patterns: &[String]) -> Result<Vec<OutputFile>, Fault> {
        self.attempts.outputs(dir, patterns).await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        self.transfer.fetch(order, progress, stop).await
    }

    async fn tail(&self, attempt: &AttemptId, bytes: u64) -> Result<String, Fault> {
        self.attempts.tail(attempt, bytes).await
    }

    async fn bell(&self, limit: Duration) -> Result<bool, Fault> {
        self.attempts.bell(limit).await
    }

    fn heard(&self) -> Heard {
        self.work_dir().shell().heard()
    }

    async fn close(&self) {
        self.work_dir().shell().close().await;
    }
}
