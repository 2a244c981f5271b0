//! Owns shipping and fetching by the local `rsync` program over a line that somebody else
//! opened. What [`super::copy`] promises holds here too: what is there is looked at before
//! anything is written, the list says durably what may be written, nothing is removed but
//! what an earlier ship brought, and what was copied is looked at again from both sides.
//! rsync only moves bytes; its word that all went well is never enough. A small case that
//! was never there travels without it, in one question.

mod fault;
mod command;
mod process;
mod progress;
mod there;
mod listed;
mod plan;
mod source;
mod archive;
mod ship;
mod fetch;
mod moved;
mod shown;

#[cfg(test)]
mod fuzz;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::shell::{Owner, Shell, WorkDir};
use super::{FetchOrder, Fetched, Progress, ShipOrder, Shipped, Transfer, Verify};

pub(super) use shown::{Here, Seen, look_at, see};

/// Where bulk transfers go through.
#[async_trait::async_trait]
pub trait Line: Send + Sync + 'static {
    /// One place on the line, ours until it is dropped.
    async fn lease(&self) -> Result<Lease, Fault>;

    /// Gives back a place on a connection that did not do, so that the next is a new one.
    async fn failed(&self, lease: Lease);

    /// What the remote shell means by what it said. None: it is not known.
    fn told(&self, said: &str) -> Option<Fault>;

    /// Whether the connection is there.
    async fn is_up(&self, lease: &Lease) -> bool;

    /// Why the connection is gone, where the remote shell itself does not say.
    fn lost(&self, lease: &Lease) -> Option<Fault>;
}

/// How a remote shell is started on a line.
pub struct Lease {
    /// The words before the host: a program and its options.
    pub remote_shell: Vec<String>,
    /// As the remote shell takes it.
    pub host: String,
    /// Whatever holds the place.
    pub held: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("host", &self.host).finish_non_exhaustive()
    }
}

/// What transfers to one headnode are made with.
#[derive(Debug, Clone)]
pub struct RsyncSettings {
    /// The program on this machine.
    pub program: PathBuf,
    /// Put before the PATH on the headnode; `~/` at the start is the home there. The
    /// headnode's `env` is not passed on: it would stand in the list of processes.
    pub path: Vec<String>,
    /// Of what is shipped.
    pub umask: u32,
    /// How results are verified; a ship's order says its own.
    pub verify: Verify,
    /// A second, for one transfer.
    pub bandwidth: Option<ByteCount>,
    /// A transfer of which nothing moves for so long is ended.
    pub stall_after: Duration,
    /// A case of no more than this that was never there goes in one question and not by
    /// rsync. None: none does.
    pub at_once: Option<ByteCount>,
}

impl RsyncSettings {
    pub const STALL_AFTER: Duration = Duration::from_secs(60);
    /// Little enough not to hold up what else goes over the connection for scripts.
    pub const AT_ONCE: ByteCount = ByteCount(256 << 10);

    /// What one of `transfers` at the same time may take of a headnode's bandwidth.
    pub fn share(bandwidth: Option<ByteCount>, transfers: u32) -> Option<ByteCount> {
        bandwidth.map(|all| ByteCount((all.0 / u64::from(transfers.max(1))).max(1)))
    }
}

pub struct RsyncTransfer<S> {
    line: Arc<dyn Line>,
    work_dir: Arc<WorkDir<S>>,
    owner: Owner,
    settings: RsyncSettings,
}

impl<S: Shell> RsyncTransfer<S> {
    /// `owner` is the one that `work_dir` compares with.
    pub fn new(
        line: Arc<dyn Line>,
        work_dir: Arc<WorkDir<S>>,
        owner: Owner,
        settings: RsyncSettings,
    ) -> Self {
        Self { line, work_dir, owner, settings }
    }
}

#[async_trait::async_trait]
impl<S: Shell> Transfer for RsyncTransfer<S> {
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        unless(stop, ship::ship(self, order, progress, stop)).await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        unless(stop, fetch::fetch(self, order, progress, stop)).await
    }

    async fn get_ready(&self) {
        if let Err(fault) = self.line.lease().await {
            tracing::debug!(error = %fault.text, "there is no connection for files yet");
        }
    }

    fn compares_the_owner(&self) -> bool {
        true
    }
}

/// How long a transfer that is stopped may take to end by itself. Then it is dropped,
/// which ends every process and thread of it.
const GRACE: Duration = Duration::from_millis(900);

async fn unless<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => done,
        () = stop.cancelled() => {
            tokio::time::timeout(GRACE, work).await.unwrap_or_else(|_| Err(stopped()))
        }
    }
}

fn stopped() -> Fault {
    Fault::new(FaultClass::TransientStep, "the copy was stopped before it was complete")
}

/// Runs what blocks on files on a thread of its own, which ends when `ended` does.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(stopped()),
        },
    }
}
