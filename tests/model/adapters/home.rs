//! This machine in memory: an intake whose folders come, grow, go and come back, and the
//! places of results.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daylily_lifecycle::case::{Case, LastChange};
use daylily_lifecycle::ids::{AttemptId, ByteCount, CaseName, Digest, Fingerprint, FolderIdentity};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::settle::{Manifest, MarkerMissing, Settle, Tree, Writers};
use daylily_watch::adapters::host::{FetchOrder, Progress};
use daylily_watch::config::case_file::CaseFile;
use daylily_watch::config::{IntakeSettings, Settings};
use daylily_watch::intake::directory::listing::{Found, Listing};
use daylily_watch::intake::directory::mount::Mount;
use daylily_watch::intake::directory::root::RootLook;
use daylily_watch::intake::directory::watch::WatchNews;
use daylily_watch::reconcile::here::{Comparison, Here, MoveOrder, Placed, Scan, Tell, Watch};
use daylily_watch::reconcile::scan::judging::judged;
use daylily_watch::reconcile::scan::orders::{Matching, Orders};
use daylily_watch::results::{Placement, Summary};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::passage::Passage;

/// How long a folder must be left alone.
const QUIET: SignedDuration = SignedDuration::from_secs(10);

#[derive(Default)]
pub(crate) struct Home {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    folders: BTreeMap<String, Folder>,
    taken: BTreeMap<String, Folder>,
    away: bool,
    made: u64,
    staged: BTreeMap<PathBuf, BTreeSet<String>>,
    placed: BTreeMap<PathBuf, AttemptId>,
    tell: Vec<Tell>,
}

#[derive(Debug, Clone)]
struct Folder {
    identity: u64,
    content: u64,
    changed: Timestamp,
    gpus: u32,
}

pub(crate) struct There {
    pub(crate) name: String,
    pub(crate) identity: FolderIdentity,
    pub(crate) content: Fingerprint,
    pub(crate) changed: Timestamp,
}

impl Home {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arrives(&self, name: &str, gpus: u32, now: Timestamp) {
        let mut state = self.state();
        state.made += 1;
        let made = state.made;
        let folder = Folder { identity: made, content: made, changed: now, gpus };
        state.folders.insert(name.to_owned(), folder);
    }

    /// A file of it is written. False: there is no such folder.
    pub(crate) fn is_written(&self, name: &str, now: Timestamp) {
        let mut state = self.state();
        state.made += 1;
        let made = state.made;
        if let Some(folder) = state.folders.get_mut(name) {
            folder.content = made;
            folder.changed = now;
        }
    }

    pub(crate) fn is_taken(&self, name: &str) {
        let mut state = self.state();
        if let Some(folder) = state.folders.remove(name) {
            state.taken.insert(name.to_owned(), folder);
        }
    }

    /// The same content in another folder.
    pub(crate) fn is_put_back(&self, name: &str, now: Timestamp) {
        let mut state = self.state();
        state.made += 1;
        let made = state.made;
        if let Some(folder) = state.taken.remove(name) {
            let folder = Folder { identity: made, changed: now, ..folder };
            state.folders.entry(name.to_owned()).or_insert(folder);
        }
    }

    /// The folders that are there, as they are found.
    pub(crate) fn folders(&self) -> Vec<There> {
        let state = self.state();
        let of = |(name, folder): (&String, &Folder)| There {
            name: name.clone(),
            identity: FolderIdentity::new(folder.identity.to_string()),
            content: folder.fingerprint(),
            changed: folder.changed,
        };
        state.folders.iter().map(of).collect()
    }

    pub(crate) fn is_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Tells whoever watches that something happened to a folder.
    pub(crate) fn tell(&self, name: &str, at: Timestamp) {
        let change = LastChange { path: String::new(), at };
        let dirty = BTreeMap::from([(name.to_owned(), change)]);
        let tells = self.state().tell.clone();
        for tell in tells {
            tell(WatchNews { dirty: dirty.clone(), ..WatchNews::default() });
        }
    }

    /// Whoever watched is gone.
    pub(crate) fn is_unwatched(&self) {
        self.state().tell.clear();
    }

