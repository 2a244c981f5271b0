//! `accept`: starts cases without the condition that is missing.

use super::Outcome;
use super::args::Change;
use super::ask;
use super::desk::Desk;
use super::printer::Printer;

pub fn run(desk: &Desk, args: &Change, printer: &mut Printer) -> Outcome {
    ask::plainly(desk, "accept", args, printer)
}
