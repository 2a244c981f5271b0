//! Owns what a case is: its data and the states it can be in. It holds no rules;
//! `record` is the only place that changes a [`State`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, End, Stored};
use crate::ids::{
    Actor, Arrival, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity, GroupName,
    HeadnodeName, IntakeName, PipelineName,
};
use crate::outcome::FaultClass;
use crate::workset_run::WorksetRun;

/// One folder of work, with everything that decides what happens to it next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub id: CaseId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub arrival: Arrival,
    /// Where the folder is on this machine.
    pub path: String,
    pub kind: CaseKind,
    pub order: Order,
    pub folder: Option<FolderIdentity>,
    pub content: Content,
    /// The content under which this name was last here. Equal content is not run again.
    pub prior: Option<Prior>,
    pub conditions: Vec<Condition>,
    pub last_change: Option<LastChange>,
    /// What its manifest was last compared with.
    pub compared: Option<Compared>,
    /// When the conditions may hold by the mere passing of time. None: a scan is due,
    /// or only a change can make them hold.
    pub settles_at: Option<Timestamp>,
    pub state: State,
    /// Attempts that are over, oldest first; the one under way is in `state`.
    pub past: Vec<Attempt>,
    pub hold: Option<Hold>,
    pub troubles: Troubles,
    /// What a person said to start without, once: `accept`.
    pub accepted: Option<Word>,
    pub changed: Option<Changed>,
    /// Since when the folder is no longer in the intake, for a case past `ready`.
    pub vanished_at: Option<Timestamp>,
    pub first_seen: Timestamp,
    pub ready_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    /// Raised by every recorded observation that changed something.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    Folder,
}

/// What a case asks for: by the intake, by the rule that its files match, by its own
/// `case.yaml`, each before the one named first. Fixed when an attempt is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub pipeline: PipelineName,
    pub priority: Priority,
    pub headnode: HeadnodeName,
    /// None: any group of the headnode.
    pub group: Option<GroupName>,
    /// How many GPUs. 0: one slot of whatever kind.
    pub gpus: u32,
    /// For the environment of its job, by name.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Who is to be told of this case besides all others.
    #[serde(default)]
    pub notify: Vec<String>,
    /// Which rule it matches, and by which file, as a clause.
    #[serde(default)]
    pub rule: Option<String>,
    /// The person who has set the priority: it stays, whatever else is asked for.
    #[serde(default)]
    pub priority_by: Option<Actor>,
    /// How its pipeline is run, where it is a workset; None: as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workset: Option<Box<WorksetRun>>,
}

#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    Urgent,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub files: u64,
    pub bytes: ByteCount,
    pub fingerprint: Option<Fingerprint>,
    pub digest: Option<Digest>,
}

/// A manifest that was compared with the files that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    pub manifest: String,
    /// Of the tree that was read: of another one it says nothing.
    pub fingerprint: Fingerprint,
    /// Which files are not what it says. Empty: all are.
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prior {
    pub case: CaseId,
    /// None: it was never hashed, so the content cannot be told to be the same.
    pub digest: Option<Digest>,
}

/// One thing that must hold before a case is complete, and since when it does or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub name: ConditionName,
    pub holds: bool,
    /// What was seen, one clause for people.
    pub detail: String,
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionName {
    /// At least one file is there.
    Content,
    /// Nothing changed for the quiet period.
    Quiet,
    /// No process holds a file open for writing.
    NoWriters,
    /// No file with a half-written name is there.
    Unfinished,
    /// The marker file is there.
    Marker,
    /// The manifest is there, with every file that it names.
    Manifest,
    /// Those files have the checksums that the manifest gives for them.
    Checksums,
    /// A name seen before has content not seen before.
    NewContent,
    /// Intake with `start: manual`: a person said `accept`.
    Start,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// Relative to the case's folder; empty for the folder itself.
    pub path: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    Arriving,
    Ready,
    Shipping {
        attempt: Box<Attempt>,
    },
    Staged {
        attempt: Box<Attempt>,
    },
    Submitting {
        attempt: Box<Attempt>,
    },
    Queued {
        attempt: Box<Attempt>,
    },
    Running {
        attempt: Box<Attempt>,
    },
    Returning {
        attempt: Box<Attempt>,
        end: End,
    },
    Succeeded {
        attempt: Box<Attempt>,
        end: End,
        stored: Stored,
    },
    Failed {
        attempt: Box<Attempt>,
        failure: Failure,
    },
    /// Without an attempt when it was cancelled before one was made.
    Cancelled {
        attempt: Option<Box<Attempt>>,
    },
    Cancelling {
        attempt: Box<Attempt>,
    },
    Rejected {
        by: RejectedBy,
        problems: Vec<String>,
    },
}

