//! What the policy has decided.

use super::attempt::{await_stop, finish_if_done};
use super::folder::supersede;
use super::{Effect, Next};
use crate::attempt::{AttemptResult, End, EndHow, Ending, EndingWhy, Tenure};
use crate::case::{HoldWhy, RejectedBy, State, StateName, Troubles};
use crate::observation::Decision;

pub(super) fn decided(next: &mut Next, decision: &Decision) -> Effect {
    if next.name().is_terminal() {
        return Effect::Stale("the case has ended".to_owned());
    }
    match decision {
        Decision::Hold { why, reason } => {
            if next.case.hold.is_some() {
                return Effect::Stale("it is held already".to_owned());
            }
            next.hold(*why, reason.clone());
            if *why == HoldWhy::Lost
                && let State::Running { attempt } = &mut next.case.state
            {
                attempt.result = Some(AttemptResult::Lost);
            }
            Effect::Change
        }
        Decision::Reject { problem } => {
            if next.name() != StateName::Ready {
                return Effect::Stale(format!("the case is {} by now", next.name()));
            }
            next.case.state =
                State::Rejected { by: RejectedBy::Demand, problems: vec![problem.clone()] };
            Effect::Change
        }
        Decision::Reconsider => {
            if next.name() != StateName::Rejected {
                return Effect::Stale(format!("the case is {} by now", next.name()));
            }
            supersede(next);
            next.case.state = State::Arriving;
            next.case.settles_at = None;
            Effect::Change
        }
        Decision::End { why } => end(next, *why),
        Decision::EndObserved => end_observed(next),
        Decision::Rerun => rerun(next),
    }
}

fn end(next: &mut Next, why: EndingWhy) -> Effect {
    let (at, actor, name) = (next.at, next.actor.clone(), next.name());
    let runs = [StateName::Submitting, StateName::Queued, StateName::Running];
    match next.case.state.attempt_mut() {
        Some(attempt)
            if attempt.ending.is_none() && attempt.end.is_none() && runs.contains(&name) =>
        {
            attempt.ending =
                Some(Ending { why, asked_at: at, by: actor, reason: None, sent: None });
            Effect::Change
        }
        Some(_) | None => Effect::Stale(format!("the case is {name} by now")),
    }
}

/// Two good readings at least `lost_after` apart saw neither process nor record.
fn end_observed(next: &mut Next) -> Effect {
    let at = next.at;
    let end = End { at, code: None, signal: None, how: EndHow::Observed };
    let (State::Running { attempt } | State::Cancelling { attempt }) = &mut next.case.state else {
        return Effect::Stale(format!("the case is {} by now", next.name()));
    };
    if attempt.silence.is_none() || attempt.end.is_some() {
        return Effect::Stale("it is not silent, or has ended".to_owned());
    }
    attempt.end = Some(end.clone());
    if attempt.awaits_stop() {
        await_stop(attempt, at);
        return Effect::Change;
    }
    attempt.tenure = Tenure::None;
    let limit = attempt.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit);
    if limit
        && next.name() == StateName::Running
        && let Some(attempt) = next.take_attempt()
    {
        next.case.state = State::Returning { attempt, end };
    }
    finish_if_done(next);
    Effect::Change
}

fn rerun(next: &mut Next) -> Effect {
    let ended = next.name() == StateName::Running
        && next.case.attempt().is_some_and(|a| a.end.is_some() && !a.awaits_stop());
    if !ended {
        return Effect::Stale("its end has not been observed".to_owned());
    }
    start_again(next, AttemptResult::Lost);
    Effect::Change
}

/// Puts the attempt away and takes the case back to where a look at the folder decides.
pub(super) fn start_again(next: &mut Next, result: AttemptResult) {
    if let Some(mut attempt) = next.take_attempt() {
        if attempt.result.is_none() {
            attempt.result = Some(result);
        }
        if let Some(moved) = attempt.stored.as_ref().and_then(|stored| stored.moved_to.clone()) {
            next.case.path = moved;
        }
        next.case.past.push(*attempt);
    }
    next.case.hold = None;
    next.case.troubles = Troubles::default();
    next.case.changed = None;
    next.case.prior = None;
    next.case.ready_at = None;
    next.case.started_at = None;
    next.case.finished_at = None;
    next.case.settles_at = None;
}
