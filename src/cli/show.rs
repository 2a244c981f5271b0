//! `show`: everything about one case. The answer is no where it failed.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{Attempt, Stopping};
use daylily_lifecycle::case::{Case, Failure, State, StateName};
use daylily_lifecycle::explain::{argument, lasted};
use daylily_lifecycle::ids::AttemptId;
use jiff::Timestamp;

use super::args::OneCase;
use super::describe::{content, doing, places};
use super::desk::Desk;
use super::printer::Printer;
use super::show_shape::{ShowShape, result};
use super::standing::Sentences;
use super::{Exit, Outcome, find, shapes, status, why, words};
use crate::store::read::board::{AttemptPlaces, BoardRow};

/// Of a stored log; `log` shows all there is.
const LOG_LINES: usize = 20;

/// Everything there is to show.
pub(super) struct Shown {
    pub(super) row: BoardRow,
    pub(super) case: Case,
    pub(super) because: String,
    pub(super) places: BTreeMap<AttemptId, AttemptPlaces>,
}

pub fn run(desk: &Desk, args: &OneCase, printer: &mut Printer) -> Outcome {
    desk.begin(printer, args.json)?;
    let Some(found) = find::case(desk, printer, &args.case)? else { return Ok(Exit::Usage) };
    let reader = &desk.reader;
    let (Some(row), Some(case)) = (reader.board_row(&found.case)?, reader.case(&found.case)?)
    else {
        return Ok(Exit::Usage);
    };
    let because = Sentences::read(desk)?.of(&row);
    let places = reader.attempt_places(&row.case)?.into_iter();
    let places = places.map(|places| (places.attempt.clone(), places)).collect();
    let shown = Shown { row, case, because, places };
    let exit = if shown.row.state == StateName::Failed { Exit::No } else { Exit::Done };
    if args.json {
        let conditions = reader.conditions(&shown.row.case)?;
        let conditions = conditions.iter().map(why::ConditionShape::new).collect();
        let progress = reader.progress(&shown.row.case)?;
        printer.json(&ShowShape::new(&shown, progress.first(), conditions))?;
        return Ok(exit);
    }
    head(desk, printer, &shown)?;
    facts(desk, printer, &shown)?;
    for attempt in shown.case.attempts() {
        tell_attempt(desk, printer, &shown, attempt)?;
    }
    log(printer, &shown)?;
    Ok(exit)
}

fn head(desk: &Desk, printer: &mut Printer, shown: &Shown) -> anyhow::Result<()> {
    let row = &shown.row;
    let name = words::case_name(&row.name, row.arrival);
    printer.line(format!("{name} in {} ({})", row.intake, row.case))?;
    for text in words::under(&shown.because, 0, printer.width()) {
        printer.line(text)?;
    }
    for problem in problems(&shown.case) {
        for text in words::hanging(&format!("- {problem}"), 2, 4, printer.width()) {
            printer.line(text)?;
        }
    }
    printer.line("")?;
    let conditions = desk.reader.conditions(&row.case)?;
    let open: Vec<_> = conditions.iter().filter(|stored| !stored.condition.holds).collect();
    for stored in open {
        let text = format!("not yet: {}", stored.condition.detail);
        for text in words::hanging(&text, 2, 4, printer.width()) {
            printer.line(text)?;
        }
    }
    Ok(())
}

/// What is to be corrected, or what was expected and did not come.
pub(super) fn problems(case: &Case) -> &[String] {
    if let State::Rejected { problems, .. } = &case.state {
        problems
    } else if let State::Failed { failure: Failure::Missing { patterns, .. }, .. } = &case.state {
        patterns
    } else {
        &[]
    }
}

fn facts(desk: &Desk, printer: &mut Printer, shown: &Shown) -> anyhow::Result<()> {
    let (row, case, clock) = (&shown.row, &shown.case, desk.clock());
    let when = |at: Timestamp| words::since(at, clock);
    let mut facts: Vec<(&str, String)> = vec![
        ("state", format!("{}, since {}", row.state.in_plain_words(), when(row.state_since))),
        ("folder", case.path.clone()),
        ("content", content(row.files, row.bytes)),
        ("order", order(case)),
        ("first seen", when(case.first_seen)),
    ];
    facts.extend(case.order.rule.as_ref().map(|rule| ("by", rule.clone())));
    if !case.order.params.is_empty() {
        let params = case.order.params.iter().map(|(name, value)| format!("{name}={value}"));
        facts.push(("params", params.collect::<Vec<_>>().join(", ")));
    }
    if !case.order.notify.is_empty() {
        facts.push(("to be told", case.order.notify.join(", ")));
    }
    let times =
        [("complete", case.ready_at), ("started", case.started_at), ("finished", case.finished_at)];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, when(at?)))));
    if let Some(digest) = &case.content.digest {
        facts.push(("digest", digest.to_string()));
    }
    if let Some(hold) = &case.hold {
        facts.push(("held", format!("by {} since {}: {}", hold.by, when(hold.since), hold.reason)));
    }
    if let Some(trouble) = case.troubles.latest() {
        let tries = words::count(trouble.tries as usize, "try", "tries");
        let next = row.wake_at.filter(|_| case.hold.is_none());
        let next = next.map(|at| format!("; the next is at {}", clock.at_second(at)));
        facts.push((
            "trouble",
            format!(
                "{} has not worked since {} ({tries}): {}{}",
                doing(trouble.step),
                when(trouble.first_at),
                trouble.text,
                next.unwrap_or_default()
            ),
        ));
    }
    if let Some(word) = &case.accepted {
        let reason = word.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        facts.push(("accepted", format!("by {} at {}{reason}", word.by, clock.at(word.at))));
    }
    if let Some(changed) = &case.changed {
        facts.push(("changed", format!("{} at {}", changed.path, clock.dated(changed.since))));
    }
    if let Some(at) = case.vanished_at {
        facts.push(("folder gone", when(at)));
    }
    if let Some(newest) = desk.reader.progress(&row.case)?.first() {
        let does = doing(newest.progress.step);
        facts.push(("progress", format!("{does}: {}", status::moved(newest, desk.now))));
    }
    if let Some(to) = results(case) {
        facts.push(("results", to.to_owned()));
    }
    lines(printer, &facts)
}

