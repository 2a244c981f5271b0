//! Owns reading: connections that cannot write, for reconcilers, the command line
//! and the page. Each answer is of one moment. What is asked at every tick goes
//! through partial indexes and never touches a finished case.

pub mod board;
pub mod live;
pub mod lookup;

use std::collections::BTreeMap;
use std::path::Path;

use daylily_lifecycle::case::{Case, Condition};
use daylily_lifecycle::ids::{CaseId, HeadnodeName, IntakeName};
use daylily_lifecycle::policy::Pause;
use jiff::Timestamp;
use rusqlite::Transaction;

use super::cases;
use super::column::Instant;
use super::error::{StoreError, failed};
use super::in_use::Connected;
use super::journal::{self, JournalEntry, JournalId};
use super::open::{self, DatabaseId, Generation, StartWord};
use super::places::{self, Headnode, Intake};
use super::requests::{self, RequestId, StoredRequest};
use super::schema;
use super::slots::{self, StoredSlot};
use super::steps::{self, StoredProgress};

/// A connection that can only read. It works with and without a daemon.
#[derive(Debug)]
pub struct Reader {
    db: Connected,
}

/// A condition with when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCondition {
    pub condition: Condition,
    pub checked_at: Option<Timestamp>,
}

/// Whose database this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub database: DatabaseId,
    pub generation: Generation,
    /// The version that last wrote here.
    pub app_version: String,
    pub last_backup_at: Option<Timestamp>,
}

impl Reader {
    pub fn open(state_dir: &Path, app_version: &str) -> Result<Self, StoreError> {
        Ok(Self { db: open::open_for_reading(state_dir, app_version)? })
    }

    /// Answers from one moment, however many statements it takes.
    fn at_once<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let moment = self.db.unchecked_transaction().map_err(failed(doing))?;
        read(&moment).map_err(failed(doing))
    }

    pub fn case(&self, id: &CaseId) -> Result<Option<Case>, StoreError> {
        self.at_once("load a case", |db| cases::load(db, id))
    }

    pub fn conditions(&self, case: &CaseId) -> Result<Vec<StoredCondition>, StoreError> {
        self.at_once("read the conditions of a case", |db| {
            db.prepare_cached("SELECT * FROM conditions WHERE case_id = ? ORDER BY position")?
                .query_map([case.as_str()], |row| {
                    let checked_at: Option<Instant> = row.get("checked_at")?;
                    Ok(StoredCondition {
                        condition: cases::condition_from_row(row)?,
                        checked_at: checked_at.map(|at| at.0),
                    })
                })?
                .collect()
        })
    }

    /// How far a case's steps are, the one told last first.
    pub fn progress(&self, case: &CaseId) -> Result<Vec<StoredProgress>, StoreError> {
        self.at_once("read the progress of a case", |db| steps::progress(db, case))
    }

    /// A case's journal after an entry, oldest first.
    pub fn journal(
        &self,
        case: &CaseId,
        after: JournalId,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        self.at_once("read the journal of a case", |db| journal::of_case(db, case, after))
    }

    /// The journal of all cases after an entry, oldest first, at most `limit` entries.
    pub fn history(&self, after: JournalId, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.at_once("read the journal", |db| journal::after(db, after, limit))
    }

    /// The last `limit` entries of the journal, oldest first.
    pub fn last_history(&self, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.at_once("read the end of the journal", |db| journal::last(db, limit))
    }

    /// The case that its journal alone tells of. None: it was dropped, or its journal pruned.
    pub fn replay(&self, case: &CaseId) -> Result<Option<Case>, StoreError> {
        Ok(journal::replay(&self.journal(case, JournalId::START)?))
    }

    pub fn slots(&self) -> Result<Vec<StoredSlot>, StoreError> {
        self.at_once("read the slots", |db| slots::all(db))
    }

    pub fn intakes(&self) -> Result<Vec<Intake>, StoreError> {
        self.at_once("read the intakes", |db| places::intakes(db))
    }

    pub fn intake(&self, name: &IntakeName) -> Result<Option<Intake>, StoreError> {
        self.at_once("read an intake", |db| places::intake(db, name))
    }

    pub fn headnodes(&self) -> Result<Vec<Headnode>, StoreError> {
        self.at_once("read the headnodes", |db| places::headnodes(db))
    }

    pub fn headnode(&self, name: &HeadnodeName) -> Result<Option<Headnode>, StoreError> {
        self.at_once("read a headnode", |db| places::headnode(db, name))
    }

    /// Who pressed the red button, if it is pressed.
    pub fn stopped(&self) -> Result<Option<Pause>, StoreError> {
        self.at_once("read whether all is stopped", |db| places::stopped(db))
    }

    /// The requests without an answer, oldest first.
    pub fn take_requests(&self) -> Result<Vec<StoredRequest>, StoreError> {
        self.at_once("read the requests", |db| requests::open_ones(db))
    }

    pub fn request(&self, id: RequestId) -> Result<Option<StoredRequest>, StoreError> {
        self.at_once("read a request", |db| requests::one(db, id))
    }

    pub fn about(&self) -> Result<About, StoreError> {
        self.at_once("read whose database it is", |db| open::about(db))
    }

    /// The words of the starts on this database.
    pub fn starts(&self) -> Result<BTreeMap<Generation, StartWord>, StoreError> {
        self.at_once("read the starts", |db| open::starts(db))
    }

    /// Looks through the whole file. None: it is whole. Takes seconds for a large one.
    pub fn damage(&self) -> Result<Option<String>, StoreError> {
        self.at_once("check the database", |db| {
            let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            Ok((verdict != "ok").then_some(verdict))
        })
    }

    /// Copies the database while it is in use, and proves the copy whole.
    pub fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        schema::back_up(&self.db, to).map_err(|error| match error.is_full() {
            true => StoreError::NoRoomForBackup { path: to.to_owned() },
            false => error,
        })
    }
}
