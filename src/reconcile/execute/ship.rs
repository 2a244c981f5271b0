//! Copies a case to its headnode and keeps telling how far it is.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daylily_lifecycle::case::{Case, StepName};
use daylily_lifecycle::ids::{AttemptId, ByteCount};
use daylily_lifecycle::observation::Observation;
use tokio_util::sync::CancellationToken;

use super::{Context, Node, folder, step_failed};
use crate::adapters::host::{Progress, ShipOrder, Verify};
use crate::config;
use crate::reconcile::Pass;
use crate::reconcile::naming::manifest;
use crate::store::{StepProgress, steps};

/// How often progress is stored.
const TELL: Duration = Duration::from_secs(1);

pub(super) async fn ship(
    context: &Context,
    node: &Node,
    case: &Case,
    attempt: &AttemptId,
    stop: &CancellationToken,
) -> Pass<()> {
    let (Some(this), Some(fingerprint), Some(intake)) =
        (case.attempt(), case.content.fingerprint.clone(), context.intake(&case.intake))
    else {
        return Ok(());
    };
    let order = ShipOrder {
        attempt: attempt.clone(),
        source: PathBuf::from(&case.path),
        dest: this.place.remote_dir.clone(),
        fingerprint,
        ignore: intake.ignore.clone(),
        marker: intake.marker.clone(),
        verify: match node.settings.verify {
            config::Verify::Quick => Verify::Quick,
            config::Verify::Checksum => Verify::Checksum,
        },
        manifest: manifest(case, &this.place),
        lock: format!("{}/ship.lock", this.place.attempt_dir),
    };
    let progress = Progress::default();
    let copying = node.host.ship(&order, &progress, stop);
    let shipped = telling(context, case, Some(attempt), StepName::Ship, &progress, copying).await?;
    match shipped {
        Ok(shipped) => {
            tracing::debug!(case = %case.name, files = shipped.files, bytes = shipped.bytes.0, "shipped");
            let what = Observation::Shipped {
                attempt: attempt.clone(),
                files: shipped.files,
                bytes: shipped.bytes,
                digest: shipped.digest,
            };
            context.record(case.id.clone(), what).await?;
            Ok(())
        }
        Err(_) if stop.is_cancelled() => Ok(()),
        Err(fault) => {
            let step = StepName::Ship;
            step_failed(context, Some(node), &case.id, Some(attempt), step, fault).await?;
            // Where the folder has changed since it was complete, no other try can succeed,
            // and perhaps nobody has told of the change.
            folder::scan(context, case).await
        }
    }
}

/// Awaits a transfer and stores how far it is, once a second.
pub(super) async fn telling<T>(
    context: &Context,
    case: &Case,
    attempt: Option<&AttemptId>,
    step: StepName,
    progress: &Progress,
    transfer: impl Future<Output = T>,
) -> Pass<T> {
    let mut tick = tokio::time::interval(TELL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    tick.tick().await;
    let mut before = 0;
    let mut transfer = std::pin::pin!(transfer);
    loop {
        // Beside the transfer: a database that is locked for a while does not hold it up.
        let told = async {
            tick.tick().await;
            let bytes = progress.bytes.load(Ordering::Relaxed);
            let progress = steps::Progress {
                step,
                files_done: progress.files.load(Ordering::Relaxed),
                bytes_done: ByteCount(bytes),
                bytes_total: case.content.bytes,
                rate: ByteCount(bytes.saturating_sub(before)),
            };
            before = bytes;
            let at = context.clock.now();
            let told = StepProgress { case: case.id.clone(), attempt: attempt.cloned(), progress };
            context.store.progress(vec![told], at).await
        };
        tokio::select! {
            biased;
            done = &mut transfer => return Ok(done),
            told = told => told?,
        };
    }
}