/// What found a case to be invalid, and so what may change that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectedBy {
    /// A look at the folder.
    Folder,
    /// What lies in the intake under its name cannot be a case at all.
    Entry,
    /// It asks for what no group of its headnode has.
    Demand,
}

/// The state without its data: what is stored, listed and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    Arriving,
    Ready,
    Shipping,
    Staged,
    Submitting,
    Queued,
    Running,
    Returning,
    Succeeded,
    Failed,
    Cancelled,
    Cancelling,
    Rejected,
}

/// Why a case failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "failure")]
pub enum Failure {
    /// The pipeline ended with another exit code than 0.
    Exit { end: End },
    /// Exit code 0, but expected outputs are missing.
    Missing { end: End, patterns: Vec<String> },
    /// Ended because it exceeded its limit.
    Limit { end: End },
}

/// A case waits for a person. Actions stop, observation goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub why: HoldWhy,
    pub reason: String,
    pub since: Timestamp,
    pub by: Actor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldWhy {
    /// A person said `hold`.
    Asked,
    /// There before the first start.
    Baseline,
    /// A step failed for longer than `retry.for`, or for good.
    Trouble,
    /// Started, and left neither an end record nor a process.
    Lost,
    /// An end that cannot be confirmed.
    Unconfirmed,
    /// What was read contradicts itself.
    Impossible,
    /// Removed from the queue by hand.
    Removed,
    /// Our own code failed on this case.
    Panic,
    /// Found without a row of ours.
    Adopted,
}

/// The steps that do not succeed at present: steps of one case are tried beside each
/// other, so each has its own trouble and its own clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles(BTreeMap<StepName, Trouble>);

impl Troubles {
    pub fn of(&self, step: StepName) -> Option<&Trouble> {
        self.0.get(&step)
    }

    /// The one to be told: what was tried last.
    pub fn latest(&self) -> Option<&Trouble> {
        self.0.values().max_by_key(|trouble| trouble.last_at)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Trouble> {
        self.0.values()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn of_mut(&mut self, step: StepName) -> Option<&mut Trouble> {
        self.0.get_mut(&step)
    }

    pub(crate) fn put(&mut self, trouble: Trouble) {
        self.0.insert(trouble.step, trouble);
    }

    pub(crate) fn over(&mut self, step: StepName) {
        self.0.remove(&step);
    }

    pub(crate) fn keep(&mut self, wanted: impl Fn(&Trouble) -> bool) {
        self.0.retain(|_, trouble| wanted(trouble));
    }
}

impl FromIterator<Trouble> for Troubles {
    fn from_iter<T: IntoIterator<Item = Trouble>>(troubles: T) -> Self {
        Self(troubles.into_iter().map(|trouble| (trouble.step, trouble)).collect())
    }
}

/// A step that does not succeed at present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub step: StepName,
    pub class: FaultClass,
    pub text: String,
    pub tries: u32,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    Scan,
    Hash,
    /// Comparing a manifest with the files that it names.
    Manifest,
    Ship,
    Submit,
    Look,
    Claim,
    End,
    Stop,
    Return,
}

/// A person's word, with who and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub at: Timestamp,
    pub by: Actor,
    pub reason: Option<String>,
}

/// The folder changed after its content was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub since: Timestamp,
    pub path: String,
}

impl State {
    pub fn name(&self) -> StateName {
        match self {
            State::Arriving => StateName::Arriving,
            State::Ready => StateName::Ready,
            State::Shipping { .. } => StateName::Shipping,
            State::Staged { .. } => StateName::Staged,
            State::Submitting { .. } => StateName::Submitting,
            State::Queued { .. } => StateName::Queued,
            State::Running { .. } => StateName::Running,
            State::Returning { .. } => StateName::Returning,
            State::Succeeded { .. } => StateName::Succeeded,
            State::Failed { .. } => StateName::Failed,
            State::Cancelled { .. } => StateName::Cancelled,
            State::Cancelling { .. } => StateName::Cancelling,
            State::Rejected { .. } => StateName::Rejected,
        }
    }

    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            State::Arriving | State::Ready | State::Rejected { .. } => None,
            State::Shipping { attempt }
            | State::Staged { attempt }
            | State::Submitting { attempt }
            | State::Queued { attempt }
            | State::Running { attempt }
            | State::Returning { attempt, .. }
            | State::Succeeded { attempt, .. }
            | State::Failed { attempt, .. }
            | State::Cancelling { attempt } => Some(attempt),
            State::Cancelled { attempt } => attempt.as_deref(),
        }
    }

    pub fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match self {
            State::Arriving | State::Ready | State::Rejected { .. } => None,
            State::Shipping { attempt }
            | State::Staged { attempt }
            | State::Submitting { attempt }
            | State::Queued { attempt }
            | State::Running { attempt }
            | State::Returning { attempt, .. }
            | State::Succeeded { attempt, .. }
            | State::Failed { attempt, .. }
            | State::Cancelling { attempt } => Some(attempt),
            State::Cancelled { attempt } => attempt.as_deref_mut(),
        }
    }

    pub fn into_attempt(self) -> Option<Box<Attempt>> {
        match self {
            State::Arriving | State::Ready | State::Rejected { .. } => None,
            State::Shipping { attempt }
            | State::Staged { attempt }
            | State::Submitting { attempt }
            | State::Queued { attempt }
            | State::Running { attempt }
            | State::Returning { attempt, .. }
            | State::Succeeded { attempt, .. }
            | State::Failed { attempt, .. }
            | State::Cancelling { attempt } => Some(attempt),
            State::Cancelled { attempt } => attempt,
        }
    }
}

