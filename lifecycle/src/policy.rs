//! Owns what the configuration says about one case, and what its surroundings are
//! like, in the form in which `plan` and `schedule` ask for it.

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::ids::{Actor, GroupName, HeadnodeName, IntakeName, Slot};
use crate::queue::Drift;
use crate::settle::MarkerMissing;

/// The configuration, as far as it decides about one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The case's intake is in the configuration.
    pub intake_is_configured: bool,
    /// The headnode of its attempt, or of the next one, is in the configuration.
    pub headnode_is_configured: bool,
    /// For the instants in sentences.
    pub time_zone: TimeZone,
    pub retry: Retry,
    /// How long a claimed job may show neither process nor record.
    pub lost_after: SignedDuration,
    pub limits: Limits,
    pub on_lost: OnLost,
    /// How long processes get after SIGTERM, and again after the first SIGKILL.
    pub grace: SignedDuration,
    /// How often a folder is looked at when nothing tells of a change.
    pub rescan: SignedDuration,
    /// A queued or handed-over job that shows no sign of life is told after this.
    pub starting_alert: SignedDuration,
    pub marker_missing: MarkerMissing,
    pub groups: Vec<GroupSlots>,
    /// When cases may be copied to the headnode. None: always.
    pub transfer_hours: Option<TransferHours>,
}

/// The slots of one group of the case's headnode, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSlots {
    pub group: GroupName,
    pub slots: u32,
    pub gpus: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    pub first: SignedDuration,
    pub most: SignedDuration,
    pub give_up_after: SignedDuration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub run: Option<SignedDuration>,
    pub queue: Option<SignedDuration>,
    pub on_limit: OnLimit,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    #[default]
    Tell,
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnLost {
    pub rebooted: LostAnswer,
    pub unknown: LostAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostAnswer {
    Rerun,
    Hold,
}

/// What surrounds a case at the moment of planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    pub stopped: Option<Pause>,
    pub intake: IntakeCondition,
    pub headnode: HeadnodeCondition,
    /// The state of the case's trouble-free slots: what it competes with.
    pub slots: Vec<SlotView>,
}

/// Somebody stopped something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub by: Option<Actor>,
    pub since: Timestamp,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeCondition {
    pub name: IntakeName,
    pub unreadable: Option<Unreadable>,
    pub paused: Option<Pause>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub since: Timestamp,
    pub because: String,
    pub next_look: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadnodeCondition {
    pub name: HeadnodeName,
    pub state: HeadnodeState,
    pub paused: Option<Pause>,
    /// What runs there ends as ever, and nothing new starts.
    pub draining: bool,
    /// How the groups of its queue differ from the configuration.
    pub drift: Vec<Drift>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadnodeState {
    Ok,
    /// It is tried again by itself.
    Unreachable {
        part: Part,
        since: Timestamp,
        because: String,
        next_try: Timestamp,
        /// It does not answer until somebody has done something.
        needs_person: bool,
    },
    /// Only a person releases it: `resume --headnode`, or `adopt`.
    Broken {
        part: Part,
        since: Timestamp,
        because: String,
    },
}

/// What of a headnode is in trouble. While it is the queue alone, attempt directories
/// are read as ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Host,
    Queue,
}

/// From one time of the day to another, perhaps past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferHours {
    pub from: Time,
    pub to: Time,
}

/// Whether something that has its hours may be done now, and when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    OpenUntil(Timestamp),
    ClosedUntil(Timestamp),
}

impl TransferHours {
    /// An hour that a change of the clocks leaves out begins when it would have.
    pub fn at(self, now: Timestamp, zone: &TimeZone) -> Hours {
        let local = now.to_zoned(zone.clone());
        let time = local.time();
        let open = if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        };
        let turn = if open { self.to } else { self.from };
        let mut day = local.date();
        if turn <= time {
            day = day.tomorrow().unwrap_or(day);
        }
        let turn = day.at(turn.hour(), turn.minute(), 0, 0);
        let at = turn.to_zoned(zone.clone()).map_or(now, |zoned| zoned.timestamp());
        if open { Hours::OpenUntil(at) } else { Hours::ClosedUntil(at) }
    }
}

/// One slot as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    pub slot: Slot,
    pub state: SlotState,
    /// Removed from the configuration while taken: given to nobody any more.
    pub draining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    Free,
    Reserved,
    Quarantined,
}
