//! Owns the shapes of `--json` that several verbs share. They are public: a field may
//! be added, none is renamed or removed. Times are UTC, sizes bytes, durations seconds.
//! What is not known, or not so, is null.

use daylily_lifecycle::case::{Hold, HoldWhy, Priority, StateName, StepName};
use daylily_lifecycle::policy::Pause;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::store::read::board::BoardRow;
use crate::store::steps::StoredProgress;

/// An instant with its milliseconds, as in the database: `2026-11-20T06:00:00.000Z`.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(pub(super) Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

/// A case in lists, and the first part of what is shown of one.
#[derive(Debug, Serialize)]
pub(super) struct CaseShape {
    pub(super) id: String,
    pub(super) name: String,
    /// Which time this name has arrived, counted from 1.
    pub(super) arrival: u32,
    pub(super) intake: String,
    /// `arriving`, `ready`, `shipping`, `staged`, `submitting`, `queued`, `running`,
    /// `returning`, `succeeded`, `failed`, `cancelled`, `cancelling` or `rejected`.
    pub(super) state: &'static str,
    /// The state as people read it.
    pub(super) in_words: &'static str,
    pub(super) state_since: At,
    /// One sentence: what it waits for, since when, what happens next.
    pub(super) because: String,
    /// When it is looked at again by itself.
    pub(super) wake_at: Option<At>,
    /// Set while it waits for a person.
    pub(super) hold: Option<HoldShape>,
    pub(super) priority: &'static str,
    pub(super) pipeline: String,
    pub(super) headnode: String,
    /// The queue group of the places it has or had.
    pub(super) group: Option<String>,
    /// What CUDA_VISIBLE_DEVICES says.
    pub(super) gpus: Option<String>,
    /// The attempt under way, or the last.
    pub(super) attempt: Option<AttemptName>,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// While it is copied or its results are fetched.
    pub(super) progress: Option<ProgressShape>,
    /// Of the step that does not succeed at present.
    pub(super) error: Option<String>,
    pub(super) exit_code: Option<i32>,
    /// Its folder changed after it was handed over.
    pub(super) changed_since: Option<At>,
    /// Its folder is gone.
    pub(super) vanished_at: Option<At>,
    pub(super) first_seen: At,
    pub(super) ready_at: Option<At>,
    pub(super) started_at: Option<At>,
    pub(super) finished_at: Option<At>,
    pub(super) updated_at: At,
}

#[derive(Debug, Serialize)]
pub(super) struct AttemptName {
    pub(super) id: String,
    /// Counted from 1 within the case.
    pub(super) number: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct HoldShape {
    /// `asked`, `baseline`, `trouble`, `lost`, `unconfirmed`, `impossible`, `removed`,
    /// `panic` or `adopted`.
    pub(super) why: &'static str,
    pub(super) reason: String,
    pub(super) since: At,
    pub(super) by: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ProgressShape {
    /// `ship` or `return`.
    pub(super) step: &'static str,
    pub(super) files_done: u64,
    pub(super) bytes_done: u64,
    pub(super) bytes_total: u64,
    pub(super) bytes_per_s: u64,
    /// When it was last told.
    pub(super) at: At,
}

/// Somebody stopped something.
#[derive(Debug, Serialize)]
pub(super) struct PauseShape {
    pub(super) by: Option<String>,
    pub(super) since: At,
    pub(super) reason: Option<String>,
}

impl CaseShape {
    pub(super) fn new(row: &BoardRow, because: String, progress: Option<&StoredProgress>) -> Self {
        Self {
            id: row.case.to_string(),
            name: row.name.to_string(),
            arrival: row.arrival.0,
            intake: row.intake.to_string(),
            state: row.state.as_str(),
            in_words: row.state.in_plain_words(),
            state_since: At(row.state_since),
            because,
            wake_at: row.wake_at.map(At),
            hold: row.hold.as_ref().map(HoldShape::new),
            priority: priority(row.priority),
            pipeline: row.pipeline.to_string(),
            headnode: row.headnode.to_string(),
            group: row.attempt.as_ref().and_then(|a| a.group.as_ref()).map(ToString::to_string),
            gpus: row.attempt.as_ref().and_then(|a| a.gpus.clone()).filter(|g| !g.is_empty()),
            attempt: row
                .attempt
                .as_ref()
                .map(|a| AttemptName { id: a.id.to_string(), number: a.number }),
            files: row.files,
            bytes: row.bytes.0,
            progress: progress.map(ProgressShape::new),
            error: row.error.clone(),
            exit_code: row.exit_code,
            changed_since: row.changed_since.map(At),
            vanished_at: row.vanished_at.map(At),
            first_seen: At(row.first_seen),
            ready_at: row.ready_at.map(At),
            started_at: row.started_at.map(At),
            finished_at: row.finished_at.map(At),
            updated_at: At(row.updated_at),
        }
    }
}

impl HoldShape {
    fn new(hold: &Hold) -> Self {
        Self {
            why: match hold.why {
                HoldWhy::Asked => "asked",
                HoldWhy::Baseline => "baseline",
                HoldWhy::Trouble => "trouble",
                HoldWhy::Lost => "lost",
                HoldWhy::Unconfirmed => "unconfirmed",
                HoldWhy::Impossible => "impossible",
                HoldWhy::Removed => "removed",
                HoldWhy::Panic => "panic",
                HoldWhy::Adopted => "adopted",
            },
            reason: hold.reason.clone(),
            since: At(hold.since),
            by: hold.by.to_string(),
        }
    }
}

impl ProgressShape {
    fn new(stored: &StoredProgress) -> Self {
        let progress = &stored.progress;
        Self {
            step: step(progress.step),
            files_done: progress.files_done,
            bytes_done: progress.bytes_done.0,
            bytes_total: progress.bytes_total.0,
            bytes_per_s: progress.rate.0,
            at: At(stored.updated_at),
        }
    }
}

impl PauseShape {
    pub(super) fn new(pause: &Pause) -> Self {
        Self {
            by: pause.by.as_ref().map(ToString::to_string),
            since: At(pause.since),
            reason: pause.reason.clone(),
        }
    }
}

pub(super) fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Urgent => "urgent",
        Priority::Normal => "normal",
        Priority::Low => "low",
    }
}

pub(super) fn step(step: StepName) -> &'static str {
    match step {
        StepName::Scan => "scan",
        StepName::Hash => "hash",
        StepName::Manifest => "manifest",
        StepName::Ship => "ship",
        StepName::Submit => "submit",
        StepName::Look => "look",
        StepName::Claim => "claim",
        StepName::End => "end",
        StepName::Stop => "stop",
        StepName::Return => "return",
    }
}

pub(super) fn states(from: Option<StateName>) -> Option<&'static str> {
    from.map(StateName::as_str)
}
