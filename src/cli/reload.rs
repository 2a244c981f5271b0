//! `reload`: has the daemon read its configuration anew, or tell what that would change.

use super::args::Reload;
use super::ask::{self, Asked};
use super::desk::{Daemon, Desk};
use super::printer::Printer;
use super::{Exit, Outcome, words_of_shell};

pub(super) fn run(desk: &Desk, args: &Reload, printer: &mut Printer) -> Outcome {
    // What nobody reads now is read by the next start, asked or not.
    if matches!(desk.daemon(), Daemon::None | Daemon::Ended(_)) {
        let file = words_of_shell(&desk.settings.file);
        printer.say(format!("no daemon is running: the next start reads {file}"))?;
        return Ok(Exit::Unreachable);
    }
    let asked = Asked::plain("reload", args.reason.clone()).with("dry_run", args.dry_run);
    ask::of_other(desk, &asked, "", "configuration", printer)
}
