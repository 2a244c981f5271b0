//! Owns the hints of the kernel: which cases of an intake were written to, and when.
//! A hint may be lost or late; it makes somebody look sooner and decides nothing.
//! Where the kernel gives no hints, that is said, and the rescan does without.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::case::LastChange;
use jiff::{SignedDuration, Timestamp};
use notify::event::{AccessKind, AccessMode};
use notify::{Config, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{
    DebounceEventResult, DebouncedEvent, Debouncer, NoCache, new_debouncer_opt,
};

use crate::clock::{Clock, age, whole_milliseconds};
use crate::tree::{Names, shown};

/// What happened since the last news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchNews {
    /// Names at the intake's root, each with its last write event.
    pub dirty: BTreeMap<String, LastChange>,
    /// Hints were lost, or the root itself is not what it was: look at everything.
    pub rescan: bool,
    /// Why hints are missing from now on, one clause.
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchMode {
    Auto,
    /// No watch is ever asked for.
    Poll,
}

/// Bursts of events on one file become one.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// How often a folder is tried again in which others vanish while it is being watched.
const TRIES: u32 = 3;

/// The watches of one intake: its root, and below it the cases that are followed.
/// The methods may walk a tree, so they belong on a thread that may block.
pub struct Watcher {
    root: PathBuf,
    live: Option<Debouncer<RecommendedWatcher, NoCache>>,
    followed: BTreeSet<PathBuf>,
    /// Followed cases of which some folder is not watched, and why.
    partly: BTreeMap<PathBuf, String>,
    /// Why the root is not watched.
    deaf: Option<String>,
}

impl Watcher {
    /// Begins to watch `root`. `tell` is called from a thread of the watcher's own, and
    /// is not to block.
    pub fn start(
        root: &Path,
        mode: WatchMode,
        ignore: Names,
        clock: Arc<dyn Clock>,
        tell: impl Fn(WatchNews) + Send + 'static,
    ) -> Self {
        let mut watcher = Self {
            root: root.to_owned(),
            live: None,
            followed: BTreeSet::new(),
            partly: BTreeMap::new(),
            deaf: None,
        };
        if mode == WatchMode::Poll {
            return watcher;
        }
        let sorter = Sorter { root: root.to_owned(), ignore, clock };
        let handle = move |result: DebounceEventResult| {
            let news = sorter.sort(result);
            if news != WatchNews::default() {
                tell(news);
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        match new_debouncer_opt(DEBOUNCE, None, handle, NoCache, config) {
            Ok(live) => {
                watcher.live = Some(live);
                watcher.watch_root();
            }
            Err(error) => {
                watcher.deaf = Some(format!(
                    "the kernel gives no inotify instance ({}); see fs.inotify.max_user_instances",
                    why(&error)
                ));
            }
        }
        watcher
    }

    /// Watches everything in a case's folder too. Repeating it also watches folders
    /// made since that the kernel's hints missed.
    pub fn follow(&mut self, case: &Path) {
        let Some(live) = &mut self.live else { return };
        self.followed.insert(case.to_owned());
        self.partly.remove(case);
        for _ in 0..TRIES {
            match live.watch(case, RecursiveMode::Recursive) {
                Ok(()) => return,
                // It, or a folder in it, went meanwhile; the rest was left unwatched.
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    let name = shown(case.file_name().unwrap_or_default());
                    let reason = format!("{name} is not watched whole: {}", why(&error));
                    self.partly.insert(case.to_owned(), reason);
                    return;
                }
            }
        }
    }

    /// Ends it: the case's job starts, or the case is gone. Watches that become free
    /// go to cases that had to do without.
    pub fn unfollow(&mut self, case: &Path) {
        self.followed.remove(case);
        self.partly.remove(case);
        let Some(live) = &mut self.live else { return };
        // It fails when the folder is gone, and its watches with it.
        let _ = live.unwatch(case);
        for waiting in std::mem::take(&mut self.partly).into_keys() {
            self.follow(&waiting);
        }
    }

    /// Watches anew, after the root was found to be another folder or mounted again:
    /// the old watches are on what was there before.
    pub fn rewatch(&mut self) {
        let Some(live) = &mut self.live else { return };
        for path in self.followed.iter().chain([&self.root]) {
            let _ = live.unwatch(path);
        }
        self.watch_root();
        for case in self.followed.clone() {
            self.follow(&case);
        }
    }

    /// Why the intake, or a part of it, is only looked at every `rescan`. None while
    /// all is watched, and where polling is what was asked for.
    pub fn trouble(&self) -> Option<&str> {
        self.deaf.as_deref().or(self.partly.values().next().map(String::as_str))
    }

    fn watch_root(&mut self) {
        let Some(live) = &mut self.live else { return };
        let watched = live.watch(&self.root, RecursiveMode::NonRecursive);
        self.deaf = watched
            .err()
            .map(|error| format!("{} is not watched: {}", self.root.display(), why(&error)));
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(source) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn why(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the kernel allows no more watches; see fs.inotify.max_user_watches".to_owned()
        }
        ErrorKind::Io(source) => source.to_string(),
        _ => error.to_string(),
    }
}

/// Makes news of events.
struct Sorter {
    root: PathBuf,
    ignore: Names,
    clock: Arc<dyn Clock>,
}

impl Sorter {
    fn sort(&self, result: DebounceEventResult) -> WatchNews {
        let mut news = WatchNews::default();
        match result {
            Ok(events) => {
                for event in &events {
                    self.sort_event(event, &mut news);
                }
            }
            Err(errors) => {
                news.rescan = true;
                news.trouble = errors.first().map(why);
            }
        }
        news
    }

    fn sort_event(&self, event: &DebouncedEvent, news: &mut WatchNews) {
        if event.need_rescan() {
            news.rescan = true;
            return;
        }
        if !changes_something(&event.kind) {
            return;
        }
        let at = self.time_of(event);
        for path in &event.paths {
            let Ok(below) = path.strip_prefix(&self.root) else { continue };
            let mut names = below.iter();
            let Some(name) = names.next() else {
                // The root itself was removed, renamed or changed.
                news.rescan = true;
                continue;
            };
            if below.iter().any(|name| self.ignore.matches_raw(name)) {
                continue;
            }
            let change = LastChange { path: shown(names.as_path().as_os_str()), at };
            keep_latest(&mut news.dirty, name, change);
        }
    }

    fn time_of(&self, event: &DebouncedEvent) -> Timestamp {
        let now = self.clock.now();
        let age = SignedDuration::try_from(age(event.time)).unwrap_or(SignedDuration::ZERO);
        whole_milliseconds(now.checked_sub(age).unwrap_or(now))
    }
}

fn keep_latest(dirty: &mut BTreeMap<String, LastChange>, name: &OsStr, change: LastChange) {
    let name = shown(name);
    match dirty.get_mut(&name) {
        Some(known) if known.at > change.at => {}
        Some(known) => *known = change,
        None => {
            dirty.insert(name, change);
        }
    }
}

/// Our own reads raise events too; of the accesses only the end of writing counts.
fn changes_something(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
        EventKind::Other => false,
    }
}

#[cfg(test)]
mod tests;
