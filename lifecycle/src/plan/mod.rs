//! Owns the choice of work: for a case as it is, what to do now, when to ask again,
//! and why. It changes nothing; what the policy demands comes out as
//! [`Action::Decide`] and is recorded like everything else.

mod attempt;
mod folder;

use jiff::Timestamp;

use crate::action::{Action, Plan, Wake};
use crate::attempt::Attempt;
use crate::backoff::{Gate, gate};
use crate::case::{Case, HoldWhy, State, StateName, StepName};
use crate::explain::{self, Clock};
use crate::observation::Decision;
use crate::policy::{HeadnodeState, Hours, Part, Policy, World};
use crate::queue::Drift;

pub fn plan(case: &Case, world: &World, policy: &Policy, now: Timestamp) -> Plan {
    let mut plan = planned(Asking { case, world, policy, now });
    plan.because = explain::one_line(plan.because);
    plan
}

fn planned(asking: Asking<'_>) -> Plan {
    let case = asking.case;
    if case.hold.is_some() {
        return asking.held();
    }
    if let Some(plan) = asking.unconfigured() {
        return plan;
    }
    match &case.state {
        State::Arriving => asking.arriving(),
        State::Rejected { by, problems } => asking.rejected(*by, problems),
        State::Ready => asking.ready(),
        State::Shipping { attempt } => asking.shipping(attempt),
        State::Staged { .. } => asking.waiting(),
        State::Submitting { attempt } => asking.submitting(attempt),
        State::Queued { attempt } => asking.queued(attempt),
        State::Running { attempt } => asking.running(attempt),
        State::Returning { attempt, end } => asking.returning(attempt, end),
        State::Cancelling { attempt } => asking.cancelling(attempt),
        State::Succeeded { attempt, end, stored } => {
            asking.over(explain::succeeded(case, attempt, end, stored, asking.clock()))
        }
        State::Failed { attempt, failure } => {
            asking.over(explain::failed(case, attempt, failure, asking.clock()))
        }
        State::Cancelled { attempt } => {
            asking.over(explain::cancelled(case, attempt.as_deref(), asking.clock()))
        }
    }
}

/// Whether something stands in the way of starting anything new for this case, apart
/// from a free slot: `schedule` is asked only about cases without an obstacle.
pub fn may_start(case: &Case, world: &World, policy: &Policy, now: Timestamp) -> bool {
    let asking = Asking { case, world, policy, now };
    let waits = matches!(case.state.name(), StateName::Ready | StateName::Staged);
    waits
        && case.hold.is_none()
        && asking.unconfigured().is_none()
        && asking.obstacle().is_none()
        && asking.queue_trouble().is_none()
        && (case.state.name() != StateName::Ready || asking.outside_of_hours().is_none())
        && gate(case.troubles.of(StepName::Submit), policy.retry, now) == Gate::Open
        && asking.impossible().is_none()
}

struct Asking<'a> {
    case: &'a Case,
    world: &'a World,
    policy: &'a Policy,
    now: Timestamp,
}

