//! Compares a case's files with its manifest and keeps telling how far it is.

use std::sync::Arc;

use daylily_lifecycle::case::{Case, Compared, StepName};
use daylily_lifecycle::observation::Observation;
use tokio_util::sync::CancellationToken;

use super::ship::telling;
use super::{Context, step_failed};
use crate::adapters::host::Progress;
use crate::reconcile::Pass;
use crate::reconcile::here::Comparison;

/// What it reads is that of the newest scan, or that scan is not the newest any more and
/// what is recorded counts for nothing.
pub(super) async fn compare(context: &Context, case: &Case, stop: &CancellationToken) -> Pass<()> {
    let (Some(intake), Some(fingerprint)) =
        (context.intake(&case.intake), case.content.fingerprint.clone())
    else {
        return Ok(());
    };
    let step = StepName::Manifest;
    let progress = Arc::new(Progress::default());
    let reading = context.here.compare(case, intake, &progress, stop);
    match telling(context, case, None, step, &progress, reading).await? {
        Ok(Comparison::Done { manifest, problems }) => {
            tracing::info!(case = %case.name, manifest, problems = problems.len(), "compared");
            let what = Observation::Compared(Compared { manifest, fingerprint, problems });
            context.record(case.id.clone(), what).await?;
            Ok(())
        }
        Ok(Comparison::Another) => super::folder::scan(context, case).await,
        Ok(Comparison::Stopped) => Ok(()),
        Err(fault) => step_failed(context, None, &case.id, None, step, fault).await,
    }
}
