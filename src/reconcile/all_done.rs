//! Owns the question that `--run-once` asks: is there anything left that goes on by
//! itself? What is left then has ended or needs a person. A headnode that does not
//! answer is waited for; what waits for it says so.

use std::panic::{AssertUnwindSafe, catch_unwind};

use daylily_lifecycle::action::Wake;
use daylily_lifecycle::backoff::{Gate, gate};
use daylily_lifecycle::case::{Case, ConditionName, StateName};
use daylily_lifecycle::plan::plan;
use daylily_lifecycle::policy::{Policy, SlotState, World};
use jiff::Timestamp;

use super::surroundings::{Surroundings, policy};
use crate::config::Settings;

/// What a case needs to get further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Person,
    /// A slot that is not free: whoever has one may give it back.
    Slot,
    Time,
}

/// Whether nothing but a person, or a change in a folder, brings any case further.
pub(super) fn all_done(
    cases: &[Case],
    around: &Surroundings,
    settings: &Settings,
    now: Timestamp,
) -> bool {
    none_goes_on(
        cases.iter().map(|case| {
            (needs(case, &around.of(case), &policy(settings, case), now), has_job(case))
        }),
    )
}

/// From what each case needs, and whether it may have a job.
fn none_goes_on(cases: impl Iterator<Item = (Needs, bool)>) -> bool {
    let mut for_a_slot = false;
    let mut job_under_way = false;
    for (needs, has_job) in cases {
        match needs {
            Needs::Nothing => {}
            // The end of its job is observed whatever else is, and frees its slots.
            Needs::Person => job_under_way |= has_job,
            Needs::Slot => for_a_slot = true,
            Needs::Time => return false,
        }
    }
    !(for_a_slot && job_under_way)
}

fn needs(case: &Case, world: &World, policy: &Policy, now: Timestamp) -> Needs {
    if case.state.name().is_terminal() {
        return Needs::Nothing;
    }
    if case.hold.is_some() {
        return Needs::Person;
    }
    match case.state.name() {
        StateName::Rejected => Needs::Person,
        StateName::Arriving => arriving(case, world, policy, now),
        StateName::Ready
        | StateName::Shipping
        | StateName::Staged
        | StateName::Submitting
        | StateName::Queued
        | StateName::Running
        | StateName::Returning
        | StateName::Cancelling
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Cancelled => {
            // One on which our own code fails is held by the next pass.
            let made = catch_unwind(AssertUnwindSafe(|| plan(case, world, policy, now)));
            match made {
                Ok(made) if !made.actions.is_empty() => Needs::Time,
                Ok(made) => match made.wake {
                    Wake::Person => Needs::Person,
                    Wake::Slot(_) if is_met(case, world) => Needs::Time,
                    Wake::Slot(_) => Needs::Slot,
                    Wake::At(_) | Wake::Poll(_) | Wake::Never => Needs::Time,
                },
                Err(_) => Needs::Time,
            }
        }
    }
}

fn arriving(case: &Case, world: &World, policy: &Policy, now: Timestamp) -> Needs {
    if world.intake.unreadable.is_some() {
        return Needs::Person;
    }
    let waits_to_try =
        case.troubles.iter().any(|trouble| gate(Some(trouble), policy.retry, now) != Gate::GiveUp);
    // Not looked at yet, or the passing of time may complete it.
    if case.conditions.is_empty() || case.settles_at.is_some() || waits_to_try {
        return Needs::Time;
    }
    // Where nothing is open it is looked at once more.
    let open = case.conditions.iter().filter(|condition| !condition.holds);
    if open.into_iter().all(|condition| goes_on(condition.name, case)) {
        Needs::Time
    } else {
        Needs::Person
    }
}

/// Conditions for which its files are read: that comes to an end by itself.
fn goes_on(name: ConditionName, case: &Case) -> bool {
    match name {
        ConditionName::NewContent => case.content.digest.is_none(),
        ConditionName::Checksums => true,
        ConditionName::Content
        | ConditionName::Quiet
        | ConditionName::NoWriters
        | ConditionName::Unfinished
        | ConditionName::Marker
        | ConditionName::Manifest
        | ConditionName::Start => false,
    }
}

/// Whether the slots that a case asks for are free, so that it is about to get them.
fn is_met(case: &Case, world: &World) -> bool {
    let order = &case.order;
    let free = world.slots.iter().filter(|view| {
        view.state == SlotState::Free
            && !view.draining
            && order.group.as_ref().is_none_or(|group| *group == view.slot.group)
            && (order.gpus == 0 || view.slot.gpu.is_some())
    });
    free.count() >= usize::try_from(order.gpus.max(1)).unwrap_or(usize::MAX)
}

fn has_job(case: &Case) -> bool {
    matches!(
        case.state.name(),
        StateName::Submitting
            | StateName::Queued
            | StateName::Running
            | StateName::Returning
            | StateName::Cancelling
    )
}

#[cfg(test)]
mod tests;
