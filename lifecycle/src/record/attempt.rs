//! What happens to an attempt: granted, shipped, submitted, looked at, ended, returned.

use jiff::{SignedDuration, Timestamp};

use super::{Effect, Next, could_not_look, reserved};
use crate::attempt::{
    Attempt, AttemptResult, ClaimedBy, End, EndHow, Ending, EndingWhy, Force, Silence, Stopping,
    Stored, Tenure,
};
use crate::case::{Failure, HoldWhy, State, StateName, StepName};
use crate::ids::{AttemptId, ByteCount, Digest, Slot, TaskId};
use crate::observation::AttemptSeed;
use crate::outcome::conclude;
use crate::outcome::{
    AfterClaim, Claim, Conclusion, Evidence, Fault, FaultClass, Look, QueueWord, Seen,
};

pub(super) fn granted(next: &mut Next, seed: &AttemptSeed, slots: Vec<Slot>) -> Effect {
    if next.name() != StateName::Ready || next.case.hold.is_some() {
        return Effect::Stale(format!("the case is {} and may not start", next.name()));
    }
    if next.case.attempts().any(|attempt| attempt.id == seed.id) {
        return Effect::Stale("an attempt of that id was made before".to_owned());
    }
    let made_before = next.case.past.iter().map(|attempt| attempt.number).max().unwrap_or(0);
    next.case.state = State::Shipping {
        attempt: Box::new(Attempt {
            tenure: reserved(slots, next.at),
            ..made(seed, made_before.saturating_add(1), next.at)
        }),
    };
    Effect::Change
}

/// An attempt of which nothing has happened yet.
pub(super) fn made(seed: &AttemptSeed, number: u32, at: Timestamp) -> Attempt {
    Attempt {
        id: seed.id.clone(),
        number,
        place: seed.place.clone(),
        tenure: Tenure::None,
        made_at: at,
        intent_at: None,
        submitted_at: None,
        queued_at: None,
        task_id: None,
        claimed_by: None,
        started_at: None,
        silence: None,
        stopping: None,
        giving_up: None,
        ending: None,
        end: None,
        result: None,
        error: None,
        stored: None,
        cleaned_at: None,
    }
}

pub(super) fn placed(next: &mut Next, id: &AttemptId, slots: Vec<Slot>) -> Effect {
    if next.case.hold.is_some() || slots.is_empty() {
        return Effect::Stale("the case is held".to_owned());
    }
    let Some(mut attempt) = next.take_attempt_in(&[StateName::Staged], id) else {
        return Effect::Stale(format!("the case is {} by now", next.name()));
    };
    attempt.tenure = reserved(slots, next.at);
    attempt.intent_at = Some(next.at);
    next.case.state = State::Submitting { attempt };
    Effect::Change
}

pub(super) fn shipped(
    next: &mut Next,
    id: &AttemptId,
    files: u64,
    bytes: ByteCount,
    digest: Option<&Digest>,
) -> Effect {
    let Some(mut attempt) = next.take_attempt_in(&[StateName::Shipping], id) else {
        return Effect::Stale(format!("the case is {} by now", next.name()));
    };
    next.case.content.files = files;
    next.case.content.bytes = bytes;
    if digest.is_some() {
        next.case.content.digest = digest.cloned();
    }
    next.case.state = if attempt.tenure.slots().is_empty() {
        State::Staged { attempt }
    } else {
        attempt.intent_at = Some(next.at);
        State::Submitting { attempt }
    };
    next.over(StepName::Ship);
    // It was read to be copied.
    next.over(StepName::Scan);
    Effect::Change
}

pub(super) fn submitted(next: &mut Next, id: &AttemptId, task: Option<&TaskId>) -> Effect {
    let at = next.at;
    let Some(attempt) = next.attempt_in(&[StateName::Submitting], id) else {
        return Effect::Stale("it is no longer being handed over".to_owned());
    };
    attempt.submitted_at = Some(at);
    attempt.task_id = task.cloned();
    Effect::Change
}

/// The states in which an attempt's directory is read.
const WATCHED: [StateName; 5] = [
    StateName::Submitting,
    StateName::Queued,
    StateName::Running,
    StateName::Returning,
    StateName::Cancelling,
];

