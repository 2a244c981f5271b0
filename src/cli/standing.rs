//! Owns the sentences as they are read: the stored one of a case, joined with who has
//! the places it waits for and how many cases go first at this moment.

use std::collections::BTreeMap;

use daylily_lifecycle::case::Case;
use daylily_lifecycle::explain::{self, Standing};
use daylily_lifecycle::ids::{CaseId, CaseName};
use daylily_lifecycle::plan::may_start;
use daylily_lifecycle::schedule::{Waiting, ahead_of};
use jiff::{SignedDuration, Timestamp};

use super::desk::Desk;
use crate::reconcile::surroundings::{Surroundings, policy, waiting};
use crate::store::error::StoreError;
use crate::store::read::board::BoardRow;
use crate::store::slots::StoredSlot;

/// Everything that competes for places, read once.
pub(super) struct Sentences {
    cases: BTreeMap<CaseId, Case>,
    queue: Vec<Waiting>,
    slots: Vec<StoredSlot>,
    aging: SignedDuration,
    now: Timestamp,
}

impl Sentences {
    pub(super) fn read(desk: &Desk) -> Result<Self, StoreError> {
        let around = Surroundings::read(&desk.reader, &desk.settings.state_dir)?;
        let cases = desk.reader.waiting()?;
        let may = |case: &&Case| {
            may_start(case, &around.of(case), &policy(&desk.settings, case), desk.now)
        };
        Ok(Self {
            queue: cases.iter().filter(may).map(|case| waiting(case, desk.now)).collect(),
            cases: cases.into_iter().map(|case| (case.id.clone(), case)).collect(),
            slots: desk.reader.slots()?,
            aging: desk.settings.aging,
            now: desk.now,
        })
    }

    /// Why a case is where it is, true at this moment.
    pub(super) fn of(&self, row: &BoardRow) -> String {
        if row.because.is_empty() {
            return "It was recorded just now; its sentence comes next.".to_owned();
        }
        match self.cases.get(&row.case) {
            Some(case) => explain::joined(&row.because, &self.standing(case)),
            None => row.because.clone(),
        }
    }

    fn standing(&self, case: &Case) -> Standing {
        let mut holders: Vec<CaseName> = Vec::new();
        for stored in &self.slots {
            let (slot, order) = (&stored.view.slot, &case.order);
            let wanted = slot.headnode == order.headnode
                && !stored.view.draining
                && order.group.as_ref().is_none_or(|group| *group == slot.group)
                && (order.gpus == 0 || slot.gpu.is_some());
            // A case with several places is named once.
            if let Some(holder) = stored.holder.as_ref().filter(|_| wanted)
                && !holders.contains(&holder.name)
            {
                holders.push(holder.name.clone());
            }
        }
        Standing { holders, ahead: ahead_of(&case.id, &self.queue, self.aging, self.now) }
    }
}
