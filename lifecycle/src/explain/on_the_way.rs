//! Sentences about cases that are on their way.

use jiff::Timestamp;

use super::ended::{ending, shown};
use super::held::doing;
use super::{Clock, argument, lasted};
use crate::attempt::{Attempt, End, EndHow, Ending, EndingWhy, QueueKind, Silence};
use crate::case::{Case, Condition, ConditionName, StateName, StepName, Trouble};
use crate::ids::{GroupName, HeadnodeName};
use crate::outcome::FaultClass;
use crate::policy::{Limits, Unreadable};
use crate::queue::Drift;
use crate::settle::MarkerMissing;

pub fn unreadable(unreadable: &Unreadable, clock: Clock<'_>) -> String {
    format!(
        "Cannot be judged: {} since {}; nothing is lost, looking again at {}.",
        unreadable.because,
        clock.at(unreadable.since),
        clock.again(unreadable.next_look)
    )
}

/// A case that is not complete yet: its first condition that does not hold.
pub fn arriving(case: &Case, missing: MarkerMissing, clock: Clock<'_>) -> String {
    let failing = |name| case.condition(name).filter(|condition| !condition.holds);
    if case.conditions.is_empty() {
        return format!(
            "Still arriving: found at {}, its files are looked at next.",
            clock.at_second(case.first_seen)
        );
    }
    if let Some(condition) = failing(ConditionName::Content) {
        return format!(
            "Still arriving: the folder has no files since {}; it goes on when some come.",
            clock.at(condition.since)
        );
    }
    for name in [ConditionName::Unfinished, ConditionName::NoWriters] {
        if let Some(condition) = failing(name) {
            return format!(
                "Still arriving: {} since {}; it goes on when that is over.",
                condition.detail,
                clock.at_second(condition.since)
            );
        }
    }
    if failing(ConditionName::Quiet).is_some() {
        return quiet(case, clock);
    }
    if let Some(condition) = failing(ConditionName::Manifest) {
        return format!(
            "Still arriving: {} since {}; it starts when that comes, or use `accept {}` now.",
            condition.detail,
            clock.at(condition.since),
            argument(&case.name)
        );
    }
    if let Some(condition) = failing(ConditionName::Marker) {
        return marker(case, condition, missing, clock);
    }
    if failing(ConditionName::Start).is_some() {
        return format!(
            "Complete, and {} starts nothing by itself: `accept {}` starts it.",
            case.intake,
            argument(&case.name)
        );
    }
    if let Some(condition) = failing(ConditionName::Checksums) {
        return format!("Complete: {}, and it starts if they agree.", condition.detail);
    }
    if failing(ConditionName::NewContent).is_some() {
        return "Complete under a name that was here before: its content is compared with the \
                earlier one, and it runs if it differs."
            .to_owned();
    }
    "Complete: it is looked at once more before it starts.".to_owned()
}

fn quiet(case: &Case, clock: Clock<'_>) -> String {
    let change = match &case.last_change {
        Some(change) => {
            format!("the last change was {} at {}", shown(&change.path), clock.at_second(change.at))
        }
        None => "something has just changed".to_owned(),
    };
    match case.settles_at {
        Some(at) => format!(
            "Still arriving: {change}; if nothing else changes it is complete at {}.",
            clock.again_second(at)
        ),
        None => format!("Still arriving: {change}; it is looked at again next."),
    }
}

fn marker(case: &Case, condition: &Condition, missing: MarkerMissing, clock: Clock<'_>) -> String {
    let name = argument(&case.name);
    let since = clock.at(condition.since);
    let next = match (missing, case.settles_at) {
        (MarkerMissing::Accept, Some(at)) => {
            format!("at {} it starts without it, or use `accept {name}` now", clock.again(at))
        }
        (MarkerMissing::Reject, Some(at)) => {
            format!("at {} it is refused, or use `accept {name}` now", clock.again(at))
        }
        (MarkerMissing::Wait, _) | (_, None) => {
            format!("it starts when that comes, or use `accept {name}` now")
        }
    };
    format!("Complete except for its marker: {} since {since}; {next}.", condition.detail)
}

pub fn rejected(problems: &[String]) -> String {
    let first = problems.first().map_or("it is not valid", String::as_str);
    let more = match problems.len() {
        0 | 1 => String::new(),
        n => format!(" ({} more below)", n - 1),
    };
    format!("Needs correction: {first}{more}; correct it and the case goes on by itself.")
}

pub fn vanished(case: &Case, since: Timestamp, clock: Clock<'_>) -> String {
    format!(
        "Waiting for a person: its folder {} is gone since {}; put it back and it goes on by \
         itself, or `cancel {}`.",
        case.path,
        clock.at(since),
        argument(&case.name)
    )
}

