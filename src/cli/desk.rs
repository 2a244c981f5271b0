//! Owns what every verb about cases begins with: the configuration, the database, what
//! is known of the daemon, and the first lines of every output. It changes nothing.

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
    None,
}

impl Daemon {
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
        match read_alive(&self.settings.state_dir) {
            Some(alive) if self.later().duration_since(alive.at) <= ALIVE_FOR => {
                Daemon::Running(alive)
            }
            Some(alive) => Daemon::Silent(alive),
            None => Daemon::None,
        }
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
                printer.say(format!("no daemon is running, the last was seen at {at}: {known}"))?;
            }
            Daemon::None => printer.say(format!("no daemon is running: {known}"))?,
        }
        Ok(())
    }
}

/// Opens the desk for a verb and lets it do its work there.
pub(super) fn at(global: &Global, work: impl FnOnce(&Desk) -> Outcome) -> Outcome {
    work(&Desk::open(global)?)
}
