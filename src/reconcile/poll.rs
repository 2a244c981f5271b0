//! Reads what became of the attempts on each headnode: one question to the queue and
//! one reading of the attempt directories for all of them, more often while something
//! happens, at once when the doorbell rings. It also keeps each headnode's circuit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::backoff::delay_with_jitter;
use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::{AttemptId, HeadnodeName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Evidence, Fault, FaultClass, Look, QueueWord};
use daylily_lifecycle::policy::HeadnodeState;
use daylily_lifecycle::record::Recorded;
use jiff::SignedDuration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinHandle, JoinSet};

use super::{Context, Node, Pass, ringing, unknown};
use crate::adapters::host::HostLook;
use crate::store::read::Reader;
use crate::store::read::live::Running;

/// The circuit's waits: 2 s, doubling to 5 min.
const FIRST_TRY: SignedDuration = SignedDuration::from_secs(2);
const MOST: SignedDuration = SignedDuration::from_mins(5);

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
    /// Asked for while one was under way.
    hurried: bool,
    bell: Option<JoinHandle<()>>,
    rung: Arc<std::sync::atomic::AtomicBool>,
}

#[derive(Debug)]
pub(super) struct Polled {
    headnode: HeadnodeName,
    owned: bool,
    /// Something was recorded, or something is about to happen.
    lively: bool,
    watched: bool,
    /// The headnode's state is not what it was.
    pub(super) turned: bool,
}

impl Poller {
    pub(super) fn new(context: Context, rang: Arc<Notify>) -> Self {
        let nodes = context.nodes.keys().map(|name| {
            let node = NodePoll {
                owned: false,
                next: Duration::ZERO,
                interval: context.settings.poll.min,
                in_flight: None,
                hurried: false,
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
            let stored = reader.headnode(name)?;
            let state = stored.as_ref().map_or(HeadnodeState::Ok, |node| node.state.clone());
            if let HeadnodeState::Unreachable { next_try, .. } = &state
                && *next_try > now
            {
                let wait = next_try.duration_since(now);
                poll.next = monotonic + Duration::try_from(wait).unwrap_or_default();
                continue;
            }
            if matches!(state, HeadnodeState::Broken { .. }) && !poll.owned {
                poll.next = monotonic + self.context.settings.poll.max;
                continue;
            }
            let running = reader.running(name)?;
            let owned_before = stored.is_some_and(|node| node.owned_at.is_some());
            let work = Work {
                context: self.context.clone(),
                node: node.clone(),
                state,
                owned: poll.owned,
                owned_before,
                running,
            };
            poll.hurried = false;
            poll.in_flight = Some(self.tasks.spawn(ringing(&self.rang, work.read())).id());
        }
        Ok(())
    }

    /// Takes in the readings that are done.
    pub(super) fn collect(&mut self) -> Pass<Vec<Polled>> {
        let mut all = Vec::new();
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
                poll.owned = polled.owned;
                poll.interval = if polled.lively {
                    settings.min
                } else {
                    (poll.interval * 2).clamp(settings.min, settings.max)
                };
                poll.next = if poll.hurried { monotonic } else { monotonic + poll.interval };
                if let Some(node) = self.context.node(&polled.headnode) {
                    listen(poll, node, polled.watched && polled.owned, &self.rang);
                }
            }
            all.push(polled);
        }
        Ok(all)
    }

    /// When the next reading is due, on the monotonic clock.
    pub(super) fn next(&self) -> Option<Duration> {
        self.nodes.values().filter(|node| node.in_flight.is_none()).map(|node| node.next).min()
    }

    pub(super) async fn shut_down(mut self) {
        for node in self.nodes.values_mut() {
            if let Some(bell) = node.bell.take() {
                bell.abort();
            }
        }
        self.tasks.shutdown().await;
    }
}

/// Has somebody wait at the doorbell while there is anything to wait for.
fn listen(poll: &mut NodePoll, node: &Node, wanted: bool, rang: &Arc<Notify>) {
    let listening = poll.bell.as_ref().is_some_and(|bell| !bell.is_finished());
    if !wanted {
        if let Some(bell) = poll.bell.take() {
            bell.abort();
        }
    } else if !listening {
        let (host, rung, rang) = (node.host.clone(), poll.rung.clone(), rang.clone());
        poll.bell = Some(tokio::spawn(async move {
            // A doorbell that fails is no loss: the interval goes on.
            while let Ok(heard) = host.bell(BELL).await {
                if heard {
                    rung.store(true, std::sync::atomic::Ordering::Relaxed);
                    rang.notify_one();
                }
            }
        }));
    }
}

struct Work {
    context: Context,
    node: Node,
    state: HeadnodeState,
    owned: bool,
    owned_before: bool,
    running: Vec<Running>,
}

impl Work {
    async fn read(self) -> Pass<Polled> {
        let mut polled = Polled {
            headnode: self.node.settings.name.clone(),
            owned: self.owned,
            lively: false,
            watched: !self.running.is_empty(),
            turned: false,
        };
        match self.look(&mut polled).await? {
            Ok(()) => {
                if self.state_was_silent() {
                    polled.turned = true;
                    answers(&self.context, &self.node).await?;
                }
            }
            Err(fault) => {
                polled.turned = true;
                // What is wrong with it may be whose it is.
                polled.owned &= fault.class != FaultClass::FatalHost;
                host_fault(&self.context, &self.node, &fault).await?;
            }
        }
        Ok(polled)
    }

    fn state_was_silent(&self) -> bool {
        matches!(self.state, HeadnodeState::Unreachable { .. })
    }

