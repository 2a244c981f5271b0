//! Owns how the database comes to be open: the folder, the lock, the file, its
//! schema, a new generation. Nothing is half done: a new database gets its name only
//! when it is whole, and an old one is copied before its schema is changed.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use ulid::Ulid;

use super::column::Instant;
use super::error::{StoreError, failed, opening};
use super::in_use::{Connected, InUse};
use super::lock::StateLock;
use super::read::About;
use super::schema::{MIGRATIONS, back_up, migrate, prepare, sync_folder_of, written};

/// The file within state_dir.
pub(super) const FILE: &str = "daylily.db";

/// How long one statement waits for another program's lock.
const BUSY: Duration = Duration::from_secs(5);

/// SQLite 3.51.3 repairs a race in the write-ahead log that could lose a commit.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Tells this database from any other, also from a copy that went its own way: together
/// with the generation it is what attempt directories know as their owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseId(String);

impl DatabaseId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Raised at each start of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// Drawn anew at each start: two daemons on copies of one database reach the same
/// generation and still have different words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartWord(String);

impl StartWord {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So many earlier starts are remembered for comparing.
const STARTS: u32 = 10_000;

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub database: DatabaseId,
    pub generation: Generation,
    pub word: StartWord,
    /// The words of the starts before this one.
    pub earlier: BTreeMap<Generation, StartWord>,
    /// There was none before.
    pub created: bool,
    pub migrated: Option<Migrated>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    pub from: usize,
    pub to: usize,
    /// The database as it was.
    pub backup: PathBuf,
}

/// An open database that may be written, and the lock that allows it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) db: Connected,
    pub(super) path: PathBuf,
    pub(super) lock: StateLock,
    pub(super) opened: Opened,
}

pub(super) fn open(
    state_dir: &Path,
    now: Timestamp,
    app_version: &str,
) -> Result<Open, StoreError> {
    open_with(state_dir, now, app_version, MIGRATIONS)
}

pub(super) fn open_with(
    state_dir: &Path,
    now: Timestamp,
    app_version: &str,
    migrations: &[&str],
) -> Result<Open, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite { version: rusqlite::version() });
    }
    make_folder(state_dir)?;
    let lock = StateLock::take(state_dir)?;
    let path = state_dir.join(FILE);
    let created = match std::fs::metadata(&path) {
        Ok(file) if file.len() == 0 => {
            // To begin anew here would forget, and run again, all there was.
            let what = "it is empty".to_owned();
            return Err(StoreError::Damaged { path, what });
        }
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(&path, now, app_version, migrations)?;
            true
        }
        Err(source) => return Err(StoreError::File { doing: "read", path, source }),
    };
    let mut db = connect(&path)?;
    let migrated = bring_up(&mut db, &path, app_version, migrations)?;
    set_up_writing(&db, &path)?;
    let begun = begin_generation(&mut db, now, app_version);
    let (database, generation, word) =
        begun.map_err(|source| opening(&path, "begin a new generation", source))?;
    let mut earlier = starts(&db).map_err(failed("read the earlier starts"))?;
    earlier.remove(&generation);
    let opened = Opened { database, generation, word, earlier, created, migrated };
    Ok(Open { db, path, lock, opened })
}

