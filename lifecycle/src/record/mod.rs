//! Owns every change of a case: the only place where a state becomes another.
//!
//! `record` asks nothing of the world and decides nothing by policy: the observation
//! carries all it needs, so replaying a journal gives the same case at any later time.
//! What is not possible in a state is a value ([`Recorded::Stale`], `Refused`), never
//! a panic.

mod adopted;
mod asked;
mod attempt;
mod decided;
mod folder;

use jiff::Timestamp;

use crate::attempt::{Attempt, Tenure};
use crate::case::{Case, Hold, HoldWhy, State, StateName, StepName, Trouble, Troubles};
use crate::ids::{Actor, AttemptId, Slot};
use crate::observation::{Observation, Observed};
use crate::outcome::{Fault, FaultClass};

/// What became of an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Store the case and add the observation to the journal.
    Changed(Box<Case>),
    /// Nothing new: neither is written.
    Same,
    /// It is of an attempt or step that is over: journalled, changes nothing.
    Stale { why: String },
    /// The case is no more; its journal stays.
    Dropped { why: String },
    /// A person asked for what cannot be done now; told to them, not journalled.
    Refused { why: String },
}

/// Records an observation. `case` is None only for `Appeared` and `Adopted`.
pub fn record(case: Option<&Case>, observed: &Observed) -> Recorded {
    let Some(case) = case else {
        return if let Observation::Appeared(appeared) = &observed.what {
            Recorded::Changed(Box::new(folder::appeared(appeared, observed)))
        } else if let Observation::Adopted(adopted) = &observed.what {
            Recorded::Changed(Box::new(adopted::unknown(adopted, observed)))
        } else {
            Recorded::Stale { why: "there is no such case".to_owned() }
        };
    };
    let mut next = Next { case: case.clone(), at: observed.at, actor: observed.actor.clone() };
    let effect = match &observed.what {
        Observation::Appeared(_) => Effect::Nothing,
        Observation::Scanned(scanned) => folder::scanned(&mut next, scanned),
        Observation::Hashed { fingerprint, digest } => {
            folder::hashed(&mut next, fingerprint, digest)
        }
        Observation::Compared(compared) => folder::compared(&mut next, compared),
        Observation::Vanished => folder::vanished(&mut next),
        Observation::CameBack { folder, fingerprint } => {
            folder::came_back(&mut next, folder.as_ref(), fingerprint)
        }
        Observation::Granted { attempt, slots } => {
            attempt::granted(&mut next, attempt, slots.clone())
        }
        Observation::SentAhead { attempt } => attempt::granted(&mut next, attempt, Vec::new()),
        Observation::Placed { attempt, slots } => {
            attempt::placed(&mut next, attempt, slots.clone())
        }
        Observation::Shipped { attempt, files, bytes, digest } => {
            attempt::shipped(&mut next, attempt, *files, *bytes, digest.as_ref())
        }
        Observation::StepFailed { attempt, step, fault } => {
            step_failed(&mut next, attempt.as_ref(), *step, fault)
        }
        Observation::Submitted { attempt, task } => {
            attempt::submitted(&mut next, attempt, task.as_ref())
        }
        Observation::Looked { attempt, look, queue_wiped, begun } => {
            attempt::looked(&mut next, attempt, look, *queue_wiped, *begun)
        }
        Observation::Claimed { attempt, by } => attempt::claimed(&mut next, attempt, *by),
        Observation::Signalled { attempt, force } => attempt::signalled(&mut next, attempt, *force),
        Observation::Stopped { attempt } => attempt::stopped(&mut next, attempt),
        Observation::Returned { attempt, stored } => attempt::returned(&mut next, attempt, stored),
        Observation::Adopted(adopted) => adopted::adopted(&mut next, adopted),
        Observation::Cleaned { attempts, .. } => adopted::cleaned(&mut next, attempts),
        Observation::Asked(request) => asked::asked(&mut next, request),
        Observation::Decided(decision) => decided::decided(&mut next, decision),
        Observation::Panicked { text } => panicked(&mut next, text),
        Observation::ContactRegained => contact_regained(&mut next),
        Observation::ClockStepped => attempt::clock_stepped(&mut next),
    };
    match effect {
        Effect::Change if next.case == *case => Recorded::Same,
        Effect::Change | Effect::Note => {
            next.case.updated_at = observed.at;
            next.case.version = case.version.saturating_add(1);
            Recorded::Changed(Box::new(next.case))
        }
        Effect::Nothing => Recorded::Same,
        Effect::Stale(why) => Recorded::Stale { why },
        Effect::Drop(why) => Recorded::Dropped { why },
        Effect::Refuse(why) => Recorded::Refused { why },
    }
}

/// A case on its way to what it becomes.
struct Next {
    case: Case,
    at: Timestamp,
    actor: Actor,
}

enum Effect {
    /// Compare with what was: equal is nothing new.
    Change,
    /// Journalled although the case stays as it is.
    Note,
    Nothing,
    Stale(String),
    Drop(String),
    Refuse(String),
}

impl Next {
    fn name(&self) -> StateName {
        self.case.state.name()
    }

    /// The current attempt, if it is the one the observation is about.
    fn is_current(&self, id: &AttemptId) -> bool {
        self.case.attempt().is_some_and(|attempt| attempt.id == *id)
    }

