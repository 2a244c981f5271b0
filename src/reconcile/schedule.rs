//! Gives slots to the cases that wait. Each grant is recorded in a transaction of its
//! own that takes all of a case's slots or none.

use std::collections::{BTreeMap, BTreeSet};

use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{CaseId, HeadnodeName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::plan::may_start;
use daylily_lifecycle::policy::{SlotState, SlotView};
use daylily_lifecycle::record::Recorded;
use daylily_lifecycle::schedule::{Ahead, Scheduled, schedule};

use super::naming::attempt_seed;
use super::surroundings::{Surroundings, policy, waiting};
use super::{Context, Pass};
use crate::store::read::Reader;

/// Whether anything was granted. Nothing is, and no attempt is made, for a headnode whose
/// work_dir is not known to be `ours`.
pub(super) async fn give_slots(
    context: &Context,
    reader: &Reader,
    ours: impl Fn(&HeadnodeName) -> bool,
) -> Pass<bool> {
    let now = context.clock.now();
    let around = Surroundings::read(reader, context.state_dir())?;
    let ahead = ahead(context, reader)?;
    // A full house is the common case, and then a thousand that wait are not even loaded.
    let is_free = |view: &SlotView| view.state == SlotState::Free && !view.draining;
    let has_room = |node: &Ahead| node.under_way < node.ship_ahead;
    if !around.slots().any(is_free) && !ahead.iter().any(has_room) {
        return Ok(false);
    }
    let candidates = reader.waiting()?;
    if candidates.is_empty() {
        return Ok(false);
    }
    let startable: BTreeMap<CaseId, &Case> = candidates
        .iter()
        .filter(|case| context.node(&case.order.headnode).is_some() && ours(&case.order.headnode))
        .filter(|case| may_start(case, &around.of(case), &policy(&context.settings, case), now))
        .map(|case| (case.id.clone(), case))
        .collect();
    let asking: Vec<_> = startable.values().map(|case| waiting(case, now)).collect();
    let slots: Vec<_> = around.slots().cloned().collect();
    let given = schedule(&asking, &slots, &ahead, context.settings.aging, now);
    let mut taken = BTreeSet::new();
    let mut facts: Vec<(CaseId, Observation)> = Vec::new();
    for scheduled in given {
        let (id, staged, slots) = match scheduled {
            Scheduled::Grant { case, staged, slots } => (case, staged, Some(slots)),
            Scheduled::ShipAhead { case } => (case, None, None),
        };
        let Some(&case) = startable.get(&id) else { continue };
        let Some(node) = context.node(&case.order.headnode) else { continue };
        let mut seed = || attempt_seed(context, reader, node, case, &mut taken);
        let what = match (staged, slots) {
            (Some(attempt), Some(slots)) => Observation::Placed { attempt, slots },
            (None, Some(slots)) => Observation::Granted { attempt: seed()?, slots },
            (_, None) => Observation::SentAhead { attempt: seed()? },
        };
        facts.push((id, what));
    }
    let recorded = facts.into_iter().map(|(id, what)| async move {
        match context.record(id.clone(), what).await? {
            Recorded::Changed(case) => {
                let attempt = case.attempt().map(|attempt| attempt.id.to_string());
                tracing::debug!(case = %case.name, id = %id, attempt, state = %case.state.name(), "granted");
                Ok(true)
            }
            other => {
                tracing::debug!(case = %id, ?other, "the grant came too late");
                Ok(false)
            }
        }
    });
    Ok(super::all(recorded).await?.contains(&true))
}

/// How many cases are under way to each headnode without a slot.
fn ahead(context: &Context, reader: &Reader) -> Pass<Vec<Ahead>> {
    let under_way = reader.ahead()?;
    Ok(context
        .nodes
        .values()
        .map(|node| Ahead {
            headnode: node.settings.name.clone(),
            ship_ahead: node.settings.ship_ahead,
            under_way: under_way.get(&node.settings.name).copied().unwrap_or(0),
        })
        .collect())
}
