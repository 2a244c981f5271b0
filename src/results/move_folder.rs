//! Owns moving a finished case's folder out of its intake. What is being done stands
//! in a record in `<to_dir>/.daylily-watch-moves/<attempt>.json` before it is done,
//! and stays there, so that a call after a crash or a lost answer tells "moved
//! already" from "gone". The record is beside the folder and not in it: the folder
//! is somebody's data and arrives as it was.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use daylily_lifecycle::ids::AttemptId;
use serde::{Deserialize, Serialize};

use super::disk::{self, Renamed};
use super::{ResultsError, plain_name};
use crate::file_time::kept_as;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    from: PathBuf,
    folder: Identity,
    /// The name it gets in `to_dir`.
    target: String,
    /// The verified copy, where renaming was not possible.
    copy: Option<Identity>,
    done: bool,
}

/// Tells a folder from another one made later under the same name. An inode alone
/// does not: its number is soon given to the next folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    inode: u64,
    /// In nanoseconds since 1970; None where the file system keeps no birth times.
    born: Option<u64>,
}

impl Identity {
    fn of(meta: &Metadata) -> Self {
        let born = meta.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| u64::try_from(since.as_nanos()).ok());
        Self { inode: meta.ino(), born }
    }
}

/// Moves `from` to `<to_dir>/<name>`, or `<name>~1` where that is taken, and answers
/// with where it is. Called again for the same attempt it answers the same. Blocks.
pub fn move_folder(
    from: &Path,
    to_dir: &Path,
    name: &str,
    attempt: &AttemptId,
) -> Result<PathBuf, ResultsError> {
    Move::new(from, to_dir, name, attempt)?.run(disk::rename_new)
}

/// As [`move_folder`] to another file system, whether it is one or not.
pub fn move_folder_by_copy(
    from: &Path,
    to_dir: &Path,
    name: &str,
    attempt: &AttemptId,
) -> Result<PathBuf, ResultsError> {
    Move::new(from, to_dir, name, attempt)?.run(|_, _| Ok(Renamed::OtherFileSystem))
}

struct Move<'a> {
    from: &'a Path,
    to_dir: &'a Path,
    name: &'a str,
    record_path: PathBuf,
    /// Where a copy grows until it is whole.
    part: PathBuf,
}

