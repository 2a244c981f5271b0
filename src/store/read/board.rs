//! What people see of all cases at once: one row per case, without its history.

use daylily_lifecycle::case::{Hold, Priority, StateName};
use daylily_lifecycle::ids::{
    Arrival, AttemptId, ByteCount, CaseId, CaseName, GroupName, HeadnodeName, IntakeName,
    PipelineName, Slot,
};
use jiff::Timestamp;
use rusqlite::types::Null;
use rusqlite::{Row, params};

use super::Reader;
use crate::store::attempts::instant;
use crate::store::cases;
use crate::store::column::{Instant, List};
use crate::store::error::StoreError;
use crate::store::words::AsWord;

pub(in crate::store) const UNFINISHED: &str = "
    SELECT c.*, a.group_name AS runs_in, a.gpus AS runs_on, a.number AS attempt_number
    FROM cases AS c INDEXED BY cases_live LEFT JOIN attempts AS a ON a.id = c.attempt_id
    WHERE c.state NOT IN ('succeeded', 'failed', 'cancelled')
    ORDER BY c.id";

pub(in crate::store) const FINISHED: &str = "
    SELECT c.*, a.group_name AS runs_in, a.gpus AS runs_on, a.number AS attempt_number
    FROM cases AS c INDEXED BY cases_finished LEFT JOIN attempts AS a ON a.id = c.attempt_id
    WHERE c.state IN ('succeeded', 'failed', 'cancelled')
      AND (?2 IS NULL OR c.state = ?2) AND (?3 IS NULL OR c.intake = ?3)
    ORDER BY c.finished_at DESC LIMIT ?1";

pub(in crate::store) const CHANGED: &str = "
    SELECT c.*, a.group_name AS runs_in, a.gpus AS runs_on, a.number AS attempt_number
    FROM cases AS c INDEXED BY cases_updated LEFT JOIN attempts AS a ON a.id = c.attempt_id
    WHERE (c.updated_at, c.id) > (?, ?)
    ORDER BY c.updated_at, c.id LIMIT ?";

/// A case as `status` and the page show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    pub case: CaseId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub arrival: Arrival,
    pub state: StateName,
    pub state_since: Timestamp,
    /// Empty until it has been planned for the first time.
    pub because: String,
    /// Whether `because` speaks of the case as it is now.
    pub planned: bool,
    pub wake_at: Option<Timestamp>,
    pub hold: Option<Hold>,
    pub pipeline: PipelineName,
    pub priority: Priority,
    pub headnode: HeadnodeName,
    pub files: u64,
    pub bytes: ByteCount,
    pub attempt: Option<BoardAttempt>,
    /// Of the step that does not succeed at present.
    pub error: Option<String>,
    pub exit_code: Option<i32>,
    pub changed_since: Option<Timestamp>,
    pub vanished_at: Option<Timestamp>,
    pub first_seen: Timestamp,
    pub ready_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// The attempt under way, or the last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardAttempt {
    pub id: AttemptId,
    pub number: u32,
    /// Of the slots it has or had.
    pub group: Option<GroupName>,
    /// What CUDA_VISIBLE_DEVICES says.
    pub gpus: Option<String>,
}

/// The places that an attempt has, or had before it gave them back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptPlaces {
    pub attempt: AttemptId,
    pub group: Option<GroupName>,
    pub slots: Vec<Slot>,
}

/// How many cases are in a state, and how many of them wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCount {
    pub state: StateName,
    pub cases: u64,
    pub held: u64,
}

impl Reader {
    /// Every case that is not finished, then the last `finished` that are.
    pub fn board(&self, finished: u32) -> Result<Vec<BoardRow>, StoreError> {
        self.at_once("read the board", |db| {
            let mut rows: Vec<_> = db
                .prepare_cached(UNFINISHED)?
                .query_map([], from_row)?
                .collect::<Result<_, _>>()?;
            for row in
                db.prepare_cached(FINISHED)?.query_map(params![finished, Null, Null], from_row)?
            {
                rows.push(row?);
            }
            Ok(rows)
        })
    }

    /// The last cases that have finished, the newest first: all, or those that ended in
    /// one state or came from one intake.
    pub fn finished(
        &self,
        state: Option<StateName>,
        intake: Option<&IntakeName>,
        limit: u32,
    ) -> Result<Vec<BoardRow>, StoreError> {
        self.at_once("read the finished cases", |db| {
            db.prepare_cached(FINISHED)?
                .query_map(
                    params![limit, state.map(AsWord), intake.map(IntakeName::as_str)],
                    from_row,
                )?
                .collect()
        })
    }

