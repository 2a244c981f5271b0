//! Plans for cases whose job has not been handed over: arriving, waiting, copying.

use jiff::Timestamp;

use super::Asking;
use crate::action::{Action, Plan, Wake};
use crate::attempt::Attempt;
use crate::backoff::{Gate, gate};
use crate::case::{Condition, ConditionName, HoldWhy, RejectedBy, StateName, StepName};
use crate::explain;
use crate::observation::Decision;
use crate::policy::{Hours, SlotState};

impl Asking<'_> {
    pub(super) fn arriving(&self) -> Plan {
        if let Some(unreadable) = &self.world.intake.unreadable {
            let because = explain::unreadable(unreadable, self.clock());
            return self.wait(self.next_look(unreadable.next_look), because);
        }
        let because = match self.case.vanished_at {
            Some(since) => explain::vanished(self.case, since, self.clock()),
            None => explain::arriving(self.case, self.policy.marker_missing, self.clock()),
        };
        self.look_at_folder(because)
    }

    pub(super) fn rejected(&self, by: RejectedBy, problems: &[String]) -> Plan {
        if let Some(unreadable) = &self.world.intake.unreadable {
            let because = explain::unreadable(unreadable, self.clock());
            return self.wait(self.next_look(unreadable.next_look), because);
        }
        if by == RejectedBy::Demand && self.impossible().is_none() {
            return self.decide(Decision::Reconsider, explain::rejected(problems));
        }
        if by == RejectedBy::Entry {
            // The look at the intake's root sees when it is gone or has become a folder.
            return self.wait(Wake::Person, explain::rejected(problems));
        }
        self.look_at_folder(explain::rejected(problems))
    }

    /// A look that is due is under way; what it finds is planned at once.
    fn next_look(&self, at: Timestamp) -> Wake {
        Wake::At(if at > self.now { at } else { self.after(self.policy.rescan) })
    }

    /// Scans when that is due. When nothing tells of a change, `rescan` does.
    pub(super) fn look_at_folder(&self, because: String) -> Plan {
        let open = |name| move |condition: &&Condition| !condition.holds && condition.name == name;
        let failing: Vec<&Condition> =
            self.case.conditions.iter().filter(|condition| !condition.holds).collect();
        let is_open = |name| failing.iter().any(open(name));
        let (unread, unknown) =
            (is_open(ConditionName::Checksums), is_open(ConditionName::NewContent));
        // Files are read only when nothing else is waited for.
        let only_content_is_open = failing.len() == usize::from(unread) + usize::from(unknown);
        let wake = Wake::At(self.after(self.policy.rescan));
        let compared = self.case.compared.as_ref().map(|compared| &compared.fingerprint)
            == self.case.content.fingerprint.as_ref();
        // What is held may be held for long, and much: it is read when it goes on.
        let goes_on = self.case.state.name() == StateName::Arriving && self.case.hold.is_none();
        if only_content_is_open && unread && !compared && goes_on {
            return self.step(StepName::Manifest, Action::Compare, wake, because);
        }
        if only_content_is_open && unknown && !unread && self.case.content.digest.is_none() {
            return self.step(StepName::Hash, Action::Hash, wake, because);
        }
        match self.case.settles_at {
            Some(at) if at > self.now => {
                self.wait(Wake::At(at.min(self.after(self.policy.rescan))), because)
            }
            Some(_) | None => self.step(StepName::Scan, Action::Scan, wake, because),
        }
    }

    pub(super) fn ready(&self) -> Plan {
        if let Some(problem) = self.impossible() {
            let because = explain::rejected(std::slice::from_ref(&problem));
            return self.decide(Decision::Reject { problem }, because);
        }
        if let Some(closed) = self.obstacle().or_else(|| self.outside_of_hours()) {
            return closed;
        }
        self.waiting()
    }

    /// Waits for slots: `ready` or `staged`. `schedule` gives them, never `plan`.
    pub(super) fn waiting(&self) -> Plan {
        if let Some(obstacle) = self.obstacle().or_else(|| self.queue_trouble()) {
            return obstacle;
        }
        let order = &self.case.order;
        let trouble = self.case.troubles.of(StepName::Submit);
        match (gate(trouble, self.policy.retry, self.now), trouble) {
            (Gate::Wait { until }, Some(trouble)) => {
                let because = explain::trouble(trouble, until, self.clock());
                return self.wait(Wake::At(until), because);
            }
            (Gate::GiveUp, Some(trouble)) => {
                let decision =
                    Decision::Hold { why: HoldWhy::Trouble, reason: trouble.text.clone() };
                return self.decide(decision, trouble.text.clone());
            }
            (Gate::Open | Gate::Wait { .. } | Gate::GiveUp, _) => {}
        }
        let wanted = |view: &&crate::policy::SlotView| {
            !view.draining
                && order.group.as_ref().is_none_or(|group| *group == view.slot.group)
                && (order.gpus == 0 || view.slot.gpu.is_some())
        };
        let places = self.world.slots.iter().filter(wanted).count();
        let free = self
            .world
            .slots
            .iter()
            .filter(wanted)
            .filter(|view| view.state == SlotState::Free)
            .count();
        let all_gpus = places > 0
            && self.world.slots.iter().filter(wanted).all(|view| view.slot.gpu.is_some());
        let because = explain::waiting(
            self.case,
            order.group.as_ref(),
            &self.world.headnode.name,
            places,
            free,
            order.gpus > 0 || all_gpus,
            self.clock(),
        );
        self.wait(Wake::Slot(order.group.clone()), because)
    }

    /// What no group of the headnode can ever meet, as a clause.
    pub(super) fn impossible(&self) -> Option<String> {
        let order = &self.case.order;
        let fits = self
            .policy
            .groups
            .iter()
            .filter(|group| order.group.as_ref().is_none_or(|wanted| *wanted == group.group))
            .any(|group| group.slots >= order.gpus.max(1) && group.gpus >= order.gpus);
        if fits {
            return None;
        }
        Some(explain::impossible_demand(order.group.as_ref(), order.gpus, &order.headnode))
    }

    pub(super) fn shipping(&self, attempt: &Attempt) -> Plan {
        if let Some(closed) = self.obstacle().or_else(|| self.outside_of_hours()) {
            return closed;
        }
        let because = explain::copying(self.case, attempt, self.clock());
        let action = Action::Ship { attempt: attempt.id.clone() };
        let hours = self.policy.transfer_hours;
        let wake = match hours.map(|hours| hours.at(self.now, &self.policy.time_zone)) {
            // Then the copy is stopped.
            Some(Hours::OpenUntil(closes)) => Wake::At(closes),
            Some(Hours::ClosedUntil(_)) | None => self.poll(),
        };
        self.step(StepName::Ship, action, wake, because)
    }
}
