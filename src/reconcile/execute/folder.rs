//! Looks at a case's folder: scans it and judges the scan, or reads its content.

use std::path::PathBuf;

use daylily_lifecycle::case::{Case, StepName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::record::Recorded;
use tokio_util::sync::CancellationToken;

use super::{Context, step_failed};
use crate::intake::directory::hash::{HashError, digest};
use crate::intake::directory::mount::{self, MountState};
use crate::intake::directory::scan::ScanError;
use crate::reconcile::Pass;
use crate::reconcile::scan::judging::scan_and_judge;
use crate::reconcile::scan::orders::Orders;
use crate::reconcile::scan::rules::Rules;
use crate::store::error::StoreError;
use crate::store::recording::Fact;

/// Scans and judges. What the scan says is recorded only if it is news.
pub(super) async fn scan(context: &Context, case: &Case) -> Pass<()> {
    let Some(intake) = context.intake(&case.intake) else { return Ok(()) };
    let rules =
        Rules::of(intake).and_then(|rules| Ok((rules, Orders::of(&context.settings, intake)?)));
    let (rules, orders) = match rules {
        Ok(rules) => rules,
        Err(fault) => {
            return step_failed(context, None, &case.id, None, StepName::Scan, fault).await;
        }
    };
    let (now, looked_at) = (context.clock.now(), case.clone());
    match super::blocking(move || scan_and_judge(&looked_at, &rules, &orders, now)).await {
        Ok(scanned) => {
            let what = Observation::Scanned(Box::new(scanned));
            let recorded = context.record(case.id.clone(), what).await?;
            if recorded == Recorded::Same {
                context.store.conditions_checked(vec![case.id.clone()], now).await?;
            }
            Ok(())
        }
        Err(ScanError::Vanished { .. }) => vanished(context, case).await,
        Err(error) => {
            let fault = Fault::new(FaultClass::TransientStep, chain(&error));
            step_failed(context, None, &case.id, None, StepName::Scan, fault).await
        }
    }
}

/// Gone, unless it is the intake that cannot be seen.
async fn vanished(context: &Context, case: &Case) -> Pass<()> {
    let Some(intake) = context.intake(&case.intake).cloned() else { return Ok(()) };
    let name = intake.name.clone();
    let stored = context.store.read(move |reader| reader.intake(&name)).await?;
    let remembered = stored.and_then(|intake| intake.mount);
    let folder = PathBuf::from(&case.path);
    let gone = super::blocking(move || {
        let check = intake.mount_check.as_deref();
        let readable = !matches!(
            mount::check(&intake.path, remembered.as_deref(), check),
            MountState::Unreadable { .. }
        );
        let missing = std::fs::symlink_metadata(&folder)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        readable && missing
    })
    .await;
    if gone {
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
    let rules = match Rules::of(intake) {
        Ok(rules) => rules,
        Err(fault) => {
            return step_failed(context, None, &case.id, None, StepName::Hash, fault).await;
        }
    };
    let folder = PathBuf::from(&case.path);
    let (ignore, marker, token) = (rules.scan.ignore, rules.scan.marker, stop.clone());
    let hashed = super::blocking(move || digest(&folder, &ignore, marker.as_deref(), &token)).await;
    match hashed {
        Ok(digest) => {
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
        Err(HashError::Stopped { .. }) => Ok(()),
        Err(error) => {
            let fault = Fault::new(FaultClass::TransientStep, chain(&error));
            step_failed(context, None, &case.id, None, StepName::Hash, fault).await
        }
    }
}

/// An error with its causes, as one clause.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
