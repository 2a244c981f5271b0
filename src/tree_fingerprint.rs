//! Owns the fingerprint of a tree: one hash over what a walk saw without opening a
//! file. Scanning and shipping compare theirs, so both must go by this one.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use daylily_lifecycle::ids::Fingerprint;

use crate::tree::{Entry, Kind, Names, TreeError, walk};

/// Taken up entry by entry, in the order of [`walk`].
#[derive(Debug, Clone)]
pub struct TreeFingerprint {
    hasher: blake3::Hasher,
    marker: Option<String>,
}

impl TreeFingerprint {
    /// `marker` is the path, relative to the root, of the file that is not content:
    /// it may come and go without the tree being another.
    pub fn new(marker: Option<&str>) -> Self {
        Self { hasher: blake3::Hasher::new(), marker: marker.map(str::to_owned) }
    }

    /// Folders count without their times, because reading or copying a tree may
    /// move those; a file made or removed in them is an entry more or less.
    pub fn add(&mut self, entry: &Entry) {
        if self.marker.as_deref() == Some(entry.path.as_str()) {
            return;
        }
        // No path and no target holds a NUL, so two different trees never give the same bytes.
        self.hasher.update(entry.path.as_bytes());
        self.hasher.update(b"\0");
        match &entry.kind {
            Kind::File => {
                self.hasher.update(b"f");
                self.hasher.update(&entry.meta.len().to_le_bytes());
                self.hasher.update(&entry.mtime_ns().to_le_bytes());
            }
            Kind::Folder => {
                self.hasher.update(b"d");
            }
            Kind::Symlink { target } => {
                self.hasher.update(b"l");
                self.hasher.update(target.as_os_str().as_bytes());
                self.hasher.update(b"\0");
            }
            Kind::Special => {
                self.hasher.update(b"s");
            }
        }
    }

    /// Something that has no entry, such as a name that is not UTF-8, by what is said
    /// of it: its removal is a change too.
    pub fn obstacle(&mut self, said: &str) {
        self.hasher.update(b"\0o");
        self.hasher.update(said.as_bytes());
        self.hasher.update(b"\0");
    }

    pub fn finish(&self) -> Fingerprint {
        Fingerprint::new(self.hasher.finalize().to_hex().as_str())
    }
}

/// The fingerprint of a whole tree as it is now.
pub fn fingerprint(
    root: &Path,
    ignore: &Names,
    marker: Option<&str>,
) -> Result<Fingerprint, TreeError> {
    let mut fingerprint = TreeFingerprint::new(marker);
    walk(root, ignore, &mut |entry| {
        fingerprint.add(&entry);
        Ok(())
    })?;
    Ok(fingerprint.finish())
}
