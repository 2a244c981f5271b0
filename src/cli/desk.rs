//! Owns what every verb about cases begins with: the configuration, the database, what
//! is known of the daemon, and the first lines of every output. It changes nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daylily_lifecycle::explain::{self, Clock};
use daylily_lifecycle::policy::Pause;
use jiff::{SignedDuration, Timestamp};

use super::Outcome;
use super::args::Global;
use super::printer::Printer;
use super::words;
use crate::app::VERSION;
use crate::clock::{self, SystemClock};
use crate::config::{self, Settings};
use crate::reconcile::{Alive, read_alive, stop_file};
use crate::store::error::StoreError;
use crate::store::lock::{self, Lock};
use crate::store::read::Reader;

/// A daemon tells every five seconds that it lives.
const ALIVE_FOR: SignedDuration = SignedDuration::from_secs(15);

/// What a verb works with.
pub struct Desk {
    pub settings: Settings,
    pub reader: Reader,
    /// When the verb began: all ages are from here.
    pub now: Timestamp,
    clock: Arc<dyn clock::Clock>,
}

/// What is known of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Daemon {
    Running(Alive),
    /// It has not told for a while that it lives.
    Silent(Alive),
    /// It was killed: it has not said that it ends, and nobody holds its lock.
    Ended(Alive),
    /// What it tells is there and cannot be read by whoever asks: another user, mostly.
    Unknown(PathBuf),
    None,
}

impl Daemon {
    /// What `state_dir` tells at this moment.
    pub(super) fn of(state_dir: &Path, now: Timestamp) -> Self {
        let Some(alive) = read_alive(state_dir) else { return Self::untold(state_dir) };
        match lock::look(state_dir) {
            Lock::Free => Self::Ended(alive),
            // Where the lock is not ours to open, how long ago it told is all there is.
            Lock::Held | Lock::Unknown if now.duration_since(alive.at) <= ALIVE_FOR => {
                Self::Running(alive)
            }
            Lock::Held | Lock::Unknown => Self::Silent(alive),
        }
    }

    /// Without a file that tells of it.
    fn untold(state_dir: &Path) -> Self {
        let file = state_dir.join("alive.json");
        match std::fs::File::open(&file) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Self::Unknown(file),
            Ok(_) | Err(_) => Self::None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }
}

impl Desk {
    /// By the configuration that is named or found.
    pub fn open(global: &Global) -> anyhow::Result<Self> {
        let file = config::find(global.config.as_deref())?;
        Ok(Self::new(config::load(&file)?, Arc::new(SystemClock))?)
    }

    pub fn new(settings: Settings, clock: Arc<dyn clock::Clock>) -> Result<Self, StoreError> {
        let reader = Reader::open(&settings.state_dir, VERSION)?;
        Ok(Self { settings, reader, now: clock.now(), clock })
    }

    /// How instants are written.
    pub(super) fn clock(&self) -> Clock<'_> {
        Clock { zone: &self.settings.time_zone, now: self.now }
    }

    /// Now, not when the verb began; for verbs that go on.
    pub(super) fn later(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn daemon(&self) -> Daemon {
        Daemon::of(&self.settings.state_dir, self.later())
    }

    /// The red button, by the file or by the command.
    pub(super) fn stopped(&self) -> Result<Option<Pause>, StoreError> {
        Ok(stop_file(&self.settings.state_dir).or(self.reader.stopped()?))
    }

    /// The first line of every output while the red button is pressed. Data that a
    /// program reads stays as it is: there the line is talk.
    pub(super) fn banner(&self, printer: &mut Printer, json: bool) -> anyhow::Result<()> {
        if let Some(pause) = self.stopped()? {
            let banner = words::plain(&explain::stopped_banner(&pause, self.clock()));
            if json { printer.say(banner)? } else { printer.line(banner)? }
        }
        Ok(())
    }

    /// What a reading verb begins with: the red button, and whether anybody keeps the
    /// database up to date.
    pub(super) fn begin(&self, printer: &mut Printer, json: bool) -> anyhow::Result<()> {
        self.banner(printer, json)?;
        let known = "what is shown is what was last known";
        match self.daemon() {
            Daemon::Running(_) => {}
            Daemon::Silent(alive) => {
                let at = self.clock().at_second(alive.at);
                let who = format!("the daemon (process {})", alive.pid);
                printer.say(format!("{who} has not told since {at} that it lives: {known}"))?;
                printer.say("hint: `daylily-watch check` says more")?;
            }
            Daemon::Ended(alive) => {
                let at = self.clock().at_second(alive.at);
                printer.say(format!("no daemon is running, the last was seen at {at}: {known}"))?;
            }
            Daemon::Unknown(file) => printer.say(format!("{}: {known}", not_known(&file)))?,
            Daemon::None => printer.say(format!("no daemon is running: {known}"))?,
        }
        Ok(())
    }
}

/// Whether a daemon runs, where that cannot be told.
pub(super) fn not_known(file: &Path) -> String {
    format!("whether a daemon runs is not known: {} cannot be read", file.display())
}

/// Opens the desk for a verb and lets it do its work there.
pub(super) fn at(global: &Global, work: impl FnOnce(&Desk) -> Outcome) -> Outcome {
    work(&Desk::open(global)?)
}
