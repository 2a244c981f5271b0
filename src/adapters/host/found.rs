//! Owns the list of what attempt directories there are. It believes no more of it than
//! a name and a record that speaks of that very name: anybody with the pipeline's
//! account could have written them.

use std::collections::{BTreeMap, BTreeSet};

use daylily_lifecycle::ids::AttemptId;

use super::names::is_plain_id;
use super::record::CaseRecord;

/// An attempt directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAttempt {
    pub id: AttemptId,
    /// job.sh is there, so that it may have run, or may run yet.
    pub has_job: bool,
    pub has_claim: bool,
    /// None: there is no case.json, or it is not one of this attempt.
    pub record: Option<Box<CaseRecord>>,
}

/// What `list.sh` printed; None where that is not a whole answer.
pub(super) fn parse(stdout: &[u8]) -> Option<Vec<FoundAttempt>> {
    let mut dirs = BTreeSet::new();
    let mut jobs = BTreeSet::new();
    let mut claims = BTreeSet::new();
    let mut records = BTreeMap::new();
    let mut whole = false;
    for line in stdout.split(|&byte| byte == b'\n') {
        if let Some(nul) = line.iter().position(|&byte| byte == 0) {
            let id = id(&line[..nul], "/case.json");
            let record: Option<CaseRecord> = serde_json::from_slice(&line[nul + 1..]).ok();
            if let (Some(id), Some(record)) = (id, record)
                && record.attempt == id
            {
                records.insert(id, Box::new(record));
            }
        } else if let Some(path) = line.strip_prefix(b"dir ") {
            dirs.extend(id(path, ""));
        } else if let Some(path) = line.strip_prefix(b"job ") {
            jobs.extend(id(path, "/job.sh"));
        } else if let Some(path) = line.strip_prefix(b"claim ") {
            claims.extend(id(path, "/claim"));
        } else if line == b"end" {
            whole = true;
        }
    }
    let found = dirs.into_iter().map(|id| {
        let (has_job, has_claim) = (jobs.contains(&id), claims.contains(&id));
        let record = records.remove(&id);
        FoundAttempt { id, has_job, has_claim, record }
    });
    whole.then(|| found.collect())
}

/// What `names.sh` printed, likewise.
pub(super) fn names(stdout: &[u8]) -> Option<Vec<AttemptId>> {
    let lines = stdout.split(|&byte| byte == b'\n');
    let names = lines.filter_map(|line| id(line.strip_prefix(b"dir ")?, ""));
    stdout.ends_with(b"end\n").then(|| names.collect())
}

fn id(path: &[u8], below: &str) -> Option<AttemptId> {
    let path = std::str::from_utf8(path).ok()?;
    let id = path.strip_prefix("./")?.strip_suffix(below)?;
    (id.starts_with("dw-") && is_plain_id(id)).then(|| AttemptId::new(id))
}

#[cfg(test)]
mod tests;
