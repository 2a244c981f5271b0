//! Owns finding what a person named: a case, a state, an intake. What is not found, or
//! fits several, is told with what was probably meant, and ends the verb.

use std::collections::BTreeSet;

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::IntakeName;

use super::desk::Desk;
use super::printer::Printer;
use super::words;
use crate::config;
use crate::store::read::lookup::{Candidate, Lookup};

/// So many candidates the store lists.
const LISTED: usize = 20;

/// More cases than this that have ended are not counted.
const MOST_ENDED: u32 = 10_000;

/// The case, or None after saying why it is none.
pub(super) fn case(
    desk: &Desk,
    printer: &mut Printer,
    text: &str,
) -> anyhow::Result<Option<Candidate>> {
    let shown = words::plain(text);
    if text.is_empty() {
        printer.say("no case was named\nhint: `status` lists the cases")?;
        return Ok(None);
    }
    match desk.reader.lookup(text)? {
        Lookup::One(candidate) => return Ok(Some(candidate)),
        Lookup::Several(candidates) => {
            printer.say(format!("{shown} may be any of these:"))?;
            let rows: Vec<_> = candidates.iter().map(listed).collect();
            for line in words::columns(&rows) {
                printer.say(format!("  {line}"))?;
            }
            let more = beginning(desk, text)?.saturating_sub(candidates.len());
            if candidates.len() >= LISTED && more > 0 {
                printer.say(format!("  and {more} more"))?;
            }
            printer.say(
                "hint: type the whole name, intake/name where two intakes have it, or the id",
            )?;
        }
        Lookup::None => {
            let rows = desk.reader.board(100)?;
            let names = rows.iter().map(|row| row.name.as_str());
            printer.say(format!("there is no case {shown}"))?;
            match config::nearest(text, names) {
                Some(near) => printer.say(format!("hint: did you mean {}?", words::plain(near)))?,
                None => printer.say("hint: `status` lists the cases")?,
            }
        }
    }
    Ok(None)
}

/// How many names begin so, as far as cases are remembered that a person may mean.
fn beginning(desk: &Desk, text: &str) -> anyhow::Result<usize> {
    let mut rows = desk.reader.board(0)?;
    rows.extend(desk.reader.finished(None, None, MOST_ENDED)?);
    let begins = rows.iter().filter(|row| row.name.as_str().starts_with(text));
    Ok(begins.map(|row| (&row.intake, &row.name)).collect::<BTreeSet<_>>().len())
}

fn listed(candidate: &Candidate) -> Vec<String> {
    vec![
        words::case_name(&candidate.name, candidate.arrival),
        candidate.state.in_plain_words().to_owned(),
        format!("in {}", candidate.intake),
        candidate.case.to_string(),
    ]
}

/// The state, or None after saying which there are.
pub(super) fn state(printer: &mut Printer, text: &str) -> anyhow::Result<Option<StateName>> {
    let names = |state: &StateName| [state.as_str(), state.in_plain_words()];
    let found = StateName::ALL.into_iter().find(|state| names(state).contains(&text));
    if found.is_none() {
        printer.say(format!("there is no state {}", words::plain(text)))?;
        let both = StateName::ALL.iter().flat_map(names);
        if let Some(near) = config::nearest(text, both) {
            printer.say(format!("hint: did you mean {near}?"))?;
        }
        let known = StateName::ALL.iter().map(|state| match names(state) {
            [name, plain] if name == plain => name.to_owned(),
            [name, plain] => format!("{name} ({plain})"),
        });
        printer.say(format!("hint: there is {}", known.collect::<Vec<_>>().join(", ")))?;
    }
    Ok(found)
}

/// The intake, or None after saying which there are. One that is no longer configured
/// is still known as long as it has a row.
pub(super) fn intake(
    desk: &Desk,
    printer: &mut Printer,
    text: &str,
) -> anyhow::Result<Option<IntakeName>> {
    let mut known: Vec<_> = desk.settings.intakes.iter().map(|i| i.name.to_string()).collect();
    known.extend(desk.reader.intakes()?.into_iter().map(|intake| intake.name.to_string()));
    Ok(named(printer, "intake", text, known)?.map(IntakeName::new))
}

/// The headnode, likewise.
pub(super) fn headnode(
    desk: &Desk,
    printer: &mut Printer,
    text: &str,
) -> anyhow::Result<Option<String>> {
    let mut known: Vec<_> = desk.settings.headnodes.iter().map(|h| h.name.to_string()).collect();
    known.extend(desk.reader.headnodes()?.into_iter().map(|node| node.name.to_string()));
    named(printer, "headnode", text, known)
}

fn named(
    printer: &mut Printer,
    what: &str,
    text: &str,
    mut known: Vec<String>,
) -> anyhow::Result<Option<String>> {
    known.sort();
    known.dedup();
    if known.iter().any(|name| name == text) {
        return Ok(Some(text.to_owned()));
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    not_there(printer, what, text, &known)?;
    Ok(None)
}

/// Says that there is none of this name, and what was probably meant.
pub(super) fn not_there(
    printer: &mut Printer,
    what: &str,
    text: &str,
    known: &[&str],
) -> anyhow::Result<()> {
    printer.say(format!("there is no {what} {}", words::plain(text)))?;
    match config::nearest(text, known.iter().copied()) {
        Some(near) => printer.say(format!("hint: did you mean {near}?"))?,
        None => printer.say(format!("hint: there is {}", known.join(", ")))?,
    }
    Ok(())
}
