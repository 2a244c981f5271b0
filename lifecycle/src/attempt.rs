//! Owns what one try at running a case is: where it runs, what it holds, how it ended.
//! It holds no rules; `record` is the only place that changes an [`Attempt`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{Actor, AttemptId, ByteCount, HeadnodeName, Slot, TaskId};
use crate::outcome::AfterClaim;

/// One try at running a case. What is None has not happened yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: AttemptId,
    /// Counted from 1 within the case.
    pub number: u32,
    pub place: Place,
    pub tenure: Tenure,
    pub made_at: Timestamp,
    /// The intent to submit is durable since.
    pub intent_at: Option<Timestamp>,
    /// A submission was answered with success.
    pub submitted_at: Option<Timestamp>,
    /// First seen in the queue's own list. Once set it is never added again.
    pub queued_at: Option<Timestamp>,
    pub task_id: Option<TaskId>,
    pub claimed_by: Option<ClaimedBy>,
    /// From the job's own claim.
    pub started_at: Option<Timestamp>,
    /// Good readings that found neither a process nor an end record.
    pub silence: Option<Silence>,
    /// How far the pipeline's `stop` is. None: it is not due.
    pub stopping: Option<Stopping>,
    /// The claim is to be taken, and this follows once it is ours.
    pub giving_up: Option<AfterClaim>,
    pub ending: Option<Ending>,
    pub end: Option<End>,
    pub result: Option<AttemptResult>,
    pub error: Option<String>,
    pub stored: Option<Stored>,
    /// Its data was removed from the headnode.
    #[serde(default)]
    pub cleaned_at: Option<Timestamp>,
}

/// Where an attempt runs and as what: fixed when the attempt is made, so that a
/// changed configuration never re-points one that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub headnode: HeadnodeName,
    pub queue: QueueKind,
    /// The work_dir of the headnode.
    pub work_dir: String,
    /// The case's directory, where the command runs.
    pub remote_dir: String,
    pub attempt_dir: String,
    pub owner: String,
    pub command: String,
    /// Ends what the job leaves elsewhere, after an abnormal end.
    #[serde(default)]
    pub stop: Option<String>,
    /// What `case.yaml` gives the job in its environment, by name.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    pub config_hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    Direct,
    Pueue,
}

/// An attempt's hold on slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "tenure")]
pub enum Tenure {
    None,
    Reserved {
        slots: Vec<Slot>,
        since: Timestamp,
    },
    /// The end could not be confirmed; the slots are given to nobody.
    Quarantined {
        slots: Vec<Slot>,
        since: Timestamp,
        because: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedBy {
    Job,
    Daemon,
}

/// Readings that saw a claimed job with neither process nor complete end record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub first: Timestamp,
    pub last: Timestamp,
    /// The machine has been started anew since the claim.
    pub rebooted: bool,
    /// A half-written end record lies there.
    pub partial: bool,
}

/// How far the pipeline's `stop` is, which an abnormal end asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stopping")]
pub enum Stopping {
    /// Nothing of the attempt lives on its headnode any more: it is to be run.
    Due { since: Timestamp },
    /// It has ended with exit code 0.
    Done { since: Timestamp },
    /// A person said that nothing of the attempt is left.
    Waived { since: Timestamp },
}

/// Somebody or some rule wants the attempt's processes to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    pub why: EndingWhy,
    pub asked_at: Timestamp,
    pub by: Actor,
    pub reason: Option<String>,
    /// The strongest signal sent so far and when it was first sent.
    pub sent: Option<(Force, Timestamp)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndingWhy {
    Cancel,
    Limit,
    /// The job has ended and processes of it are still there.
    LeftOvers,
}

/// How hard processes are asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// SIGTERM to all.
    Terminate,
    /// SIGKILL to all but job.sh, which then writes the end record.
    KillChildren,
    /// SIGKILL to all.
    KillAll,
}

/// How an attempt ended, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// By the job's own record, else when the end was observed.
    pub at: Timestamp,
    /// None: it ended without a record, or by a signal.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub how: EndHow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndHow {
    /// By the record that job.sh wrote.
    Recorded,
    /// Neither process nor record for `lost_after`.
    Observed,
    /// The claim is ours: its command can never run.
    NeverRan,
    /// Given up before anything was handed over.
    Superseded,
    /// A person said that it is dead.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    Succeeded,
    Failed,
    Cancelled,
    Lost,
    Superseded,
}

/// Where the results of an attempt are, verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Directory on this machine; None: nothing was to be fetched, they stay on the headnode.
    pub to: Option<String>,
    pub files: u64,
    pub bytes: ByteCount,
    /// Where the intake folder was moved to, if it was.
    pub moved_to: Option<String>,
    /// The last lines of the job's output; empty where it printed nothing.
    pub log_tail: String,
    /// Patterns of `expect` for which nothing (or only empty or old files) was there.
    pub missing: Vec<String>,
}

impl Attempt {
    /// Whether its command ran to a good end: whatever was done to what it left behind.
    pub fn ran_well(&self, end: &End) -> bool {
        let over_limit = self.ending.as_ref().is_some_and(|ending| ending.why == EndingWhy::Limit);
        end.code == Some(0) && !over_limit
    }

    /// Whether it ended in a way in which a pipeline cannot tidy up after itself: by a
    /// signal, by us, or without a word. Not where its command never ran, nor where a
    /// person has said that it is dead.
    pub fn ended_abnormally(&self) -> bool {
        let Some(end) = &self.end else { return false };
        let by_us = self.ending.as_ref().is_some_and(|ending| match ending.why {
            EndingWhy::Cancel | EndingWhy::Limit => ending.sent.is_some(),
            EndingWhy::LeftOvers => false,
        });
        match end.how {
            EndHow::Recorded => end.signal.is_some() || by_us,
            EndHow::Observed => true,
            EndHow::NeverRan | EndHow::Superseded | EndHow::Abandoned => false,
        }
    }

    /// Whether its end is not confirmed because its pipeline's `stop` has not ended with
    /// 0 yet. Till then its slots are given to nobody.
    pub fn awaits_stop(&self) -> bool {
        let settled = match self.stopping {
            Some(Stopping::Done { .. } | Stopping::Waived { .. }) => true,
            Some(Stopping::Due { .. }) | None => false,
        };
        self.place.stop.is_some() && !settled && self.ended_abnormally()
    }
}

impl Tenure {
    pub fn slots(&self) -> &[Slot] {
        match self {
            Tenure::None => &[],
            Tenure::Reserved { slots, .. } | Tenure::Quarantined { slots, .. } => slots,
        }
    }

    pub fn is_quarantined(&self) -> bool {
        matches!(self, Tenure::Quarantined { .. })
    }
}