pub(super) fn looked(
    next: &mut Next,
    id: &AttemptId,
    look: &Look,
    queue_wiped: Option<bool>,
    begun: Option<Timestamp>,
) -> Effect {
    let at = next.at;
    let Some(attempt) = next.attempt_in(&WATCHED, id) else {
        return Effect::Stale("of an attempt that is over".to_owned());
    };
    // Before this look is taken in: what it sees for the first time was there before it.
    let handed_over = attempt.submitted_at.max(attempt.queued_at);
    if let Look::Saw(Evidence { queue, .. }) = look
        && attempt.queued_at.is_none()
        && !matches!(queue, QueueWord::Absent | QueueWord::Unreadable)
    {
        attempt.queued_at = Some(at);
    }
    let claimed_at = attempt.started_at.filter(|_| attempt.claimed_by == Some(ClaimedBy::Job));
    let seen = Seen { claimed_at, in_queue: attempt.queued_at.is_some(), queue_wiped };
    let conclusion = conclude(look, seen);
    if let Conclusion::CouldNotLook { why } = &conclusion {
        return could_not_look(next, why);
    }
    // It was handed over while that look went on, which says nothing of it.
    let is_older = begun.zip(handed_over).is_some_and(|(begun, then)| begun < then);
    let of_an_absence =
        matches!(conclusion, Conclusion::NotSubmitted | Conclusion::TakeClaim { .. });
    if (is_older && of_an_absence) || conclusion == Conclusion::Gone {
        return Effect::Nothing;
    }
    let begun = match look {
        Look::Saw(Evidence { claim: Claim::Job { at, .. }, .. }) => Some(*at),
        Look::Saw(Evidence { claim: Claim::Daemon | Claim::Absent, .. })
        | Look::CouldNot { .. } => None,
    };
    // Its end is known already; only what is left of it is still of interest.
    let ended = attempt.end.is_some();
    next.over(StepName::Look);
    match conclusion {
        Conclusion::CouldNotLook { .. } | Conclusion::Gone => {}
        Conclusion::Impossible => {
            quarantine(next, id, "an end record lies beside a claim of ours");
            if next.case.hold.is_none() {
                next.hold(HoldWhy::Impossible, "an end record lies beside a claim of ours");
            }
        }
        Conclusion::Ended { code, signal, at: ended_at } => {
            let end = End { at: ended_at, code, signal, how: EndHow::Recorded };
            known_to_run(next, id, begun);
            end_recorded(next, id, end, Left::Nothing);
        }
        Conclusion::EndedWithLeftOvers { code, signal, at: ended_at } => {
            let end = End { at: ended_at, code, signal, how: EndHow::Recorded };
            known_to_run(next, id, begun);
            end_recorded(next, id, end, Left::Processes);
        }
        Conclusion::EndedUnconfirmed { code, signal, at: ended_at } => {
            let end = End { at: ended_at, code, signal, how: EndHow::Recorded };
            known_to_run(next, id, begun);
            end_recorded(next, id, end, Left::Unknown);
        }
        Conclusion::Running { since, orphaned } => {
            known_to_run(next, id, Some(since));
            still_there(next, id, orphaned);
        }
        Conclusion::Silent { since, rebooted, partial } if !ended => {
            known_to_run(next, id, Some(since));
            silent(next, id, rebooted, partial);
        }
        Conclusion::Silent { .. } => {}
        Conclusion::EndUnconfirmed => {
            known_to_run(next, id, begun);
            let why = "its machine cannot be looked at and the queue knows of no end";
            quarantine(next, id, why);
            if next.case.hold.is_none() && next.name() != StateName::Cancelling {
                next.hold(HoldWhy::Unconfirmed, why);
            }
        }
        Conclusion::NeverRan => never_ran(next),
        Conclusion::Starting | Conclusion::Waiting => in_queue(next, id),
        Conclusion::NotSubmitted => not_submitted(next, id),
        Conclusion::TakeClaim { then } => {
            if let Some(attempt) = next.attempt_in(&WATCHED, id)
                && attempt.giving_up.is_none()
            {
                attempt.giving_up = Some(then);
            }
        }
    }
    Effect::Change
}

/// A claim of the job, or its end record, was read: it has begun to run.
fn known_to_run(next: &mut Next, id: &AttemptId, since: Option<Timestamp>) {
    let Some(attempt) = next.attempt_in(&WATCHED, id) else { return };
    attempt.claimed_by = Some(ClaimedBy::Job);
    attempt.giving_up = None;
    if attempt.started_at.is_none() {
        attempt.started_at = since;
    }
    let started = attempt.started_at;
    if started.is_some() {
        next.case.started_at = started;
    }
    next.over(StepName::Submit);
    next.over(StepName::Claim);
    let waits = [StateName::Submitting, StateName::Queued];
    if let Some(mut attempt) = next.take_attempt_in(&waits, id) {
        // It was its wait that took too long, and that is over.
        if attempt.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit) {
            attempt.ending = None;
        }
        next.case.state = State::Running { attempt };
    }
}

