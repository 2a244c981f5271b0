//! Plans for cases whose job was handed over: until it has ended and its results are home.

use jiff::Timestamp;

use super::Asking;
use crate::action::{Action, Plan, Wake};
use crate::attempt::{Attempt, ClaimedBy, End, EndingWhy, Force, Stopping};
use crate::case::{HoldWhy, StepName};
use crate::explain;
use crate::observation::Decision;
use crate::policy::{LostAnswer, OnLimit};

impl Asking<'_> {
    pub(super) fn submitting(&self, attempt: &Attempt) -> Plan {
        if let Some(plan) = self.unseen(attempt) {
            return plan;
        }
        if let Some(plan) = self.giving_up(attempt) {
            return plan;
        }
        if let Some(plan) = self.queue_limit(attempt) {
            return plan;
        }
        let overdue = attempt
            .submitted_at
            .is_some_and(|at| self.now.duration_since(at) >= self.policy.starting_alert);
        let because = explain::handed_over(attempt, overdue, self.drift(attempt), self.clock());
        if let Some(plan) = self.queue_trouble() {
            return plan;
        }
        if attempt.submitted_at.is_some() {
            return self.wait(self.poll(), because);
        }
        // It may have been handed over before a crash: that is observed all the same.
        if let Some(obstacle) = self.obstacle() {
            return obstacle;
        }
        let action = Action::Submit { attempt: attempt.id.clone() };
        self.step(StepName::Submit, action, self.poll(), because)
    }

    pub(super) fn queued(&self, attempt: &Attempt) -> Plan {
        if let Some(plan) = self.unseen(attempt) {
            return plan;
        }
        if let Some(plan) = self.giving_up(attempt) {
            return plan;
        }
        if let Some(plan) = self.queue_limit(attempt) {
            return plan;
        }
        if let Some(plan) = self.queue_trouble() {
            return plan;
        }
        let over = self.over_queue_limit(attempt).then(|| "longer than its limit".to_owned());
        let because = explain::queued(attempt, over, self.drift(attempt), self.clock());
        self.wait(self.poll(), because)
    }

    pub(super) fn running(&self, attempt: &Attempt) -> Plan {
        if attempt.awaits_stop() {
            return self.stop(attempt);
        }
        if attempt.end.is_some() {
            return self.lost(attempt);
        }
        if let Some(decision) = self.end_observed(attempt) {
            let because = explain::running(attempt, self.policy.limits, self.clock());
            return self.decide(decision, because);
        }
        if let Some(plan) = self.unseen(attempt) {
            return plan;
        }
        if let Some(silence) = &attempt.silence {
            let at = silence.first.checked_add(self.policy.lost_after).unwrap_or(Timestamp::MAX);
            return self.wait(self.poll(), explain::silent(attempt, silence, at, self.clock()));
        }
        let because = explain::running(attempt, self.policy.limits, self.clock());
        if attempt.ending.is_some() {
            return self.end_processes(attempt, because);
        }
        let limit = self.policy.limits.run.zip(attempt.started_at);
        let limit = limit.map(|(limit, at)| at.checked_add(limit).unwrap_or(Timestamp::MAX));
        match limit {
            Some(at) if at > self.now => self.wait(Wake::At(at), because),
            Some(_) if self.policy.limits.on_limit == OnLimit::Cancel => {
                self.decide(Decision::End { why: EndingWhy::Limit }, because)
            }
            Some(_) | None => self.wait(self.poll(), because),
        }
    }

    pub(super) fn returning(&self, attempt: &Attempt, end: &End) -> Plan {
        if attempt.awaits_stop() {
            return self.stop(attempt);
        }
        if let Some(plan) = self.no_contact() {
            return plan;
        }
        let because = explain::ended_fetching(attempt, end, self.clock());
        let clearing =
            attempt.tenure.is_quarantined().then(|| self.end_processes(attempt, because.clone()));
        if attempt.stored.is_some() {
            return clearing.unwrap_or_else(|| self.wait(self.poll(), because));
        }
        let action = Action::Return { attempt: attempt.id.clone() };
        let mut plan = self.step(StepName::Return, action, self.poll(), because);
        if let Some(clearing) = clearing {
            plan.actions.extend(clearing.actions);
            if let (Wake::At(sooner), Wake::At(_) | Wake::Poll(_)) = (&clearing.wake, &plan.wake) {
                plan.wake = Wake::At(*sooner);
            }
        }
        plan
    }

    pub(super) fn cancelling(&self, attempt: &Attempt) -> Plan {
        if attempt.awaits_stop() {
            return self.stop(attempt);
        }
        let because = explain::cancelling(attempt, attempt.ending.as_ref(), self.clock());
        if let Some(decision) = self.end_observed(attempt) {
            return self.decide(decision, because);
        }
        if let Some(plan) = self.unseen(attempt) {
            return plan;
        }
        match attempt.claimed_by {
            None => {
                let action = Action::TakeClaim { attempt: attempt.id.clone() };
                self.step(StepName::Claim, action, self.poll(), because)
            }
            // Silent: its end is confirmed by a second look.
            Some(ClaimedBy::Job) if attempt.silence.is_some() => self.wait(self.poll(), because),
            Some(ClaimedBy::Job) => self.end_processes(attempt, because),
            Some(ClaimedBy::Daemon) => self.wait(self.poll(), because),
        }
    }

    /// The headnode or the attempt's directory cannot be looked at: nothing is done.
    fn unseen(&self, attempt: &Attempt) -> Option<Plan> {
        if let Some(plan) = self.no_contact() {
            return Some(plan);
        }
        if self.queue_trouble().is_some() {
            // What cannot be looked at is the queue, and that has its own sentence.
            return None;
        }
        let trouble = self.case.troubles.of(StepName::Look)?;
        // Handed over or not is what a look would tell, so a first hand-over is no guess.
        if attempt.submitted_at.is_none() && attempt.claimed_by.is_none() {
            return None;
        }
        let because = explain::cannot_be_looked_at(attempt, trouble, self.clock());
        Some(self.wait(self.poll(), because))
    }

    fn giving_up(&self, attempt: &Attempt) -> Option<Plan> {
        attempt.giving_up?;
        let because = explain::handed_over(attempt, true, None, self.clock());
        let action = Action::TakeClaim { attempt: attempt.id.clone() };
        Some(self.step(StepName::Claim, action, self.poll(), because))
    }

    fn over_queue_limit(&self, attempt: &Attempt) -> bool {
        let since = attempt.queued_at.or(attempt.submitted_at);
        self.policy
            .limits
            .queue
            .zip(since)
            .is_some_and(|(limit, since)| self.now.duration_since(since) >= limit)
    }

    /// A job that waits in the queue for too long is given up by taking its claim.
    fn queue_limit(&self, attempt: &Attempt) -> Option<Plan> {
        let because =
            explain::queued(attempt, Some("longer than its limit".to_owned()), None, self.clock());
        if attempt.ending.is_some() {
            let action = Action::TakeClaim { attempt: attempt.id.clone() };
            return Some(self.step(StepName::Claim, action, self.poll(), because));
        }
        let over = self.over_queue_limit(attempt);
        (over && self.policy.limits.on_limit == OnLimit::Cancel)
            .then(|| self.decide(Decision::End { why: EndingWhy::Limit }, because))
    }

    /// The silence has lasted: two good readings at least `lost_after` apart.
    pub(super) fn end_observed(&self, attempt: &Attempt) -> Option<Decision> {
        let silence = attempt.silence.as_ref().filter(|_| attempt.end.is_none())?;
        let lasted = silence.last.duration_since(silence.first) >= self.policy.lost_after;
        lasted.then_some(Decision::EndObserved)
    }

    /// It has ended without a record: run again by policy, or wait for a person.
    fn lost(&self, attempt: &Attempt) -> Plan {
        let because = explain::running(attempt, self.policy.limits, self.clock());
        let silence = attempt.silence.as_ref();
        let partial = silence.is_some_and(|silence| silence.partial);
        let rebooted = silence.is_some_and(|silence| silence.rebooted);
        let answer = match (partial, rebooted) {
            // Half an end record means that its command had come to an end.
            (true, _) => LostAnswer::Hold,
            (false, true) => self.policy.on_lost.rebooted,
            (false, false) => self.policy.on_lost.unknown,
        };
        match answer {
            LostAnswer::Rerun => self.decide(Decision::Rerun, because),
            LostAnswer::Hold => {
                let reason = "neither an end record nor a process".to_owned();
                self.decide(Decision::Hold { why: HoldWhy::Lost, reason }, because)
            }
        }
    }

    /// Its end is confirmed by its pipeline's `stop`, once nothing of it lives here.
    fn stop(&self, attempt: &Attempt) -> Plan {
        if let Some(plan) = self.no_contact() {
            return plan;
        }
        match attempt.stopping {
            Some(Stopping::Due { .. }) => {
                let because = explain::stopping(self.case.state.name(), attempt, self.clock());
                let action = Action::Stop { attempt: attempt.id.clone() };
                self.step(StepName::Stop, action, self.poll(), because)
            }
            Some(Stopping::Done { .. } | Stopping::Waived { .. }) | None => {
                let because = explain::clearing(self.case.state.name(), attempt, self.clock());
                self.end_processes(attempt, because)
            }
        }
    }

    /// TERM, then KILL to all but job.sh, then KILL to all, each after its grace.
    fn end_processes(&self, attempt: &Attempt, because: String) -> Plan {
        let Some(ending) = &attempt.ending else {
            return self.wait(self.poll(), because);
        };
        let (force, due) = match ending.sent {
            None => (Force::Terminate, self.now),
            Some((sent, at)) => {
                let next = match sent {
                    Force::Terminate => Force::KillChildren,
                    Force::KillChildren | Force::KillAll => Force::KillAll,
                };
                // What cannot be killed is tried ever less often.
                let pause = match sent {
                    Force::Terminate | Force::KillChildren => self.policy.grace,
                    Force::KillAll => self.policy.grace.max(at.duration_since(ending.asked_at) / 2),
                };
                (next, at.checked_add(pause).unwrap_or(Timestamp::MAX))
            }
        };
        if due > self.now {
            return self.wait(Wake::At(due), because);
        }
        let action = Action::EndProcesses { attempt: attempt.id.clone(), force };
        self.step(StepName::End, action, self.poll(), because)
    }
}