impl StateName {
    pub const ALL: [StateName; 13] = [
        StateName::Arriving,
        StateName::Ready,
        StateName::Shipping,
        StateName::Staged,
        StateName::Submitting,
        StateName::Queued,
        StateName::Running,
        StateName::Returning,
        StateName::Succeeded,
        StateName::Failed,
        StateName::Cancelled,
        StateName::Cancelling,
        StateName::Rejected,
    ];

    /// As stored, listed and given on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            StateName::Arriving => "arriving",
            StateName::Ready => "ready",
            StateName::Shipping => "shipping",
            StateName::Staged => "staged",
            StateName::Submitting => "submitting",
            StateName::Queued => "queued",
            StateName::Running => "running",
            StateName::Returning => "returning",
            StateName::Succeeded => "succeeded",
            StateName::Failed => "failed",
            StateName::Cancelled => "cancelled",
            StateName::Cancelling => "cancelling",
            StateName::Rejected => "rejected",
        }
    }

    /// For people.
    pub fn in_plain_words(self) -> &'static str {
        match self {
            StateName::Arriving => "still arriving",
            StateName::Ready => "waiting for a place",
            StateName::Shipping => "copying",
            StateName::Staged => "copied, waiting",
            StateName::Submitting => "handing over",
            StateName::Queued => "in the queue",
            StateName::Running => "running",
            StateName::Returning => "fetching results",
            StateName::Succeeded => "succeeded",
            StateName::Failed => "failed",
            StateName::Cancelled => "cancelled",
            StateName::Cancelling => "being cancelled",
            StateName::Rejected => "needs correction",
        }
    }

    pub fn is_terminal(self) -> bool {
        match self {
            StateName::Succeeded | StateName::Failed | StateName::Cancelled => true,
            StateName::Arriving
            | StateName::Ready
            | StateName::Shipping
            | StateName::Staged
            | StateName::Submitting
            | StateName::Queued
            | StateName::Running
            | StateName::Returning
            | StateName::Cancelling
            | StateName::Rejected => false,
        }
    }

    /// Whether the content may still change: its job has not been handed over.
    pub fn is_before_submitting(self) -> bool {
        match self {
            StateName::Arriving
            | StateName::Ready
            | StateName::Shipping
            | StateName::Staged
            | StateName::Rejected => true,
            StateName::Submitting
            | StateName::Queued
            | StateName::Running
            | StateName::Returning
            | StateName::Cancelling
            | StateName::Succeeded
            | StateName::Failed
            | StateName::Cancelled => false,
        }
    }
}

impl std::fmt::Display for StateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Case {
    /// The attempt under way, or the one that ended the case.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.state.attempt()
    }

    /// Every attempt, oldest first.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.past.iter().chain(self.attempt())
    }

    pub fn condition(&self, name: ConditionName) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.name == name)
    }

    /// Whether a file of the folder as it is now is not what its list of checksums says.
    pub fn is_refuted(&self) -> bool {
        let now = self.content.fingerprint.as_ref();
        self.compared.as_ref().is_some_and(|compared| {
            !compared.problems.is_empty() && now == Some(&compared.fingerprint)
        })
    }
}

impl ConditionName {
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionName::Content => "content",
            ConditionName::Quiet => "quiet",
            ConditionName::NoWriters => "no_writers",
            ConditionName::Unfinished => "unfinished",
            ConditionName::Marker => "marker",
            ConditionName::Manifest => "manifest",
            ConditionName::Checksums => "checksums",
            ConditionName::NewContent => "new_content",
            ConditionName::Start => "start",
        }
    }
}
