//! Owns the shape of `status --json`.

use std::collections::BTreeMap;

use daylily_lifecycle::ids::CaseId;
use daylily_lifecycle::policy::{HeadnodeState, Part};
use serde::Serialize;

use super::desk::{Daemon, Desk};
use super::shapes::{At, CaseShape, PauseShape};
use super::standing::Sentences;
use crate::store::error::StoreError;
use crate::store::places::{Headnode, Intake};
use crate::store::read::board::BoardRow;
use crate::store::steps::StoredProgress;

/// The shape of `status --json`.
#[derive(Debug, Serialize)]
pub(super) struct StatusShape {
    /// When this was read.
    at: At,
    /// The red button.
    stopped: Option<PauseShape>,
    daemon: DaemonShape,
    intakes: Vec<IntakeShape>,
    headnodes: Vec<HeadnodeShape>,
    /// How many cases that have not ended are in each state; states without are left out.
    counts: BTreeMap<&'static str, u64>,
    /// How many of those wait for a person.
    held: u64,
    /// Those that need a person first, as in the table.
    cases: Vec<CaseShape>,
}

#[derive(Debug, Serialize)]
struct DaemonShape {
    running: bool,
    pid: Option<u32>,
    version: Option<String>,
    started_at: Option<At>,
    /// When it last told that it lives.
    seen_at: Option<At>,
}

#[derive(Debug, Serialize)]
struct IntakeShape {
    name: String,
    /// `ok` or `unreadable`.
    state: &'static str,
    since: Option<At>,
    because: Option<String>,
    next_look: Option<At>,
    paused: Option<PauseShape>,
    scanned_at: Option<At>,
}

#[derive(Debug, Serialize)]
struct HeadnodeShape {
    name: String,
    /// `ok`, `unreachable` or `broken`.
    state: &'static str,
    /// What of it is in trouble: `host` or `queue`.
    part: Option<&'static str>,
    since: Option<At>,
    because: Option<String>,
    next_try: Option<At>,
    /// It does not answer until somebody has done something.
    needs_person: bool,
    paused: Option<PauseShape>,
    draining: bool,
    /// How the queue differs from the configuration.
    drift: Option<String>,
    queue_version: Option<String>,
    /// How far its clock is ahead of ours.
    clock_skew_ms: Option<i64>,
    polled_at: Option<At>,
}

impl StatusShape {
    pub(super) fn new(
        desk: &Desk,
        rows: &[&BoardRow],
        sentences: &Sentences,
        progress: &BTreeMap<CaseId, StoredProgress>,
    ) -> Result<Self, StoreError> {
        let counts = desk.reader.counts()?;
        Ok(Self {
            at: At(desk.now),
            stopped: desk.stopped()?.as_ref().map(PauseShape::new),
            daemon: daemon(&desk.daemon()),
            intakes: desk.reader.intakes()?.iter().map(intake).collect(),
            headnodes: desk.reader.headnodes()?.iter().map(headnode).collect(),
            held: counts.iter().map(|count| count.held).sum(),
            counts: counts.iter().map(|count| (count.state.as_str(), count.cases)).collect(),
            cases: rows
                .iter()
                .map(|row| CaseShape::new(row, sentences.of(row), progress.get(&row.case)))
                .collect(),
        })
    }
}

fn daemon(daemon: &Daemon) -> DaemonShape {
    let alive = match daemon {
        Daemon::Running(alive) | Daemon::Silent(alive) | Daemon::Ended(alive) => Some(alive),
        Daemon::Unknown(_) | Daemon::None => None,
    };
    DaemonShape {
        running: daemon.is_running(),
        pid: alive.map(|alive| alive.pid),
        version: alive.map(|alive| alive.version.clone()),
        started_at: alive.map(|alive| At(alive.started_at)),
        seen_at: alive.map(|alive| At(alive.at)),
    }
}

fn intake(intake: &Intake) -> IntakeShape {
    let unreadable = intake.unreadable.as_ref();
    IntakeShape {
        name: intake.name.to_string(),
        state: if unreadable.is_some() { "unreadable" } else { "ok" },
        since: unreadable.map(|unreadable| At(unreadable.since)),
        because: unreadable.map(|unreadable| unreadable.because.clone()),
        next_look: unreadable.map(|unreadable| At(unreadable.next_look)),
        paused: intake.paused.as_ref().map(PauseShape::new),
        scanned_at: intake.scanned_at.map(At),
    }
}

fn headnode(node: &Headnode) -> HeadnodeShape {
    let (state, part, since, because) = match &node.state {
        HeadnodeState::Ok => ("ok", None, None, None),
        HeadnodeState::Unreachable { part, since, because, .. } => {
            ("unreachable", Some(*part), Some(*since), Some(because.clone()))
        }
        HeadnodeState::Broken { part, since, because } => {
            ("broken", Some(*part), Some(*since), Some(because.clone()))
        }
    };
    let (next_try, needs_person) = match &node.state {
        HeadnodeState::Unreachable { next_try, needs_person, .. } => {
            (Some(*next_try), *needs_person)
        }
        HeadnodeState::Ok | HeadnodeState::Broken { .. } => (None, false),
    };
    HeadnodeShape {
        name: node.name.to_string(),
        state,
        part: part.map(|part| match part {
            Part::Host => "host",
            Part::Queue => "queue",
        }),
        since: since.map(At),
        because,
        next_try: next_try.map(At),
        needs_person,
        paused: node.paused.as_ref().map(PauseShape::new),
        draining: node.draining,
        drift: node.drift.clone(),
        queue_version: node.queue_version.clone(),
        clock_skew_ms: node.clock_skew_ms,
        polled_at: node.polled_at.map(At),
    }
}
