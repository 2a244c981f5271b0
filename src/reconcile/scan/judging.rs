//! Owns the way from a case's folder to what is seen of it: one scan, judged by the
//! intake's rules and by what is remembered of the case. It changes nothing.

use std::path::Path;

use daylily_lifecycle::case::Case;
use daylily_lifecycle::observation::Scanned;
use daylily_lifecycle::settle::{FAR, Judged, Memory, judge};
use jiff::Timestamp;

use super::rules::Rules;
use crate::intake::directory::scan::{ScanError, scan};

/// Walks through the folder, so it belongs on a thread that may block.
pub fn scan_and_judge(case: &Case, rules: &Rules, now: Timestamp) -> Result<Scanned, ScanError> {
    let tree = scan(Path::new(&case.path), &rules.scan, now)?;
    let judged = judge(&tree, &memory(case), &rules.settle, now);
    let settles_at = settles_at(&judged, now);
    Ok(Scanned {
        files: tree.files,
        bytes: tree.bytes,
        fingerprint: tree.fingerprint,
        last_change: judged.last_change,
        settles_at,
        conditions: judged.conditions,
        problems: tree.problems,
        refused: judged.refused,
        folder: None,
    })
}

fn memory(case: &Case) -> Memory<'_> {
    Memory {
        first_seen: case.first_seen,
        fingerprint: case.content.fingerprint.as_ref(),
        last_change: case.last_change.as_ref(),
        conditions: &case.conditions,
        accepted: case.accepted.is_some(),
        last_event: None,
        new_content: case.prior.as_ref().map(|_| case.content.digest.is_some()),
    }
}

/// The next instant at which time alone may complete the case.
fn settles_at(judged: &Judged, now: Timestamp) -> Option<Timestamp> {
    let soon = |at: &Timestamp| at.duration_since(now) < FAR;
    Some(judged.next_look).filter(|at| !judged.complete && soon(at))
}
