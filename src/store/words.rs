//! Owns the words by which the choices of the lifecycle stand in the database. They
//! are those of the journal's JSON; the CHECKs of the schema list them once more.

use daylily_lifecycle::attempt::{AttemptResult, ClaimedBy, EndHow, EndingWhy, Force, QueueKind};
use daylily_lifecycle::case::{
    CaseKind, ConditionName, HoldWhy, Priority, RejectedBy, StateName, StepName,
};
use daylily_lifecycle::outcome::{AfterClaim, FaultClass};
use daylily_lifecycle::policy::{Part, SlotState};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// A choice that has a word for each of its values.
pub(super) trait Word: Copy + 'static {
    fn word(self) -> &'static str;
    fn from_word(word: &str) -> Option<Self>;
}

/// A [`Word`] on its way into or out of a column.
pub(super) struct AsWord<T>(pub(super) T);

impl<T: Word> ToSql for AsWord<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.word()))
    }
}

impl<T: Word> FromSql for AsWord<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        T::from_word(word).map(AsWord).ok_or_else(|| {
            FromSqlError::Other(format!("the word {word:?} is not known here").into())
        })
    }
}

macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal,)+ })+) => {
        $(
            impl Word for $name {
                fn word(self) -> &'static str {
                    match self {
                        $($name::$variant => $word,)+
                    }
                }

                fn from_word(word: &str) -> Option<Self> {
                    match word {
                        $($word => Some($name::$variant),)+
                        _ => None,
                    }
                }
            }
        )+
    };
}

words! {
    Part {
        Host = "host",
        Queue = "queue",
    }
    CaseKind {
        Folder = "folder",
    }
    Priority {
        Low = "low",
        Normal = "normal",
        Urgent = "urgent",
    }
    ConditionName {
        Content = "content",
        Quiet = "quiet",
        NoWriters = "no_writers",
        Unfinished = "unfinished",
        Marker = "marker",
        Manifest = "manifest",
        Checksums = "checksums",
        NewContent = "new_content",
        Start = "start",
    }
    QueueKind {
        Direct = "direct",
        Pueue = "pueue",
    }
    ClaimedBy {
        Job = "job",
        Daemon = "daemon",
    }
    EndingWhy {
        Cancel = "cancel",
        Limit = "limit",
        LeftOvers = "left_overs",
    }
    Force {
        Terminate = "terminate",
        KillChildren = "kill_children",
        KillAll = "kill_all",
    }
    EndHow {
        Recorded = "recorded",
        Observed = "observed",
        NeverRan = "never_ran",
        Superseded = "superseded",
        Abandoned = "abandoned",
    }
    AttemptResult {
        Succeeded = "succeeded",
        Failed = "failed",
        Cancelled = "cancelled",
        Lost = "lost",
        Superseded = "superseded",
    }
    HoldWhy {
        Asked = "asked",
        Baseline = "baseline",
        Trouble = "trouble",
        Lost = "lost",
        Unconfirmed = "unconfirmed",
        Impossible = "impossible",
        Removed = "removed",
        Panic = "panic",
        Adopted = "adopted",
    }
    StepName {
        Scan = "scan",
        Hash = "hash",
        Manifest = "manifest",
        Ship = "ship",
        Submit = "submit",
        Look = "look",
        Claim = "claim",
        End = "end",
        Stop = "stop",
        Return = "return",
    }
    RejectedBy {
        Folder = "folder",
        Entry = "entry",
        Demand = "demand",
    }
    AfterClaim {
        NewAttempt = "new_attempt",
        Hold = "hold",
        Retry = "retry",
    }
    FaultClass {
        TransientHost = "transient_host",
        TransientStep = "transient_step",
        NoSpace = "no_space",
        Throttled = "throttled",
        Ambiguous = "ambiguous",
        FatalHost = "fatal_host",
        FatalCase = "fatal_case",
        NeedsPerson = "needs_person",
    }
    SlotState {
        Free = "free",
        Reserved = "reserved",
        Quarantined = "quarantined",
    }
    FailureWord {
        Exit = "exit",
        Missing = "missing",
        Limit = "limit",
    }
    StoppingWord {
        Due = "due",
        Done = "done",
        Waived = "waived",
    }
    TenureWord {
        None = "none",
        Reserved = "reserved",
        Quarantined = "quarantined",
    }
}

impl Word for StateName {
    fn word(self) -> &'static str {
        self.as_str()
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Which kind of failure a failed case's columns tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureWord {
    Exit,
    Missing,
    Limit,
}

/// How far the `stop` of an attempt's pipeline is, by its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoppingWord {
    Due,
    Done,
    Waived,
}

/// Which kind of tenure an attempt's columns tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TenureWord {
    None,
    Reserved,
    Quarantined,
}
