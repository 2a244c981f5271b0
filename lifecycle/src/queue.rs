//! Owns what is concluded from a queue as a whole: whether it was emptied, how its
//! groups differ from the configuration, and which of them it paused itself. What one
//! entry means for its attempt is `outcome`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::ids::{AttemptId, GroupName};
use crate::policy::GroupSlots;

/// What a queue was like when it last answered. Stored, so that a restart of ours does
/// not hide what changed meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSeen {
    /// Which run of the queue's daemon answered.
    pub instance: Option<String>,
    /// Of anybody.
    pub entries: u64,
    /// Of those, with a label of ours.
    pub ours: u64,
    /// Attempts that had been in the list and were not.
    pub gone: Vec<AttemptId>,
    /// When it was last found emptied.
    pub emptied_at: Option<Timestamp>,
    /// None: the queue has no groups.
    pub groups: Option<BTreeMap<GroupName, GroupSeen>>,
    pub drift: Vec<Drift>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSeen {
    pub paused: bool,
    /// How many entries it runs at a time. 0: as many as there are.
    pub places: u32,
}

/// How one group of the queue differs from the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    pub group: GroupName,
    pub since: Timestamp,
    #[serde(flatten)]
    pub differs: Differs,
    /// How a person calls the queue's client there, where not as `pueue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "differs")]
pub enum Differs {
    Missing { wanted: u32 },
    Paused,
    Places { there: u32, wanted: u32 },
}

/// Attempts that a good look did not find, of those that were in the list before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Not ended, and in the list when it was last seen.
    pub known: usize,
    /// Of those, not in the list now.
    pub missing: usize,
}

/// Whether the queue was emptied. Else whoever is missing was removed by hand, and a
/// person is asked before it runs.
///
/// Emptied it was where all of several are gone at once, or where nobody's entry is
/// left although others had some, or although another run of its daemon answers.
pub fn is_wiped(before: &QueueSeen, now: &QueueSeen, of: Missing) -> bool {
    if of.missing == 0 || of.missing < of.known {
        return false;
    }
    let others = before.entries > before.ours;
    of.known > 1 || (now.entries == 0 && (others || is_another_run(before, now) == Some(true)))
}

impl QueueSeen {
    /// Whether an entry that is gone went with all others, also where only a later look
    /// than that which found it emptied could tell of this one.
    pub fn was_emptied_of(&self, attempt: &Attempt) -> bool {
        attempt.queued_at.zip(self.emptied_at).is_some_and(|(queued, emptied)| queued <= emptied)
    }
}

/// None: the queue does not tell its runs apart.
fn is_another_run(before: &QueueSeen, now: &QueueSeen) -> Option<bool> {
    Some(before.instance.as_ref()? != now.instance.as_ref()?)
}

/// The groups that the queue does not have, each with its places.
pub fn missing_groups(wanted: &[GroupSlots], now: &QueueSeen) -> Vec<(GroupName, u32)> {
    let Some(groups) = &now.groups else { return Vec::new() };
    let missing = wanted.iter().filter(|group| !groups.contains_key(&group.group));
    missing.map(|group| (group.group.clone(), group.slots)).collect()
}

/// The groups that the queue paused itself when it was started anew: they ran before
/// and are paused now. `was_silent` says that it did not answer in between, which counts
/// where it does not tell its runs apart. A person's pause is none of these.
pub fn paused_by_restart(
    wanted: &[GroupSlots],
    before: &QueueSeen,
    now: &QueueSeen,
    was_silent: bool,
) -> Vec<GroupName> {
    let (Some(then), Some(groups)) = (&before.groups, &now.groups) else { return Vec::new() };
    if !is_another_run(before, now).unwrap_or(was_silent) {
        return Vec::new();
    }
    let is_paused = |of: &BTreeMap<GroupName, GroupSeen>, group: &GroupName| {
        of.get(group).map(|group| group.paused)
    };
    let paused = wanted.iter().map(|group| &group.group).filter(|group| {
        is_paused(then, group) == Some(false) && is_paused(groups, group) == Some(true)
    });
    paused.cloned().collect()
}

/// How the groups differ from the configuration, each since it was first seen so.
pub fn drift(
    wanted: &[GroupSlots],
    before: &[Drift],
    groups: Option<&BTreeMap<GroupName, GroupSeen>>,
    now: Timestamp,
) -> Vec<Drift> {
    let Some(groups) = groups else { return Vec::new() };
    let differs = |group: &GroupSlots| match groups.get(&group.group) {
        None => Some(Differs::Missing { wanted: group.slots }),
        Some(seen) if seen.paused => Some(Differs::Paused),
        Some(seen) if seen.places != group.slots => {
            Some(Differs::Places { there: seen.places, wanted: group.slots })
        }
        Some(_) => None,
    };
    wanted
        .iter()
        .filter_map(|group| {
            let differs = differs(group)?;
            let known = before.iter().find(|d| d.group == group.group && d.differs == differs);
            let since = known.map_or(now, |known| known.since);
            Some(Drift { group: group.group.clone(), since, differs, client: None })
        })
        .collect()
}
