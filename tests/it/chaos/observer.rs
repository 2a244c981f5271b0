//! Owns what may be concluded of a round, from what the jobs wrote of themselves, what lies
//! on the headnode and at home, and what the program says. What was executed is never
//! taken from the program's word.

use std::collections::{BTreeMap, BTreeSet};

use crate::system::runs::Run;

/// What became of a case, as the program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    Succeeded,
    Failed,
    Held,
    /// None of these, in its own words.
    Other(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) word: Word,
    pub(crate) because: String,
}

/// What a job noted of what it worked with: checksums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) attempt: String,
    /// Of the files that it found.
    pub(crate) found: String,
    /// Of its result.
    pub(crate) result: String,
}

/// Who has an attempt's claim, by the file itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claimed {
    Job,
    Daemon,
    Nobody,
}

/// What an attempt's directory on the headnode says of it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) case: String,
    /// Counted from 1 within the case.
    pub(crate) number: u64,
    pub(crate) claimed: Claimed,
    /// By its end record, which `job.sh` writes where the command itself did not come so far.
    pub(crate) ended_ns: Option<u128>,
}

/// All that is known at a moment at which nothing is under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// Every case that arrived, with the checksum of its files.
    pub(crate) arrived: BTreeMap<String, String>,
    pub(crate) runs: Vec<Run>,
    pub(crate) made: Vec<Made>,
    /// By id.
    pub(crate) attempts: BTreeMap<String, Attempt>,
    /// Attempts of which something was killed, and when all of that was gone.
    pub(crate) killed: BTreeMap<String, u128>,
    /// Attempts that stood still for a while: the kernel hangs such a job up when what
    /// started it dies meanwhile.
    pub(crate) stopped: BTreeSet<String>,
    /// Results at home, by case.
    pub(crate) home: BTreeMap<String, String>,
    pub(crate) told: BTreeMap<String, Told>,
    /// Slots that are not free.
    pub(crate) taken: Vec<String>,
    /// What still runs or waits on the headnode.
    pub(crate) left: Vec<String>,
    /// What the daemon did of itself that no fault explains.
    pub(crate) misbehaved: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Violation {
    #[error("{attempt} of {case} was executed {times} times")]
    ExecutedAgain { case: String, attempt: String, times: usize },
    #[error("{case} was never executed")]
    NeverExecuted { case: String },
    #[error("{attempt} of {case} is claimed by its job, was met by nothing and not executed")]
    ClaimedOnly { case: String, attempt: String },
    #[error("{attempt} of {case} was executed and its claim is {claimed:?}'s")]
    NotItsClaim { case: String, attempt: String, claimed: String },
    #[error("{case} ran beside itself: {attempts:?}")]
    BesideItself { case: String, attempts: [String; 2] },
    #[error("slot {slot} had two at once: {attempts:?}")]
    SlotShared { slot: String, attempts: [String; 2] },
    #[error("{case} ran again after {attempt} had made its result")]
    AgainWithoutCause { case: String, attempt: String },
    #[error("{case} worked with other files than those that arrived ({attempt})")]
    OtherFiles { case: String, attempt: String },
    #[error("{case} has come home otherwise than it was made")]
    WrongBytes { case: String },
    #[error("{case} has succeeded and nothing came home")]
    NothingHome { case: String },
    #[error("{case} has succeeded and its job does not say so")]
    NotEnded { case: String },
    #[error("{case} has failed or is held and nothing was done to it: {because}")]
    WithoutCause { case: String, because: String },
    #[error("{case} is held without a reason: {because:?}")]
    WithoutReason { case: String, because: String },
    #[error("{case} has not come to an end, is {word}: {because}")]
    Unfinished { case: String, word: String, because: String },
    #[error("{case} is not known to the program")]
    Unknown { case: String },
    #[error("a slot is not free: {0}")]
    SlotTaken(String),
    #[error("left: {0}")]
    Left(String),
    #[error("{0}")]
    Misbehaved(String),
}

impl Evidence {
    /// Whether something was done to an attempt of which it may have died.
    fn is_touched(&self, attempt: &str) -> bool {
        self.killed.contains_key(attempt) || self.stopped.contains(attempt)
    }

    /// When an execution was over at the latest.
    fn end_of(&self, run: &Run) -> u128 {
        let recorded = self.attempts.get(&run.attempt).and_then(|attempt| attempt.ended_ns);
        let killed = self.killed.get(&run.attempt).copied();
        run.ended_ns.or(recorded).or(killed).unwrap_or(u128::MAX)
    }
}

/// All that is not as it was promised.
pub(crate) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let mut found: BTreeSet<Violation> = BTreeSet::new();
    found.extend(executions(evidence));
    found.extend(at_once(evidence));
    for case in evidence.arrived.keys() {
        found.extend(case_of(evidence, case));
    }
    found.extend(evidence.taken.iter().cloned().map(Violation::SlotTaken));
    found.extend(evidence.left.iter().cloned().map(Violation::Left));
    found.extend(evidence.misbehaved.iter().cloned().map(Violation::Misbehaved));
    found.into_iter().collect()
}

