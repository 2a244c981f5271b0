//! Compares a case's files with its manifest and keeps telling how far it is.

use std::path::PathBuf;
use std::sync::Arc;

use daylily_lifecycle::case::{Case, Compared, StepName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::folder::chain;
use super::ship::telling;
use super::{Context, step_failed};
use crate::adapters::host::Progress;
use crate::intake::directory::manifest::compare::{CompareError, compare as compare_files};
use crate::intake::directory::manifest::{self, Found};
use crate::reconcile::Pass;
use crate::reconcile::scan::rules::Rules;

/// What it reads is that of the newest scan, or that scan is not the newest any more and
/// what is recorded counts for nothing.
pub(super) async fn compare(context: &Context, case: &Case, stop: &CancellationToken) -> Pass<()> {
    let (Some(intake), Some(fingerprint)) =
        (context.intake(&case.intake), case.content.fingerprint.clone())
    else {
        return Ok(());
    };
    let step = StepName::Manifest;
    let rules = match Rules::of(intake) {
        Ok(rules) => rules,
        Err(fault) => return step_failed(context, None, &case.id, None, step, fault).await,
    };
    let progress = Arc::new(Progress::default());
    let (folder, far, token) = (PathBuf::from(&case.path), progress.clone(), stop.clone());
    let reading = super::blocking(move || {
        let failed = |source| CompareError::Read { path: folder.display().to_string(), source };
        match manifest::read(&folder, &rules.manifest).map_err(failed)? {
            Found::There(listed) => {
                let problems = compare_files(&folder, &listed, (&far.files, &far.bytes), &token)?;
                Ok(Some((listed.name, problems)))
            }
            Found::None | Found::Missing { .. } | Found::Odd { .. } => Ok(None),
        }
    });
    match telling(context, case, None, step, &progress, reading).await? {
        Ok(Some((manifest, problems))) => {
            tracing::info!(case = %case.name, manifest, problems = problems.len(), "compared");
            let what = Observation::Compared(Compared { manifest, fingerprint, problems });
            context.record(case.id.clone(), what).await?;
            Ok(())
        }
        // It is another one by now: a scan shows it.
        Ok(None) => super::folder::scan(context, case).await,
        Err(CompareError::Stopped { .. }) => Ok(()),
        Err(error) => {
            let fault = Fault::new(FaultClass::TransientStep, chain(&error));
            step_failed(context, None, &case.id, None, step, fault).await
        }
    }
}
