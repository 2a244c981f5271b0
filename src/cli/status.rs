//! `status`: all cases at once, those that need somebody first.

use std::collections::BTreeMap;

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::explain;
use daylily_lifecycle::ids::IntakeName;
use daylily_lifecycle::policy::HeadnodeState;
use jiff::{SignedDuration, Timestamp};

use super::args::Status;
use super::desk::Desk;
use super::printer::Printer;
use super::standing::Sentences;
use super::status_shape::StatusShape;
use super::{Exit, Outcome, find, words};
use crate::store::places::{Headnode, Intake};
use crate::store::read::board::BoardRow;
use crate::store::steps::StoredProgress;

/// A case that failed stays in sight this long, however many have ended since.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// More failed cases than this at once are not read one by one.
const MOST_FAILED: u32 = 50;

/// A rate told longer ago than this is none.
const RATE_HOLDS: SignedDuration = SignedDuration::from_secs(10);

pub fn run(desk: &Desk, args: &Status, printer: &mut Printer) -> Outcome {
    desk.begin(printer, args.json)?;
    let Some(filter) = Filter::of(desk, args, printer)? else { return Ok(Exit::Usage) };
    let rows = rows(desk, args, &filter)?;
    let sentences = Sentences::read(desk)?;
    let mut progress = BTreeMap::new();
    for row in rows.iter().filter(|row| moves_bytes(row.state)) {
        if let Some(newest) = desk.reader.progress(&row.case)?.into_iter().next() {
            progress.insert(row.case.clone(), newest);
        }
    }
    let mut sorted: Vec<&BoardRow> = rows.iter().collect();
    // The board is in the order of arrival, and of what ended last.
    sorted.sort_by_key(|row| need(row));
    if args.json {
        printer.json(&StatusShape::new(desk, &sorted, &sentences, &progress)?)?;
        return Ok(Exit::Done);
    }
    troubles(desk, printer)?;
    let width = printer.width();
    let table = sorted.iter().map(|row| line(desk, row, progress.get(&row.case), width));
    let header = ["CASE", "STATE", "SINCE", "WHERE"].map(str::to_owned).to_vec();
    let table: Vec<_> = std::iter::once(header).chain(table).collect();
    for (at, text) in words::columns(&table).into_iter().enumerate() {
        if !rows.is_empty() {
            printer.line(text)?;
        }
        if let Some(row) = at.checked_sub(1).and_then(|at| sorted.get(at)) {
            for text in words::under(&sentences.of(row), 4, width) {
                printer.line(text)?;
            }
        }
    }
    if !rows.is_empty() {
        printer.line("")?;
    } else if filter.is_narrow() {
        printer.line("no case is like that")?;
    }
    printer.line(counts(desk)?)?;
    let waiting = desk.reader.take_requests()?.len();
    if waiting > 0 && !desk.daemon().is_running() {
        let asked = words::count(waiting, "request is", "requests are");
        printer.say(format!("{asked} recorded and done when the daemon starts"))?;
    }
    Ok(Exit::Done)
}

struct Filter {
    state: Option<StateName>,
    intake: Option<IntakeName>,
    held: bool,
}

impl Filter {
    fn of(desk: &Desk, args: &Status, printer: &mut Printer) -> anyhow::Result<Option<Self>> {
        let mut filter = Self { state: None, intake: None, held: args.held };
        if let Some(text) = &args.state {
            let Some(state) = find::state(printer, text)? else { return Ok(None) };
            filter.state = Some(state);
        }
        if let Some(text) = &args.intake {
            let Some(intake) = find::intake(desk, printer, text)? else { return Ok(None) };
            filter.intake = Some(intake);
        }
        Ok(Some(filter))
    }

    fn is_narrow(&self) -> bool {
        self.state.is_some() || self.intake.is_some() || self.held
    }

    fn fits(&self, row: &BoardRow) -> bool {
        self.state.is_none_or(|state| state == row.state)
            && self.intake.as_ref().is_none_or(|intake| *intake == row.intake)
            && (!self.held || row.hold.is_some())
    }
}

