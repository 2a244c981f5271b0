//! `clean`: removes what finished cases have left on their headnodes. What may go is
//! judged here by what is known, and by the daemon once more when it goes.

use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{ByteCount, CaseId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::args::Clean;
use super::ask::{self, Asked, is_done};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, find, words};
use crate::config;
use crate::reconcile::clean::judge;

pub(super) fn run(desk: &Desk, args: &Clean, printer: &mut Printer) -> Outcome {
    desk.banner(printer, args.json)?;
    let Some(chosen) = chosen(desk, args, printer)? else { return Ok(Exit::Usage) };
    let by_hand = !args.cases.is_empty() && args.reason.is_some();
    let judged = chosen.into_iter().map(|case| {
        let judged = judge(&case, &desk.settings.state_dir, by_hand);
        (case, judged)
    });
    let (mut go, mut kept) = (Vec::new(), Vec::new());
    for (case, judged) in judged {
        match judged {
            Ok(cleanable) => go.push((case, cleanable.bytes)),
            Err(why) => kept.push((case, why)),
        }
    }
    if args.dry_run {
        return dry_run(args, &go, &kept, desk, printer);
    }
    for (case, why) in &kept {
        tell_kept(case, why, printer)?;
    }
    if go.is_empty() {
        printer.say("nothing was removed")?;
        let refused = !args.cases.is_empty();
        return Ok(if refused { Exit::No } else { Exit::Done });
    }
    let named = !args.cases.is_empty();
    let asked = Asked::plain("clean", args.reason.clone()).with("named", named).patiently();
    let targets: Vec<&str> = go.iter().map(|(case, _)| case.id.as_str()).collect();
    let Some(answers) = ask::of_each(desk, &asked, &targets, printer)? else {
        return Ok(Exit::Unreachable);
    };
    let mut exit = if named && !kept.is_empty() { Exit::No } else { Exit::Done };
    for ((case, _), answer) in go.iter().zip(answers) {
        match answer.as_deref() {
            Some(done) if is_done(done) => {
                let bytes = words::plain(done.trim_start_matches("done: "));
                printer.line(format!("{}: removed, {bytes}", name(case)))?;
            }
            Some(why) => {
                tell_kept(case, why, printer)?;
                exit = Exit::No;
            }
            None => {
                let name = name(case);
                printer
                    .say(format!("{name}: recorded; the daemon removes it when it gets to it"))?;
                exit = if exit == Exit::Done { Exit::Unreachable } else { exit };
            }
        }
    }
    Ok(exit)
}

/// The cases that are meant, or None after saying what is wrong.
fn chosen(desk: &Desk, args: &Clean, printer: &mut Printer) -> anyhow::Result<Option<Vec<Case>>> {
    let older_than = match &args.older_than {
        Some(text) => match config::duration(text) {
            Some(duration) => duration,
            None => {
                let text = words::plain(text);
                printer.say(format!("{text} is no duration\nhint: such as 12h, 30d or 90m"))?;
                return Ok(None);
            }
        },
        None => SignedDuration::ZERO,
    };
    let headnode = match &args.headnode {
        Some(text) => match find::headnode(desk, printer, text)? {
            Some(name) => Some(name),
            None => return Ok(None),
        },
        None => None,
    };
    let before = desk.now.checked_sub(older_than).unwrap_or(Timestamp::MIN);
    let mut cases = Vec::new();
    for id in ids(desk, args, before, printer)? {
        let Some(id) = id else { return Ok(None) };
        if let Some(case) = desk.reader.case(&id)? {
            let last = case.attempts().last().map(|attempt| &attempt.place.headnode);
            let fits =
                headnode.as_ref().is_none_or(|name| last.is_some_and(|last| last.as_str() == name));
            let old = case.finished_at.is_none_or(|ended| ended < before);
            if fits && (old || args.older_than.is_none()) {
                cases.push(case);
            }
        }
    }
    Ok(Some(cases))
}

/// None among them: a case that was named is not there, which is told.
fn ids(
    desk: &Desk,
    args: &Clean,
    before: Timestamp,
    printer: &mut Printer,
) -> anyhow::Result<Vec<Option<CaseId>>> {
    if args.cases.is_empty() {
        return Ok(desk.reader.uncleaned(before)?.into_iter().map(Some).collect());
    }
    let mut ids = Vec::new();
    for text in &args.cases {
        let found = find::case(desk, printer, text)?.map(|found| found.case);
        if !ids.contains(&found) {
            ids.push(found);
        }
    }
    Ok(ids)
}

fn name(case: &Case) -> String {
    words::case_name(&case.name, case.arrival)
}

fn tell_kept(case: &Case, why: &str, printer: &mut Printer) -> anyhow::Result<()> {
    let why: Vec<String> = why.lines().map(words::plain).collect();
    printer.line(format!("{}: kept: {}", name(case), why.join("\n")))?;
    Ok(())
}

fn dry_run(
    args: &Clean,
    go: &[(Case, ByteCount)],
    kept: &[(Case, String)],
    desk: &Desk,
    printer: &mut Printer,
) -> Outcome {
    let sum = ByteCount(go.iter().map(|(_, bytes)| bytes.0).fold(0, u64::saturating_add));
    if args.json {
        printer.json(&Shape {
            clean: go.iter().map(|(case, bytes)| Row::of(case, Some(*bytes), None)).collect(),
            kept: kept.iter().map(|(case, why)| Row::of(case, None, Some(why))).collect(),
            bytes: sum.0,
        })?;
        return Ok(Exit::Done);
    }
    if !go.is_empty() {
        let rows: Vec<Vec<String>> = go
            .iter()
            .map(|(case, bytes)| {
                let ended = case.finished_at.map(|at| desk.clock().dated(at));
                let cells =
                    [name(case), headnode(case), bytes.to_string(), ended.unwrap_or_default()];
                cells.map(|cell| words::plain(&cell)).to_vec()
            })
            .collect();
        printer.table(&["CASE", "ON", "SHIPPED", "ENDED"], &rows)?;
    }
    for (case, why) in kept {
        tell_kept(case, why, printer)?;
    }
    let count = words::count(go.len(), "case", "cases");
    printer.line(format!(
        "{count} with {sum} as shipped would be removed, with all that was made beside it; \
         what still runs is kept"
    ))?;
    Ok(Exit::Done)
}

fn headnode(case: &Case) -> String {
    let last = case.attempts().last();
    last.map(|attempt| attempt.place.headnode.to_string()).unwrap_or_default()
}

/// The shape of `clean --dry-run --json`.
#[derive(Debug, Serialize)]
struct Shape {
    clean: Vec<Row>,
    kept: Vec<Row>,
    /// Of all that would be removed, as it was shipped.
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    case: String,
    name: String,
    arrival: u32,
    intake: String,
    headnode: String,
    state: String,
    finished_at: Option<Timestamp>,
    bytes: Option<u64>,
    why: Option<String>,
}

impl Row {
    fn of(case: &Case, bytes: Option<ByteCount>, why: Option<&str>) -> Self {
        Self {
            case: case.id.to_string(),
            name: case.name.to_string(),
            arrival: case.arrival.0,
            intake: case.intake.to_string(),
            headnode: headnode(case),
            state: case.state.name().to_string(),
            finished_at: case.finished_at,
            bytes: bytes.map(|bytes| bytes.0),
            why: why.map(str::to_owned),
        }
    }
}
