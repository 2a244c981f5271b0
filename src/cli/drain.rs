//! `drain`: lets a headnode take nothing new, and waits until nothing of ours is left
//! there where that is wanted. `resume --headnode` ends it.

use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::policy::{HeadnodeState, Part};
use jiff::Timestamp;

use super::args::Drain;
use super::ask::{self, Asked};
use super::desk::Desk;
use super::printer::Printer;
use super::{Exit, Outcome, find, waiting, words};
use crate::store::places::Headnode;
use crate::store::read::live::There;

/// So many names are told.
const NAMED: usize = 5;

pub fn run(desk: &Desk, args: &Drain, printer: &mut Printer) -> Outcome {
    let Some(name) = find::headnode(desk, printer, &args.headnode)? else {
        return Ok(Exit::Usage);
    };
    let asked = Asked::plain("drain", args.reason.clone()).with("headnode", name.as_str());
    let what = format!("headnode {name}");
    let exit = ask::of_other(desk, &asked, &name, &what, printer)?;
    let headnode = HeadnodeName::new(name);
    if exit != Exit::Done || !args.wait {
        let left = desk.reader.there(&headnode)?;
        if exit == Exit::Done && !left.is_empty() {
            printer.say(still_there(&headnode, &left))?;
        }
        return Ok(exit);
    }
    until_empty(desk, &headnode, printer)
}

fn until_empty(desk: &Desk, headnode: &HeadnodeName, printer: &mut Printer) -> Outcome {
    let mut told = Vec::new();
    let mut told_set_aside = None;
    loop {
        let left = desk.reader.there(headnode)?;
        if left.is_empty() {
            printer.line(format!("headnode {headnode}: nothing is left there"))?;
            return Ok(Exit::Done);
        }
        if left != told {
            printer.say(still_there(headnode, &left))?;
            if left.iter().any(|there| there.held) {
                printer.say(
                    "what waits for a person stays there until somebody decides; \
                     `status --held` says about what",
                )?;
            }
            told = left;
        }
        let node = desk.reader.headnode(headnode)?;
        let set_aside = node.as_ref().and_then(set_aside);
        if let Some((since, because)) =
            set_aside.filter(|(since, _)| told_set_aside != Some(*since))
        {
            printer.say(format!(
                "headnode {headnode} is set aside since {} ({}): it cannot become empty until \
                 `resume --headnode {headnode}`",
                desk.clock().at(since),
                words::one_line(because)
            ))?;
            printer.say(format!("then `drain {headnode} --wait` again"))?;
            told_set_aside = Some(since);
        }
        let draining = node.is_some_and(|node| node.draining);
        if !draining {
            printer.say(format!("headnode {headnode}: somebody has ended that it is drained"))?;
            return Ok(Exit::No);
        }
        if !desk.daemon().is_running() {
            printer.say("no daemon is running any more, so nobody sees what ends there")?;
            return Ok(Exit::Unreachable);
        }
        waiting::pause();
    }
}

/// Since when and why nothing is concluded there.
fn set_aside(node: &Headnode) -> Option<(Timestamp, &str)> {
    match &node.state {
        HeadnodeState::Broken { part: Part::Host, since, because } => Some((*since, because)),
        // What runs is seen to end all the same.
        HeadnodeState::Broken { part: Part::Queue, .. }
        | HeadnodeState::Unreachable { .. }
        | HeadnodeState::Ok => None,
    }
}

/// `headnode hpc: 3 cases are still there: A, B, C (C waits for a person)`.
fn still_there(headnode: &HeadnodeName, left: &[There]) -> String {
    let name = |there: &There| {
        let name = words::case_name(&there.name, there.arrival);
        if there.held { format!("{name} (waits for a person)") } else { name }
    };
    let mut names: Vec<String> = left.iter().take(NAMED).map(name).collect();
    if left.len() > NAMED {
        names.push(format!("{} more", left.len() - NAMED));
    }
    let count = words::count(left.len(), "case is", "cases are");
    format!("headnode {headnode}: {count} still there: {}", names.join(", "))
}
