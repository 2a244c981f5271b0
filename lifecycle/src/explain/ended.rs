//! Sentences about cases that are over. They are never written anew, so their
//! instants carry the date.

use super::{Clock, argument, lasted};
use crate::attempt::{Attempt, End, EndHow, Stored};
use crate::case::{Case, Failure};

pub fn succeeded(
    case: &Case,
    attempt: &Attempt,
    end: &End,
    stored: &Stored,
    clock: Clock<'_>,
) -> String {
    let name = argument(&case.name);
    let at = clock.dated(end.at);
    if let Some(changed) = &case.changed {
        return format!(
            "Succeeded at {at}, but {} changed in the intake at {}; the result is of the earlier \
             version, and `rerun {name}` makes a new one and keeps the old.",
            shown(&changed.path),
            clock.dated(changed.since)
        );
    }
    match &stored.to {
        Some(to) => format!("Succeeded at {at}; its results are in {to}."),
        None if attempt.cleaned_at.is_some() => format!(
            "Succeeded at {at}; nothing was fetched, and its data on {} was removed since; \
             `rerun {name}` starts it again.",
            attempt.place.headnode
        ),
        None => format!(
            "Succeeded at {at}; results stay on {}:{}.",
            attempt.place.headnode, attempt.place.remote_dir
        ),
    }
}

pub fn failed(case: &Case, attempt: &Attempt, failure: &Failure, clock: Clock<'_>) -> String {
    let name = argument(&case.name);
    let again = format!("its log is in `log {name}`, and `rerun {name}` starts it again");
    match failure {
        Failure::Exit { end } => match (end.how, end.code) {
            (EndHow::Abandoned, _) => format!(
                "Failed: a person said at {} that it is dead, how far it came is not known; {again}.",
                clock.dated(end.at)
            ),
            (EndHow::Observed | EndHow::NeverRan | EndHow::Superseded, _) | (_, None)
                if end.signal.is_none() =>
            {
                format!(
                    "Failed: it ended before {} without leaving an exit code; {again}.",
                    clock.dated(end.at)
                )
            }
            _ => format!(
                "Failed: the pipeline ended {}{}; {again}.",
                ending(end),
                after(attempt, end)
            ),
        },
        Failure::Missing { end, patterns } => format!(
            "Failed: the pipeline ended {}{}, but {} missing, empty or older than the run; {again}.",
            ending(end),
            after(attempt, end),
            list(patterns)
        ),
        Failure::Limit { end } => format!(
            "Failed: it took longer than its limit and was ended at {}; {again}.",
            clock.dated(end.at)
        ),
    }
}

pub fn cancelled(case: &Case, attempt: Option<&Attempt>, clock: Clock<'_>) -> String {
    let name = argument(&case.name);
    let at = clock.dated(case.finished_at.unwrap_or(case.updated_at));
    let by = attempt
        .and_then(|attempt| attempt.ending.as_ref())
        .map(|ending| format!(" by {}", ending.by))
        .unwrap_or_default();
    let ran = match attempt.and_then(|attempt| attempt.end.as_ref()) {
        Some(End { how: EndHow::Recorded, .. })
            if attempt
                .and_then(|attempt| attempt.ending.as_ref())
                .is_some_and(|ending| ending.sent.is_some()) =>
        {
            "; its job was ended".to_owned()
        }
        Some(End { how: EndHow::Recorded, code: Some(code), .. }) => {
            format!("; the pipeline had ended with exit code {code}")
        }
        Some(End { how: EndHow::Recorded | EndHow::Observed, .. }) => {
            "; the job was ended".to_owned()
        }
        Some(End { how: EndHow::Abandoned, .. }) => {
            "; whether its job still runs is not known".to_owned()
        }
        Some(End { how: EndHow::NeverRan | EndHow::Superseded, .. }) | None => {
            "; nothing of it had run".to_owned()
        }
    };
    format!("Cancelled at {at}{by}{ran}; `rerun {name}` starts it again.")
}

/// `with exit code 137`, or by which signal.
pub(super) fn ending(end: &End) -> String {
    match (end.code, end.signal) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "without leaving an exit code".to_owned(),
    }
}

fn after(attempt: &Attempt, end: &End) -> String {
    let lasted = attempt
        .started_at
        .map(|started| format!(" after {}", lasted(end.at.duration_since(started))))
        .unwrap_or_default();
    let usual = match (end.code, end.signal) {
        (Some(137), _) | (None, Some(9)) => " (usually out of memory)",
        (Some(96), _) => " (job.sh could not enter the case's folder or set up its files)",
        (Some(126), _) => " (the command cannot be executed)",
        (Some(127), _) => " (a command was not found)",
        (Some(143), _) | (None, Some(15)) => " (somebody ended it)",
        (Some(_) | None, _) => "",
    };
    format!("{lasted}{usual}")
}

fn list(patterns: &[String]) -> String {
    match patterns {
        [one] => format!("{one} is"),
        more => format!("{} are", more.join(", ")),
    }
}

/// A path within the case, or the folder itself.
pub(super) fn shown(path: &str) -> &str {
    if path.is_empty() { "the folder" } else { path }
}
