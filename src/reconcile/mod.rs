//! Owns the work that never ends: looking, planning, granting, doing, reading. Each
//! reconciler takes no input, reads the database and the world, does what the state
//! asks for, and reports; what it could not do is asked for again. Reconcilers meet in
//! the database only.
//!
//! `driver` calls them in turn. `scan` looks at the intakes, `advance` plans cases,
//! `execute` does what plans ask for, `schedule` gives slots, `poll` reads attempts,
//! `requests` does what people ask for, `errands` what of it takes long (`adopt`,
//! `clean`), `prune` removes what has had its time. `reload` reads the configuration anew,
//! with which another driver goes on.

pub mod driver;
mod reload;
mod requests;
pub mod scan;
mod advance;
mod execute;
mod schedule;
mod poll;
mod contact;
mod prune;
pub mod here;
mod errands;
mod adopt;
mod unknown;
pub mod clean;
pub mod surroundings;
mod naming;
mod stop_file;
mod alive;
mod all_done;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use daylily_lifecycle::ids::{Actor, CaseId, HeadnodeName, IntakeName};
use daylily_lifecycle::observation::{Observation, Observed};
use daylily_lifecycle::record::Recorded;

use tokio::sync::Notify;
use ulid::Ulid;

use self::here::Here;
use crate::adapters::host::Host;
use crate::adapters::queue::Queue;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{HeadnodeSettings, IntakeSettings, Settings};
use crate::store::Store;
use crate::store::error::StoreError;

pub use alive::{Alive, Pulse, read_alive};
pub use stop_file::stop_file;

/// What every reconciler may use. It holds no state of its own.
#[derive(Clone)]
pub struct Context {
    pub settings: Arc<Settings>,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    /// The folders of this machine.
    pub here: Arc<dyn Here>,
    pub nodes: Arc<BTreeMap<HeadnodeName, Node>>,
}

/// A headnode with the means to work on it.
#[derive(Clone)]
pub struct Node {
    pub settings: HeadnodeSettings,
    pub host: Arc<dyn Host>,
    pub queue: Arc<dyn Queue>,
    /// As attempt directories of this daemon know it.
    pub owner: String,
}

impl Context {
    /// An observation of our own, now.
    pub(crate) fn seen(&self, what: Observation) -> Observed {
        Observed { at: self.clock.now(), actor: ourselves(), what }
    }

    /// Records what we saw of a case. Where our own code fails on it the case is held:
    /// it stops nothing but itself.
    pub(crate) async fn record(&self, case: CaseId, what: Observation) -> Pass<Recorded> {
        let text = match self.store.record(case.clone(), self.seen(what)).await {
            Err(StoreError::Panicked { text, .. }) => text,
            recorded => return recorded,
        };
        tracing::error!(case = %case, panic = %text, "our own code failed");
        let what = Observation::Panicked { text };
        match self.store.record(case, self.seen(what)).await {
            Err(StoreError::Panicked { text, .. }) => Ok(Recorded::Stale { why: text }),
            recorded => recorded,
        }
    }

    pub(crate) fn intake(&self, name: &IntakeName) -> Option<&IntakeSettings> {
        self.settings.intakes.iter().find(|intake| intake.name == *name)
    }

    pub(crate) fn node(&self, name: &HeadnodeName) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// A new id of something, made now.
    pub(crate) fn draw_id(&self) -> Ulid {
        self.chance.id(self.clock.now())
    }

    pub(crate) fn state_dir(&self) -> &PathBuf {
        &self.settings.state_dir
    }
}

/// The actor of what nobody asked for.
pub fn ourselves() -> Actor {
    Actor::new("daylily-watch")
}

/// What stops a reconciler: only the database. All else is recorded with a case, an
/// intake or a headnode.
pub type Pass<T> = Result<T, StoreError>;

/// Awaits writes together, so that they share commits. The first error ends it.
async fn all<T>(writes: impl IntoIterator<Item = impl Future<Output = Pass<T>>>) -> Pass<Vec<T>> {
    futures_util::future::try_join_all(writes).await
}

/// Work that wakes the driver when it has ended, however it ends.
fn ringing<F: Future>(wake: &Arc<Notify>, work: F) -> impl Future<Output = F::Output> + use<F> {
    struct Ring(Arc<Notify>);

    impl Drop for Ring {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    let ring = Ring(wake.clone());
    async move {
        let _ring = ring;
        work.await
    }
}

/// Runs what blocks on files beside the other tasks. A panic in it is ours.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
