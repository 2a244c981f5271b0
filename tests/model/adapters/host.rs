//! The headnode behind a passage.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::{AttemptId, ByteCount, HeadnodeName};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::fake::{Call, FakeHost, FakeMachine};
use daylily_watch::adapters::host::found::FoundAttempt;
use daylily_watch::adapters::host::shell::Owner;
use daylily_watch::adapters::host::{
    CleanOrder, Cleaned, FetchOrder, Fetched, Host, HostLook, Job, OutputFile, Progress, ShipOrder,
    Shipped,
};
use daylily_watch::clock::Clock;
use tokio_util::sync::CancellationToken;

use super::home::Home;
use crate::passage::Passage;
use crate::schedule::Lie;
use crate::time::{ModelClock, tenths};

/// How long a copy takes that nothing disturbs.
const COPYING: u32 = 7;

#[derive(Clone)]
pub(crate) struct ModelHost {
    host: FakeHost,
    machine: Arc<FakeMachine>,
    owner: Owner,
    home: Arc<Home>,
    clock: Arc<ModelClock>,
    passage: Passage,
    /// The `ship.lock`s that are held on the headnode, whoever holds them.
    shipping: Arc<ShipLocks>,
}

#[derive(Debug, Default)]
pub(crate) struct ShipLocks(Mutex<BTreeSet<String>>);

impl ShipLocks {
    fn take(self: &Arc<Self>, lock: &str) -> Option<ShipLock> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lock.to_owned());
        taken.then(|| ShipLock(self.clone(), lock.to_owned()))
    }
}

struct ShipLock(Arc<ShipLocks>, String);

impl Drop for ShipLock {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl ModelHost {
    pub(crate) fn new(
        machine: Arc<FakeMachine>,
        owner: Owner,
        home: Arc<Home>,
        clock: Arc<ModelClock>,
        passage: Passage,
        shipping: Arc<ShipLocks>,
    ) -> Self {
        let host = FakeHost::new(HeadnodeName::new("hpc"), machine.clone(), owner.clone());
        Self { host, machine, owner, home, clock, passage, shipping }
    }

    async fn call<T: Send + 'static, F>(
        &self,
        what: &'static str,
        deed: impl FnOnce(FakeHost) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let (host, machine, clock) = (self.host.clone(), self.machine.clone(), self.clock.clone());
        let deed = async move {
            machine.state().now = clock.now();
            deed(host).await
        };
        self.passage.call(what, deed).await
    }
}

#[async_trait::async_trait]
impl Host for ModelHost {
    fn name(&self) -> &HeadnodeName {
        self.host.name()
    }

    async fn own(&self, owned_before: bool) -> Result<(), Fault> {
        self.call("own", move |host| async move { host.own(owned_before).await }).await
    }

    async fn take_over(&self) -> Result<Option<String>, Fault> {
        self.call("take over", |host| async move { host.take_over().await }).await
    }