/// Waiting for places that are taken; names and ranks are joined when read.
pub fn waiting(
    case: &Case,
    group: Option<&GroupName>,
    headnode: &HeadnodeName,
    places: usize,
    free: usize,
    wants_gpu: bool,
    clock: Clock<'_>,
) -> String {
    let what = if wants_gpu { "a GPU" } else { "a place" };
    let copied = match case.state.name() {
        StateName::Staged => format!("Copied to {headnode} and waiting"),
        StateName::Arriving
        | StateName::Ready
        | StateName::Shipping
        | StateName::Submitting
        | StateName::Queued
        | StateName::Running
        | StateName::Returning
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Cancelled
        | StateName::Cancelling
        | StateName::Rejected => "Waiting".to_owned(),
    };
    let of = match group {
        Some(group) => format!("of {group} on {headnode}"),
        None => format!("on {headnode}"),
    };
    if free > 0 || places == 0 {
        let since = clock.at_second(case.ready_at.unwrap_or(case.first_seen));
        return format!(
            "{copied} for its turn: complete since {since}, it starts when {what} {of} is given to it."
        );
    }
    let taken = match places {
        1 => format!("the only place {of} is taken"),
        2 => format!("both places {of} are taken"),
        n => format!("all {n} places {of} are taken"),
    };
    format!("{copied} for {what}: {taken}.")
}

pub fn copying(case: &Case, attempt: &Attempt, clock: Clock<'_>) -> String {
    let next = if attempt.tenure.slots().is_empty() {
        "then it waits there for a place"
    } else {
        "then its job starts"
    };
    format!(
        "Copying {} in {} to {} since {}; {next}.",
        case.content.bytes,
        files(case.content.files),
        attempt.place.headnode,
        clock.at_second(attempt.made_at)
    )
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

pub fn handed_over(
    attempt: &Attempt,
    overdue: bool,
    drift: Option<&Drift>,
    clock: Clock<'_>,
) -> String {
    let headnode = &attempt.place.headnode;
    let drift = drift.map(|drift| format!("; {}", super::drift(drift, clock))).unwrap_or_default();
    match attempt.submitted_at {
        None => {
            format!("Copied to {headnode}; its job is being handed over, then it starts{drift}.")
        }
        Some(at) if overdue => format!(
            "Handed over to {headnode} at {} and shows no sign of life yet; nothing is started \
             twice, and every poll looks for it{drift}.",
            clock.at(at)
        ),
        Some(at) => {
            format!("Handed over to {headnode} at {}; it begins next{drift}.", clock.at_second(at))
        }
    }
}

pub fn queued(
    attempt: &Attempt,
    over: Option<String>,
    drift: Option<&Drift>,
    clock: Clock<'_>,
) -> String {
    let since = clock.at(attempt.queued_at.or(attempt.submitted_at).unwrap_or(attempt.made_at));
    let task = attempt.task_id.as_ref().map(|task| format!(" as task {task}")).unwrap_or_default();
    let queue = match attempt.place.queue {
        QueueKind::Direct => "the machine",
        QueueKind::Pueue => "pueue",
    };
    let over = over.map(|over| format!(", {over}")).unwrap_or_default();
    let next = match drift {
        Some(drift) => super::drift(drift, clock),
        None => format!("{queue} starts it when its place is free"),
    };
    format!("In the queue of {}{task} since {since}{over}; {next}.", attempt.place.headnode)
}

pub fn running(attempt: &Attempt, limits: Limits, clock: Clock<'_>) -> String {
    let headnode = &attempt.place.headnode;
    let since = clock.at(attempt.started_at.unwrap_or(attempt.made_at));
    if let Some(told) = &attempt.error {
        return format!("Running on {headnode} since {since}: {told}.");
    }
    let over = limits.run.filter(|limit| {
        attempt.started_at.is_some_and(|started| clock.now.duration_since(started) >= *limit)
    });
    match over {
        Some(limit) if attempt.ending.is_some() => format!(
            "Running on {headnode} since {since}, longer than its limit of {}; its processes are \
             being ended.",
            lasted(limit)
        ),
        Some(limit) => format!(
            "Running on {headnode} since {since}, longer than its limit of {}; it is left alone, \
             and `cancel` would end it.",
            lasted(limit)
        ),
        None => {
            format!("Running on {headnode} since {since}; its results are fetched when it ends.")
        }
    }
}

pub fn silent(attempt: &Attempt, silence: &Silence, at: Timestamp, clock: Clock<'_>) -> String {
    let headnode = &attempt.place.headnode;
    let why = if silence.rebooted { ", which has been started anew" } else { "" };
    let found = if silence.partial {
        "no process and only half an end record of it were found"
    } else {
        "neither a process nor an end record of it was found"
    };
    format!(
        "Last known running on {headnode}{why}: at {} {found}; \
         if that is still so at {} it is taken for ended.",
        clock.at_second(silence.first),
        clock.again_second(at)
    )
}

pub fn cannot_be_looked_at(attempt: &Attempt, trouble: &Trouble, clock: Clock<'_>) -> String {
    format!(
        "Cannot be looked at on {} since {}: {}; nothing is concluded from that, and every poll \
         looks again.",
        attempt.place.headnode,
        clock.at(trouble.first_at),
        trouble.text
    )
}

pub fn cancelling(attempt: &Attempt, ending: Option<&Ending>, clock: Clock<'_>) -> String {
    let headnode = &attempt.place.headnode;
    let (by, since) = match ending {
        Some(ending) => (format!(" by {}", ending.by), ending.asked_at),
        None => (String::new(), attempt.made_at),
    };
    let next = match (&attempt.end, attempt.silence.is_some()) {
        (Some(_), _) => "it has ended and what is left of it is being ended",
        (None, true) => "its processes are gone, which is confirmed by a second look",
        (None, false) => "it counts as cancelled once its end is seen",
    };
    format!("Being cancelled on {headnode}{by} since {}; {next}.", clock.at_second(since))
}

/// Nothing of it lives on the headnode, and something may live elsewhere.
pub fn stopping(state: StateName, attempt: &Attempt, clock: Clock<'_>) -> String {
    format!(
        "{}; what it may have left elsewhere is being stopped, and its place is kept until that \
         has worked.",
        unconfirmed(state, attempt, clock)
    )
}

/// It has ended and processes of it are still there.
pub fn clearing(state: StateName, attempt: &Attempt, clock: Clock<'_>) -> String {
    format!(
        "{}; processes of it are still there and are being ended, and its place is kept until \
         they are gone.",
        unconfirmed(state, attempt, clock)
    )
}

fn unconfirmed(state: StateName, attempt: &Attempt, clock: Clock<'_>) -> String {
    let headnode = &attempt.place.headnode;
    let ended = match &attempt.end {
        Some(end) if end.how == EndHow::Recorded => {
            format!("the pipeline ended {} at {}", ending(end), clock.at_second(end.at))
        }
        Some(end) => format!("nothing of it was left at {}", clock.at_second(end.at)),
        None => "its end is not known".to_owned(),
    };
    if state == StateName::Cancelling {
        let by = attempt.ending.as_ref().map(|ending| format!(" by {}", ending.by));
        return format!("Being cancelled on {headnode}{}: {ended}", by.unwrap_or_default());
    }
    let over = attempt.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit);
    let why = if over { " over its limit" } else { "" };
    format!("Ended on {headnode}{why}: {ended}")
}

