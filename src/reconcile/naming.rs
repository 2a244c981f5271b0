//! Owns the names of a case's places: its folder on the headnode and among the
//! results, the attempt directory, the list of what was shipped. No two cases of an
//! intake have one place, whatever people call their folders.

use std::collections::BTreeSet;
use std::path::Path;

use daylily_lifecycle::attempt::{Attempt, EndHow, Place, QueueKind};
use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{Arrival, AttemptId};
use daylily_lifecycle::observation::AttemptSeed;
use daylily_lifecycle::workset_run::WorksetRun;

use super::{Context, Node, Pass};
use crate::adapters::host::names::{bounded_name, bounded_name_with_room};
use crate::adapters::host::pipeline::{WorksetPlace, workset_command};
use crate::adapters::host::shared::Mapping;
use crate::config::{self, Settings};
use crate::store::read::Reader;

/// The case's name, `name.2` for its second arrival, `name~3` when an attempt before
/// the third was given up although something of it may still run. With a mark of the
/// case where another case was there first: one named `name.2` by a person.
fn remote_name(case: &Case, attempt_number: u32, mark: &str) -> String {
    let abandoned = case
        .past
        .iter()
        .any(|attempt| attempt.end.as_ref().is_some_and(|end| end.how == EndHow::Abandoned));
    let mut suffix = arrival(case);
    suffix.push_str(mark);
    if abandoned {
        suffix.push_str(&format!("~{attempt_number}"));
    }
    bounded_name(case.name.as_str(), &suffix)
}

/// Where the next attempt of a case would run, if its headnode is configured.
pub(super) fn remote_dir(settings: &Settings, case: &Case) -> Option<String> {
    let node = settings.headnodes.iter().find(|node| node.name == case.order.headnode)?;
    if let Some(shown) = shown(&node.ship, case) {
        return Some(shown);
    }
    let number = case.attempts().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
    let name = remote_name(case, number, "");
    Some(format!("{}/{}/{name}", node.work_dir.to_string_lossy(), case.intake))
}

/// Where a headnode that sees our folders sees this one. A path outside of what it sees
/// is refused when it is to be shipped.
fn shown(ship: &config::Ship, case: &Case) -> Option<String> {
    match ship {
        config::Ship::Copy => None,
        config::Ship::Shared { here, there } => {
            let mapping = Mapping { here: here.clone(), there: there.clone() };
            mapping.map(Path::new(&case.path))
        }
    }
}

/// Whether the case's job works in the very folder that lies in its intake.
pub(super) fn runs_in_place(settings: &Settings, case: &Case) -> bool {
    let Some(attempt) = case.attempts().last() else { return false };
    let node = settings.headnodes.iter().find(|node| node.name == attempt.place.headnode);
    node.and_then(|node| shown(&node.ship, case))
        .is_some_and(|shown| shown == attempt.place.remote_dir)
}

/// Where the results of a case go by name: every attempt to the same place.
pub(super) fn results_name(case: &Case) -> String {
    let mark = mark(case);
    let first = case.attempts().next().map(|attempt| attempt.place.remote_dir.as_str());
    let marked = first.is_some_and(|first| first.ends_with(&mark));
    let suffix = arrival(case) + if marked { &mark } else { "" };
    bounded_name(case.name.as_str(), &suffix)
}

fn arrival(case: &Case) -> String {
    match case.arrival {
        Arrival::FIRST => String::new(),
        Arrival(later) => format!(".{later}"),
    }
}

/// What tells a case from all others, short enough for a name.
fn mark(case: &Case) -> String {
    format!("-{}", &blake3::hash(case.id.as_str().as_bytes()).to_hex().as_str()[..8])
}

/// Room for what a ship adds to the name of its list.
const BESIDE: usize = 16;

/// The list of what was shipped to a case's folder.
pub(super) fn manifest(case: &Case, place: &Place) -> String {
    let folder = place.remote_dir.rsplit('/').next().unwrap_or_default();
    format!(
        "{}/.daylily-watch/cases/{}/{}",
        place.work_dir,
        case.intake,
        bounded_name_with_room(folder, ".shipped", BESIDE)
    )
}

pub(super) fn queue_kind(queue: config::QueueKind) -> QueueKind {
    match queue {
        config::QueueKind::Direct => QueueKind::Direct,
        config::QueueKind::Pueue | config::QueueKind::Slurm => QueueKind::Pueue,
    }
}

/// What an attempt of a workset runs. An attempt before it that may have run has left its
/// clone: the directory of this one is another.
fn command_of(run: &WorksetRun, case: &Case, number: u32, dir: &str, attempt_dir: &str) -> String {
    let may_have_run = |attempt: &Attempt| {
        attempt.end.as_ref().is_none_or(|end| match end.how {
            EndHow::NeverRan | EndHow::Superseded => false,
            EndHow::Recorded | EndHow::Observed | EndHow::Abandoned => true,
        })
    };
    let workdir_name = match case.past.iter().any(may_have_run) {
        true => format!("{}-{number}", run.workdir_name),
        false => run.workdir_name.clone(),
    };
    let (workset, workdir_name) = (case.name.as_str(), workdir_name.as_str());
    let place = WorksetPlace { dir, attempt_dir, workset, workdir_name };
    // It was looked at when the workset was read.
    workset_command(run, &place)
        .unwrap_or_else(|error| format!("# {:?}\nexit 93", error.to_string()))
}

/// A new attempt: its id, and everything that must not change while it is under way.
/// `also_taken` are places that are being given to other cases at the same time.
pub(super) fn attempt_seed(
    context: &Context,
    reader: &Reader,
    node: &Node,
    case: &Case,
    also_taken: &mut BTreeSet<String>,
) -> Pass<AttemptSeed> {
    let id = AttemptId::new(format!("dw-{}", context.draw_id()));
    let number = case.attempts().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
    let work_dir = node.settings.work_dir.to_string_lossy().into_owned();
    let folder = |mark| format!("{work_dir}/{}/{}", case.intake, remote_name(case, number, mark));
    let mut remote_dir = folder("");
    if let Some(shown) = shown(&node.settings.ship, case) {
        // It is where it is, whoever else was there.
        remote_dir = shown;
    } else if also_taken.contains(&remote_dir) || reader.is_place_of_another(case, &remote_dir)? {
        remote_dir = folder(&mark(case));
    }
    also_taken.insert(remote_dir.clone());
    let pipeline = context.settings.pipelines.get(&case.order.pipeline);
    let attempt_dir = format!("{work_dir}/.daylily-watch/{id}");
    let command = match &case.order.workset {
        Some(run) => command_of(run, case, number, &remote_dir, &attempt_dir),
        None => pipeline.map(|pipeline| pipeline.command.clone()).unwrap_or_default(),
    };
    Ok(AttemptSeed {
        place: Place {
            headnode: node.settings.name.clone(),
            queue: queue_kind(node.settings.queue),
            remote_dir,
            attempt_dir,
            work_dir,
            owner: node.owner.clone(),
            command,
            stop: pipeline.and_then(|pipeline| pipeline.stop.clone()),
            params: case.order.params.clone(),
            config_hash: context.settings.hash.clone(),
        },
        id,
    })
}
