//! Does what plans ask for, beside everything else: each action is a task with its own
//! way to be stopped, a bounded number at a time. What came of it is recorded as an
//! observation; nothing is retried here. An action that the newest plan of its case no
//! longer names is stopped.

mod compare;
mod end;
mod folder;
mod returning;
mod ship;
mod submit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::action::Action;
use daylily_lifecycle::case::{Case, StateName, StepName};
use daylily_lifecycle::circuit::Met;
use daylily_lifecycle::ids::{AttemptId, CaseId, HeadnodeName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::policy::Part;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::advance::text_of;
use super::contact::host_fault;
use super::{Context, Node, Pass, ringing};

/// Walks through folders at a time; they wait for disks, not for the processor.
const LOOKS: usize = 4;

/// Walks that are begun in one round, so that a thousand folders do not take as many
/// rounds.
const LOOKS_BEGUN: usize = 64;

/// Manifests compared at a time: each reads as fast as the disk or the processor gives, and
/// a small case need not wait for the end of a large one.
const COMPARISONS: usize = 2;

/// Short commands on one headnode at a time.
const COMMANDS: usize = 4;

/// How often a headnode is told that a case is about to come.
const GET_READY: Duration = Duration::from_secs(60);

/// Jobs handed over together.
const BATCH: usize = 50;

/// What may be done at the same time is counted by lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Look,
    Hash,
    Compare,
    Transfer(HeadnodeName),
    Submit(HeadnodeName),
    Command(HeadnodeName),
    Stop(HeadnodeName),
}

/// What may be done on a headnode at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// It does not answer, is set aside, or its work_dir is not known to be ours.
    None,
    WithoutQueue,
    Whole,
}

impl Contact {
    fn admits(self, lane: &Lane) -> bool {
        match self {
            Self::None => false,
            Self::WithoutQueue => !matches!(lane, Lane::Submit(_)),
            Self::Whole => true,
        }
    }
}

type Key = (CaseId, StepName);

struct InFlight {
    action: Action,
    lane: Lane,
    stop: CancellationToken,
    task: Id,
}

pub(super) struct Executor {
    context: Context,
    waiting: Vec<(Case, Action)>,
    in_flight: BTreeMap<Key, InFlight>,
    tasks: JoinSet<Pass<()>>,
    looks: Arc<Semaphore>,
    scan_again: BTreeSet<CaseId>,
    /// Were in a batch whose handing over failed by our own fault: one at a time shows on
    /// which of them.
    alone: BTreeSet<CaseId>,
    /// Where cases that are arriving will go.
    expecting: BTreeSet<HeadnodeName>,
    /// When each was told so last, on the monotonic clock.
    told: BTreeMap<HeadnodeName, Duration>,
    /// Ends what only gets something ready.
    over: CancellationToken,
    wake: Arc<Notify>,
}

/// What has ended since the last round.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Cases to plan again: their action may have ended without changing them.
    pub(super) cases: Vec<CaseId>,
    /// Cases that were to be scanned while a scan of them was under way.
    pub(super) scan: Vec<CaseId>,
    /// Headnodes where something was just started or ended.
    pub(super) poll: Vec<HeadnodeName>,
}

impl Executor {
    pub(super) fn new(context: Context, wake: Arc<Notify>) -> Self {
        Self {
            context,
            waiting: Vec::new(),
            in_flight: BTreeMap::new(),
            tasks: JoinSet::new(),
            looks: Arc::new(Semaphore::new(LOOKS)),
            scan_again: BTreeSet::new(),
            alone: BTreeSet::new(),
            expecting: BTreeSet::new(),
            told: BTreeMap::new(),
            over: CancellationToken::new(),
            wake,
        }
    }

    /// Takes the newest plans: what they name is to be done, what they no longer name is not.
    pub(super) fn want(&mut self, planned: Vec<(Case, Vec<Action>)>) {
        for (case, actions) in planned {
            if case.state.name() == StateName::Arriving && case.settles_at.is_some() {
                self.expecting.insert(case.order.headnode.clone());
            }
            self.waiting.retain(|(waiting, _)| waiting.id != case.id);
            for ((id, _), flying) in &self.in_flight {
                if *id == case.id && !actions.contains(&flying.action) {
                    flying.stop.cancel();
                }
            }
            for action in actions {
                self.add(case.clone(), action);
            }
        }
    }

    /// Adds one action without a plan, such as a scan that an event asks for.
    pub(super) fn add(&mut self, case: Case, action: Action) {
        let Some(step) = action.step() else { return };
        let key = (case.id.clone(), step);
        if action == Action::Scan && self.in_flight.contains_key(&key) {
            // What is asked for now may have happened behind the walk that is under way.
            self.scan_again.insert(case.id);
            return;
        }
        let known = self.in_flight.contains_key(&key)
            || self
                .waiting
                .iter()
                .any(|(waiting, wanted)| waiting.id == case.id && wanted.step() == Some(step));
        if !known {
            self.waiting.push((case, action));
        }
    }

