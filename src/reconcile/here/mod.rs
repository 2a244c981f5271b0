//! The contract of this machine's side of a case: the intakes with their folders, and the
//! places where results and logs are kept. Every method may be called again after a
//! crash; what it did the first time is found and not done twice.

pub mod disk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{AttemptId, ByteCount, Digest};
use daylily_lifecycle::observation::Scanned;
use daylily_lifecycle::outcome::Fault;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::adapters::host::Progress;
use crate::config::{IntakeSettings, Settings};
use crate::intake::directory::listing::Found;
use crate::intake::directory::root::RootLook;
use crate::intake::directory::watch::WatchNews;
use crate::results::{Placement, Summary};

#[async_trait::async_trait]
pub trait Here: Send + Sync + 'static {
    /// Begins to tell of changes in an intake. What is told is a hint: it may be late or
    /// lost.
    fn watch(&self, intake: &IntakeSettings, tell: Tell) -> Box<dyn Watch>;

    /// Looks at an intake's root. `remembered` is the mount that was there before.
    async fn look(&self, intake: &IntakeSettings, remembered: Option<&str>) -> RootLook;

    /// Why a folder whose name is new counts as being here before the first start.
    async fn baseline(
        &self,
        intake: &IntakeSettings,
        found: &Found,
        first_look: bool,
        now: Timestamp,
    ) -> Option<String>;

    /// Scans a case's folder and judges what it saw.
    async fn scan(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Scan, Fault>;

    /// Whether a case's folder is gone from an intake that can be read.
    async fn is_gone(&self, case: &Case, intake: &IntakeSettings, remembered: Option<&str>)
    -> bool;

    /// Reads the whole content of a case's folder. None: it was stopped.
    async fn digest(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        stop: &CancellationToken,
    ) -> Result<Option<Digest>, Fault>;

    /// Compares a case's files with its manifest.
    async fn compare(
        &self,
        case: &Case,
        intake: &IntakeSettings,
        progress: &Arc<Progress>,
        stop: &CancellationToken,
    ) -> Result<Comparison, Fault>;

    /// Whether the results of this very attempt have their place.
    fn is_placed(&self, placement: &Placement) -> Result<bool, Fault>;

    /// Gives fetched results their place, whole; earlier ones are kept.
    async fn place(&self, placement: Placement, summary: Summary) -> Result<Placed, Fault>;

    /// Keeps the end of a failed run's output.
    async fn keep_log(&self, state_dir: &Path, attempt: &AttemptId, log: &str)
    -> Result<(), Fault>;

    /// Moves a case's folder out of its intake. None: it is another by now, and stays.
    async fn move_folder(&self, order: MoveOrder) -> Result<Option<PathBuf>, Fault>;
}

/// Takes news of an intake; it is not to block.
pub type Tell = Arc<dyn Fn(WatchNews) + Send + Sync>;

/// The watches of one intake. Neither method waits for what it asks for.
pub trait Watch: Send {
    /// Watches these cases whole from now on, and those no more. What changed in the new
    /// ones before they were watched is told of.
    fn follow(&mut self, gone: Vec<PathBuf>, new: Vec<PathBuf>, at: Timestamp);

    /// Watches anew: what is at the root's path is another folder.
    fn rewatch(&mut self);
}

#[derive(Debug)]
pub enum Scan {
    Saw(Box<Scanned>),
    /// The folder is not there. Whether the case is gone is told by [`Here::is_gone`].
    Vanished,
}

#[derive(Debug)]
pub enum Comparison {
    Done {
        manifest: String,
        problems: Vec<String>,
    },
    /// The manifest is another one by now: a scan shows it.
    Another,
    Stopped,
}

#[derive(Debug)]
pub struct Placed {
    pub path: PathBuf,
    pub files: u64,
    pub bytes: ByteCount,
}

#[derive(Debug, Clone)]
pub struct MoveOrder {
    pub case: Case,
    pub intake: IntakeSettings,
    pub to: PathBuf,
    /// The name it gets there.
    pub name: String,
    pub attempt: AttemptId,
    pub now: Timestamp,
}