    async fn look(&self, polled: &mut Polled) -> Pass<Result<(), Fault>> {
        if !self.owned {
            if let Err(fault) = self.node.host.own(self.owned_before).await {
                return Ok(Err(fault));
            }
            if let Err(fault) = unknown::look(&self.context, &self.node).await? {
                return Ok(Err(fault));
            }
            polled.owned = true;
            polled.turned = true;
            let at = self.context.clock.now();
            let name = self.node.settings.name.clone();
            self.context.store.change_headnode(name, move |node| node.owned_at = Some(at)).await?;
        }
        if self.running.is_empty() {
            if self.state_was_silent()
                && let Err(fault) = self.node.host.free_space().await
            {
                return Ok(Err(fault));
            }
            return Ok(Ok(()));
        }
        let ids: Vec<AttemptId> =
            self.running.iter().map(|running| running.attempt.id.clone()).collect();
        let (looks, trouble) = match look_at_all(&self.node, &ids).await {
            Ok(looked) => looked,
            Err(fault) => return Ok(Err(fault)),
        };
        let seen = looks
            .iter()
            .zip(&self.running)
            .map(|(look, running)| self.record(running, look.clone()));
        let recorded = super::all(seen).await?;
        polled.lively = recorded.iter().any(|recorded| matches!(recorded, Recorded::Changed(_)))
            || self.running.iter().any(|running| is_about_to_turn(running.state));
        self.context.store.seen(ids, self.context.clock.now()).await?;
        Ok(trouble.map_or(Ok(()), Err))
    }

    async fn record(&self, running: &Running, look: Look) -> Pass<Recorded> {
        // Before the first hand-over there is nothing to be looked at.
        let unsent = running.attempt.submitted_at.is_none()
            && running.attempt.claimed_by.is_none()
            && matches!(running.state, StateName::Submitting | StateName::Cancelling);
        if unsent && matches!(look, Look::CouldNot { .. }) {
            return Ok(Recorded::Same);
        }
        let what =
            Observation::Looked { attempt: running.attempt.id.clone(), look, queue_wiped: false };
        let recorded = self.context.record(running.case.clone(), what).await?;
        if let Recorded::Changed(case) = &recorded
            && case.state.name() != running.state
        {
            tracing::debug!(
                case = %case.name,
                attempt = %running.attempt.id,
                from = %running.state,
                to = %case.state.name(),
                "seen"
            );
        }
        Ok(recorded)
    }
}

fn is_about_to_turn(state: StateName) -> bool {
    matches!(state, StateName::Submitting | StateName::Cancelling | StateName::Returning)
}

/// Looks at attempts; a queue that does not answer is one more thing that was seen.
pub(super) async fn look_at(node: &Node, ids: &[AttemptId]) -> Result<Vec<Look>, Fault> {
    let (looks, trouble) = look_at_all(node, ids).await?;
    trouble.map_or(Ok(looks), Err)
}

/// In the order of ATTEMPT.md: the queue, then the directories.
async fn look_at_all(node: &Node, ids: &[AttemptId]) -> Result<(Vec<Look>, Option<Fault>), Fault> {
    let (words, trouble) = match node.queue.look().await {
        Ok(look) => (Some(look.words), None),
        Err(fault) => (None, Some(fault)),
    };
    let looks = node.host.read(ids).await?;
    let looks = ids.iter().zip(looks).map(|(id, look)| match look {
        HostLook::CouldNot { why } => Look::CouldNot { why },
        HostLook::Saw { exit, claim, alive } => {
            let queue = match &words {
                None => QueueWord::Unreadable,
                Some(words) => words.get(id).map_or(QueueWord::Absent, |word| word.says),
            };
            Look::Saw(Evidence { exit, claim, alive, queue })
        }
    });
    Ok((looks.collect(), trouble))
}

/// The headnode answers again.
async fn answers(context: &Context, node: &Node) -> Pass<()> {
    tracing::info!(headnode = %node.settings.name, "answers again");
    let at = context.clock.now();
    let change = context.store.change_headnode(node.settings.name.clone(), move |headnode| {
        if matches!(headnode.state, HeadnodeState::Unreachable { .. }) {
            headnode.state = HeadnodeState::Ok;
        }
        headnode.failures = 0;
        headnode.polled_at = Some(at);
    });
    change.await?;
    Ok(())
}

/// Opens a headnode's circuit, or sets it aside.
pub(super) async fn host_fault(context: &Context, node: &Node, fault: &Fault) -> Pass<()> {
    let now = context.clock.now();
    let (class, text) = (fault.class, fault.text.clone());
    let name = node.settings.name.clone();
    let seed = u64::from_le_bytes(
        blake3::hash(name.as_str().as_bytes()).as_bytes()[..8].try_into().unwrap_or_default(),
    );
    tracing::warn!(headnode = %name, ?class, error = %text, "the headnode is in trouble");
    let change = context.store.change_headnode(name, move |headnode| {
        headnode.failures = headnode.failures.saturating_add(1);
        let since = match &headnode.state {
            HeadnodeState::Ok => now,
            HeadnodeState::Unreachable { since, .. } | HeadnodeState::Broken { since, .. } => {
                *since
            }
        };
        let broken = matches!(headnode.state, HeadnodeState::Broken { .. });
        headnode.state = if broken || class == FaultClass::FatalHost {
            HeadnodeState::Broken { since, because: text }
        } else {
            let failures = headnode.failures;
            let wait = delay_with_jitter(
                failures,
                FIRST_TRY,
                MOST,
                seed.wrapping_add(u64::from(failures)),
            );
            let next_try = now.checked_add(wait).unwrap_or(now);
            HeadnodeState::Unreachable { since, because: text, next_try }
        };
    });
    change.await?;
    Ok(())
}
