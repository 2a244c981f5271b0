//! What was found on a headnode without a record of it: an attempt becomes part of its
//! case, which waits for a person. Nothing of it is started, and nothing is given up.

use super::attempt::made;
use super::decided::start_again;
use super::folder::{self, supersede};
use super::{Effect, Next, reserved};
use crate::attempt::{Attempt, AttemptResult, End, EndHow, Tenure};
use crate::case::{Case, Failure, HoldWhy, State, StateName, Troubles};
use crate::ids::AttemptId;
use crate::observation::{Adopted, AdoptedRole, Appeared, Observed};
use crate::outcome::AfterClaim;

/// The case of an attempt whose case is not known either.
pub(super) fn unknown(adopted: &Adopted, observed: &Observed) -> Case {
    let appeared = Appeared {
        case: adopted.case.clone(),
        intake: adopted.intake.clone(),
        name: adopted.name.clone(),
        arrival: adopted.arrival,
        path: adopted.path.clone(),
        kind_of_case: adopted.kind_of_case,
        order: adopted.order.clone(),
        folder: adopted.folder.clone(),
        prior: None,
        baseline: None,
        problem: None,
    };
    let case = folder::appeared(&appeared, observed);
    let mut next = Next { case, at: observed.at, actor: observed.actor.clone() };
    next.case.content = adopted.content.clone();
    take_in(&mut next, adopted, Known::No);
    next.case
}

/// Whether the case was known before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

pub(super) fn adopted(next: &mut Next, adopted: &Adopted) -> Effect {
    let id = &adopted.attempt.id;
    if next.case.attempts().any(|attempt| attempt.id == *id) {
        return Effect::Nothing;
    }
    take_in(next, adopted, Known::Yes)
}

fn take_in(next: &mut Next, adopted: &Adopted, known: Known) -> Effect {
    match &adopted.role {
        AdoptedRole::Newest { former, .. } => newest(next, adopted, former.as_ref()),
        AdoptedRole::Earlier { end } => {
            let attempt = Attempt {
                result: Some(result_of(end)),
                end: Some(end.clone()),
                ..of(adopted, adopted.number)
            };
            earlier(next, attempt)
        }
        AdoptedRole::Cleaned { at, end, result, stored } => {
            let end = end.clone().unwrap_or(End {
                at: *at,
                code: None,
                signal: None,
                how: EndHow::Observed,
            });
            let attempt = Attempt {
                result: Some(result.unwrap_or_else(|| result_of(&end))),
                end: Some(end),
                stored: stored.clone(),
                cleaned_at: Some(*at),
                ..of(adopted, adopted.number)
            };
            buried(next, adopted, attempt, known)
        }
    }
}

fn of(adopted: &Adopted, number: u32) -> Attempt {
    made(&adopted.attempt, number, adopted.made_at)
}

fn result_of(end: &End) -> AttemptResult {
    match end.how {
        EndHow::Recorded if end.code == Some(0) => AttemptResult::Succeeded,
        EndHow::Recorded => AttemptResult::Failed,
        EndHow::NeverRan | EndHow::Superseded => AttemptResult::Superseded,
        EndHow::Observed | EndHow::Abandoned => AttemptResult::Lost,
    }
}

fn highest(case: &Case) -> u32 {
    case.attempts().map(|attempt| attempt.number).max().unwrap_or(0)
}

/// Makes it the case's attempt. One that is known and has not ended stays, since two
/// can not be observed at once; the case then waits all the same.
fn newest(next: &mut Next, adopted: &Adopted, former: Option<&End>) -> Effect {
    if next.name().is_before_submitting() {
        supersede(next);
    } else {
        let older = highest(&next.case) < adopted.number;
        if let Some(attempt) = next.case.state.attempt_mut()
            && let (true, None, Some(end)) = (older, &attempt.end, former)
        {
            attempt.end = Some(end.clone());
            attempt.tenure = Tenure::None;
        }
        let over = next
            .case
            .attempt()
            .is_none_or(|attempt| attempt.end.is_some() && matches!(attempt.tenure, Tenure::None));
        if !over || !older {
            return doubled(next, adopted);
        }
        start_again(next, AttemptResult::Lost);
    }
    let AdoptedRole::Newest { slots, handed_over, .. } = &adopted.role else {
        return Effect::Nothing;
    };
    let number = adopted.number.max(highest(&next.case).saturating_add(1));
    let attempt = Attempt {
        tenure: reserved(slots.clone(), next.at),
        intent_at: Some(adopted.made_at),
        submitted_at: handed_over.then_some(adopted.made_at),
        // It has a place only by luck, so it is not handed over anew: once a person says
        // so its claim is taken, and the case starts as any other.
        giving_up: (!handed_over).then_some(AfterClaim::NewAttempt),
        ..of(adopted, number)
    };
    as_handed_over(&mut next.case, adopted);
    next.case.state = State::Submitting { attempt: Box::new(attempt) };
    next.case.troubles = Troubles::default();
    next.hold(HoldWhy::Adopted, adopted.reason.clone());
    Effect::Change
}

