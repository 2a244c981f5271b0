//! Owns what is recorded of a folder at first sight: whose name it has, what it asks
//! for, and whether it was here before the program was.

use daylily_lifecycle::case::{CaseKind, Prior};
use daylily_lifecycle::ids::{Arrival, CaseId};
use daylily_lifecycle::observation::{Appeared, Observation};
use jiff::{SignedDuration, Timestamp};

use super::orders::Orders;
use super::rules::Rules;
use crate::config::{Existing, IntakeSettings};
use crate::intake::directory::listing::Found;
use crate::intake::directory::scan::scan;
use crate::store::read::live::LastArrival;

/// Untouched for this long before the first start: here before us.
const LONG: SignedDuration = SignedDuration::from_hours(24);

/// The first sight of a case. `last` had the name before.
pub(super) fn appearance(
    case: CaseId,
    settings: &IntakeSettings,
    found: &Found,
    last: Option<LastArrival>,
    baseline: Option<String>,
) -> Observation {
    Observation::Appeared(Box::new(Appeared {
        case,
        intake: settings.name.clone(),
        name: found.name.clone(),
        arrival: last.as_ref().map_or(Arrival::FIRST, |last| last.arrival.next()),
        path: found.path.to_string_lossy().into_owned(),
        kind_of_case: CaseKind::Folder,
        order: Orders::at_first_sight(settings),
        folder: found.folder.clone(),
        prior: last.map(|last| Prior { case: last.case, digest: last.digest }),
        baseline,
        problem: found.problem.clone(),
    }))
}

/// Why a folder whose name is new counts as being here before us. It may walk through
/// the folder, so it belongs on a thread that may block.
pub(crate) fn baseline(
    settings: &IntakeSettings,
    found: &Found,
    first_look: bool,
    now: Timestamp,
) -> Option<String> {
    match (first_look, settings.existing) {
        (false, _) | (true, Existing::Process) => None,
        (true, Existing::Hold) => Some("here before the first start".to_owned()),
        (true, Existing::Auto) => {
            let rules = Rules::of(settings).ok()?;
            let tree = scan(&found.path, &rules.scan, now).ok()?;
            let newest = tree.newest.map_or(found.changed, |newest| newest.at.max(found.changed));
            (now.duration_since(newest) >= LONG)
                .then(|| "here before the first start and untouched for 24 h before it".to_owned())
        }
    }
}

/// Whether the folder is not the one of the case that last had its name.
pub(super) fn is_another(found: &Found, last: &LastArrival) -> bool {
    match (&found.folder, &last.folder) {
        (Some(now), Some(then)) => now != then,
        (Some(_), None) => true,
        (None, _) => false,
    }
}
