//! Owns a headnode in memory with cases that were handed over, a clock that stands still
//! until it is moved, and a poller that reads when its time has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::case::Case;
use daylily_lifecycle::diagram;
use daylily_lifecycle::ids::{
    AttemptId, CaseId, CaseName, FolderIdentity, GroupName, HeadnodeName, Slot, TaskId,
};
use daylily_lifecycle::observation::{AttemptSeed, Observation};
use daylily_lifecycle::outcome::{Fault, FaultClass, QueueWord};
use daylily_lifecycle::record::Recorded;
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::adapters::host::fake::{Call, FakeHost, FakeMachine};
use crate::adapters::host::shell::Owner;
use crate::adapters::host::{Host, Job};
use crate::adapters::queue::fake::{FakeQueue, Listed};
use crate::adapters::queue::{Entry, GroupLook};
use crate::app::VERSION;
use crate::chance::SystemChance;
use crate::clock::{Clock as _, FakeClock};
use crate::config;
use crate::reconcile::here::disk::Disk;
use crate::reconcile::poll::Poller;
use crate::reconcile::{Context, Node};
use crate::store::Store;
use crate::store::places::Headnode;
use crate::store::read::Reader;

const CONFIG: &str = "
intakes: [{name: new, path: ./new}]
headnodes:
  - name: hpc
    host: local
    work_dir: ./work
    queue: pueue
    pueue: {create_groups: true, unpause_after_restart: true}
    groups: [{name: cpu, slots: 60}]
poll: {min: 2s, max: 30s}
";

pub(super) struct Stage {
    /// Its database goes with it.
    dir: TempDir,
    pub(super) context: Context,
    pub(super) clock: Arc<FakeClock>,
    pub(super) machine: Arc<FakeMachine>,
    pub(super) queue: Arc<FakeQueue>,
    pub(super) poller: Poller,
    pub(super) reader: Reader,
    made: u32,
}

pub(super) fn hpc() -> HeadnodeName {
    HeadnodeName::new("hpc")
}

pub(super) fn cpu() -> GroupName {
    GroupName::new("cpu")
}

