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

/// `keep_journal` None: journals are kept for ever.
pub(super) fn prune(
    db: &Connection,
    now: Timestamp,
    keep_journal: Option<SignedDuration>,
) -> rusqlite::Result<Pruned> {
    let requests = match now.checked_sub(REQUESTS_KEPT) {
        Ok(before) => db
            .prepare_cached("DELETE FROM requests WHERE done_at < ?")?
            .execute([Instant(before)])?,
        Err(_) => 0,
    };
    let journal = match keep_journal.map(|keep| now.checked_sub(keep)) {
        Some(Ok(before)) => db
            .prepare_cached(
                "DELETE FROM journal WHERE case_id IN (
                     SELECT c.id FROM cases AS c
                     WHERE c.state IN ('succeeded', 'failed', 'cancelled') AND c.finished_at < ?1
                       AND EXISTS (SELECT 1 FROM journal AS j WHERE j.case_id = c.id)
                     ORDER BY c.finished_at LIMIT ?2)",
            )?
            .execute(params![Instant(before), CASES_AT_ONCE])?,
        Some(Err(_)) | None => 0,
    };
    Ok(Pruned { requests, journal })
}
