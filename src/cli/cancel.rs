//! `cancel`: ends cases. All of them at once only for who can say how many they are.

use std::io::BufRead;

use super::args::{Cancel, Selection};
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::select::{self, Selected};
use super::{Exit, Outcome, words};

pub fn run(desk: &Desk, args: &Cancel, printer: &mut Printer) -> Outcome {
    answered(desk, args, printer, &mut std::io::stdin().lock())
}

/// `answers` is where a person types.
pub fn answered(
    desk: &Desk,
    args: &Cancel,
    printer: &mut Printer,
    answers: &mut dyn BufRead,
) -> Outcome {
    let asked = Asked::plain("cancel", args.reason.clone()).with("abandon", args.abandon);
    let cases = if args.all {
        desk.banner(printer, false)?;
        let rows = desk.reader.board(0)?;
        let cases: Vec<_> = rows.iter().map(Selected::of).collect();
        if !cases.is_empty() && !is_meant(cases.len(), printer, answers)? {
            printer.say("nothing was done")?;
            return Ok(Exit::No);
        }
        cases
    } else {
        let selection = Selection {
            cases: args.cases.clone(),
            state: args.state.clone(),
            intake: args.intake.clone(),
            held: args.held,
        };
        match select::cases(desk, printer, &selection)? {
            Some(cases) => cases,
            None => return Ok(Exit::Usage),
        }
    };
    ask::of_cases(desk, &asked, &cases, printer)
}

fn is_meant(
    number: usize,
    printer: &mut Printer,
    answers: &mut dyn BufRead,
) -> anyhow::Result<bool> {
    let cases = words::count(number, "case has", "cases have");
    printer.say(format!("{cases} not ended; type that number to cancel all of them:"))?;
    let mut typed = String::new();
    answers.read_line(&mut typed)?;
    Ok(typed.trim().parse() == Ok(number))
}
