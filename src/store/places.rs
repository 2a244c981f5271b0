//! Owns what is remembered of intakes and headnodes, and who has stopped what. A
//! change reads the row, changes it and writes it within the writer, so that two
//! reconcilers that know different things of one headnode lose nothing.

use daylily_lifecycle::ids::{Actor, HeadnodeName, IntakeName};
use daylily_lifecycle::policy::{
    HeadnodeCondition, HeadnodeState, IntakeCondition, Part, Pause, Unreadable,
};
use daylily_lifecycle::queue::QueueSeen;
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::attempts::instant;
use super::column::{Instant, maybe};
use super::upsert::upsert;
use super::words::AsWord;

/// What is remembered of an intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    pub name: IntakeName,
    pub unreadable: Option<Unreadable>,
    pub paused: Option<Pause>,
    /// What was mounted there when it was last readable: type, source, root inode.
    pub mount: Option<String>,
    /// When its first scan told folders that were there before from new ones.
    pub baseline_at: Option<Timestamp>,
    pub scanned_at: Option<Timestamp>,
}

impl Intake {
    fn new(name: IntakeName) -> Self {
        Self {
            name,
            unreadable: None,
            paused: None,
            mount: None,
            baseline_at: None,
            scanned_at: None,
        }
    }

    /// As `plan` asks for it.
    pub fn condition(&self) -> IntakeCondition {
        IntakeCondition {
            name: self.name.clone(),
            unreadable: self.unreadable.clone(),
            paused: self.paused.clone(),
        }
    }
}

/// What is remembered of a headnode, its circuit above all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headnode {
    pub name: HeadnodeName,
    pub state: HeadnodeState,
    pub paused: Option<Pause>,
    pub draining: bool,
    /// In a row.
    pub failures: u32,
    pub next_poll: Option<Timestamp>,
    pub polled_at: Option<Timestamp>,
    /// When its work_dir was first known to be ours. Missing there from then on, the
    /// owner file means that something else is mounted.
    pub owned_at: Option<Timestamp>,
    pub queue_version: Option<String>,
    /// What its queue was like when it last answered.
    pub queue_seen: Option<QueueSeen>,
    /// How the queue's groups differ from the configuration, one clause.
    pub drift: Option<String>,
    pub clock_skew_ms: Option<i64>,
}

impl Headnode {
    fn new(name: HeadnodeName) -> Self {
        Self {
            name,
            state: HeadnodeState::Ok,
            paused: None,
            draining: false,
            failures: 0,
            next_poll: None,
            polled_at: None,
            owned_at: None,
            queue_version: None,
            queue_seen: None,
            drift: None,
            clock_skew_ms: None,
        }
    }

    /// As `plan` asks for it.
    pub fn condition(&self) -> HeadnodeCondition {
        HeadnodeCondition {
            name: self.name.clone(),
            state: self.state.clone(),
            paused: self.paused.clone(),
            draining: self.draining,
            drift: self.queue_seen.as_ref().map(|seen| seen.drift.clone()).unwrap_or_default(),
        }
    }
}

/// What somebody stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paused {
    /// The red button.
    All,
    Intake(IntakeName),
    Headnode(HeadnodeName),
}

/// Makes rows for the configured intakes; others keep theirs.
pub(super) fn sync_intakes(db: &Connection, names: &[IntakeName]) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO intakes (name) VALUES (?)")?;
    for name in names {
        insert.execute([name.as_str()])?;
    }
    Ok(())
}

/// Makes rows for the configured headnodes; others keep theirs, and lose their free
/// slots. Taken ones drain.
pub(super) fn sync_headnodes(db: &Connection, names: &[HeadnodeName]) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO headnodes (name) VALUES (?)")?;
    for name in names {
        insert.execute([name.as_str()])?;
    }
    for headnode in headnodes(db)? {
        if !names.contains(&headnode.name) {
            super::slots::sync(db, &headnode.name, &[])?;
        }
    }
    Ok(())
}

