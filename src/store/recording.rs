//! Owns the one transaction by which a case changes: load it, ask the lifecycle what
//! the observation means, store that, journal it. What the lifecycle answers is
//! taken as it is, except that slots which are not free cannot be given.

use std::borrow::Cow;

use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::CaseId;
use daylily_lifecycle::observation::{Decision, Observation, Observed};
use daylily_lifecycle::outcome::Look;
use daylily_lifecycle::record::Recorded;
use rusqlite::{Connection, OptionalExtension, params};

use super::slots::NotFree;
use super::{cases, journal, slots};
use crate::mask::masked;

/// What an observation makes of a case. In the daemon it is the lifecycle's `record`.
pub(super) type Recorder = fn(Option<&Case>, &Observed) -> Recorded;

/// One observation of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub case: CaseId,
    pub observed: Observed,
}

/// The same facts, with no secret in what others said. What is not said but is so, a name or
/// a path, stays: it would be another one.
pub(super) fn without_secrets(mut facts: Vec<Fact>) -> Vec<Fact> {
    for fact in &mut facts {
        match &mut fact.observed.what {
            Observation::StepFailed { fault, .. } => hide(&mut fault.text),
            Observation::Looked { look: Look::CouldNot { why }, .. } => hide(why),
            Observation::Returned { stored, .. } => hide(&mut stored.log_tail),
            Observation::Asked(request) => request.reason.iter_mut().for_each(hide),
            Observation::Decided(Decision::Hold { reason, .. }) => hide(reason),
            Observation::Decided(Decision::Reject { problem }) => hide(problem),
            Observation::Panicked { text } => hide(text),
            Observation::Appeared(_)
            | Observation::Scanned(_)
            | Observation::Hashed { .. }
            | Observation::Compared(_)
            | Observation::Vanished
            | Observation::CameBack { .. }
            | Observation::Granted { .. }
            | Observation::SentAhead { .. }
            | Observation::Placed { .. }
            | Observation::Shipped { .. }
            | Observation::Submitted { .. }
            | Observation::Looked { .. }
            | Observation::Claimed { .. }
            | Observation::Signalled { .. }
            | Observation::Stopped { .. }
            | Observation::Adopted(_)
            | Observation::Cleaned { .. }
            | Observation::Decided(_)
            | Observation::ContactRegained
            | Observation::ClockStepped => {}
        }
    }
    facts
}

fn hide(text: &mut String) {
    if let Cow::Owned(masked) = masked(text) {
        *text = masked;
    }
}

impl Fact {
    /// The case that a first sight is of; None for any other observation.
    pub fn appearance(observed: Observed) -> Option<Self> {
        let Observation::Appeared(appeared) = &observed.what else { return None };
        Some(Self { case: appeared.case.clone(), observed })
    }
}

/// Records facts, all or none. When one is refused its slots, all are told to be
/// stale and the caller undoes what was written.
pub(super) fn record_all(
    db: &Connection,
    recorder: Recorder,
    facts: &[Fact],
) -> rusqlite::Result<Outcome> {
    let mut recorded = Vec::with_capacity(facts.len());
    for fact in facts {
        match record_one(db, recorder, fact)? {
            Ok(outcome) => recorded.push(outcome),
            Err(NotFree(slot)) => {
                let why = format!("slot {slot} is not free any more");
                let stale = Recorded::Stale { why };
                return Ok(Outcome::Undo(vec![stale; facts.len()]));
            }
        }
    }
    Ok(Outcome::Keep(recorded))
}

/// What to do with what was written.
pub(super) enum Outcome {
    Keep(Vec<Recorded>),
    Undo(Vec<Recorded>),
}

fn record_one(
    db: &Connection,
    recorder: Recorder,
    fact: &Fact,
) -> rusqlite::Result<Result<Recorded, NotFree>> {
    let Fact { case: id, observed } = fact;
    let old = cases::load(db, id)?;
    let before = old.as_ref().map(|case| case.state.name());
    let recorded = recorder(old.as_ref(), observed);
    match &recorded {
        Recorded::Same | Recorded::Refused { .. } => {}
        Recorded::Changed(new) => {
            if old.is_none() && is_known(db, new)? {
                let why = format!("{} is already known in {}", new.name, new.intake);
                return Ok(Ok(Recorded::Refused { why }));
            }
            cases::put(db, old.as_ref(), new, observed.at)?;
            if let Err(taken) = slots::follow(db, old.as_ref(), new)? {
                return Ok(Err(taken));
            }
            journal::append(db, id, before, Some(new.state.name()), observed, None)?;
        }
        Recorded::Stale { why } => {
            journal::append(db, id, before, before, observed, Some(why))?;
        }
        Recorded::Dropped { why } => {
            cases::delete(db, id)?;
            journal::append(db, id, before, None, observed, Some(why))?;
        }
    }
    Ok(Ok(recorded))
}

/// Whether another case has this name and arrival.
fn is_known(db: &Connection, case: &Case) -> rusqlite::Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM cases WHERE intake = ? AND name = ? AND arrival = ?")?
        .query_row(params![case.intake.as_str(), case.name.as_str(), case.arrival.0], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}
