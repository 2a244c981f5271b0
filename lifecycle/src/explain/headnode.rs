//! Sentences about headnodes, and about cases that wait for one.

use jiff::Timestamp;

use super::{Clock, by_since, quoted};
use crate::attempt::QueueKind;
use crate::case::StateName;
use crate::ids::HeadnodeName;
use crate::policy::{HeadnodeState, Part, Pause};
use crate::queue::{Differs, Drift};

/// What was last known of a case there, and what is not to be feared.
fn last_known(state: StateName) -> (&'static str, &'static str) {
    match state {
        StateName::Running => ("running", "the job is not assumed to have failed"),
        StateName::Queued | StateName::Submitting => ("handed over", "nothing is started twice"),
        StateName::Returning => ("ended, its results", "they are fetched later"),
        StateName::Cancelling => ("being cancelled", "it counts as cancelled once its end is seen"),
        StateName::Shipping => ("being copied", "the copy goes on where it stopped"),
        StateName::Staged => ("copied", "it keeps its turn"),
        StateName::Arriving
        | StateName::Ready
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Cancelled
        | StateName::Rejected => ("waiting", "it keeps its turn"),
    }
}

/// The headnode does not answer. The case keeps its state.
pub fn lost_contact(
    state: StateName,
    headnode: &HeadnodeName,
    since: Timestamp,
    because: &str,
    next_try: Timestamp,
    clock: Clock<'_>,
) -> String {
    let (known, fear) = last_known(state);
    format!(
        "Last known {known} on {headnode}; {headnode} has not answered since {} ({because}), \
         {fear}, and the next try is at {}.",
        clock.at(since),
        clock.again_second(next_try)
    )
}

/// The headnode lets us in only when somebody has done something.
pub fn refused(
    state: StateName,
    headnode: &HeadnodeName,
    since: Timestamp,
    because: &str,
    next_try: Timestamp,
    clock: Clock<'_>,
) -> String {
    let (known, fear) = last_known(state);
    format!(
        "Waiting for a person: {headnode} has not let us in since {} ({because}); last known \
         {known}, {fear}; it goes on by itself once that is put right, and the next try is at {}, \
         or `resume --headnode {headnode}` tries at once.",
        clock.at(since),
        clock.again_second(next_try)
    )
}

/// What makes this database the owner of a headnode's work_dir, as it is typed.
pub fn adopt(headnode: &HeadnodeName) -> String {
    format!("daylily-watch adopt {} --reason '...'", quoted(headnode.as_str()))
}

/// What has a headnode tried again that was set aside, as it is typed.
pub fn resume(headnode: &HeadnodeName) -> String {
    format!("daylily-watch resume --headnode {}", quoted(headnode.as_str()))
}

/// Whether what is wrong is whose the work_dir is, and so names what helps: tried again
/// it would only be found the same.
fn is_to_be_adopted(headnode: &HeadnodeName, because: &str) -> bool {
    because.contains(&adopt(headnode))
}

/// The command that takes back a headnode that is set aside.
pub fn taken_back_by(headnode: &HeadnodeName, because: &str) -> String {
    let by = if is_to_be_adopted(headnode, because) { adopt } else { resume };
    by(headnode)
}

/// The headnode is set aside until a person has looked.
pub fn no_contact(
    headnode: &HeadnodeName,
    since: Timestamp,
    because: &str,
    clock: Clock<'_>,
) -> String {
    let until = if is_to_be_adopted(headnode, because) {
        "it is adopted".to_owned()
    } else {
        format!("`resume --headnode {headnode}`")
    };
    format!(
        "Waiting for a person: {headnode} is set aside since {} ({because}); nothing is concluded \
         or started there until {until}.",
        clock.at(since)
    )
}

/// The headnode answers and its queue does not.
pub fn queue_silent(
    state: StateName,
    queue: Option<QueueKind>,
    headnode: &HeadnodeName,
    since: Timestamp,
    because: &str,
    next_try: Timestamp,
    clock: Clock<'_>,
) -> String {
    format!(
        "Waiting for {} on {headnode}: it has not answered since {} ({because}); {}, and the \
         next try is at {}.",
        queue_name(queue),
        clock.at(since),
        meanwhile(state),
        clock.again_second(next_try)
    )
}

/// The same where somebody has to do something first.
pub fn queue_refused(
    state: StateName,
    queue: Option<QueueKind>,
    headnode: &HeadnodeName,
    since: Timestamp,
    because: &str,
    next_try: Timestamp,
    clock: Clock<'_>,
) -> String {
    format!(
        "Waiting for a person: {} on {headnode} cannot be asked since {} ({because}); {}; it \
         goes on by itself once that is put right, and the next try is at {}, or \
         `resume --headnode {headnode}` tries at once.",
        queue_name(queue),
        clock.at(since),
        meanwhile(state),
        clock.again_second(next_try)
    )
}

