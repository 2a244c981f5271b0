//! What a look at the folder changes: arrival, completeness, disappearance.

use super::{Effect, Next, Tenure};
use crate::attempt::{AttemptResult, End, EndHow};
use crate::case::{
    Case, Changed, Compared, ConditionName, Content, Hold, HoldWhy, Order, RejectedBy, State,
    StateName, StepName, Troubles,
};
use crate::ids::{Digest, Fingerprint, FolderIdentity};
use crate::observation::{Appeared, Observed, Scanned};

pub(super) fn appeared(appeared: &Appeared, observed: &Observed) -> Case {
    let hold = appeared.baseline.as_ref().map(|reason| Hold {
        why: HoldWhy::Baseline,
        reason: reason.clone(),
        since: observed.at,
        by: observed.actor.clone(),
    });
    Case {
        id: appeared.case.clone(),
        intake: appeared.intake.clone(),
        name: appeared.name.clone(),
        arrival: appeared.arrival,
        path: appeared.path.clone(),
        kind: appeared.kind_of_case,
        order: appeared.order.clone(),
        folder: appeared.folder.clone(),
        content: Content::default(),
        prior: appeared.prior.clone(),
        conditions: Vec::new(),
        last_change: None,
        compared: None,
        settles_at: None,
        state: match &appeared.problem {
            Some(problem) => {
                State::Rejected { by: RejectedBy::Entry, problems: vec![problem.clone()] }
            }
            None => State::Arriving,
        },
        past: Vec::new(),
        hold,
        troubles: Troubles::default(),
        accepted: None,
        changed: None,
        vanished_at: None,
        first_seen: observed.at,
        ready_at: None,
        started_at: None,
        finished_at: None,
        updated_at: observed.at,
        version: 1,
    }
}

pub(super) fn scanned(next: &mut Next, scanned: &Scanned) -> Effect {
    let moved = next.case.content.fingerprint.as_ref() != Some(&scanned.fingerprint);
    if !next.name().is_before_submitting() {
        return changed_too_late(next, scanned, moved);
    }
    next.over(StepName::Scan);
    let arriving = next.name() == StateName::Arriving;
    let spoken_for = next.case.accepted.is_some();
    let case = &mut next.case;
    if moved {
        case.content.digest = None;
        // A person's word was for the content as it was when it was complete.
        if !arriving || !case.past.is_empty() {
            case.accepted = None;
        }
    }
    case.content.files = scanned.files;
    case.content.bytes = scanned.bytes;
    case.content.fingerprint = Some(scanned.fingerprint.clone());
    case.last_change = Some(scanned.last_change.clone());
    case.settles_at = scanned.settles_at;
    case.conditions.clone_from(&scanned.conditions);
    case.vanished_at = None;
    if scanned.folder.is_some() {
        case.folder.clone_from(&scanned.folder);
    }

    let withdrawn = spoken_for && next.case.accepted.is_none();
    let judged = !scanned.conditions.is_empty() && !withdrawn;
    let complete = judged && scanned.conditions.iter().all(|condition| condition.holds);
    let settled = judged
        && scanned
            .conditions
            .iter()
            .all(|condition| condition.holds || says_nothing(condition.name, scanned.refuted));
    if let Some(refused) = &scanned.refused {
        supersede(next);
        next.case.state =
            State::Rejected { by: RejectedBy::Folder, problems: vec![refused.clone()] };
    } else if settled && !scanned.problems.is_empty() {
        supersede(next);
        next.case.state =
            State::Rejected { by: RejectedBy::Folder, problems: scanned.problems.clone() };
    } else if !complete || (moved && next.name() != StateName::Arriving) {
        // A change takes it back to arriving; the next scan says whether it is complete.
        let keeps_rejection = next.name() == StateName::Rejected && !moved;
        if !keeps_rejection && next.name() != StateName::Arriving {
            supersede(next);
            next.case.state = State::Arriving;
            next.case.ready_at = None;
        }
        if complete || withdrawn {
            next.case.settles_at = None;
        }
    } else {
        let wants_the_impossible =
            matches!(next.case.state, State::Rejected { by: RejectedBy::Demand, .. });
        let waits = matches!(next.name(), StateName::Arriving | StateName::Rejected);
        if waits && !wants_the_impossible {
            next.case.state = State::Ready;
            next.case.ready_at = Some(next.at);
        }
    }
    if let Some(order) = &scanned.order
        && next.case.attempt().is_none()
    {
        ask_for(next, order);
    }
    Effect::Change
}

