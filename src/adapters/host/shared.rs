//! Owns the headnode that sees our folders itself: nothing is copied, a case's path is
//! mapped. Before it counts as shipped, the headnode must see the same files: a network
//! file system shows what was written elsewhere only after a while, and a folder of the
//! same name need not be the same folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::Fault;
use tokio_util::sync::CancellationToken;

use super::copy::fault::{fatal, transient};
use super::rsync::{Here, Seen, look_at, see};
use super::shell::{Shell, WorkDir};
use super::{FetchOrder, Fetched, Progress, ShipOrder, Shipped, Transfer};

/// What is below one folder here is below another one there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub here: PathBuf,
    pub there: String,
}

impl Mapping {
    /// None: the path is not below `here`.
    pub fn map(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.here).ok()?.to_str()?;
        let there = self.there.trim_end_matches('/');
        match below {
            "" => None,
            below => Some(format!("{there}/{below}")),
        }
    }
}

/// Ships by showing, and fetches by `fetching`.
pub struct SharedTransfer<S, T> {
    mapping: Mapping,
    work_dir: Arc<WorkDir<S>>,
    fetching: T,
}

impl<S: Shell, T: Transfer> SharedTransfer<S, T> {
    pub fn new(mapping: Mapping, work_dir: Arc<WorkDir<S>>, fetching: T) -> Self {
        Self { mapping, work_dir, fetching }
    }

    async fn show(
        &self,
        order: &ShipOrder,
        ended: CancellationToken,
    ) -> Result<(Here, Seen), Fault> {
        let there = self.mapping.map(&order.source).ok_or_else(|| {
            fatal(format_args!(
                "{} is not below {}, which is what the headnode sees\nhint: put the intake \
                 there, or let the headnode have `ship: rsync`",
                order.source.display(),
                self.mapping.here.display()
            ))
        })?;
        if there != order.dest {
            return Err(fatal(format_args!(
                "the headnode sees {} as {there} and not as {}: `ship.shared` has changed\n\
                 hint: `rerun` starts it in the right folder",
                order.source.display(),
                order.dest
            )));
        }
        tokio::try_join!(see(order, ended), look_at(&self.work_dir, &there))
    }
}

#[async_trait::async_trait]
impl<S: Shell, T: Transfer> Transfer for SharedTransfer<S, T> {
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        let ended = stop.child_token();
        let _guard = ended.clone().drop_guard();
        let (here, there) = tokio::select! {
            shown = self.show(order, ended) => shown?,
            () = stop.cancelled() => return Err(transient("the look was stopped")),
        };
        if let Some(path) = there.missing(&here) {
            let (sees, has) = (there.of(&here), &here);
            return Err(transient(format_args!(
                "the headnode sees {} files with {} in {}, and there are {} with {} here; the \
                 first that is not the same is {path}",
                sees.0,
                ByteCount(sees.1),
                order.dest,
                has.files,
                ByteCount(has.bytes)
            )));
        }
        progress.files.store(here.files, Ordering::Relaxed);
        progress.bytes.store(here.bytes, Ordering::Relaxed);
        Ok(Shipped { files: here.files, bytes: ByteCount(here.bytes), digest: Some(here.digest) })
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        self.fetching.fetch(order, progress, stop).await
    }

    /// Nothing is copied there.
    async fn get_ready(&self) {}

    fn compares_the_owner(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
