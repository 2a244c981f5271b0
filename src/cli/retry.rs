//! `retry`: goes on with the step that failed.

use super::Outcome;
use super::args::Change;
use super::ask;
use super::desk::Desk;
use super::printer::Printer;

pub fn run(desk: &Desk, args: &Change, printer: &mut Printer) -> Outcome {
    ask::plainly(desk, "retry", args, printer)
}
