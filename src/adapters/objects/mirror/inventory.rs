//! Owns what of a prefix is mirrored, and whether its keys can be files: every key is
//! looked at before anything is written.

use daylily_lifecycle::ids::{ByteCount, Fingerprint};
use daylily_lifecycle::outcome::{Fault, told};
use daylily_lifecycle::workset::Sentinel;
use jiff::Timestamp;

use crate::adapters::objects::name::Prefix;
use crate::adapters::objects::{Bucket, Listed, Listing, walk};

/// What of a workset is brought here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    All,
    /// All but what lies in `sample_data/`, which the pipeline reads where it is.
    ManifestOnly,
}

/// More are counted and not told.
const MOST_PROBLEMS: usize = 20;

/// What was listed at one time. Two that are equal are of the same objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    pub objects: u64,
    pub bytes: ByteCount,
    /// Over key, size and version of each, in any order.
    pub fingerprint: Fingerprint,
    /// The newest by the store's clock.
    pub newest: Option<Timestamp>,
    /// Keys that cannot be files here, at most 20, each a clause that names the key.
    pub problems: Vec<String>,
    pub more_problems: u64,
}

/// Lists everything under a prefix; sentinels of a workset are no part of it.
pub async fn inventory(
    bucket: &dyn Bucket,
    under: &Prefix,
    scope: Scope,
) -> Result<Inventory, Fault> {
    let mut count = Count::default();
    walk(bucket, &Listing::all(under), |page| {
        page.objects.iter().for_each(|listed| count.see(under, listed, scope));
        Ok(())
    })
    .await?;
    Ok(count.finish())
}

/// What a key is here, its path relative to the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File(String),
    /// What people's programs put for a folder: an empty object with a `/` at its end.
    Folder(String),
    NotOurs,
    Odd(String),
}

pub(super) fn place(under: &Prefix, listed: &Listed, scope: Scope) -> Place {
    let Some(path) = listed.key.below(under).filter(|path| !path.is_empty()) else {
        return Place::NotOurs;
    };
    if Sentinel::of_name(path).is_some() {
        return Place::NotOurs;
    }
    if scope == Scope::ManifestOnly && path.starts_with("sample_data/") {
        return Place::NotOurs;
    }
    let (names, is_folder) = match path.strip_suffix('/') {
        Some(names) => (names, true),
        None => (path, false),
    };
    let trouble = names.split('/').find_map(|name| match name {
        "" => Some("an empty name"),
        "." | ".." => Some("a name that leads elsewhere"),
        name if name.len() > 255 => Some("a name of more than 255 bytes"),
        name if name.chars().any(char::is_control) => Some("a character that cannot be seen"),
        _ => None,
    });
    let full = path.len() + listed.key.as_str().len();
    match (trouble, is_folder) {
        (Some(trouble), _) => {
            Place::Odd(format!("the key '{}' has {trouble}", listed.key.as_str().escape_debug()))
        }
        (None, _) if full > 4000 => Place::Odd(format!("the key '{}' is too long", listed.key)),
        (None, true) if listed.size.0 > 0 => Place::Odd(format!(
            "the key '{}' ends with / and has content",
            listed.key.as_str().escape_debug()
        )),
        (None, true) => Place::Folder(names.to_owned()),
        (None, false) => Place::File(path.to_owned()),
    }
}

/// An inventory in the making.
#[derive(Default)]
pub(super) struct Count {
    objects: u64,
    bytes: u64,
    /// The sum of what is hashed of each, so that their order is all the same.
    sum: [u64; 4],
    newest: Option<Timestamp>,
    problems: Vec<String>,
    more_problems: u64,
    /// Keys of files with which the current one begins: no file is a folder too.
    begins: Vec<String>,
}

impl Count {
    pub(super) fn see(&mut self, under: &Prefix, listed: &Listed, scope: Scope) {
        match place(under, listed, scope) {
            Place::NotOurs => return,
            Place::Odd(problem) => self.problem(problem),
            Place::Folder(_) => {}
            Place::File(path) => {
                while self.begins.last().is_some_and(|begin| !path.starts_with(begin.as_str())) {
                    self.begins.pop();
                }
                let of_this = |begin: &&String| path[begin.len()..].starts_with('/');
                if let Some(file) = self.begins.iter().find(of_this).cloned() {
                    self.problem(format!("'{file}' is a file and a folder too, as in '{path}'"));
                }
                self.begins.push(path);
            }
        }
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(listed.size.0);
        self.newest = self.newest.max(listed.modified);
        let mut hasher = blake3::Hasher::new();
        hasher.update(listed.key.as_str().as_bytes()).update(&[0]);
        hasher.update(&listed.size.0.to_le_bytes());
        match (&listed.etag, listed.modified) {
            (Some(etag), _) => hasher.update(etag.as_str().as_bytes()),
            // A store that lists no versions lists times.
            (None, Some(at)) => hasher.update(&at.as_nanosecond().to_le_bytes()),
            (None, None) => &mut hasher,
        };
        let hash = hasher.finalize();
        for (sum, lane) in self.sum.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
            let lane = lane.iter().rev().fold(0, |lane, byte| lane << 8 | u64::from(*byte));
            *sum = sum.wrapping_add(lane);
        }
    }

    fn problem(&mut self, problem: String) {
        match self.problems.len() < MOST_PROBLEMS {
            true => self.problems.push(told(problem)),
            false => self.more_problems += 1,
        }
    }

    pub(super) fn finish(self) -> Inventory {
        let lanes = self.sum.map(|lane| format!("{lane:016x}"));
        Inventory {
            objects: self.objects,
            bytes: ByteCount(self.bytes),
            fingerprint: Fingerprint::new(format!("{}-{}", self.objects, lanes.concat())),
            newest: self.newest,
            problems: self.problems,
            more_problems: self.more_problems,
        }
    }
}