pub(super) fn change_intake(
    db: &Connection,
    name: &IntakeName,
    change: impl FnOnce(&mut Intake),
) -> rusqlite::Result<Intake> {
    let mut intake = intake(db, name)?.unwrap_or_else(|| Intake::new(name.clone()));
    change(&mut intake);
    let unreadable = intake.unreadable.as_ref();
    let paused = intake.paused.as_ref();
    upsert(
        db,
        "intakes",
        &["name"],
        &[],
        named_params! {
            ":name": name.as_str(),
            ":state": if unreadable.is_some() { "unreadable" } else { "ok" },
            ":since": unreadable.map(|unreadable| Instant(unreadable.since)),
            ":because": unreadable.map(|unreadable| unreadable.because.as_str()),
            ":next_look": unreadable.map(|unreadable| Instant(unreadable.next_look)),
            ":paused_since": paused.map(|pause| Instant(pause.since)),
            ":paused_by": paused.and_then(|pause| pause.by.as_ref()).map(Actor::as_str),
            ":paused_reason": paused.and_then(|pause| pause.reason.as_deref()),
            ":mount": intake.mount,
            ":baseline_at": maybe(intake.baseline_at),
            ":scanned_at": maybe(intake.scanned_at),
        },
    )?;
    Ok(intake)
}

pub(super) fn change_headnode(
    db: &Connection,
    name: &HeadnodeName,
    change: impl FnOnce(&mut Headnode),
) -> rusqlite::Result<Headnode> {
    let mut headnode = headnode(db, name)?.unwrap_or_else(|| Headnode::new(name.clone()));
    change(&mut headnode);
    let (state, part, since, because) = match &headnode.state {
        HeadnodeState::Ok => ("ok", None, None, None),
        HeadnodeState::Unreachable { part, since, because, .. } => {
            ("unreachable", Some(*part), Some(Instant(*since)), Some(because))
        }
        HeadnodeState::Broken { part, since, because } => {
            ("broken", Some(*part), Some(Instant(*since)), Some(because))
        }
    };
    let (next_try, needs_person) = match &headnode.state {
        HeadnodeState::Unreachable { next_try, needs_person, .. } => {
            (Some(Instant(*next_try)), *needs_person)
        }
        HeadnodeState::Ok | HeadnodeState::Broken { .. } => (None, false),
    };
    let queue_seen = headnode.queue_seen.as_ref().map(serde_json::to_string).transpose();
    let queue_seen =
        queue_seen.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let paused = headnode.paused.as_ref();
    upsert(
        db,
        "headnodes",
        &["name"],
        &[],
        named_params! {
            ":name": name.as_str(),
            ":state": state,
            ":part": part.map(AsWord),
            ":since": since,
            ":because": because,
            ":needs_person": needs_person,
            ":paused_since": paused.map(|pause| Instant(pause.since)),
            ":paused_by": paused.and_then(|pause| pause.by.as_ref()).map(Actor::as_str),
            ":paused_reason": paused.and_then(|pause| pause.reason.as_deref()),
            ":draining": headnode.draining,
            ":failures": headnode.failures,
            ":next_try": next_try,
            ":next_poll": maybe(headnode.next_poll),
            ":polled_at": maybe(headnode.polled_at),
            ":owned_at": maybe(headnode.owned_at),
            ":queue_version": headnode.queue_version,
            ":queue_seen": queue_seen,
            ":drift": headnode.drift,
            ":clock_skew_ms": headnode.clock_skew_ms,
        },
    )?;
    Ok(headnode)
}

/// Stops something, or lets it go on. An earlier pause keeps its since, by and reason.
pub(super) fn set_pause(
    db: &Connection,
    what: &Paused,
    pause: Option<&Pause>,
) -> rusqlite::Result<()> {
    match what {
        Paused::All => {
            let pause = pause.cloned();
            let stopped = if pause.is_some() { stopped(db)?.or(pause) } else { None };
            db.prepare_cached(
                "UPDATE meta SET stopped_since = ?, stopped_by = ?, stopped_reason = ?",
            )?
            .execute(params![
                stopped.as_ref().map(|pause| Instant(pause.since)),
                stopped.as_ref().and_then(|pause| pause.by.as_ref()).map(Actor::as_str),
                stopped.as_ref().and_then(|pause| pause.reason.as_deref()),
            ])?;
        }
        Paused::Intake(name) => {
            let pause = pause.cloned();
            change_intake(db, name, |intake| intake.paused = then(intake.paused.take(), pause))?;
        }
        Paused::Headnode(name) => {
            let pause = pause.cloned();
            change_headnode(db, name, |node| node.paused = then(node.paused.take(), pause))?;
        }
    }
    Ok(())
}

