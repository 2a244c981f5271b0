//! Owns a daemon over a headnode in memory: real folders and a real database, a clock
//! that runs as fast as the test looks, and a queue that starts what it is told to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::{Actor, AttemptId, CaseName, HeadnodeName, IntakeName};
use daylily_lifecycle::policy::HeadnodeState;
use daylily_watch::adapters::host::fake::{Call, FakeHost, FakeMachine};
use daylily_watch::adapters::host::shell::Owner;
use daylily_watch::adapters::queue::fake::FakeQueue;
use daylily_watch::app::VERSION;
use daylily_watch::chance::SystemChance;
use daylily_watch::clock::{Clock as _, FakeClock, SystemClock};
use daylily_watch::config;
use daylily_watch::reconcile::driver::{Driver, Until};
use daylily_watch::reconcile::here::disk::Disk;
use daylily_watch::reconcile::{Context, Node};
use daylily_watch::store::Store;
use daylily_watch::store::read::Reader;
use daylily_watch::store::requests::NewRequest;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::wait::{LIMIT, until_seen};

const CONFIG: &str = "
intakes:
  - {name: new, path: ./new, existing: process, rescan: 5s, settle: {quiet: 1s, no_writers: false}}
headnodes:
  - {name: here, host: local, work_dir: ./work, queue: pueue, groups: [{name: cpu, slots: 4}]}
pipelines: {default: {command: 'true'}}
poll: {min: 2s, max: 30s}
";

/// How far the clock goes each time the test looks.
const STEP: Duration = Duration::from_millis(200);

pub(super) struct Stage {
    dir: TempDir,
    clock: Arc<FakeClock>,
    machine: Arc<FakeMachine>,
    queue: Arc<FakeQueue>,
}

fn here() -> HeadnodeName {
    HeadnodeName::new("here")
}

