//! Owns one reading of one headnode: the queue first, then the directories, then what
//! both say together is recorded with each case and with the headnode.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{Attempt, ClaimedBy, QueueKind};
use daylily_lifecycle::backoff::is_due;
use daylily_lifecycle::case::StateName;
use daylily_lifecycle::circuit::Met;
use daylily_lifecycle::ids::{AttemptId, GroupName};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Evidence, ExitRecord, Fault, FaultClass, Look, QueueWord};
use daylily_lifecycle::policy::{HeadnodeState, Part};
use daylily_lifecycle::queue::{GroupSeen, Missing, QueueSeen, is_wiped};
use daylily_lifecycle::record::Recorded;
use jiff::{SignedDuration, Timestamp};

use super::Polled;
use crate::adapters::host::HostLook;
use crate::adapters::queue::{GroupLook, QueueLook, Word};
use crate::reconcile::contact::{answers, host_fault};
use crate::reconcile::{Context, Node, Pass, unknown};
use crate::store::places::Headnode;
use crate::store::read::live::Running;

/// What has just been begun or ended is looked at often for this long.
const SOON: SignedDuration = SignedDuration::from_mins(2);

pub(super) struct Work {
    pub(super) context: Context,
    pub(super) node: Node,
    pub(super) stored: Headnode,
    pub(super) owned: bool,
    pub(super) running: Vec<Running>,
    /// Also the directories of jobs that the queue says are running.
    pub(super) read_all: bool,
}

/// What came of asking the queue.
enum Asked {
    /// It is set aside, or not to be tried again yet.
    NotNow,
    Said(QueueLook),
    Silent(Fault),
}

impl Work {
    pub(super) async fn read(self) -> Pass<Polled> {
        let mut polled = Polled {
            headnode: self.node.settings.name.clone(),
            owned: self.owned,
            lively: false,
            watched: !self.running.is_empty(),
            answered: true,
            read_all: false,
            next_try: None,
        };
        let state = match self.look(&mut polled).await? {
            Ok(state) => state,
            Err(fault) => {
                polled.answered = false;
                // What is wrong with it may be whose it is.
                polled.owned &= fault.class != FaultClass::FatalHost;
                host_fault(&self.context, &self.node, Part::Host, &fault, Met::Probing).await?
            }
        };
        if let HeadnodeState::Unreachable { next_try, .. } = state {
            polled.next_try = Some(next_try);
        }
        Ok(polled)
    }

