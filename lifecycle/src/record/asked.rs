//! What a person asks of a case, and in which state it can be done.

use super::attempt::finish_if_done;
use super::decided::start_again;
use super::folder::supersede;
use super::{Effect, Next};
use crate::attempt::{Attempt, AttemptResult, End, EndHow, Ending, EndingWhy, Stopping, Tenure};
use crate::case::{
    Condition, ConditionName, Failure, HoldWhy, Priority, State, StateName, Troubles, Word,
};
use crate::observation::{Request, Verb};

pub(super) fn asked(next: &mut Next, request: &Request) -> Effect {
    match &request.verb {
        Verb::Accept => accept(next, request),
        Verb::Hold => hold(next, request),
        Verb::Resume => resume(next),
        Verb::Retry => retry(next),
        Verb::Rerun { abandon } => rerun(next, *abandon),
        Verb::Cancel { abandon } => cancel(next, request, *abandon),
        Verb::ConfirmDead => confirm_dead(next),
        Verb::SetPriority { priority } => set_priority(next, *priority),
        Verb::Note => Effect::Note,
    }
}

fn refuse(text: impl Into<String>) -> Effect {
    Effect::Refuse(text.into())
}

fn accept(next: &mut Next, request: &Request) -> Effect {
    if next.case.is_refuted() && matches!(next.name(), StateName::Arriving | StateName::Rejected) {
        return refuse(
            "a file that is not what its list of checksums says is never accepted; correct it",
        );
    }
    if next.name() != StateName::Arriving {
        return refuse(format!(
            "only a case that is still arriving can be started without a condition, and this one \
             is in the state '{}'",
            next.name().in_plain_words()
        ));
    }
    // Quiet and content cannot be left out: they are what is to be run.
    let may_be_left_out = |condition: &&Condition| match condition.name {
        ConditionName::Marker
        | ConditionName::Manifest
        | ConditionName::Start
        | ConditionName::Unfinished
        | ConditionName::NoWriters => true,
        ConditionName::Content
        | ConditionName::Quiet
        | ConditionName::Checksums
        | ConditionName::NewContent => false,
    };
    let open: Vec<&Condition> =
        next.case.conditions.iter().filter(|condition| !condition.holds).collect();
    if let Some(first) = open.first()
        && !open.iter().any(may_be_left_out)
    {
        return refuse(format!("what it waits for cannot be left out: {}", first.detail));
    }
    next.case.accepted =
        Some(Word { at: next.at, by: next.actor.clone(), reason: request.reason.clone() });
    next.case.settles_at = None;
    Effect::Change
}

fn hold(next: &mut Next, request: &Request) -> Effect {
    if next.name().is_terminal() {
        return refuse("it has ended: there is nothing to hold");
    }
    if next.case.hold.is_some() {
        return refuse("it is held already");
    }
    if next.name() == StateName::Cancelling {
        return refuse("it is being cancelled");
    }
    next.hold(HoldWhy::Asked, request.reason.clone().unwrap_or_default());
    Effect::Change
}

fn resume(next: &mut Next) -> Effect {
    let Some(hold) = &next.case.hold else {
        return refuse("it is not held");
    };
    match hold.why {
        HoldWhy::Lost => refuse(
            "whether its command ran to the end is not known: `rerun` starts it again, \
             `confirm-dead` ends it as failed",
        ),
        HoldWhy::Unconfirmed | HoldWhy::Impossible => refuse(
            "its end is not confirmed: once you know that nothing of it runs, `confirm-dead`",
        ),
        HoldWhy::Asked
        | HoldWhy::Baseline
        | HoldWhy::Trouble
        | HoldWhy::Removed
        | HoldWhy::Panic
        | HoldWhy::Adopted => {
            next.case.hold = None;
            next.case.troubles = Troubles::default();
            if next.name() == StateName::Arriving {
                next.case.settles_at = None;
            }
            Effect::Change
        }
    }
}

fn retry(next: &mut Next) -> Effect {
    if next.name().is_terminal() {
        return refuse("it has ended: `rerun` starts it again from the beginning");
    }
    if let State::Rejected { .. } = &next.case.state {
        next.case.state = State::Arriving;
        next.case.settles_at = None;
        // What was read wrongly is to be read again.
        next.case.compared = None;
        return Effect::Change;
    }
    let held_for_trouble = next.case.hold.as_ref().is_some_and(|hold| match hold.why {
        HoldWhy::Trouble | HoldWhy::Panic => true,
        HoldWhy::Asked
        | HoldWhy::Baseline
        | HoldWhy::Lost
        | HoldWhy::Unconfirmed
        | HoldWhy::Impossible
        | HoldWhy::Removed
        | HoldWhy::Adopted => false,
    });
    if next.case.troubles.is_empty() && !held_for_trouble {
        return refuse("no step of it has failed");
    }
    if next.case.hold.is_some() && !held_for_trouble {
        return refuse("it is held for another reason: `resume` releases it");
    }
    next.case.hold = None;
    next.case.troubles = Troubles::default();
    Effect::Change
}

