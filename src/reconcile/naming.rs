//! Owns the names of a case's places: its folder on the headnode and among the
//! results, the attempt directory, the list of what was shipped.

use daylily_lifecycle::attempt::{EndHow, Place, QueueKind};
use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{Arrival, AttemptId};
use daylily_lifecycle::observation::AttemptSeed;
use ulid::Ulid;

use super::{Context, Node};
use crate::adapters::host::names::{bounded_name, bounded_name_with_room};
use crate::config::{self, Settings};

/// The case's name, `name.2` for its second arrival, `name~3` when an attempt before
/// the third was given up although something of it may still run.
pub(super) fn remote_name(case: &Case, attempt_number: u32) -> String {
    let abandoned = case
        .past
        .iter()
        .any(|attempt| attempt.end.as_ref().is_some_and(|end| end.how == EndHow::Abandoned));
    let mut suffix = String::new();
    if case.arrival != Arrival::FIRST {
        suffix.push_str(&format!(".{}", case.arrival.0));
    }
    if abandoned {
        suffix.push_str(&format!("~{attempt_number}"));
    }
    bounded_name(case.name.as_str(), &suffix)
}

/// Where the next attempt of a case would run, if its headnode is configured.
pub(super) fn remote_dir(settings: &Settings, case: &Case) -> Option<String> {
    let node = settings.headnodes.iter().find(|node| node.name == case.order.headnode)?;
    let number = case.attempts().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
    let name = remote_name(case, number);
    Some(format!("{}/{}/{name}", node.work_dir.to_string_lossy(), case.intake))
}

/// Where the results of a case go by name: every attempt to the same place.
pub(super) fn results_name(case: &Case) -> String {
    let suffix = match case.arrival {
        Arrival::FIRST => String::new(),
        Arrival(later) => format!(".{later}"),
    };
    bounded_name(case.name.as_str(), &suffix)
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

/// A new attempt: its id, and everything that must not change while it is under way.
pub(super) fn attempt_seed(context: &Context, node: &Node, case: &Case) -> AttemptSeed {
    let id = AttemptId::new(format!("dw-{}", Ulid::generate()));
    let number = case.attempts().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
    let work_dir = node.settings.work_dir.to_string_lossy().into_owned();
    let command = context
        .settings
        .pipelines
        .get(&case.order.pipeline)
        .map(|pipeline| pipeline.command.clone())
        .unwrap_or_default();
    AttemptSeed {
        place: Place {
            headnode: node.settings.name.clone(),
            queue: match node.settings.queue {
                config::QueueKind::Direct => QueueKind::Direct,
                config::QueueKind::Pueue | config::QueueKind::Slurm => QueueKind::Pueue,
            },
            remote_dir: format!("{work_dir}/{}/{}", case.intake, remote_name(case, number)),
            attempt_dir: format!("{work_dir}/.daylily-watch/{id}"),
            work_dir,
            owner: node.owner.clone(),
            command,
            config_hash: context.settings.hash.clone(),
        },
        id,
    }
}
