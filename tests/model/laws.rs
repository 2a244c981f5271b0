//! Owns the laws of DESIGN section 3, checked from outside: what the database says
//! against what truly happened on the headnode and in the intake.

use std::collections::{BTreeMap, BTreeSet};

use daylily_lifecycle::attempt::{Attempt, AttemptResult, ClaimedBy, EndHow, Tenure};
use daylily_lifecycle::case::{Case, State, StateName};
use daylily_lifecycle::ids::{AttemptId, CaseId, Slot};
use daylily_lifecycle::observation::{Decision, Observation, Verb};
use daylily_lifecycle::outcome::{ExitRecord, QueueWord};
use daylily_lifecycle::policy::{HeadnodeState, SlotState};
use daylily_watch::adapters::host::read::ClaimText;
use daylily_watch::store::journal::JournalId;
use daylily_watch::store::read::Reader;

use crate::adapters::home::There;
use crate::ground::Ground;

/// What a daemon's database was when it was checked last.
pub(crate) struct Laws {
    seen: JournalId,
    known: BTreeMap<CaseId, Case>,
    /// Times that a case was to be run again: by a person, or as its pipeline wants.
    again: BTreeMap<CaseId, u32>,
    /// What cases did since it was asked last, where the story is told.
    pub(crate) story: Option<Vec<String>>,
}

/// A law that does not hold, in words.
pub(crate) type Verdict = Result<(), String>;

