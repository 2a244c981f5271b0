//! Owns the migrations and what the file says about itself. A migration that has
//! been released is never edited; a new one is added at the end.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use rusqlite_migration::{M, Migrations};

use super::error::{StoreError, failed, opening};

pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001-begin.sql"),
    include_str!("migrations/0002-headnodes.sql"),
    include_str!("migrations/0003-starts.sql"),
    include_str!("migrations/0004-worksets.sql"),
];

/// "DWDB" in ASCII: how the file is told from another program's database.
const APPLICATION_ID: i64 = 0x4457_4442;

/// Who wrote the file, and in which schema. 0: none yet.
pub(super) struct Written {
    pub(super) schema: usize,
    pub(super) by: String,
}

/// Reads what wrote the file. It must be a database of ours and not empty.
pub(super) fn written(db: &Connection, path: &Path) -> Result<Written, StoreError> {
    let read = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let open = |source| opening(path, "read", source);
    let id = read("PRAGMA application_id").map_err(open)?;
    let schema = read("PRAGMA user_version").map_err(open)?;
    // Reads the whole schema, so a damaged first page is noticed here.
    read("SELECT count(*) FROM sqlite_schema").map_err(open)?;
    if id != APPLICATION_ID {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    let by: Option<String> = db
        .query_row("SELECT app_version FROM meta", [], |row| row.get(0))
        .optional()
        .map_err(open)?;
    let Ok(schema) = usize::try_from(schema) else {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    };
    match by {
        Some(by) => Ok(Written { schema, by }),
        None => Err(StoreError::Damaged {
            path: path.to_owned(),
            what: "it does not say whose it is".to_owned(),
        }),
    }
}

/// Brings the schema up to the last of `migrations`, all or nothing.
pub(super) fn migrate(
    db: &mut Connection,
    path: &Path,
    from: usize,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let to = migrations.len();
    let steps = migrations.iter().map(|sql| M::up(sql)).collect();
    Migrations::new(steps).to_latest(db).map_err(|source| {
        let path = path.to_owned();
        match source {
            rusqlite_migration::Error::RusqliteError { err, .. }
                if err.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) =>
            {
                StoreError::Full { path }
            }
            source => StoreError::Migrate { path, from, to, source: Box::new(source) },
        }
    })
}

/// Copies a database while it is in use, and proves that the copy is whole before it
/// gets its name. Only its owner may read it, as the database itself.
pub(super) fn back_up(db: &Connection, to: &Path) -> Result<(), StoreError> {
    // A name that nobody else gives: what is left of an earlier try is removed.
    let mut half = OsString::from(".");
    half.push(to.file_name().unwrap_or_default());
    half.push(".daylily-half");
    let half = to.with_file_name(half);
    let done = copy(db, &half, to).and_then(|()| {
        let source = File::open(&half).and_then(|file| file.sync_all());
        let source = source.and_then(|()| std::fs::rename(&half, to));
        source.map_err(|source| StoreError::File { doing: "put in place", path: to.into(), source })
    });
    if done.is_err() {
        // What went wrong is told; a half copy left behind would only mislead.
        let _ = std::fs::remove_file(&half);
    }
    done?;
    sync_folder_of(to)
}

fn copy(db: &Connection, half: &Path, to: &Path) -> Result<(), StoreError> {
    let problem = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full { path: to.to_owned() },
        Some(_) | None => StoreError::Backup { to: to.to_owned(), source: Box::new(source) },
    };
    match std::fs::remove_file(half) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::File { doing: "remove", path: half.to_owned(), source });
        }
        Ok(()) | Err(_) => {}
    }
    let private = OpenOptions::new().write(true).create_new(true).mode(0o600).open(half);
    private.map_err(|source| StoreError::File { doing: "write", path: half.to_owned(), source })?;
    let mut copy = Connection::open_with_flags(
        half,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(problem)?;
    // All pages in one step: a copy of one moment, which no writer can start anew.
    match Backup::new(db, &mut copy).and_then(|backup| backup.step(-1)).map_err(problem)? {
        StepResult::Done => {}
        _ => return Err(StoreError::Busy { path: to.to_owned() }),
    }
    // A file of its own, without a write-ahead log beside it.
    let verdict: String = copy
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .and_then(|()| copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))
        .map_err(problem)?;
    if verdict != "ok" {
        return Err(StoreError::BackupDamaged { to: to.to_owned(), what: verdict });
    }
    copy.close().map_err(|(_, source)| problem(source))
}

pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    // The folder of a bare name is the empty path, which cannot be opened.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| StoreError::File {
        doing: "sync",
        path: folder.to_owned(),
        source,
    })
}

/// What every connection is set to.
pub(super) fn prepare(db: &Connection) -> Result<(), StoreError> {
    // The statements of recording one observation stay prepared.
    db.set_prepared_statement_cache_capacity(128);
    db.execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
        .map_err(failed("set up the connection"))
}
