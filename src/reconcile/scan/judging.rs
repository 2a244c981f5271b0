//! Owns the way from a case's folder to what is seen of it: one scan, judged by the
//! intake's rules and by what is remembered of the case. It changes nothing.

use std::path::Path;

use daylily_lifecycle::case::{Case, Order};
use daylily_lifecycle::ids::FolderIdentity;
use daylily_lifecycle::observation::Scanned;
use daylily_lifecycle::settle::{FAR, Judged, Memory, Settle, Tree, judge};
use jiff::Timestamp;

use super::orders::{Matching, Orders, read_case_file};
use super::rules::Rules;
use super::worksets::{self, Knowledge};
use crate::config::case_file::{self, CaseFile};
use crate::intake::directory::manifest;
use crate::intake::directory::mount::folder_at;
use crate::intake::directory::scan::{ScanError, scan_telling};
use crate::tree::TreeError;

/// Walks through the folder, so it belongs on a thread that may block. `asks_s3` says
/// whether there is somebody to ask for objects.
pub fn scan_and_judge(
    case: &Case,
    rules: &Rules,
    orders: &Orders,
    asks_s3: bool,
    now: Timestamp,
) -> Result<Scanned, ScanError> {
    let path = Path::new(&case.path);
    let failed = |source| {
        let source = TreeError::Io { path: path.to_owned(), source };
        ScanError::Walk { folder: path.to_owned(), source }
    };
    let before = folder_at(path);
    // Read first: what is put in its place during the walk has another fingerprint.
    let found = manifest::read(path, &rules.manifest).map_err(failed)?;
    let workset = worksets::read(path, rules).map_err(failed)?;
    let mut presence = found.presence();
    let mut matching = Matching::default();
    let mut tree = scan_telling(path, &rules.scan, now, &mut |file| {
        matching.saw(orders, file);
        if let Some(presence) = &mut presence {
            presence.saw(file);
        }
    })?;
    let mut problems = std::mem::take(&mut tree.problems);
    // The walk and the reader of a file may have met the same.
    let mut add = |more: &[String]| {
        for problem in more {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
    };
    add(found.problems());
    tree.manifest =
        presence.map_or_else(|| found.without_files(), |presence| presence.finish(path));
    let said = match rules.scan.ignore.matches(case_file::NAME) {
        true => Ok(CaseFile::default()),
        false => read_case_file(path).map_err(failed)?,
    };
    let said = said.unwrap_or_else(|wrong| {
        add(&wrong);
        CaseFile::default()
    });
    let mut order = orders.order(matching, said);
    if worksets::is_refused(path, rules) {
        add(&[worksets::refusal()]);
    }
    if let Some(read) = workset {
        let known = Knowledge {
            workset: case.name.as_str(),
            wanted: &rules.manifest.wanted,
            accepted: case.accepted.is_some(),
            asks: asks_s3,
        };
        let seen = worksets::seen(read, std::mem::take(&mut tree.manifest), &known);
        add(&seen.problems);
        tree.manifest = seen.manifest;
        order.workset = seen.run;
    }
    // Replaced in between, it is told by the next scan which one it is.
    let folder = before.filter(|before| folder_at(path).as_ref() == Some(before));
    tree.problems = problems;
    Ok(judged(case, tree, folder, order, &rules.settle, now))
}

/// What a walk saw, by the intake's rules and by what is remembered of the case.
pub fn judged(
    case: &Case,
    tree: Tree,
    folder: Option<FolderIdentity>,
    order: Order,
    settle: &Settle,
    now: Timestamp,
) -> Scanned {
    let judged = judge(&tree, &memory(case), settle, now);
    let settles_at = settles_at(&judged, now);
    let mut problems = tree.problems;
    for problem in &judged.disagreements {
        if !problems.contains(problem) {
            problems.push(problem.clone());
        }
    }
    Scanned {
        files: tree.files,
        bytes: tree.bytes,
        fingerprint: tree.fingerprint,
        last_change: judged.last_change,
        settles_at,
        conditions: judged.conditions,
        problems,
        refused: judged.refused,
        folder,
        refuted: judged.refuted,
        order: Some(Box::new(order)),
    }
}

fn memory(case: &Case) -> Memory<'_> {
    Memory {
        first_seen: case.first_seen,
        fingerprint: case.content.fingerprint.as_ref(),
        last_change: case.last_change.as_ref(),
        conditions: &case.conditions,
        compared: case.compared.as_ref(),
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