fn still_there(next: &mut Next, id: &AttemptId, orphaned: bool) {
    let at = next.at;
    let Some(attempt) = next.attempt_in(&WATCHED, id) else { return };
    if attempt.end.as_ref().is_some_and(|end| end.how == EndHow::Observed) {
        // It had been taken for dead; its end is open again.
        attempt.end = None;
        attempt.result = None;
        attempt.silence = None;
        attempt.stopping = None;
        if matches!(attempt.tenure, Tenure::None) {
            attempt.error = Some(
                "it had been taken for dead, and its place may have been given to another"
                    .to_owned(),
            );
            next.release_uncertainty();
            return;
        }
    }
    attempt.silence = None;
    let was_taken_for_dead = attempt.error.is_some() && matches!(attempt.tenure, Tenure::None);
    if was_taken_for_dead {
        return;
    }
    attempt.error = orphaned.then(|| {
        "the queue no longer has it; it runs on and is watched by its processes".to_owned()
    });
    if attempt.end.is_none()
        && let Tenure::Quarantined { slots, .. } = &attempt.tenure
    {
        attempt.tenure = reserved(slots.clone(), at);
    }
    next.release_uncertainty();
}

fn silent(next: &mut Next, id: &AttemptId, rebooted: bool, partial: bool) {
    let at = next.at;
    if let Some(attempt) = next.attempt_in(&WATCHED, id) {
        let first = match &attempt.silence {
            Some(known) if (known.rebooted, known.partial) == (rebooted, partial) => {
                // Each look counts, few are written down: the more, the longer it lasts.
                let lasted = known.last.duration_since(known.first);
                let pause = (lasted / 3).max(SignedDuration::from_secs(1));
                if at.duration_since(known.last) < pause {
                    return;
                }
                known.first
            }
            Some(known) => known.first,
            None => at,
        };
        attempt.silence = Some(Silence { first, last: at, rebooted, partial });
    }
}

/// A silence is told by two readings far enough apart: by a clock that was set between
/// them they may have been a moment apart.
pub(super) fn clock_stepped(next: &mut Next) -> Effect {
    let Some(id) = next.case.attempt().map(|attempt| attempt.id.clone()) else {
        return Effect::Nothing;
    };
    match next.attempt_in(&WATCHED, &id) {
        Some(attempt) if attempt.silence.is_some() && attempt.end.is_none() => {
            attempt.silence = None;
            Effect::Change
        }
        Some(_) | None => Effect::Nothing,
    }
}

/// What is left of an attempt that has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Processes,
    Unknown,
}

fn end_recorded(next: &mut Next, id: &AttemptId, end: End, left: Left) {
    let (at, actor) = (next.at, next.actor.clone());
    let Some(attempt) = next.attempt_in(&WATCHED, id) else { return };
    attempt.silence = None;
    // What the job wrote counts more than that it was taken for dead.
    if attempt.end.as_ref().is_none_or(|known| known.how == EndHow::Observed) {
        attempt.end = Some(end.clone());
        attempt.result = None;
    }
    // What lives may start more elsewhere: `stop` comes after it.
    if left != Left::Nothing && matches!(attempt.stopping, Some(Stopping::Due { .. })) {
        attempt.stopping = None;
    }
    match left {
        Left::Nothing if attempt.awaits_stop() => await_stop(attempt, at),
        Left::Nothing => attempt.tenure = Tenure::None,
        Left::Processes => {
            quarantine_tenure(attempt, at, "it has ended and processes of it are still there");
            if attempt.ending.is_none() {
                attempt.ending = Some(Ending {
                    why: EndingWhy::LeftOvers,
                    asked_at: at,
                    by: actor,
                    reason: None,
                    sent: None,
                });
            }
        }
        Left::Unknown => {
            quarantine_tenure(
                attempt,
                at,
                "it has ended and only the queue can tell whether it is gone",
            );
        }
    }
    next.release_uncertainty();
    let runs = [StateName::Submitting, StateName::Queued, StateName::Running];
    let confirmed = next.case.attempt().is_some_and(|attempt| !attempt.awaits_stop());
    if confirmed && let Some(attempt) = next.take_attempt_in(&runs, id) {
        next.case.state = State::Returning { attempt, end };
    }
    finish_if_done(next);
}