fn rows(desk: &Desk, args: &Status, filter: &Filter) -> anyhow::Result<Vec<BoardRow>> {
    let reader = &desk.reader;
    let mut rows = reader.board(0)?;
    let intake = filter.intake.as_ref();
    // A state that a case ends in is asked for by name; else the last of all are shown.
    let ended = filter.state.filter(|state| state.is_terminal());
    let failed = reader.finished(Some(StateName::Failed), intake, MOST_FAILED)?;
    let lately =
        |row: &BoardRow| row.finished_at.is_some_and(|at| desk.now.duration_since(at) < LATELY);
    rows.extend(reader.finished(ended, intake, args.ended)?);
    for row in failed.into_iter().filter(lately) {
        if args.ended > 0 && !rows.iter().any(|known| known.case == row.case) {
            rows.push(row);
        }
    }
    rows.retain(|row| filter.fits(row));
    Ok(rows)
}

/// The order of the groups: who needs a person first, what has ended well last.
fn need(row: &BoardRow) -> u8 {
    if row.hold.is_some() || (row.vanished_at.is_some() && !row.state.is_terminal()) {
        return 0;
    }
    match row.state {
        StateName::Rejected => 1,
        StateName::Failed => 2,
        StateName::Running => 3,
        StateName::Cancelling => 4,
        StateName::Returning => 5,
        StateName::Queued => 6,
        StateName::Submitting => 7,
        StateName::Shipping => 8,
        StateName::Staged => 9,
        StateName::Ready => 10,
        StateName::Arriving => 11,
        StateName::Succeeded => 12,
        StateName::Cancelled => 13,
    }
}

fn line(
    desk: &Desk,
    row: &BoardRow,
    progress: Option<&StoredProgress>,
    width: Option<usize>,
) -> Vec<String> {
    let state = row.state.in_plain_words();
    let state = match &row.hold {
        Some(_) => format!("held, {state}"),
        None => state.to_owned(),
    };
    let since = row.hold.as_ref().map_or(row.state_since, |hold| hold.since);
    let mut place = Vec::new();
    if row.attempt.is_some() {
        place.push(row.headnode.to_string());
    }
    if let Some(attempt) = &row.attempt {
        place.extend(attempt.group.as_ref().map(ToString::to_string));
        let gpus = attempt.gpus.as_ref().filter(|gpus| !gpus.is_empty());
        place.extend(gpus.map(|gpus| format!("GPU {}", words::plain(gpus))));
    }
    let mut place = place.join(" ");
    if let Some(progress) = progress {
        let told = moved(progress, desk.now);
        place = if place.is_empty() { told } else { format!("{place}, {told}") };
    }
    vec![
        words::shortened(words::case_name(&row.name, row.arrival), width),
        state,
        words::since(since, desk.clock()),
        place,
    ]
}

fn moves_bytes(state: StateName) -> bool {
    matches!(state, StateName::Shipping | StateName::Returning)
}

/// `1.2 GiB of 4 GiB (30 %), 85 MiB/s`.
pub(super) fn moved(stored: &StoredProgress, now: Timestamp) -> String {
    let progress = &stored.progress;
    let (done, total) = (progress.bytes_done, progress.bytes_total);
    let percent = u128::from(done.0) * 100 / u128::from(total.0.max(1));
    let mut text = format!("{done} of {total} ({} %)", percent.min(100));
    if progress.rate.0 > 0 && now.duration_since(stored.updated_at) <= RATE_HOLDS {
        text.push_str(&format!(", {}/s", progress.rate));
    }
    text
}

