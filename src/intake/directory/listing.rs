//! Owns one look at an intake's root: which folders are cases, and what lies there
//! that cannot be one. It looks into none of them.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::{CaseName, FolderIdentity};
use jiff::Timestamp;

use super::mount::identity;
use crate::tree::{Names, shown, vanished};

#[derive(Debug, Clone)]
pub struct ListSettings {
    pub ignore: Names,
    pub unfinished: Names,
    /// Files that belong at the root: the `mount_check` file, and a marker that a
    /// sender put beside the folder.
    pub expected: Vec<String>,
}

/// What lies at an intake's root, names in byte order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub found: Vec<Found>,
    /// How many more lie there that cannot be cases. No folder is ever left out: what
    /// is not listed counts as gone.
    pub more_problems: u64,
}

/// One name at an intake's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: CaseName,
    pub path: PathBuf,
    /// None for what is no folder.
    pub folder: Option<FolderIdentity>,
    /// The folder's own last change; what is in it may be newer.
    pub changed: Timestamp,
    /// Why it cannot be a case, one clause.
    pub problem: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("list {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The most entries with a problem that are listed.
const LISTED_PROBLEMS: usize = 1_000;

/// Lists an intake's root. Whether what is missing has vanished is for the caller to
/// say, who knows of the mount.
pub fn list(root: &Path, settings: &ListSettings) -> Result<Listing, ListError> {
    let failed = |source| ListError::Read { path: root.to_owned(), source };
    let mut listing = Listing::default();
    let mut problems = 0_usize;
    for entry in std::fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (raw, path) = (entry.file_name(), entry.path());
        if settings.ignore.matches_raw(&raw) || settings.unfinished.matches_raw(&raw) {
            continue;
        }
        let meta = match std::fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if vanished(&error) => continue,
            Err(source) => return Err(ListError::Read { path, source }),
        };
        if not_yet(&raw, &meta, settings) {
            continue;
        }
        let problem = problem(&raw, &meta);
        if problem.is_some() {
            problems += 1;
            if problems > LISTED_PROBLEMS {
                listing.more_problems += 1;
                continue;
            }
        }
        listing.found.push(Found {
            name: CaseName::new(shown(&raw)),
            path,
            folder: meta.is_dir().then(|| identity(&meta)),
            changed: changed(&meta),
            problem,
        });
    }
    // A broken name may be shown as a good one reads; the good one is the case.
    listing.found.sort_by(|a, b| {
        (a.name.as_str(), a.problem.is_some()).cmp(&(b.name.as_str(), b.problem.is_some()))
    });
    listing.found.dedup_by(|later, kept| later.name == kept.name);
    Ok(listing)
}

/// What is not a case and no mistake either.
fn not_yet(raw: &OsStr, meta: &Metadata, settings: &ListSettings) -> bool {
    let Some(name) = raw.to_str() else { return false };
    name.starts_with('.')
        || (meta.is_dir() && is_fresh_name(name))
        || (!meta.is_dir() && settings.expected.iter().any(|expected| expected == name))
}

/// What file managers call a folder before a person gives it its name.
fn is_fresh_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let rest = ["new folder", "untitled folder"].iter().find_map(|fresh| name.strip_prefix(fresh));
    let Some(rest) = rest else { return false };
    let counter = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    let counter = counter.or_else(|| rest.strip_prefix(' '));
    rest.is_empty()
        || counter.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn problem(raw: &OsStr, meta: &Metadata) -> Option<String> {
    let name = shown(raw);
    let kind = meta.file_type();
    if raw.to_str().is_none() {
        return Some(format!("the name {name} is not valid UTF-8"));
    }
    if raw.to_string_lossy().chars().any(char::is_control) {
        return Some(format!("the name {name} has a control character in it"));
    }
    if kind.is_dir() {
        return None;
    }
    Some(if kind.is_file() {
        format!("{name} is a file; a case is a folder: put it into a folder of its own")
    } else if kind.is_symlink() {
        // Followed, two names could be one folder, and it could lie on any mount.
        format!("{name} is a symlink; a case is a folder: put the folder itself there")
    } else {
        format!("{name} is neither a file nor a folder")
    })
}

fn changed(meta: &Metadata) -> Timestamp {
    let newest = meta.mtime().max(meta.ctime());
    Timestamp::from_second(newest).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