pub(super) fn make_folder(state_dir: &Path) -> Result<(), StoreError> {
    let file = |doing, source| StoreError::File { doing, path: state_dir.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(state_dir) {
        Ok(()) => Ok(()),
        Err(error) => match error.kind() {
            io::ErrorKind::AlreadyExists => match std::fs::metadata(state_dir) {
                Ok(meta) if meta.is_dir() => Ok(()),
                Ok(_) => Err(file("use as a folder", error)),
                Err(source) => Err(file("read", source)),
            },
            io::ErrorKind::NotFound => {
                let parent = state_dir.parent().unwrap_or(state_dir).to_owned();
                Err(StoreError::NoParent { parent })
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                let parent = state_dir.parent().unwrap_or(state_dir).to_owned();
                Err(StoreError::ReadOnly { path: parent })
            }
            _ => Err(file("create", error)),
        },
    }
}

/// Makes a whole database under another name, then gives it its own.
fn create(
    path: &Path,
    now: Timestamp,
    app_version: &str,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let half = path.with_extension("db.new");
    remove_half(&half)?;
    let made = fill(&half, now, app_version, migrations).and_then(|()| {
        std::fs::rename(&half, path).map_err(|source| StoreError::File {
            doing: "put in place",
            path: path.into(),
            source,
        })
    });
    if made.is_err() {
        // The first error is the one to tell.
        let _ = remove_half(&half);
    }
    made?;
    sync_folder_of(path)
}

/// Removes what a start that was killed has left, journal first: SQLite would play it
/// back into the next file of that name.
fn remove_half(half: &Path) -> Result<(), StoreError> {
    for left in [&half.with_extension("new-journal"), half] {
        match std::fs::remove_file(left) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                let path = half.parent().unwrap_or(half).to_owned();
                return Err(match source.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        StoreError::ReadOnly { path }
                    }
                    _ => StoreError::File { doing: "remove", path: left.to_owned(), source },
                });
            }
        }
    }
    Ok(())
}

fn fill(
    half: &Path,
    now: Timestamp,
    app_version: &str,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let create = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let folder = half.parent().unwrap_or(half);
    let mut db = Connection::open_with_flags(half, create).map_err(|source| {
        match opening(folder, "create the database", source) {
            StoreError::Forbidden { path } => StoreError::ReadOnly { path },
            other => other,
        }
    })?;
    std::fs::set_permissions(half, std::fs::Permissions::from_mode(0o600))
        .map_err(|source| StoreError::File { doing: "protect", path: half.into(), source })?;
    prepare(&db)?;
    migrate(&mut db, half, 0, migrations)?;
    let id = new_id(&db, now).map_err(failed("draw a database id"))?;
    db.execute(
        "INSERT INTO meta (one, database_id, generation, app_version, created_at)
         VALUES (1, ?, 0, ?, ?)",
        params![id, app_version, Instant(now)],
    )
    .map_err(|source| opening(folder, "write the first row", source))?;
    db.close().map_err(|(_, source)| opening(folder, "close the new database", source))
}

/// SQLite's own source of randomness, the time given: nothing here reads a clock.
fn new_id(db: &Connection, now: Timestamp) -> rusqlite::Result<String> {
    let random: [u8; 10] = db.query_row("SELECT randomblob(10)", [], |row| row.get(0))?;
    let random = random.iter().fold(0_u128, |all, byte| (all << 8) | u128::from(*byte));
    let ms = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Ok(Ulid::from_parts(ms, random).to_string())
}

fn connect(path: &Path) -> Result<Connected, StoreError> {
    let db = connect_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if db.is_readonly("main").map_err(|source| opening(path, "open the database", source))? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    prepare(&db)?;
    Ok(db)
}

fn connect_with(path: &Path, flags: OpenFlags) -> Result<Connected, StoreError> {
    let Some(in_use) = InUse::mark(path)? else {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    };
    let db = in_use.connect(path, flags, "open the database")?;
    db.busy_timeout(BUSY).map_err(failed("set the busy timeout"))?;
    Ok(db)
}

/// Refuses a newer schema; backs up and migrates an older one.
fn bring_up(
    db: &mut Connection,
    path: &Path,
    app_version: &str,
    migrations: &[&str],
) -> Result<Option<Migrated>, StoreError> {
    let found = written(db, path)?;
    let to = migrations.len();
    if found.schema == to {
        return Ok(None);
    }
    if found.schema > to {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            by: found.by,
            ours: app_version.to_owned(),
        });
    }
    let backup = path.with_extension(format!("db.before-{to}"));
    back_up(db, &backup)?;
    migrate(db, path, found.schema, migrations)?;
    Ok(Some(Migrated { from: found.schema, to, backup }))
}

