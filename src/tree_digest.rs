//! Owns the digest of a tree: one hash over the paths and contents of everything in
//! it. Intake computes it by reading a folder, shipping while it copies; both feed
//! this, so that equal content gives an equal digest however it was read. It reads
//! nothing itself. Ignored names and the marker are left out by the caller.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use daylily_lifecycle::ids::Digest;

/// Changing anything about the encoding below needs a new context: digests are
/// stored, and an old one must never equal a new one by accident.
const CONTEXT: &str = "daylily-watch tree digest v1";

/// Gathers the entries of one tree, in any order; the order of arrival does not
/// change the digest. An entry told twice counts as told last, so that a copy that
/// goes on where it stopped may tell a file again.
#[derive(Debug, Default)]
pub struct TreeDigest {
    entries: BTreeMap<Box<str>, Content>,
}

#[derive(Debug)]
enum Content {
    File { size: u64, hash: [u8; 32] },
    Folder,
    Symlink { target: Box<[u8]> },
}

impl TreeDigest {
    pub fn new() -> Self {
        Self::default()
    }

    /// A regular file: `path` relative to the tree's root with `/` between names,
    /// `size` in bytes, `hash` of its whole content.
    pub fn file(&mut self, path: &str, size: u64, hash: blake3::Hash) {
        self.entries.insert(path.into(), Content::File { size, hash: *hash.as_bytes() });
    }

    /// A folder other than the root, also an empty one.
    pub fn folder(&mut self, path: &str) {
        self.entries.insert(path.into(), Content::Folder);
    }

    /// A symlink with its target as it is written in the link.
    pub fn symlink(&mut self, path: &str, target: &Path) {
        let target = target.as_os_str().as_bytes().into();
        self.entries.insert(path.into(), Content::Symlink { target });
    }

    /// The digest of what was told, paths in byte order.
    pub fn finish(self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        for (path, content) in &self.entries {
            // Every part of changing length is preceded by its length, so that no two
            // trees encode to the same bytes.
            put(&mut hasher, path.as_bytes());
            match content {
                Content::File { size, hash } => {
                    hasher.update(b"f").update(&size.to_le_bytes()).update(hash);
                }
                Content::Folder => {
                    hasher.update(b"d");
                }
                Content::Symlink { target } => {
                    hasher.update(b"l");
                    put(&mut hasher, target);
                }
            }
        }
        Digest::new(hasher.finalize().to_hex().as_str())
    }
}

fn put(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
}

#[cfg(test)]
mod tests;
