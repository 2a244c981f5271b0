//! `pause`: keeps an intake, a headnode or everything from starting anything new.

use super::args::{Pause, Paused};
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, find, words};

pub fn run(desk: &Desk, args: &Pause, printer: &mut Printer) -> Outcome {
    let Some(what) = what(desk, &args.paused, printer)? else { return Ok(Exit::Usage) };
    if let (What::All, Some(pause)) = (&what, desk.stopped()?) {
        desk.banner(printer, false)?;
        let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let since = desk.clock().at(pause.since);
        let text = format!("everything is stopped already{by}, since {since}: nothing was done");
        printer.say(words::plain(&text))?;
        return Ok(Exit::Done);
    }
    what.ask(desk, Asked::plain("pause", args.reason.clone()), printer)
}

/// What is paused, or goes on.
pub(super) enum What {
    Intake(String),
    Headnode(String),
    All,
}

impl What {
    pub(super) fn ask(self, desk: &Desk, asked: Asked, printer: &mut Printer) -> Outcome {
        match self {
            Self::Intake(name) => {
                let what = format!("intake {name}");
                ask::of_other(desk, &asked.with("intake", name.as_str()), &name, &what, printer)
            }
            Self::Headnode(name) => {
                let what = format!("headnode {name}");
                ask::of_other(desk, &asked.with("headnode", name.as_str()), &name, &what, printer)
            }
            Self::All => ask::of_other(desk, &asked.with("all", true), "", "everything", printer),
        }
    }
}

/// By its name, which must be known. None after saying what is wrong.
pub(super) fn what(
    desk: &Desk,
    paused: &Paused,
    printer: &mut Printer,
) -> anyhow::Result<Option<What>> {
    Ok(match (&paused.intake, &paused.headnode, paused.all) {
        (Some(name), None, false) => {
            find::intake(desk, printer, name)?.map(|name| What::Intake(name.to_string()))
        }
        (None, Some(name), false) => find::headnode(desk, printer, name)?.map(What::Headnode),
        (None, None, true) => Some(What::All),
        _ => {
            printer.say("say one of --intake NAME, --headnode NAME or --all")?;
            None
        }
    })
}
