//! What the reconcilers ask at every tick. Each statement names the index it goes
//! through, so that it fails rather than walks through finished cases; a test reads
//! the query plans.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::Attempt;
use daylily_lifecycle::case::{Case, RejectedBy, StateName};
use daylily_lifecycle::ids::{
    Arrival, AttemptId, CaseId, CaseName, Digest, FolderIdentity, HeadnodeName, IntakeName,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::Reader;
use crate::store::attempts::{self, instant};
use crate::store::cases;
use crate::store::column::Instant;
use crate::store::error::StoreError;
use crate::store::words::AsWord;

pub(in crate::store) const LIVE: &str = "
    SELECT * FROM cases WHERE id IN (
        SELECT id FROM cases INDEXED BY cases_live
        WHERE state NOT IN ('succeeded', 'failed', 'cancelled')
        UNION ALL
        SELECT id FROM cases INDEXED BY cases_unplanned
        WHERE planned_version IS NOT version)
    ORDER BY id";

pub(in crate::store) const DUE: &str = "
    SELECT * FROM cases WHERE id IN (
        SELECT id FROM cases INDEXED BY cases_unplanned
        WHERE planned_version IS NOT version
        UNION ALL
        SELECT id FROM cases INDEXED BY cases_wake
        WHERE wake_at IS NOT NULL AND wake_at <= ?)
    ORDER BY id";

pub(in crate::store) const NEXT_WAKE: &str =
    "SELECT min(wake_at) FROM cases INDEXED BY cases_wake WHERE wake_at IS NOT NULL";

pub(in crate::store) const WAITING: &str = "
    SELECT * FROM cases INDEXED BY cases_live
    WHERE state NOT IN ('succeeded', 'failed', 'cancelled') AND state IN ('ready', 'staged')
    ORDER BY id";

/// Those with a job that may be there, and those whose slots are in doubt.
pub(in crate::store) const RUNNING: &str = "
    SELECT c.id AS of_case, c.intake AS of_intake, c.name AS of_name, c.state AS of_state, a.*
    FROM cases AS c INDEXED BY cases_live JOIN attempts AS a ON a.id = c.attempt_id
    WHERE c.state NOT IN ('succeeded', 'failed', 'cancelled')
      AND c.state IN ('submitting', 'queued', 'running', 'cancelling') AND a.headnode = ?1
    UNION
    SELECT c.id, c.intake, c.name, c.state, a.*
    FROM slots AS s JOIN attempts AS a ON a.id = s.attempt_id JOIN cases AS c ON c.id = a.case_id
    WHERE s.headnode = ?1 AND s.state = 'quarantined' AND a.headnode = ?1
    ORDER BY 1";

/// Those on which a step does not work, of the cases that have an attempt there.
pub(in crate::store) const TROUBLED: &str = "
    SELECT c.id FROM cases AS c INDEXED BY cases_live JOIN attempts AS a ON a.id = c.attempt_id
    WHERE c.state NOT IN ('succeeded', 'failed', 'cancelled')
      AND c.error IS NOT NULL AND a.headnode = ?
    ORDER BY c.id";

/// Those that have a job on a headnode, its results, or a place there.
pub(in crate::store) const THERE: &str = "
    SELECT c.name, c.arrival, c.hold IS NOT NULL AS held
    FROM cases AS c INDEXED BY cases_live JOIN attempts AS a ON a.id = c.attempt_id
    WHERE c.state NOT IN ('succeeded', 'failed', 'cancelled') AND a.headnode = ?
      AND (c.state IN ('submitting', 'queued', 'running', 'returning', 'cancelling')
           OR EXISTS (SELECT 1 FROM slots AS s WHERE s.attempt_id = a.id))
    ORDER BY c.id";

/// A case that keeps its headnode from being empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    pub name: CaseName,
    pub arrival: Arrival,
    /// It waits for a person.
    pub held: bool,
}