/// A line for every intake and headnode that is not as it should be.
fn troubles(desk: &Desk, printer: &mut Printer) -> anyhow::Result<()> {
    let clock = desk.clock();
    let width = printer.width();
    let paused = |what: &str, name: &str, pause: &daylily_lifecycle::policy::Pause| {
        let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let reason = pause.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        format!(
            "{what} {name}: paused{by} since {}{reason}; `resume --{what} {name}` lifts it",
            clock.at(pause.since)
        )
    };
    let mut lines = Vec::new();
    for Intake { name, unreadable, paused: pause, .. } in desk.reader.intakes()? {
        if let Some(unreadable) = unreadable {
            lines.push(format!(
                "intake {name}: cannot be read since {}, {}; looking again at {}",
                clock.at(unreadable.since),
                words::one_line(&unreadable.because),
                clock.again_second(unreadable.next_look)
            ));
        }
        lines.extend(pause.map(|pause| paused("intake", name.as_str(), &pause)));
    }
    for node in desk.reader.headnodes()? {
        let Headnode { name, state, paused: pause, draining, drift, .. } = node;
        let trouble = explain::headnode_trouble(&name, &state, clock);
        lines.extend(trouble.map(|told| format!("headnode {name}: {}", words::one_line(&told))));
        lines.extend(pause.map(|pause| paused("headnode", name.as_str(), &pause)));
        if draining {
            lines.push(format!("headnode {name}: is being drained and takes nothing new"));
        }
        lines.extend(drift.map(|drift| format!("headnode {name}: {drift}")));
    }
    let any = !lines.is_empty();
    for text in lines.iter().flat_map(|line| words::under(line, 0, width)) {
        printer.line(text)?;
    }
    if any {
        printer.line("")?;
    }
    Ok(())
}

/// The intakes and headnodes whose cases say that they wait for a person.
fn waiting_places(desk: &Desk) -> anyhow::Result<Vec<String>> {
    let intakes = desk.reader.intakes()?.into_iter().filter(|intake| intake.paused.is_some());
    let mut places: Vec<_> = intakes.map(|intake| format!("intake {}", intake.name)).collect();
    for node in desk.reader.headnodes()? {
        let needs_person = match node.state {
            HeadnodeState::Ok => false,
            HeadnodeState::Unreachable { needs_person, .. } => needs_person,
            HeadnodeState::Broken { .. } => true,
        };
        if needs_person || node.paused.is_some() {
            places.push(node.name.to_string());
        }
    }
    Ok(places)
}

/// `5 cases under way, 1 waits for a person: 1 needs correction; 4 running`.
fn counts(desk: &Desk) -> anyhow::Result<String> {
    let counts = desk.reader.counts()?;
    let sum = |of: fn(&crate::store::read::board::StateCount) -> u64| -> usize {
        usize::try_from(counts.iter().map(of).sum::<u64>()).unwrap_or(usize::MAX)
    };
    let (cases, held) = (sum(|count| count.cases), sum(|count| count.held));
    if cases == 0 {
        let paths: Vec<_> =
            desk.settings.intakes.iter().map(|i| i.path.display().to_string()).collect();
        return Ok(format!(
            "no case is under way; a folder copied into {} becomes one",
            words::plain(&paths.join(" or "))
        ));
    }
    let by_state: Vec<String> = StateName::ALL
        .into_iter()
        .filter_map(|state| counts.iter().find(|count| count.state == state))
        .map(|count| format!("{} {}", count.cases, count.state.in_plain_words()))
        .collect();
    let places = waiting_places(desk)?;
    let held = match (held, places.as_slice()) {
        (0, []) => String::new(),
        (0, [one]) => format!(", {one} waits for a person"),
        (0, several) => format!(", {} wait for a person", several.join(" and ")),
        (1, []) => ", 1 waits for a person".to_owned(),
        (more, []) => format!(", {more} wait for a person"),
        (1, [one]) => format!(", 1 waits for a person, and so does {one}"),
        (1, several) => format!(", 1 waits for a person, and so do {}", several.join(" and ")),
        (more, [one]) => format!(", {more} wait for a person, and so does {one}"),
        (more, several) => {
            format!(", {more} wait for a person, and so do {}", several.join(" and "))
        }
    };
    let cases = words::count(cases, "case", "cases");
    Ok(format!("{cases} under way{held}: {}", by_state.join("; ")))
}