    /// A fault is the host's.
    async fn look(&self, polled: &mut Polled) -> Pass<Result<HeadnodeState, Fault>> {
        if !self.owned {
            if let Err(fault) = self.node.host.own(self.stored.owned_at.is_some()).await {
                return Ok(Err(fault));
            }
            if let Err(fault) = unknown::look(&self.context, &self.node).await? {
                return Ok(Err(fault));
            }
            polled.owned = true;
            let at = self.context.clock.now();
            let name = self.node.settings.name.clone();
            self.context.store.change_headnode(name, move |node| node.owned_at = Some(at)).await?;
        }
        let begun = self.context.clock.now();
        let asked = self.ask().await;
        let words = match &asked {
            Asked::Said(said) => Some(said),
            Asked::NotNow | Asked::Silent(_) => None,
        };
        let read: Vec<&Running> = self
            .running
            .iter()
            .filter(|running| self.read_all || words.is_none_or(|words| tells_more(running, words)))
            .collect();
        polled.read_all = self.read_all || read.len() == self.running.len();
        let ids: Vec<AttemptId> = read.iter().map(|running| running.attempt.id.clone()).collect();
        let found = if !ids.is_empty() {
            self.node.host.read(&ids).await
        } else if self.is_in_doubt(&asked) {
            self.node.host.free_space().await.map(|_| Vec::new())
        } else {
            Ok(Vec::new())
        };
        let found = match found {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        self.recorded(polled, &read, found, words, begun).await?;
        self.settled(asked).await.map(Ok)
    }

    async fn ask(&self) -> Asked {
        let keeps_a_list = self.node.queue.kind() != QueueKind::Direct;
        let now = self.context.clock.now();
        let not_now = match &self.stored.state {
            HeadnodeState::Broken { .. } => true,
            HeadnodeState::Unreachable { part: Part::Queue, next_try, .. } => {
                !is_due(*next_try, now)
            }
            HeadnodeState::Ok | HeadnodeState::Unreachable { part: Part::Host, .. } => false,
        };
        if keeps_a_list && not_now {
            return Asked::NotNow;
        }
        match self.node.queue.look().await {
            Ok(look) => Asked::Said(look),
            Err(fault) => Asked::Silent(fault),
        }
    }

    /// Whether it is not known yet that the host answers.
    fn is_in_doubt(&self, asked: &Asked) -> bool {
        let keeps_a_list = self.node.queue.kind() != QueueKind::Direct;
        match asked {
            Asked::Silent(_) => true,
            Asked::Said(_) if keeps_a_list => false,
            Asked::Said(_) | Asked::NotNow => self.stored.state != HeadnodeState::Ok,
        }
    }

    /// Records what was found with each case.
    async fn recorded(
        &self,
        polled: &mut Polled,
        read: &[&Running],
        found: Vec<HostLook>,
        words: Option<&QueueLook>,
        begun: Timestamp,
    ) -> Pass<()> {
        // Another queue than it was handed to knows nothing of it.
        let kind = self.node.queue.kind();
        let looks: Vec<Look> = read
            .iter()
            .zip(found)
            .map(|(running, found)| {
                let words = words.filter(|_| running.attempt.place.queue == kind);
                joined(found, &running.attempt.id, words)
            })
            .collect();
        let now = self.context.clock.now();
        let seen = words.map(|words| self.seen(words, read, &looks));
        let recorded = read.iter().zip(&looks).map(|(running, look)| {
            let wiped = seen.as_ref().map(|seen| seen.was_emptied_of(&running.attempt));
            self.record(running, look.clone(), wiped, begun)
        });
        let recorded = crate::reconcile::all(recorded).await?;
        polled.lively = recorded.iter().any(|recorded| matches!(recorded, Recorded::Changed(_)))
            || self.running.iter().any(|running| is_about_to_turn(running, now));
        if !self.running.is_empty() {
            let ids = self.running.iter().map(|running| running.attempt.id.clone()).collect();
            self.context.store.seen(ids, now).await?;
        }
        if let (Some(words), Some(seen)) = (words, seen) {
            self.remove_left_overs(words).await?;
            self.keep(seen).await?;
        }
        Ok(())
    }

    /// The queue as a whole, against what it was like before.
    fn seen(&self, words: &QueueLook, read: &[&Running], looks: &[Look]) -> QueueSeen {
        let before = self.before();
        let is_missing = |attempt: &Attempt| {
            attempt.queued_at.is_some()
                && attempt.end.is_none()
                && !words.words.contains_key(&attempt.id)
        };
        let mut now = QueueSeen {
            instance: words.instance.clone(),
            entries: words.entries,
            ours: words.words.values().map(|word| u64::from(word.copies)).sum(),
            groups: words.groups.as_ref().map(groups),
            emptied_at: before.emptied_at,
            ..QueueSeen::default()
        };
        let attempts = || self.running.iter().map(|running| &running.attempt);
        now.gone = attempts().filter(|a| is_missing(a)).map(|a| a.id.clone()).collect();
        // One that has ended may have been taken out of the list by anybody.
        let has_ended = |attempt: &Attempt| {
            let look = read.iter().zip(looks).find(|(running, _)| running.attempt.id == attempt.id);
            matches!(look, Some((_, Look::Saw(Evidence { exit: ExitRecord::Present { .. }, .. }))))
        };
        let known: Vec<&Attempt> = attempts()
            .filter(|a| a.queued_at.is_some() && a.end.is_none() && !before.gone.contains(&a.id))
            .filter(|attempt| !has_ended(attempt))
            .collect();
        let missing = known.iter().filter(|attempt| is_missing(attempt)).count();
        if is_wiped(&before, &now, Missing { known: known.len(), missing }) {
            tracing::warn!(headnode = %self.node.settings.name, "its queue was emptied");
            now.emptied_at = Some(self.context.clock.now());
        }
        now
    }

    pub(super) fn before(&self) -> QueueSeen {
        self.stored.queue_seen.clone().unwrap_or_default()
    }

    /// The host has answered; what of its queue?
    async fn settled(&self, asked: Asked) -> Pass<HeadnodeState> {
        match asked {
            Asked::Silent(fault) => {
                host_fault(&self.context, &self.node, Part::Queue, &fault, Met::Probing).await
            }
            Asked::NotNow => Ok(self.stored.state.clone()),
            Asked::Said(_) => match &self.stored.state {
                HeadnodeState::Unreachable { .. } => answers(&self.context, &self.node, true).await,
                HeadnodeState::Ok | HeadnodeState::Broken { .. } => Ok(self.stored.state.clone()),
            },
        }
    }

    async fn record(
        &self,
        running: &Running,
        look: Look,
        queue_wiped: Option<bool>,
        begun: Timestamp,
    ) -> Pass<Recorded> {
        // Before the first hand-over there is nothing to be looked at.
        let unsent = running.attempt.submitted_at.is_none()
            && running.attempt.claimed_by.is_none()
            && matches!(running.state, StateName::Submitting | StateName::Cancelling);
        if unsent && matches!(look, Look::CouldNot { .. }) {
            return Ok(Recorded::Same);
        }
        let attempt = running.attempt.id.clone();
        let what = Observation::Looked { attempt, look, queue_wiped, begun: Some(begun) };
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

/// Whether a directory may tell more than the queue does. Of a job that has claimed and
/// that its queue says is running, only an end would be news, and then the bell rings.
fn tells_more(running: &Running, words: &QueueLook) -> bool {
    let attempt = &running.attempt;
    let quiet = running.state == StateName::Running
        && attempt.claimed_by == Some(ClaimedBy::Job)
        && attempt.started_at.is_some()
        && attempt.silence.is_none()
        && attempt.ending.is_none()
        && attempt.end.is_none()
        && attempt.error.is_none()
        && !attempt.tenure.is_quarantined();
    let says = words.words.get(&attempt.id).map(|word| word.says);
    !quiet || says != Some(QueueWord::Running)
}

/// A state that is soon left, unless it has lasted: then it is no reason to look often.
fn is_about_to_turn(running: &Running, now: Timestamp) -> bool {
    let attempt = &running.attempt;
    let ending = attempt.ending.as_ref();
    let instants = [
        attempt.intent_at,
        attempt.submitted_at,
        ending.map(|ending| ending.asked_at),
        ending.and_then(|ending| ending.sent).map(|(_, at)| at),
        attempt.end.as_ref().map(|end| end.at),
    ];
    let turning = matches!(
        running.state,
        StateName::Submitting | StateName::Cancelling | StateName::Returning
    );
    let latest = instants.into_iter().flatten().max();
    turning && latest.is_none_or(|at| now.duration_since(at) < SOON)
}

fn groups(told: &BTreeMap<GroupName, GroupLook>) -> BTreeMap<GroupName, GroupSeen> {
    let seen = |look: &GroupLook| GroupSeen { paused: look.paused, places: look.places };
    told.iter().map(|(name, look)| (name.clone(), seen(look))).collect()
}

fn joined(found: HostLook, id: &AttemptId, words: Option<&QueueLook>) -> Look {
    match found {
        HostLook::CouldNot { why } => Look::CouldNot { why },
        HostLook::Saw { exit, claim, alive } => {
            let queue = match words {
                None => QueueWord::Unreadable,
                Some(look) => {
                    look.words.get(id).map_or(QueueWord::Absent, |Word { says, .. }| *says)
                }
            };
            Look::Saw(Evidence { exit, claim, alive, queue })
        }
    }
}

/// Looks at attempts in the order of ATTEMPT.md: the queue, then the directories. A
/// fault says whose it is: where the directories can be read it is the queue's.
pub(in crate::reconcile) async fn look_at(
    node: &Node,
    ids: &[AttemptId],
) -> Result<Vec<Look>, (Part, Fault)> {
    let words = node.queue.look().await;
    read_after(node, ids, words).await
}

/// The same where the queue was asked already.
pub(in crate::reconcile) async fn read_after(
    node: &Node,
    ids: &[AttemptId],
    words: Result<QueueLook, Fault>,
) -> Result<Vec<Look>, (Part, Fault)> {
    let found = node.host.read(ids).await.map_err(|fault| (Part::Host, fault))?;
    let words = words.map_err(|fault| (Part::Queue, fault))?;
    let looks = ids.iter().zip(found).map(|(id, found)| joined(found, id, Some(&words)));
    Ok(looks.collect())
}
