//! Owns one state_dir of a world, and the daemon that is perhaps on it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use daylily_watch::app::VERSION;
use daylily_watch::chance::SeededChance;
use daylily_watch::store::read::Reader;
use tempfile::TempDir;
use tokio::time::Instant;

use super::settings;
use crate::daemon::{Daemon, Seat, temporary_folder};
use crate::ground::Ground;
use crate::laws::Laws;
use crate::passage::Points;
use crate::time::instant;

/// A state_dir, and perhaps somebody on it.
pub(crate) struct Chair {
    pub(crate) seat: Seat,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) laws: Laws,
    pub(crate) reader: Option<Reader>,
    /// When its daemon has something to do by itself.
    pub(super) next: Instant,
}

impl Chair {
    pub(super) fn new(
        dir: &TempDir,
        at: usize,
        seed: u64,
        points: Arc<Points>,
        told: bool,
    ) -> Self {
        let mut settings = settings().clone();
        settings.state_dir = dir.path().join(at.to_string());
        std::fs::create_dir(&settings.state_dir).expect("a folder can be made");
        if at == 0 {
            copy_of_a_new_database(&settings.state_dir);
        }
        Self {
            seat: Seat { settings, points, chance: Arc::new(SeededChance::new(seed)) },
            daemon: None,
            laws: Laws::new(told),
            reader: None,
            next: instant(),
        }
    }

    /// Whether the daemon has come to its beginning alive.
    pub(super) async fn start(&mut self, ground: &Ground) -> bool {
        let started = self.seat.start(ground).await.expect("the database is whole");
        if started.is_none() {
            rest().await;
        }
        self.daemon = started;
        self.next = instant();
        if self.reader.is_none() {
            let reader = Reader::open(self.seat.state_dir(), VERSION);
            self.reader = Some(reader.expect("the database is there"));
        }
        self.daemon.is_some()
    }

    /// Everything of a killed daemon is gone but its files.
    pub(super) async fn leave(&mut self, ground: &Ground) {
        self.daemon = None;
        ground.home.is_unwatched();
        rest().await;
    }

    /// A daemon that is told to stop lets end what it has begun.
    pub(super) async fn end(&mut self, daemon: Daemon, ground: &Ground) {
        let Daemon { driver, stop, life, store } = daemon;
        drop(store);
        let ended = driver.run(daylily_watch::reconcile::driver::Until::Stopped, stop);
        tokio::select! {
            biased;
            () = life.ended() => {}
            ended = ended => drop(ended.expect("the database is whole")),
        }
        self.leave(ground).await;
    }
}

/// Lets tasks go that were aborted, and with them what they hold.
async fn rest() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// A database as the first start makes it: made once, copied for each life.
fn copy_of_a_new_database(state_dir: &Path) {
    static NEW: OnceLock<Vec<u8>> = OnceLock::new();
    let new = NEW.get_or_init(|| {
        let dir = temporary_folder();
        let now = crate::time::beginning();
        let (store, _) = daylily_watch::store::Store::open(dir.path(), now, VERSION)
            .expect("a new database can be made");
        drop(store);
        let copy = dir.path().join("copy.db");
        Reader::open(dir.path(), VERSION)
            .and_then(|reader| reader.back_up(&copy))
            .expect("it can be copied");
        std::fs::read(copy).expect("it can be read")
    });
    std::fs::write(state_dir.join("daylily.db"), new).expect("it can be written");
}
