//! The kernel's hints: that they come, what they name, and how one does without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use daylily_watch::clock::{Clock, SystemClock};
use daylily_watch::intake::directory::scan::scan;
use daylily_watch::intake::directory::watch::{WatchMode, WatchNews, Watcher};
use tempfile::tempdir;

use super::{Desk, names, scan_settings, seconds, settle};
use crate::wait::{LIMIT, until};

/// A watcher and all the news it told, as one.
struct Watched {
    watcher: Watcher,
    news: Arc<Mutex<WatchNews>>,
}

impl Watched {
    fn start(root: &Path) -> Self {
        let news = Arc::new(Mutex::new(WatchNews::default()));
        let told = Arc::clone(&news);
        let ignore = names(&["Thumbs.db"]);
        let clock = Arc::new(SystemClock);
        let watcher = Watcher::start(root, WatchMode::Auto, ignore, clock, move |more| {
            let mut news = told.lock().unwrap();
            news.dirty.extend(more.dirty);
            news.rescan |= more.rescan;
            news.trouble = more.trouble.or(news.trouble.take());
        });
        Self { watcher, news }
    }

    #[track_caller]
    fn wait_for(&self, what: &str, holds: impl Fn(&WatchNews) -> bool) {
        until(what, LIMIT, || holds(&self.news.lock().unwrap()));
    }

    fn forget(&self) {
        *self.news.lock().unwrap() = WatchNews::default();
    }

    /// Everything before a file made now has been told once that file has been.
    fn catch_up(&self, root: &Path) {
        fs::create_dir(root.join("last")).unwrap();
        self.wait_for("the last folder is told", |news| news.dirty.contains_key("last"));
    }
}

fn folder(root: &Path, name: &str) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn a_new_folder_and_a_write_in_a_followed_one_are_told() {
    let root = tempdir().unwrap();
    let mut watched = Watched::start(root.path());
    assert_eq!(watched.watcher.trouble(), None);
    let before = SystemClock.now();
    let case = folder(root.path(), "HG002");
    watched.wait_for("the folder is told", |news| news.dirty.contains_key("HG002"));
    watched.watcher.follow(&case);
    fs::write(case.join("R1.fastq.gz"), "reads").unwrap();
    watched.wait_for("the file is told", |news| {
        news.dirty.get("HG002").is_some_and(|change| change.path == "R1.fastq.gz")
    });
    let at = watched.news.lock().unwrap().dirty["HG002"].at;
    assert!(before <= at && at <= SystemClock.now(), "{before} {at}");
}

#[test]
fn a_folder_renamed_into_place_is_told() {
    let (outside, root) = (tempdir().unwrap(), tempdir().unwrap());
    let watched = Watched::start(root.path());
    let made = folder(outside.path(), "HG002");
    fs::rename(made, root.path().join("HG002")).unwrap();
    watched.wait_for("the folder is told", |news| news.dirty.contains_key("HG002"));
}

#[test]
fn our_own_scans_and_ignored_files_are_not_told() {
    let root = tempdir().unwrap();
    let case = folder(root.path(), "HG002");
    fs::write(case.join("R1.fastq.gz"), "reads").unwrap();
    let mut watched = Watched::start(root.path());
    watched.watcher.follow(&case);
    scan(&case, &scan_settings(), SystemClock.now()).unwrap();
    fs::read(case.join("R1.fastq.gz")).unwrap();
    fs::write(case.join("Thumbs.db"), "x").unwrap();
    watched.catch_up(root.path());
    assert!(!watched.news.lock().unwrap().dirty.contains_key("HG002"));
}

#[test]
fn a_case_that_is_no_longer_followed_is_not_told() {
    let root = tempdir().unwrap();
    let case = folder(root.path(), "HG002");
    let mut watched = Watched::start(root.path());
    watched.watcher.follow(&case);
    watched.watcher.unfollow(&case);
    fs::write(case.join("R1.fastq.gz"), "reads").unwrap();
    watched.catch_up(root.path());
    assert!(!watched.news.lock().unwrap().dirty.contains_key("HG002"));
}

#[test]
fn following_what_is_gone_or_never_was_followed_is_no_trouble() {
    let root = tempdir().unwrap();
    let mut watched = Watched::start(root.path());
    watched.watcher.follow(&root.path().join("gone"));
    watched.watcher.unfollow(&root.path().join("gone"));
    watched.watcher.unfollow(&root.path().join("never"));
    assert_eq!(watched.watcher.trouble(), None);
}

