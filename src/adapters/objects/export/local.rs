//! Owns which files of a folder are exported.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::workset::Sentinel;

use crate::adapters::host::copy::fault::{Side, classify};
use crate::tree::{Kind, Names, TreeError, walk};

/// A file as it was when the folder was walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Local {
    /// Relative to the folder, with `/` between names.
    pub(super) path: String,
    pub(super) size: u64,
    /// Modification time in nanoseconds since 1970.
    pub(super) mtime: i128,
}

impl Local {
    pub(super) fn is_as(&self, meta: &fs::Metadata) -> bool {
        meta.len() == self.size && mtime(meta) == self.mtime
    }
}

fn mtime(meta: &fs::Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

/// The files, by the bytes of their paths, and what was left out with the reasons.
pub(super) fn local_files(root: &Path) -> Result<(Vec<Local>, Vec<String>), Fault> {
    let top = root.canonicalize().map_err(|error| {
        let class = classify(&error, Side::Source);
        Fault::new(class, format!("read {}: {error}", root.display()))
    })?;
    let (mut files, mut left_out) = (Vec::new(), Vec::new());
    let none = Names::new(&[]).map_err(of_tree)?;
    walk(&top, &none, &mut |entry| {
        let path = entry.path;
        if Sentinel::of_name(&path).is_some() {
            left_out.push(format!("{path}: it is named like a sentinel"));
            return Ok(());
        }
        match entry.kind {
            Kind::Folder => {}
            Kind::File => {
                files.push(Local { size: entry.meta.len(), mtime: mtime(&entry.meta), path });
            }
            // A bucket has no links: what one leads to goes in its place.
            Kind::Symlink { .. } => match fs::canonicalize(top.join(&path)) {
                Ok(target) if target.starts_with(&top) && target.is_file() => {
                    let meta = fs::metadata(&target);
                    let meta = meta.map_err(|source| TreeError::Io { path: target, source })?;
                    files.push(Local { size: meta.len(), mtime: mtime(&meta), path });
                }
                Ok(_) | Err(_) => {
                    left_out.push(format!("{path}: the link leads to no file of this folder"));
                }
            },
            Kind::Special => left_out.push(format!("{path}: it is no file")),
        }
        Ok(())
    })
    .map_err(of_tree)?;
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok((files, left_out))
}

fn of_tree(error: TreeError) -> Fault {
    match error {
        TreeError::Io { path, source } => {
            let class = classify(&source, Side::Source);
            Fault::new(class, format!("read {}: {source}", path.display()))
        }
        error => Fault::new(FaultClass::FatalCase, error.to_string()),
    }
}
