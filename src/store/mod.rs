//! Owns the database: all SQL of the program is here. One thread writes; readers
//! have connections that cannot. It decides nothing about a case: what an
//! observation means is the lifecycle's `record`, called within the transaction that
//! stores its answer. Nothing here reads a clock.

mod attempts;
mod cases;
mod column;
pub mod error;
mod in_use;
pub mod journal;
pub mod lock;
pub mod open;
pub mod places;
pub mod prune;
pub mod read;
pub mod recording;
pub mod requests;
pub mod restore;
mod schema;
pub mod slots;
pub mod standstill;
pub mod steps;
mod upsert;
mod words;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use daylily_lifecycle::ids::{AttemptId, CaseId, GroupName, HeadnodeName, IntakeName};
use daylily_lifecycle::observation::Observed;
use daylily_lifecycle::policy::Pause;
use daylily_lifecycle::record::{Recorded, record};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use tokio::sync::watch;

use column::{Instant, maybe};
use error::{StoreError, Why};
use journal::JournalId;
use open::Opened;
use places::{Headnode, Intake, Paused};
use prune::Pruned;
use read::Reader;
use recording::{Fact, Outcome, Recorder};
use requests::{NewRequest, RequestId};
use steps::Progress;
use writer::{Verdict, Writer};

pub use writer::Gate;

/// How often the wait of five seconds for another program's lock is begun anew.
const PATIENCE: u32 = 5;

/// A handle to the open database; clones share it. What is written waits for the
/// writer's thread, is grouped with what else waits, and is answered once durable.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    recorder: Recorder,
    state_dir: Arc<Path>,
    app_version: Arc<str>,
    /// Connections for reading that nobody uses at the moment.
    idle: Arc<Mutex<Vec<Reader>>>,
    /// Reading has threads of its own.
    reads_beside: bool,
}

/// What a plan says of a case, as far as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub case: CaseId,
    /// Of the case that was planned: when it has changed since, nothing is stored.
    pub version: u64,
    pub because: String,
    pub wake_at: Option<Timestamp>,
}

/// How far a step of an attempt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProgress {
    pub case: CaseId,
    /// None: of a step before any attempt.
    pub attempt: Option<AttemptId>,
    pub progress: Progress,
}

impl Store {
    /// Opens the database of a daemon: makes it where there is none, takes the lock that
    /// admits one daemon, brings an older schema up to date (a copy of it stays beside
    /// it), and begins a new generation.
    pub fn open(
        state_dir: &Path,
        now: Timestamp,
        app_version: &str,
    ) -> Result<(Self, Opened), StoreError> {
        Self::start(
            open::open(state_dir, now, app_version)?,
            state_dir,
            app_version,
            record,
            PATIENCE,
        )
    }

    /// As [`Store::open`], without a thread: reads and writes are done by whoever asks,
    /// each passing the gate. What is dropped is left behind as a killed daemon leaves it.
    pub fn open_without_thread(
        state_dir: &Path,
        now: Timestamp,
        app_version: &str,
        gate: Arc<dyn Gate>,
    ) -> Result<(Self, Opened), StoreError> {
        let open = open::open(state_dir, now, app_version)?;
        let writer = writer::start_without_thread(open.db, open.path, open.lock, gate)?;
        Ok((Self::with(writer, state_dir, app_version, record, false), open.opened))
    }

    fn start(
        open: open::Open,
        state_dir: &Path,
        app_version: &str,
        recorder: Recorder,
        patience: u32,
    ) -> Result<(Self, Opened), StoreError> {
        let writer = writer::start(open.db, open.path, open.lock, patience)?;
        Ok((Self::with(writer, state_dir, app_version, recorder, true), open.opened))
    }

    fn with(
        writer: Writer,
        state_dir: &Path,
        app_version: &str,
        recorder: Recorder,
        reads_beside: bool,
    ) -> Self {
        Self {
            writer,
            recorder,
            state_dir: Arc::from(state_dir),
            app_version: Arc::from(app_version),
            idle: Arc::default(),
            reads_beside,
        }
    }

    /// Waits until every other handle has gone too and the file is closed.
    pub async fn close(self) {
        let Self { writer, idle, .. } = self;
        drop(idle);
        writer.close().await;
    }

