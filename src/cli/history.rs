//! `history`: what happened, one line for each entry of the journal, oldest first; and
//! the lines themselves, which `why` shows too.

use std::collections::BTreeMap;

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::CaseId;
use daylily_lifecycle::observation::Observation;
use serde::Serialize;

use super::args::History;
use super::describe::describe;
use super::desk::Desk;
use super::printer::Printer;
use super::shapes::At;
use super::{Exit, Outcome, find, shapes, waiting, words};
use crate::store::error::StoreError;
use crate::store::journal::{JournalEntry, JournalId};

/// At most so many entries are read at once.
const BATCH: u32 = 1000;

pub fn run(desk: &Desk, args: &History, printer: &mut Printer) -> Outcome {
    desk.begin(printer, args.json)?;
    let case = match &args.case {
        Some(text) => match find::case(desk, printer, text)? {
            Some(found) => Some(found.case),
            None => return Ok(Exit::Usage),
        },
        None => None,
    };
    let mut names = Names::default();
    let mut entries = match &case {
        Some(case) => {
            let mut entries = desk.reader.journal(case, JournalId::START)?;
            let more = entries.len().saturating_sub(args.last as usize);
            entries.drain(..more);
            entries
        }
        None => desk.reader.last_history(args.last)?,
    };
    if entries.is_empty() && !args.follow && args.last > 0 {
        printer.say("nothing has happened yet")?;
    }
    // Where nothing was shown, everything from now on is new.
    let mut last = match entries.last() {
        Some(entry) => entry.id,
        None => desk.reader.last_history(1)?.last().map_or(JournalId::START, |last| last.id),
    };
    loop {
        for entry in &entries {
            let name = names.of(desk, &entry.case)?;
            if args.json {
                let shape = EntryShape::new(entry, &name);
                // One object a line, also for a person: it is a stream.
                printer.json_line(&shape)?;
            } else {
                for text in words::hanging(&line(desk, entry, Some(&name)), 0, 4, printer.width()) {
                    printer.line(text)?;
                }
            }
        }
        if !args.follow || printer.is_closed() {
            return Ok(Exit::Done);
        }
        waiting::pause();
        entries = match &case {
            Some(case) => desk.reader.journal(case, last)?,
            None => desk.reader.history(last, BATCH)?,
        };
        last = entries.last().map_or(last, |entry| entry.id);
    }
}

/// `2026-11-20 14:03:12 CET  HG002  anna (uid 1000): held it (still arriving -> ...)`.
pub(super) fn line(desk: &Desk, entry: &JournalEntry, name: Option<&str>) -> String {
    let mut text = words::local(entry.at(), desk.clock());
    if let Some(name) = name {
        text.push_str(&format!("  {name}"));
    }
    text.push_str(&format!("  {}: {}", entry.observed.actor, describe(&entry.observed)));
    match (&entry.note, entry.to) {
        (Some(note), Some(_)) => text.push_str(&format!("; changed nothing: {note}")),
        (Some(note), None) => text.push_str(&format!("; {note}")),
        (None, _) => {}
    }
    let state = StateName::in_plain_words;
    match (entry.from, entry.to) {
        (from, to) if from == to => {}
        (None, Some(to)) => text.push_str(&format!(" [{}]", state(to))),
        (Some(from), Some(to)) => {
            text.push_str(&format!(" [{} -> {}]", state(from), state(to)));
        }
        (Some(from), None) => text.push_str(&format!(" [{} -> no case any more]", state(from))),
        (None, None) => {}
    }
    words::plain(&text)
}

/// The names of the cases that entries are about, each looked up once.
#[derive(Default)]
struct Names(BTreeMap<CaseId, String>);

impl Names {
    fn of(&mut self, desk: &Desk, case: &CaseId) -> Result<String, StoreError> {
        if let Some(name) = self.0.get(case) {
            return Ok(name.clone());
        }
        let name = match desk.reader.board_row(case)? {
            Some(row) => words::case_name(&row.name, row.arrival),
            // It was dropped: its journal stays and begins with its name.
            None => {
                let entries = desk.reader.journal(case, JournalId::START)?;
                match entries.first().map(|entry| &entry.observed.what) {
                    Some(Observation::Appeared(appeared)) => {
                        words::case_name(&appeared.name, appeared.arrival)
                    }
                    Some(_) | None => case.to_string(),
                }
            }
        };
        self.0.insert(case.clone(), name.clone());
        Ok(name)
    }
}

/// The shape of one entry in `history --json` and `why --json`.
#[derive(Debug, Serialize)]
pub(super) struct EntryShape {
    /// Rises with every entry; the place to go on from.
    id: i64,
    at: At,
    case: String,
    name: String,
    /// Who brought it: a person as `name (uid 1000)`, or `daylily-watch`.
    actor: String,
    /// The kind of observation, as in the journal's column.
    kind: String,
    /// In plain words.
    what: String,
    from: Option<&'static str>,
    to: Option<&'static str>,
    /// Why it changed nothing, or why the case was dropped.
    note: Option<String>,
}

impl EntryShape {
    pub(super) fn new(entry: &JournalEntry, name: &str) -> Self {
        let kind = serde_json::to_value(&entry.observed.what).ok();
        let kind = kind.as_ref().and_then(|value| value.get("kind")?.as_str());
        Self {
            id: entry.id.0,
            at: At(entry.at()),
            case: entry.case.to_string(),
            name: name.to_owned(),
            actor: entry.observed.actor.to_string(),
            kind: kind.unwrap_or_default().to_owned(),
            what: describe(&entry.observed),
            from: shapes::states(entry.from),
            to: shapes::states(entry.to),
            note: entry.note.clone(),
        }
    }
}
