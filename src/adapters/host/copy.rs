//! Owns shipping where the headnode is this machine: a verified copy with progress,
//! and bringing results home from there. Both read every source file even when its
//! copy is already there, because the digest is of the source's content.
//!
//! A file appears under its name only when it is whole, synced and dated as its
//! source, so that what a killed copy left behind can be trusted by size and time.
//! No symlink in the destination is followed, and nothing is removed from it but
//! what an earlier ship brought.

mod batch;
mod content;
pub mod fault;
pub(super) mod fetch;
pub(super) mod folder;
mod gone;
pub(super) mod list;
pub(super) mod room;
pub(super) mod ship;

use std::sync::atomic::Ordering;
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{FetchOrder, Fetched, Progress, ShipOrder, Shipped};

/// How long a stopped transfer is waited for. A thread that hangs in the kernel (a
/// network file system that is gone) cannot be ended; it keeps the lock.
const GRACE: Duration = Duration::from_millis(700);

/// Copies a case as [`Host::ship`](super::Host::ship) says. Files get the mode 0666,
/// or 0777 where the source may be executed, less `umask`.
pub async fn ship(
    order: &ShipOrder,
    umask: u32,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Shipped, Fault> {
    let order = order.clone();
    run(progress, stop, move |mover| ship::ship(&order, umask, mover)).await
}

/// Copies results as [`Host::fetch`](super::Host::fetch) says. The files are for
/// their owner alone until they are placed.
pub async fn fetch(
    order: &FetchOrder,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Fetched, Fault> {
    let order = order.clone();
    run(progress, stop, move |mover| fetch::fetch(&order, mover)).await
}

/// What a transfer on its thread tells, and what it is told.
struct Mover {
    ended: CancellationToken,
    moved: watch::Sender<Moved>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    files: u64,
    bytes: u64,
}

impl Mover {
    /// Asked between chunks and between files.
    fn go_on(&self) -> Result<(), Fault> {
        if self.ended.is_cancelled() { Err(stopped()) } else { Ok(()) }
    }

    fn bytes(&self, more: usize) {
        self.moved.send_modify(|moved| moved.bytes += more as u64);
    }

    fn file(&self) {
        self.moved.send_modify(|moved| moved.files += 1);
    }
}

fn stopped() -> Fault {
    Fault::new(FaultClass::TransientStep, "the copy was stopped before it was complete")
}

async fn run<T: Send + 'static>(
    progress: &Progress,
    stop: &CancellationToken,
    work: impl FnOnce(&Mover) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let ended = stop.child_token();
    // Dropping this future must end the thread too.
    let _guard = ended.clone().drop_guard();
    let (moved, mut seen) = watch::channel(Moved::default());
    let mover = Mover { ended: ended.clone(), moved };
    let mut thread = tokio::task::spawn_blocking(move || {
        mover.go_on()?;
        work(&mover)
    });
    let mut told = Moved::default();
    let done = loop {
        tokio::select! {
            done = &mut thread => break done,
            () = ended.cancelled() => match tokio::time::timeout(GRACE, &mut thread).await {
                Ok(done) => break done,
                Err(_) => return Err(stopped()),
            },
            // Fails only when the thread is about to end, which the first branch sees.
            Ok(()) = seen.changed() => tell(progress, &mut told, *seen.borrow_and_update()),
        }
    };
    tell(progress, &mut told, *seen.borrow());
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(stopped()),
    })
}

fn tell(progress: &Progress, told: &mut Moved, now: Moved) {
    progress.files.fetch_add(now.files - told.files, Ordering::Relaxed);
    progress.bytes.fetch_add(now.bytes - told.bytes, Ordering::Relaxed);
    *told = now;
}
