//! Owns the scan of one case's folder: what is in it, what makes it invalid, and the
//! fingerprint by which a change is noticed. It holds no list of the files, and it
//! changes nothing.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use daylily_lifecycle::case::LastChange;
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::settle::{Manifest, Tree, Writers};
use jiff::Timestamp;
use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, faccessat};

use super::writers::Search;
use crate::tree::{Entry, Kind, Names, TreeError, Visitor, shown, walk_past_obstacles};
use crate::tree_fingerprint::TreeFingerprint;

#[derive(Debug, Clone)]
pub struct ScanSettings {
    pub ignore: Names,
    pub unfinished: Names,
    /// Relative to the case's folder.
    pub marker: Option<String>,
    /// Whether to look for writers. It opens every file, so a scan that cannot be the
    /// deciding one may leave it out.
    pub no_writers: bool,
    /// Change times tell nothing: `watch: poll`, or a file system that keeps none.
    pub by_fingerprint_only: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Whether the case is gone is for the caller to say, who knows of the mount.
    #[error("the folder {} is not there any more", folder.display())]
    Vanished { folder: PathBuf },
    #[error("scan {}", folder.display())]
    Walk {
        folder: PathBuf,
        #[source]
        source: TreeError,
    },
}

/// The most problems that are listed; the rest is counted.
const LISTED_PROBLEMS: usize = 50;

/// Scans a folder. `now` is taken just before: a ctime later than it lies in the future.
pub fn scan(folder: &Path, settings: &ScanSettings, now: Timestamp) -> Result<Tree, ScanError> {
    scan_telling(folder, settings, now, &mut |_| {})
}

/// The same, telling of every regular file by its path. No manifest is looked for.
pub fn scan_telling(
    folder: &Path,
    settings: &ScanSettings,
    now: Timestamp,
    tell: &mut dyn FnMut(&str),
) -> Result<Tree, ScanError> {
    let vanished = || ScanError::Vanished { folder: folder.to_owned() };
    let failed = |source| ScanError::Walk { folder: folder.to_owned(), source };
    let io_failed = |source| failed(TreeError::Io { path: folder.to_owned(), source });

    let before = match std::fs::symlink_metadata(folder) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(vanished()),
        Err(source) => return Err(io_failed(source)),
    };
    let mut scanner = Scanner::new(folder, settings, now, tell);
    scanner.changed("", &before);
    if !before.is_dir() {
        scanner.problems.add("a case is a folder, and this is none".to_owned());
        return Ok(scanner.finish());
    }
    match walk_past_obstacles(folder, &settings.ignore, &mut scanner) {
        Ok(()) => {}
        Err(TreeError::Io { path, source }) if path == folder => match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Err(vanished()),
            io::ErrorKind::PermissionDenied => scanner.problems.add(unreadable("the folder")),
            _ => return Err(io_failed(source)),
        },
        Err(source) => return Err(failed(source)),
    }
    // What vanished below the folder was left out. When the folder itself went, that
    // was all of it, and the tree seen is none that ever was.
    match std::fs::symlink_metadata(folder) {
        Ok(after) if (after.dev(), after.ino()) == (before.dev(), before.ino()) => {
            Ok(scanner.finish())
        }
        Ok(_) => Err(vanished()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(vanished()),
        Err(source) => Err(io_failed(source)),
    }
}

struct Scanner<'a> {
    folder: &'a Path,
    settings: &'a ScanSettings,
    now_ms: i128,
    files: u64,
    bytes: u64,
    fingerprint: TreeFingerprint,
    newest: Option<Newest>,
    /// A ctime lies in the future.
    ahead: bool,
    /// The file modified last, and when.
    modified: Option<(i128, String)>,
    unfinished: Option<String>,
    marker: bool,
    search: Search,
    problems: Problems,
    /// The folder with all symlinks above it resolved, once a symlink asks for it.
    real: Option<PathBuf>,
    tell: &'a mut dyn FnMut(&str),
}

struct Newest {
    at_ns: i128,
    is_file: bool,
    path: String,
}

impl<'a> Scanner<'a> {
    fn new(
        folder: &'a Path,
        settings: &'a ScanSettings,
        now: Timestamp,
        tell: &'a mut dyn FnMut(&str),
    ) -> Self {
        Self {
            folder,
            settings,
            now_ms: i128::from(now.as_millisecond()),
            files: 0,
            bytes: 0,
            fingerprint: TreeFingerprint::new(settings.marker.as_deref()),
            newest: None,
            ahead: false,
            modified: None,
            unfinished: None,
            marker: false,
            search: Search::default(),
            problems: Problems::default(),
            real: None,
            tell,
        }
    }

    fn is_marker(&self, entry: &Entry) -> bool {
        entry.kind == Kind::File && self.settings.marker.as_deref() == Some(&entry.path)
    }