#[test]
fn a_replaced_root_is_told_and_watched_again_when_asked() {
    let place = tempdir().unwrap();
    let root = folder(place.path(), "in");
    let mut watched = Watched::start(&root);
    fs::rename(&root, place.path().join("old")).unwrap();
    fs::create_dir(&root).unwrap();
    watched.wait_for("the loss of the root is told", |news| news.rescan);
    watched.watcher.rewatch();
    watched.forget();
    folder(&root, "HG002");
    watched.wait_for("the new root is watched", |news| news.dirty.contains_key("HG002"));
}

#[test]
fn a_root_that_comes_back_is_watched_again_when_asked() {
    let place = tempdir().unwrap();
    let root = place.path().join("in");
    let mut watched = Watched::start(&root);
    assert!(watched.watcher.trouble().is_some());
    fs::create_dir(&root).unwrap();
    watched.watcher.rewatch();
    assert_eq!(watched.watcher.trouble(), None);
    folder(&root, "HG002");
    watched.wait_for("the folder is told", |news| news.dirty.contains_key("HG002"));
}

#[test]
fn nested_files_made_while_watching_are_all_found_by_the_scan() {
    let root = tempdir().unwrap();
    let mut watched = Watched::start(root.path());
    let case = folder(root.path(), "HG002");
    watched.watcher.follow(&case);
    for number in 0..500 {
        let deep = case.join(format!("a{}/b{number}/c", number % 7));
        fs::create_dir_all(&deep).unwrap();
        for file in 0..10 {
            fs::write(deep.join(format!("{file}.dat")), "x").unwrap();
        }
    }
    watched.wait_for("the case is dirty", |news| news.dirty.contains_key("HG002"));
    let tree = scan(&case, &scan_settings(), SystemClock.now()).unwrap();
    assert_eq!(tree.files, 5_000);
    let mut desk = Desk::default();
    assert!(!desk.look(&case, &settle(), seconds(0)).complete);
    assert!(desk.look(&case, &settle(), seconds(11)).complete);
}

/// Runs one test of this module anew in a user namespace in which the kernel gives
/// fewer watches. False: this is that run.
#[allow(clippy::disallowed_methods, reason = "the limit is of a process of its own")]
fn ran_with_a_limit(test: &str, limit: &str) -> bool {
    let (key, value) = limit.split_once('=').unwrap();
    let path = format!("/proc/sys/user/{key}");
    if fs::read_to_string(&path).unwrap().trim() == value {
        return false;
    }
    let script = format!("echo {value} > {path} && exec \"$0\" --exact intake::watching::{test}");
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success() && told.contains("1 passed"),
        "needs user namespaces (sysctl user.max_user_namespaces): {told}{complaint}"
    );
    true
}

#[test]
fn a_kernel_that_refuses_more_watches_is_told_and_gives_them_to_others_later() {
    let test = "a_kernel_that_refuses_more_watches_is_told_and_gives_them_to_others_later";
    if ran_with_a_limit(test, "max_inotify_watches=4") {
        return;
    }
    let root = tempdir().unwrap();
    let (small, large) = (folder(root.path(), "small"), folder(root.path(), "large"));
    fs::create_dir_all(small.join("a")).unwrap();
    fs::create_dir_all(large.join("a")).unwrap();
    let mut watched = Watched::start(root.path());
    watched.watcher.follow(&small);
    assert_eq!(watched.watcher.trouble(), None);
    watched.watcher.follow(&large);
    assert_eq!(
        watched.watcher.trouble(),
        Some(
            "large is not watched whole: the kernel allows no more watches; see \
             fs.inotify.max_user_watches"
        )
    );
    watched.watcher.unfollow(&small);
    assert_eq!(watched.watcher.trouble(), None);
    // One folder more than there are watches: told by the event of its making.
    fs::create_dir_all(large.join("b")).unwrap();
    fs::create_dir_all(large.join("c")).unwrap();
    watched.wait_for("the refusal is told", |news| news.rescan && news.trouble.is_some());
}

#[test]
fn without_inotify_the_rescan_does_and_that_is_told() {
    let test = "without_inotify_the_rescan_does_and_that_is_told";
    if ran_with_a_limit(test, "max_inotify_instances=0") {
        return;
    }
    let root = tempdir().unwrap();
    let mut watched = Watched::start(root.path());
    let trouble = watched.watcher.trouble().unwrap().to_owned();
    assert!(trouble.starts_with("the kernel gives no inotify instance"), "{trouble}");
    watched.watcher.follow(&folder(root.path(), "HG002"));
}