    /// The current attempt, if it is this one and the case is in one of these states.
    fn attempt_in(&mut self, states: &[StateName], id: &AttemptId) -> Option<&mut Attempt> {
        if !states.contains(&self.name()) {
            return None;
        }
        self.case.state.attempt_mut().filter(|attempt| attempt.id == *id)
    }

    /// Takes the attempt out of the state, which is then to be set anew.
    fn take_attempt(&mut self) -> Option<Box<Attempt>> {
        std::mem::replace(&mut self.case.state, State::Arriving).into_attempt()
    }

    /// Takes the attempt out as above; the state stays where this one is not the current.
    fn take_attempt_in(&mut self, states: &[StateName], id: &AttemptId) -> Option<Box<Attempt>> {
        self.attempt_in(states, id)?;
        self.take_attempt()
    }

    fn hold(&mut self, why: HoldWhy, reason: impl Into<String>) {
        self.case.hold =
            Some(Hold { why, reason: reason.into(), since: self.at, by: self.actor.clone() });
        // Held before `submitting` gives its slots back: nothing was handed over.
        if let State::Shipping { attempt } | State::Staged { attempt } = &mut self.case.state {
            attempt.tenure = Tenure::None;
        }
    }

    /// A hold that only said that an end was not known falls away once it is.
    fn release_uncertainty(&mut self) {
        let uncertain = self.case.hold.as_ref().is_some_and(|hold| match hold.why {
            HoldWhy::Lost | HoldWhy::Unconfirmed | HoldWhy::Impossible => true,
            HoldWhy::Asked
            | HoldWhy::Baseline
            | HoldWhy::Trouble
            | HoldWhy::Removed
            | HoldWhy::Panic
            | HoldWhy::Adopted => false,
        });
        if uncertain {
            self.case.hold = None;
        }
    }

    fn trouble(&mut self, step: StepName, fault: &Fault) {
        // The time spent waiting for room or a person is no time spent trying.
        let goes_on =
            |trouble: &&Trouble| trouble.class.burns_budget() == fault.class.burns_budget();
        let (tries, first_at) = match self.case.troubles.of(step).filter(goes_on) {
            Some(trouble) => (trouble.tries.saturating_add(1), trouble.first_at),
            None => (1, self.at),
        };
        self.case.troubles.put(Trouble {
            step,
            class: fault.class,
            text: fault.text.clone(),
            tries,
            first_at,
            last_at: self.at,
        });
    }

    /// A step has succeeded: its retry clock starts anew.
    fn over(&mut self, step: StepName) {
        self.case.troubles.over(step);
    }

    fn finish(&mut self, state: State) {
        self.case.state = state;
        self.case.finished_at = Some(self.at);
        self.case.hold = None;
        self.case.troubles = Troubles::default();
        self.case.settles_at = None;
    }
}

fn reserved(slots: Vec<Slot>, since: Timestamp) -> Tenure {
    if slots.is_empty() { Tenure::None } else { Tenure::Reserved { slots, since } }
}

fn step_failed(
    next: &mut Next,
    attempt: Option<&AttemptId>,
    step: StepName,
    fault: &Fault,
) -> Effect {
    if next.name().is_terminal() {
        return Effect::Stale("the case has ended".to_owned());
    }
    if attempt.is_some_and(|id| !next.is_current(id)) {
        return Effect::Stale("of another attempt".to_owned());
    }
    let expected = match step {
        StepName::Scan | StepName::Hash | StepName::Manifest => next.name().is_before_submitting(),
        StepName::Ship => next.name() == StateName::Shipping,
        StepName::Submit => next.name() == StateName::Submitting,
        StepName::Return => next.name() == StateName::Returning,
        StepName::Stop => next.case.attempt().is_some_and(Attempt::awaits_stop),
        StepName::Look | StepName::Claim | StepName::End => attempt.is_some(),
    };
    if !expected {
        return Effect::Stale(format!("the case is {} by now", next.name()));
    }
    next.trouble(step, fault);
    Effect::Change
}

fn panicked(next: &mut Next, text: &str) -> Effect {
    if next.name().is_terminal() {
        return Effect::Note;
    }
    next.hold(HoldWhy::Panic, text);
    Effect::Change
}

/// The clock of a step that did not work there starts anew: while nothing could be
/// tried, none of its budget was used. What uses none keeps its trouble, so that what
/// closes the circuit and fails again is tried ever less often.
fn contact_regained(next: &mut Next) -> Effect {
    if next.name().is_terminal() || next.case.hold.is_some() {
        return Effect::Nothing;
    }
    next.case.troubles.keep(|trouble| {
        let there = match trouble.step {
            StepName::Scan | StepName::Hash | StepName::Manifest => false,
            StepName::Ship
            | StepName::Submit
            | StepName::Look
            | StepName::Claim
            | StepName::End
            | StepName::Stop
            | StepName::Return => true,
        };
        !(there && trouble.class.burns_budget())
    });
    Effect::Change
}

/// What `looked` keeps of an attempt that could not be looked at.
fn could_not_look(next: &mut Next, why: &str) -> Effect {
    let told = next.case.troubles.of(StepName::Look);
    if told.is_some_and(|trouble| trouble.text == why) {
        return Effect::Nothing;
    }
    next.trouble(StepName::Look, &Fault::new(FaultClass::Ambiguous, why));
    Effect::Change
}