/// The queue is set aside until a person has looked; the headnode is not.
pub fn queue_set_aside(
    state: StateName,
    queue: Option<QueueKind>,
    headnode: &HeadnodeName,
    since: Timestamp,
    because: &str,
    clock: Clock<'_>,
) -> String {
    format!(
        "Waiting for a person: {} on {headnode} is set aside since {} ({because}); {}, until \
         `resume --headnode {headnode}`.",
        queue_name(queue),
        clock.at(since),
        meanwhile(state)
    )
}

fn queue_name(queue: Option<QueueKind>) -> &'static str {
    match queue {
        Some(QueueKind::Pueue) => "pueue",
        Some(QueueKind::Direct) | None => "the queue",
    }
}

fn meanwhile(state: StateName) -> &'static str {
    match state {
        StateName::Submitting | StateName::Queued => {
            "nothing is started twice, and its start and its end are seen all the same"
        }
        StateName::Arriving
        | StateName::Ready
        | StateName::Shipping
        | StateName::Staged
        | StateName::Running
        | StateName::Returning
        | StateName::Cancelling
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Cancelled
        | StateName::Rejected => "nothing is handed over meanwhile and it keeps its turn",
    }
}

/// How a headnode is, as one clause for lists of them. None: as it should be.
pub fn headnode_trouble(
    headnode: &HeadnodeName,
    state: &HeadnodeState,
    clock: Clock<'_>,
) -> Option<String> {
    match state {
        HeadnodeState::Ok => None,
        HeadnodeState::Unreachable { part, since, because, next_try, needs_person } => {
            let what = match (part, needs_person) {
                (Part::Host, false) => "has not answered",
                (Part::Host, true) => "needs a person, it has not let us in",
                (Part::Queue, false) => "its queue has not answered",
                (Part::Queue, true) => "needs a person, its queue cannot be asked",
            };
            let at_once = if *needs_person {
                format!(", or `resume --headnode {headnode}` tries at once")
            } else {
                String::new()
            };
            Some(format!(
                "{what} since {} ({because}); the next try is at {}{at_once}",
                clock.at(*since),
                clock.again_second(*next_try)
            ))
        }
        HeadnodeState::Broken { part, since, because } => {
            let what = match part {
                Part::Host => "set aside",
                Part::Queue => "its queue is set aside",
            };
            let by = if is_to_be_adopted(headnode, because) {
                String::new()
            } else {
                format!("; `resume --headnode {headnode}` takes it back")
            };
            Some(format!("{what} since {} ({because}){by}", clock.at(*since)))
        }
    }
}

/// How a group of the queue differs, as a clause, with what puts it right.
pub fn drift(drift: &Drift, clock: Clock<'_>) -> String {
    let (group, since) = (&drift.group, clock.at(drift.since));
    let word = quoted(group.as_str());
    let pueue = drift.client.as_deref().unwrap_or("pueue");
    match drift.differs {
        Differs::Missing { wanted } => format!(
            "the group {group} is missing there since {since}: `{pueue} group add -p {wanted} \
             {word}` there makes it"
        ),
        Differs::Paused => format!(
            "the group {group} is paused there since {since}: `{pueue} start -g {word}` there \
             starts it"
        ),
        // As pueue has it: as many as there are.
        Differs::Places { there: 0, wanted } => format!(
            "the group {group} runs any number at a time there and has {wanted} here since \
             {since}: `{pueue} parallel -g {word} {wanted}` there sets it"
        ),
        Differs::Places { there, wanted } => format!(
            "the group {group} runs {there} at a time there and has {wanted} here since {since}: \
             `{pueue} parallel -g {word} {wanted}` there sets it"
        ),
    }
}

pub fn headnode_paused(headnode: &HeadnodeName, pause: &Pause, clock: Clock<'_>) -> String {
    format!(
        "Waiting for a person: {headnode} is paused{}; `resume --headnode {headnode}` lifts it.",
        by_since(pause, clock)
    )
}

pub fn draining(headnode: &HeadnodeName) -> String {
    format!(
        "Waiting: {headnode} is being drained and takes nothing new; `resume --headnode {headnode}` ends that."
    )
}

/// Outside of the hours in which cases are copied.
pub fn outside_of_hours(
    state: StateName,
    headnode: &HeadnodeName,
    opens: Timestamp,
    clock: Clock<'_>,
) -> String {
    let begun = if state == StateName::Shipping { "the copy goes on" } else { "it is copied" };
    format!("Waiting for the transfer hours of {headnode}: {begun} from {} on.", clock.at(opens))
}