impl Stage {
    pub(super) fn new(cases: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("config.yaml"), CONFIG).expect("it can be written");
        // Folders are as old as the files in them, so the clock is a little ahead.
        let clock = FakeClock::new(SystemClock.now());
        clock.advance(Duration::from_secs(3600));
        let machine = FakeMachine::new(clock.now());
        let queue = Arc::new(FakeQueue::new(QueueKind::Pueue, machine.clone()));
        let stage = Self { dir, clock: Arc::new(clock), machine, queue };
        for case in cases {
            stage.add_case(case);
        }
        stage
    }

    pub(super) fn add_case(&self, name: &str) {
        let folder = self.dir.path().join("new").join(name);
        std::fs::create_dir_all(&folder).expect("it can be made");
        std::fs::write(folder.join("a.txt"), name).expect("it can be written");
    }

    pub(super) fn machine(&self) -> &FakeMachine {
        &self.machine
    }

    /// Everything that was tried there beside looking whether it answers.
    pub(super) fn steps_tried(&self) -> u64 {
        let state = self.machine.state();
        let probing = [Call::Own, Call::Words, Call::Read, Call::FreeSpace];
        let steps = state.calls.iter().filter(|(call, _)| !probing.contains(call));
        steps.map(|(_, count)| count).sum()
    }

    pub(super) fn queue(&self) -> &FakeQueue {
        &self.queue
    }

    /// Runs the daemon as long as `visit` lasts.
    pub(super) async fn open(&self, visit: impl AsyncFnOnce(&Self)) {
        let driver = Driver::new(self.context().await).expect("it can be made");
        let stop = CancellationToken::new();
        let visit = async {
            // A visit that fails ends the daemon with it.
            let _stop = stop.clone().drop_guard();
            visit(self).await;
        };
        let (ended, ()) = tokio::join!(driver.run(Until::Stopped, stop.clone()), visit);
        ended.expect("the database is whole");
    }

    async fn context(&self) -> Context {
        let settings = config::load(&self.dir.path().join("config.yaml")).expect("it is valid");
        let (store, opened) =
            Store::open(&settings.state_dir, self.clock.now(), VERSION).expect("it opens");
        let owner = Owner {
            earlier: (opened.earlier.iter())
                .map(|(generation, word)| (generation.0, word.as_str().to_owned()))
                .collect(),
            ..Owner::of_start(opened.database.as_str(), opened.generation.0, opened.word.as_str())
        };
        store.sync_intakes(vec![IntakeName::new("new")]).await.expect("stored");
        store.sync_headnodes(vec![here()]).await.expect("stored");
        let groups = settings.headnodes[0].groups.iter();
        let groups = groups.map(|group| (group.name.clone(), group.slots.clone())).collect();
        store.sync_slots(here(), groups).await.expect("stored");
        let node = Node {
            settings: settings.headnodes[0].clone(),
            host: Arc::new(FakeHost::new(here(), self.machine.clone(), owner)),
            queue: self.queue.clone(),
            owner: "ours 1".to_owned(),
        };
        Context {
            settings: Arc::new(settings),
            store,
            clock: self.clock.clone(),
            chance: Arc::new(SystemChance),
            here: Arc::new(Disk::new(self.clock.clone())),
            nodes: Arc::new(BTreeMap::from([(here(), node)])),
        }
    }

    fn state_dir(&self) -> std::path::PathBuf {
        Path::new(self.dir.path()).join("state")
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.state_dir(), VERSION).expect("it opens")
    }

    fn find(&self, name: &str) -> Option<Case> {
        let reader = self.reader();
        reader.find(&IntakeName::new("new"), &CaseName::new(name)).expect("it can be read")
    }

    pub(super) fn case(&self, name: &str) -> Case {
        self.find(name).expect("it is there")
    }

    pub(super) fn cases(&self) -> Vec<Case> {
        self.reader().live_cases().expect("it can be read")
    }

    pub(super) fn headnode(&self) -> HeadnodeState {
        let node = self.reader().headnode(&here()).expect("it can be read");
        node.expect("it is there").state
    }

    pub(super) fn attempt(&self, name: &str) -> AttemptId {
        self.case(name).attempt().expect("it has one").id.clone()
    }

    fn go_on(&self, by: Duration) {
        self.clock.advance(by);
        self.machine.state().now = self.clock.now();
    }

    /// Waits for a condition while the clock goes on.
    pub(super) async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        until_seen(what, LIMIT * 2, || {
            self.go_on(STEP);
            let holds = holds(self);
            async move { holds }
        })
        .await;
    }

    pub(super) async fn until_state(&self, name: &str, state: StateName) {
        self.until(&format!("{name} is {state}"), |stage| {
            stage.find(name).is_some_and(|case| case.state.name() == state)
        })
        .await;
    }

    pub(super) async fn until_because(&self, name: &str, words: &str) {
        self.until(&format!("{name} says {words:?}"), |stage| {
            let rows = stage.reader().board(10).expect("it can be read");
            rows.iter().any(|row| row.name.as_str() == name && row.because.contains(words))
        })
        .await;
    }

    pub(super) async fn until_headnode(&self, what: &str, holds: impl Fn(&HeadnodeState) -> bool) {
        self.until(what, |stage| holds(&stage.headnode())).await;
    }

    /// Waits until so many cases have their place.
    pub(super) async fn until_taken(&self, count: usize) {
        self.until("the cases have their places", |stage| {
            stage.cases().iter().filter(|case| case.attempt().is_some()).count() == count
        })
        .await;
    }

    /// Lets so many seconds pass in pieces, each long enough for the daemon to go round.
    pub(super) async fn passes(&self, seconds: u64) {
        let alive = |stage: &Self| {
            daylily_watch::reconcile::read_alive(&stage.state_dir()).map(|alive| alive.at)
        };
        let piece = (seconds / 20).max(10);
        for _ in 0..seconds.div_ceil(piece) {
            let before = alive(self);
            self.go_on(Duration::from_secs(piece));
            until_seen("the daemon goes round", LIMIT, || async { alive(self) > before }).await;
        }
    }

    /// The queue gives the job of a case its place.
    pub(super) async fn start(&self, name: &str) {
        let attempt = self.attempt(name);
        self.queue.start(&attempt).expect("it is in the list");
    }

    /// The job of a case ends well.
    pub(super) async fn finish(&self, name: &str) {
        self.machine.finish(&self.attempt(name), Some(0), None);
        self.queue.notice_ends();
    }

    /// As a person types it.
    pub(super) async fn resume(&self) {
        let mut args = serde_json::Map::new();
        args.insert("headnode".to_owned(), "here".into());
        let request = NewRequest {
            at: self.clock.now(),
            actor: Actor::new("anna"),
            verb: "resume".to_owned(),
            target: String::new(),
            args,
            reason: None,
        };
        let state = self.state_dir();
        let file = daylily_watch::store::requests::file(&state, VERSION, &request);
        file.expect("it is filed");
    }
}
