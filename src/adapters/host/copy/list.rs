//! Owns the list of what was shipped to a case's directory: JSON lines in the order
//! of a walk, so that two lists are compared by reading both once. Before a copy
//! begins the list names what earlier ships brought and what this one may bring;
//! afterwards, only what this one brought.

use std::cmp::Ordering;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use daylily_lifecycle::outcome::Fault;
use serde::{Deserialize, Serialize};

use super::fault::{Side, fatal, fault};
use crate::file_time::kept_as;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::adapters::host) struct Line {
    pub(in crate::adapters::host) path: String,
    #[serde(flatten)]
    pub(in crate::adapters::host) kind: Kind,
    /// False while it is only meant to be shipped: then what lies there is ours only
    /// if it is what was meant.
    pub(in crate::adapters::host) shipped: bool,
    /// Of the content that was copied, for the second look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::adapters::host) blake3: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(in crate::adapters::host) enum Kind {
    File { size: u64, modified: Stamp },
    Folder,
    Symlink { target: String },
}

impl Kind {
    pub(in crate::adapters::host) fn same_sort(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::File { .. }, Self::File { .. })
                | (Self::Folder, Self::Folder)
                | (Self::Symlink { .. }, Self::Symlink { .. })
        )
    }

    /// Whether `copy` looks like a copy of `self`: by size and time, or target.
    pub(in crate::adapters::host) fn matches(&self, copy: &Self) -> bool {
        match (self, copy) {
            (Self::File { size, modified }, Self::File { size: other, modified: time }) => {
                size == other
                    && kept_as(modified.nanoseconds_since_1970(), time.nanoseconds_since_1970())
            }
            (Self::Folder, Self::Folder) => true,
            (Self::Symlink { target }, Self::Symlink { target: other }) => target == other,
            (Self::File { .. } | Self::Folder | Self::Symlink { .. }, _) => false,
        }
    }
}

/// A modification time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::adapters::host) struct Stamp {
    pub(in crate::adapters::host) seconds: i64,
    pub(in crate::adapters::host) nanoseconds: i64,
}

impl Stamp {
    pub(in crate::adapters::host) fn of(meta: &Metadata) -> Self {
        Self { seconds: meta.mtime(), nanoseconds: meta.mtime_nsec() }
    }

    fn nanoseconds_since_1970(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds)
    }
}

/// Whether `kind`, found in the destination, was brought there by an earlier ship,
/// by what the list says of its path.
pub(in crate::adapters::host) fn is_ours<'l>(
    lines: impl IntoIterator<Item = &'l Line>,
    kind: &Kind,
) -> bool {
    lines
        .into_iter()
        .any(|line| line.kind.same_sort(kind) && (line.shipped || line.kind.matches(kind)))
}

/// The order of a walk: a folder, then what is in it, names by their bytes.
pub(in crate::adapters::host) fn walk_order(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

/// Reads a list from front to back. A list that is not there is empty.
pub(in crate::adapters::host) struct Reader {
    lines: Option<BufReader<File>>,
    path: PathBuf,
    next: Option<Line>,
}

impl Reader {
    pub(in crate::adapters::host) fn open(path: &Path) -> Result<Self, Fault> {
        let lines = match File::open(path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(fault(Side::Dest, "read", path, error)),
        };
        let mut reader = Self { lines, path: path.to_owned(), next: None };
        reader.advance()?;
        Ok(reader)
    }

    pub(in crate::adapters::host) fn peek(&self) -> Option<&Line> {
        self.next.as_ref()
    }

    pub(in crate::adapters::host) fn take(&mut self) -> Result<Option<Line>, Fault> {
        let line = self.next.take();
        if line.is_some() {
            self.advance()?;
        }
        Ok(line)
    }

    /// All lines of `path`; asked in the order of a walk. Lines before it are passed over.
    pub(in crate::adapters::host) fn lines_of(&mut self, path: &str) -> Result<Vec<Line>, Fault> {
        let mut found = Vec::new();
        while let Some(line) = self.peek() {
            match walk_order(&line.path, path) {
                Ordering::Less => {
                    self.take()?;
                }
                Ordering::Equal => found.extend(self.take()?),
                Ordering::Greater => break,
            }
        }
        Ok(found)
    }

    fn advance(&mut self) -> Result<(), Fault> {
        let Some(lines) = &mut self.lines else { return Ok(()) };
        let mut text = String::new();
        let read = lines.read_line(&mut text);
        let read = read.map_err(|error| fault(Side::Dest, "read", &self.path, error))?;
        if read > 0 {
            let line = serde_json::from_str(&text).map_err(|error| {
                fatal(format_args!("the list {} is damaged: {error}", self.path.display()))
            })?;
            self.next = Some(line);
        }
        Ok(())
    }
}

/// Writes a list that becomes visible when it is whole.
pub(in crate::adapters::host) struct Writer {
    file: BufWriter<File>,
    temporary: PathBuf,
}

impl Writer {
    pub(in crate::adapters::host) fn create(temporary: PathBuf) -> Result<Self, Fault> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| fault(Side::Dest, "write", &temporary, error))?;
        Ok(Self { file: BufWriter::new(file), temporary })
    }

    pub(in crate::adapters::host) fn add(&mut self, line: &Line) -> Result<(), Fault> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        written
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(|error| fault(Side::Dest, "write", &self.temporary, error))
    }

    /// Makes it readable under its temporary name.
    pub(in crate::adapters::host) fn sync(mut self) -> Result<PathBuf, Fault> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|error| fault(Side::Dest, "write", &self.temporary, error))?;
        Ok(self.temporary)
    }
}

/// Gives a synced list its name.
pub(in crate::adapters::host) fn publish(from: &Path, to: &Path) -> Result<(), Fault> {
    std::fs::rename(from, to).map_err(|error| fault(Side::Dest, "write", to, error))?;
    let folder = to.parent().unwrap_or(Path::new("/"));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| fault(Side::Dest, "sync", folder, error))
}

/// Writes what is in either list; both are read from their start.
pub(in crate::adapters::host) fn unite(
    old: &Path,
    new: &Path,
    into: &mut Writer,
) -> Result<(), Fault> {
    let (mut old, mut new) = (Reader::open(old)?, Reader::open(new)?);
    while let Some(line) = new.take()? {
        while old.peek().is_some_and(|past| walk_order(&past.path, &line.path).is_lt()) {
            if let Some(past) = old.take()? {
                into.add(&past)?;
            }
        }
        let mut known = false;
        for past in old.lines_of(&line.path)? {
            // A list that already says as much does not grow with every try.
            known |= past.kind == line.kind;
            into.add(&past)?;
        }
        if !known {
            into.add(&line)?;
        }
    }
    while let Some(past) = old.take()? {
        into.add(&past)?;
    }
    Ok(())
}
