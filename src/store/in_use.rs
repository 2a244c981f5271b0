//! Owns the one rule of opening the database: while this process has a connection to
//! it, nothing but SQLite opens that file. SQLite keeps other processes off with fcntl
//! locks, and POSIX drops all locks of a process on a file as soon as it closes any
//! descriptor of it. A look into the file would thus leave the daemon without a lock:
//! the next program that closes the database takes itself for the last, removes the
//! log, and what the daemon commits from then on is in a file that nobody can find.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::error::{StoreError, failed, opening};

/// How many connections of this process a file has or is about to have, by device and
/// inode. Of the whole process, because that is what the locks are of. It stays locked
/// during a look into a file, so that none is connected to between open and close.
static IN_USE: Mutex<BTreeMap<FileId, usize>> = Mutex::new(BTreeMap::new());

type FileId = (u64, u64);

/// Says that this process has a connection to a file, or is about to.
#[derive(Debug)]
pub(super) struct InUse(FileId);

impl InUse {
    /// `None`: it is no database. SQLite must not even open such a file: it would take
    /// it for new and delete the log beside it, from which a person might still save
    /// something. A file in use is known to be one as long as it is not empty.
    pub(super) fn mark(path: &Path) -> Result<Option<Self>, StoreError> {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match std::fs::metadata(path) {
            Ok(file) => file,
            Err(error) => return unreadable(path, error).map(|()| None),
        };
        let id = (file.dev(), file.ino());
        let is_database = match in_use.contains_key(&id) {
            true => file.len() > 0,
            false => has_header(path)?,
        };
        if !is_database {
            return Ok(None);
        }
        *in_use.entry(id).or_default() += 1;
        Ok(Some(Self(id)))
    }

    pub(super) fn connect(
        self,
        path: &Path,
        flags: OpenFlags,
        doing: &'static str,
    ) -> Result<Connected, StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)
            .map_err(|source| opening(path, doing, source))?;
        Ok(Connected { db, in_use: self })
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_use.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                in_use.remove(&self.0);
            }
        }
    }
}

/// Whether the file begins as a database does. Closes a descriptor of it.
fn has_header(path: &Path) -> Result<bool, StoreError> {
    let mut header = [0; 16];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => Ok(header == *b"SQLite format 3\0"),
        Err(error) => unreadable(path, error).map(|()| false),
    }
}

/// That it is not there, or too short, is an answer.
fn unreadable(path: &Path, error: io::Error) -> Result<(), StoreError> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => Ok(()),
        io::ErrorKind::PermissionDenied => Err(StoreError::Forbidden { path: path.to_owned() }),
        _ => Err(StoreError::File { doing: "read", path: path.to_owned(), source: error }),
    }
}

/// A connection to a file that is in use as long as it lives.
#[derive(Debug)]
pub(super) struct Connected {
    // Goes first: until it has, the file must not be looked into.
    db: Connection,
    in_use: InUse,
}

impl Connected {
    pub(super) fn close(self) -> Result<(), StoreError> {
        let Self { db, in_use } = self;
        let closed = db.close().map_err(|(db, source)| {
            drop(db);
            failed("close the database")(source)
        });
        drop(in_use);
        closed
    }
}

impl Deref for Connected {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.db
    }
}

impl DerefMut for Connected {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.db
    }
}
