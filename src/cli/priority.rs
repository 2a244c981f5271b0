//! `priority`: changes the place of cases in the order in which places are given.

use super::args::{Priority, Rank};
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, select};

pub fn run(desk: &Desk, args: &Priority, printer: &mut Printer) -> Outcome {
    let Some(cases) = select::cases(desk, printer, &args.change.selection)? else {
        return Ok(Exit::Usage);
    };
    let rank = match args.priority {
        Rank::Urgent => "urgent",
        Rank::Normal => "normal",
        Rank::Low => "low",
    };
    let asked = Asked::plain("priority", args.change.reason.clone()).with("priority", rank);
    ask::of_cases(desk, &asked, &cases, printer)
}
