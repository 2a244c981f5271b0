//! `hold`: stops all actions on cases; what runs, runs on and is observed.

use super::Outcome;
use super::args::Change;
use super::ask;
use super::desk::Desk;
use super::printer::Printer;

pub fn run(desk: &Desk, args: &Change, printer: &mut Printer) -> Outcome {
    ask::plainly(desk, "hold", args, printer)
}
