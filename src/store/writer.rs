//! Owns the thread with the only connection that writes. Jobs that wait are grouped
//! into one commit, each in a savepoint of its own, so that one that fails spoils no
//! other; answers are sent when the commit is durable, not before. After a failure
//! of the disk or the file it writes nothing more.

use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use tokio::sync::{oneshot, watch};

use super::error::{StoreError, Why, breaks, failed, opening};
use super::in_use::Connected;
use super::journal::JournalId;
use super::lock::StateLock;

/// How many jobs share a commit at most. More would only delay the first answer.
const GROUP: usize = 512;

/// What a piece of work wants done with what it wrote.
pub(super) enum Verdict<T> {
    Keep(T),
    /// Nothing went wrong, and nothing of it is to be stored.
    Undo(T),
}

/// A way to hand work to the thread, and what may be seen of it without asking.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: Jobs,
    broken: Arc<watch::Sender<Option<Why>>>,
    /// The last entry of the journal.
    pub(super) journal: watch::Receiver<JournalId>,
    /// Its sender goes when the thread has let go of everything.
    ended: watch::Receiver<()>,
}

/// Who does the work.
#[derive(Clone)]
enum Jobs {
    Thread(Sender<Box<dyn Job>>),
    /// Whoever hands it over, for tests of which nothing happens beside anything else.
    Caller(Arc<Caller>),
}

struct Caller {
    desk: Mutex<Desk>,
    gate: Arc<dyn Gate>,
}

/// Stands before each write, and between a write and its answer: a test ends the daemon
/// there by never letting it through.
#[async_trait::async_trait]
pub trait Gate: Send + Sync + 'static {
    async fn before(&self, doing: &'static str);

    async fn after(&self, doing: &'static str);
}

/// What the thread owns, in the order in which it lets go of it.
struct Desk {
    db: Connected,
    path: PathBuf,
    /// What the database and its log were when they were opened.
    files: [(PathBuf, u64); 2],
    /// Held as long as anything is written.
    _lock: StateLock,
    /// How often the wait for another program's lock is begun anew.
    patience: u32,
    broken: Arc<watch::Sender<Option<Why>>>,
    journal: watch::Sender<JournalId>,
    _ended: watch::Sender<()>,
}

/// Starts the thread. It ends when the last `Writer` is dropped.
pub(super) fn start(
    db: Connected,
    path: PathBuf,
    lock: StateLock,
    patience: u32,
) -> Result<Writer, StoreError> {
    let (desk, writer) = desk(db, path, lock, patience)?;
    let (jobs, todo) = channel();
    let (path, doing) = (desk.path.clone(), "start the writer of");
    thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || desk.work_off(&todo))
        .map_err(|source| StoreError::File { doing, path, source })?;
    Ok(writer(Jobs::Thread(jobs)))
}

/// No thread: whoever hands work over does it. What is not closed is left behind as a
/// killed process leaves it.
pub(super) fn start_without_thread(
    db: Connected,
    path: PathBuf,
    lock: StateLock,
    gate: Arc<dyn Gate>,
) -> Result<Writer, StoreError> {
    let kept = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    kept.map_err(failed("set up the connection"))?;
    let (desk, writer) = desk(db, path, lock, 0)?;
    Ok(writer(Jobs::Caller(Arc::new(Caller { desk: Mutex::new(desk), gate }))))
}

fn desk(
    db: Connected,
    path: PathBuf,
    lock: StateLock,
    patience: u32,
) -> Result<(Desk, impl FnOnce(Jobs) -> Writer), StoreError> {
    let broken = Arc::new(watch::Sender::new(None));
    let last = last_entry(&db).map_err(failed("read the end of the journal"))?;
    let (journal, journal_seen) = watch::channel(last);
    let (ended, ended_seen) = watch::channel(());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let known = |path: PathBuf| match std::fs::metadata(&path) {
        Ok(file) => Ok((path, file.ino())),
        Err(source) => Err(StoreError::File { doing: "read", path, source }),
    };
    let files = [known(path.clone())?, known(PathBuf::from(log))?];
    let desk = Desk {
        db,
        path,
        files,
        _lock: lock,
        patience,
        broken: Arc::clone(&broken),
        journal,
        _ended: ended,
    };
    let writer = move |jobs| Writer { jobs, broken, journal: journal_seen, ended: ended_seen };
    Ok((desk, writer))
}