fn set_up_writing(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = db
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|source| opening(path, "switch to a write-ahead log", source))?;
    if mode != "wal" {
        return Err(StoreError::NoWal { path: path.to_owned() });
    }
    // A burst of cases must not leave a log of its size behind for ever.
    db.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;")
        .map_err(|source| opening(path, "set up the connection", source))
}

fn begin_generation(
    db: &mut Connection,
    now: Timestamp,
    app_version: &str,
) -> rusqlite::Result<(DatabaseId, Generation, StartWord)> {
    // The word is durable before any work_dir sees it.
    let both = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (database, generation, word) = both.query_row(
        "UPDATE meta SET generation = generation + 1, app_version = ?
         RETURNING database_id, generation, lower(hex(randomblob(8)))",
        [app_version],
        |row| Ok((DatabaseId(row.get(0)?), Generation(row.get(1)?), StartWord(row.get(2)?))),
    )?;
    both.execute(
        "INSERT INTO starts (generation, word, at) VALUES (?, ?, ?)",
        params![generation.0, word.as_str(), Instant(now)],
    )?;
    both.commit()?;
    Ok((database, generation, word))
}

/// The words of the last starts.
pub(super) fn starts(db: &Connection) -> rusqlite::Result<BTreeMap<Generation, StartWord>> {
    db.prepare("SELECT generation, word FROM starts ORDER BY generation DESC LIMIT ?")?
        .query_map([STARTS], |row| Ok((Generation(row.get(0)?), StartWord(row.get(1)?))))?
        .collect()
}

/// Opens for one short piece of writing by another process than the daemon.
pub(super) fn visit(state_dir: &Path, app_version: &str) -> Result<Connected, StoreError> {
    let path = existing(state_dir)?;
    let db = connect(&path)?;
    check_schema(&db, &path, app_version)?;
    // What was asked for must be there after a power cut too.
    db.execute_batch("PRAGMA synchronous = FULL;").map_err(failed("set up the connection"))?;
    Ok(db)
}

/// Notes that a backup was made, from another process than the daemon.
pub fn note_backup(state_dir: &Path, app_version: &str, at: Timestamp) -> Result<(), StoreError> {
    let db = visit(state_dir, app_version)?;
    let path = state_dir.join(FILE);
    db.execute("UPDATE meta SET last_backup_at = ?", [Instant(at)])
        .map_err(|source| opening(&path, "note the backup", source))?;
    db.close()
}

/// Opens for reading, with or without a daemon.
pub(super) fn open_for_reading(
    state_dir: &Path,
    app_version: &str,
) -> Result<Connected, StoreError> {
    let path = existing(state_dir)?;
    let db = connect_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    prepare(&db)?;
    check_schema(&db, &path, app_version)?;
    Ok(db)
}

fn existing(state_dir: &Path) -> Result<PathBuf, StoreError> {
    let path = state_dir.join(FILE);
    match std::fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Err(StoreError::Missing { state_dir: state_dir.to_owned() }),
            io::ErrorKind::PermissionDenied => Err(StoreError::Forbidden { path }),
            _ => Err(StoreError::File { doing: "read", path, source: error }),
        },
    }
}

fn check_schema(db: &Connection, path: &Path, app_version: &str) -> Result<(), StoreError> {
    let found = written(db, path)?;
    let (path, by, ours) = (path.to_owned(), found.by, app_version.to_owned());
    match found.schema.cmp(&MIGRATIONS.len()) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path, by, ours }),
        std::cmp::Ordering::Less => Err(StoreError::Older { path, by, ours }),
    }
}

pub(super) fn about(db: &Connection) -> rusqlite::Result<About> {
    db.query_row("SELECT * FROM meta", [], |row| {
        let last_backup_at: Option<Instant> = row.get("last_backup_at")?;
        Ok(About {
            database: DatabaseId(row.get("database_id")?),
            generation: Generation(row.get("generation")?),
            app_version: row.get("app_version")?,
            last_backup_at: last_backup_at.map(|at| at.0),
        })
    })
}