impl<'a> Asking<'a> {
    fn clock(&self) -> Clock<'a> {
        Clock { zone: &self.policy.time_zone, now: self.now }
    }

    fn after(&self, duration: jiff::SignedDuration) -> Timestamp {
        self.now.checked_add(duration).unwrap_or(Timestamp::MAX)
    }

    fn over(&self, because: String) -> Plan {
        Plan { actions: Vec::new(), wake: Wake::Never, because }
    }

    fn wait(&self, wake: Wake, because: String) -> Plan {
        Plan { actions: Vec::new(), wake, because }
    }

    fn poll(&self) -> Wake {
        Wake::Poll(self.world.headnode.name.clone())
    }

    /// Records what the policy says, and is asked again at once.
    fn decide(&self, decision: Decision, because: String) -> Plan {
        Plan { actions: vec![Action::Decide { decision }], wake: Wake::At(self.now), because }
    }

    /// Actions stop, observation goes on: the folder is looked at, the job is read, and
    /// an end that was observed counts.
    fn held(&self) -> Plan {
        let because = match &self.case.hold {
            Some(hold) => explain::held(self.case, hold, self.clock()),
            None => String::new(),
        };
        match &self.case.state {
            State::Arriving | State::Rejected { .. } if self.world.intake.unreadable.is_none() => {
                let mut plan = self.look_at_folder(because);
                // It is held already: a look that is given up is made again in its time.
                let decides = |action: &Action| matches!(action, Action::Decide { .. });
                if plan.actions.iter().any(decides) {
                    plan.actions.clear();
                    plan.wake = Wake::Person;
                }
                if matches!(plan.wake, Wake::Person) {
                    plan.wake = Wake::At(self.after(self.policy.rescan));
                }
                plan
            }
            State::Running { attempt } => match self.end_observed(attempt) {
                Some(decision) => self.decide(decision, because),
                None => self.wait(Wake::Person, because),
            },
            State::Arriving
            | State::Rejected { .. }
            | State::Ready
            | State::Shipping { .. }
            | State::Staged { .. }
            | State::Submitting { .. }
            | State::Queued { .. }
            | State::Returning { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Cancelling { .. } => self.wait(Wake::Person, because),
        }
    }

    /// The configuration no longer has what the case needs next: nothing is done, and
    /// nothing is given up.
    fn unconfigured(&self) -> Option<Plan> {
        let (case, world) = (self.case, self.world);
        let name = case.state.name();
        if name.is_terminal() {
            return None;
        }
        let needs_intake = name.is_before_submitting() && !self.policy.intake_is_configured;
        let has_headnode = !matches!(name, StateName::Arriving | StateName::Rejected);
        let because = if needs_intake {
            explain::unconfigured(case, "intake", world.intake.name.as_str())
        } else if has_headnode && !self.policy.headnode_is_configured {
            explain::unconfigured(case, "headnode", world.headnode.name.as_str())
        } else {
            return None;
        };
        if let State::Shipping { attempt } = &case.state
            && !attempt.tenure.slots().is_empty()
        {
            // Nothing was handed over, so the slots it has are for others.
            let reason = "its intake or headnode is not in the configuration any more".to_owned();
            let decision = Decision::Hold { why: HoldWhy::Trouble, reason };
            return Some(self.decide(decision, because));
        }
        Some(self.wait(Wake::Person, because))
    }

    /// What stands in the way of anything new: the red button, a pause, a headnode that
    /// does not answer or is set aside, a folder that is gone.
    fn obstacle(&self) -> Option<Plan> {
        let (world, clock) = (self.world, self.clock());
        if let Some(pause) = &world.stopped {
            return Some(self.wait(Wake::Person, explain::stopped(pause, clock)));
        }
        if let Some(since) = self.case.vanished_at
            && matches!(
                self.case.state.name(),
                StateName::Ready | StateName::Shipping | StateName::Staged
            )
        {
            let because = explain::vanished(self.case, since, clock);
            return Some(self.wait(Wake::Person, because));
        }
        let before_shipping = self.case.state.name() == StateName::Ready;
        let waits_for_place = before_shipping || self.case.state.name() == StateName::Staged;
        if before_shipping && let Some(pause) = &world.intake.paused {
            let because = explain::intake_paused(&world.intake.name, pause, clock);
            return Some(self.wait(Wake::Person, because));
        }
        if let Some(pause) = &world.headnode.paused {
            let because = explain::headnode_paused(&world.headnode.name, pause, clock);
            return Some(self.wait(Wake::Person, because));
        }
        // What has its place already ends as ever.
        if waits_for_place && world.headnode.draining {
            return Some(self.wait(Wake::Person, explain::draining(&world.headnode.name)));
        }
        self.no_contact()
    }

    fn no_contact(&self) -> Option<Plan> {
        let (headnode, clock) = (&self.world.headnode, self.clock());
        match &headnode.state {
            HeadnodeState::Ok
            | HeadnodeState::Unreachable { part: Part::Queue, .. }
            | HeadnodeState::Broken { part: Part::Queue, .. } => None,
            HeadnodeState::Unreachable {
                part: Part::Host,
                since,
                because,
                next_try,
                needs_person,
            } => {
                let state = self.case.state.name();
                let told = if *needs_person { explain::refused } else { explain::lost_contact };
                let because = told(state, &headnode.name, *since, because, *next_try, clock);
                // Reading it is what finds that it answers again.
                Some(self.wait(self.poll(), because))
            }
            HeadnodeState::Broken { part: Part::Host, since, because } => {
                let because = explain::no_contact(&headnode.name, *since, because, clock);
                Some(self.wait(Wake::Person, because))
            }
        }
    }

    /// The headnode answers and its queue does not: nothing is handed over, and what runs
    /// is seen all the same.
    fn queue_trouble(&self) -> Option<Plan> {
        let (headnode, clock) = (&self.world.headnode, self.clock());
        let (state, name) = (self.case.state.name(), &headnode.name);
        let queue = self.case.attempt().map(|attempt| attempt.place.queue);
        match &headnode.state {
            HeadnodeState::Ok
            | HeadnodeState::Unreachable { part: Part::Host, .. }
            | HeadnodeState::Broken { part: Part::Host, .. } => None,
            HeadnodeState::Unreachable {
                part: Part::Queue,
                since,
                because,
                next_try,
                needs_person,
            } => {
                let told =
                    if *needs_person { explain::queue_refused } else { explain::queue_silent };
                let because = told(state, queue, name, *since, because, *next_try, clock);
                Some(self.wait(self.poll(), because))
            }
            HeadnodeState::Broken { part: Part::Queue, since, because } => {
                let because = explain::queue_set_aside(state, queue, name, *since, because, clock);
                Some(self.wait(Wake::Person, because))
            }
        }
    }

    /// How the group of an attempt differs in the queue.
    fn drift(&self, attempt: &Attempt) -> Option<&'a Drift> {
        let group = &attempt.tenure.slots().first()?.group;
        self.world.headnode.drift.iter().find(|drift| drift.group == *group)
    }

    fn outside_of_hours(&self) -> Option<Plan> {
        match self.policy.transfer_hours?.at(self.now, &self.policy.time_zone) {
            Hours::OpenUntil(_) => None,
            Hours::ClosedUntil(opens) => {
                let (state, name) = (self.case.state.name(), &self.world.headnode.name);
                let because = explain::outside_of_hours(state, name, opens, self.clock());
                Some(self.wait(Wake::At(opens), because))
            }
        }
    }

    /// Tries a step, waits until it may be tried again, or gives it to a person.
    fn step(&self, step: StepName, action: Action, wake: Wake, because: String) -> Plan {
        let trouble = self.case.troubles.of(step);
        match (gate(trouble, self.policy.retry, self.now), trouble) {
            (Gate::Open, _) | (_, None) => Plan { actions: vec![action], wake, because },
            (Gate::Wait { until }, Some(trouble)) => {
                self.wait(Wake::At(until), explain::trouble(trouble, until, self.clock()))
            }
            (Gate::GiveUp, Some(trouble)) => {
                let decision =
                    Decision::Hold { why: HoldWhy::Trouble, reason: trouble.text.clone() };
                self.decide(decision, because)
            }
        }
    }
}