/// What was run is what counts from now on, not what lies in the intake by now.
fn as_handed_over(case: &mut Case, adopted: &Adopted) {
    if adopted.content.fingerprint.is_some() {
        case.content = adopted.content.clone();
    }
    case.order.headnode = adopted.order.headnode.clone();
    case.order.pipeline = adopted.order.pipeline.clone();
    case.ready_at.get_or_insert(adopted.made_at);
    case.settles_at = None;
    case.prior = None;
}

fn doubled(next: &mut Next, adopted: &Adopted) -> Effect {
    let id = &adopted.attempt.id;
    let why = format!("{id} is another attempt of it, and the one known here may still run");
    // One that is being cancelled is ended whatever else there is.
    let ends = next.name().is_terminal() || next.name() == StateName::Cancelling;
    if next.case.hold.is_some() || ends {
        return Effect::Stale(why);
    }
    next.hold(HoldWhy::Adopted, why);
    Effect::Change
}

/// Puts an attempt that is over among the others of its case.
fn earlier(next: &mut Next, attempt: Attempt) -> Effect {
    let number = attempt.number;
    let taken = next.case.attempts().any(|known| known.number == number);
    if taken || number > highest(&next.case) {
        return Effect::Stale(format!("{} cannot be told to be an earlier attempt", attempt.id));
    }
    let at = next.case.past.partition_point(|known| known.number < number);
    next.case.past.insert(at, attempt);
    Effect::Change
}

/// Of a tombstone: the case has ended, where it is the same content.
fn buried(next: &mut Next, adopted: &Adopted, attempt: Attempt, known: Known) -> Effect {
    if !next.name().is_before_submitting() {
        return earlier(next, attempt);
    }
    let content = &next.case.content;
    let same = content.fingerprint.is_some()
        && content.fingerprint == adopted.content.fingerprint
        && next.case.folder.is_some()
        && next.case.folder == adopted.folder;
    supersede(next);
    next.case.state = State::Arriving;
    let number = attempt.number.max(highest(&next.case).saturating_add(1));
    let attempt = Attempt { number, ..attempt };
    if known == Known::Yes && !same {
        next.case.past.push(attempt);
        next.case.ready_at = None;
        if next.case.hold.is_none() {
            next.hold(HoldWhy::Adopted, adopted.reason.clone());
        }
        return Effect::Change;
    }
    as_handed_over(&mut next.case, adopted);
    next.finish(ended(attempt));
    Effect::Change
}

fn ended(attempt: Attempt) -> State {
    let attempt = Box::new(attempt);
    let (result, end) = (attempt.result, attempt.end.clone());
    if let (Some(AttemptResult::Succeeded), Some(end), Some(stored)) =
        (result, &end, &attempt.stored)
        && (end.how, end.code) == (EndHow::Recorded, Some(0))
        && stored.missing.is_empty()
    {
        let (end, stored) = (end.clone(), stored.clone());
        return State::Succeeded { attempt, end, stored };
    }
    if let (Some(AttemptResult::Failed), Some(end)) = (result, end) {
        return State::Failed { attempt, failure: Failure::Exit { end } };
    }
    State::Cancelled { attempt: Some(attempt) }
}

/// What is left on the headnode is a tombstone.
pub(super) fn cleaned(next: &mut Next, attempts: &[AttemptId]) -> Effect {
    let at = next.at;
    if !next.name().is_terminal() {
        return Effect::Stale("the case has not ended".to_owned());
    }
    let past = next.case.past.iter_mut();
    for attempt in past.chain(next.case.state.attempt_mut()) {
        if attempts.contains(&attempt.id) && attempt.cleaned_at.is_none() {
            attempt.cleaned_at = Some(at);
        }
    }
    Effect::Change
}
