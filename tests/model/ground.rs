//! Owns what no daemon's death touches: the headnode with its jobs, its queue, the
//! folders of this machine, and time.

use std::collections::BTreeMap;
use std::sync::Arc;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::GroupName;
use daylily_watch::adapters::host::fake::{FakeMachine, Without};
use daylily_watch::adapters::queue::GroupLook;
use daylily_watch::adapters::queue::fake::FakeQueue;
use daylily_watch::clock::Clock as _;

use crate::adapters::home::Home;
use crate::adapters::host::ShipLocks;
use crate::time::ModelClock;

/// What cases run on, as configured.
pub(crate) const CONFIG: &str = "
timezone: Europe/Berlin
intakes:
  - {name: new, path: ./new, existing: process, settle: {quiet: 10s, no_writers: false}}
headnodes:
  - name: hpc
    host: local
    work_dir: /data/daylily
    queue: pueue
    groups: [{name: gpu, gpus: [0, 1]}, {name: cpu, slots: 2}]
pipelines: {default: {command: run, expect: ['*.bam']}}
results: {fetch: ['*.bam'], to: ./results}
poll: {min: 2s, max: 30s}
";

pub(crate) struct Ground {
    pub(crate) clock: Arc<ModelClock>,
    pub(crate) machine: Arc<FakeMachine>,
    pub(crate) queue: Arc<FakeQueue>,
    pub(crate) home: Arc<Home>,
    pub(crate) shipping: Arc<ShipLocks>,
}

impl Ground {
    pub(crate) fn new(without: Without) -> Self {
        let clock = Arc::new(ModelClock::begin());
        let machine = FakeMachine::new(clock.now());
        machine.state().without = without;
        let queue = Arc::new(FakeQueue::new(QueueKind::Pueue, machine.clone()));
        let group = |places| GroupLook { paused: false, places };
        *queue.groups() = Some(BTreeMap::from([
            (GroupName::new("gpu"), group(2)),
            (GroupName::new("cpu"), group(2)),
        ]));
        queue.is_run("1");
        let (home, shipping) = (Arc::default(), Arc::default());
        Self { clock, machine, queue, home, shipping }
    }
}
