//! A case's folder, a work_dir, and the orders between them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::local::LocalCopy;
use daylily_watch::adapters::host::rsync::RsyncSettings;
use daylily_watch::adapters::host::{
    FetchOrder, Fetched, Progress, ShipOrder, Shipped, Transfer, Verify,
};
use daylily_watch::tree::Names;
use daylily_watch::tree_fingerprint::fingerprint;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::rig::{Headnode, Rig, settings};
use crate::wait::until;

pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) dir: TempDir,
    /// Where it is shipped to over ssh.
    pub(crate) node: Option<Headnode>,
    pub(crate) settings: RsyncSettings,
    /// In place of ssh for rsync alone; scripts go by the real one.
    pub(crate) remote_shell: Option<String>,
    pub(crate) source: PathBuf,
    pub(crate) work: PathBuf,
    pub(crate) umask: u32,
    pub(crate) verify: Verify,
    pub(crate) marker: Option<String>,
    pub(crate) ignore: Vec<String>,
}

impl World {
    pub(crate) fn new(rig: Rig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        match rig {
            Rig::Copy => {
                let work = dir.path().join("work");
                Self::with_work_dir(dir, work)
            }
            Rig::Rsync => Self::on(Headnode::start()),
            Rig::AtOnce => Self::at_once(Headnode::start()),
        }
    }

    pub(crate) fn on(node: Headnode) -> Self {
        let world = Self::with_work_dir(tempfile::tempdir().unwrap(), node.work());
        Self { node: Some(node), ..world }
    }

    /// Where small cases that were never there go in one question.
    pub(crate) fn at_once(node: Headnode) -> Self {
        let mut world = Self::on(node);
        world.settings.at_once = Some(RsyncSettings::AT_ONCE);
        // Nothing is held up that has no size.
        world.settings.bandwidth = None;
        world
    }

    pub(crate) fn with_work_dir(dir: TempDir, work: PathBuf) -> Self {
        let source = dir.path().join("intake/HG002");
        fs::create_dir_all(&source).unwrap();
        fs::create_dir_all(work.join(".daylily-watch")).unwrap();
        Self {
            dir,
            node: None,
            settings: settings(),
            remote_shell: None,
            source,
            work,
            umask: 0o027,
            verify: Verify::Quick,
            marker: None,
            ignore: vec!["Thumbs.db".into()],
        }
    }

    pub(crate) fn dest(&self) -> PathBuf {
        self.work.join("new/HG002")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.work.join(".daylily-watch/dw-1/ship.lock")
    }

    /// The order for the source as it is now.
    pub(crate) fn order(&self) -> ShipOrder {
        let ignore = Names::new(&self.ignore).unwrap();
        ShipOrder {
            attempt: AttemptId::new("dw-1"),
            source: self.source.clone(),
            dest: text(&self.dest()),
            fingerprint: fingerprint(&self.source, &ignore, self.marker.as_deref()).unwrap(),
            ignore: self.ignore.clone(),
            marker: self.marker.clone(),
            verify: self.verify,
            manifest: text(&self.work.join(".daylily-watch/cases/new/HG002.list")),
            lock: text(&self.lock()),
        }
    }

    pub(crate) fn ship(&self) -> Result<Shipped, Fault> {
        self.ship_order(self.order())
    }

    pub(crate) fn ship_order(&self, order: ShipOrder) -> Result<Shipped, Fault> {
        self.start_order(order).end()
    }

    pub(crate) fn start(&self) -> Shipping {
        self.start_order(self.order())
    }

    pub(crate) fn start_order(&self, order: ShipOrder) -> Shipping {
        Shipping::start(order, self.transfer())
    }

    fn transfer(&self) -> Arc<dyn Transfer> {
        match &self.node {
            None => Arc::new(LocalCopy::new(self.umask)),
            Some(node) => {
                node.give();
                let settings = RsyncSettings { umask: self.umask, ..self.settings.clone() };
                Arc::new(node.transfer(settings, self.remote_shell.clone()))
            }
        }
    }

    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        write(&self.source.join(path), content);
    }

    /// A file that takes a while to copy and no time to make.
    pub(crate) fn write_long(&self, path: &str, mebibytes: u64) {
        let path = self.source.join(path);
        let file = fs::File::create(path).unwrap();
        file.set_len(mebibytes * 1024 * 1024).unwrap();
    }

    #[track_caller]
    pub(crate) fn assert_copied(&self) {
        assert_eq!(listing(&self.source), listing(&self.dest()));
    }
}

/// A ship under way on a runtime of its own.
pub(crate) struct Shipping {
    runtime: tokio::runtime::Runtime,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<Result<Shipped, Fault>>,
}

impl Shipping {
    pub(crate) fn start(order: ShipOrder, transfer: Arc<dyn Transfer>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let progress = Arc::new(Progress::default());
        let stop = CancellationToken::new();
        let task = runtime.spawn({
            let (progress, stop) = (Arc::clone(&progress), stop.clone());
            async move { transfer.ship(&order, &progress, &stop).await }
        });
        Self { runtime, progress, stop, task }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn files(&self) -> u64 {
        self.progress.files.load(Ordering::Relaxed)
    }

    /// Until some of the first file has been read.
    #[track_caller]
    pub(crate) fn await_bytes(&self, bytes: u64) {
        until("bytes to move", LONG, || self.bytes() >= bytes);
    }

    pub(crate) fn end(self) -> Result<Shipped, Fault> {
        self.runtime.block_on(self.task).unwrap()
    }

    /// The end, which must come within `limit`.
    pub(crate) fn end_within(self, limit: Duration) -> Result<Shipped, Fault> {
        let task = self.task;
        let ended = self.runtime.block_on(async { tokio::time::timeout(limit, task).await });
        ended.expect("it ends in time").unwrap()
    }

    /// Drops the future of the ship, as a daemon does that gives up on it.
    pub(crate) fn abandon(self) {
        self.task.abort();
        until("the task to be gone", LONG, || self.task.is_finished());
        self.runtime.shutdown_background();
    }
}

pub(crate) fn fetch(transfer: &dyn Transfer, order: &FetchOrder) -> Result<Fetched, Fault> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (progress, stop) = (Progress::default(), CancellationToken::new());
    let fetched = runtime.block_on(transfer.fetch(order, &progress, &stop));
    if let Ok(fetched) = &fetched {
        assert_eq!(progress.files.load(Ordering::Relaxed), fetched.files);
        assert_eq!(progress.bytes.load(Ordering::Relaxed), fetched.bytes.0);
    }
    fetched
}

#[track_caller]
pub(crate) fn assert_fault<T: std::fmt::Debug>(
    answer: Result<T, Fault>,
    class: FaultClass,
    text: &str,
) {
    let fault = answer.unwrap_err();
    assert_eq!(fault.class, class, "{fault}");
    assert!(fault.text.contains(text), "{:?} is not in {:?}", text, fault.text);
}

pub(crate) fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Overwrites a file's content and gives it back the time it had.
pub(crate) fn corrupt(path: &Path, content: &[u8]) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, content).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// Every entry with its content, for comparing trees. Written without the library.
pub(crate) fn listing(root: &Path) -> Vec<(PathBuf, String)> {
    let mut entries = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if meta.is_symlink() {
                format!("to {:?}", fs::read_link(&path).unwrap())
            } else {
                let hash = blake3::hash(&fs::read(&path).unwrap());
                format!("{} {} {:?}", meta.len(), hash, meta.modified().unwrap())
            };
            entries.push((path.strip_prefix(root).unwrap().to_owned(), content));
        }
    }
    entries.sort();
    entries
}
