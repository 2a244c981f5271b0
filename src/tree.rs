//! Owns the walk through a case's folder on this machine: which entries belong to
//! the case, in an order that is always the same. Scanning and shipping both go by
//! it, so that what was judged complete is what is copied. It opens no file and
//! follows no symlink.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// One entry of a tree, its path relative to the root with `/` between names.
#[derive(Debug, Clone)]
pub struct Entry {
    pub path: String,
    pub kind: Kind,
    pub meta: Metadata,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// With its target as it is written in the link.
    Symlink {
        target: PathBuf,
    },
    /// A socket, FIFO or device.
    Special,
}

impl Entry {
    /// Modification time in nanoseconds since 1970.
    pub fn mtime_ns(&self) -> i128 {
        i128::from(self.meta.mtime()) * 1_000_000_000 + i128::from(self.meta.mtime_nsec())
    }

    /// Time of the last change of the inode, in nanoseconds since 1970.
    pub fn ctime_ns(&self) -> i128 {
        i128::from(self.meta.ctime()) * 1_000_000_000 + i128::from(self.meta.ctime_nsec())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("read {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// `folder` is relative to the root, empty for the root itself; `shown` has every
    /// byte that is not UTF-8 as `\xNN`.
    #[error("the name '{shown}' in '{}' is not valid UTF-8", folder.display())]
    NotUtf8 { folder: PathBuf, shown: String },
    /// The kernel takes no path as long as this one from its root.
    #[error("the path {path} is too long")]
    TooLong { path: String },
    /// The visitor was asked to stop.
    #[error("stopped")]
    Stopped,
    #[error("the pattern {pattern:?} cannot be used")]
    Pattern {
        pattern: String,
        #[source]
        source: globset::Error,
    },
}

/// Patterns over the last name of a path, such as `*.part`.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<GlobSet>);

/// Compiling costs more than the scan of a small case, and the few lists of a
/// configuration are asked for at every scan and ship.
static COMPILED: Mutex<Vec<(Vec<String>, Names)>> = Mutex::new(Vec::new());

/// More lists than a configuration has, each rule being one.
const KEPT: usize = 256;

impl Names {
    pub fn new(patterns: &[String]) -> Result<Self, TreeError> {
        let kept = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = kept().iter().find(|(known, _)| known == patterns) {
            return Ok(names.clone());
        }
        let names = Self::compile(patterns)?;
        let mut kept = kept();
        if kept.len() < KEPT {
            kept.push((patterns.to_vec(), names.clone()));
        }
        Ok(names)
    }

    fn compile(patterns: &[String]) -> Result<Self, TreeError> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(
                glob.map_err(|source| TreeError::Pattern { pattern: pattern.clone(), source })?,
            );
        }
        let built = set.build();
        let built =
            built.map_err(|source| TreeError::Pattern { pattern: String::new(), source })?;
        Ok(Self(Arc::new(built)))
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// The same for a name that need not be UTF-8.
    pub fn matches_raw(&self, name: &OsStr) -> bool {
        self.0.is_match(name)
    }
}

/// What a walk tells of.
pub trait Visitor {
    fn entry(&mut self, entry: Entry) -> Result<(), TreeError>;

    /// Something below the root that the walk cannot name or read. Ok goes on with
    /// the rest of the tree.
    fn obstacle(&mut self, obstacle: TreeError) -> Result<(), TreeError>;
}

/// Walks the tree below `root`, folders before what is in them, names in byte order.
/// An ignored folder is not entered. What vanishes during the walk is left out: the
/// fingerprint of the next walk shows it. The first obstacle ends the walk.
pub fn walk(
    root: &Path,
    ignore: &Names,
    visit: &mut dyn FnMut(Entry) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    struct Strict<'a>(&'a mut dyn FnMut(Entry) -> Result<(), TreeError>);

    impl Visitor for Strict<'_> {
        fn entry(&mut self, entry: Entry) -> Result<(), TreeError> {
            (self.0)(entry)
        }

