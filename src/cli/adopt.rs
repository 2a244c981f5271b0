//! `adopt`: makes this database the owner of a headnode's work_dir and takes in what
//! runs there.

use super::args::Adopt;
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, find};

pub(super) fn run(desk: &Desk, args: &Adopt, printer: &mut Printer) -> Outcome {
    let Some(name) = find::headnode(desk, printer, &args.headnode)? else {
        return Ok(Exit::Usage);
    };
    if args.reason.trim().is_empty() {
        printer.say("--reason is empty\nhint: say why; it stays with the cases for ever")?;
        return Ok(Exit::Usage);
    }
    let asked = Asked::plain("adopt", Some(args.reason.clone())).patiently();
    let exit = ask::of_other(desk, &asked, &name, &format!("headnode {name}"), printer)?;
    if exit == Exit::Done {
        printer.say("hint: `status` lists what waits; `resume --held` takes all of it over")?;
    }
    Ok(exit)
}
