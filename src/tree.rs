//! Owns the walk through a case's folder on this machine: which entries belong to
//! the case, in an order that is always the same. Scanning and shipping both go by
//! it, so that what was judged complete is what is copied. It opens no file and
//! follows no symlink.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
    #[error("the name {shown:?} in {folder} is not valid UTF-8")]
    NotUtf8 { folder: PathBuf, shown: String },
    #[error("the pattern {pattern:?} cannot be used")]
    Pattern {
        pattern: String,
        #[source]
        source: globset::Error,
    },
}

/// Patterns over the last name of a path, such as `*.part`.
#[derive(Debug, Clone)]
pub struct Names(GlobSet);

impl Names {
    pub fn new(patterns: &[String]) -> Result<Self, TreeError> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(
                glob.map_err(|source| TreeError::Pattern { pattern: pattern.clone(), source })?,
            );
        }
        let built = set.build();
        Ok(Self(built.map_err(|source| TreeError::Pattern { pattern: String::new(), source })?))
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// Walks the tree below `root`, folders before what is in them, names in byte order.
/// An ignored folder is not entered. What vanishes during the walk is left out: the
/// fingerprint of the next walk shows it.
pub fn walk(
    root: &Path,
    ignore: &Names,
    visit: &mut dyn FnMut(Entry) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    walk_folder(root, "", ignore, visit)
}

fn walk_folder(
    root: &Path,
    below: &str,
    ignore: &Names,
    visit: &mut dyn FnMut(Entry) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    let folder = if below.is_empty() { root.to_owned() } else { root.join(below) };
    let mut names = Vec::new();
    let listing = match std::fs::read_dir(&folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !below.is_empty() => return Ok(()),
        Err(source) => return Err(TreeError::Io { path: folder, source }),
    };
    for entry in listing {
        let entry = entry.map_err(|source| TreeError::Io { path: folder.clone(), source })?;
        let name = entry.file_name().into_string().map_err(|raw| TreeError::NotUtf8 {
            folder: folder.clone(),
            shown: raw.to_string_lossy().into_owned(),
        })?;
        if !ignore.matches(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    for name in names {
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let full = root.join(&path);
        let meta = match std::fs::symlink_metadata(&full) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(TreeError::Io { path: full, source }),
        };
        let kind = match meta.file_type() {
            t if t.is_file() => Kind::File,
            t if t.is_dir() => Kind::Folder,
            t if t.is_symlink() => match std::fs::read_link(&full) {
                Ok(target) => Kind::Symlink { target },
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(TreeError::Io { path: full, source }),
            },
            _ => Kind::Special,
        };
        let folder_path = (kind == Kind::Folder).then(|| path.clone());
        visit(Entry { path, kind, meta })?;
        if let Some(path) = folder_path {
            walk_folder(root, &path, ignore, visit)?;
        }
    }
    Ok(())
}