    /// Resolves when nothing can be stored any more, and tells why: the daemon must stop.
    pub async fn broken(&self) -> Why {
        self.writer.broken().await
    }

    pub fn is_broken(&self) -> Option<Why> {
        self.writer.is_broken()
    }

    /// The last entry of the journal, changing with every commit that adds to it.
    pub fn journalled(&self) -> watch::Receiver<JournalId> {
        self.writer.journal.clone()
    }

    /// A connection for reading, for one that reads often.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.state_dir, &self.app_version)
    }

    /// Reads on a thread that may block, where there is one. What was answered before is seen.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if !self.reads_beside {
            return self.read_here(read);
        }
        let store = self.clone();
        match tokio::task::spawn_blocking(move || store.read_here(read)).await {
            Ok(answer) => answer,
            Err(error) => {
                Err(StoreError::Panicked { doing: "read the database", text: error.to_string() })
            }
        }
    }

    fn read_here<T>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.reader()?,
        };
        let answer = read(&reader);
        match &answer {
            Err(error) if error.breaks() => {
                self.writer.tell_broken(&Why::new(&error.with_source()));
            }
            Ok(_) | Err(_) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            }
        }
        answer
    }

    /// Records what was seen of a case. Slots that are not free any more make it
    /// `Stale`, and nothing is stored.
    pub async fn record(&self, case: CaseId, observed: Observed) -> Result<Recorded, StoreError> {
        let recorded = self.record_many(vec![Fact { case, observed }]).await?;
        recorded.into_iter().next().ok_or(StoreError::Closed)
    }

    /// Records the first sight of a case, which must be `Appeared`.
    pub async fn appear(&self, observed: Observed) -> Result<Recorded, StoreError> {
        match Fact::appearance(observed) {
            Some(Fact { case, observed }) => self.record(case, observed).await,
            None => Ok(Recorded::Refused { why: "it is no first sight of a case".to_owned() }),
        }
    }

    /// Records facts in one transaction: all are stored, or none. The answers are in
    /// the order of the facts.
    pub async fn record_many(&self, facts: Vec<Fact>) -> Result<Vec<Recorded>, StoreError> {
        let facts = recording::without_secrets(facts);
        let recorder = self.recorder;
        self.writer
            .run("record an observation", move |db| {
                Ok(match recording::record_all(db, recorder, &facts)? {
                    Outcome::Keep(recorded) => Verdict::Keep(recorded),
                    Outcome::Undo(stale) => Verdict::Undo(stale),
                })
            })
            .await
    }

    /// Records what a person asked for and answers the request, in one transaction: a
    /// daemon killed between the two would do it twice.
    pub async fn record_request(
        &self,
        request: RequestId,
        facts: Vec<Fact>,
        at: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError> {
        let facts = recording::without_secrets(facts);
        let recorder = self.recorder;
        self.writer
            .run("record a request", move |db| {
                Ok(match recording::record_all(db, recorder, &facts)? {
                    Outcome::Keep(recorded) => {
                        requests::finish(db, request, at, &requests::outcome(&recorded))?;
                        Verdict::Keep(recorded)
                    }
                    Outcome::Undo(stale) => Verdict::Undo(stale),
                })
            })
            .await
    }

    /// Answers a request that is of no case, or that cannot be done.
    pub async fn finish_request(
        &self,
        request: RequestId,
        at: Timestamp,
        outcome: String,
    ) -> Result<(), StoreError> {
        self.write("answer a request", move |db| requests::finish(db, request, at, &outcome)).await
    }

    /// Files a request from within the daemon; other processes use [`requests::file`].
    pub async fn request(&self, request: NewRequest) -> Result<RequestId, StoreError> {
        self.write("file a request", move |db| requests::insert(db, &request)).await
    }

    /// Stores what plans say, where it is new and the case is still the one that was
    /// planned. Not journalled: it follows from the case. Returns how many were stored.
    pub async fn planned(&self, plans: Vec<Planned>) -> Result<usize, StoreError> {
        self.write("store plans", move |db| {
            let mut update = db.prepare_cached(
                "UPDATE cases SET because = ?3, wake_at = ?4, planned_version = ?2
                 WHERE id = ?1 AND version = ?2
                   AND (because IS NOT ?3 OR wake_at IS NOT ?4 OR planned_version IS NOT ?2)",
            )?;
            let mut stored = 0;
            for plan in &plans {
                stored += update.execute(params![
                    plan.case.as_str(),
                    plan.version,
                    plan.because,
                    maybe(plan.wake_at),
                ])?;
            }
            Ok(stored)
        })
        .await
    }

    /// Notes that attempts were seen, without touching their cases.
    pub async fn seen(&self, attempts: Vec<AttemptId>, at: Timestamp) -> Result<(), StoreError> {
        self.write("note that attempts were seen", move |db| {
            let mut update = db
                .prepare_cached("UPDATE attempts SET seen_at = ?, absent_polls = 0 WHERE id = ?")?;
            for attempt in &attempts {
                update.execute(params![Instant(at), attempt.as_str()])?;
            }
            Ok(())
        })
        .await
    }

    /// Tells how far steps are, for people; at most once a second for each.
    pub async fn progress(
        &self,
        steps: Vec<StepProgress>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("store progress", move |db| {
            for StepProgress { case, attempt, progress } in &steps {
                steps::put_progress(db, case, attempt.as_ref(), progress, at)?;
            }
            Ok(())
        })
        .await
    }

    /// Notes that the conditions of cases were looked at and are as they were.
    pub async fn conditions_checked(
        &self,
        cases: Vec<CaseId>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("note that conditions were checked", move |db| {
            let mut update =
                db.prepare_cached("UPDATE conditions SET checked_at = ? WHERE case_id = ?")?;
            for case in &cases {
                update.execute(params![Instant(at), case.as_str()])?;
            }
            Ok(())
        })
        .await
    }

    /// Makes the slots of a headnode those of the configuration: per group the device
    /// of each slot. A taken slot that is no longer there drains.
    pub async fn sync_slots(
        &self,
        headnode: HeadnodeName,
        groups: Vec<(GroupName, Vec<Option<String>>)>,
    ) -> Result<(), StoreError> {
        self.write("set up the slots", move |db| slots::sync(db, &headnode, &groups)).await
    }

    /// Makes rows for the configured intakes; others keep theirs.
    pub async fn sync_intakes(&self, names: Vec<IntakeName>) -> Result<(), StoreError> {
        self.write("set up the intakes", move |db| places::sync_intakes(db, &names)).await
    }

    /// Makes rows for the configured headnodes; others keep theirs and lose their slots.
    pub async fn sync_headnodes(&self, names: Vec<HeadnodeName>) -> Result<(), StoreError> {
        self.write("set up the headnodes", move |db| places::sync_headnodes(db, &names)).await
    }

    /// Changes what is remembered of an intake, and returns it as it is then.
    pub async fn change_intake(
        &self,
        name: IntakeName,
        change: impl FnOnce(&mut Intake) + Send + 'static,
    ) -> Result<Intake, StoreError> {
        self.write("store an intake", move |db| places::change_intake(db, &name, change)).await
    }

    /// Changes what is remembered of a headnode, and returns it as it is then.
    pub async fn change_headnode(
        &self,
        name: HeadnodeName,
        change: impl FnOnce(&mut Headnode) + Send + 'static,
    ) -> Result<Headnode, StoreError> {
        self.write("store a headnode", move |db| places::change_headnode(db, &name, change)).await
    }

    /// Stops something, or with None lets it go on. Who stopped it first stays told.
    pub async fn set_pause(&self, what: Paused, pause: Option<Pause>) -> Result<(), StoreError> {
        self.write("store a pause", move |db| places::set_pause(db, &what, pause.as_ref())).await
    }

    /// Deletes answered requests older than 30 days and, where `keep_journal` is given,
    /// the journals of cases finished longer ago, whole; a bounded number at a time.
    pub async fn prune(
        &self,
        now: Timestamp,
        keep_journal: Option<SignedDuration>,
    ) -> Result<Pruned, StoreError> {
        self.write("delete what is old", move |db| prune::prune(db, now, keep_journal)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.run(doing, move |db| work(db).map(Verdict::Keep)).await
    }
}