pub(super) fn results(case: &Case) -> Option<&str> {
    case.attempt()?.stored.as_ref()?.to.as_deref()
}

pub(super) fn order(case: &Case) -> String {
    let order = &case.order;
    let group = order.group.as_ref().map_or_else(|| "any group".to_owned(), ToString::to_string);
    let gpus = match order.gpus {
        0 => String::new(),
        more => format!(", {}", words::count(more as usize, "GPU", "GPUs")),
    };
    let by = order.priority_by.as_ref().map(|by| format!(" (set by {by})")).unwrap_or_default();
    format!(
        "pipeline {} on {}, {group}{gpus}, priority {}{by}",
        order.pipeline,
        order.headnode,
        shapes::priority(order.priority)
    )
}

fn tell_attempt(
    desk: &Desk,
    printer: &mut Printer,
    shown: &Shown,
    attempt: &Attempt,
) -> anyhow::Result<()> {
    let clock = desk.clock();
    let place = &attempt.place;
    let under_way = || "under way".to_owned();
    let word = attempt.result.map_or_else(under_way, |r| result(r).to_owned());
    printer.line("")?;
    printer.line(format!(
        "Attempt {} on {}: {word} ({})",
        attempt.number, place.headnode, attempt.id
    ))?;
    let mut facts: Vec<(&str, String)> = Vec::new();
    let had = shown.places.get(&attempt.id).map(|had| had.slots.as_slice()).unwrap_or_default();
    if !had.is_empty() {
        let kept = if attempt.tenure.is_quarantined() { ", kept back" } else { "" };
        facts.push(("place", format!("{}{kept}", places(had))));
    }
    facts.extend(attempt.task_id.as_ref().map(|task| ("task", task.to_string())));
    let times = [("handed over", attempt.submitted_at), ("started", attempt.started_at)];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, clock.at_second(at?)))));
    if let Some(end) = &attempt.end {
        let took = attempt.started_at.map(|at| lasted(end.at.duration_since(at)));
        let took = took.map(|took| format!(", after {took}")).unwrap_or_default();
        facts.push(("ended", format!("{}{took}", clock.at_second(end.at))));
        facts.extend(end.code.map(|code| ("exit code", code.to_string())));
        facts.extend(end.signal.map(|signal| ("signal", signal.to_string())));
    }
    facts.extend(attempt.error.as_ref().map(|error| ("error", error.clone())));
    facts.push(("command", place.command.clone()));
    if let Some(stopping) = attempt.stopping {
        let (word, since) = match stopping {
            Stopping::Due { since } => ("due", since),
            Stopping::Done { since } => ("has worked", since),
            Stopping::Waived { since } => ("left out by a person's word", since),
        };
        facts.push(("stop", format!("{word}, {}", clock.at_second(since))));
    }
    facts.push(("directory", format!("{}:{}", place.headnode, place.remote_dir)));
    facts.push(("its files", format!("{}:{}", place.headnode, place.attempt_dir)));
    if let Some(stored) = &attempt.stored {
        if let Some(to) = &stored.to {
            let what = content(stored.files, stored.bytes);
            facts.push(("results", format!("{to} ({what})")));
        }
        facts.extend(stored.moved_to.as_ref().map(|to| ("moved to", to.clone())));
    }
    lines(printer, &facts)
}

fn lines(printer: &mut Printer, facts: &[(&str, String)]) -> anyhow::Result<()> {
    let names = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, fact) in facts {
        let line = format!("{name:<names$}  {fact}");
        for text in words::hanging(line.trim_end(), 2, names + 4, printer.width()) {
            printer.line(text)?;
        }
    }
    Ok(())
}

fn log(printer: &mut Printer, shown: &Shown) -> anyhow::Result<()> {
    let stored = |attempt: &Attempt| Some(attempt.stored.as_ref()?.log_tail.clone());
    let Some(text) = shown.case.attempt().and_then(stored).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let all: Vec<&str> = text.lines().collect();
    let name = argument(&shown.row.name);
    printer.line("")?;
    printer.line(format!("The end of its output (`log {}` shows more):", words::plain(&name)))?;
    for line in &all[all.len().saturating_sub(LOG_LINES)..] {
        printer.line(format!("  {}", words::plain(line)))?;
    }
    Ok(())
}
