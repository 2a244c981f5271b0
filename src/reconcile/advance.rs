//! Plans the cases that have changed or whose time has come: stores why each is where
//! it is and when to ask again, records what the policy decides, and names the work.
//! A case on which our own code fails is held and stops nothing but itself.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use daylily_lifecycle::action::{Action, Wake};
use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::CaseId;
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::plan::plan;
use daylily_lifecycle::record::Recorded;

use super::surroundings::{Surroundings, policy};
use super::{Context, Pass};
use crate::store::Planned;
use crate::store::read::Reader;

/// Which cases to plan besides those that are due by themselves.
#[derive(Debug, Default)]
pub(super) struct Also {
    /// Every live case: at the start, after a step of the wall clock, at midnight, when
    /// something around all cases has changed.
    pub(super) all: bool,
    pub(super) cases: Vec<CaseId>,
}

/// What the planned cases want done. An empty list says that nothing is to be done now.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) planned: Vec<(Case, Vec<Action>)>,
    /// Something was recorded, so there is more to plan.
    pub(super) recorded: bool,
}

pub(super) async fn advance(context: &Context, reader: &Reader, also: Also) -> Pass<Report> {
    let now = context.clock.now();
    let mut cases: BTreeMap<CaseId, Case> = BTreeMap::new();
    let found = if also.all { reader.live_cases()? } else { reader.due(now)? };
    cases.extend(found.into_iter().map(|case| (case.id.clone(), case)));
    for id in also.cases {
        if !cases.contains_key(&id)
            && let Some(case) = reader.case(&id)?
        {
            cases.insert(id, case);
        }
    }
    if cases.is_empty() {
        return Ok(Report::default());
    }
    let around = Surroundings::read(reader, context.state_dir())?;
    let mut report = Report::default();
    let mut writes = Vec::new();
    let mut decisions = Vec::new();
    for (id, case) in cases {
        let policy = policy(&context.settings, &case);
        let world = around.of(&case);
        let made = match catch_unwind(AssertUnwindSafe(|| plan(&case, &world, &policy, now))) {
            Ok(made) => made,
            Err(panic) => {
                decisions.push((id, Observation::Panicked { text: text_of(panic.as_ref()) }));
                continue;
            }
        };
        let wake_at = match made.wake {
            Wake::At(at) => Some(at),
            Wake::Poll(_) | Wake::Slot(_) | Wake::Person | Wake::Never => None,
        };
        let mut actions = Vec::new();
        let mut decided = false;
        for action in made.actions {
            if let Action::Decide { decision } = action {
                decided = true;
                decisions.push((id.clone(), Observation::Decided(decision)));
            } else {
                actions.push(action);
            }
        }
        // What is decided changes the case, so it is planned again before it is told.
        if !decided {
            let (version, because) = (case.version, made.because);
            writes.push(Planned { case: id, version, because, wake_at });
        }
        report.planned.push((case, actions));
    }
    if !writes.is_empty() {
        context.store.planned(writes).await?;
    }
    let recorded = decisions.into_iter().map(|(id, what)| async move {
        let kind = format!("{what:?}");
        let recorded = context.record(id.clone(), what).await?;
        let changed = matches!(recorded, Recorded::Changed(_));
        tracing::debug!(case = %id, decision = %kind, changed, "decided");
        Ok(changed)
    });
    report.recorded = super::all(recorded).await?.contains(&true);
    Ok(report)
}

/// The message of a panic.
pub(super) fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
