//! Looks at a case's folder: scans it and judges the scan, or reads its content.

use daylily_lifecycle::case::{Case, StepName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::record::Recorded;
use tokio_util::sync::CancellationToken;

use super::{Context, step_failed};
use crate::reconcile::Pass;
use crate::reconcile::here::Scan;
use crate::reconcile::naming::runs_in_place;
use crate::store::error::StoreError;
use crate::store::recording::Fact;

/// Scans and judges. What the scan says is recorded only if it is news.
pub(super) async fn scan(context: &Context, case: &Case) -> Pass<()> {
    let Some(intake) = context.intake(&case.intake) else { return Ok(()) };
    if !case.state.name().is_before_submitting() && runs_in_place(&context.settings, case) {
        // What its job writes there is no change of what was handed over.
        return Ok(());
    }
    let now = context.clock.now();
    match context.here.scan(case, intake, &context.settings, now).await {
        Ok(Scan::Saw(scanned)) => {
            let what = Observation::Scanned(scanned);
            let recorded = context.record(case.id.clone(), what).await?;
            if recorded == Recorded::Same {
                context.store.conditions_checked(vec![case.id.clone()], now).await?;
            }
            Ok(())
        }
        Ok(Scan::Vanished) => vanished(context, case).await,
        Err(fault) => step_failed(context, None, &case.id, None, StepName::Scan, fault).await,
    }
}

/// Gone, unless it is the intake that cannot be seen.
async fn vanished(context: &Context, case: &Case) -> Pass<()> {
    let Some(intake) = context.intake(&case.intake).cloned() else { return Ok(()) };
    let name = intake.name.clone();
    let stored = context.store.read(move |reader| reader.intake(&name)).await?;
    let remembered = stored.and_then(|intake| intake.mount);
    if context.here.is_gone(case, &intake, remembered.as_deref()).await {
        tracing::info!(case = %case.name, "its folder is gone");
        context.record(case.id.clone(), Observation::Vanished).await?;
    }
    Ok(())
}

/// Reads the whole content of a folder whose name was here before.
pub(super) async fn hash(context: &Context, case: &Case, stop: &CancellationToken) -> Pass<()> {
    let (Some(intake), Some(fingerprint)) =
        (context.intake(&case.intake), case.content.fingerprint.clone())
    else {
        return Ok(());
    };
    match context.here.digest(case, intake, stop).await {
        Ok(Some(digest)) => {
            let prior = case.prior.as_ref();
            let same = prior.is_some_and(|prior| prior.digest.as_ref() == Some(&digest));
            let what = Observation::Hashed { fingerprint: fingerprint.clone(), digest };
            let mut facts = vec![Fact { case: case.id.clone(), observed: context.seen(what) }];
            if let (true, Some(prior)) = (same, prior) {
                // From now on this folder is that of the earlier case: else it would be
                // new at every look.
                tracing::info!(case = %case.name, "came back as it was: not run again");
                let folder = case.folder.clone();
                let observed = context.seen(Observation::CameBack { folder, fingerprint });
                facts.push(Fact { case: prior.case.clone(), observed });
            }
            match context.store.record_many(facts).await {
                Err(StoreError::Panicked { text, .. }) => {
                    context.record(case.id.clone(), Observation::Panicked { text }).await.map(drop)
                }
                recorded => recorded.map(drop),
            }
        }
        Ok(None) => Ok(()),
        Err(fault) => step_failed(context, None, &case.id, None, StepName::Hash, fault).await,
    }
}
