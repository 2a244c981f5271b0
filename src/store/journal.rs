//! Owns the journal: every observation that was recorded, for ever. An entry is
//! never changed; replaying a case's entries gives the case as it is stored.

use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::CaseId;
use daylily_lifecycle::observation::Observed;
use daylily_lifecycle::record::{Recorded, record};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::column::Instant;
use super::words::AsWord;

/// The form of `detail` that is written. A later one must still read this.
const FORM: u32 = 1;

/// The place of an entry in the journal; later entries have higher ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JournalId(pub i64);

impl JournalId {
    /// Before all entries.
    pub const START: Self = Self(0);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub id: JournalId,
    pub case: CaseId,
    /// None: the case was not there before.
    pub from: Option<StateName>,
    /// None: the case was dropped.
    pub to: Option<StateName>,
    pub observed: Observed,
    /// Why it changed nothing, or why the case was dropped.
    pub note: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    #[serde(flatten)]
    observed: &'a Observed,
}

#[derive(Deserialize)]
struct Read {
    v: u32,
    #[serde(flatten)]
    observed: Observed,
}

pub(super) fn append(
    db: &Connection,
    case: &CaseId,
    from: Option<StateName>,
    to: Option<StateName>,
    observed: &Observed,
    note: Option<&str>,
) -> rusqlite::Result<()> {
    let detail = serde_json::to_string(&Written { v: FORM, observed })
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached(
        "INSERT INTO journal (case_id, at, actor, kind, from_state, to_state, detail, note)
         VALUES (?1, ?2, ?3, ?6 ->> '$.kind', ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        case.as_str(),
        Instant(observed.at),
        observed.actor.as_str(),
        from.map(AsWord),
        to.map(AsWord),
        detail,
        note,
    ])?;
    Ok(())
}

/// A case's entries after one, oldest first.
pub(super) fn of_case(
    db: &Connection,
    case: &CaseId,
    after: JournalId,
) -> rusqlite::Result<Vec<JournalEntry>> {
    db.prepare_cached("SELECT * FROM journal WHERE case_id = ? AND id > ? ORDER BY id")?
        .query_map(params![case.as_str(), after.0], from_row)?
        .collect()
}

/// All cases' entries after one, oldest first.
pub(super) fn after(
    db: &Connection,
    after: JournalId,
    limit: u32,
) -> rusqlite::Result<Vec<JournalEntry>> {
    db.prepare_cached("SELECT * FROM journal WHERE id > ? ORDER BY id LIMIT ?")?
        .query_map(params![after.0, limit], from_row)?
        .collect()
}

/// The last entries of all cases, oldest first.
pub(super) fn last(db: &Connection, limit: u32) -> rusqlite::Result<Vec<JournalEntry>> {
    let mut entries: Vec<_> = db
        .prepare_cached("SELECT * FROM journal ORDER BY id DESC LIMIT ?")?
        .query_map([limit], from_row)?
        .collect::<Result<_, _>>()?;
    entries.reverse();
    Ok(entries)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<JournalEntry> {
    let detail: String = row.get("detail")?;
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error)
    };
    let read: Read = serde_json::from_str(&detail).map_err(|error| unreadable(error.into()))?;
    if read.v != FORM {
        return Err(unreadable(format!("a journal entry has the form {}", read.v).into()));
    }
    Ok(JournalEntry {
        id: JournalId(row.get("id")?),
        case: CaseId::new(row.get::<_, String>("case_id")?),
        from: row.get::<_, Option<AsWord<_>>>("from_state")?.map(|word| word.0),
        to: row.get::<_, Option<AsWord<_>>>("to_state")?.map(|word| word.0),
        observed: read.observed,
        note: row.get("note")?,
    })
}

/// Makes a case from its journal alone. None: there is none, or it was dropped.
pub fn replay(entries: &[JournalEntry]) -> Option<Case> {
    let mut case = None;
    for entry in entries {
        match record(case.as_ref(), &entry.observed) {
            Recorded::Changed(changed) => case = Some(*changed),
            Recorded::Same | Recorded::Stale { .. } | Recorded::Refused { .. } => {}
            Recorded::Dropped { .. } => case = None,
        }
    }
    case
}

/// When an entry was recorded; for cursors over `journal.at`.
impl JournalEntry {
    pub fn at(&self) -> Timestamp {
        self.observed.at
    }
}
