//! This machine as it is: real folders, read and moved on threads that may block.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daylily_lifecycle::case::{Case, LastChange};
use daylily_lifecycle::ids::{AttemptId, ByteCount, Digest};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::settle::Writers;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Comparison, Here, MoveOrder, Placed, Scan, Tell, Watch};
use crate::adapters::host::Progress;
use crate::clock::Clock;
use crate::config::{self, IntakeSettings, Settings};
use crate::intake::directory::hash::{HashError, digest};
use crate::intake::directory::listing::Found;
use crate::intake::directory::manifest::compare::{CompareError, compare};
use crate::intake::directory::manifest::{self, Found as ManifestFound};
use crate::intake::directory::mount::{self, MountState, folder_at};
use crate::intake::directory::root::RootLook;
use crate::intake::directory::scan::{ScanError, scan};
use crate::intake::directory::watch::{WatchMode, WatchNews, Watcher};
use crate::intake::workset::Read;
use crate::intake::workset::heads::{Asked, Heads, ask};
use crate::reconcile::blocking;
use crate::reconcile::scan::appearance::baseline;
use crate::reconcile::scan::judging::scan_and_judge;
use crate::reconcile::scan::look::look_now;
use crate::reconcile::scan::orders::Orders;
use crate::reconcile::scan::rules::Rules;
use crate::reconcile::scan::worksets;
use crate::results::{Placement, ResultsError, Summary, keep_log, move_folder};
use crate::tree::Names;

/// What is kept of a failed run's log.
const LOG: ByteCount = ByteCount(1024 * 1024);

pub struct Disk {
    /// Dates what the kernel tells.
    clock: Arc<dyn Clock>,
    /// Who is asked for objects in S3. None: nobody can be asked.
    heads: Option<Arc<dyn Heads>>,
}

impl Disk {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, heads: None }
    }

    pub fn asking(self, heads: Option<Arc<dyn Heads>>) -> Self {
        Self { heads, ..self }
    }
}

#[async_trait::async_trait]
impl Here for Disk {
    fn watch(&self, intake: &IntakeSettings, tell: Tell) -> Box<dyn Watch> {
        let mode = match intake.watch {
            config::WatchMode::Auto => WatchMode::Auto,
            config::WatchMode::Poll => WatchMode::Poll,
        };
        let ignore = Names::new(&intake.ignore).unwrap_or_default();
        let told = tell.clone();
        let news = move |news| told(news);
        let watcher = Watcher::start(&intake.path, mode, ignore, self.clock.clone(), news);
        Box::new(DiskWatch { watcher: Arc::new(Mutex::new(watcher)), tell })
    }

    async fn look(&self, intake: &IntakeSettings, remembered: Option<&str>) -> RootLook {
        let (asked, remembered) = (intake.clone(), remembered.map(str::to_owned));
        let look = tokio::task::spawn_blocking(move || look_now(&asked, remembered.as_deref()));
        look.await.unwrap_or_else(|error| RootLook::Unreadable { because: error.to_string() })
    }

    async fn baseline(
        &self,
        intake: &IntakeSettings,
        found: &Found,
        first_look: bool,
        now: Timestamp,
    ) -> Option<String> {
        let (asked, found) = (intake.clone(), found.clone());
        let walk = tokio::task::spawn_blocking(move || baseline(&asked, &found, first_look, now));
        walk.await.ok().flatten()
    }