/// Nothing of it lives, and its end counts once its pipeline's `stop` has worked.
pub(super) fn await_stop(attempt: &mut Attempt, at: Timestamp) {
    let because = "what it may have left elsewhere is not stopped yet".to_owned();
    match std::mem::replace(&mut attempt.tenure, Tenure::None) {
        Tenure::None => {}
        Tenure::Reserved { slots, .. } => {
            attempt.tenure = Tenure::Quarantined { slots, since: at, because };
        }
        Tenure::Quarantined { slots, since, .. } => {
            attempt.tenure = Tenure::Quarantined { slots, since, because };
        }
    }
    attempt.stopping.get_or_insert(Stopping::Due { since: at });
}

pub(super) fn stopped(next: &mut Next, id: &AttemptId) -> Effect {
    let at = next.at;
    let Some(attempt) = next.attempt_in(&WATCHED, id) else {
        return Effect::Stale("of an attempt that is over".to_owned());
    };
    let due = matches!(attempt.stopping, Some(Stopping::Due { .. })) && attempt.awaits_stop();
    let (Some(end), true) = (attempt.end.clone(), due) else {
        return Effect::Stale("it was not to be stopped any more".to_owned());
    };
    attempt.stopping = Some(Stopping::Done { since: at });
    attempt.tenure = Tenure::None;
    let limit = attempt.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit);
    next.over(StepName::Stop);
    // Of an end that was only observed the policy says what follows.
    if (limit || end.how == EndHow::Recorded)
        && let Some(attempt) = next.take_attempt_in(&[StateName::Running], id)
    {
        next.case.state = State::Returning { attempt, end };
    }
    finish_if_done(next);
    Effect::Change
}

/// Ends the case once nothing is left of its attempt and, where there are results to
/// bring home, they are stored.
pub(super) fn finish_if_done(next: &mut Next) {
    let Some(attempt) = next.case.attempt() else { return };
    let free = matches!(attempt.tenure, Tenure::None) && !attempt.awaits_stop();
    let (Some(end), true) = (attempt.end.clone(), free) else { return };
    if next.name() == StateName::Cancelling {
        let attempt = next.take_attempt().map(|mut attempt| {
            attempt.result = Some(AttemptResult::Cancelled);
            attempt
        });
        next.finish(State::Cancelled { attempt });
        return;
    }
    let (Some(stored), StateName::Returning) = (attempt.stored.clone(), next.name()) else {
        return;
    };
    let Some(mut attempt) = next.take_attempt() else { return };
    let limit = attempt.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit);
    let failure = if limit {
        Some(Failure::Limit { end: end.clone() })
    } else if !attempt.ran_well(&end) {
        Some(Failure::Exit { end: end.clone() })
    } else if !stored.missing.is_empty() {
        Some(Failure::Missing { end: end.clone(), patterns: stored.missing.clone() })
    } else {
        None
    };
    match failure {
        Some(failure) => {
            attempt.result = Some(AttemptResult::Failed);
            next.finish(State::Failed { attempt, failure });
        }
        None => {
            attempt.result = Some(AttemptResult::Succeeded);
            next.finish(State::Succeeded { attempt, end, stored });
        }
    }
}

fn quarantine_tenure(attempt: &mut Attempt, at: Timestamp, because: &str) {
    if let Tenure::Reserved { slots, .. } = &attempt.tenure {
        attempt.tenure =
            Tenure::Quarantined { slots: slots.clone(), since: at, because: because.to_owned() };
    }
}

fn quarantine(next: &mut Next, id: &AttemptId, because: &str) {
    let at = next.at;
    if let Some(attempt) = next.attempt_in(&WATCHED, id) {
        quarantine_tenure(attempt, at, because);
    }
}

fn in_queue(next: &mut Next, id: &AttemptId) {
    next.over(StepName::Submit);
    let at = next.at;
    if let Some(attempt) = next.attempt_in(&[StateName::Submitting], id) {
        // It was handed over, although the answer to that was lost.
        attempt.submitted_at.get_or_insert(at);
    }
    let seen = next.case.attempt().is_some_and(|attempt| attempt.queued_at.is_some());
    if seen
        && next.name() == StateName::Submitting
        && let Some(attempt) = next.take_attempt()
    {
        next.case.state = State::Queued { attempt };
    }
}

