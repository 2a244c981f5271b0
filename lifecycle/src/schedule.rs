//! Owns who gets a slot. It sees every case that waits and every slot, and names the
//! grants; each is then recorded in a transaction of its own that takes all of a
//! case's slots or none.

use jiff::{SignedDuration, Timestamp};

use crate::case::Priority;
use crate::ids::{AttemptId, CaseId, GroupName, HeadnodeName, Slot};
use crate::policy::{SlotState, SlotView};

/// A case that waits and that nothing but a slot keeps from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub case: CaseId,
    pub headnode: HeadnodeName,
    pub group: Option<GroupName>,
    pub gpus: u32,
    pub priority: Priority,
    /// Complete since.
    pub since: Timestamp,
    /// The attempt of a case that is on the headnode already.
    pub staged: Option<AttemptId>,
}

/// How many cases a headnode takes beyond its slots, and how many it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    pub headnode: HeadnodeName,
    pub ship_ahead: u32,
    /// Cases that are shipping or staged without a slot.
    pub under_way: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduled {
    Grant { case: CaseId, staged: Option<AttemptId>, slots: Vec<Slot> },
    ShipAhead { case: CaseId },
}

/// Orders the waiting: longest-starved first, then priority, then staged before ready,
/// then age. Slots go in that order; a case that cannot be met is passed over, unless
/// it has waited for `aging`: then free slots are kept for it until it has them all.
pub fn schedule(
    waiting: &[Waiting],
    slots: &[SlotView],
    ahead: &[Ahead],
    aging: SignedDuration,
    now: Timestamp,
) -> Vec<Scheduled> {
    let mut order: Vec<&Waiting> = waiting.iter().collect();
    order.sort_by_key(|case| rank(case, aging, now));
    let mut free: Vec<&SlotView> =
        slots.iter().filter(|view| view.state == SlotState::Free && !view.draining).collect();
    let mut ahead: Vec<Ahead> = ahead.to_vec();
    let mut scheduled = Vec::new();
    for case in order {
        let needed = usize::try_from(case.gpus.max(1)).unwrap_or(usize::MAX);
        match pick(case, &free, needed) {
            Picked::All(picked) => {
                free.retain(|view| !picked.contains(&view.slot));
                scheduled.push(Scheduled::Grant {
                    case: case.case.clone(),
                    staged: case.staged.clone(),
                    slots: picked,
                });
            }
            Picked::TooFew(kept) => {
                if starved(case, aging, now) {
                    free.retain(|view| !kept.contains(&view.slot));
                }
                if case.staged.is_none()
                    && let Some(node) = ahead.iter_mut().find(|a| a.headnode == case.headnode)
                    && node.under_way < node.ship_ahead
                {
                    node.under_way += 1;
                    scheduled.push(Scheduled::ShipAhead { case: case.case.clone() });
                }
            }
        }
    }
    scheduled
}

/// How many of the waiting go before this one, in the order in which slots are given.
pub fn ahead_of(
    case: &CaseId,
    waiting: &[Waiting],
    aging: SignedDuration,
    now: Timestamp,
) -> usize {
    let Some(own) = waiting.iter().find(|waiting| waiting.case == *case) else { return 0 };
    let competes = |other: &Waiting| {
        other.headnode == own.headnode
            && (other.group == own.group || other.group.is_none() || own.group.is_none())
    };
    let mine = rank(own, aging, now);
    waiting.iter().filter(|other| competes(other) && rank(other, aging, now) < mine).count()
}

type Rank = (bool, std::cmp::Reverse<Priority>, bool, Timestamp, CaseId);

fn rank(case: &Waiting, aging: SignedDuration, now: Timestamp) -> Rank {
    let starved = starved(case, aging, now);
    // Among the starved only age counts.
    let priority = if starved { Priority::Urgent } else { case.priority };
    (
        !starved,
        std::cmp::Reverse(priority),
        case.staged.is_none() && !starved,
        case.since,
        case.case.clone(),
    )
}

fn starved(case: &Waiting, aging: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(case.since) >= aging
}

enum Picked {
    All(Vec<Slot>),
    /// What would be kept for it.
    TooFew(Vec<Slot>),
}

/// Slots of one group for a case. Without a wish, a slot without a GPU is taken first,
/// so that none is spent on a case that asked for none.
fn pick(case: &Waiting, free: &[&SlotView], needed: usize) -> Picked {
    let usable = |view: &&&SlotView| {
        view.slot.headnode == case.headnode
            && case.group.as_ref().is_none_or(|group| *group == view.slot.group)
            && (case.gpus == 0 || view.slot.gpu.is_some())
    };
    let mut groups: Vec<(GroupName, Vec<Slot>)> = Vec::new();
    for view in free.iter().filter(usable) {
        match groups.iter_mut().find(|(group, _)| *group == view.slot.group) {
            Some((_, slots)) => slots.push(view.slot.clone()),
            None => groups.push((view.slot.group.clone(), vec![view.slot.clone()])),
        }
    }
    groups.sort_by_key(|(_, slots)| slots.iter().all(|slot| slot.gpu.is_some()));
    for (_, slots) in &groups {
        if slots.len() >= needed {
            let mut slots = slots.clone();
            slots.sort_by_key(|slot| (case.gpus == 0 && slot.gpu.is_some(), slot.slot));
            slots.truncate(needed);
            return Picked::All(slots);
        }
    }
    Picked::TooFew(groups.into_iter().flat_map(|(_, slots)| slots).collect())
}
