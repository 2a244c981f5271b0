//! Owns what jobs write of themselves: the proof of what was executed, kept where the
//! program under test never looks.

use std::collections::BTreeMap;
use std::path::Path;

/// One execution of a command.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) attempt: String,
    pub(crate) case: String,
    pub(crate) slot: String,
    pub(crate) cuda: String,
    pub(crate) began_ns: u128,
    /// None: it has not come to its end.
    pub(crate) ended_ns: Option<u128>,
}

/// Every execution, in the order in which they began.
pub(crate) fn runs(file: &Path) -> Vec<Run> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut runs: Vec<Run> = Vec::new();
    let mut by_process: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let [what, attempt, pid, at, case, slot, cuda] = words[..] else {
            panic!("a job wrote {line:?}")
        };
        let key = (attempt.to_owned(), pid.to_owned());
        let at = at.parse().unwrap();
        if what == "start" {
            by_process.insert(key, runs.len());
            runs.push(Run {
                attempt: attempt.to_owned(),
                case: case.to_owned(),
                slot: slot.to_owned(),
                cuda: cuda.to_owned(),
                began_ns: at,
                ended_ns: None,
            });
        } else {
            runs[by_process[&key]].ended_ns = Some(at);
        }
    }
    runs
}

/// How many of these ran at the same moment at most.
pub(crate) fn most_at_once(runs: &[&Run]) -> usize {
    let during = |at: u128| {
        let lives = |run: &&&Run| run.began_ns <= at && run.ended_ns.is_none_or(|end| end > at);
        runs.iter().filter(lives).count()
    };
    runs.iter().map(|run| during(run.began_ns)).max().unwrap_or(0)
}
