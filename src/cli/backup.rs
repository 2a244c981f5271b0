//! `backup`: copies the database into a file of its own, whole and proven so, with or
//! without a daemon.

use std::path::Path;

use super::args::{Backup, Global};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, words};
use crate::app::VERSION;
use crate::store::open::note_backup;

pub(super) fn run(global: &Global, args: &Backup, printer: &mut Printer) -> Outcome {
    let desk = Desk::open(global)?;
    let shown = words::plain(&args.file.display().to_string());
    if args.file.symlink_metadata().is_ok() {
        printer.say(format!(
            "error: {shown} is there already and is not overwritten\n\
             hint: name a new file, such as daylily-$(date +%F).db"
        ))?;
        return Ok(Exit::Usage);
    }
    if let Some(folder) = args.file.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        let folder = words::plain(&folder.display().to_string());
        printer.say(format!("error: there is no folder {folder}\nhint: mkdir -p {folder}"))?;
        return Ok(Exit::Usage);
    }
    desk.reader.back_up(&args.file)?;
    let size = args.file.metadata().map(|file| file.len()).unwrap_or_default();
    let size = daylily_lifecycle::ids::ByteCount(size);
    printer.line(format!("{shown}: a whole copy of the database, {size}"))?;
    remember(&desk, printer)?;
    Ok(Exit::Done)
}

/// Whoever may only read has a backup all the same; that there is one is then not noted.
fn remember(desk: &Desk, printer: &mut Printer) -> std::io::Result<()> {
    let state_dir: &Path = &desk.settings.state_dir;
    match note_backup(state_dir, VERSION, desk.later()) {
        Ok(()) => Ok(()),
        Err(error) => {
            let error = error.to_string();
            let first = words::plain(error.lines().next().unwrap_or_default());
            printer.say(format!("that it was made is not noted in the database: {first}"))
        }
    }
}