/// Those on their way to a headnode, or there, without a slot.
pub(in crate::store) const AHEAD: &str = "
    SELECT a.headnode AS headnode, count(*) AS cases
    FROM cases AS c INDEXED BY cases_live JOIN attempts AS a ON a.id = c.attempt_id
    WHERE c.state NOT IN ('succeeded', 'failed', 'cancelled')
      AND c.state IN ('shipping', 'staged')
      AND NOT EXISTS (SELECT 1 FROM slots AS s WHERE s.attempt_id = a.id)
    GROUP BY a.headnode";

/// An attempt that may have a job, with whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub case: CaseId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub state: StateName,
    pub attempt: Attempt,
}

pub(in crate::store) const LIVE_NAMES: &str = "
    SELECT id, name, path, state, rejected_by, vanished_at FROM cases INDEXED BY cases_live
    WHERE state NOT IN ('succeeded', 'failed', 'cancelled') AND intake = ?";

/// A case that is not finished, as a look at its intake's root asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveName {
    pub case: CaseId,
    pub name: CaseName,
    pub path: String,
    pub state: StateName,
    pub rejected_by: Option<RejectedBy>,
    /// Its folder was gone when it was last looked for.
    pub vanished: bool,
}

/// The last arrival of a name, as a look at an intake's root asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastArrival {
    pub case: CaseId,
    pub arrival: Arrival,
    pub state: StateName,
    pub folder: Option<FolderIdentity>,
    pub digest: Option<Digest>,
    /// When it was complete, so that a later change is none of what was handed over.
    pub ready_at: Option<Timestamp>,
    /// A change after it was handed over has been told.
    pub changed: bool,
}

impl From<&Case> for LastArrival {
    fn from(case: &Case) -> Self {
        Self {
            case: case.id.clone(),
            arrival: case.arrival,
            state: case.state.name(),
            folder: case.folder.clone(),
            digest: case.content.digest.clone(),
            ready_at: case.ready_at,
            changed: case.changed.is_some(),
        }
    }
}

impl Reader {
    /// Every case that is not finished, and finished ones not planned since they changed.
    pub fn live_cases(&self) -> Result<Vec<Case>, StoreError> {
        self.at_once("load the live cases", |db| load_all(db, LIVE, &[]))
    }

    /// Every case to be planned now: changed since it was planned, or its time has come.
    pub fn due(&self, now: Timestamp) -> Result<Vec<Case>, StoreError> {
        self.at_once("load the due cases", |db| load_all(db, DUE, &[&Instant(now)]))
    }