pub fn ended_fetching(attempt: &Attempt, end: &End, clock: Clock<'_>) -> String {
    let headnode = &attempt.place.headnode;
    let how = format!("The pipeline ended {} at {}", ending(end), clock.at_second(end.at));
    if attempt.stored.is_some() {
        return format!(
            "{how}; processes of it are still on {headnode}, and its place is kept until they are \
             gone."
        );
    }
    let what = if end.code == Some(0) { "its results are" } else { "its log is" };
    let left = if attempt.tenure.is_quarantined() {
        ", and processes of it that are still there are being ended"
    } else {
        ""
    };
    format!("{how}; {what} being fetched from {headnode}{left}.")
}

/// A step that does not work at present and is tried again.
pub fn trouble(trouble: &Trouble, next: Timestamp, clock: Clock<'_>) -> String {
    if trouble.class == FaultClass::NoSpace {
        // What is full when results come home is a disk of this machine.
        let way_out = match trouble.step {
            StepName::Ship | StepName::Submit => "`clean --dry-run` lists what could go there; ",
            StepName::Scan
            | StepName::Hash
            | StepName::Manifest
            | StepName::Look
            | StepName::Claim
            | StepName::End
            | StepName::Stop
            | StepName::Return => "",
        };
        return format!(
            "Waiting for space: {} since {}; {way_out}looking again at {}.",
            trouble.text,
            clock.at(trouble.first_at),
            clock.again_second(next)
        );
    }
    if trouble.class == FaultClass::NeedsPerson {
        return format!(
            "Waiting for a person: {} has not worked since {} ({}); it goes on by itself once \
             that is put right, and the next try is at {}.",
            doing(trouble.step),
            clock.at_second(trouble.first_at),
            trouble.text,
            clock.again_second(next)
        );
    }
    format!(
        "Waiting to try again: {} has not worked since {} ({}); the next try is at {}.",
        doing(trouble.step),
        clock.at_second(trouble.first_at),
        trouble.text,
        clock.again_second(next)
    )
}
