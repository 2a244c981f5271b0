//! Owns the shape of `show --json`.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{Attempt, AttemptResult, EndHow, Stopping};
use daylily_lifecycle::outcome::FaultClass;
use serde::Serialize;

use super::shapes::{self, At, CaseShape};
use super::show::{self, Shown};
use super::why::ConditionShape;
use crate::store::steps::StoredProgress;

#[derive(Debug, Serialize)]
pub(super) struct ShowShape {
    #[serde(flatten)]
    case: CaseShape,
    /// Where its folder is, or was.
    path: String,
    /// BLAKE3 over its paths and contents.
    digest: Option<String>,
    /// The group it asks for; null for any.
    wants_group: Option<String>,
    /// How many GPUs it asks for.
    wants_gpus: u32,
    /// Which rule it matches, and by which file.
    rule: Option<String>,
    /// From its `case.yaml`.
    params: BTreeMap<String, String>,
    /// From its `case.yaml`.
    notify: Vec<String>,
    /// The person who has set the priority.
    priority_by: Option<String>,
    conditions: Vec<ConditionShape>,
    /// What is to be corrected, or which expected outputs are missing.
    problems: Vec<String>,
    trouble: Option<TroubleShape>,
    accepted: Option<WordShape>,
    /// What changed after it was handed over.
    changed_path: Option<String>,
    /// Where its results are on this machine.
    results: Option<String>,
    /// Oldest first.
    attempts: Vec<AttemptShape>,
}

/// A step that does not succeed at present.
#[derive(Debug, Serialize)]
struct TroubleShape {
    /// `scan`, `hash`, `manifest`, `ship`, `submit`, `look`, `claim`, `end`, `stop` or `return`.
    step: &'static str,
    class: &'static str,
    text: String,
    tries: u32,
    first_at: At,
    last_at: At,
    next_at: Option<At>,
}

