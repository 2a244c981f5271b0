//! Owns what can go wrong with the database, each as one sentence and, where there
//! is one, the next step as a `hint:` line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the folder {parent} that is to hold state_dir does not exist\n\
         hint: create it, or correct state_dir in the configuration"
    )]
    NoParent { parent: PathBuf },
    #[error(
        "there is no database in {state_dir}\nhint: is --config the daemon's configuration? its first start makes the database"
    )]
    Missing { state_dir: PathBuf },
    #[error(
        "cannot write in {path}\nhint: give the user that runs daylily-watch the right to write there"
    )]
    ReadOnly { path: PathBuf },
    #[error(
        "cannot read {path}\nhint: run this as the user that runs the daemon: SQLite readers write beside the file"
    )]
    Forbidden { path: PathBuf },
    #[error(
        "{state_dir} is in use by another daemon ({holder})\n\
         hint: stop that one first, or give this one a state_dir of its own"
    )]
    Held { state_dir: PathBuf, holder: String },
    #[error("lock {path}\nhint: state_dir must be on a file system that knows flock")]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{doing} {path}")]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} is not a database of daylily-watch\nhint: correct state_dir in the configuration; if this was its database, put the last backup in its place while no daemon runs"
    )]
    NotOurs { path: PathBuf },
    #[error(
        "{path} is no backup of daylily-watch\nhint: name a file that `daylily-watch backup FILE` has written"
    )]
    NoBackup { path: PathBuf },
    #[error(
        "there is no file {path}; nothing was changed\nhint: name a file that `daylily-watch backup FILE` has written"
    )]
    NoSuchBackup { path: PathBuf },
    /// What is to be left in it for the next start needs the schema of this version.
    #[error(
        "{path} was written by {by}; this is {ours}, so that nothing can be left in it for the next start; nothing was changed\n\
         hint: restore it without --adopt and start the daemon, which brings it up to date; then `adopt` each headnode"
    )]
    OlderBackup { path: PathBuf, by: String, ours: String },
    #[error(
        "{path} is damaged: {what}\n\
         hint: keep a copy of it, and put the last backup in its place while no daemon runs"
    )]
    Damaged { path: PathBuf, what: String },
    #[error("{path} was written by {by}; this is {ours}\nhint: install {by} or a later one")]
    Newer { path: PathBuf, by: String, ours: String },
    #[error(
        "{path} was written by {by}; this is {ours}\nhint: start the daemon once, it brings the database up to date"
    )]
    Older { path: PathBuf, by: String, ours: String },
    #[error(
        "the disk of {path} is full\nhint: make room; if the daemon has stopped, it goes on when it is started again"
    )]
    Full { path: PathBuf },
    #[error(
        "another program keeps {path} locked\nhint: close the program that is writing to it (an open sqlite3 shell?)"
    )]
    Busy { path: PathBuf },
    #[error("{path} cannot be written ahead (WAL)\nhint: state_dir must be on a local file system")]
    NoWal { path: PathBuf },
    #[error("SQLite {version} is too old, at least 3.51.3 is needed")]
    OldSqlite { version: &'static str },
    #[error("bring {path} from schema {from} to {to}; it is as it was")]
    Migrate {
        path: PathBuf,
        from: usize,
        to: usize,
        #[source]
        source: Box<rusqlite_migration::Error>,
    },
    #[error(
        "the disk of {path} is full; the database is as it was\nhint: make room, or name a file on another disk"
    )]
    NoRoomForBackup { path: PathBuf },
    #[error(
        "the disk of {path} is full; the database is as it was\nhint: make room, and restore once more"
    )]
    NoRoomToRestore { path: PathBuf },
    #[error("back up to {to}")]
    Backup {
        to: PathBuf,
        #[source]
        source: Box<rusqlite::Error>,
    },
    #[error("the backup {to} is not whole: {what}")]
    BackupDamaged { to: PathBuf, what: String },
    #[error("{doing}")]
    Sql {
        doing: &'static str,
        #[source]
        source: Box<rusqlite::Error>,
    },
    /// Our own code failed; nothing of it was stored.
    #[error("{doing}: the program failed with: {text}")]
    Panicked { doing: &'static str, text: String },
    /// Nothing can be stored any more; the daemon must stop.
    #[error(
        "the database is broken: {why}\nhint: repair the cause and start the daemon again; jobs run on, and what they left tells how they ended"
    )]
    Broken { why: Why },
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    /// Whether it is that there is no room.
    pub(super) fn is_full(&self) -> bool {
        if let Self::File { source, .. } = self {
            let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            return full.contains(&source.kind());
        }
        if let Self::Sql { source, .. } | Self::Backup { source, .. } = self {
            return source.sqlite_error_code() == Some(ErrorCode::DiskFull);
        }
        matches!(self, Self::Full { .. })
    }

    /// Whether the file itself cannot be trusted any more, and so nothing in it.
    pub(super) fn breaks(&self) -> bool {
        matches!(self, Self::Sql { source, .. } if breaks(source))
    }

    /// The message with its cause, where the error itself is not passed on.
    pub(super) fn with_source(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// Why the database is broken, told to everyone who waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why(Arc<str>);

impl Why {
    pub(super) fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names what was being done when a statement failed.
pub(super) fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sql { doing, source: Box::new(source) }
}

/// What a failure to open or first read the file means for whoever runs the program.
pub(super) fn opening(path: &Path, doing: &'static str, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotOurs { path },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, what: source.to_string() },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreError::Forbidden { path },
        Some(_) | None => StoreError::Sql { doing, source: Box::new(source) },
    }
}

/// Whether an error means that no transaction can be trusted to be stored any more.
pub(super) fn breaks(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
        )
    )
}