fn not_submitted(next: &mut Next, id: &AttemptId) {
    let Some(attempt) = next.attempt_in(&WATCHED, id) else { return };
    if attempt.submitted_at.take().is_some() {
        let text = "it was handed over and nothing of it is there";
        next.trouble(StepName::Submit, &Fault::new(FaultClass::TransientStep, text));
    }
}

/// The claim is ours, so the command can never run.
fn never_ran(next: &mut Next) {
    let at = next.at;
    let end = End { at, code: None, signal: None, how: EndHow::NeverRan };
    let Some(attempt) = next.case.state.attempt() else { return };
    let then = attempt.giving_up.unwrap_or(AfterClaim::Retry);
    let limit = attempt.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit);
    let cancelling = next.name() == StateName::Cancelling;
    let Some(mut attempt) = next.take_attempt() else { return };
    attempt.claimed_by = Some(ClaimedBy::Daemon);
    attempt.tenure = Tenure::None;
    attempt.end = Some(end.clone());
    if cancelling {
        attempt.result = Some(AttemptResult::Cancelled);
        next.finish(State::Cancelled { attempt: Some(attempt) });
        return;
    }
    if limit {
        attempt.result = Some(AttemptResult::Failed);
        next.finish(State::Failed { attempt, failure: Failure::Limit { end } });
        return;
    }
    attempt.result = Some(AttemptResult::Lost);
    next.case.past.push(*attempt);
    next.case.state = State::Ready;
    match then {
        AfterClaim::NewAttempt => {}
        AfterClaim::Hold => {
            next.hold(HoldWhy::Removed, "its entry was removed from the queue before it began");
        }
        AfterClaim::Retry => {
            let text = "the queue is done with it and it never began";
            next.trouble(StepName::Submit, &Fault::new(FaultClass::TransientStep, text));
            never_ran_again(next);
        }
    }
}

/// Each try to have it begin was an attempt of its own, and each was seen in the queue:
/// the budget of handing it over is that of all of them in a row.
fn never_ran_again(next: &mut Next) {
    let in_vain = |attempt: &&Attempt| {
        attempt.end.as_ref().is_some_and(|end| end.how == EndHow::NeverRan)
            && attempt.giving_up == Some(AfterClaim::Retry)
    };
    let row: Vec<&Attempt> = next.case.past.iter().rev().take_while(in_vain).collect();
    let first_at = row.last().map(|attempt| attempt.intent_at.unwrap_or(attempt.made_at));
    let tries = u32::try_from(row.len()).unwrap_or(u32::MAX);
    let trouble = next.case.troubles.of_mut(StepName::Submit);
    if let (Some(trouble), Some(first_at)) = (trouble, first_at) {
        trouble.tries = trouble.tries.max(tries);
        trouble.first_at = trouble.first_at.min(first_at);
    }
}

pub(super) fn claimed(next: &mut Next, id: &AttemptId, by: ClaimedBy) -> Effect {
    let Some(attempt) = next.attempt_in(&WATCHED, id) else {
        return Effect::Stale("of an attempt that is over".to_owned());
    };
    if attempt.end.is_some() {
        return Effect::Stale("it has ended".to_owned());
    }
    match by {
        ClaimedBy::Job => {
            attempt.claimed_by = Some(ClaimedBy::Job);
            attempt.giving_up = None;
        }
        ClaimedBy::Daemon => never_ran(next),
    }
    next.over(StepName::Claim);
    Effect::Change
}

pub(super) fn signalled(next: &mut Next, id: &AttemptId, force: Force) -> Effect {
    let at = next.at;
    let Some(attempt) = next.attempt_in(&WATCHED, id) else {
        return Effect::Stale("of an attempt that is over".to_owned());
    };
    if let Some(ending) = &mut attempt.ending {
        ending.sent = Some((force, at));
    }
    next.over(StepName::End);
    Effect::Change
}

pub(super) fn returned(next: &mut Next, id: &AttemptId, stored: &Stored) -> Effect {
    let Some(attempt) = next.attempt_in(&[StateName::Returning], id) else {
        return Effect::Stale(format!("the case is {} by now", next.name()));
    };
    attempt.stored = Some(stored.clone());
    next.over(StepName::Return);
    // Moved by ourselves: that is no disappearance.
    next.case.vanished_at = None;
    finish_if_done(next);
    Effect::Change
}