fn rerun(next: &mut Next, abandon: bool) -> Effect {
    let (at, name) = (next.at, next.name());
    if name.is_terminal() {
        start_again(next, AttemptResult::Cancelled);
        return Effect::Change;
    }
    let ended = match next.case.attempt() {
        None => return refuse("it has not run yet"),
        Some(attempt) => {
            attempt.end.is_some()
                && matches!(attempt.tenure, Tenure::None)
                && !attempt.awaits_stop()
        }
    };
    let handed_over = !name.is_before_submitting();
    if !handed_over {
        return refuse("it has not run yet");
    }
    if ended && name == StateName::Running {
        start_again(next, AttemptResult::Lost);
        return Effect::Change;
    }
    if !abandon {
        return refuse(
            "its attempt has not ended: `cancel` it first, or, if you know that nothing of it \
             runs, `rerun --abandon`",
        );
    }
    if let Some(mut attempt) = next.take_attempt() {
        attempt.tenure = Tenure::None;
        attempt.end = Some(End { at, code: None, signal: None, how: EndHow::Abandoned });
        next.case.state = State::Running { attempt };
    }
    start_again(next, AttemptResult::Lost);
    Effect::Change
}

fn cancel(next: &mut Next, request: &Request, abandon: bool) -> Effect {
    let at = next.at;
    let ending = Ending {
        why: EndingWhy::Cancel,
        asked_at: at,
        by: next.actor.clone(),
        reason: request.reason.clone(),
        sent: None,
    };
    match next.name() {
        StateName::Succeeded | StateName::Failed | StateName::Cancelled => {
            return refuse(format!("it has ended already, in the state '{}'", next.name()));
        }
        StateName::Cancelling if !abandon => return refuse("it is being cancelled already"),
        StateName::Arriving | StateName::Ready | StateName::Rejected => {
            next.finish(State::Cancelled { attempt: None });
            return Effect::Change;
        }
        // Nothing was handed over, so nothing can start.
        StateName::Shipping | StateName::Staged => {
            supersede(next);
            let attempt = next.case.past.pop().map(|mut attempt| {
                attempt.result = Some(AttemptResult::Cancelled);
                attempt.ending = Some(ending);
                Box::new(attempt)
            });
            next.finish(State::Cancelled { attempt });
            return Effect::Change;
        }
        StateName::Submitting
        | StateName::Queued
        | StateName::Running
        | StateName::Returning
        | StateName::Cancelling => {}
    }
    if let Some(mut attempt) = next.take_attempt() {
        // Signals already sent to left-overs still count.
        let sent = attempt.ending.as_ref().and_then(|ending| ending.sent);
        attempt.ending = Some(Ending { sent, ..ending });
        attempt.giving_up = None;
        attempt.result = None;
        if abandon {
            attempt.tenure = Tenure::None;
            if attempt.end.is_none() {
                attempt.end = Some(End { at, code: None, signal: None, how: EndHow::Abandoned });
            }
            if attempt.place.stop.is_some() {
                attempt.stopping = Some(Stopping::Waived { since: at });
            }
        }
        next.case.state = State::Cancelling { attempt };
    }
    next.case.hold = None;
    next.case.troubles = Troubles::default();
    finish_if_done(next);
    Effect::Change
}

fn confirm_dead(next: &mut Next) -> Effect {
    let at = next.at;
    let lost = next.case.hold.as_ref().is_some_and(|hold| hold.why == HoldWhy::Lost);
    let quarantined = next.case.attempt().is_some_and(|attempt| attempt.tenure.is_quarantined());
    let unstopped = next.case.attempt().is_some_and(Attempt::awaits_stop);
    if !lost && !quarantined && !unstopped {
        return refuse("nothing of it is in doubt: it holds no quarantined slot");
    }
    let name = next.name();
    let Some(mut attempt) = next.take_attempt() else {
        return refuse("nothing of it is in doubt");
    };
    attempt.tenure = Tenure::None;
    attempt.stopping = unstopped.then_some(Stopping::Waived { since: at }).or(attempt.stopping);
    let end = attempt
        .end
        .get_or_insert(End { at, code: None, signal: None, how: EndHow::Abandoned })
        .clone();
    next.case.hold = None;
    // With an end record there is more to say of it than that it is dead.
    let recorded = name == StateName::Running && end.how == EndHow::Recorded;
    if name == StateName::Returning || recorded {
        next.case.state = State::Returning { attempt, end };
        finish_if_done(next);
    } else if name == StateName::Cancelling {
        next.case.state = State::Cancelling { attempt };
        finish_if_done(next);
    } else {
        attempt.result = Some(AttemptResult::Lost);
        next.finish(State::Failed { attempt, failure: Failure::Exit { end } });
    }
    Effect::Change
}

fn set_priority(next: &mut Next, priority: Priority) -> Effect {
    if next.name().is_terminal() {
        return refuse("it has ended: its place in the order no longer matters");
    }
    next.case.order.priority = priority;
    next.case.order.priority_by = Some(next.actor.clone());
    Effect::Note
}
