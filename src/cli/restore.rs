//! `restore`: puts a backup in the place of the database, keeps what was there, and
//! says what comes next.

use super::args::{Global, Restore};
use super::printer::Printer;
use super::{Exit, Outcome, words, words_of_shell};
use crate::app::VERSION;
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::store::restore;

pub(super) fn run(global: &Global, args: &Restore, printer: &mut Printer) -> Outcome {
    let settings = config::load(&config::find(global.config.as_deref())?)?;
    let now = SystemClock.now();
    let kept = restore::restore(&settings.state_dir, &args.file, VERSION, now)?;
    let shown = words::plain(&args.file.display().to_string());
    printer.line(format!("{shown} is the database now"))?;
    if let Some(kept) = kept {
        let kept = words::plain(&kept.display().to_string());
        printer.line(format!("what was there is kept in {kept}"))?;
    }
    let config = words_of_shell(&settings.file);
    printer.say(format!(
        "hint: start the daemon: daylily-watch run --config {config}\n\
         hint: a headnode that was used since this backup is then set aside, and nothing \
         starts there until its attempts are taken in:"
    ))?;
    for headnode in &settings.headnodes {
        printer.say(format!(
            "      daylily-watch adopt {} --reason 'restored a backup' --config {config}",
            headnode.name
        ))?;
    }
    Ok(Exit::Done)
}