impl<'a> Move<'a> {
    fn new(
        from: &'a Path,
        to_dir: &'a Path,
        name: &'a str,
        attempt: &AttemptId,
    ) -> Result<Self, ResultsError> {
        plain_name(name)?;
        let attempt = plain_name(attempt.as_str())?;
        let records = to_dir.join(".daylily-watch-moves");
        let made = std::fs::DirBuilder::new().recursive(true).create(to_dir);
        made.map_err(|error| ResultsError::io("make", to_dir, error))?;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&records);
        made.map_err(|error| ResultsError::io("make", &records, error))?;
        Ok(Self {
            from,
            to_dir,
            name,
            record_path: records.join(format!("{attempt}.json")),
            part: records.join(format!("{attempt}.part")),
        })
    }

    fn run(
        &self,
        rename: impl Fn(&Path, &Path) -> Result<Renamed, ResultsError>,
    ) -> Result<PathBuf, ResultsError> {
        if let Some(record) = self.read_record()? {
            let target = self.to_dir.join(&record.target);
            // What a person did with it afterwards is theirs to do.
            if record.done {
                return Ok(target);
            }
            if let Some(moved) = self.resume(record, &target)? {
                return Ok(moved);
            }
        }
        let folder = self.source()?.ok_or_else(|| self.gone())?;
        for target in std::iter::once(self.to_dir.join(self.name))
            .chain(disk::numbered(self.to_dir, self.name))
        {
            if disk::is_there(&target)? {
                continue;
            }
            let record = self.record(folder, &target, None);
            self.write_record(&record)?;
            match rename(self.from, &target)? {
                Renamed::Yes => return self.finish(record, target),
                Renamed::Taken => {}
                Renamed::Gone => return Err(self.gone()),
                Renamed::OtherFileSystem => return self.copy(folder),
            }
        }
        Err(self.gone())
    }

    /// Goes on with a move that was begun. None: it has not happened yet.
    fn resume(&self, record: Record, target: &Path) -> Result<Option<PathBuf>, ResultsError> {
        // A file of that name is somebody else's.
        let there = look(target)?.filter(Metadata::is_dir).map(|meta| Identity::of(&meta));
        if record.copy.is_some() && there == record.copy {
            return self.remove_source(record, target.to_owned()).map(Some);
        }
        match self.source()? {
            // Still the folder that was meant: nothing has happened.
            Some(folder) if folder == record.folder => Ok(None),
            Some(_) if there == Some(record.folder) => {
                self.finish(record, target.to_owned()).map(Some)
            }
            Some(_) => Err(ResultsError::Changed { path: self.from.to_owned() }),
            None if there == Some(record.folder) => {
                self.finish(record, target.to_owned()).map(Some)
            }
            None => Err(self.gone()),
        }
    }

    fn copy(&self, folder: Identity) -> Result<PathBuf, ResultsError> {
        match std::fs::remove_dir_all(&self.part) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ResultsError::io("remove", &self.part, error));
            }
            Ok(()) | Err(_) => {}
        }
        copy_folder(self.from, &self.part)?;
        compare(self.from, &self.part)?;
        let copied = identity(&self.part)?;
        for target in std::iter::once(self.to_dir.join(self.name))
            .chain(disk::numbered(self.to_dir, self.name))
        {
            if disk::is_there(&target)? {
                continue;
            }
            let record = self.record(folder, &target, copied);
            self.write_record(&record)?;
            match disk::rename_new(&self.part, &target)? {
                Renamed::Yes => {
                    disk::sync_folder(self.to_dir)?;
                    return self.remove_source(record, target);
                }
                Renamed::Taken => {}
                Renamed::Gone | Renamed::OtherFileSystem => {
                    return Err(ResultsError::Changed { path: self.part.clone() });
                }
            }
        }
        Err(self.gone())
    }

    fn remove_source(&self, record: Record, target: PathBuf) -> Result<PathBuf, ResultsError> {
        match self.source()? {
            Some(folder) if folder == record.folder => remove_copied(self.from, &target)?,
            // Another folder of that name has come since.
            Some(_) | None => {}
        }
        self.finish(record, target)
    }

    fn finish(&self, record: Record, target: PathBuf) -> Result<PathBuf, ResultsError> {
        disk::sync_folder(self.to_dir)?;
        if let Some(above) = self.from.parent().filter(|above| !above.as_os_str().is_empty()) {
            disk::sync_folder(above)?;
        }
        self.write_record(&Record { done: true, ..record })?;
        Ok(target)
    }

    /// The folder to be moved, if it is there.
    fn source(&self) -> Result<Option<Identity>, ResultsError> {
        identity(self.from)
    }

    fn gone(&self) -> ResultsError {
        ResultsError::Gone { path: self.from.to_owned(), to_dir: self.to_dir.to_owned() }
    }

    fn record(&self, folder: Identity, target: &Path, copy: Option<Identity>) -> Record {
        let target = target.file_name().unwrap_or(OsStr::new(self.name));
        let target = target.to_string_lossy().into_owned();
        Record { from: self.from.to_owned(), folder, target, copy, done: false }
    }

    fn read_record(&self) -> Result<Option<Record>, ResultsError> {
        let path = &self.record_path;
        match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|source| ResultsError::Record { path: path.clone(), source }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ResultsError::io("read", path, error)),
        }
    }

    fn write_record(&self, record: &Record) -> Result<(), ResultsError> {
        let path = &self.record_path;
        let text =
            serde_json::to_vec(record).map_err(|error| ResultsError::io("write", path, error))?;
        disk::write_whole(path, &text, 0o600)
    }
}

fn look(path: &Path) -> Result<Option<Metadata>, ResultsError> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ResultsError::io("look at", path, error)),
    }
}

