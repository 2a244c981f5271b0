//! Looks at a case's folder: scans it and judges the scan, or reads its content.

use std::path::PathBuf;

use daylily_lifecycle::case::{Case, StepName};
use daylily_lifecycle::ids::{Digest, Fingerprint};
use daylily_lifecycle::observation::{Observation, Scanned};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::record::Recorded;
use daylily_lifecycle::settle::{FAR, Judged, Memory, judge};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Context, step_failed};
use crate::intake::directory::hash::{HashError, digest};
use crate::intake::directory::mount::{self, MountState};
use crate::intake::directory::scan::{ScanError, scan as scan_folder};
use crate::reconcile::Pass;
use crate::reconcile::scan::rules::Rules;

/// Scans and judges. What the scan says is recorded only if it is news.
pub(super) async fn scan(context: &Context, case: &Case) -> Pass<()> {
    let Some(intake) = context.intake(&case.intake) else { return Ok(()) };
    let rules = match Rules::of(intake) {
        Ok(rules) => rules,
        Err(fault) => {
            return step_failed(context, None, &case.id, None, StepName::Scan, fault).await;
        }
    };
    let now = context.clock.now();
    let path = PathBuf::from(&case.path);
    let settings = rules.scan.clone();
    let scanned = super::blocking(move || {
        let before = mount::folder_at(&path);
        let tree = scan_folder(&path, &settings, now)?;
        // Replaced in between, it is told by the next scan which one it is.
        Ok((tree, before.filter(|before| mount::folder_at(&path).as_ref() == Some(before))))
    })
    .await;
    let (tree, folder) = match scanned {
        Ok(scanned) => scanned,
        Err(ScanError::Vanished { .. }) => return vanished(context, case).await,
        Err(error) => {
            let fault = Fault::new(FaultClass::TransientStep, chain(&error));
            return step_failed(context, None, &case.id, None, StepName::Scan, fault).await;
        }
    };
    let judged = judge(&tree, &memory(case), &rules.settle, now);
    let settles_at = settles_at(&judged, now);
    let what = Observation::Scanned(Box::new(Scanned {
        files: tree.files,
        bytes: tree.bytes,
        fingerprint: tree.fingerprint,
        last_change: judged.last_change,
        settles_at,
        conditions: judged.conditions,
        problems: tree.problems,
        refused: judged.refused,
        folder,
    }));
    context.store.record(case.id.clone(), context.seen(what)).await?;
    Ok(())
}

pub(crate) fn memory(case: &Case) -> Memory<'_> {
    Memory {
        first_seen: case.first_seen,
        fingerprint: case.content.fingerprint.as_ref(),
        last_change: case.last_change.as_ref(),
        conditions: &case.conditions,
        accepted: case.accepted.is_some(),
        last_event: None,
        new_content: case.prior.as_ref().map(|_| case.content.digest.is_some()),
    }
}

/// The next instant at which time alone may complete the case.
pub(crate) fn settles_at(judged: &Judged, now: Timestamp) -> Option<Timestamp> {
    let soon = |at: &Timestamp| at.duration_since(now) < FAR;
    Some(judged.next_look).filter(|at| !judged.complete && soon(at))
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
        context.store.record(case.id.clone(), context.seen(Observation::Vanished)).await?;
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
        Ok(digest) => compared(context, case, fingerprint, digest).await,
        Err(HashError::Stopped { .. }) => Ok(()),
        Err(error) => {
            let fault = Fault::new(FaultClass::TransientStep, chain(&error));
            step_failed(context, None, &case.id, None, StepName::Hash, fault).await
        }
    }
}

/// Records what was read. Where it is what was here before, the folder becomes that of
/// the case it is of: else it would be new at every look.
async fn compared(
    context: &Context,
    case: &Case,
    fingerprint: Fingerprint,
    digest: Digest,
) -> Pass<()> {
    let what = Observation::Hashed { fingerprint: fingerprint.clone(), digest };
    let recorded = context.store.record(case.id.clone(), context.seen(what)).await?;
    if let (Recorded::Dropped { why }, Some(prior)) = (recorded, &case.prior) {
        tracing::info!(case = %case.name, why, "not run again");
        let what = Observation::CameBack { folder: case.folder.clone(), fingerprint };
        context.store.record(prior.case.clone(), context.seen(what)).await?;
    }
    Ok(())
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
