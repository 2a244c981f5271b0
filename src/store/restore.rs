//! Owns putting a backup in the place of the database. The daemon must not run. What
//! was there stays beside it, and at no moment is there no database: a start in
//! between would begin anew and run again all there was.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::column::Instant;
use super::error::StoreError;
use super::in_use::InUse;
use super::lock::StateLock;
use super::open::{FILE, make_folder};
use super::schema::{MIGRATIONS, back_up, sync_folder_of, written};

/// The schema since which starts are remembered. In an older one none is, so that it
/// knows none either.
const WITH_STARTS: usize = 3;

/// What is to be done with a restored database before its daemon starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: an older backup is brought up to date at that start.
    Nothing,
    /// Requests are filed in it, which only one of this version's schema takes.
    File,
}

/// Puts the backup `from` in place and returns where the database that was there is
/// now. What is wrong with the backup is found before anything is made or changed.
pub fn restore(
    state_dir: &Path,
    from: &Path,
    then: Then,
    app_version: &str,
    now: Timestamp,
) -> Result<Option<PathBuf>, StoreError> {
    let no_backup = || StoreError::NoBackup { path: from.to_owned() };
    match std::fs::metadata(from) {
        Ok(file) if file.is_file() => {}
        Ok(_) => return Err(no_backup()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NoSuchBackup { path: from.to_owned() });
        }
        Err(source) => {
            return Err(StoreError::File { doing: "read", path: from.to_owned(), source });
        }
    }
    let Some(backup) = InUse::mark(from)? else {
        return Err(no_backup());
    };
    let backup = backup.connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY, "open the backup")?;
    let found = match written(&backup, from) {
        Err(StoreError::NotOurs { .. }) => return Err(no_backup()),
        found => found?,
    };
    if found.schema > MIGRATIONS.len() {
        let (path, ours) = (from.to_owned(), app_version.to_owned());
        return Err(StoreError::Newer { path, by: found.by, ours });
    }
    if then == Then::File && found.schema < MIGRATIONS.len() {
        let (path, ours) = (from.to_owned(), app_version.to_owned());
        return Err(StoreError::OlderBackup { path, by: found.by, ours });
    }
    make_folder(state_dir)?;
    let _lock = StateLock::take(state_dir)?;
    let path = state_dir.join(FILE);
    let whole = path.with_extension("db.restored");
    let made_ready = back_up(&backup, &whole).and_then(|()| {
        make_ready(&whole, now, found.schema)
            .map_err(|source| StoreError::Backup { to: whole.clone(), source: source.into() })
    });
    if let Err(error) = made_ready {
        // It has its name only for a moment; a half one would be taken for nothing.
        let _ = remove(&whole);
        return Err(match error.is_full() {
            true => StoreError::NoRoomToRestore { path },
            false => error,
        });
    }
    let kept = keep_old(&path, now)?;
    std::fs::rename(&whole, &path).map_err(|source| StoreError::File {
        doing: "put in place",
        path: path.clone(),
        source,
    })?;
    sync_folder_of(&path)?;
    Ok(kept)
}

/// What people asked for when the backup was made is not what they want now. And what
/// was done on headnodes since is not in it: it forgets its starts, so that each
/// work_dir takes it for a copy until it is adopted.
fn make_ready(whole: &Path, now: Timestamp, schema: usize) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(whole, flags)?;
    db.execute(
        "UPDATE requests SET done_at = ?, outcome = 'not done: a backup was restored'
         WHERE done_at IS NULL",
        [Instant(now)],
    )?;
    if schema >= WITH_STARTS {
        db.execute("DELETE FROM starts", [])?;
    }
    db.close().map_err(|(_, error)| error)
}

/// Gives the database a second name, and takes its log away from the first: SQLite
/// would play that back into the restored one.
fn keep_old(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, StoreError> {
    let moment = now.strftime("%Y%m%dT%H%M%S%3fZ");
    let kept = path.with_extension(format!("db.before-restore-{moment}"));
    // Where it still can be opened this writes its log into it.
    if let Some(old) = InUse::mark(path)?
        && let Ok(old) = old.connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, "open the old one")
    {
        let _ = old.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        let _ = old.close();
    }
    let file = |doing, path: &Path, source| StoreError::File { doing, path: path.into(), source };
    match std::fs::hard_link(path, &kept) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A log of nothing would be played back all the same.
            for log in ["-wal", "-shm"] {
                remove(&beside(path, log))?;
            }
            return Ok(None);
        }
        Err(source) => return Err(file("keep", path, source)),
    }
    for log in ["-wal", "-shm"] {
        let (from, to) = (beside(path, log), beside(&kept, log));
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&to)?,
            Err(source) => return Err(file("keep", &from, source)),
        }
    }
    Ok(Some(kept))
}

fn beside(path: &Path, log: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(log);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::File { doing: "remove", path: path.to_owned(), source }),
    }
}