    /// The places each attempt of a case has or had, oldest attempt first.
    pub fn attempt_places(&self, case: &CaseId) -> Result<Vec<AttemptPlaces>, StoreError> {
        self.at_once("read the places of a case", |db| {
            db.prepare_cached(
                "SELECT id, group_name, slots FROM attempts WHERE case_id = ? ORDER BY number",
            )?
            .query_map([case.as_str()], |row| {
                let slots: Option<List<Vec<Slot>>> = row.get("slots")?;
                Ok(AttemptPlaces {
                    attempt: AttemptId::new(row.get::<_, String>("id")?),
                    group: row.get::<_, Option<String>>("group_name")?.map(GroupName::new),
                    slots: slots.map(|list| list.0).unwrap_or_default(),
                })
            })?
            .collect()
        })
    }

    /// One case's row.
    pub fn board_row(&self, case: &CaseId) -> Result<Option<BoardRow>, StoreError> {
        self.at_once("read a case's row", |db| {
            let mut select = db.prepare_cached(
                "SELECT c.*, a.group_name AS runs_in, a.gpus AS runs_on,
                        a.number AS attempt_number
                 FROM cases AS c LEFT JOIN attempts AS a ON a.id = c.attempt_id WHERE c.id = ?",
            )?;
            let mut rows = select.query_map([case.as_str()], from_row)?;
            rows.next().transpose()
        })
    }

    /// The cases changed after a place in the order (updated_at, id), at most `limit`.
    pub fn changed_after(
        &self,
        updated_at: Timestamp,
        case: &CaseId,
        limit: u32,
    ) -> Result<Vec<BoardRow>, StoreError> {
        self.at_once("read the changed cases", |db| {
            db.prepare_cached(CHANGED)?
                .query_map(params![Instant(updated_at), case.as_str(), limit], from_row)?
                .collect()
        })
    }

    /// How many cases that are not finished are in each state.
    pub fn counts(&self) -> Result<Vec<StateCount>, StoreError> {
        self.at_once("count the cases", |db| {
            db.prepare_cached(
                "SELECT state, count(*) AS cases, count(hold) AS held FROM cases
                 WHERE state NOT IN ('succeeded', 'failed', 'cancelled') GROUP BY state",
            )?
            .query_map([], |row| {
                Ok(StateCount {
                    state: row.get::<_, AsWord<_>>("state")?.0,
                    cases: row.get("cases")?,
                    held: row.get("held")?,
                })
            })?
            .collect()
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<BoardRow> {
    let attempt = match row.get::<_, Option<String>>("attempt_id")? {
        Some(id) => Some(BoardAttempt {
            id: AttemptId::new(id),
            number: row.get("attempt_number")?,
            group: row.get::<_, Option<String>>("runs_in")?.map(GroupName::new),
            gpus: row.get("runs_on")?,
        }),
        None => None,
    };
    Ok(BoardRow {
        case: CaseId::new(row.get::<_, String>("id")?),
        intake: IntakeName::new(row.get::<_, String>("intake")?),
        name: CaseName::new(row.get::<_, String>("name")?),
        arrival: Arrival(row.get("arrival")?),
        state: row.get::<_, AsWord<_>>("state")?.0,
        state_since: row.get::<_, Instant>("state_since")?.0,
        because: row.get("because")?,
        planned: row.get::<_, Option<u64>>("planned_version")? == Some(row.get("version")?),
        wake_at: instant(row, "wake_at")?,
        hold: cases::hold(row)?,
        pipeline: PipelineName::new(row.get::<_, String>("pipeline")?),
        priority: row.get::<_, AsWord<_>>("priority")?.0,
        headnode: HeadnodeName::new(row.get::<_, String>("headnode")?),
        files: row.get("files")?,
        bytes: ByteCount(row.get("bytes")?),
        attempt,
        error: row.get("error")?,
        exit_code: row.get("exit_code")?,
        changed_since: instant(row, "changed_since")?,
        vanished_at: instant(row, "vanished_at")?,
        first_seen: row.get::<_, Instant>("first_seen")?.0,
        ready_at: instant(row, "ready_at")?,
        started_at: instant(row, "started_at")?,
        finished_at: instant(row, "finished_at")?,
        updated_at: row.get::<_, Instant>("updated_at")?.0,
    })
}
