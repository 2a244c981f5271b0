//! Owns `--dry-run`: what a daemon that starts now would do, told and not done.

use std::path::Path;

use daylily_lifecycle::case::{Case, State};
use daylily_lifecycle::explain::{Clock as Zoned, stopped_banner};

use super::printer::Printer;
use super::{Exit, Outcome, disk, words};
use crate::app;
use crate::app::VERSION;
use crate::clock::{Clock, SystemClock};
use crate::config::{IntakeSettings, Settings};
use crate::reconcile::scan::preview::{CasePreview, IntakePreview, Next, Preview, preview};
use crate::store::error::StoreError;
use crate::store::read::Reader;

pub(super) fn dry_run(settings: &Settings, printer: &mut Printer) -> Outcome {
    let now = SystemClock.now();
    let reader = database(settings)?;
    let seen = preview(settings, reader.as_ref(), app::heads().is_some(), now)?;
    if reader.is_none() {
        printer.say(format!(
            "there is no database in {} yet: this would be the first start",
            settings.state_dir.display()
        ))?;
    }
    if let Some(pause) = &seen.stopped {
        printer.line(stopped_banner(pause, Zoned { zone: &settings.time_zone, now }))?;
    }
    for (intake, look) in settings.intakes.iter().zip(&seen.intakes) {
        printer.line(of_intake(intake, look, &seen.cases))?;
    }
    for preview in seen.cases.iter().filter(|preview| !only_waits_for_its_intake(preview, &seen)) {
        for line in of_case(settings, preview) {
            printer.line(words::plain(&line))?;
        }
    }
    let readable = seen.intakes.iter().all(|intake| intake.unreadable.is_none());
    Ok(if readable { Exit::Done } else { Exit::No })
}

/// To read what is known, where something is.
pub(super) fn database(settings: &Settings) -> Result<Option<Reader>, StoreError> {
    match Reader::open(&settings.state_dir, VERSION) {
        Ok(reader) => Ok(Some(reader)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Told once, with its intake.
fn only_waits_for_its_intake(preview: &CasePreview, seen: &Preview) -> bool {
    let case = &preview.case;
    let unreadable =
        |intake: &IntakePreview| intake.name == case.intake && intake.unreadable.is_some();
    preview.next == Next::Wait
        && case.hold.is_none()
        && matches!(case.state, State::Arriving | State::Ready)
        && seen.intakes.iter().any(unreadable)
}

fn of_intake(intake: &IntakeSettings, look: &IntakePreview, cases: &[CasePreview]) -> String {
    let head = format!("intake {} ({})", intake.name, intake.path.display());
    let there = cases.iter().filter(|preview| preview.case.intake == intake.name).count();
    if let Some(because) = &look.unreadable {
        let waiting = match there {
            0 => String::new(),
            1 => "; 1 case of it is known".to_owned(),
            more => format!("; {more} cases of it are known"),
        };
        return format!("{head}: cannot be looked at: {because}{waiting}");
    }
    let mut text = format!("{head}: {}", count(there, "case"));
    if look.ended > 0 {
        text.push_str(&format!(", and {} of cases that have ended", count(look.ended, "folder")));
    }
    if look.more_problems > 0 {
        text.push_str(&format!(", and {} more entries that cannot be cases", look.more_problems));
    }
    text
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn of_case(settings: &Settings, preview: &CasePreview) -> Vec<String> {
    let case = &preview.case;
    let name = &case.name;
    let because = &preview.because;
    match (&preview.next, &case.state) {
        (Next::Start { dir, group }, _) => {
            let command = settings
                .pipelines
                .get(&case.order.pipeline)
                .map_or("", |pipeline| pipeline.command.as_str());
            let mut lines = command.lines();
            let mut shown = lines.next().unwrap_or_default().to_owned();
            if lines.next().is_some() {
                shown.push_str(" ...");
            }
            let by = case.order.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
            let copied = copied(case, dir);
            vec![format!("  {name}: would {copied}, then run `{shown}` in {group}{by}")]
        }
        (Next::ShipAhead { dir }, _) => {
            vec![format!("  {name}: would {} and wait there for a place", copied(case, dir))]
        }
        (Next::Turn { first }, _) => vec![format!(
            "  {name}: would wait for a place; {} first",
            if *first == 1 { "1 case goes".to_owned() } else { format!("{first} cases go") }
        )],
        (Next::Wait, State::Rejected { problems, .. }) => {
            let head = format!("  {name}: would be rejected until it is corrected:");
            let problems = problems.iter().map(|problem| format!("    {problem}"));
            std::iter::once(head).chain(problems).collect()
        }
        (Next::Wait, _) if case.hold.is_some() => vec![format!("  {name}: held. {because}")],
        (Next::Wait, State::Arriving | State::Ready | State::Staged { .. }) => {
            vec![format!("  {name}: would wait. {because}")]
        }
        (
            Next::Wait,
            State::Shipping { .. }
            | State::Submitting { .. }
            | State::Queued { .. }
            | State::Running { .. }
            | State::Returning { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Cancelling { .. },
        ) => vec![format!("  {name}: {}. {because}", case.state.name().in_plain_words())],
    }
}

fn copied(case: &Case, dir: &str) -> String {
    let files = match case.content.files {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    let free = disk::free(Path::new(dir)).map(|free| format!("; {free} free there"));
    format!(
        "be copied to {}:{dir} ({} in {files}{})",
        case.order.headnode,
        case.content.bytes,
        free.unwrap_or_default()
    )
}