fn identity(folder: &Path) -> Result<Option<Identity>, ResultsError> {
    match look(folder)? {
        Some(meta) if meta.is_dir() => Ok(Some(Identity::of(&meta))),
        Some(_) => Err(ResultsError::NotAFolder { path: folder.to_owned() }),
        None => Ok(None),
    }
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, ResultsError> {
    let failed = |error| ResultsError::io("read", folder, error);
    let listing = std::fs::read_dir(folder).map_err(failed)?;
    let names: Result<Vec<_>, _> =
        listing.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names.map_err(failed)?;
    names.sort_unstable();
    Ok(names)
}

/// Copies a tree with modes and times, each file read back once it is synced.
fn copy_folder(from: &Path, to: &Path) -> Result<(), ResultsError> {
    let made = std::fs::DirBuilder::new().mode(0o700).create(to);
    made.map_err(|error| ResultsError::io("make", to, error))?;
    for name in names(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        let meta = look(&from)?.ok_or_else(|| ResultsError::Changed { path: from.clone() })?;
        if meta.is_dir() {
            copy_folder(&from, &to)?;
        } else if meta.is_file() {
            copy_file(&from, &to, &meta)?;
        } else if meta.is_symlink() {
            let target = std::fs::read_link(&from);
            let target = target.map_err(|error| ResultsError::io("read", &from, error))?;
            let made = std::os::unix::fs::symlink(target, &to);
            made.map_err(|error| ResultsError::io("make", &to, error))?;
        } else {
            return Err(ResultsError::Special { path: from });
        }
    }
    let meta = std::fs::metadata(from).map_err(|error| ResultsError::io("look at", from, error))?;
    let kept = std::fs::set_permissions(to, meta.permissions());
    kept.map_err(|error| ResultsError::io("set the mode of", to, error))?;
    disk::sync_folder(to)
}

fn copy_file(from: &Path, to: &Path, meta: &Metadata) -> Result<(), ResultsError> {
    let reading = |error| ResultsError::io("read", from, error);
    let writing = |error| ResultsError::io("write", to, error);
    let mut source = File::open(from).map_err(reading)?;
    let mut options = std::fs::OpenOptions::new();
    let copy = options.read(true).write(true).create_new(true).mode(0o600).open(to);
    let mut copy = copy.map_err(writing)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(reading)?,
        };
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        copy.write_all(&buffer[..count]).map_err(writing)?;
    }
    let modified = meta.modified().map_err(reading)?;
    let permissions = std::fs::Permissions::from_mode(meta.mode() & 0o7777);
    copy.set_modified(modified).map_err(writing)?;
    copy.set_permissions(permissions).map_err(writing)?;
    copy.sync_all().map_err(writing)?;
    let mut back = blake3::Hasher::new();
    File::open(to).and_then(|file| back.update_reader(file).map(|_| ())).map_err(writing)?;
    if back.finalize() == hasher.finalize() {
        Ok(())
    } else {
        Err(ResultsError::Changed { path: from.to_owned() })
    }
}

/// That two trees have the same entries: the source did not change while it was copied.
fn compare(from: &Path, to: &Path) -> Result<(), ResultsError> {
    let listed = names(from)?;
    if listed != names(to)? {
        return Err(ResultsError::Changed { path: from.to_owned() });
    }
    for name in listed {
        let (from, to) = (from.join(&name), to.join(&name));
        if !alike(&from, &to)? {
            return Err(ResultsError::Changed { path: from });
        }
        if look(&from)?.is_some_and(|meta| meta.is_dir()) {
            compare(&from, &to)?;
        }
    }
    Ok(())
}

fn alike(from: &Path, to: &Path) -> Result<bool, ResultsError> {
    let (Some(a), Some(b)) = (look(from)?, look(to)?) else { return Ok(false) };
    let target = |path| std::fs::read_link(path).ok();
    Ok(a.file_type() == b.file_type()
        && (!a.is_file() || (a.len() == b.len() && kept_as(mtime_ns(&a), mtime_ns(&b))))
        && (!a.is_symlink() || target(from) == target(to)))
}

fn mtime_ns(meta: &Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

/// Removes from the source exactly what its copy has, so that a file that came after
/// the copy was verified is not lost; gone already is gone.
fn remove_copied(from: &Path, copy: &Path) -> Result<(), ResultsError> {
    if look(from)?.is_none() {
        return Ok(());
    }
    let late = |path: &Path| ResultsError::Late { path: path.to_owned(), to: copy.to_owned() };
    for name in names(from)? {
        let (from, copy) = (from.join(&name), copy.join(&name));
        if !alike(&from, &copy)? {
            return Err(late(&from));
        }
        if look(&from)?.is_some_and(|meta| meta.is_dir()) {
            remove_copied(&from, &copy)?;
        } else {
            let removed = std::fs::remove_file(&from);
            removed.map_err(|error| ResultsError::io("remove", &from, error))?;
        }
    }
    std::fs::remove_dir(from).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty => late(from),
        _ => ResultsError::io("remove", from, error),
    })
}