    async fn free_space(&self) -> Result<ByteCount, Fault> {
        self.call("ask for space", |host| async move { host.free_space().await }).await
    }

    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        let (order, stop) = (order.clone(), stop.clone());
        let (home, machine, clock) = (self.home.clone(), self.machine.clone(), self.clock.clone());
        let (owner, locks) = (self.owner.clone(), self.shipping.clone());
        let call = async move {
            let Some(_lock) = locks.take(&order.lock) else {
                let text = "another transfer to it has not ended";
                return Err(Fault::new(FaultClass::TransientStep, text));
            };
            machine.state().now = clock.now();
            machine.act(Call::FreeSpace, Some(&owner), |_| Ok(()))?;
            tokio::select! {
                biased;
                () = tokio::time::sleep(tenths(COPYING)) => {}
                () = stop.cancelled() => {
                    return Err(Fault::new(FaultClass::TransientStep, "the copy was stopped"));
                }
            }
            home.is_still(&order.source, &order.fingerprint)?;
            machine.state().now = clock.now();
            machine.act(Call::Ship, Some(&owner), |state| {
                if state.free.0 == 0 {
                    return Err(Fault::new(FaultClass::NoSpace, "no space left on device"));
                }
                *state.shipped.entry(order.dest.clone()).or_default() += 1;
                let digest = daylily_lifecycle::ids::Digest::new(order.fingerprint.as_str());
                Ok(Shipped { files: 1, bytes: ByteCount(1), digest: Some(digest) })
            })
        };
        let shipped = self.passage.call("ship", call).await;
        if let Ok(shipped) = &shipped {
            progress.files.store(shipped.files, std::sync::atomic::Ordering::Relaxed);
        }
        shipped
    }

    async fn prepare(&self, job: &Job) -> Result<(), Fault> {
        let job = job.clone();
        self.call("prepare", move |host| async move { host.prepare(&job).await }).await
    }

    async fn read(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault> {
        let (host, attempts) = (self.host.clone(), attempts.to_vec());
        let (machine, clock) = (self.machine.clone(), self.clock.clone());
        let blind = attempts.len();
        let deed = async move {
            machine.state().now = clock.now();
            host.read(&attempts).await
        };
        let lie = move |answer: Result<Vec<HostLook>, Fault>, lie| match lie {
            Lie::Blind => Ok(vec![
                HostLook::CouldNot {
                    why: "the attempt directory cannot be listed".to_owned()
                };
                blind
            ]),
            Lie::Empty | Lie::Over | Lie::Runs | Lie::Twice => answer,
        };
        self.passage.call_or("read", deed, Err, lie).await
    }

    async fn names(&self) -> Result<Vec<AttemptId>, Fault> {
        self.call("list names", |host| async move { host.names().await }).await
    }

    async fn list(&self) -> Result<Vec<FoundAttempt>, Fault> {
        self.call("list", |host| async move { host.list().await }).await
    }

    async fn clean(&self, order: &CleanOrder) -> Result<Cleaned, Fault> {
        let order = order.clone();
        self.call("clean", move |host| async move { host.clean(&order).await }).await
    }

    async fn take_claim(&self, attempt: &AttemptId) -> Result<ClaimedBy, Fault> {
        let attempt = attempt.clone();
        self.call("take claim", move |host| async move { host.take_claim(&attempt).await }).await
    }

    async fn end(&self, attempt: &AttemptId, force: Force) -> Result<(), Fault> {
        let attempt = attempt.clone();
        self.call("end", move |host| async move { host.end(&attempt, force).await }).await
    }

    async fn stop(&self, job: &Job, command: &str) -> Result<(), Fault> {
        let (job, command) = (job.clone(), command.to_owned());
        self.call("stop", move |host| async move { host.stop(&job, &command).await }).await
    }

    async fn outputs(&self, dir: &str, patterns: &[String]) -> Result<Vec<OutputFile>, Fault> {
        let (dir, patterns) = (dir.to_owned(), patterns.to_vec());
        self.call("list outputs", move |host| async move { host.outputs(&dir, &patterns).await })
            .await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        _progress: &Progress,
        _stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        let (order, home, machine) = (order.clone(), self.home.clone(), self.machine.clone());
        let owner = self.owner.clone();
        let deed = async move {
            machine.act(Call::Fetch, Some(&owner), |state| {
                let gone =
                    |path: &&String| !state.files.contains_key(&format!("{}/{path}", order.from));
                if let Some(path) = order.files.iter().find(gone) {
                    let text = format!("{path} is gone from {}", order.from);
                    return Err(Fault::new(FaultClass::TransientStep, text));
                }
                home.fetched(&order);
                let files = u64::try_from(order.files.len()).unwrap_or_default();
                Ok(Fetched { files, bytes: ByteCount(files) })
            })
        };
        self.passage.call("fetch", deed).await
    }

    async fn tail(&self, attempt: &AttemptId, bytes: u64) -> Result<String, Fault> {
        let attempt = attempt.clone();
        self.call("read the log", move |host| async move { host.tail(&attempt, bytes).await }).await
    }

    /// Rings as it will: a hint is no crash point.
    async fn bell(&self, limit: Duration) -> Result<bool, Fault> {
        self.host.bell(limit).await
    }
}