#[derive(Debug, Serialize)]
struct WordShape {
    at: At,
    by: String,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct AttemptShape {
    id: String,
    number: u32,
    headnode: String,
    /// Of the places it has or had.
    group: Option<String>,
    slots: Vec<SlotShape>,
    /// Its end is not confirmed, so its places are given to nobody.
    quarantined: bool,
    remote_dir: String,
    attempt_dir: String,
    command: String,
    params: BTreeMap<String, String>,
    /// What ends the things that it may leave elsewhere.
    stop: Option<String>,
    /// `due`, `done` or `waived`, after an abnormal end.
    stopping: Option<&'static str>,
    task: Option<String>,
    made_at: At,
    submitted_at: Option<At>,
    queued_at: Option<At>,
    started_at: Option<At>,
    ended_at: Option<At>,
    /// How the end is known: `recorded`, `observed`, `never_ran`, `superseded` or
    /// `abandoned`.
    end: Option<&'static str>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    /// `succeeded`, `failed`, `cancelled`, `lost` or `superseded`.
    result: Option<&'static str>,
    error: Option<String>,
    results: Option<String>,
    result_files: Option<u64>,
    result_bytes: Option<u64>,
    /// Where the folder was moved to.
    moved_to: Option<String>,
    /// The last lines of its output.
    log_tail: Option<String>,
}

#[derive(Debug, Serialize)]
struct SlotShape {
    slot: u32,
    gpu: Option<String>,
}

impl ShowShape {
    pub(super) fn new(
        shown: &Shown,
        progress: Option<&StoredProgress>,
        conditions: Vec<ConditionShape>,
    ) -> Self {
        let (row, case) = (&shown.row, &shown.case);
        Self {
            case: CaseShape::new(row, shown.because.clone(), progress),
            path: case.path.clone(),
            digest: case.content.digest.as_ref().map(ToString::to_string),
            wants_group: case.order.group.as_ref().map(ToString::to_string),
            wants_gpus: case.order.gpus,
            rule: case.order.rule.clone(),
            params: case.order.params.clone(),
            notify: case.order.notify.clone(),
            priority_by: case.order.priority_by.as_ref().map(ToString::to_string),
            conditions,
            problems: show::problems(case).to_vec(),
            trouble: case.troubles.latest().map(|trouble| TroubleShape {
                step: shapes::step(trouble.step),
                class: class(trouble.class),
                text: trouble.text.clone(),
                tries: trouble.tries,
                first_at: At(trouble.first_at),
                last_at: At(trouble.last_at),
                next_at: row.wake_at.filter(|_| case.hold.is_none()).map(At),
            }),
            accepted: case.accepted.as_ref().map(|word| WordShape {
                at: At(word.at),
                by: word.by.to_string(),
                reason: word.reason.clone(),
            }),
            changed_path: case.changed.as_ref().map(|changed| changed.path.clone()),
            results: show::results(case).map(str::to_owned),
            attempts: case.attempts().map(|attempt| AttemptShape::new(shown, attempt)).collect(),
        }
    }
}

impl AttemptShape {
    fn new(shown: &Shown, attempt: &Attempt) -> Self {
        let places = shown.places.get(&attempt.id);
        let slots = places.map(|places| places.slots.as_slice()).unwrap_or_default();
        let (end, stored) = (attempt.end.as_ref(), attempt.stored.as_ref());
        Self {
            id: attempt.id.to_string(),
            number: attempt.number,
            headnode: attempt.place.headnode.to_string(),
            group: places.and_then(|places| places.group.as_ref()).map(ToString::to_string),
            slots: slots
                .iter()
                .map(|slot| SlotShape { slot: slot.slot, gpu: slot.gpu.clone() })
                .collect(),
            quarantined: attempt.tenure.is_quarantined(),
            remote_dir: attempt.place.remote_dir.clone(),
            attempt_dir: attempt.place.attempt_dir.clone(),
            command: attempt.place.command.clone(),
            params: attempt.place.params.clone(),
            stop: attempt.place.stop.clone(),
            stopping: attempt.stopping.map(|stopping| match stopping {
                Stopping::Due { .. } => "due",
                Stopping::Done { .. } => "done",
                Stopping::Waived { .. } => "waived",
            }),
            task: attempt.task_id.as_ref().map(ToString::to_string),
            made_at: At(attempt.made_at),
            submitted_at: attempt.submitted_at.map(At),
            queued_at: attempt.queued_at.map(At),
            started_at: attempt.started_at.map(At),
            ended_at: end.map(|end| At(end.at)),
            end: end.map(|end| how(end.how)),
            exit_code: end.and_then(|end| end.code),
            signal: end.and_then(|end| end.signal),
            result: attempt.result.map(result),
            error: attempt.error.clone(),
            results: stored.and_then(|stored| stored.to.clone()),
            result_files: stored.map(|stored| stored.files),
            result_bytes: stored.map(|stored| stored.bytes.0),
            moved_to: stored.and_then(|stored| stored.moved_to.clone()),
            log_tail: stored.map(|stored| stored.log_tail.clone()),
        }
    }
}

pub(super) fn result(result: AttemptResult) -> &'static str {
    match result {
        AttemptResult::Succeeded => "succeeded",
        AttemptResult::Failed => "failed",
        AttemptResult::Cancelled => "cancelled",
        AttemptResult::Lost => "lost",
        AttemptResult::Superseded => "superseded",
    }
}

fn how(how: EndHow) -> &'static str {
    match how {
        EndHow::Recorded => "recorded",
        EndHow::Observed => "observed",
        EndHow::NeverRan => "never_ran",
        EndHow::Superseded => "superseded",
        EndHow::Abandoned => "abandoned",
    }
}

fn class(class: FaultClass) -> &'static str {
    match class {
        FaultClass::TransientHost => "transient_host",
        FaultClass::TransientStep => "transient_step",
        FaultClass::NoSpace => "no_space",
        FaultClass::Throttled => "throttled",
        FaultClass::Ambiguous => "ambiguous",
        FaultClass::FatalHost => "fatal_host",
        FaultClass::FatalCase => "fatal_case",
        FaultClass::NeedsPerson => "needs_person",
    }
}
