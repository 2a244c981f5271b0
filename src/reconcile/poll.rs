//! Reads what became of the attempts on each headnode: one question to the queue and
//! one reading of the attempt directories for all of them, more often while something
//! happens, at once when the doorbell rings. One reading of a headnode is under way at a
//! time, and where it does not answer that reading is the only thing that is tried.

mod groups;
mod left_over;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::backoff::is_due;
use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::policy::{HeadnodeState, Part};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::{Context, Node, Pass, ringing};
use crate::store::places::Headnode;
use crate::store::read::Reader;

use reading::Work;
pub(super) use reading::{look_at, read_after};

/// How long directories may go unread of jobs that the queue says are running.
const READ_ALL: Duration = Duration::from_secs(60);

/// How long one wait at the doorbell lasts.
const BELL: Duration = Duration::from_secs(30);

pub(super) struct Poller {
    context: Context,
    nodes: BTreeMap<HeadnodeName, NodePoll>,
    tasks: JoinSet<Pass<Polled>>,
    rang: Arc<Notify>,
}

struct NodePoll {
    /// Its work_dir is known to be ours in this generation.
    owned: bool,
    /// On the monotonic clock.
    next: Duration,
    interval: Duration,
    /// The reading that is under way.
    in_flight: Option<Id>,
    /// Whether its time had come, or something happened.
    in_turn: bool,
    /// Asked for while one was under way.
    hurried: bool,
    /// When all directories were read last, on the monotonic clock.
    read_all: Option<Duration>,
    /// It goes with its poller, however that goes.
    bell: Option<AbortOnDropHandle<()>>,
    rung: Arc<std::sync::atomic::AtomicBool>,
}

#[derive(Debug)]
pub(super) struct Polled {
    headnode: HeadnodeName,
    owned: bool,
    /// Something was recorded, or something is about to happen.
    lively: bool,
    watched: bool,
    /// The host has answered.
    answered: bool,
    /// The directories of all attempts were read.
    read_all: bool,
    /// When what does not answer is tried again.
    next_try: Option<Timestamp>,
}

impl Poller {
    pub(super) fn new(context: Context, rang: Arc<Notify>) -> Self {
        let nodes = context.nodes.keys().map(|name| {
            let node = NodePoll {
                owned: false,
                next: Duration::ZERO,
                interval: context.settings.poll.min,
                in_flight: None,
                in_turn: false,
                hurried: false,
                read_all: None,
                bell: None,
                rung: Arc::default(),
            };
            (name.clone(), node)
        });
        let nodes = nodes.collect();
        Self { context, nodes, tasks: JoinSet::new(), rang }
    }

    /// Something was just started or ended there.
    pub(super) fn hurry(&mut self, headnode: &HeadnodeName) {
        if let Some(node) = self.nodes.get_mut(headnode) {
            node.next = Duration::ZERO;
            node.hurried = true;
            node.interval = self.context.settings.poll.min;
        }
    }

    /// What is stored of headnodes was changed by a person, who waits.
    pub(super) fn hurry_all(&mut self) {
        let names: Vec<HeadnodeName> = self.nodes.keys().cloned().collect();
        for name in &names {
            self.hurry(name);
        }
    }

    /// Whether a headnode's work_dir is known to be ours.
    pub(super) fn is_ours(&self, headnode: &HeadnodeName) -> bool {
        self.nodes.get(headnode).is_some_and(|node| node.owned)
    }

    pub(super) fn is_reading(&self, headnode: &HeadnodeName) -> bool {
        self.nodes.get(headnode).is_some_and(|node| node.in_flight.is_some())
    }

    /// Whether it is not known yet whose work_dir it is, and will be soon.
    pub(super) fn is_to_be_owned(&self, reader: &Reader, headnode: &HeadnodeName) -> Pass<bool> {
        let Some(node) = self.nodes.get(headnode) else { return Ok(false) };
        let stored = reader.headnode(headnode)?;
        Ok(!node.owned && stored.is_none_or(|stored| stored.state == HeadnodeState::Ok))
    }

