//! `slots`: every place of every headnode, and who has it.

use daylily_lifecycle::policy::SlotState;
use serde::Serialize;

use super::args::Reading;
use super::desk::Desk;
use super::printer::Printer;
use super::shapes::At;
use super::{Exit, Outcome, words};
use crate::store::slots::StoredSlot;

pub fn run(desk: &Desk, args: &Reading, printer: &mut Printer) -> Outcome {
    desk.begin(printer, args.json)?;
    let slots = desk.reader.slots()?;
    if args.json {
        printer.json(&slots.iter().map(SlotShape::new).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if slots.is_empty() {
        printer.say("there are no places: the daemon makes them at its first start")?;
        return Ok(Exit::Done);
    }
    let header = ["HEADNODE", "GROUP", "SLOT", "GPU", "STATE", "CASE", "SINCE"];
    let rows = slots.iter().map(|slot| line(desk, slot));
    let table: Vec<_> = std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect();
    let width = printer.width();
    for (at, text) in words::columns(&table).into_iter().enumerate() {
        printer.line(text)?;
        let slot = at.checked_sub(1).and_then(|at| slots.get(at));
        let because = slot.and_then(|slot| slot.holder.as_ref()?.because.as_ref());
        for text in because.into_iter().flat_map(|because| words::under(because, 4, width)) {
            printer.line(text)?;
        }
    }
    let free = |slot: &&StoredSlot| slot.view.state == SlotState::Free;
    let all = words::count(slots.len(), "place", "places");
    printer.line("")?;
    printer.line(format!("{all}, {} free", slots.iter().filter(free).count()))?;
    for told in not_as_configured(desk)? {
        for text in words::under(&told, 0, width) {
            printer.line(text)?;
        }
    }
    Ok(Exit::Done)
}

/// A queue that runs fewer at a time than there are places, or none, is why a place that
/// is taken stands still.
fn not_as_configured(desk: &Desk) -> anyhow::Result<Vec<String>> {
    let headnodes = desk.reader.headnodes()?.into_iter();
    let told =
        headnodes.filter_map(|node| Some(format!("headnode {}: {}", node.name, node.drift?)));
    Ok(told.collect())
}

fn line(desk: &Desk, stored: &StoredSlot) -> Vec<String> {
    let slot = &stored.view.slot;
    let state = match stored.view.state {
        SlotState::Free => "free",
        SlotState::Reserved => "taken",
        SlotState::Quarantined => "kept back",
    };
    let state = match stored.view.draining {
        true => format!("{state}, then removed"),
        false => state.to_owned(),
    };
    let holder = stored.holder.as_ref();
    vec![
        slot.headnode.to_string(),
        slot.group.to_string(),
        slot.slot.to_string(),
        slot.gpu.as_deref().map_or_else(|| "-".to_owned(), words::plain),
        state,
        holder.map(|holder| words::plain(holder.name.as_str())).unwrap_or_default(),
        holder.map(|holder| words::since(holder.since, desk.clock())).unwrap_or_default(),
    ]
}

/// The shape of one place in `slots --json`.
#[derive(Debug, Serialize)]
struct SlotShape {
    headnode: String,
    group: String,
    /// Counted from 0 within the group.
    slot: u32,
    gpu: Option<String>,
    /// `free`, `reserved` or `quarantined`.
    state: &'static str,
    /// No longer configured: it goes when its case gives it back.
    draining: bool,
    case: Option<HolderShape>,
    since: Option<At>,
    /// Why it is quarantined.
    because: Option<String>,
}

#[derive(Debug, Serialize)]
struct HolderShape {
    id: String,
    name: String,
    attempt: String,
}

impl SlotShape {
    fn new(stored: &StoredSlot) -> Self {
        let slot = &stored.view.slot;
        let holder = stored.holder.as_ref();
        Self {
            headnode: slot.headnode.to_string(),
            group: slot.group.to_string(),
            slot: slot.slot,
            gpu: slot.gpu.clone(),
            state: match stored.view.state {
                SlotState::Free => "free",
                SlotState::Reserved => "reserved",
                SlotState::Quarantined => "quarantined",
            },
            draining: stored.view.draining,
            case: holder.map(|holder| HolderShape {
                id: holder.case.to_string(),
                name: holder.name.to_string(),
                attempt: holder.attempt.to_string(),
            }),
            since: holder.map(|holder| At(holder.since)),
            because: holder.and_then(|holder| holder.because.clone()),
        }
    }
}
