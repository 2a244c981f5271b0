//! Owns the shape of `status --json`.

use std::collections::BTreeMap;

use daylily_lifecycle::ids::CaseId;
use daylily_lifecycle::policy::HeadnodeState;
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
    since: Option<At>,
    because: Option<String>,
    next_try: Option<At>,
    paused: Option<PauseShape>,
    draining: bool,
    /// How the queue differs from the configuration.
    drift: Option<String>,
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
        Daemon::Running(alive) | Daemon::Silent(alive) => Some(alive),
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
    let (state, since, because, next_try) = match &node.state {
        HeadnodeState::Ok => ("ok", None, None, None),
        HeadnodeState::Unreachable { since, because, next_try } => {
            ("unreachable", Some(*since), Some(because.clone()), Some(*next_try))
        }
        HeadnodeState::Broken { since, because } => {
            ("broken", Some(*since), Some(because.clone()), None)
        }
    };
    HeadnodeShape {
        name: node.name.to_string(),
        state,
        since: since.map(At),
        because,
        next_try: next_try.map(At),
        paused: node.paused.as_ref().map(PauseShape::new),
        draining: node.draining,
        drift: node.drift.clone(),
        polled_at: node.polled_at.map(At),
    }
}
