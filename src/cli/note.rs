//! `note`: writes a remark into the history of cases and changes nothing else.

use super::args::Note;
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, select};

pub fn run(desk: &Desk, args: &Note, printer: &mut Printer) -> Outcome {
    if args.text.trim().is_empty() {
        printer.say("a remark needs words: nothing was done")?;
        return Ok(Exit::Usage);
    }
    let Some(cases) = select::cases(desk, printer, &args.selection)? else {
        return Ok(Exit::Usage);
    };
    ask::of_cases(desk, &Asked::plain("note", Some(args.text.clone())), &cases, printer)
}
