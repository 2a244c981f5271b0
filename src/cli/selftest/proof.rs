//! Owns what a step comes to: whether each command was executed exactly once per attempt,
//! how the case ended, whether the place came back and the results are what they must be.
//! It is judged by what jobs wrote of themselves and by what lies in folders.

use std::collections::BTreeMap;

use daylily_lifecycle::case::Case;
use serde::Serialize;

use super::bench::{Bench, without_advice};
use super::steps::{Met, Step, holder};
use super::toys::{self, RESULT};
use crate::cli::words;

/// A toy that could not be met at its step is followed by another one so often.
const TRIES: u32 = 5;

/// One line of the table.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The same in every version.
    pub(super) step: &'static str,
    #[serde(skip)]
    pub(super) told: &'static str,
    /// None: it was not, or could not be.
    pub(super) killed_at: Option<String>,
    pub(super) attempts: usize,
    pub(super) executions: usize,
    pub(super) ended_as: String,
    pub(super) proved: bool,
    /// False: one before it stopped them all.
    #[serde(skip)]
    pub(super) tried: bool,
    /// What is not as it must be.
    pub(super) problems: Vec<String>,
}

impl Row {
    fn new(step: Step) -> Self {
        Self {
            step: step.name(),
            told: step.in_plain_words(),
            killed_at: None,
            attempts: 0,
            executions: 0,
            ended_as: "-".to_owned(),
            proved: false,
            tried: true,
            problems: Vec::new(),
        }
    }

    pub(super) fn not_tried(step: Step) -> Self {
        Self { problems: vec!["not tried".to_owned()], tried: false, ..Self::new(step) }
    }

    pub(super) fn failed(step: Step, error: &anyhow::Error) -> Self {
        let told = words::plain(&format!("{error:#}"));
        Self { problems: vec![told], ..Self::new(step) }
    }
}

impl Bench {
    /// Kills the daemon at a step and judges what came of it.
    pub(super) async fn prove(&mut self, step: Step) -> anyhow::Result<Row> {
        for number in 1..=TRIES {
            let name = format!("{}-{number}", step.name());
            let met = self.bring(step, &name).await?;
            let mut row = self.judge(step, &name, matches!(met, Met::Over)).await?;
            match met {
                Met::Over if row.problems.is_empty() && number < TRIES => continue,
                Met::Over => row.problems.push("it was never met at this step".to_owned()),
                Met::Nobody => {}
                Met::Killed(at) => row.killed_at = Some(at),
            }
            row.proved = row.problems.is_empty();
            return Ok(row);
        }
        Ok(Row::not_tried(step))
    }

    async fn judge(&mut self, step: Step, name: &str, over: bool) -> anyhow::Result<Row> {
        let mut row = Row::new(step);
        let mut toys = vec![name.to_owned()];
        toys.extend((step == Step::Staged).then(|| holder(name)));
        for toy in &toys {
            let attempts = if step == Step::RunAgain { 2 } else { 1 };
            let has_ended = |case: &Case| {
                case.state.name().is_terminal() && case.attempts().count() >= attempts
                    || case.hold.is_some()
            };
            let case = self.until_case(toy, "at its end", has_ended).await?;
            self.judge_one(step, toy, &case, &mut row).await?;
        }
        if let Err(error) = self.until_all_slots_are_free().await {
            row.problems.push(format!("its place did not come back: {error:#}"));
        }
        // What was not met at the step has still to keep every promise.
        if over && step == Step::Cancelling {
            row.problems.retain(|problem| !problem.starts_with("it ended as"));
        }
        Ok(row)
    }

    async fn judge_one(
        &mut self,
        step: Step,
        toy: &str,
        case: &Case,
        row: &mut Row,
    ) -> anyhow::Result<()> {
        let is_subject = !toy.ends_with("-before");
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for execution in self.executions().await?.into_iter().filter(|e| e.case == toy) {
            *counted.entry(execution.attempt).or_default() += 1;
        }
        let known: Vec<&str> = case.attempts().map(|attempt| attempt.id.as_str()).collect();
        row.attempts += known.len();
        row.executions += counted.values().sum::<usize>();
        if known.len() != step.attempts() {
            row.problems.push(format!("{toy} has {} attempts", known.len()));
        }
        for attempt in known.iter().filter(|known| !counted.contains_key(**known)) {
            row.problems.push(format!("{attempt} was never executed"));
        }
        for (attempt, times) in &counted {
            if *times != 1 {
                row.problems.push(format!("{attempt} was executed {times} times"));
            }
            if !known.contains(&attempt.as_str()) {
                row.problems.push(format!("{attempt} was executed and is not known"));
            }
        }
        let state = case.state.name();
        if is_subject {
            row.ended_as = state.to_string();
        }
        if state != step.ends_as() || case.hold.is_some() {
            self.until_planned(case).await;
            let because = self.reader()?.board_row(&case.id)?.map(|row| row.because);
            let because = without_advice(&because.unwrap_or_default());
            let ended = match &case.hold {
                Some(_) => "it is held".to_owned(),
                None => format!("it ended as {state}"),
            };
            row.problems.push(format!("{ended}: {because}"));
        } else if !case.state.name().is_terminal() {
            row.problems.push(format!("{toy} is {state}"));
        }
        if self.reader()?.replay(&case.id)?.as_ref() != Some(case) {
            // What came after it was read is read again.
            let (journal, stored) =
                (self.reader()?.replay(&case.id)?, self.reader()?.case(&case.id)?);
            if journal != stored {
                row.problems.push("its journal does not tell what is stored".to_owned());
            }
        }
        if state == daylily_lifecycle::case::StateName::Succeeded {
            self.judge_results(step, toy, row);
        }
        Ok(())
    }

    fn judge_results(&self, step: Step, toy: &str, row: &mut Row) {
        let files = if toy.ends_with("-before") { toys::FEW } else { step.files() };
        let expected = toys::result(toy, files);
        let earlier = (step.attempts() == 2).then(|| format!("{toy}~1"));
        for name in [Some(toy.to_owned()), earlier].into_iter().flatten() {
            match std::fs::read(self.folders.results(&name).join(RESULT)) {
                Ok(found) if found == expected.as_bytes() => {}
                Ok(_) => row.problems.push(format!("the result of {name} is another")),
                Err(error) => row.problems.push(format!("the result of {name}: {error}")),
            }
        }
    }
}
