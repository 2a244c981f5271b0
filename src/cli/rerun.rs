//! `rerun`: starts cases again from the beginning; the earlier results are kept.

use super::args::Abandonable;
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, select};

pub fn run(desk: &Desk, args: &Abandonable, printer: &mut Printer) -> Outcome {
    let Some(cases) = select::cases(desk, printer, &args.change.selection)? else {
        return Ok(Exit::Usage);
    };
    let asked = Asked::plain("rerun", args.change.reason.clone()).with("abandon", args.abandon);
    ask::of_cases(desk, &asked, &cases, printer)
}
