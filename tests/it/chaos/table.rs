//! Owns what is told of rounds: a line for each, and a table of all at the end.

use std::collections::BTreeMap;
use std::fmt;

use super::round::Outcome;
use super::schedule::{Fault, Schedule};

#[derive(Default)]
pub(super) struct Table {
    rounds: usize,
    cases: usize,
    executions: usize,
    held: usize,
    failed: usize,
    gave_up: usize,
    hits: BTreeMap<Fault, usize>,
    missed: BTreeMap<Fault, usize>,
    pub(super) violations: usize,
}

impl Table {
    /// Counts a round, and says what it came to.
    pub(super) fn line(&mut self, schedule: &Schedule, outcome: &Outcome) -> String {
        self.rounds += 1;
        self.cases += outcome.cases;
        self.executions += outcome.executions;
        self.held += outcome.held;
        self.failed += outcome.failed;
        self.gave_up += outcome.gave_up;
        self.violations += outcome.violations.len();
        for (all, round) in [(&mut self.hits, &outcome.hits), (&mut self.missed, &outcome.missed)] {
            for (&fault, times) in round {
                *all.entry(fault).or_default() += times;
            }
        }
        format!(
            "round {}, seed {}, {:?}: {} cases, {} faults in {} s, at rest after {} more, \
             {} executions, {} waited for a person, {} had failed, {} s in all, {} violations",
            self.rounds,
            schedule.seed,
            schedule.site,
            outcome.cases,
            outcome.hits.values().sum::<usize>(),
            outcome.broke.as_secs(),
            outcome.rested.as_secs(),
            outcome.executions,
            outcome.held,
            outcome.failed,
            outcome.took.as_secs(),
            outcome.violations.len(),
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |what: &str, times: usize| writeln!(f, "{what:<36}{times:>8}");
        row("rounds", self.rounds)?;
        row("cases", self.cases)?;
        row("executions", self.executions)?;
        row("waited for a person, then went on", self.held)?;
        row("had failed, then went on", self.failed)?;
        row("daemon ended itself, its disk full", self.gave_up)?;
        for fault in Fault::ALL {
            row(fault.words(), self.hits.get(&fault).copied().unwrap_or_default())?;
        }
        row("faults that met nobody", self.missed.values().sum())?;
        row("violations", self.violations)
    }
}
