//! Sentences about cases that wait for a person.

use super::{Clock, argument};
use crate::case::{Case, Hold, HoldWhy, StepName, Trouble};

pub fn held(case: &Case, hold: &Hold, clock: Clock<'_>) -> String {
    let name = argument(&case.name);
    let since = clock.at(hold.since);
    let reason = &hold.reason;
    match hold.why {
        HoldWhy::Asked if reason.is_empty() => format!(
            "Waiting for a person: held by {} since {since}; `resume {name}` releases it.",
            hold.by
        ),
        HoldWhy::Asked => format!(
            "Waiting for a person: held by {} since {since} ({reason}); `resume {name}` releases it.",
            hold.by
        ),
        HoldWhy::Baseline => format!(
            "Waiting for a person: {reason}; `resume {name}` runs it, `cancel {name}` sets it aside."
        ),
        HoldWhy::Trouble if stops(case) => {
            let first = given_up(case).map_or(hold.since, |trouble| trouble.first_at);
            format!(
                "Waiting for a person: {} has not worked since {} ({reason}), so its place is \
                 kept; `retry {name}` goes on with it, `confirm-dead {name}` if nothing of it is \
                 left.",
                doing(StepName::Stop),
                clock.at(first)
            )
        }
        HoldWhy::Trouble => {
            let trouble = given_up(case);
            let step = trouble.map_or("a step", |trouble| doing(trouble.step));
            let first = trouble.map_or(hold.since, |trouble| trouble.first_at);
            format!(
                "Waiting for a person: {step} has not worked since {} ({reason}); `retry {name}` \
                 goes on with it.",
                clock.at(first)
            )
        }
        HoldWhy::Lost => {
            let (headnode, dir, started) = place(case, clock);
            format!(
                "Waiting for a person: it started on {headnode}{started} and has left neither an \
                 end record nor a process, so it may have done part of its work; look at \
                 {headnode}:{dir}, then `confirm-dead {name}` or `rerun {name}`."
            )
        }
        HoldWhy::Unconfirmed | HoldWhy::Impossible => {
            let (headnode, dir, _) = place(case, clock);
            format!(
                "Waiting for a person: since {since} its end on {headnode} cannot be confirmed \
                 ({reason}), so its place is kept; look at {headnode}:{dir}, then \
                 `confirm-dead {name}`."
            )
        }
        HoldWhy::Removed => format!(
            "Waiting for a person: {reason}, seen at {since}; `resume {name}` submits it anew."
        ),
        HoldWhy::Panic => format!(
            "Waiting for a person: the program itself failed on this case at {since} ({reason}); \
             no other case is affected, and `retry {name}` tries again."
        ),
        HoldWhy::Adopted => format!(
            "Waiting for a person: found at {since} without a record of it ({reason}); \
             `resume {name}` takes it over, `cancel {name}` ends it."
        ),
    }
}

fn place(case: &Case, clock: Clock<'_>) -> (String, String, String) {
    match case.attempt() {
        Some(attempt) => (
            attempt.place.headnode.to_string(),
            attempt.place.remote_dir.clone(),
            attempt.started_at.map(|at| format!(" at {}", clock.at(at))).unwrap_or_default(),
        ),
        None => (case.order.headnode.to_string(), String::new(), String::new()),
    }
}

fn stops(case: &Case) -> bool {
    given_up(case).is_some_and(|trouble| trouble.step == StepName::Stop)
}

/// The trouble for which a case is held.
fn given_up(case: &Case) -> Option<&Trouble> {
    let reason = case.hold.as_ref().map(|hold| &hold.reason);
    let of_the_hold = |trouble: &&Trouble| Some(&trouble.text) == reason;
    case.troubles.iter().find(of_the_hold).or_else(|| case.troubles.latest())
}

/// A step as something that goes on.
pub(super) fn doing(step: StepName) -> &'static str {
    match step {
        StepName::Scan => "looking at its folder",
        StepName::Hash => "reading its content",
        StepName::Manifest => "comparing its files with its manifest",
        StepName::Ship => "copying it",
        StepName::Submit => "handing it over",
        StepName::Look => "looking at its job",
        StepName::Claim => "taking back its job",
        StepName::End => "ending its processes",
        StepName::Stop => "stopping what it left elsewhere",
        StepName::Return => "bringing its results home",
    }
}
