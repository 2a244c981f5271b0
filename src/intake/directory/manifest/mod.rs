//! Owns the manifest of a case, a list of checksums directly in its folder: which file
//! it is, what it names, and what of that is there. Whether it agrees with the contents
//! is for `compare`. It changes nothing.

mod parse;
pub mod compare;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use daylily_lifecycle::settle;

use super::small_file::{self, SmallFile};
use crate::tree::Names;
use parse::parse;

/// Looked for in this order: the stronger checksum first.
pub const USUAL: [&str; 4] = ["SHA256SUMS", "sha256sum.txt", "MD5SUMS", "md5sum.txt"];

/// A manifest of some hundred thousand files.
const MOST_BYTES: u64 = 32 << 20;

/// The most problems that are listed; the rest is counted.
const LISTED: usize = 50;

#[derive(Debug, Clone)]
pub struct ManifestSettings {
    pub wanted: Wanted,
    /// What is no part of the case is not asked for, whatever a manifest names.
    pub ignore: Names,
    pub marker: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    None,
    /// The first with a usual name that is there.
    Usual,
    Named(String),
}

/// What was read.
#[derive(Debug)]
pub enum Found {
    None,
    Missing { name: String },
    Odd { name: String, problems: Vec<String> },
    There(Listed),
}

impl Found {
    /// For a walk through the folder to tell what is there.
    pub fn presence(&self) -> Option<Presence<'_>> {
        match self {
            Self::There(listed) => Some(Presence::of(listed)),
            Self::None | Self::Missing { .. } | Self::Odd { .. } => None,
        }
    }

    /// What `settle` is told, where nothing is named.
    pub fn without_files(&self) -> settle::Manifest {
        match self {
            Self::Missing { name } => settle::Manifest::Missing { name: name.clone() },
            Self::Odd { name, .. } => settle::Manifest::Odd { name: name.clone() },
            Self::None | Self::There(_) => settle::Manifest::None,
        }
    }

    pub fn problems(&self) -> &[String] {
        match self {
            Self::Odd { problems, .. } => problems,
            Self::None | Self::Missing { .. } | Self::There(_) => &[],
        }
    }
}

/// A manifest: the files that it names, in its order.
#[derive(Debug)]
pub struct Listed {
    pub name: String,
    named: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// Relative to the folder of the case.
    path: String,
    checksum: Checksum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checksum {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

pub fn read(folder: &Path, settings: &ManifestSettings) -> io::Result<Found> {
    let candidates: Vec<&str> = match &settings.wanted {
        Wanted::None => Vec::new(),
        Wanted::Usual => USUAL.to_vec(),
        Wanted::Named(name) => vec![name],
    };
    // What is not part of the content cannot vouch for it: nobody would see it change.
    let is_data =
        |name: &&str| settings.marker.as_deref() != Some(*name) && !settings.ignore.matches(name);
    for name in candidates.into_iter().filter(is_data) {
        let name = name.to_owned();
        let read = small_file::read(folder, &name, MOST_BYTES);
        let read = read.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")));
        match read? {
            SmallFile::Missing => {}
            SmallFile::Odd(why) => return Ok(Found::Odd { name, problems: vec![why] }),
            SmallFile::Text(text) => return Ok(understood(name, &text, settings)),
        }
    }
    Ok(match &settings.wanted {
        Wanted::Named(name) => Found::Missing { name: name.clone() },
        Wanted::Usual | Wanted::None => Found::None,
    })
}

fn understood(name: String, text: &str, settings: &ManifestSettings) -> Found {
    match parse(&name, text) {
        Ok(mut named) => {
            // `sha256sum * >SHA256SUMS` names the half-written list itself.
            named.retain(|file| file.path != name && is_part_of_case(&file.path, settings));
            Found::There(Listed { name, named })
        }
        Err(problems) => Found::Odd { name, problems },
    }
}

fn is_part_of_case(path: &str, settings: &ManifestSettings) -> bool {
    settings.marker.as_deref() != Some(path)
        && !path.split('/').any(|part| settings.ignore.matches(part))
}

/// What is wrong with a manifest or with what it names. How much that is, is up to whoever
/// sends it: only so much is kept.
#[derive(Debug, Default)]
struct Problems {
    listed: Vec<String>,
    more: usize,
}

impl Problems {
    fn add(&mut self, tell: impl FnOnce() -> String) {
        if self.listed.len() < LISTED {
            self.listed.push(tell());
        } else {
            self.more += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    fn many(&self) -> usize {
        self.listed.len() + self.more
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.listed.push(format!("there are {} problems more", self.more));
        }
        self.listed
    }
}

/// What of a manifest is there, told by a walk through the folder.
#[derive(Debug)]
pub struct Presence<'a> {
    listed: &'a Listed,
    /// How many different files it names.
    files: u64,
    missing: HashSet<&'a str>,
}

impl<'a> Presence<'a> {
    pub fn of(listed: &'a Listed) -> Self {
        let missing: HashSet<&str> = listed.named.iter().map(|file| file.path.as_str()).collect();
        Self { listed, files: missing.len() as u64, missing }
    }

    /// A regular file is there.
    pub fn saw(&mut self, path: &str) {
        self.missing.remove(path);
    }

    /// For when the walk is over.
    pub fn finish(mut self, folder: &Path) -> settle::Manifest {
        // A walk does not follow symlinks; a name may go through one of the case's own.
        self.missing.retain(|path| {
            // Most of what is missing is not there by any way.
            folder.join(path).symlink_metadata().is_err() || inside(folder, path).is_err()
        });
        let mut missing = self.listed.named.iter().map(|file| file.path.as_str());
        let first = missing.find(|path| self.missing.contains(path));
        settle::Manifest::There {
            name: self.listed.name.clone(),
            files: self.files,
            missing: self.missing.len() as u64,
            first: first.map(|path| crate::tree::shown(path.as_ref())),
        }
    }
}

/// Where a named file really is. One that is not there, is none, or lies outside of the
/// case is an error.
fn inside(folder: &Path, path: &str) -> io::Result<PathBuf> {
    let real = std::fs::canonicalize(folder.join(path))?;
    if !real.starts_with(std::fs::canonicalize(folder)?) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it leads out of the case"));
    }
    if !real.symlink_metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it is no file"));
    }
    Ok(real)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