macro_rules! law {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

/// Law 1, whoever had it done: no case is executed more often than was wanted.
pub(crate) fn executed_once(ground: &Ground, wanted: &BTreeMap<String, u32>) -> Verdict {
    let mut executed: BTreeMap<&str, u32> = BTreeMap::new();
    let state = ground.machine.state();
    for there in state.attempts.values() {
        *executed.entry(&there.job.dir).or_default() += there.executed;
    }
    for (dir, times) in executed {
        let wanted = wanted.get(dir).copied().unwrap_or(0);
        law!(times <= wanted, "law 1: {dir} was executed {times} times, {wanted} wanted");
    }
    Ok(())
}

impl Laws {
    pub(crate) fn new(told: bool) -> Self {
        let (known, again, story) = (BTreeMap::new(), BTreeMap::new(), told.then(Vec::new));
        Self { seen: JournalId::START, known, again, story }
    }

    /// What must hold at every moment.
    pub(crate) fn check(&mut self, reader: &Reader, ground: &Ground) -> Verdict {
        self.take_in(reader, ground)?;
        self.slots(reader)?;
        self.truth(ground)
    }

    /// Takes in what was recorded since, each case with the way it took.
    fn take_in(&mut self, reader: &Reader, ground: &Ground) -> Verdict {
        loop {
            let entries = reader.history(self.seen, 1_000).map_err(|error| error.to_string())?;
            let Some(last) = entries.last() else { return Ok(()) };
            self.seen = last.id;
            let mut touched = BTreeSet::new();
            for entry in entries {
                self.hear(&entry.case, &entry.observed.what);
                touched.insert(entry.case);
            }
            for id in touched {
                let before = self.known.remove(&id);
                let Some(after) = reader.case(&id).map_err(|error| error.to_string())? else {
                    let has_attempts = |case: &Case| case.attempts().count() > 0;
                    let handed_over = before.as_ref().is_some_and(has_attempts);
                    law!(!handed_over, "law 7: case {id} with attempts was dropped");
                    if let (Some(story), Some(before)) = (&mut self.story, &before) {
                        story.push(format!("{} is dropped", before.name));
                    }
                    continue;
                };
                if let Some(before) = &before {
                    passage(before, &after)?;
                }
                stands(&after, ground)?;
                if let Some(story) = &mut self.story {
                    let (was, is) = (before.map(|case| case.state.name()), after.state.name());
                    if was != Some(is) {
                        story.push(format!("{} is {is}", after.name));
                    }
                }
                self.known.insert(id, after);
            }
        }
    }

    fn hear(&mut self, case: &CaseId, what: &Observation) {
        let asked = matches!(what, Observation::Asked(request) if matches!(request.verb, Verb::Rerun { .. }));
        let again = asked || matches!(what, Observation::Decided(Decision::Rerun));
        if again {
            *self.again.entry(case.clone()).or_default() += 1;
        }
    }

    /// Law 2: slots and attempts say the same, and no slot is with two.
    fn slots(&self, reader: &Reader) -> Verdict {
        let mut held: BTreeMap<Slot, (AttemptId, SlotState)> = BTreeMap::new();
        for attempt in self.known.values().flat_map(Case::attempts) {
            let state = match &attempt.tenure {
                Tenure::None => continue,
                Tenure::Reserved { .. } => SlotState::Reserved,
                Tenure::Quarantined { .. } => SlotState::Quarantined,
            };
            for slot in attempt.tenure.slots() {
                let other = held.insert(slot.clone(), (attempt.id.clone(), state));
                law!(other.is_none(), "law 2: {slot} is with {} and {other:?}", attempt.id);
            }
        }
        let stored: BTreeMap<Slot, (AttemptId, SlotState)> = reader
            .slots()
            .map_err(|error| error.to_string())?
            .into_iter()
            .filter_map(|slot| Some((slot.view.slot, (slot.holder?.attempt, slot.view.state))))
            .collect();
        law!(stored == held, "law 2: slots say {stored:?} and attempts {held:?}");
        Ok(())
    }

    /// Laws 1 and 2 against what truly runs on the headnode.
    fn truth(&self, ground: &Ground) -> Verdict {
        let by_id: BTreeMap<&AttemptId, (&Case, &Attempt)> = self
            .known
            .values()
            .flat_map(|case| case.attempts().map(move |attempt| (&attempt.id, (case, attempt))))
            .collect();
        let list = ground.queue.list();
        let waits: BTreeSet<&AttemptId> = list
            .iter()
            .filter(|listed| listed.says == QueueWord::Waiting)
            .map(|listed| &listed.entry.attempt)
            .collect();
        // In the order in which the queue takes its locks, so the state comes second.
        let waits: BTreeSet<AttemptId> = waits.into_iter().cloned().collect();
        drop(list);
        let state = ground.machine.state();
        let mut living: BTreeMap<(&str, &str), &AttemptId> = BTreeMap::new();
        for (id, there) in &state.attempts {
            law!(
                there.executed <= 1,
                "law 1: the command of {id} was executed {} times",
                there.executed
            );
            let lives = there.running || there.processes > 0;
            if lives {
                let place = (there.job.intake.as_str(), there.job.remote_name.as_str());
                let other = living.insert(place, id);
                law!(other.is_none(), "law 1: {id} and {other:?} of one case run at the same time");
            }
            law!(there.locked_out == 0, "law 1: {id} was started while another of its case ran");
            let can_start = waits.contains(id) && there.claim == ClaimText::Absent;
            if (lives || can_start)
                && let Some((case, attempt)) = by_id.get(id)
            {
                let abandoned =
                    attempt.end.as_ref().is_some_and(|end| end.how == EndHow::Abandoned);
                let what = if lives { "runs" } else { "can start" };
                law!(
                    abandoned || !attempt.tenure.slots().is_empty(),
                    "law 2: {id} of {} {what} and holds no slot in {}",
                    case.name,
                    case.state.name()
                );
            }
        }
        Ok(())
    }

    /// Each folder that is in the intake is a case, and what came of it is told.
    pub(crate) fn lost_no_folder(&self, ground: &Ground) -> Verdict {
        for There { name, identity, content, changed } in ground.home.folders() {
            let Some(case) = self.find(&name) else {
                return Err(format!("law 7: folder {name} is no case"));
            };
            // Another content in its place is told, and is a case when this one has ended.
            let waits = !case.state.name().is_terminal() && case.changed.is_some();
            law!(
                waits || case.folder.as_ref() == Some(&identity),
                "law 7: folder {name} ({identity}) is not that of its case: {:?}",
                case.folder
            );
            let ran = matches!(case.state.name(), StateName::Succeeded | StateName::Failed);
            // Written by a clock that was set back, it looks older than the case.
            let looks_older = case.ready_at.is_some_and(|ready| changed <= ready);
            law!(
                !ran || case.content.fingerprint.as_ref() == Some(&content)
                    || case.changed.is_some()
                    || looks_older,
                "law 7: nobody tells that {name} changed after it was handed over"
            );
        }
        Ok(())
    }

    /// What must hold when nothing happens any more. Of several daemons on copies of one
    /// database, all but one may find that the headnode is not theirs.
    pub(crate) fn check_the_end(&self, reader: &Reader, one_of_several: bool) -> Verdict {
        let aside = one_of_several && is_set_aside(reader)?;
        for (id, case) in &self.known {
            let over = case.state.name().is_terminal() || case.state.name() == StateName::Rejected;
            let held = case.hold.as_ref().is_some_and(|hold| !hold.reason.is_empty());
            law!(
                over || held || aside,
                "law 7: {} stays {} for ever",
                case.name,
                case.state.name()
            );
            let replayed = reader.replay(id).map_err(|error| error.to_string())?;
            law!(
                replayed.as_ref() == Some(case),
                "law 7: the journal of {} tells {replayed:?}, stored is {case:?}",
                case.name
            );
        }
        Ok(())
    }

    /// By the folder it runs in: how often each case may be executed.
    pub(crate) fn wanted(&self, wanted: &mut BTreeMap<String, u32>) {
        for (id, case) in &self.known {
            for attempt in case.attempts() {
                wanted.entry(attempt.place.remote_dir.clone()).or_insert(1);
            }
            if let (Some(again), Some(last)) = (self.again.get(id), case.attempts().last()) {
                *wanted.entry(last.place.remote_dir.clone()).or_insert(1) += again;
            }
        }
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.known.values()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Case> {
        let of_name = self.known.values().filter(|case| case.name.as_str() == name);
        of_name.max_by_key(|case| case.arrival)
    }
}

/// Whether the headnode waits for a person, and all that is there with it.
pub(crate) fn is_set_aside(reader: &Reader) -> Result<bool, String> {
    let headnodes = reader.headnodes().map_err(|error| error.to_string())?;
    Ok(headnodes.iter().any(|node| matches!(node.state, HeadnodeState::Broken { .. })))
}

/// What a case may become in between.
fn passage(before: &Case, after: &Case) -> Verdict {
    let held = |case: &Case| -> BTreeMap<AttemptId, Vec<Slot>> {
        let attempts = case.attempts().filter(|attempt| !attempt.tenure.slots().is_empty());
        attempts.map(|attempt| (attempt.id.clone(), attempt.tenure.slots().to_vec())).collect()
    };
    let kept = held(after);
    for (id, slots) in held(before) {
        if kept.get(&id) == Some(&slots) {
            continue;
        }
        let attempt = after.attempts().find(|attempt| attempt.id == id);
        let Some(attempt) = attempt else {
            return Err(format!("law 7: attempt {id} of {} is lost", after.name));
        };
        law!(
            attempt.end.is_some() || attempt.intent_at.is_none(),
            "law 2: {} freed the slots of {id} without an end",
            after.name
        );
    }
    Ok(())
}

/// What a case says of itself is so.
fn stands(case: &Case, ground: &Ground) -> Verdict {
    let name = &case.name;
    law!(
        !case.state.name().is_terminal() || case.attempts().all(|a| a.tenure.slots().is_empty()),
        "law 2: {name} has ended and holds slots"
    );
    let machine = ground.machine.state();
    for attempt in case.attempts() {
        let Some(end) = &attempt.end else { continue };
        let there = machine.attempts.get(&attempt.id);
        match end.how {
            EndHow::Recorded => {
                let exit = there.map(|there| &there.exit);
                let same =
                    matches!(exit, Some(ExitRecord::Present { code, .. }) if *code == end.code);
                law!(same, "law 3: {name} says it ended with {:?}, and wrote {exit:?}", end.code);
            }
            EndHow::Observed => {
                let lives = there.is_some_and(|there| there.running || there.processes > 0);
                law!(!lives, "law 3: the end of {} was concluded, and it lives", attempt.id);
            }
            EndHow::NeverRan => {
                let executed = there.is_some_and(|there| there.executed > 0);
                law!(!executed, "law 2: {} never ran, and was executed", attempt.id);
                law!(
                    attempt.claimed_by == Some(ClaimedBy::Daemon),
                    "law 2: {} never ran, and the claim is not ours",
                    attempt.id
                );
            }
            EndHow::Superseded | EndHow::Abandoned => {}
        }
    }
    if let State::Failed { attempt, .. } = &case.state {
        law!(attempt.end.is_some(), "law 3: {name} failed without an end");
    }
    if let State::Succeeded { attempt, end, stored } = &case.state {
        law!(end.code == Some(0), "law 5: {name} succeeded with {:?}", end.code);
        law!(stored.missing.is_empty(), "law 5: {name} succeeded without {:?}", stored.missing);
        let result = attempt.result;
        law!(result == Some(AttemptResult::Succeeded), "law 5: {name}: {result:?}");
        let to = stored.to.as_ref().map(std::path::Path::new);
        let placed = to.and_then(|to| ground.home.placed(to));
        law!(
            placed.as_ref() == Some(&attempt.id),
            "law 5: {name} succeeded, and its results are {placed:?} at {to:?}"
        );
    }
    Ok(())
}
