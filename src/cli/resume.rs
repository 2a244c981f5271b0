//! `resume`: releases held cases, or lifts a pause.

use super::args::{Resume, Selection};
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, pause, select};

pub fn run(desk: &Desk, args: &Resume, printer: &mut Printer) -> Outcome {
    let asked = Asked::plain("resume", args.reason.clone());
    let paused = &args.paused;
    if paused.all || paused.intake.is_some() || paused.headnode.is_some() {
        if !args.cases.is_empty() || args.state.is_some() || args.held {
            printer.say("either cases are released or a pause is lifted, not both at once")?;
            return Ok(Exit::Usage);
        }
        let Some(what) = pause::what(desk, paused, printer)? else { return Ok(Exit::Usage) };
        return what.ask(desk, asked, printer);
    }
    let selection = Selection {
        cases: args.cases.clone(),
        state: args.state.clone(),
        intake: None,
        // By what they have in common, only those that wait for a person are meant.
        held: args.cases.is_empty(),
    };
    let Some(cases) = select::cases(desk, printer, &selection)? else { return Ok(Exit::Usage) };
    ask::of_cases(desk, &asked, &cases, printer)
}
