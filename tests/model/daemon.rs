//! Owns one daemon in the model: the real reconcilers on the real store, put together as
//! `app.rs` does, with adapters of the model. To kill it is to drop it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daylily_lifecycle::ids::HeadnodeName;
use daylily_watch::app::{self, VERSION};
use daylily_watch::chance::SeededChance;
use daylily_watch::clock::Clock as _;
use daylily_watch::config::Settings;
use daylily_watch::reconcile::driver::Driver;
use daylily_watch::reconcile::{Context, Node};
use daylily_watch::store::Store;
use daylily_watch::store::error::StoreError;
use tokio_util::sync::CancellationToken;

use crate::adapters::home::ModelHere;
use crate::adapters::host::ModelHost;
use crate::adapters::queue::ModelQueue;
use crate::ground::Ground;
use crate::passage::{Life, Passage, Points};

pub(crate) struct Daemon {
    pub(crate) driver: Driver,
    pub(crate) life: Arc<Life>,
    pub(crate) stop: CancellationToken,
    /// To ask for things as the command line does.
    pub(crate) store: Store,
}

/// Where a daemon keeps its state, and what outlives it.
pub(crate) struct Seat {
    pub(crate) settings: Settings,
    pub(crate) points: Arc<Points>,
    pub(crate) chance: Arc<SeededChance>,
}

impl Seat {
    pub(crate) fn state_dir(&self) -> &Path {
        &self.settings.state_dir
    }

    /// Starts a daemon on what is durable. None: it was killed on the way.
    pub(crate) async fn start(&self, ground: &Ground) -> Result<Option<Daemon>, StoreError> {
        let life = Arc::new(Life::default());
        let passage = Passage { life: life.clone(), points: self.points.clone() };
        let starting = self.put_together(ground, passage);
        tokio::select! {
            biased;
            () = life.ended() => Ok(None),
            put_together = starting => {
                let context = put_together?;
                let store = context.store.clone();
                let driver = Driver::new(context)?;
                Ok(Some(Daemon { driver, life: life.clone(), stop: CancellationToken::new(), store }))
            }
        }
    }

    async fn put_together(&self, ground: &Ground, passage: Passage) -> Result<Context, StoreError> {
        let (settings, clock) = (&self.settings, ground.clock.clone());
        let gate = Arc::new(passage.clone());
        let (store, opened) =
            Store::open_without_thread(self.state_dir(), clock.now(), VERSION, gate)?;
        let owner = app::owner(&opened);
        app::make_room(&store, settings).await?;
        let host = ModelHost::new(
            ground.machine.clone(),
            owner.clone(),
            ground.home.clone(),
            clock.clone(),
            passage.clone(),
            ground.shipping.clone(),
        );
        let node = Node {
            settings: settings.headnodes[0].clone(),
            host: Arc::new(host),
            queue: Arc::new(ModelQueue::new(ground.queue.clone(), passage.clone())),
            owner: owner.text(),
        };
        Ok(Context {
            settings: Arc::new(settings.clone()),
            store,
            clock,
            chance: self.chance.clone(),
            here: Arc::new(ModelHere::new(ground.home.clone(), passage)),
            nodes: Arc::new(BTreeMap::from([(HeadnodeName::new("hpc"), node)])),
        })
    }
}

/// A folder in memory where the machine has one: what is durable for the model need not
/// outlive a power cut.
pub(crate) fn temporary_folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a folder can be made")
}