pub(super) fn silence() -> Fault {
    Fault::new(FaultClass::TransientHost, "connection refused")
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with(|config| config.to_owned()).await
    }

    pub(super) async fn with(change: impl FnOnce(&str) -> String) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, change(CONFIG)).expect("it can be written");
        let settings = config::load(&file).expect("it is valid");
        let clock = Arc::new(FakeClock::new(diagram::at(0)));
        let (store, opened) =
            Store::open(&settings.state_dir, clock.now(), VERSION).expect("it opens");
        let owner = Owner {
            earlier: (opened.earlier.iter())
                .map(|(generation, word)| (generation.0, word.as_str().to_owned()))
                .collect(),
            ..Owner::of_start(opened.database.as_str(), opened.generation.0, opened.word.as_str())
        };
        let machine = FakeMachine::new(clock.now());
        let queue = Arc::new(FakeQueue::new(QueueKind::Pueue, machine.clone()));
        *queue.groups() = Some(BTreeMap::from([(cpu(), GroupLook { paused: false, places: 60 })]));
        let node = Node {
            settings: settings.headnodes[0].clone(),
            host: Arc::new(FakeHost::new(hpc(), machine.clone(), owner)),
            queue: queue.clone(),
            owner: "ours 1".to_owned(),
        };
        store.sync_headnodes(vec![hpc()]).await.expect("stored");
        store.sync_slots(hpc(), vec![(cpu(), vec![None; 60])]).await.expect("stored");
        let context = Context {
            settings: Arc::new(settings),
            store,
            clock: clock.clone(),
            chance: Arc::new(SystemChance),
            here: Arc::new(Disk::new(clock.clone())),
            nodes: Arc::new(BTreeMap::from([(hpc(), node)])),
        };
        let poller = Poller::new(context.clone(), Arc::new(Notify::new()));
        let reader = context.store.reader().expect("it opens");
        Self { dir, context, clock, machine, queue, poller, reader, made: 0 }
    }

    /// Nothing but the database is remembered.
    pub(super) fn restart(&mut self) {
        assert!(self.dir.path().is_dir());
        self.poller = Poller::new(self.context.clone(), Arc::new(Notify::new()));
    }

    pub(super) async fn record(&self, case: &CaseId, what: Observation) -> Case {
        let told = format!("{what:?}");
        let recorded = self.context.record(case.clone(), what).await.expect("stored");
        let Recorded::Changed(case) = recorded else { panic!("{recorded:?} of {told}") };
        *case
    }

    /// A case that is copied and has its place.
    pub(super) async fn submitting(&mut self) -> (CaseId, AttemptId) {
        let number = self.made;
        self.made += 1;
        let case = CaseId::new(format!("01JDCASE{number:018}"));
        let Observation::Appeared(mut appeared) = diagram::appeared(None) else {
            panic!("it is an appearance");
        };
        appeared.case = case.clone();
        appeared.name = CaseName::new(format!("HG{number:03}"));
        appeared.folder = Some(FolderIdentity::new(format!("1:{number}")));
        appeared.order.group = None;
        appeared.order.gpus = 0;
        let appeared = self.context.seen(Observation::Appeared(appeared));
        self.context.store.appear(appeared).await.expect("stored");
        let seed = diagram::seed(number + 1);
        let slot = Slot { headnode: hpc(), group: cpu(), slot: number, gpu: None };
        let attempt = seed.id.clone();
        let road = [
            diagram::scan("f1", true, &[]),
            Observation::Granted { attempt: AttemptSeed { ..seed }, slots: vec![slot] },
            Observation::Shipped {
                attempt: attempt.clone(),
                files: 1,
                bytes: daylily_lifecycle::ids::ByteCount(1),
                digest: None,
            },
        ];
        for what in road {
            self.record(&case, what).await;
        }
        (case, attempt)
    }

    /// A case whose job is in the queue, and was seen there.
    pub(super) async fn queued(&mut self) -> (CaseId, AttemptId) {
        let (case, attempt) = self.submitting().await;
        self.hand_over(&case, &attempt).await;
        self.tick().await;
        (case, attempt)
    }

    /// A case whose job runs, and was seen running.
    pub(super) async fn running(&mut self) -> (CaseId, AttemptId) {
        let (case, attempt) = self.submitting().await;
        self.hand_over(&case, &attempt).await;
        self.queue.start(&attempt).expect("it is in the list");
        self.tick().await;
        (case, attempt)
    }

    async fn hand_over(&self, case: &CaseId, attempt: &AttemptId) {
        self.own().await;
        let stored = self.case(case);
        let job = Job {
            attempt: attempt.clone(),
            intake: stored.intake.clone(),
            name: stored.name.clone(),
            arrival: stored.arrival,
            digest: None,
            number: 1,
            remote_name: stored.name.to_string(),
            dir: format!("/work/{}", stored.name),
            shell: vec!["sh".to_owned(), "-c".to_owned()],
            setup: None,
            command: "true".to_owned(),
            env: BTreeMap::new(),
            record: None,
        };
        let host: &dyn Host = &*self.context.nodes[&hpc()].host;
        host.prepare(&job).await.expect("it is prepared");
        self.add(attempt);
        let what = Observation::Submitted { attempt: attempt.clone(), task: None };
        self.record(case, what).await;
    }

    async fn own(&self) {
        self.context.nodes[&hpc()].host.own(false).await.expect("it is ours");
    }

    /// An entry of this label, as anybody may add one.
    pub(super) fn add(&self, attempt: &AttemptId) {
        let entry = Entry { attempt: attempt.clone(), group: cpu() };
        let mut list = self.queue.list();
        let task = TaskId::new(list.len().to_string());
        list.push(Listed { entry, task, says: QueueWord::Waiting });
    }

    pub(super) fn case(&self, id: &CaseId) -> Case {
        self.reader.case(id).expect("it can be read").expect("it is there")
    }

    pub(super) fn node(&self) -> Headnode {
        self.reader.headnode(&hpc()).expect("it can be read").expect("it is there")
    }

    /// Reads at once, as after something was started there.
    pub(super) async fn tick(&mut self) {
        self.poller.hurry(&hpc());
        self.read().await;
    }

    /// Lets time pass, a second at a time; what is due meanwhile is read.
    pub(super) async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            let now = self.clock.now();
            self.machine.state().now = now;
            self.read().await;
        }
    }

    async fn read(&mut self) {
        self.poller.start(&self.reader, |_| false).expect("it can be read");
        let done = async {
            while self.poller.nodes.values().any(|node| node.in_flight.is_some()) {
                tokio::task::yield_now().await;
                self.poller.collect().expect("it is stored");
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, done).await.expect("a reading ends");
    }

    pub(super) fn calls(&self, call: Call) -> u64 {
        self.machine.calls(call)
    }

    /// How often something is called while this happens.
    pub(super) async fn calls_within(&mut self, call: Call, seconds: u64) -> u64 {
        let before = self.calls(call);
        self.pass(seconds).await;
        self.calls(call) - before
    }

    pub(super) fn age(&self, of: jiff::Timestamp) -> SignedDuration {
        self.clock.now().duration_since(of)
    }
}