    fn file(&mut self, entry: &Entry, full: &Path) -> Result<(), TreeError> {
        self.files += 1;
        (self.tell)(&entry.path);
        self.bytes = self.bytes.saturating_add(entry.meta.len());
        if self.modified.as_ref().is_none_or(|(at, _)| entry.mtime_ns() > *at) {
            self.modified = Some((entry.mtime_ns(), entry.path.clone()));
        }
        let name = last_name(&entry.path);
        if self.unfinished.is_none() && self.settings.unfinished.matches(name) {
            self.unfinished = Some(entry.path.clone());
        }
        let readable = if self.settings.no_writers {
            self.search.look(&entry.path, full, &entry.meta)
        } else {
            // With our effective ids, as an open would ask.
            let access =
                faccessat(nix::fcntl::AT_FDCWD, full, AccessFlags::R_OK, AtFlags::AT_EACCESS);
            access.map_err(io::Error::from)
        };
        match readable {
            Ok(()) => Ok(()),
            // Gone or replaced since it was listed: the next fingerprint shows it.
            Err(error) if crate::tree::vanished(&error) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.problems.add(unreadable(&entry.path));
                Ok(())
            }
            Err(source) => Err(TreeError::Io { path: full.to_owned(), source }),
        }
    }

    fn symlink(&mut self, entry: &Entry, target: &Path, full: &Path) {
        if leaves_by_its_text(&entry.path, target) || self.leaves_really(target, full) {
            let target = shown(target.as_os_str());
            let path = shown(OsStr::new(&entry.path));
            self.problems.add(format!("{path} is a symlink that leaves the case, to {target}"));
        }
    }

    /// Whether the kernel, following every symlink on the way, ends outside. What is
    /// not there is judged by the part of the way that is.
    fn leaves_really(&mut self, target: &Path, full: &Path) -> bool {
        let folder = self.folder;
        let real = self.real.get_or_insert_with(|| {
            std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
        });
        let start = full.parent().unwrap_or(folder);
        let mut way = start.join(target);
        loop {
            match std::fs::canonicalize(&way) {
                Ok(end) => return !end.starts_with(&*real),
                Err(_) if way != *start && way.pop() => {}
                Err(_) => return false,
            }
        }
    }

    fn changed(&mut self, path: &str, meta: &Metadata) {
        if self.settings.by_fingerprint_only {
            return;
        }
        let at_ns = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        if at_ns.div_euclid(1_000_000) > self.now_ms {
            self.ahead = true;
            return;
        }
        // The folder changes together with the file that is put there; people want to
        // read of the file.
        let is_file = meta.is_file();
        let newer = |known: &Newest| (at_ns, is_file) > (known.at_ns, known.is_file);
        if self.newest.as_ref().is_none_or(newer) {
            self.newest = Some(Newest { at_ns, is_file, path: path.to_owned() });
        }
    }

    fn finish(self) -> Tree {
        let undated = self.ahead || self.settings.by_fingerprint_only;
        let newest = self.newest.and_then(|newest| {
            // Rounded up, so that no quiet period is cut short by a fraction.
            let at_ms = i64::try_from(newest.at_ns.div_euclid(1_000_000) + 1).ok()?;
            let at = Timestamp::from_millisecond(at_ms).ok()?;
            Some(LastChange { path: newest.path, at })
        });
        let modified = self.modified.map(|(_, path)| path).unwrap_or_default();
        Tree {
            files: self.files,
            bytes: ByteCount(self.bytes),
            fingerprint: self.fingerprint.finish(),
            newest,
            undated: undated.then_some(modified),
            unfinished: self.unfinished,
            marker: self.marker,
            writers: if self.settings.no_writers {
                self.search.finish()
            } else {
                Writers::NotLooked
            },
            manifest: Manifest::None,
            problems: self.problems.finish(),
        }
    }
}

impl Visitor for Scanner<'_> {
    fn entry(&mut self, entry: Entry) -> Result<(), TreeError> {
        if self.is_marker(&entry) {
            self.marker = true;
            return Ok(());
        }
        self.fingerprint.add(&entry);
        self.changed(&entry.path, &entry.meta);
        let name = last_name(&entry.path);
        if name.chars().any(char::is_control) {
            let path = shown(OsStr::new(&entry.path));
            self.problems.add(format!("{path} has a control character in its name"));
        }
        let full = self.folder.join(&entry.path);
        match &entry.kind {
            Kind::File => self.file(&entry, &full)?,
            Kind::Folder => {}
            Kind::Symlink { target } => self.symlink(&entry, target, &full),
            Kind::Special => {
                let path = shown(OsStr::new(&entry.path));
                let what = what_it_is(&entry.meta);
                self.problems.add(format!("{path} is {what}, which cannot be copied"));
            }
        }
        Ok(())
    }

    fn obstacle(&mut self, obstacle: TreeError) -> Result<(), TreeError> {
        let problem = match &obstacle {
            TreeError::NotUtf8 { folder, shown: name } => {
                let path = shown(folder.join(name).as_os_str());
                format!("{path} has a name that is not valid UTF-8")
            }
            TreeError::TooLong { path } => {
                let path = shown(OsStr::new(path));
                format!("{path} is nested too deeply, its path is too long")
            }
            TreeError::Io { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                let path = path.strip_prefix(self.folder).unwrap_or(path);
                unreadable(&path.to_string_lossy())
            }
            TreeError::Io { .. } | TreeError::Stopped | TreeError::Pattern { .. } => {
                return Err(obstacle);
            }
        };
        // So that its removal is noticed.
        self.fingerprint.obstacle(&problem);
        self.problems.add(problem);
        Ok(())
    }
}

#[derive(Default)]
struct Problems {
    listed: Vec<String>,
    more: u64,
}

impl Problems {
    fn add(&mut self, problem: String) {
        if self.listed.len() < LISTED_PROBLEMS {
            self.listed.push(problem);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.listed.push(format!("there are {} problems more", self.more));
        }
        self.listed
    }
}

fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn unreadable(path: &str) -> String {
    format!("{} cannot be read: permission denied", shown(OsStr::new(path)))
}

fn what_it_is(meta: &Metadata) -> &'static str {
    match meta.file_type() {
        t if t.is_fifo() => "a FIFO",
        t if t.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Whether the target as written points out of the case: absolute, or with more `..`
/// than there are folders.
fn leaves_by_its_text(path: &str, target: &Path) -> bool {
    let mut depth = path.matches('/').count();
    for part in target.components() {
        match part {
            Component::Prefix(_) | Component::RootDir => return true,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
        }
    }
    false
}

#[cfg(test)]
mod tests;
