//! Owns the way from settings and stored rows to what `plan` asks for: the policy for
//! one case and the world around it.

use std::collections::BTreeMap;
use std::path::Path;

use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{HeadnodeName, IntakeName, Slot};
use daylily_lifecycle::policy::{
    GroupSlots, HeadnodeCondition, HeadnodeState, IntakeCondition, Limits, LostAnswer, OnLost,
    Pause, Policy, SlotState, SlotView, World,
};
use daylily_lifecycle::schedule::Waiting;
use daylily_lifecycle::settle::MarkerMissing;
use jiff::{SignedDuration, Timestamp};

use super::stop_file::stop_file;
use crate::config::{HeadnodeSettings, Settings, Ship};
use crate::store::error::StoreError;
use crate::store::read::Reader;

/// How long processes get to end after each signal.
pub const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// When a job that was handed over and shows nothing is told.
const STARTING_ALERT: SignedDuration = SignedDuration::from_secs(60);

/// Everything around the cases at one moment, read once for a whole pass.
pub struct Surroundings {
    stopped: Option<Pause>,
    intakes: BTreeMap<IntakeName, IntakeCondition>,
    headnodes: BTreeMap<HeadnodeName, HeadnodeCondition>,
    slots: BTreeMap<HeadnodeName, Vec<SlotView>>,
}

impl Surroundings {
    pub fn read(reader: &Reader, state_dir: &Path) -> Result<Self, StoreError> {
        let mut slots: BTreeMap<HeadnodeName, Vec<SlotView>> = BTreeMap::new();
        for slot in reader.slots()? {
            slots.entry(slot.view.slot.headnode.clone()).or_default().push(slot.view);
        }
        let intakes = reader.intakes()?;
        let headnodes = reader.headnodes()?;
        Ok(Self {
            stopped: stop_file(state_dir).or(reader.stopped()?),
            intakes: intakes.into_iter().map(|i| (i.name.clone(), i.condition())).collect(),
            headnodes: headnodes.into_iter().map(|h| (h.name.clone(), h.condition())).collect(),
            slots,
        })
    }

    /// As a daemon that starts now would have it: the slots are those of the settings,
    /// taken where the database says so.
    pub fn expected(settings: &Settings, reader: Option<&Reader>) -> Result<Self, StoreError> {
        let mut around = match reader {
            Some(reader) => Self::read(reader, &settings.state_dir)?,
            None => Self {
                stopped: stop_file(&settings.state_dir),
                intakes: BTreeMap::new(),
                headnodes: BTreeMap::new(),
                slots: BTreeMap::new(),
            },
        };
        let stored = std::mem::take(&mut around.slots);
        for node in &settings.headnodes {
            let known = stored.get(&node.name).map(Vec::as_slice).unwrap_or_default();
            let views = around.slots.entry(node.name.clone()).or_default();
            for group in &node.groups {
                for (slot, gpu) in (0_u32..).zip(&group.slots) {
                    let same =
                        |view: &&SlotView| view.slot.group == group.name && view.slot.slot == slot;
                    views.push(SlotView {
                        slot: Slot {
                            headnode: node.name.clone(),
                            group: group.name.clone(),
                            slot,
                            gpu: gpu.clone(),
                        },
                        state: known.iter().find(same).map_or(SlotState::Free, |view| view.state),
                        draining: false,
                    });
                }
            }
        }
        Ok(around)
    }

    pub fn stopped(&self) -> Option<&Pause> {
        self.stopped.as_ref()
    }

    pub fn slots(&self) -> impl Iterator<Item = &SlotView> {
        self.slots.values().flatten()
    }

    pub fn headnodes(&self) -> &BTreeMap<HeadnodeName, HeadnodeCondition> {
        &self.headnodes
    }

    pub fn headnode(&self, name: &HeadnodeName) -> Option<&HeadnodeCondition> {
        self.headnodes.get(name)
    }

    pub fn intake(&self, name: &IntakeName) -> Option<&IntakeCondition> {
        self.intakes.get(name)
    }

    /// The world of one case. One whose headnode or intake is no longer configured finds
    /// an empty one here, and by its policy waits for a person.
    pub fn of(&self, case: &Case) -> World {
        let headnode = case.attempt().map_or(&case.order.headnode, |a| &a.place.headnode);
        World {
            stopped: self.stopped.clone(),
            intake: self.intakes.get(&case.intake).cloned().unwrap_or_else(|| IntakeCondition {
                name: case.intake.clone(),
                unreadable: None,
                paused: None,
            }),
            headnode: self.headnodes.get(headnode).cloned().unwrap_or_else(|| HeadnodeCondition {
                name: headnode.clone(),
                state: HeadnodeState::Ok,
                paused: None,
                draining: false,
                drift: Vec::new(),
            }),
            slots: self.slots.get(headnode).cloned().unwrap_or_default(),
        }
    }
}

/// What the configuration says about one case.
pub fn policy(settings: &Settings, case: &Case) -> Policy {
    let intake = settings.intakes.iter().find(|intake| intake.name == case.intake);
    let name = case.attempt().map_or(&case.order.headnode, |attempt| &attempt.place.headnode);
    let headnode = settings.headnodes.iter().find(|node| node.name == *name);
    let pipeline = settings.pipelines.get(&case.order.pipeline);
    Policy {
        intake_is_configured: intake.is_some(),
        headnode_is_configured: headnode.is_some(),
        time_zone: settings.time_zone.clone(),
        retry: settings.retry,
        lost_after: settings.lost_after,
        limits: pipeline.map_or_else(Limits::default, |pipeline| pipeline.limits),
        on_lost: pipeline.map_or(
            OnLost { rebooted: LostAnswer::Rerun, unknown: LostAnswer::Hold },
            |pipeline| pipeline.on_lost,
        ),
        grace: GRACE,
        rescan: intake.map_or(SignedDuration::from_mins(1), |intake| {
            SignedDuration::try_from(intake.rescan).unwrap_or(SignedDuration::MAX)
        }),
        starting_alert: STARTING_ALERT,
        marker_missing: intake.map_or(MarkerMissing::Wait, |intake| intake.marker_missing),
        groups: headnode.map(group_slots).unwrap_or_default(),
        // Where nothing is copied, nothing waits for the hours in which it may be.
        transfer_hours: headnode
            .filter(|node| node.ship == Ship::Copy)
            .and_then(|node| node.transfer_hours),
    }
}

/// The groups of a headnode with what each has.
pub fn group_slots(node: &HeadnodeSettings) -> Vec<GroupSlots> {
    let count = |slots: usize| u32::try_from(slots).unwrap_or(u32::MAX);
    let slots = node.groups.iter().map(|group| GroupSlots {
        group: group.name.clone(),
        slots: count(group.slots.len()),
        gpus: count(group.slots.iter().flatten().count()),
    });
    slots.collect()
}

/// A waiting case as `schedule` sees it.
pub fn waiting(case: &Case, now: Timestamp) -> Waiting {
    Waiting {
        case: case.id.clone(),
        headnode: case.order.headnode.clone(),
        group: case.order.group.clone(),
        gpus: case.order.gpus,
        priority: case.order.priority,
        since: case.ready_at.unwrap_or(now),
        staged: case.attempt().map(|attempt| attempt.id.clone()),
    }
}
