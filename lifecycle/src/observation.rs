//! Owns what can be seen: every fact that may change a case. An observation carries
//! all that `record` needs, so that replaying the journal gives the same case
//! whatever the configuration has become. Its JSON is the journal's `detail`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attempt::{AttemptResult, ClaimedBy, End, EndingWhy, Force, Place, Stored};
use crate::case::{
    CaseKind, Compared, Condition, Content, HoldWhy, LastChange, Order, Prior, Priority, StepName,
};
use crate::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity,
    IntakeName, Slot, TaskId,
};
use crate::outcome::{Fault, Look};

/// One fact, when it was seen, and who brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(flatten)]
    pub what: Observation,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Observation {
    Appeared(Box<Appeared>),
    Scanned(Box<Scanned>),
    /// A name seen before: the digest of what is there now.
    Hashed {
        fingerprint: Fingerprint,
        digest: Digest,
    },
    /// Its manifest was compared with the files that it names.
    Compared(Compared),
    /// The folder is no longer in its readable intake.
    Vanished,
    /// The folder of a finished case was put there again with the same content.
    CameBack {
        folder: Option<FolderIdentity>,
        fingerprint: Fingerprint,
    },
    Granted {
        attempt: AttemptSeed,
        slots: Vec<Slot>,
    },
    /// Ships without a slot, so that no slot idles during the transfer.
    SentAhead {
        attempt: AttemptSeed,
    },
    /// A staged case has got its slots.
    Placed {
        attempt: AttemptId,
        slots: Vec<Slot>,
    },
    Shipped {
        attempt: AttemptId,
        files: u64,
        bytes: ByteCount,
        digest: Option<Digest>,
    },
    StepFailed {
        attempt: Option<AttemptId>,
        step: StepName,
        fault: Fault,
    },
    Submitted {
        attempt: AttemptId,
        task: Option<TaskId>,
    },
    Looked {
        attempt: AttemptId,
        look: Look,
        /// None: nobody looked at the queue as a whole.
        queue_wiped: Option<bool>,
        /// When it was begun, where others may have acted meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begun: Option<Timestamp>,
    },
    /// We tried to take the claim; this is whose it is.
    Claimed {
        attempt: AttemptId,
        by: ClaimedBy,
    },
    Signalled {
        attempt: AttemptId,
        force: Force,
    },
    /// The pipeline's `stop` has ended with exit code 0.
    Stopped {
        attempt: AttemptId,
    },
    Returned {
        attempt: AttemptId,
        stored: Stored,
    },
    /// An attempt that was found on a headnode without a record of it here.
    Adopted(Box<Adopted>),
    /// The data of these attempts was removed from the headnode.
    Cleaned {
        attempts: Vec<AttemptId>,
        bytes: ByteCount,
        reason: Option<String>,
    },
    Asked(Request),
    Decided(Decision),
    /// Our own code failed on this case.
    Panicked {
        text: String,
    },
    /// Its headnode, or the queue there, answers again.
    ContactRegained,
    /// The wall clock was set: how long something has lasted by it is not known any more.
    ClockStepped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appeared {
    pub case: CaseId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub arrival: Arrival,
    pub path: String,
    pub kind_of_case: CaseKind,
    pub order: Order,
    pub folder: Option<FolderIdentity>,
    pub prior: Option<Prior>,
    /// There before the first start and untouched for long: held with this reason.
    pub baseline: Option<String>,
    /// Why what lies there cannot be a case at all.
    pub problem: Option<String>,
}

/// A scan, already judged by `settle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    pub files: u64,
    pub bytes: ByteCount,
    pub fingerprint: Fingerprint,
    pub last_change: LastChange,
    /// When the conditions may hold by the mere passing of time, if so.
    pub settles_at: Option<Timestamp>,
    pub conditions: Vec<Condition>,
    pub problems: Vec<String>,
    /// The policy for a marker that never came says to refuse the case.
    pub refused: Option<String>,
    pub folder: Option<FolderIdentity>,
    /// Among the problems are those of a manifest that cannot be read as one or does not
    /// agree with its files.
    #[serde(default)]
    pub refuted: bool,
    /// What it asks for by the files that it has now.
    #[serde(default)]
    pub order: Option<Box<Order>>,
}

/// What an attempt is made of; its number follows from the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSeed {
    pub id: AttemptId,
    pub place: Place,
}

/// What was found of an attempt, and of its case where that is not known either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// The id of the case, if it has none here yet.
    pub case: CaseId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub arrival: Arrival,
    pub path: String,
    pub kind_of_case: CaseKind,
    pub order: Order,
    pub folder: Option<FolderIdentity>,
    /// As it was handed over.
    pub content: Content,
    pub attempt: AttemptSeed,
    pub number: u32,
    pub made_at: Timestamp,
    /// What is known of it beside its id, one clause.
    pub reason: String,
    pub role: AdoptedRole,
}

/// What an adopted attempt is to its case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum AdoptedRole {
    /// The newest: observed from now on.
    Newest {
        /// Those it was given, where nobody has them here.
        slots: Vec<Slot>,
        /// Something of it is in the queue, runs or has run.
        handed_over: bool,
        /// How the attempt that is known here has ended, by what was just read of it: one
        /// with a higher number is made only then.
        former: Option<End>,
    },
    /// A newer one of its case was found with it.
    Earlier { end: End },
    /// Its data was removed, and only the tombstone is left.
    Cleaned {
        at: Timestamp,
        end: Option<End>,
        result: Option<AttemptResult>,
        stored: Option<Stored>,
    },
}

/// What a person asks of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub verb: Verb,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verb")]
pub enum Verb {
    Accept,
    Hold,
    Resume,
    Retry,
    Rerun { abandon: bool },
    Cancel { abandon: bool },
    ConfirmDead,
    SetPriority { priority: Priority },
    Note,
}

/// What the policy says must happen now; `plan` decides it, `record` does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    Hold {
        why: HoldWhy,
        reason: String,
    },
    /// No group can ever meet what the case asks for.
    Reject {
        problem: String,
    },
    /// What it was rejected for is there by now.
    Reconsider,
    /// End the attempt's processes.
    End {
        why: EndingWhy,
    },
    /// The silence has lasted: the attempt has ended, its code is unknown.
    EndObserved,
    /// Start again as a new attempt.
    Rerun,
}
