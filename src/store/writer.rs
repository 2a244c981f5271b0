//! Owns the thread with the only connection that writes. Jobs that wait are grouped
//! into one commit, each in a savepoint of its own, so that one that fails spoils no
//! other; answers are sent when the commit is durable, not before. After a failure
//! of the disk or the file it writes nothing more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{oneshot, watch};

use super::error::{StoreError, Why, breaks, failed, opening};
use super::lock::StateLock;

/// How many jobs share a commit at most. More would only delay the first answer.
const GROUP: usize = 512;

/// What a piece of work wants done with what it wrote.
pub(super) enum Verdict<T> {
    Keep(T),
    /// Nothing went wrong, and nothing of it is to be stored.
    Undo(T),
}

/// What everyone may see of the writer without asking it.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    pub(super) broken: watch::Receiver<Option<Why>>,
    /// Counts commits.
    pub(super) commits: watch::Receiver<u64>,
}

/// A way to hand work to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: Sender<Box<dyn Job>>,
    broken: watch::Receiver<Option<Why>>,
}

/// What the thread owns.
struct Desk {
    db: Connection,
    path: PathBuf,
    broken: watch::Sender<Option<Why>>,
    commits: watch::Sender<u64>,
    /// How often the wait for another program's lock is begun anew.
    patience: u32,
    /// Held as long as anything is written.
    _lock: StateLock,
}

/// Starts the thread. It ends when the last `Writer` is dropped.
pub(super) fn start(
    db: Connection,
    path: PathBuf,
    lock: StateLock,
    patience: u32,
) -> Result<(Writer, Signals), StoreError> {
    let (jobs, todo) = channel();
    let (broken, broken_seen) = watch::channel(None);
    let (commits, commits_seen) = watch::channel(0);
    let desk = Desk { db, path: path.clone(), broken, commits, patience, _lock: lock };
    thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || desk.work_off(&todo))
        .map_err(|source| StoreError::File { doing: "start the writer of", path, source })?;
    let writer = Writer { jobs, broken: broken_seen.clone() };
    Ok((writer, Signals { broken: broken_seen, commits: commits_seen }))
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
        let sent = self.jobs.send(Box::new(job));
        match (sent, answer.await) {
            (Ok(()), Ok(answer)) => answer,
            // The thread is gone, and tells why if it had to give up.
            (_, _) => match &*self.broken.borrow() {
                Some(why) => Err(StoreError::Broken { why: why.clone() }),
                None => Err(StoreError::Closed),
            },
        }
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
                self.broken.send_replace(Some(why.clone()));
                // Those that wait, and those that come before the queue is closed.
                for job in todo.try_iter() {
                    job.answer(Err(StoreError::Broken { why: why.clone() }));
                }
                return;
            }
        }
        // Fewer pages to go through at the next start; if it fails that start does it.
        let _ = self.db.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
    }

    /// Does a group of jobs in one transaction. `Err`: the database is broken.
    fn commit(&self, mut group: Vec<Box<dyn Job>>) -> Result<(), Why> {
        if let Err(error) = self.begin() {
            if is_busy(&error) {
                for job in group {
                    job.answer(Err(StoreError::Busy { path: self.path.clone() }));
                }
                return Ok(());
            }
            return Err(self.give_up(group, error));
        }
        for job in &mut group {
            if let Err(error) = job.work(&self.db) {
                return Err(self.give_up(group, error));
            }
        }
        if let Err(error) = self.db.execute_batch("COMMIT") {
            return Err(self.give_up(group, error));
        }
        self.commits.send_modify(|count| *count += 1);
        for job in group {
            job.answer(Ok(()));
        }
        Ok(())
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

    fn give_up(&self, group: Vec<Box<dyn Job>>, error: rusqlite::Error) -> Why {
        // SQLite may have rolled back by itself, then there is nothing to undo.
        let _ = self.db.execute_batch("ROLLBACK");
        let sentence = match opening(&self.path, "write", error) {
            StoreError::Sql { source, .. } => format!("cannot write {}: {source}", self.path.display()),
            known => known.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let why = Why::new(&sentence);
        for job in group {
            job.answer(Err(StoreError::Broken { why: why.clone() }));
        }
        why
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
