//! Our own code fails on one case: that case is held, and nothing else is touched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::case::{HoldWhy, StateName};
use daylily_lifecycle::ids::{AttemptId, ByteCount, CaseName, HeadnodeName, IntakeName};
use daylily_lifecycle::outcome::Fault;
use daylily_watch::adapters::host::found::FoundAttempt;
use daylily_watch::adapters::host::{
    CleanOrder, Cleaned, FetchOrder, Fetched, Host, HostLook, Job, OutputFile, Progress, ShipOrder,
    Shipped,
};
use daylily_watch::app;
use daylily_watch::config;
use daylily_watch::reconcile::driver::{Driver, Until};
use daylily_watch::reconcile::{Context, Node};
use tokio_util::sync::CancellationToken;

use crate::wait::{LIMIT, until_seen};

#[derive(Clone, Copy, PartialEq)]
enum At {
    Ship,
    Prepare,
    Outputs,
}

/// A host on which our own code fails at a step for the cases named `boom`.
struct Booming(Arc<dyn Host>, At);

#[async_trait::async_trait]
impl Host for Booming {
    fn name(&self) -> &HeadnodeName {
        self.0.name()
    }

    async fn own(&self, owned_before: bool) -> Result<(), Fault> {
        self.0.own(owned_before).await
    }

    async fn take_over(&self) -> Result<Option<String>, Fault> {
        self.0.take_over().await
    }

    async fn free_space(&self) -> Result<ByteCount, Fault> {
        self.0.free_space().await
    }

    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        assert!(self.1 != At::Ship || !order.source.ends_with("boom"), "index out of bounds");
        self.0.ship(order, progress, stop).await
    }

    async fn prepare(&self, job: &Job) -> Result<(), Fault> {
        assert!(self.1 != At::Prepare || job.name.as_str() != "boom", "index out of bounds");
        self.0.prepare(job).await
    }

    async fn read(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault> {
        self.0.read(attempts).await
    }

    async fn names(&self) -> Result<Vec<AttemptId>, Fault> {
        self.0.names().await
    }

    async fn list(&self) -> Result<Vec<FoundAttempt>, Fault> {
        self.0.list().await
    }

    async fn clean(&self, order: &CleanOrder) -> Result<Cleaned, Fault> {
        self.0.clean(order).await
    }

    async fn take_claim(&self, attempt: &AttemptId) -> Result<ClaimedBy, Fault> {
        self.0.take_claim(attempt).await
    }

    async fn end(&self, attempt: &AttemptId, force: Force) -> Result<(), Fault> {
        self.0.end(attempt, force).await
    }

    async fn stop(&self, job: &Job, command: &str) -> Result<(), Fault> {
        self.0.stop(job, command).await
    }

    async fn outputs(&self, dir: &str, patterns: &[String]) -> Result<Vec<OutputFile>, Fault> {
        assert!(self.1 != At::Outputs || !dir.ends_with("boom"), "index out of bounds");
        self.0.outputs(dir, patterns).await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        self.0.fetch(order, progress, stop).await
    }

    async fn tail(&self, attempt: &AttemptId, bytes: u64) -> Result<String, Fault> {
        self.0.tail(attempt, bytes).await
    }

    async fn bell(&self, limit: Duration) -> Result<bool, Fault> {
        self.0.bell(limit).await
    }
}

const CONFIG: &str = "
intakes: [{name: new, path: ./new, settle: {quiet: 100ms}, rescan: 1s}]
headnodes: [{name: here, host: local, work_dir: ./work, groups: [{name: default, slots: 2}]}]
pipelines: {default: {command: 'echo x >made', expect: [made]}}
poll: {min: 100ms, max: 1s}
";

fn booming(context: Context, at: At) -> Context {
    let nodes: BTreeMap<HeadnodeName, Node> = context
        .nodes
        .iter()
        .map(|(name, node)| {
            let host: Arc<dyn Host> = Arc::new(Booming(node.host.clone(), at));
            (name.clone(), Node { host, ..node.clone() })
        })
        .collect();
    Context { nodes: Arc::new(nodes), ..context }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_on_which_our_own_code_panics_is_held_and_stops_no_other() {
    let slots = panicking(At::Ship).await;
    assert_eq!(slots, 0, "nothing was handed over, so its slot is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_several_are_handed_over_holds_only_the_case_it_is_about() {
    assert_eq!(panicking(At::Prepare).await, 1, "whether it was handed over is not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_what_it_made_is_looked_for_keeps_no_place() {
    assert_eq!(panicking(At::Outputs).await, 0, "its end was seen");
}

/// Runs a good and a booming case; returns how many slots the held one has.
async fn panicking(at: At) -> usize {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, CONFIG).expect("it can be written");
    for name in ["boom", "good"] {
        let folder = dir.path().join("new").join(name);
        std::fs::create_dir_all(&folder).expect("it can be made");
        std::fs::write(folder.join("x"), name).expect("it can be written");
    }
    let settings = config::load(&file).expect("it is valid");
    let context = booming(app::assemble(settings).await.expect("it can be put together"), at);
    let store = context.store.clone();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let daemon = async move {
        let driver = Driver::new(context).expect("it can be made");
        driver.run(Until::Stopped, stopping).await.expect("the database is whole")
    };
    let watch = async {
        let find = |name: &'static str| {
            let store = store.clone();
            async move {
                let (intake, name) = (IntakeName::new("new"), CaseName::new(name));
                let found = store.read(move |reader| reader.find(&intake, &name)).await;
                found.expect("it can be read")
            }
        };
        until_seen("the good case has run", LIMIT, || async {
            find("good").await.is_some_and(|case| case.state.name() == StateName::Succeeded)
        })
        .await;
        until_seen("the other is held", LIMIT, || async {
            find("boom").await.is_some_and(|case| case.hold.is_some())
        })
        .await;
        let boom = find("boom").await.expect("it is there");
        let hold = boom.hold.as_ref().expect("it is held");
        assert_eq!(hold.why, HoldWhy::Panic);
        assert!(hold.reason.contains("index out of bounds"), "{}", hold.reason);
        let slots = boom.attempt().expect("it has one").tenure.slots().len();
        stop.cancel();
        slots
    };
    let (_, slots) = tokio::join!(daemon, watch);
    slots
}
