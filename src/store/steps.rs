//! Owns the rows of `steps`: how far the work for a case is, and the trouble that
//! keeps it from succeeding. Trouble is part of the case and replayed from the
//! journal; progress is for people and never journalled.

use daylily_lifecycle::case::{StepName, Trouble, Troubles};
use daylily_lifecycle::ids::{AttemptId, ByteCount, CaseId};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::column::Instant;
use super::words::AsWord;

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub step: StepName,
    pub files_done: u64,
    pub bytes_done: ByteCount,
    pub bytes_total: ByteCount,
    /// Per second.
    pub rate: ByteCount,
}

/// A progress as stored, with when it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProgress {
    pub progress: Progress,
    pub updated_at: Timestamp,
}

pub(super) fn troubles(db: &Connection, case: &CaseId) -> rusqlite::Result<Troubles> {
    db.prepare_cached("SELECT * FROM steps WHERE case_id = ? AND state = 'trouble'")?
        .query_map([case.as_str()], |row| {
            Ok(Trouble {
                step: row.get::<_, AsWord<_>>("step")?.0,
                class: row.get::<_, AsWord<_>>("error_class")?.0,
                text: row.get("error")?,
                tries: row.get("tries")?,
                first_at: row.get::<_, Instant>("first_try_at")?.0,
                last_at: row.get::<_, Instant>("last_try_at")?.0,
            })
        })?
        .collect()
}

/// Puts the trouble of a case in the place of what was told before. The progress of
/// other steps goes with it: the case is elsewhere now.
pub(super) fn put_troubles(
    db: &Connection,
    case: &CaseId,
    attempt: Option<&AttemptId>,
    troubles: &Troubles,
    at: Timestamp,
) -> rusqlite::Result<()> {
    // Their rows are put in the place of what they were, so that their progress stays.
    let mut others = db.prepare_cached("SELECT step FROM steps WHERE case_id = ?")?;
    let steps = others.query_map([case.as_str()], |row| row.get::<_, AsWord<StepName>>(0))?;
    for AsWord(step) in steps.collect::<rusqlite::Result<Vec<_>>>()? {
        if troubles.of(step).is_none() {
            db.prepare_cached("DELETE FROM steps WHERE case_id = ? AND step = ?")?
                .execute(params![case.as_str(), AsWord(step)])?;
        }
    }
    let mut put = db.prepare_cached(
        "INSERT INTO steps (case_id, attempt_id, step, state, tries, first_try_at, last_try_at,
                            error_class, error, updated_at)
         VALUES (?, ?, ?, 'trouble', ?, ?, ?, ?, ?, ?)
         ON CONFLICT (case_id, step) DO UPDATE SET
             attempt_id = excluded.attempt_id, state = excluded.state, tries = excluded.tries,
             first_try_at = excluded.first_try_at, last_try_at = excluded.last_try_at,
             error_class = excluded.error_class, error = excluded.error,
             updated_at = excluded.updated_at",
    )?;
    for trouble in troubles.iter() {
        put.execute(params![
            case.as_str(),
            attempt.map(AttemptId::as_str),
            AsWord(trouble.step),
            trouble.tries,
            Instant(trouble.first_at),
            Instant(trouble.last_at),
            AsWord(trouble.class),
            trouble.text,
            Instant(at),
        ])?;
    }
    Ok(())
}

/// Tells how far a step of the attempt under way is. One of another attempt, or of
/// a case that is finished, comes too late and is dropped.
pub(super) fn put_progress(
    db: &Connection,
    case: &CaseId,
    attempt: Option<&AttemptId>,
    progress: &Progress,
    at: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO steps (case_id, attempt_id, step, state, files_done, bytes_done, bytes_total,
                            rate, updated_at)
         SELECT id, attempt_id, ?3, 'going', ?4, ?5, ?6, ?7, ?8 FROM cases
         WHERE id = ?1 AND attempt_id IS ?2 AND state NOT IN ('succeeded', 'failed', 'cancelled')
         ON CONFLICT (case_id, step) DO UPDATE SET
             attempt_id = excluded.attempt_id, files_done = excluded.files_done,
             bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total,
             rate = excluded.rate, updated_at = excluded.updated_at",
    )?
    .execute(params![
        case.as_str(),
        attempt.map(AttemptId::as_str),
        AsWord(progress.step),
        progress.files_done,
        progress.bytes_done.0,
        progress.bytes_total.0,
        progress.rate.0,
        Instant(at),
    ])?;
    Ok(())
}

/// The progress of a case, the newest first.
pub(super) fn progress(db: &Connection, case: &CaseId) -> rusqlite::Result<Vec<StoredProgress>> {
    db.prepare_cached(
        "SELECT * FROM steps WHERE case_id = ? AND bytes_done IS NOT NULL ORDER BY updated_at DESC",
    )?
    .query_map([case.as_str()], progress_from_row)?
    .collect()
}

fn progress_from_row(row: &Row<'_>) -> rusqlite::Result<StoredProgress> {
    Ok(StoredProgress {
        progress: Progress {
            step: row.get::<_, AsWord<_>>("step")?.0,
            files_done: row.get("files_done")?,
            bytes_done: ByteCount(row.get("bytes_done")?),
            bytes_total: ByteCount(row.get("bytes_total")?),
            rate: ByteCount(row.get("rate")?),
        },
        updated_at: row.get::<_, Instant>("updated_at")?.0,
    })
}
