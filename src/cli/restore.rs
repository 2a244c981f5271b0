//! `restore`: puts a backup in the place of the database, keeps what was there, and
//! says what comes next.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::Map;

use super::args::{Global, Restore};
use super::printer::Printer;
use super::{Exit, Outcome, ask, words, words_of_shell};
use crate::app::VERSION;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, HeadnodeSettings, Settings};
use crate::store::requests::{self, NewRequest};
use crate::store::restore::{self, Then};

pub(super) fn run(global: &Global, args: &Restore, printer: &mut Printer) -> Outcome {
    if args.reason.as_deref().is_some_and(|reason| reason.trim().is_empty()) {
        printer.say("--reason is empty\nhint: say why; it stays with the cases for ever")?;
        return Ok(Exit::Usage);
    }
    let settings = config::load(&config::find(global.config.as_deref())?)?;
    let now = SystemClock.now();
    let then = if args.adopt { Then::File } else { Then::Nothing };
    let kept = restore::restore(&settings.state_dir, &args.file, then, VERSION, now)?;
    let shown = words::plain(&args.file.display().to_string());
    printer.line(format!("{shown} is the database now"))?;
    if let Some(kept) = kept {
        let kept = words::plain(&kept.display().to_string());
        printer.line(format!("what was there is kept in {kept}"))?;
    }
    let config = words_of_shell(&settings.file);
    if args.adopt {
        return adopt_at_the_start(&settings, args.reason.clone(), now, printer);
    }
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

/// Leaves a request for each headnode, which the daemon answers when it starts.
fn adopt_at_the_start(
    settings: &Settings,
    reason: Option<String>,
    at: Timestamp,
    printer: &mut Printer,
) -> Outcome {
    let adopt = |headnode: &HeadnodeSettings| NewRequest {
        at,
        actor: ask::caller(),
        verb: "adopt".to_owned(),
        target: headnode.name.to_string(),
        args: Map::new(),
        reason: reason.clone(),
    };
    let requests: Vec<NewRequest> = settings.headnodes.iter().map(adopt).collect();
    requests::file_all(&settings.state_dir, VERSION, &requests).context(
        "the backup is the database now, and that each headnode is to be adopted is not noted in \
         it\nhint: start the daemon, then `adopt` each headnode",
    )?;
    for headnode in &settings.headnodes {
        printer.line(format!("the next start takes in what is on {}", headnode.name))?;
    }
    let config = words_of_shell(&settings.file);
    printer.say(format!(
        "hint: start the daemon: daylily-watch run --config {config}\n\
         hint: what was made since the backup then waits for you: `status`, `resume --held`"
    ))?;
    Ok(Exit::Done)
}
