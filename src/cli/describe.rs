//! Owns what the journal's entries say in plain words: one clause for each thing that
//! can be seen, asked or decided.

use daylily_lifecycle::attempt::{ClaimedBy, EndingWhy, Force};
use daylily_lifecycle::case::{Compared, HoldWhy, Priority, StepName};
use daylily_lifecycle::ids::{ByteCount, Slot};
use daylily_lifecycle::observation::{
    Appeared, Decision, Observation, Observed, Request, Scanned, Verb,
};
use daylily_lifecycle::outcome::{AfterClaim, Conclusion, Look, Seen, conclude};

use super::words::{count, one_line};

/// What happened, as a clause.
pub(super) fn describe(observed: &Observed) -> String {
    match &observed.what {
        Observation::Appeared(appeared) => describe_appeared(appeared),
        Observation::Scanned(scanned) => describe_scan(scanned),
        Observation::Hashed { .. } => "its content was read and compared".to_owned(),
        Observation::Compared(Compared { manifest, problems, .. }) => match problems.as_slice() {
            [] => format!("its files are as {manifest} says"),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first}; {} more", rest.len()),
        },
        Observation::Vanished => "its folder is gone from the intake".to_owned(),
        Observation::CameBack { .. } => {
            "its folder came back with the same content; it is not run again".to_owned()
        }
        Observation::Granted { attempt, slots } => {
            format!("was given {} on {}", places(slots), attempt.place.headnode)
        }
        Observation::SentAhead { attempt } => {
            format!("is copied to {} ahead of its turn", attempt.place.headnode)
        }
        Observation::Placed { slots, .. } => format!("was given {}", places(slots)),
        Observation::Shipped { files, bytes, .. } => {
            format!("was copied: {}", content(*files, *bytes))
        }
        Observation::StepFailed { step, fault, .. } => {
            format!("{} did not work: {}", doing(*step), one_line(&fault.text))
        }
        Observation::Submitted { task: None, .. } => "its job was handed over".to_owned(),
        Observation::Submitted { task: Some(task), .. } => {
            format!("its job was handed over as task {task}")
        }
        Observation::Looked { look, .. } => describe_look(look),
        Observation::Claimed { by: ClaimedBy::Daemon, .. } => {
            "its job was taken back before it began; it can never start".to_owned()
        }
        Observation::Claimed { by: ClaimedBy::Job, .. } => {
            "its job had begun before it could be taken back".to_owned()
        }
        Observation::Signalled { force, .. } => describe_force(*force).to_owned(),
        Observation::Stopped { .. } => "what it may have left elsewhere was stopped".to_owned(),
        Observation::Returned { stored, .. } => match &stored.to {
            _ if !stored.missing.is_empty() => {
                format!("expected outputs are missing: {}", stored.missing.join(", "))
            }
            Some(to) => {
                format!("results are in {to}: {}", content(stored.files, stored.bytes))
            }
            None => "its output was kept".to_owned(),
        },
        Observation::Adopted(adopted) => {
            let id = &adopted.attempt.id;
            let on = &adopted.attempt.place.headnode;
            format!("{id} was found on {on} without a record of it: {}", adopted.reason)
        }
        Observation::Cleaned { bytes, reason, .. } => {
            let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("its data was removed from its headnode, {bytes}{why}")
        }
        Observation::Asked(request) => describe_request(request),
        Observation::Decided(decision) => describe_decision(decision),
        Observation::ContactRegained => "its headnode answers again".to_owned(),
        Observation::ClockStepped => {
            "the wall clock was set, so its silence is timed anew".to_owned()
        }
        Observation::Panicked { text } => format!("the program itself failed on it: {text}"),
    }
}

fn describe_appeared(appeared: &Appeared) -> String {
    match (&appeared.problem, &appeared.baseline) {
        (Some(problem), _) => format!("found in {}: {problem}", appeared.intake),
        (None, Some(baseline)) => format!("found in {}: {baseline}", appeared.intake),
        (None, None) => format!("found in {}", appeared.intake),
    }
}

fn describe_scan(scanned: &Scanned) -> String {
    let seen = content(scanned.files, scanned.bytes);
    let missing = scanned.conditions.iter().find(|condition| !condition.holds);
    match (scanned.problems.first(), &scanned.refused, missing) {
        (Some(problem), _, _) => format!("looked at: {problem}"),
        (None, Some(refused), _) => format!("looked at: {refused}"),
        (None, None, Some(condition)) => format!("looked at: {seen}; {}", condition.detail),
        (None, None, None) => format!("looked at: {seen}, complete"),
    }
}

