//! Owns `state_dir/alive.json`: which daemon runs and when each of its loops last went
//! round, so that a loop that is stuck can be seen from outside. A loop that stands cannot
//! tell of it: somebody beside it does.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;

const FILE: &str = "alive.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    pub pid: u32,
    pub version: String,
    pub started_at: Timestamp,
    /// When this was written.
    pub at: Timestamp,
    /// When each loop last finished a round.
    pub loops: BTreeMap<String, Timestamp>,
    /// None: none of them stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangs: Option<Hangs>,
}

/// A loop that has begun something and does not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hangs {
    pub name: String,
    pub since: Timestamp,
}

/// From when on a loop that has begun a round is said to stand. Each goes round at least
/// every half second, however much there is to do.
const STANDS: Duration = Duration::from_secs(15);

/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the loops tell of themselves, and what is told of them.
pub struct Pulse {
    state_dir: PathBuf,
    clock: Arc<dyn Clock>,
    beat: Mutex<Beat>,
}

struct Beat {
    alive: Alive,
    /// What is under way, and since when, by both clocks.
    under_way: Option<(&'static str, Timestamp, Duration)>,
}

impl Pulse {
    pub(super) fn new(state_dir: &Path, clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        let alive = Alive {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            at: now,
            loops: BTreeMap::new(),
            hangs: None,
        };
        let beat = Mutex::new(Beat { alive, under_way: None });
        Self { state_dir: state_dir.to_owned(), clock, beat }
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A loop begins a round.
    pub(super) fn begins(&self, name: &'static str) {
        self.beat().under_way = Some((name, self.clock.now(), self.clock.monotonic()));
    }

    /// It has gone round.
    pub(super) fn done(&self, name: &'static str) {
        let mut beat = self.beat();
        beat.under_way = None;
        beat.alive.loops.insert(name.to_owned(), self.clock.now());
    }

    /// All of them have: it is told that they live.
    pub(super) fn tell(&self) -> std::io::Result<()> {
        let mut beat = self.beat();
        if let Some(hang) = beat.alive.hangs.take() {
            tracing::warn!(hang.name, %hang.since, "what stood goes on");
        }
        beat.alive.at = self.clock.now();
        write_alive(&self.state_dir, &beat.alive)
    }

    /// Tells of a loop that stands, once; `at` stays when they last told that they live.
    async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    fn look(&self) {
        let mut beat = self.beat();
        let Some((name, since, begun)) = beat.under_way else { return };
        if self.clock.monotonic().saturating_sub(begun) < STANDS || beat.alive.hangs.is_some() {
            return;
        }
        beat.alive.hangs = Some(Hangs { name: name.to_owned(), since });
        tracing::error!(name, %since, "the daemon stands: this does not come to its end");
        if let Err(error) = write_alive(&self.state_dir, &beat.alive) {
            tracing::warn!(%error, "alive.json cannot be written");
        }
    }

    /// A daemon that has ended leaves no file behind that says it lives.
    pub fn stops(&self) {
        if let Err(error) = std::fs::remove_file(self.state_dir.join(FILE)) {
            tracing::debug!(%error, "alive.json stays");
        }
    }

    /// Has somebody look beside the loops, who is gone when what is returned is.
    pub(super) fn watched(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(self.clone().watch()))
    }
}

/// What the file says. None: there is none, or it cannot be read.
pub fn read_alive(state_dir: &Path) -> Option<Alive> {
    let text = std::fs::read_to_string(state_dir.join(FILE)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Writes the file anew, whole or not at all. It is no record, so it is not synced.
fn write_alive(state_dir: &Path, alive: &Alive) -> std::io::Result<()> {
    let part = state_dir.join(".alive.json.part");
    let mut file = std::fs::File::create(&part)?;
    let text = serde_json::to_string_pretty(alive).map_err(std::io::Error::other)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    std::fs::rename(&part, state_dir.join(FILE))
}