    async fn scan(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Scan, Fault> {
        let (rules, orders) = (Rules::of(intake)?, Orders::of(settings, intake)?);
        let (case, asks) = (case.clone(), self.heads.is_some());
        match blocking(move || scan_and_judge(&case, &rules, &orders, asks, now)).await {
            Ok(scanned) => Ok(Scan::Saw(Box::new(scanned))),
            Err(ScanError::Vanished { .. }) => Ok(Scan::Vanished),
            Err(error @ ScanError::Walk { .. }) => Err(transient(&error)),
        }
    }

    async fn is_gone(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        remembered: Option<&str>,
    ) -> bool {
        let (intake, folder) = (intake.clone(), PathBuf::from(&case.path));
        let remembered = remembered.map(str::to_owned);
        let gone = move || {
            let check = intake.mount_check.as_deref();
            let readable = !matches!(
                mount::check(&intake.path, remembered.as_deref(), check),
                MountState::Unreadable { .. }
            );
            let missing = std::fs::symlink_metadata(&folder)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
            readable && missing
        };
        blocking(gone).await
    }

    async fn digest(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        stop: &CancellationToken,
    ) -> Result<Option<Digest>, Fault> {
        let (rules, folder) = (Rules::of(intake)?, PathBuf::from(&case.path));
        let (ignore, marker, token) = (rules.scan.ignore, rules.scan.marker, stop.clone());
        match blocking(move || digest(&folder, &ignore, marker.as_deref(), &token)).await {
            Ok(digest) => Ok(Some(digest)),
            Err(HashError::Stopped { .. }) => Ok(None),
            Err(error) => Err(transient(&error)),
        }
    }

    async fn compare(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        progress: &Arc<Progress>,
        stop: &CancellationToken,
    ) -> Result<Comparison, Fault> {
        let (rules, folder) = (Rules::of(intake)?, PathBuf::from(&case.path));
        let (far, token) = (progress.clone(), stop.clone());
        let reading = move || read_named(&folder, &rules, &far, &token);
        let named = match blocking(reading).await {
            Ok(named) => named,
            Err(CompareError::Stopped { .. }) => return Ok(Comparison::Stopped),
            Err(error) => return Err(transient(&error)),
        };
        let Some(Compared { manifest, mut problems, workset }) = named else {
            return Ok(Comparison::Another);
        };
        if let (Some(read), Some(heads)) = (workset, &self.heads) {
            let aws = read.workset.map(|set| set.aws).unwrap_or_default();
            match ask(heads, &aws, &read.objects, stop).await {
                Asked::All { problems: more } => problems.extend(more.into_lines()),
                Asked::NotAll { throttled: true, why } => {
                    return Err(Fault::new(FaultClass::Throttled, why));
                }
                Asked::NotAll { throttled: false, why } => {
                    return Err(Fault::new(FaultClass::TransientStep, why));
                }
                Asked::Stopped => return Ok(Comparison::Stopped),
            }
        }
        Ok(Comparison::Done { manifest, problems })
    }

    fn is_placed(&self, placement: &Placement) -> Result<bool, Fault> {
        placement.is_placed().map_err(|error| of_results(&error))
    }

    async fn place(&self, placement: Placement, summary: Summary) -> Result<Placed, Fault> {
        let placed = blocking(move || {
            let path = placement.place(&summary)?;
            // As placed, also where that was done before a crash.
            let files = placement.placed()?.map(|placed| placed.files).unwrap_or_default();
            Ok::<_, ResultsError>((path, files))
        });
        let (path, files) = placed.await.map_err(|error| of_results(&error))?;
        let bytes = files.iter().map(|file| file.bytes.0).fold(0, u64::saturating_add);
        let files = u64::try_from(files.len()).unwrap_or(u64::MAX);
        Ok(Placed { path, files, bytes: ByteCount(bytes) })
    }

    async fn keep_log(
        &self,
        state_dir: &Path,
        attempt: &AttemptId,
        log: &str,
    ) -> Result<(), Fault> {
        let (state_dir, attempt, log) = (state_dir.to_owned(), attempt.clone(), log.to_owned());
        let kept = blocking(move || keep_log(&state_dir, &attempt, log.as_bytes(), LOG)).await;
        kept.map(|_| ()).map_err(|error| of_results(&error))
    }

    async fn move_folder(&self, order: MoveOrder) -> Result<Option<PathBuf>, Fault> {
        let moved = blocking(move || {
            // What came later was not run, so it is not taken away with what was.
            if is_another_by_now(&order.intake, &order.case, order.now) {
                return Ok(None);
            }
            let from = PathBuf::from(&order.case.path);
            move_folder(&from, &order.to, &order.name, &order.attempt).map(Some)
        });
        moved.await.map_err(|error| of_results(&error))
    }
}

/// What was compared on this machine, and the workset whose objects are still to be asked for.
struct Compared {
    manifest: String,
    problems: Vec<String>,
    workset: Option<Read>,
}

/// None: nothing that could be compared is there any more.
fn read_named(
    folder: &Path,
    rules: &Rules,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Option<Compared>, CompareError> {
    let failed = |source| CompareError::Read { path: folder.display().to_string(), source };
    let found = manifest::read(folder, &rules.manifest).map_err(failed)?;
    let workset = worksets::read(folder, rules).map_err(failed)?;
    let listed = match found {
        ManifestFound::There(listed) => Some(listed),
        ManifestFound::None | ManifestFound::Missing { .. } | ManifestFound::Odd { .. } => None,
    };
    let manifest = match (&workset, &listed) {
        (Some(read), listed) => {
            let listed = listed.as_ref().map(|listed| listed.name.as_str());
            worksets::name(read.samples.as_deref(), listed)
        }
        (None, Some(listed)) => listed.name.clone(),
        (None, None) => return Ok(None),
    };
    let problems = match listed {
        Some(listed) => compare(folder, &listed, (&progress.files, &progress.bytes), stop)?,
        None => Vec::new(),
    };
    Ok(Some(Compared { manifest, problems, workset }))
}

struct DiskWatch {
    watcher: Arc<Mutex<Watcher>>,
    tell: Tell,
}

impl Watch for DiskWatch {
    fn follow(&mut self, gone: Vec<PathBuf>, new: Vec<PathBuf>, at: Timestamp) {
        let (watcher, tell) = (self.watcher.clone(), self.tell.clone());
        tokio::task::spawn_blocking(move || {
            let mut watcher = lock(&watcher);
            for path in gone {
                watcher.unfollow(&path);
            }
            let mut news = WatchNews::default();
            for path in new {
                watcher.follow(&path);
                // What came between the first scan and the watch was told by nobody.
                if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                    news.dirty.insert(name.to_owned(), LastChange { path: String::new(), at });
                }
            }
            tell(news);
        });
    }

    fn rewatch(&mut self) {
        let watcher = self.watcher.clone();
        tokio::task::spawn_blocking(move || lock(&watcher).rewatch());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the folder in the intake is there and is not what was run: changed, replaced,
/// or being written to.
fn is_another_by_now(intake: &IntakeSettings, case: &Case, now: Timestamp) -> bool {
    let Ok(rules) = Rules::of(intake) else { return false };
    let path = Path::new(&case.path);
    let replaced = case.folder.is_some()
        && folder_at(path).is_some_and(|folder| case.folder.as_ref() != Some(&folder));
    match scan(path, &rules.scan, now) {
        Ok(tree) => {
            let changed = case.content.fingerprint.as_ref() != Some(&tree.fingerprint);
            replaced || changed || matches!(tree.writers, Writers::Open { .. })
        }
        // Gone, or moved by an earlier try: moving knows.
        Err(_) => replaced,
    }
}

fn of_results(error: &ResultsError) -> Fault {
    Fault::new(error.class(), chain(error))
}

fn transient(error: &dyn std::error::Error) -> Fault {
    Fault::new(FaultClass::TransientStep, chain(error))
}

/// An error with its causes, as one clause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
