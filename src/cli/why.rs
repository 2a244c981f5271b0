//! `why`: the sentence first, then every condition with its evidence, then what
//! happened.

use daylily_lifecycle::case::ConditionName;
use serde::Serialize;

use super::args::OneCase;
use super::desk::Desk;
use super::history::{self, EntryShape};
use super::printer::Printer;
use super::shapes::At;
use super::standing::Sentences;
use super::{Exit, Outcome, find, show, words};
use crate::store::journal::JournalId;
use crate::store::read::StoredCondition;

pub fn run(desk: &Desk, args: &OneCase, printer: &mut Printer) -> Outcome {
    desk.begin(printer, args.json)?;
    let Some(found) = find::case(desk, printer, &args.case)? else { return Ok(Exit::Usage) };
    let Some(row) = desk.reader.board_row(&found.case)? else { return Ok(Exit::Usage) };
    let because = Sentences::read(desk)?.of(&row);
    let conditions = desk.reader.conditions(&row.case)?;
    let entries = desk.reader.journal(&row.case, JournalId::START)?;
    let name = words::case_name(&row.name, row.arrival);
    let case = desk.reader.case(&row.case)?;
    let rule = case.as_ref().and_then(|case| case.order.rule.clone());
    let problems = case.as_ref().map(show::problems).unwrap_or_default();
    if args.json {
        printer.json(&WhyShape {
            id: row.case.to_string(),
            name: row.name.to_string(),
            state: row.state.as_str(),
            because,
            problems: problems.to_vec(),
            pipeline: row.pipeline.to_string(),
            rule,
            conditions: conditions.iter().map(ConditionShape::new).collect(),
            changes: entries.iter().map(|entry| EntryShape::new(entry, &name)).collect(),
        })?;
        return Ok(Exit::Done);
    }
    let width = printer.width();
    for text in words::under(&because, 0, width) {
        printer.line(text)?;
    }
    for problem in problems {
        for text in words::hanging(&format!("- {problem}"), 2, 4, width) {
            printer.line(text)?;
        }
    }
    if let (Some(case), Some(rule)) = (&case, &rule) {
        printer.line("")?;
        let text = format!("Asks for {}, by {rule}.", show::order(case));
        for text in words::under(&text, 0, width) {
            printer.line(text)?;
        }
    }
    if !conditions.is_empty() {
        printer.line("\nConditions:")?;
        let rows: Vec<_> = conditions.iter().map(|condition| told(desk, condition)).collect();
        for line in words::columns(&rows) {
            for text in words::hanging(&line, 2, 6, width) {
                printer.line(text)?;
            }
        }
    }
    if !entries.is_empty() {
        printer.line("\nWhat happened:")?;
    }
    for entry in &entries {
        for text in words::hanging(&history::line(desk, entry, None), 2, 6, width) {
            printer.line(text)?;
        }
    }
    Ok(Exit::Done)
}

fn told(desk: &Desk, stored: &StoredCondition) -> Vec<String> {
    let condition = &stored.condition;
    let mark = if condition.holds { "holds" } else { "does not hold" };
    let checked = match stored.checked_at {
        Some(at) => format!(", looked at {}", words::ago(at, desk.now)),
        None => String::new(),
    };
    vec![
        in_words(condition.name).to_owned(),
        mark.to_owned(),
        words::plain(&condition.detail),
        format!("since {}{checked}", desk.clock().at_second(condition.since)),
    ]
}

fn in_words(name: ConditionName) -> &'static str {
    match name {
        ConditionName::Content => "has files",
        ConditionName::Quiet => "is quiet",
        ConditionName::NoWriters => "is not written to",
        ConditionName::Unfinished => "has no half-written names",
        ConditionName::Marker => "has its marker",
        ConditionName::Manifest => "has what its manifest names",
        ConditionName::Checksums => "is as its manifest says",
        ConditionName::NewContent => "is new",
        ConditionName::Start => "may start",
    }
}

/// The shape of `why --json`.
#[derive(Debug, Serialize)]
struct WhyShape {
    id: String,
    name: String,
    state: &'static str,
    because: String,
    /// All that is to be corrected, or was expected and did not come.
    problems: Vec<String>,
    pipeline: String,
    /// Which rule it matches, and by which file.
    rule: Option<String>,
    conditions: Vec<ConditionShape>,
    /// Oldest first.
    changes: Vec<EntryShape>,
}

#[derive(Debug, Serialize)]
pub(super) struct ConditionShape {
    /// `content`, `quiet`, `no_writers`, `unfinished`, `marker`, `manifest`, `checksums`,
    /// `new_content` or `start`.
    name: &'static str,
    holds: bool,
    /// What was seen.
    detail: String,
    since: At,
    checked_at: Option<At>,
}

impl ConditionShape {
    pub(super) fn new(stored: &StoredCondition) -> Self {
        Self {
            name: stored.condition.name.as_str(),
            holds: stored.condition.holds,
            detail: stored.condition.detail.clone(),
            since: At(stored.condition.since),
            checked_at: stored.checked_at.map(At),
        }
    }
}