fn last_entry(db: &Connection) -> rusqlite::Result<JournalId> {
    let id = db
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'journal'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(JournalId(id.unwrap_or_default()))
}

impl Writer {
    /// Runs `work` in a transaction and answers once it is durable. It may share its
    /// commit with others, so it must not begin or end a transaction itself.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<Verdict<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Piece { doing, work: Some(work), answer: None, reply };
        let sent = match &self.jobs {
            Jobs::Thread(jobs) => jobs.send(Box::new(job)).is_ok(),
            Jobs::Caller(caller) => {
                caller.gate.before(doing).await;
                let done = caller.work(Box::new(job));
                caller.gate.after(doing).await;
                done
            }
        };
        match (sent, answer.await) {
            (true, Ok(answer)) => answer,
            // The thread is gone, and tells why if it had to give up.
            (_, _) => match self.is_broken() {
                Some(why) => Err(StoreError::Broken { why }),
                None => Err(StoreError::Closed),
            },
        }
    }

    /// Why nothing is written any more, if so.
    pub(super) fn is_broken(&self) -> Option<Why> {
        self.broken.borrow().clone()
    }

    /// Waits until nothing is written any more.
    pub(super) async fn broken(&self) -> Why {
        let mut seen = self.broken.subscribe();
        loop {
            if let Some(why) = &*seen.borrow_and_update() {
                return why.clone();
            }
            // We hold the sender ourselves, so this ends only with a change.
            if seen.changed().await.is_err() {
                return Why::new("the writer is gone");
            }
        }
    }

    /// A reader found that the file cannot be trusted: write nothing more.
    pub(super) fn tell_broken(&self, why: &Why) {
        self.broken.send_if_modified(|broken| {
            let first = broken.is_none();
            broken.get_or_insert_with(|| why.clone());
            first
        });
    }

    /// Lets go, and waits until every other handle has and the file is closed.
    pub(super) async fn close(self) {
        let Self { jobs, mut ended, .. } = self;
        drop(jobs);
        while ended.changed().await.is_ok() {}
    }
}

impl Caller {
    fn work(&self, job: Box<dyn Job>) -> bool {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.commit(vec![job]).is_ok()
    }
}

