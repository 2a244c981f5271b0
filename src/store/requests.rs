//! Owns what people ask for: rows that other processes write and the daemon answers.
//! A request stays open until its answer is stored, so one that was being done when
//! the daemon died is done again; recording it and answering it is one transaction.

use std::path::Path;

use daylily_lifecycle::ids::Actor;
use daylily_lifecycle::record::Recorded;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::column::Instant;
use super::error::{StoreError, opening};
use super::open;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub i64);

/// What somebody asks for, in the words of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    pub at: Timestamp,
    pub actor: Actor,
    /// Such as `rerun` or `pause`.
    pub verb: String,
    /// A case's id, or what else the verb is about; empty for all.
    pub target: String,
    /// The verb's own options.
    pub args: serde_json::Map<String, serde_json::Value>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    pub id: RequestId,
    pub request: NewRequest,
    pub done: Option<Done>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub at: Timestamp,
    /// `done`, or a clause that says why not.
    pub outcome: String,
}

/// Files a request from another process than the daemon, with a short connection of
/// its own. It is picked up within a second, or at the daemon's next start.
pub fn file(
    state_dir: &Path,
    app_version: &str,
    request: &NewRequest,
) -> Result<RequestId, StoreError> {
    let mut ids = file_all(state_dir, app_version, std::slice::from_ref(request))?;
    ids.pop().ok_or(StoreError::Closed)
}

/// The same for several: all are filed, or none.
pub fn file_all(
    state_dir: &Path,
    app_version: &str,
    requests: &[NewRequest],
) -> Result<Vec<RequestId>, StoreError> {
    let mut db = open::visit(state_dir, app_version)?;
    let path = state_dir.join(open::FILE);
    let ids = insert_all(&mut db, requests)
        .map_err(|source| opening(&path, "file the request", source))?;
    db.close()?;
    Ok(ids)
}

fn insert_all(db: &mut Connection, requests: &[NewRequest]) -> rusqlite::Result<Vec<RequestId>> {
    // Taken at once: a read lock that is to become a write lock may be refused for good.
    let all = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ids = requests.iter().map(|request| insert(&all, request)).collect::<Result<_, _>>()?;
    all.commit()?;
    Ok(ids)
}

pub(super) fn insert(db: &Connection, request: &NewRequest) -> rusqlite::Result<RequestId> {
    let args = serde_json::to_string(&request.args)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached(
        "INSERT INTO requests (at, actor, verb, target, args, reason) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        Instant(request.at),
        request.actor.as_str(),
        request.verb,
        request.target,
        args,
        request.reason,
    ])?;
    Ok(RequestId(db.last_insert_rowid()))
}

pub(super) const OPEN: &str = "SELECT * FROM requests WHERE done_at IS NULL ORDER BY id";

/// The requests without an answer, oldest first.
pub(super) fn open_ones(db: &Connection) -> rusqlite::Result<Vec<StoredRequest>> {
    db.prepare_cached(OPEN)?.query_map([], from_row)?.collect()
}

pub(super) fn one(db: &Connection, id: RequestId) -> rusqlite::Result<Option<StoredRequest>> {
    db.prepare_cached("SELECT * FROM requests WHERE id = ?")?.query_row([id.0], from_row).optional()
}

/// Answers a request. The first answer stands.
pub(super) fn finish(
    db: &Connection,
    id: RequestId,
    at: Timestamp,
    outcome: &str,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE requests SET done_at = ?, outcome = ? WHERE id = ? AND done_at IS NULL",
    )?
    .execute(params![Instant(at), outcome, id.0])?;
    Ok(())
}

/// How a person is told what became of what they asked.
pub(super) fn outcome(recorded: &[Recorded]) -> String {
    let refusals: Vec<&str> = recorded
        .iter()
        .filter_map(|recorded| match recorded {
            Recorded::Refused { why } | Recorded::Stale { why } => Some(why.as_str()),
            Recorded::Changed(_) | Recorded::Same | Recorded::Dropped { .. } => None,
        })
        .collect();
    if refusals.is_empty() { "done".to_owned() } else { refusals.join("; ") }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<StoredRequest> {
    let args: String = row.get("args")?;
    let done = match row.get::<_, Option<Instant>>("done_at")? {
        Some(at) => Some(Done { at: at.0, outcome: row.get("outcome")? }),
        None => None,
    };
    Ok(StoredRequest {
        id: RequestId(row.get("id")?),
        request: NewRequest {
            at: row.get::<_, Instant>("at")?.0,
            actor: Actor::new(row.get::<_, String>("actor")?),
            verb: row.get("verb")?,
            target: row.get("target")?,
            // Another process wrote it: what is no object is no option.
            args: serde_json::from_str(&args).unwrap_or_default(),
            reason: row.get("reason")?,
        },
        done,
    })
}