    /// Starts a reading of each headnode whose time has come, apart from those that are
    /// being adopted.
    pub(super) fn start(
        &mut self,
        reader: &Reader,
        adopting: impl Fn(&HeadnodeName) -> bool,
    ) -> Pass<()> {
        let now = self.context.clock.now();
        let monotonic = self.context.clock.monotonic();
        for (name, poll) in &mut self.nodes {
            // A ring during a reading asks for another: what it tells of may be read already.
            if poll.in_flight.is_some() || adopting(name) {
                continue;
            }
            let rung = poll.rung.swap(false, std::sync::atomic::Ordering::Relaxed);
            if poll.next > monotonic && !rung {
                continue;
            }
            let Some(node) = self.context.node(name) else { continue };
            let Some(stored) = reader.headnode(name)? else { continue };
            if let Some(wait) = not_now(&stored, poll.owned, now) {
                poll.next = monotonic + wait.unwrap_or(self.context.settings.poll.max);
                continue;
            }
            let running = reader.running(name)?;
            // One that comes out of its turn says nothing of how quiet it is there.
            poll.in_turn = !rung && !poll.hurried;
            let read_all = !poll.in_turn
                || poll.read_all.is_none_or(|at| monotonic.saturating_sub(at) >= READ_ALL);
            let work = Work {
                context: self.context.clone(),
                node: node.clone(),
                stored,
                owned: poll.owned,
                running,
                read_all,
            };
            poll.hurried = false;
            poll.in_flight = Some(self.tasks.spawn(ringing(&self.rang, work.read())).id());
        }
        Ok(())
    }

    /// Takes in the readings that are done. True: another work_dir is known to be ours.
    pub(super) fn collect(&mut self) -> Pass<bool> {
        let mut turned = false;
        while let Some(joined) = self.tasks.try_join_next() {
            let polled = match joined {
                Ok(polled) => polled?,
                Err(error) => {
                    tracing::error!(%error, "a reading failed by our own fault");
                    let id = error.id();
                    for node in self.nodes.values_mut().filter(|node| node.in_flight == Some(id)) {
                        node.in_flight = None;
                        node.next = self.context.clock.monotonic() + self.context.settings.poll.max;
                    }
                    continue;
                }
            };
            let settings = self.context.settings.poll;
            let monotonic = self.context.clock.monotonic();
            if let Some(poll) = self.nodes.get_mut(&polled.headnode) {
                poll.in_flight = None;
                turned |= polled.owned && !poll.owned;
                poll.owned = polled.owned;
                if polled.read_all {
                    poll.read_all = Some(monotonic);
                }
                poll.interval = if polled.lively {
                    settings.min
                } else if poll.in_turn {
                    (poll.interval * 2).clamp(settings.min, settings.max)
                } else {
                    poll.interval
                };
                let now = self.context.clock.now();
                let wait = match polled.next_try {
                    // Of a queue alone: what runs is looked at as ever meanwhile.
                    Some(at) if polled.answered => until(at, now).min(poll.interval),
                    Some(at) => until(at, now),
                    None => poll.interval,
                };
                poll.next = if poll.hurried { monotonic } else { monotonic + wait };
                if let Some(node) = self.context.node(&polled.headnode) {
                    // Where nobody answers, a doorbell would be one more try.
                    let wanted = polled.watched && polled.owned && polled.answered;
                    listen(poll, node, wanted, &self.rang);
                }
            }
        }
        Ok(turned)
    }

    /// When the next reading is due, on the monotonic clock.
    pub(super) fn next(&self) -> Option<Duration> {
        self.nodes.values().filter(|node| node.in_flight.is_none()).map(|node| node.next).min()
    }

    pub(super) async fn shut_down(mut self) {
        for node in self.nodes.values_mut() {
            node.bell = None;
        }
        self.tasks.shutdown().await;
    }
}

/// How long a headnode is left alone; Some(None): until something changes.
fn not_now(stored: &Headnode, owned: bool, now: Timestamp) -> Option<Option<Duration>> {
    match &stored.state {
        HeadnodeState::Unreachable { part: Part::Host, next_try, .. }
            if !is_due(*next_try, now) =>
        {
            Some(Some(until(*next_try, now)))
        }
        HeadnodeState::Broken { part: Part::Host, .. } if !owned => Some(None),
        HeadnodeState::Ok | HeadnodeState::Unreachable { .. } | HeadnodeState::Broken { .. } => {
            None
        }
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// Has somebody wait at the doorbell while there is anything to wait for.
fn listen(poll: &mut NodePoll, node: &Node, wanted: bool, rang: &Arc<Notify>) {
    let listening = poll.bell.as_ref().is_some_and(|bell| !bell.is_finished());
    if !wanted {
        poll.bell = None;
    } else if !listening {
        let (host, rung, rang) = (node.host.clone(), poll.rung.clone(), rang.clone());
        poll.bell = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            // A doorbell that fails is no loss: the interval goes on.
            while let Ok(heard) = host.bell(BELL).await {
                if heard {
                    rung.store(true, std::sync::atomic::Ordering::Relaxed);
                    rang.notify_one();
                }
            }
        })));
    }
}

#[cfg(test)]
mod tests;
