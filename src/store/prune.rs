//! Owns what is deleted because it is old: answered requests, and the journals of
//! finished cases, whole, where a retention is configured. Rows of cases stay: they
//! are what tells a name that comes back.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::column::Instant;

/// How long the answer to a request can be asked for.
const REQUESTS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many cases' journals go in one transaction at most, so that none takes long.
const CASES_AT_ONCE: u32 = 200;

/// What was deleted. Another call may find more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    pub requests: usize,
    /// Entries.
    pub journal: usize,
}

pub(super) const FINISHED: &str = "
    SELECT id FROM cases INDEXED BY cases_prunable
    WHERE pruned = 0 AND state IN ('succeeded', 'failed', 'cancelled') AND finished_at < ?
    ORDER BY finished_at LIMIT ?";

/// Of cases that were dropped there is nothing but the journal.
pub(super) const DROPPED: &str = "
    SELECT DISTINCT case_id FROM journal INDEXED BY journal_dropped
    WHERE to_state IS NULL AND at < ?
      AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.id = journal.case_id)
    LIMIT ?";

/// `keep_journal` None: journals are kept for ever.
pub(super) fn prune(
    db: &Connection,
    now: Timestamp,
    keep_journal: Option<SignedDuration>,
) -> rusqlite::Result<Pruned> {
    let mut pruned = Pruned { requests: 0, journal: 0 };
    // A time before all times: nothing is as old as that.
    if let Ok(before) = now.checked_sub(REQUESTS_KEPT) {
        pruned.requests = db
            .prepare_cached("DELETE FROM requests WHERE done_at < ?")?
            .execute([Instant(before)])?;
    }
    let Some(Ok(before)) = keep_journal.map(|keep| now.checked_sub(keep)) else {
        return Ok(pruned);
    };
    let mut delete = db.prepare_cached("DELETE FROM journal WHERE case_id = ?")?;
    let mut mark = db.prepare_cached("UPDATE cases SET pruned = 1 WHERE id = ?")?;
    for old in [FINISHED, DROPPED] {
        let cases: Vec<String> = db
            .prepare_cached(old)?
            .query_map(params![Instant(before), CASES_AT_ONCE], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for case in cases {
            pruned.journal += delete.execute([&case])?;
            mark.execute([&case])?;
        }
    }
    Ok(pruned)
}