        fn obstacle(&mut self, obstacle: TreeError) -> Result<(), TreeError> {
            Err(obstacle)
        }
    }

    walk_past_obstacles(root, ignore, &mut Strict(visit))
}

/// The same walk for one who wants to know of every obstacle. An error in reading
/// the root itself ends it all the same.
pub fn walk_past_obstacles(
    root: &Path,
    ignore: &Names,
    visitor: &mut dyn Visitor,
) -> Result<(), TreeError> {
    // A stack of our own: how deep a folder is nested is up to whoever sends it.
    let names = sorted_names(root, ignore)
        .map_err(|source| TreeError::Io { path: root.to_owned(), source })?;
    let mut open = vec![OpenFolder { below: String::new(), names: names.into_iter() }];
    while let Some(folder) = open.last_mut() {
        let Some(name) = folder.names.next() else {
            open.pop();
            continue;
        };
        let Some(name) = name.to_str() else {
            let (folder, shown) = (PathBuf::from(&folder.below), shown(&name));
            visitor.obstacle(TreeError::NotUtf8 { folder, shown })?;
            continue;
        };
        let path = match folder.below.as_str() {
            "" => name.to_owned(),
            below => format!("{below}/{name}"),
        };
        let full = root.join(&path);
        let Some((kind, meta)) = past(visitor, &path, &full, look(&full))? else { continue };
        let entered = (kind == Kind::Folder).then(|| path.clone());
        visitor.entry(Entry { path, kind, meta })?;
        let Some(below) = entered else { continue };
        if let Some(names) = past(visitor, &below, &full, sorted_names(&full, ignore))? {
            open.push(OpenFolder { below, names: names.into_iter() });
        }
    }
    Ok(())
}

struct OpenFolder {
    below: String,
    names: std::vec::IntoIter<OsString>,
}

fn sorted_names(folder: &Path, ignore: &Names) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !ignore.matches_raw(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn look(full: &Path) -> io::Result<(Kind, Metadata)> {
    let meta = std::fs::symlink_metadata(full)?;
    let kind = match meta.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Folder,
        t if t.is_symlink() => Kind::Symlink { target: std::fs::read_link(full)? },
        _ => Kind::Special,
    };
    Ok((kind, meta))
}

/// None: it vanished, or the visitor goes on without it.
fn past<T>(
    visitor: &mut dyn Visitor,
    path: &str,
    full: &Path,
    read: io::Result<T>,
) -> Result<Option<T>, TreeError> {
    let obstacle = match read {
        Ok(read) => return Ok(Some(read)),
        Err(error) if vanished(&error) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
            TreeError::TooLong { path: shortened(path) }
        }
        Err(source) => TreeError::Io { path: full.to_owned(), source },
    };
    visitor.obstacle(obstacle)?;
    Ok(None)
}

/// Gone, or something else by now: a folder that became a file, a symlink that became
/// a folder, a file that the server no longer knows.
pub(crate) fn vanished(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENOTDIR | libc::EINVAL | libc::ELOOP | libc::ESTALE)
    )
}

/// Both ends of a text that nobody wants to read whole.
pub(crate) fn shortened(path: &str) -> String {
    const END: usize = 60;
    let count = path.chars().count();
    if count <= 2 * END {
        return path.to_owned();
    }
    let start: String = path.chars().take(END).collect();
    let end: String = path.chars().skip(count - END).collect();
    format!("{start}...{end}")
}

/// A name for people: bytes that are not UTF-8 and control characters as `\xNN`.
pub fn shown(name: &OsStr) -> String {
    let mut shown = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                let mut bytes = [0; 4];
                escape(&mut shown, c.encode_utf8(&mut bytes).as_bytes());
            } else {
                shown.push(c);
            }
        }
        escape(&mut shown, chunk.invalid());
    }
    shown
}

fn escape(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests;