/// Each attempt once, and by the claim that its directory has.
fn executions(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut times: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for run in &evidence.runs {
        times.entry(&run.attempt).or_insert((0, &run.case)).0 += 1;
    }
    for (&attempt, &(times, case)) in &times {
        let (case, attempt) = (case.to_owned(), attempt.to_owned());
        let claimed = evidence.attempts.get(&attempt).map(|attempt| attempt.claimed);
        let claimed = claimed.unwrap_or(Claimed::Nobody);
        if claimed != Claimed::Job {
            let claimed = format!("{claimed:?}");
            let (case, attempt) = (case.clone(), attempt.clone());
            found.push(Violation::NotItsClaim { case, attempt, claimed });
        }
        if times > 1 {
            found.push(Violation::ExecutedAgain { case, attempt, times });
        }
    }
    for (id, attempt) in &evidence.attempts {
        let excused = times.contains_key(id.as_str()) || evidence.is_touched(id);
        if attempt.claimed == Claimed::Job && !excused {
            let (case, attempt) = (attempt.case.clone(), id.clone());
            found.push(Violation::ClaimedOnly { case, attempt });
        }
    }
    found
}

/// No case beside itself, no slot for two.
fn at_once(evidence: &Evidence) -> Vec<Violation> {
    let mut runs: Vec<&Run> = evidence.runs.iter().collect();
    runs.sort_by_key(|run| run.began_ns);
    let mut found = Vec::new();
    for (at, first) in runs.iter().enumerate() {
        let end = evidence.end_of(first);
        for second in runs[at + 1..].iter().take_while(|second| second.began_ns < end) {
            let attempts = [first.attempt.clone(), second.attempt.clone()];
            if first.case == second.case {
                let (case, attempts) = (first.case.clone(), attempts.clone());
                found.push(Violation::BesideItself { case, attempts });
            }
            if (&first.slot, &first.cuda) == (&second.slot, &second.cuda) {
                let slot = format!("{} ({})", first.slot, first.cuda);
                found.push(Violation::SlotShared { slot, attempts });
            }
        }
    }
    found
}

/// The attempt of a case that was made last.
fn last_of<'a>(evidence: &'a Evidence, case: &str) -> Option<&'a str> {
    let of_it = evidence.attempts.iter().filter(|(_, attempt)| attempt.case == case);
    of_it.max_by_key(|(_, attempt)| attempt.number).map(|(id, _)| id.as_str())
}

fn case_of(evidence: &Evidence, name: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let case = name.to_owned();
    let mut runs: Vec<&Run> = evidence.runs.iter().filter(|run| run.case == name).collect();
    runs.sort_by_key(|run| run.began_ns);
    let made = |run: &&Run| evidence.made.iter().find(|made| made.attempt == run.attempt);
    for run in &runs {
        let given = &evidence.arrived[name];
        if made(run).is_some_and(|made| made.found != *given) {
            let (case, attempt) = (case.clone(), run.attempt.clone());
            found.push(Violation::OtherFiles { case, attempt });
        }
    }
    for pair in runs.windows(2) {
        let (earlier, later) = (&pair[0], &pair[1]);
        let excused = evidence.is_touched(&earlier.attempt) || made(earlier).is_none();
        if earlier.attempt != later.attempt && !excused {
            let (case, attempt) = (case.clone(), earlier.attempt.clone());
            found.push(Violation::AgainWithoutCause { case, attempt });
        }
    }
    let Some(told) = evidence.told.get(name) else {
        found.push(Violation::Unknown { case });
        return found;
    };
    let last = last_of(evidence, name);
    let made = evidence.made.iter().find(|made| Some(made.attempt.as_str()) == last);
    let touched = last.is_some_and(|last| evidence.is_touched(last));
    if runs.is_empty() && !touched {
        found.push(Violation::NeverExecuted { case: case.clone() });
    }
    let because = told.because.clone();
    match &told.word {
        Word::Succeeded => match (made, evidence.home.get(name)) {
            (None, _) => found.push(Violation::NotEnded { case }),
            (Some(_), None) => found.push(Violation::NothingHome { case }),
            (Some(made), Some(home)) if made.result != *home => {
                found.push(Violation::WrongBytes { case });
            }
            (Some(_), Some(_)) => {}
        },
        Word::Failed | Word::Held => {
            let executed = runs.iter().any(|run| Some(run.attempt.as_str()) == last);
            if !touched && (made.is_some() || !executed) {
                let (case, because) = (case.clone(), because.clone());
                found.push(Violation::WithoutCause { case, because });
            }
            if told.word == Word::Held && !because.starts_with("Waiting for a person: ") {
                found.push(Violation::WithoutReason { case, because });
            }
        }
        Word::Other(word) => {
            found.push(Violation::Unfinished { case, word: word.clone(), because });
        }
    }
    found
}

#[cfg(test)]
mod tests;
