//! Finding a case by what a person types: a name, an id, or the beginning of either.

use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::{Arrival, AttemptId, CaseId, CaseName, HeadnodeName, IntakeName};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Reader;
use crate::store::cases;
use crate::store::column::Instant;
use crate::store::error::StoreError;
use crate::store::words::AsWord;

/// How many candidates are listed when a beginning fits several.
const LISTED: u32 = 20;

/// Enough of a case to tell it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub case: CaseId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub arrival: Arrival,
    pub state: StateName,
}

/// What a person may have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    One(Candidate),
    /// At most 20 of them.
    Several(Vec<Candidate>),
    None,
}

impl Reader {
    /// Looks for an id, then a name (`HG002`, `intake/HG002`, or `HG002.2` for its
    /// second arrival), then what begins so. Of one name the latest arrival counts.
    pub fn lookup(&self, text: &str) -> Result<Lookup, StoreError> {
        self.at_once("look for a case", |db| {
            if text.is_empty() {
                return Ok(Lookup::None);
            }
            for find in [by_id, by_name, by_arrival, by_beginning] {
                let mut found = find(db, text)?;
                match found.len() {
                    0 => {}
                    1 => return Ok(found.pop().map_or(Lookup::None, Lookup::One)),
                    _ => return Ok(Lookup::Several(found)),
                }
            }
            Ok(Lookup::None)
        })
    }

    /// The latest arrival of a name.
    pub fn find(&self, intake: &IntakeName, name: &CaseName) -> Result<Option<Case>, StoreError> {
        self.at_once("look for a name", |db| {
            db.prepare_cached(
                "SELECT * FROM cases WHERE intake = ? AND name = ? ORDER BY arrival DESC LIMIT 1",
            )?
            .query_row([intake.as_str(), name.as_str()], |row| cases::from_row(db, row))
            .optional()
        })
    }
}

impl Reader {
    /// One arrival of a name.
    pub fn arrival(
        &self,
        intake: &IntakeName,
        name: &CaseName,
        arrival: Arrival,
    ) -> Result<Option<Case>, StoreError> {
        self.at_once("look for an arrival", |db| {
            db.prepare_cached("SELECT * FROM cases WHERE intake = ? AND name = ? AND arrival = ?")?
                .query_row(params![intake.as_str(), name.as_str(), arrival.0], |row| {
                    cases::from_row(db, row)
                })
                .optional()
        })
    }

    /// Whether an attempt has a row, of whichever case.
    pub fn knows_attempt(&self, attempt: &AttemptId) -> Result<bool, StoreError> {
        self.at_once("look for an attempt", |db| {
            db.prepare_cached("SELECT 1 FROM attempts WHERE id = ?")?.exists([attempt.as_str()])
        })
    }

    /// The attempt of a headnode that was made last.
    pub fn newest_attempt(&self, headnode: &HeadnodeName) -> Result<Option<AttemptId>, StoreError> {
        self.at_once("look for the newest attempt", |db| {
            db.prepare_cached(
                "SELECT id FROM attempts WHERE headnode = ? ORDER BY id DESC LIMIT 1",
            )?
            .query_row([headnode.as_str()], |row| Ok(AttemptId::new(row.get::<_, String>(0)?)))
            .optional()
        })
    }

    /// Finished cases that ended before then and have data on a headnode, the longest
    /// ended first.
    pub fn uncleaned(&self, before: Timestamp) -> Result<Vec<CaseId>, StoreError> {
        self.at_once("look for what may be removed", |db| {
            db.prepare_cached(UNCLEANED)?
                .query_map([Instant(before)], |row| Ok(CaseId::new(row.get::<_, String>(0)?)))?
                .collect()
        })
    }

    /// Whether an attempt of another case has this directory. It can only be one whose
    /// name is the directory's, or that with an arrival or an attempt put behind it.
    pub fn is_place_of_another(&self, case: &Case, remote_dir: &str) -> Result<bool, StoreError> {
        let whole = remote_dir.rsplit('/').next().unwrap_or(remote_dir);
        let stem = |name: &'_ str| name.rfind(['.', '~']).map_or(0, |at| at);
        let shorter = &whole[..stem(whole)];
        let shortest = &shorter[..stem(shorter)];
        self.at_once("look for a place", |db| {
            db.prepare_cached(PLACE)?.exists(params![
                case.intake.as_str(),
                whole,
                shorter,
                shortest,
                case.id.as_str(),
                remote_dir,
            ])
        })
    }
}

/// An attempt has ended before its case has.
pub(in crate::store) const UNCLEANED: &str = "
    SELECT c.id FROM attempts AS a INDEXED BY attempts_uncleaned JOIN cases AS c ON c.id = a.case_id
    WHERE a.cleaned_at IS NULL AND a.ended_at IS NOT NULL AND a.ended_at < ?1
      AND c.state IN ('succeeded', 'failed', 'cancelled') AND c.finished_at < ?1
    GROUP BY c.id ORDER BY min(c.finished_at), c.id";

pub(in crate::store) const PLACE: &str = "
    SELECT 1 FROM cases AS c JOIN attempts AS a ON a.case_id = c.id
    WHERE c.intake = ? AND c.name IN (?, ?, ?) AND c.id <> ? AND a.remote_dir = ?";

/// The latest arrival of each name among the cases that `fit`.
fn select(
    db: &Connection,
    fit: &str,
    params: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<Candidate>> {
    let sql = format!(
        "SELECT id, intake, name, max(arrival) AS arrival, state FROM cases WHERE {fit}
         GROUP BY intake, name ORDER BY name, intake LIMIT {LISTED}"
    );
    db.prepare_cached(&sql)?.query_map(params, candidate)?.collect()
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        case: CaseId::new(row.get::<_, String>("id")?),
        intake: IntakeName::new(row.get::<_, String>("intake")?),
        name: CaseName::new(row.get::<_, String>("name")?),
        arrival: Arrival(row.get("arrival")?),
        state: row.get::<_, AsWord<_>>("state")?.0,
    })
}

fn by_id(db: &Connection, text: &str) -> rusqlite::Result<Vec<Candidate>> {
    select(db, "id = ?", params![text.to_ascii_uppercase()])
}

fn by_name(db: &Connection, text: &str) -> rusqlite::Result<Vec<Candidate>> {
    let found = select(db, "name = ?", params![text])?;
    match text.split_once('/') {
        Some((intake, name)) if found.is_empty() => {
            select(db, "intake = ? AND name = ?", params![intake, name])
        }
        Some(_) | None => Ok(found),
    }
}

fn by_arrival(db: &Connection, text: &str) -> rusqlite::Result<Vec<Candidate>> {
    let Some((name, arrival)) = text.rsplit_once('.') else { return Ok(Vec::new()) };
    let Ok(arrival) = arrival.parse::<u32>() else { return Ok(Vec::new()) };
    select(db, "name = ? AND arrival = ?", params![name, arrival])
}

fn by_beginning(db: &Connection, text: &str) -> rusqlite::Result<Vec<Candidate>> {
    // No text that begins so sorts behind it with the last code point added.
    let after = |text: &str| format!("{text}\u{10FFFF}");
    let id = text.to_ascii_uppercase();
    let mut found = select(db, "name >= ?1 AND name < ?2", params![text, after(text)])?;
    for other in select(db, "id >= ?1 AND id < ?2", params![id, after(&id)])? {
        if !found.contains(&other) {
            found.push(other);
        }
    }
    Ok(found)
}