fn describe_look(look: &Look) -> String {
    // What was known before is not in the entry; the words below hold either way.
    let conclusion =
        conclude(look, Seen { claimed_at: None, in_queue: false, queue_wiped: Some(false) });
    match conclusion {
        Conclusion::CouldNotLook { why } => format!("could not be looked at: {}", one_line(&why)),
        Conclusion::Impossible => "left an end record although its job was taken back".to_owned(),
        Conclusion::Ended { code, signal, .. } => format!("ended {}", ending(code, signal)),
        Conclusion::EndedWithLeftOvers { code, signal, .. } => {
            format!("ended {}; processes of it are still there", ending(code, signal))
        }
        Conclusion::EndedUnconfirmed { code, signal, .. } => {
            format!("ended {}; whether processes of it are left is not known", ending(code, signal))
        }
        Conclusion::Running { orphaned: false, .. } => "runs".to_owned(),
        Conclusion::Running { orphaned: true, .. } => {
            "runs, although its queue says otherwise".to_owned()
        }
        Conclusion::Silent { rebooted, partial, .. } => {
            let found = if partial {
                "no process and only half an end record of it were found"
            } else {
                "neither a process nor an end record of it was found"
            };
            let machine = if rebooted { "; the machine was started anew" } else { "" };
            format!("{found}{machine}")
        }
        Conclusion::EndUnconfirmed => "its end cannot be confirmed from here".to_owned(),
        Conclusion::NeverRan => "it never ran".to_owned(),
        Conclusion::Starting => "it starts".to_owned(),
        Conclusion::NotSubmitted => "its queue does not have it".to_owned(),
        Conclusion::Gone => "its queue no longer has it".to_owned(),
        Conclusion::Waiting => "it waits in its queue".to_owned(),
        Conclusion::TakeClaim { then } => match then {
            AfterClaim::NewAttempt => "its queue was emptied before it began".to_owned(),
            AfterClaim::Hold => "it was removed from its queue before it began".to_owned(),
            AfterClaim::Retry => "its queue ended it before it began".to_owned(),
        },
    }
}

fn ending(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "without leaving an exit code".to_owned(),
    }
}

fn describe_force(force: Force) -> &'static str {
    match force {
        Force::Terminate => "its processes were asked to end (SIGTERM)",
        Force::KillChildren => "its processes were ended (SIGKILL)",
        Force::KillAll => "all of its processes were ended (SIGKILL)",
    }
}

fn describe_request(request: &Request) -> String {
    let asked = match &request.verb {
        // The remark is all there is to say.
        Verb::Note => return format!("remarked: {}", request.reason.as_deref().unwrap_or("")),
        Verb::Accept => "said to start without what is missing".to_owned(),
        Verb::Hold => "held it".to_owned(),
        Verb::Resume => "released it".to_owned(),
        Verb::Retry => "said to try again".to_owned(),
        Verb::Rerun { abandon: false } => "said to start it again".to_owned(),
        Verb::Rerun { abandon: true } => "said that it is dead, and to start it again".to_owned(),
        Verb::Cancel { abandon: false } => "cancelled it".to_owned(),
        Verb::Cancel { abandon: true } => "said that it is dead, and cancelled it".to_owned(),
        Verb::ConfirmDead => "said that nothing of it runs any more".to_owned(),
        Verb::SetPriority { priority } => format!(
            "made its priority {}",
            match priority {
                Priority::Urgent => "urgent",
                Priority::Normal => "normal",
                Priority::Low => "low",
            }
        ),
    };
    match &request.reason {
        Some(reason) => format!("{asked} ({reason})"),
        None => asked,
    }
}

fn describe_decision(decision: &Decision) -> String {
    match decision {
        Decision::Hold { why, reason } => {
            format!("held for a person: {}", one_line(&held(*why, reason)))
        }
        Decision::Reject { problem } => format!("needs correction: {problem}"),
        Decision::Reconsider => "what was missing is there now".to_owned(),
        Decision::End { why: EndingWhy::Cancel } => "its processes are to end".to_owned(),
        Decision::End { why: EndingWhy::Limit } => {
            "it exceeded its limit; its processes are to end".to_owned()
        }
        Decision::End { why: EndingWhy::LeftOvers } => {
            "what is left of its processes is to end".to_owned()
        }
        Decision::EndObserved => {
            "has shown neither a process nor an end record for long enough: taken for ended"
                .to_owned()
        }
        Decision::Rerun => "starts again as a new attempt".to_owned(),
    }
}

fn held(why: HoldWhy, reason: &str) -> String {
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match why {
        HoldWhy::Asked => "asked for",
        HoldWhy::Baseline => "here before the first start",
        HoldWhy::Trouble => "a step did not work for too long",
        HoldWhy::Lost => "neither an end record nor a process",
        HoldWhy::Unconfirmed => "its end cannot be confirmed",
        HoldWhy::Impossible => "what was read contradicts itself",
        HoldWhy::Removed => "removed from the queue by hand",
        HoldWhy::Panic => "the program itself failed on it",
        HoldWhy::Adopted => "found without a record of it",
    }
    .to_owned()
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

/// `gpu_a/0 (GPU 3)`, several with commas.
pub(super) fn places(slots: &[Slot]) -> String {
    if slots.is_empty() {
        return "no place".to_owned();
    }
    let one = |slot: &Slot| match &slot.gpu {
        Some(gpu) => format!("{}/{} (GPU {gpu})", slot.group, slot.slot),
        None => format!("{}/{}", slot.group, slot.slot),
    };
    slots.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `5 files, 50 KiB`.
pub(super) fn content(files: u64, bytes: ByteCount) -> String {
    let files = count(usize::try_from(files).unwrap_or(usize::MAX), "file", "files");
    format!("{files}, {bytes}")
}

#[cfg(test)]
mod tests;