trait Job: Send {
    /// Does the work in a savepoint. An error means that the database is broken.
    fn work(&mut self, db: &Connection) -> Result<(), rusqlite::Error>;
    /// Sends the answer. `Err`: the commit did not come about.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Piece<T, F> {
    doing: &'static str,
    work: Option<F>,
    answer: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Piece<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<Verdict<T>> + Send,
{
    fn work(&mut self, db: &Connection) -> Result<(), rusqlite::Error> {
        let Some(work) = self.work.take() else { return Ok(()) };
        db.prepare_cached("SAVEPOINT job")?.execute([])?;
        // What a panicking job wrote is undone like that of a failing one.
        let done = catch_unwind(AssertUnwindSafe(|| work(db)));
        let (keep, answer) = match done {
            Ok(Ok(Verdict::Keep(value))) => (true, Ok(value)),
            Ok(Ok(Verdict::Undo(value))) => (false, Ok(value)),
            Ok(Err(error)) if breaks(&error) => return Err(error),
            Ok(Err(error)) => (false, Err(failed(self.doing)(error))),
            Err(panic) => {
                let text = text_of(panic.as_ref());
                (false, Err(StoreError::Panicked { doing: self.doing, text }))
            }
        };
        if !keep {
            db.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        db.prepare_cached("RELEASE job")?.execute([])?;
        self.answer = Some(answer);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.answer) {
            (Ok(()), Some(answer)) => answer,
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error),
        };
        // Whoever asked may have gone; what was stored stays stored.
        let _ = self.reply.send(answer);
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

impl Desk {
    fn work_off(self, todo: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = todo.recv() {
            let mut group = vec![first];
            group.extend(todo.try_iter().take(GROUP - 1));
            if let Err(why) = self.commit(group) {
                // Those that wait; whoever comes later finds the queue closed.
                for job in todo.try_iter() {
                    job.answer(Err(StoreError::Broken { why: why.clone() }));
                }
                self.leaves_alone_what_is_not_ours();
                return;
            }
        }
        if self.leaves_alone_what_is_not_ours() {
            return;
        }
        // Fewer pages to go through at the next start; if it fails, that start does it.
        let _ = self.db.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
    }

    /// Tells everyone before it answers anyone: who reads the answer may ask at once.
    fn give_up(&self, group: Vec<Box<dyn Job>>, why: Why) -> Why {
        self.broken.send_replace(Some(why.clone()));
        for job in group {
            job.answer(Err(StoreError::Broken { why: why.clone() }));
        }
        why
    }

    /// Does a group of jobs in one transaction. `Err`: the database is broken.
    fn commit(&self, mut group: Vec<Box<dyn Job>>) -> Result<(), Why> {
        if let Some(why) = self.is_lost() {
            return Err(self.give_up(group, why));
        }
        if let Err(error) = self.begin() {
            if is_busy(&error) {
                for job in group {
                    job.answer(Err(StoreError::Busy { path: self.path.clone() }));
                }
                return Ok(());
            }
            return Err(self.give_up(group, self.why(error)));
        }
        let mut done = Ok(());
        for job in &mut group {
            done = done.and_then(|()| job.work(&self.db));
        }
        let done = done.and_then(|()| self.db.execute_batch("COMMIT"));
        if let Err(error) = done.and_then(|()| self.tell_journal()) {
            // SQLite may have rolled back by itself, then there is nothing to undo.
            let _ = self.db.execute_batch("ROLLBACK");
            return Err(self.give_up(group, self.why(error)));
        }
        // What was just committed may be in such a file, so it must not be answered.
        if let Some(why) = self.is_gone() {
            return Err(self.give_up(group, why));
        }
        for job in group {
            job.answer(Ok(()));
        }
        Ok(())
    }

    /// Why the file must not be written, as far as can be seen from outside.
    fn is_lost(&self) -> Option<Why> {
        if let Some(why) = &*self.broken.borrow() {
            return Some(why.clone());
        }
        self.is_gone()
    }

    /// SQLite would go on writing to a file that nobody can find any more. The log is
    /// one as well: it goes only with the last connection, and ours is open.
    fn is_gone(&self) -> Option<Why> {
        let (path, _) = self.files.iter().find(|(path, inode)| {
            !std::fs::metadata(path).is_ok_and(|file| file.ino() == *inode)
        })?;
        Some(Why::new(&format!("{} was removed or replaced while in use", path.display())))
    }

    /// SQLite closes by copying its log into the database and removing whatever has the
    /// name of the log; both may by now be what another program has written.
    fn leaves_alone_what_is_not_ours(&self) -> bool {
        let gone = self.is_gone().is_some();
        if gone {
            // It is not in our power to do more.
            let _ = self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        gone
    }

    fn tell_journal(&self) -> rusqlite::Result<()> {
        let last = last_entry(&self.db)?;
        self.journal.send_if_modified(|seen| std::mem::replace(seen, last) != last);
        Ok(())
    }

    fn why(&self, error: rusqlite::Error) -> Why {
        Why::new(&match opening(&self.path, "write", error) {
            StoreError::Sql { source, .. } => {
                format!("cannot write {}: {source}", self.path.display())
            }
            known => known.to_string().lines().next().unwrap_or_default().to_owned(),
        })
    }

    /// Waits for the right to write. Another program has it only for as long as one
    /// of its transactions is open.
    fn begin(&self) -> rusqlite::Result<()> {
        let mut left = self.patience;
        loop {
            match self.db.execute_batch("BEGIN IMMEDIATE") {
                Err(error) if is_busy(&error) && left > 0 => left -= 1,
                done => return done,
            }
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