/// Conditions that are no reason to wait with telling what is wrong: a folder that
/// cannot be read looks empty, and what is invalid anyway need not be read whole.
fn says_nothing(name: ConditionName, refuted: bool) -> bool {
    match name {
        ConditionName::Content | ConditionName::Checksums => true,
        ConditionName::Manifest => refuted,
        ConditionName::Quiet
        | ConditionName::NoWriters
        | ConditionName::Unfinished
        | ConditionName::Marker
        | ConditionName::NewContent
        | ConditionName::Start => false,
    }
}

/// A case that has no attempt follows its files. What a person has said stays.
fn ask_for(next: &mut Next, order: &Order) {
    let said = next.case.order.priority_by.take();
    let priority = if said.is_some() { next.case.order.priority } else { order.priority };
    next.case.order = Order { priority, priority_by: said, ..order.clone() };
}

/// Told once, and never re-run by itself. The content stays that of what was shipped.
fn changed_too_late(next: &mut Next, scanned: &Scanned, moved: bool) -> Effect {
    next.case.vanished_at = None;
    // Put there again as it was, it is still its own. With other content it is one of its own
    // as soon as this case has ended.
    if !moved && scanned.folder.is_some() {
        next.case.folder.clone_from(&scanned.folder);
    }
    if moved && next.case.changed.is_none() {
        next.case.changed =
            Some(Changed { since: scanned.last_change.at, path: scanned.last_change.path.clone() });
    }
    Effect::Change
}

pub(super) fn hashed(next: &mut Next, fingerprint: &Fingerprint, digest: &Digest) -> Effect {
    if next.name() != StateName::Arriving
        || next.case.content.fingerprint.as_ref() != Some(fingerprint)
    {
        return Effect::Stale("the folder changed while it was hashed".to_owned());
    }
    let prior = next.case.prior.as_ref().and_then(|prior| prior.digest.as_ref());
    if prior == Some(digest) {
        return Effect::Drop(
            "it came back with the same content: not run again, `rerun` is the way".to_owned(),
        );
    }
    next.over(StepName::Hash);
    next.case.content.digest = Some(digest.clone());
    next.case.settles_at = None;
    Effect::Change
}

pub(super) fn compared(next: &mut Next, compared: &Compared) -> Effect {
    if next.name() != StateName::Arriving
        || next.case.content.fingerprint.as_ref() != Some(&compared.fingerprint)
    {
        return Effect::Stale("the folder changed while it was compared".to_owned());
    }
    next.over(StepName::Manifest);
    next.case.compared = Some(compared.clone());
    // The next scan judges by it.
    next.case.settles_at = None;
    Effect::Change
}

pub(super) fn vanished(next: &mut Next) -> Effect {
    if next.name().is_terminal() {
        return Effect::Nothing;
    }
    let arriving = matches!(next.name(), StateName::Arriving | StateName::Rejected);
    if arriving && next.case.past.is_empty() {
        return Effect::Drop("the folder is gone; it was never complete".to_owned());
    }
    if next.case.vanished_at.is_none() {
        next.case.vanished_at = Some(next.at);
    }
    Effect::Change
}

/// From now on this folder is the one of the case: it is compared once, and only what
/// changes after it is told.
pub(super) fn came_back(
    next: &mut Next,
    folder: Option<&FolderIdentity>,
    fingerprint: &Fingerprint,
) -> Effect {
    if !next.name().is_terminal() {
        return Effect::Stale("the case has not ended".to_owned());
    }
    next.case.folder = folder.cloned();
    next.case.content.fingerprint = Some(fingerprint.clone());
    Effect::Change
}

/// Ends an attempt to which nothing was handed over. Its slots are free.
pub(super) fn supersede(next: &mut Next) {
    let at = next.at;
    if let Some(mut attempt) = next.take_attempt() {
        attempt.tenure = Tenure::None;
        attempt.end = Some(End { at, code: None, signal: None, how: EndHow::Superseded });
        attempt.result = Some(AttemptResult::Superseded);
        next.case.past.push(*attempt);
    }
}