    /// When the next case is due by the mere passing of time.
    pub fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        self.at_once("read the next wake", |db| {
            let at: Option<Instant> =
                db.prepare_cached(NEXT_WAKE)?.query_row([], |row| row.get(0))?;
            Ok(at.map(|at| at.0))
        })
    }

    /// The cases that wait for a slot, for `schedule` to judge.
    pub fn waiting(&self) -> Result<Vec<Case>, StoreError> {
        self.at_once("load the waiting cases", |db| load_all(db, WAITING, &[]))
    }

    /// The cases of an intake that are not finished.
    pub fn live_names(&self, intake: &IntakeName) -> Result<Vec<LiveName>, StoreError> {
        self.at_once("read the live names", |db| {
            db.prepare_cached(LIVE_NAMES)?
                .query_map([intake.as_str()], |row| {
                    let rejected_by: Option<AsWord<RejectedBy>> = row.get("rejected_by")?;
                    Ok(LiveName {
                        case: CaseId::new(row.get::<_, String>("id")?),
                        name: CaseName::new(row.get::<_, String>("name")?),
                        path: row.get("path")?,
                        state: row.get::<_, AsWord<_>>("state")?.0,
                        rejected_by: rejected_by.map(|by| by.0),
                        vanished: row.get::<_, Option<String>>("vanished_at")?.is_some(),
                    })
                })?
                .collect()
        })
    }

    /// The last arrival of a name, without what belongs to it.
    pub fn last_arrival(
        &self,
        intake: &IntakeName,
        name: &CaseName,
    ) -> Result<Option<LastArrival>, StoreError> {
        self.at_once("look for a name", |db| {
            db.prepare_cached(
                "SELECT id, arrival, state, folder, digest, ready_at, changed_since FROM cases
                 WHERE intake = ? AND name = ? ORDER BY arrival DESC LIMIT 1",
            )?
            .query_row([intake.as_str(), name.as_str()], |row| {
                Ok(LastArrival {
                    case: CaseId::new(row.get::<_, String>("id")?),
                    arrival: Arrival(row.get("arrival")?),
                    state: row.get::<_, AsWord<_>>("state")?.0,
                    folder: row.get::<_, Option<String>>("folder")?.map(FolderIdentity::new),
                    digest: row.get::<_, Option<String>>("digest")?.map(Digest::new),
                    ready_at: instant(row, "ready_at")?,
                    changed: row.get::<_, Option<String>>("changed_since")?.is_some(),
                })
            })
            .optional()
        })
    }

    /// How many cases each headnode has taken beyond its slots.
    pub fn ahead(&self) -> Result<BTreeMap<HeadnodeName, u32>, StoreError> {
        self.at_once("count the cases shipped ahead", |db| {
            db.prepare_cached(AHEAD)?
                .query_map([], |row| {
                    let headnode = HeadnodeName::new(row.get::<_, String>("headnode")?);
                    Ok((headnode, row.get("cases")?))
                })?
                .collect()
        })
    }

    /// The cases with an attempt on a headnode on which a step does not work.
    pub fn troubled(&self, headnode: &HeadnodeName) -> Result<Vec<CaseId>, StoreError> {
        self.at_once("look for steps that do not work", |db| {
            db.prepare_cached(TROUBLED)?
                .query_map([headnode.as_str()], |row| Ok(CaseId::new(row.get::<_, String>(0)?)))?
                .collect()
        })
    }

    /// The cases that have a job, results or a place on a headnode.
    pub fn there(&self, headnode: &HeadnodeName) -> Result<Vec<There>, StoreError> {
        self.at_once("look what is left on a headnode", |db| {
            db.prepare_cached(THERE)?
                .query_map([headnode.as_str()], |row| {
                    Ok(There {
                        name: CaseName::new(row.get::<_, String>("name")?),
                        arrival: Arrival(row.get("arrival")?),
                        held: row.get("held")?,
                    })
                })?
                .collect()
        })
    }

    /// What is stored of attempts; those that are not known here are left out.
    pub fn attempts(&self, ids: &[AttemptId]) -> Result<Vec<Attempt>, StoreError> {
        self.at_once("load attempts", |db| {
            let mut select = db.prepare_cached("SELECT * FROM attempts WHERE id = ?")?;
            let mut found = Vec::new();
            for id in ids {
                found.extend(select.query_row([id.as_str()], attempts::from_row).optional()?);
            }
            Ok(found)
        })
    }

    /// The attempts to ask a headnode about.
    pub fn running(&self, headnode: &HeadnodeName) -> Result<Vec<Running>, StoreError> {
        self.at_once("load the running attempts", |db| {
            db.prepare_cached(RUNNING)?
                .query_map([headnode.as_str()], |row| {
                    Ok(Running {
                        case: CaseId::new(row.get::<_, String>("of_case")?),
                        intake: IntakeName::new(row.get::<_, String>("of_intake")?),
                        name: CaseName::new(row.get::<_, String>("of_name")?),
                        state: row.get::<_, AsWord<_>>("of_state")?.0,
                        attempt: attempts::from_row(row)?,
                    })
                })?
                .collect()
        })
    }
}

fn load_all(
    db: &Connection,
    sql: &str,
    params: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<Case>> {
    db.prepare_cached(sql)?.query_map(params, |row| cases::from_row(db, row))?.collect()
}
