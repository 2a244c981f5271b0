//! Keeps what a queue was like, tells how its groups differ from the configuration, and
//! makes or starts groups where the configuration allows it. A person's pause stays.

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::explain::{self, Clock};
use daylily_lifecycle::ids::GroupName;
use daylily_lifecycle::policy::{GroupSlots, HeadnodeState, Part};
use daylily_lifecycle::queue::{GroupSeen, QueueSeen, drift, missing_groups, paused_by_restart};
use jiff::SignedDuration;

use super::reading::Work;
use crate::reconcile::Pass;
use crate::reconcile::surroundings::group_slots;

/// How often it is told that all is as it was.
const TELL_POLLED: SignedDuration = SignedDuration::from_mins(1);

impl Work {
    /// Stores what the queue is like now, after what may be done about it.
    pub(super) async fn keep(&self, mut now: QueueSeen) -> Pass<()> {
        let wanted = group_slots(&self.node.settings);
        let before = self.before();
        self.create(&wanted, &mut now).await;
        let paused = paused_by_restart(&wanted, &before, &now, self.queue_was_silent());
        let started = self.start(&paused).await;
        let at = self.context.clock.now();
        if started {
            unpaused(&mut now, &paused);
        }
        now.drift = drift(&wanted, &before.drift, now.groups.as_ref(), at);
        let client = self.client();
        for drift in &mut now.drift {
            drift.client.clone_from(&client);
        }
        if !started && !paused.is_empty() && self.node.settings.pueue.unpause_after_restart {
            // Still as before its restart, so that it is tried with the next look.
            unpaused(&mut now, &paused);
            now.instance.clone_from(&before.instance);
        }
        let version = if self.is_fresh(&before, &now) { self.version().await } else { None };
        let skew = self.node.host.heard().clock_skew_ms;
        let told = self.told(&now);
        let stored = &self.stored;
        let asked = !self.running.is_empty() || self.node.queue.kind() != QueueKind::Direct;
        let is_old = stored.polled_at.is_none_or(|then| at.duration_since(then) >= TELL_POLLED);
        let same = stored.queue_seen.as_ref() == Some(&now)
            && stored.drift == told
            && version.is_none()
            && is_the_same_skew(stored.clock_skew_ms, skew)
            && !(asked && is_old);
        if same {
            return Ok(());
        }
        if let (Some(told), true) = (&told, now.drift != before.drift) {
            tracing::warn!(headnode = %self.node.settings.name, %told, "its queue is not as configured");
        }
        let name = self.node.settings.name.clone();
        let change = self.context.store.change_headnode(name, move |headnode| {
            headnode.queue_seen = Some(now);
            headnode.drift = told;
            headnode.polled_at = Some(at);
            if let Some(version) = version {
                headnode.queue_version = version;
            }
            if skew.is_some() {
                headnode.clock_skew_ms = skew;
            }
        });
        change.await?;
        Ok(())
    }

    async fn create(&self, wanted: &[GroupSlots], now: &mut QueueSeen) {
        let missing = missing_groups(wanted, now);
        if missing.is_empty() || !self.node.settings.pueue.create_groups {
            return;
        }
        let headnode = &self.node.settings.name;
        match self.node.queue.create_groups(&missing).await {
            Ok(()) => {
                for (group, places) in missing {
                    tracing::info!(%headnode, %group, places, "made a group in its queue");
                    if let Some(groups) = &mut now.groups {
                        groups.insert(group, GroupSeen { paused: false, places });
                    }
                }
            }
            Err(fault) => {
                tracing::debug!(%headnode, error = %fault.text, "its queue made no group");
            }
        }
    }

    /// Starts what the queue paused itself, where that is wanted.
    async fn start(&self, paused: &[GroupName]) -> bool {
        if paused.is_empty() || !self.node.settings.pueue.unpause_after_restart {
            return false;
        }
        let headnode = &self.node.settings.name;
        let groups: Vec<&str> = paused.iter().map(GroupName::as_str).collect();
        match self.node.queue.start_groups(paused).await {
            Ok(()) => {
                tracing::info!(%headnode, ?groups, "started groups that its queue had paused itself");
                true
            }
            Err(fault) => {
                tracing::debug!(%headnode, ?groups, error = %fault.text, "its queue started no group");
                false
            }
        }
    }

    /// How a person calls pueue there, where not by its name alone.
    fn client(&self) -> Option<String> {
        let settings = &self.node.settings;
        let config = settings.env.get("PUEUE_CONFIG_PATH").map(String::as_str);
        let client = explain::pueue_client(&settings.pueue.command, config);
        (client != "pueue").then_some(client)
    }

    fn queue_was_silent(&self) -> bool {
        matches!(self.stored.state, HeadnodeState::Unreachable { part: Part::Queue, .. })
    }

    /// Whether another run of the queue, or another of ours, talks to it.
    fn is_fresh(&self, before: &QueueSeen, now: &QueueSeen) -> bool {
        !self.owned
            || before.instance != now.instance
            || matches!(self.stored.state, HeadnodeState::Unreachable { .. })
    }

    async fn version(&self) -> Option<Option<String>> {
        match self.node.queue.version().await {
            Ok(version) if version == self.stored.queue_version => None,
            Ok(version) => Some(version),
            Err(fault) => {
                tracing::debug!(error = %fault.text, "the queue does not tell its version");
                None
            }
        }
    }

    /// All differences, as one clause.
    fn told(&self, now: &QueueSeen) -> Option<String> {
        let zone = &self.context.settings.time_zone;
        let clock = Clock { zone, now: self.context.clock.now() };
        let told: Vec<String> = now.drift.iter().map(|one| explain::drift(one, clock)).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn unpaused(seen: &mut QueueSeen, groups: &[GroupName]) {
    let Some(all) = &mut seen.groups else { return };
    for group in groups {
        if let Some(seen) = all.get_mut(group) {
            seen.paused = false;
        }
    }
}

/// What a line takes to answer varies: only what moves by more than that is worth a write.
fn is_the_same_skew(stored: Option<i64>, measured: Option<i64>) -> bool {
    const JITTER_MS: u64 = 500;
    match (stored, measured) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(stored), Some(measured)) => stored.abs_diff(measured) <= JITTER_MS,
    }
}