    /// Starts what there is room for, and where there is contact.
    pub(super) fn start(&mut self, contact: impl Fn(&HeadnodeName) -> Contact) {
        for name in std::mem::take(&mut self.expecting) {
            if contact(&name) == Contact::Whole {
                self.get_ready(name);
            }
        }
        let mut room: BTreeMap<Lane, usize> = BTreeMap::new();
        for flying in self.in_flight.values() {
            *room.entry(flying.lane.clone()).or_default() += 1;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let mut batches: BTreeMap<HeadnodeName, Vec<(Case, Action)>> = BTreeMap::new();
        for (case, action) in waiting {
            let Some((lane, node)) = self.lane(&case, &action) else { continue };
            if node.as_ref().is_some_and(|node| !contact(&node.settings.name).admits(&lane)) {
                self.waiting.push((case, action));
                continue;
            }
            let used = room.entry(lane.clone()).or_default();
            if *used >= self.most(&lane) {
                self.waiting.push((case, action));
                continue;
            }
            if let Lane::Submit(headnode) = &lane {
                let batch = batches.entry(headnode.clone()).or_default();
                let alone = |case: &Case| self.alone.contains(&case.id);
                let fits = match batch.first() {
                    None => true,
                    Some((first, _)) => batch.len() < BATCH && !alone(first) && !alone(&case),
                };
                if fits {
                    batch.push((case, action));
                } else {
                    self.waiting.push((case, action));
                }
                continue;
            }
            *used += 1;
            self.spawn(lane, node, case, action);
        }
        for (headnode, batch) in batches {
            if let Some(node) = self.context.node(&headnode).cloned() {
                self.spawn_submit(node, batch);
            }
        }
    }

    /// A connection takes longer than a small case, so it is opened while one arrives.
    fn get_ready(&mut self, name: HeadnodeName) {
        let now = self.context.clock.monotonic();
        if self.told.get(&name).is_some_and(|at| now.saturating_sub(*at) < GET_READY) {
            return;
        }
        let Some(host) = self.context.node(&name).map(|node| node.host.clone()) else { return };
        self.told.insert(name, now);
        let over = self.over.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = host.get_ready() => {}
                () = over.cancelled() => {}
            }
            Ok(())
        });
    }

    fn lane(&self, case: &Case, action: &Action) -> Option<(Lane, Option<Node>)> {
        let headnode = || case.attempt().map(|attempt| attempt.place.headnode.clone());
        let lane = match action {
            Action::Scan => Lane::Look,
            Action::Hash => Lane::Hash,
            Action::Compare => Lane::Compare,
            Action::Ship { .. } | Action::Return { .. } => Lane::Transfer(headnode()?),
            Action::Submit { .. } => Lane::Submit(headnode()?),
            Action::TakeClaim { .. } | Action::EndProcesses { .. } => Lane::Command(headnode()?),
            Action::Stop { .. } => Lane::Stop(headnode()?),
            Action::Decide { .. } => return None,
        };
        match headnode() {
            // A headnode that is configured no more: its cases keep waiting.
            Some(name) => Some((lane, Some(self.context.node(&name)?.clone()))),
            None => Some((lane, None)),
        }
    }

    fn most(&self, lane: &Lane) -> usize {
        match lane {
            Lane::Look => LOOKS_BEGUN,
            Lane::Hash | Lane::Submit(_) => 1,
            Lane::Compare => COMPARISONS,
            Lane::Command(_) | Lane::Stop(_) => COMMANDS,
            Lane::Transfer(headnode) => self
                .context
                .node(headnode)
                .map_or(1, |node| usize::try_from(node.settings.max_transfers).unwrap_or(1).max(1)),
        }
    }

    fn spawn(&mut self, lane: Lane, node: Option<Node>, case: Case, action: Action) {
        let Some(step) = action.step() else { return };
        let stop = CancellationToken::new();
        let key = (case.id.clone(), step);
        let turn = (lane == Lane::Look).then(|| self.looks.clone());
        let work = perform(self.context.clone(), node, case, action.clone(), stop.clone());
        let work = async move {
            let _turn = match turn {
                // It is never closed.
                Some(looks) => looks.acquire_owned().await.ok(),
                None => None,
            };
            work.await
        };
        let task = self.tasks.spawn(ringing(&self.wake, work)).id();
        self.in_flight.insert(key, InFlight { action, lane, stop, task });
    }

    fn spawn_submit(&mut self, node: Node, batch: Vec<(Case, Action)>) {
        let stop = CancellationToken::new();
        let lane = Lane::Submit(node.settings.name.clone());
        let (cases, actions): (Vec<Case>, Vec<Action>) = batch.into_iter().unzip();
        let keys: Vec<Key> = cases.iter().map(|case| (case.id.clone(), StepName::Submit)).collect();
        let work = submit::submit(self.context.clone(), node, cases);
        let task = self.tasks.spawn(ringing(&self.wake, work)).id();
        for (key, action) in keys.into_iter().zip(actions) {
            let stop = stop.clone();
            self.in_flight.insert(key, InFlight { action, lane: lane.clone(), stop, task });
        }
    }

    /// Takes in what has ended. A task that panicked holds its cases.
    pub(super) async fn collect(&mut self) -> Pass<Ended> {
        let mut ended = Ended::default();
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            let (task, panic) = match joined {
                Ok((task, outcome)) => {
                    outcome?;
                    (task, None)
                }
                Err(error) => {
                    let task = error.id();
                    let text = match error.try_into_panic() {
                        Ok(panic) => text_of(panic.as_ref()),
                        Err(_) => continue,
                    };
                    (task, Some(text))
                }
            };
            let keys: Vec<Key> = self
                .in_flight
                .iter()
                .filter(|(_, flying)| flying.task == task)
                .map(|(key, _)| key.clone())
                .collect();
            let several = keys.len() > 1;
            for key in keys {
                let Some(flying) = self.in_flight.remove(&key) else { continue };
                if let Lane::Submit(headnode) | Lane::Command(headnode) | Lane::Stop(headnode) =
                    &flying.lane
                {
                    ended.poll.push(headnode.clone());
                }
                if panic.is_some() && several {
                    self.alone.insert(key.0.clone());
                } else if let Some(text) = &panic {
                    tracing::error!(case = %key.0, step = ?key.1, panic = %text, "our own code failed");
                    let what = Observation::Panicked { text: text.clone() };
                    self.context.record(key.0.clone(), what).await?;
                }
                // What a scan saw is recorded where it is news, and planned by that. Where
                // it is none, the next scan has its time: asked again now, the plan would
                // want another at once.
                if self.scan_again.remove(&key.0) {
                    ended.scan.push(key.0.clone());
                }
                if flying.action != Action::Scan || panic.is_some() {
                    ended.cases.push(key.0);
                }
            }
        }
        Ok(ended)
    }

    /// Whether nothing is being done and nothing waits to be.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.is_empty()
    }

    /// Stops everything and waits until it has stopped. Jobs run on.
    pub(super) async fn shut_down(mut self) {
        self.over.cancel();
        for flying in self.in_flight.values() {
            flying.stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn perform(
    context: Context,
    node: Option<Node>,
    case: Case,
    action: Action,
    stop: CancellationToken,
) -> Pass<()> {
    match (action, node) {
        (Action::Scan, _) => folder::scan(&context, &case).await,
        (Action::Hash, _) => folder::hash(&context, &case, &stop).await,
        (Action::Compare, _) => compare::compare(&context, &case, &stop).await,
        (Action::Ship { attempt }, Some(node)) => {
            ship::ship(&context, &node, &case, &attempt, &stop).await
        }
        (Action::Return { attempt }, Some(node)) => {
            returning::bring_home(&context, &node, &case, &attempt, &stop).await
        }
        (Action::TakeClaim { attempt }, Some(node)) => {
            end::take_claim(&context, &node, &case, &attempt).await
        }
        (Action::EndProcesses { attempt, force }, Some(node)) => {
            end::end_processes(&context, &node, &case, &attempt, force).await
        }
        (Action::Stop { attempt }, Some(node)) => end::stop(&context, &node, &case, &attempt).await,
        (Action::Submit { .. } | Action::Decide { .. }, _)
        | (
            Action::Ship { .. }
            | Action::Return { .. }
            | Action::TakeClaim { .. }
            | Action::EndProcesses { .. }
            | Action::Stop { .. },
            None,
        ) => Ok(()),
    }
}

/// Records a step's failure: with the case, and with the headnode where it is that one's.
async fn step_failed(
    context: &Context,
    node: Option<&Node>,
    case: &CaseId,
    attempt: Option<&AttemptId>,
    step: StepName,
    fault: Fault,
) -> Pass<()> {
    if let Some(node) = node {
        match fault.class {
            FaultClass::TransientHost | FaultClass::FatalHost | FaultClass::NeedsPerson => {
                host_fault(context, node, Part::Host, &fault, Met::Working).await?;
            }
            FaultClass::TransientStep
            | FaultClass::NoSpace
            | FaultClass::Throttled
            | FaultClass::Ambiguous
            | FaultClass::FatalCase => {}
        }
    }
    // With the case as well: a step that fails so each time, on a headnode that answers
    // each time it is asked, is tried ever less often.
    step_of_case_failed(context, case, attempt, step, fault).await
}

/// Records a step's failure with the case, whatever the class.
async fn step_of_case_failed(
    context: &Context,
    case: &CaseId,
    attempt: Option<&AttemptId>,
    step: StepName,
    fault: Fault,
) -> Pass<()> {
    let class = fault.class;
    if class == FaultClass::TransientHost {
        // Told once, of the headnode.
        tracing::debug!(case = %case, ?step, ?class, error = %fault.text, "a step failed");
    } else {
        tracing::warn!(case = %case, ?step, ?class, error = %fault.text, "a step failed");
    }
    let what = Observation::StepFailed { attempt: attempt.cloned(), step, fault };
    context.record(case.clone(), what).await?;
    Ok(())
}
