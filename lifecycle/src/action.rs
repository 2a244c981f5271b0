//! Owns what can be done for a case. An action is derived from the state each time
//! anew, never handed out by a transition, so what a crash loses comes back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attempt::Force;
use crate::case::StepName;
use crate::ids::{AttemptId, GroupName, HeadnodeName};
use crate::observation::Decision;

/// What to do for a case, when to ask again, and why it is where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    pub wake: Wake,
    /// One sentence, without durations, ranks and rates.
    pub because: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    Scan,
    Hash,
    /// Compare its manifest with the files that it names.
    Compare,
    Ship {
        attempt: AttemptId,
    },
    Submit {
        attempt: AttemptId,
    },
    TakeClaim {
        attempt: AttemptId,
    },
    /// End every process that carries the attempt's id or holds its lock.
    EndProcesses {
        attempt: AttemptId,
        force: Force,
    },
    /// Run the pipeline's `stop`.
    Stop {
        attempt: AttemptId,
    },
    /// Fetch results, keep the log, move the folder: one step, done as a whole or again.
    Return {
        attempt: AttemptId,
    },
    /// Record what the policy says.
    Decide {
        decision: Decision,
    },
}

impl Action {
    /// The step whose tries and troubles this action's are. None: it cannot fail.
    pub fn step(&self) -> Option<StepName> {
        match self {
            Action::Scan => Some(StepName::Scan),
            Action::Hash => Some(StepName::Hash),
            Action::Compare => Some(StepName::Manifest),
            Action::Ship { .. } => Some(StepName::Ship),
            Action::Submit { .. } => Some(StepName::Submit),
            Action::TakeClaim { .. } => Some(StepName::Claim),
            Action::EndProcesses { .. } => Some(StepName::End),
            Action::Stop { .. } => Some(StepName::Stop),
            Action::Return { .. } => Some(StepName::Return),
            Action::Decide { .. } => None,
        }
    }
}

/// When a case is to be planned again. Only `At` is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    At(Timestamp),
    /// When its headnode has been read.
    Poll(HeadnodeName),
    /// When a slot becomes free. None: of any group.
    Slot(Option<GroupName>),
    Person,
    /// Terminal.
    Never,
}