    pub(crate) fn is_still(&self, path: &Path, fingerprint: &Fingerprint) -> Result<(), Fault> {
        let name = name_of(path);
        let transient = |text: String| Fault::new(FaultClass::TransientStep, text);
        match self.state().folders.get(&name) {
            None => Err(transient(format!("{name} vanished under way"))),
            Some(folder) if folder.fingerprint() != *fingerprint => {
                Err(transient(format!("{name} changed under way")))
            }
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn fetched(&self, order: &FetchOrder) {
        let files = order.files.iter().cloned().collect();
        self.state().staged.insert(order.to.clone(), files);
    }

    /// Whose results lie at a place.
    pub(crate) fn placed(&self, path: &Path) -> Option<AttemptId> {
        self.state().placed.get(path).cloned()
    }
}

impl Folder {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new(format!("f{}", self.content))
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What the daemon sees of it.
pub(crate) struct ModelHere {
    home: Arc<Home>,
    passage: Passage,
}

impl ModelHere {
    pub(crate) fn new(home: Arc<Home>, passage: Passage) -> Self {
        Self { home, passage }
    }

    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        deed: impl FnOnce(&Home) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let home = self.home.clone();
        self.passage.call(what, async move { deed(&home) }).await
    }
}

/// Hints come or do not; nobody is told what is watched.
struct NoWatch;

impl Watch for NoWatch {
    fn follow(&mut self, _gone: Vec<PathBuf>, _new: Vec<PathBuf>, _at: Timestamp) {}

    fn rewatch(&mut self) {}
}

#[async_trait::async_trait]
impl Here for ModelHere {
    fn watch(&self, _intake: &IntakeSettings, tell: Tell) -> Box<dyn Watch> {
        self.home.state().tell.push(tell);
        Box::new(NoWatch)
    }

    async fn look(&self, intake: &IntakeSettings, _remembered: Option<&str>) -> RootLook {
        let root = intake.path.clone();
        let listed = self.call("look at the intake", move |home| {
            let state = home.state();
            if state.away {
                return Err(Fault::new(FaultClass::TransientStep, "it is not mounted"));
            }
            let found = |(name, folder): (&String, &Folder)| Found {
                name: CaseName::new(name),
                path: root.join(name),
                folder: Some(FolderIdentity::new(folder.identity.to_string())),
                changed: folder.changed,
                problem: None,
            };
            Ok(Listing { found: state.folders.iter().map(found).collect(), more_problems: 0 })
        });
        match listed.await {
            Ok(listing) => RootLook::Listed { mount: mount(), replaced: None, listing },
            Err(fault) => RootLook::Unreadable { because: fault.text },
        }
    }

    async fn baseline(
        &self,
        _intake: &IntakeSettings,
        _found: &Found,
        _first_look: bool,
        _now: Timestamp,
    ) -> Option<String> {
        None
    }

    async fn scan(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Scan, Fault> {
        let orders = Orders::of(settings, intake)?;
        let case = case.clone();
        self.call("scan", move |home| {
            let state = home.state();
            let folder = match state.folders.get(case.name.as_str()) {
                Some(folder) if !state.away => folder,
                Some(_) | None => return Ok(Scan::Vanished),
            };
            let said = CaseFile { gpus: Some(folder.gpus), ..CaseFile::default() };
            let order = orders.order(Matching::default(), said);
            let newest = LastChange { path: "R1.fastq".to_owned(), at: folder.changed };
            let tree = Tree {
                files: 1,
                bytes: ByteCount(1),
                fingerprint: folder.fingerprint(),
                newest: Some(newest),
                undated: None,
                unfinished: None,
                marker: false,
                writers: Writers::None,
                manifest: Manifest::None,
                problems: Vec::new(),
            };
            let identity = FolderIdentity::new(folder.identity.to_string());
            let scanned = judged(&case, tree, Some(identity), order, &settle(), now);
            Ok(Scan::Saw(Box::new(scanned)))
        })
        .await
    }

    async fn is_gone(
        &self,
        case: &Case,
        _intake: &IntakeSettings,
        _remembered: Option<&str>,
    ) -> bool {
        let state = self.home.state();
        !state.away && !state.folders.contains_key(case.name.as_str())
    }

    async fn digest(
        &self,
        case: &Case,
        _intake: &IntakeSettings,
        _stop: &CancellationToken,
    ) -> Result<Option<Digest>, Fault> {
        let name = case.name.as_str().to_owned();
        self.call("hash", move |home| {
            let fingerprint = home.state().folders.get(&name).map(Folder::fingerprint);
            let gone = || Fault::new(FaultClass::TransientStep, format!("{name} is gone"));
            Ok(Some(Digest::new(fingerprint.ok_or_else(gone)?.as_str())))
        })
        .await
    }

    async fn compare(
        &self,
        _case: &Case,
        _intake: &IntakeSettings,
        _progress: &Arc<Progress>,
        _stop: &CancellationToken,
    ) -> Result<Comparison, Fault> {
        Ok(Comparison::Another)
    }

    fn is_placed(&self, placement: &Placement) -> Result<bool, Fault> {
        Ok(self.home.placed(&placement.target()).as_ref() == Some(&placement.attempt))
    }

    async fn place(&self, placement: Placement, summary: Summary) -> Result<Placed, Fault> {
        self.call("place the results", move |home| {
            let mut state = home.state();
            let path = placement.target();
            let files = u64::try_from(summary.files.len()).unwrap_or_default();
            let placed = Placed { path: path.clone(), files, bytes: ByteCount(files) };
            if state.placed.get(&path) == Some(&placement.attempt) {
                return Ok(placed);
            }
            let staged = state.staged.remove(&placement.staging()).unwrap_or_default();
            if let Some(missing) = summary.files.iter().find(|file| !staged.contains(*file)) {
                let text = format!("{missing} was fetched and is not in the staging folder");
                return Err(Fault::new(FaultClass::TransientStep, text));
            }
            if let Some(earlier) = state.placed.insert(path.clone(), placement.attempt.clone()) {
                let name = format!("{}~{}", name_of(&path), placement.number - 1);
                state.placed.insert(path.with_file_name(name), earlier);
            }
            Ok(placed)
        })
        .await
    }

    async fn keep_log(
        &self,
        _state_dir: &Path,
        _attempt: &AttemptId,
        _log: &str,
    ) -> Result<(), Fault> {
        self.call("keep the log", |_| Ok(())).await
    }

    async fn move_folder(&self, _order: MoveOrder) -> Result<Option<PathBuf>, Fault> {
        Ok(None)
    }
}

fn mount() -> Mount {
    Mount {
        file_system: "ext4".to_owned(),
        source: "/dev/mapper/lab".to_owned(),
        point: "/".to_owned(),
        root: FolderIdentity::new("2"),
    }
}

fn settle() -> Settle {
    Settle {
        quiet: QUIET,
        equal_scans: 1,
        no_writers: false,
        marker: None,
        marker_timeout: None,
        marker_missing: MarkerMissing::Wait,
        manual: false,
    }
}