fn then(earlier: Option<Pause>, pause: Option<Pause>) -> Option<Pause> {
    let pause = pause?;
    Some(earlier.unwrap_or(pause))
}

/// The red button: who pressed it, when and why.
pub(super) fn stopped(db: &Connection) -> rusqlite::Result<Option<Pause>> {
    db.prepare_cached(
        "SELECT stopped_since AS paused_since, stopped_by AS paused_by,
                stopped_reason AS paused_reason FROM meta",
    )?
    .query_row([], pause)
    .optional()
    .map(Option::flatten)
}

pub(super) fn intake(db: &Connection, name: &IntakeName) -> rusqlite::Result<Option<Intake>> {
    db.prepare_cached("SELECT * FROM intakes WHERE name = ?")?
        .query_row([name.as_str()], intake_from_row)
        .optional()
}

pub(super) fn intakes(db: &Connection) -> rusqlite::Result<Vec<Intake>> {
    db.prepare_cached("SELECT * FROM intakes ORDER BY name")?
        .query_map([], intake_from_row)?
        .collect()
}

pub(super) fn headnode(db: &Connection, name: &HeadnodeName) -> rusqlite::Result<Option<Headnode>> {
    db.prepare_cached("SELECT * FROM headnodes WHERE name = ?")?
        .query_row([name.as_str()], headnode_from_row)
        .optional()
}

pub(super) fn headnodes(db: &Connection) -> rusqlite::Result<Vec<Headnode>> {
    db.prepare_cached("SELECT * FROM headnodes ORDER BY name")?
        .query_map([], headnode_from_row)?
        .collect()
}

fn intake_from_row(row: &Row<'_>) -> rusqlite::Result<Intake> {
    let unreadable = match row.get::<_, String>("state")?.as_str() {
        "unreadable" => Some(Unreadable {
            since: row.get::<_, Instant>("since")?.0,
            because: row.get("because")?,
            next_look: row.get::<_, Instant>("next_look")?.0,
        }),
        _ => None,
    };
    Ok(Intake {
        name: IntakeName::new(row.get::<_, String>("name")?),
        unreadable,
        paused: pause(row)?,
        mount: row.get("mount")?,
        baseline_at: instant(row, "baseline_at")?,
        scanned_at: instant(row, "scanned_at")?,
    })
}

fn headnode_from_row(row: &Row<'_>) -> rusqlite::Result<Headnode> {
    let state = match row.get::<_, String>("state")?.as_str() {
        "ok" => HeadnodeState::Ok,
        "unreachable" => HeadnodeState::Unreachable {
            part: part(row)?,
            needs_person: row.get("needs_person")?,
            since: row.get::<_, Instant>("since")?.0,
            because: row.get("because")?,
            next_try: row.get::<_, Instant>("next_try")?.0,
        },
        "broken" => HeadnodeState::Broken {
            part: part(row)?,
            since: row.get::<_, Instant>("since")?.0,
            because: row.get("because")?,
        },
        other => {
            let text = format!("the headnode state {other:?} is not known here");
            return Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Text, text.into()));
        }
    };
    Ok(Headnode {
        name: HeadnodeName::new(row.get::<_, String>("name")?),
        state,
        paused: pause(row)?,
        draining: row.get("draining")?,
        failures: row.get("failures")?,
        next_poll: instant(row, "next_poll")?,
        polled_at: instant(row, "polled_at")?,
        owned_at: instant(row, "owned_at")?,
        queue_version: row.get("queue_version")?,
        // It is seen anew with the next answer, so what cannot be read is no loss.
        queue_seen: row
            .get::<_, Option<String>>("queue_seen")?
            .and_then(|text| serde_json::from_str(&text).ok()),
        drift: row.get("drift")?,
        clock_skew_ms: row.get("clock_skew_ms")?,
    })
}

fn part(row: &Row<'_>) -> rusqlite::Result<Part> {
    Ok(row.get::<_, Option<AsWord<Part>>>("part")?.map_or(Part::Host, |part| part.0))
}

fn pause(row: &Row<'_>) -> rusqlite::Result<Option<Pause>> {
    let Some(since) = instant(row, "paused_since")? else { return Ok(None) };
    Ok(Some(Pause {
        by: row.get::<_, Option<String>>("paused_by")?.map(Actor::new),
        since,
        reason: row.get("paused_reason")?,
    }))
}
