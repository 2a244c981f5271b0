//! Owns which cases a changing verb is about: named, or by what they have in common.
//! Either all of them are found, or the verb does nothing.

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::CaseId;

use super::args::Selection;
use super::desk::Desk;
use super::printer::Printer;
use super::{find, words};
use crate::store::read::board::BoardRow;

/// More cases than this that have ended are not changed at once.
const MOST_ENDED: u32 = 10_000;

/// A case to be changed, by the name it is told by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) case: CaseId,
    pub(super) name: String,
}

impl Selected {
    pub(super) fn of(row: &BoardRow) -> Self {
        Self { case: row.case.clone(), name: words::case_name(&row.name, row.arrival) }
    }
}

/// The cases, or None after saying why not; behind the first line of every output.
pub(super) fn cases(
    desk: &Desk,
    printer: &mut Printer,
    selection: &Selection,
) -> anyhow::Result<Option<Vec<Selected>>> {
    desk.banner(printer, false)?;
    if selection.cases.is_empty() {
        return in_common(desk, printer, selection);
    }
    let mut selected: Vec<Selected> = Vec::new();
    let mut missed = false;
    // All that is wrong is told at once.
    for text in &selection.cases {
        match find::case(desk, printer, text)? {
            Some(found) => {
                let name = words::case_name(&found.name, found.arrival);
                if !selected.iter().any(|known| known.case == found.case) {
                    selected.push(Selected { case: found.case, name });
                }
            }
            None => missed = true,
        }
    }
    if missed {
        printer.say("nothing was done")?;
        return Ok(None);
    }
    Ok(Some(selected))
}

fn in_common(
    desk: &Desk,
    printer: &mut Printer,
    selection: &Selection,
) -> anyhow::Result<Option<Vec<Selected>>> {
    let state = match &selection.state {
        Some(text) => match find::state(printer, text)? {
            Some(state) => Some(state),
            None => return Ok(None),
        },
        None => None,
    };
    let intake = match &selection.intake {
        Some(text) => match find::intake(desk, printer, text)? {
            Some(intake) => Some(intake),
            None => return Ok(None),
        },
        None => None,
    };
    let rows = match state.filter(|state| StateName::is_terminal(*state)) {
        Some(ended) => desk.reader.finished(Some(ended), intake.as_ref(), MOST_ENDED)?,
        None => desk.reader.board(0)?,
    };
    let fits = |row: &&BoardRow| {
        state.is_none_or(|state| state == row.state)
            && intake.as_ref().is_none_or(|intake| *intake == row.intake)
            && (!selection.held || row.hold.is_some())
    };
    Ok(Some(rows.iter().filter(fits).map(Selected::of).collect()))
}
