//! `confirm-dead`: a person states that nothing of a job runs any more.

use super::Outcome;
use super::args::Change;
use super::ask;
use super::desk::Desk;
use super::printer::Printer;

pub fn run(desk: &Desk, args: &Change, printer: &mut Printer) -> Outcome {
    ask::plainly(desk, "confirm-dead", args, printer)
}
