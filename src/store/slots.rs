//! Owns the rows of `slots`: who has which place. A slot is given by an UPDATE that
//! must find it free, and given back in the transaction that stores the attempt
//! whose tenure is over; nothing else frees one.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{Attempt, Tenure};
use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{AttemptId, CaseId, CaseName, GroupName, HeadnodeName, Slot};
use daylily_lifecycle::policy::{SlotState, SlotView};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::column::Instant;
use super::words::AsWord;

/// A slot as stored, with who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSlot {
    pub view: SlotView,
    pub holder: Option<Holder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub case: CaseId,
    pub name: CaseName,
    pub attempt: AttemptId,
    pub since: Timestamp,
    /// Why it is quarantined.
    pub because: Option<String>,
}

/// A slot that was to be given and is not free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFree(pub(super) Slot);

type Hold<'a> = (&'a Attempt, SlotState, Timestamp, Option<&'a str>);

/// Makes the slots follow from a case's attempts: those given back become free, then
/// those taken must be free. On `NotFree` the caller undoes all of it.
pub(super) fn follow(
    db: &Connection,
    old: Option<&Case>,
    new: &Case,
) -> rusqlite::Result<Result<(), NotFree>> {
    let before = old.map(held).unwrap_or_default();
    let after = held(new);
    let same = |slot: &Slot, attempt: &Attempt, among: &BTreeMap<&Slot, Hold<'_>>| {
        among.get(slot).is_some_and(|(holder, ..)| holder.id == attempt.id)
    };
    for (&slot, (attempt, ..)) in &before {
        if !same(slot, attempt, &after) {
            give_back(db, slot, &attempt.id)?;
        }
    }
    for (&slot, &(attempt, state, since, because)) in &after {
        if same(slot, attempt, &before) {
            mark(db, slot, &attempt.id, state, since, because)?;
        } else if !take(db, slot, &attempt.id, state, since, because)? {
            return Ok(Err(NotFree(slot.clone())));
        }
    }
    Ok(Ok(()))
}

fn held(case: &Case) -> BTreeMap<&Slot, Hold<'_>> {
    let mut held = BTreeMap::new();
    for attempt in case.attempts() {
        let (slots, hold): (_, Hold<'_>) = match &attempt.tenure {
            Tenure::None => continue,
            Tenure::Reserved { slots, since } => {
                (slots, (attempt, SlotState::Reserved, *since, None))
            }
            Tenure::Quarantined { slots, since, because } => {
                (slots, (attempt, SlotState::Quarantined, *since, Some(because)))
            }
        };
        held.extend(slots.iter().map(|slot| (slot, hold)));
    }
    held
}

fn give_back(db: &Connection, slot: &Slot, attempt: &AttemptId) -> rusqlite::Result<()> {
    // One that drains is removed rather than freed, so that nobody gets it again.
    let key = params![slot.headnode.as_str(), slot.group.as_str(), slot.slot, attempt.as_str()];
    let removed = db
        .prepare_cached(
            "DELETE FROM slots WHERE headnode = ? AND group_name = ? AND slot = ?
             AND attempt_id = ? AND draining = 1",
        )?
        .execute(key)?;
    let freed = db
        .prepare_cached(
            "UPDATE slots SET state = 'free', attempt_id = NULL, since = NULL, because = NULL,
                 gpu = next_gpu
             WHERE headnode = ? AND group_name = ? AND slot = ? AND attempt_id = ?",
        )?
        .execute(key)?;
    one(removed + freed, slot, "is not held by the attempt that gives it back")
}

fn take(
    db: &Connection,
    slot: &Slot,
    attempt: &AttemptId,
    state: SlotState,
    since: Timestamp,
    because: Option<&str>,
) -> rusqlite::Result<bool> {
    let taken = db
        .prepare_cached(
            "UPDATE slots SET state = ?, attempt_id = ?, since = ?, because = ?
             WHERE headnode = ? AND group_name = ? AND slot = ? AND gpu IS ?
               AND state = 'free' AND draining = 0",
        )?
        .execute(params![
            AsWord(state),
            attempt.as_str(),
            Instant(since),
            because,
            slot.headnode.as_str(),
            slot.group.as_str(),
            slot.slot,
            slot.gpu,
        ])?;
    Ok(taken == 1)
}

fn mark(
    db: &Connection,
    slot: &Slot,
    attempt: &AttemptId,
    state: SlotState,
    since: Timestamp,
    because: Option<&str>,
) -> rusqlite::Result<()> {
    let marked = db
        .prepare_cached(
            "UPDATE slots SET state = ?, since = ?, because = ?
             WHERE headnode = ? AND group_name = ? AND slot = ? AND attempt_id = ?",
        )?
        .execute(params![
            AsWord(state),
            Instant(since),
            because,
            slot.headnode.as_str(),
            slot.group.as_str(),
            slot.slot,
            attempt.as_str(),
        ])?;
    one(marked, slot, "is not held by its attempt")
}

fn one(changed: usize, slot: &Slot, otherwise: &str) -> rusqlite::Result<()> {
    if changed == 1 {
        return Ok(());
    }
    let text = format!("slot {slot} {otherwise}");
    Err(rusqlite::Error::ToSqlConversionFailure(text.into()))
}

/// Makes the slots of a headnode those of the configuration: per group the device of
/// each slot. A taken slot that is no longer there drains; a taken one with another
/// device gets it when it is given back.
pub(super) fn sync(
    db: &Connection,
    headnode: &HeadnodeName,
    groups: &[(GroupName, Vec<Option<String>>)],
) -> rusqlite::Result<()> {
    // Everything goes, then what is configured comes back.
    db.execute("DELETE FROM slots WHERE headnode = ? AND state = 'free'", [headnode.as_str()])?;
    db.execute("UPDATE slots SET draining = 1 WHERE headnode = ?", [headnode.as_str()])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO slots (headnode, group_name, slot, gpu, next_gpu) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (headnode, group_name, slot) DO UPDATE SET draining = 0, next_gpu = ?4",
    )?;
    for (group, gpus) in groups {
        for (slot, gpu) in gpus.iter().enumerate() {
            insert.execute(params![headnode.as_str(), group.as_str(), slot, gpu])?;
        }
    }
    Ok(())
}

/// All slots, in the order in which people read them.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<StoredSlot>> {
    db.prepare_cached(
        "SELECT s.*, c.id AS case_id, c.name AS case_name FROM slots AS s
         LEFT JOIN attempts AS a ON a.id = s.attempt_id
         LEFT JOIN cases AS c ON c.id = a.case_id
         ORDER BY s.headnode, s.group_name, s.slot",
    )?
    .query_map([], from_row)?
    .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<StoredSlot> {
    let state = row.get::<_, AsWord<SlotState>>("state")?.0;
    let holder = match row.get::<_, Option<String>>("attempt_id")? {
        Some(attempt) => Some(Holder {
            case: CaseId::new(row.get::<_, String>("case_id")?),
            name: CaseName::new(row.get::<_, String>("case_name")?),
            attempt: AttemptId::new(attempt),
            since: row.get::<_, Instant>("since")?.0,
            because: row.get("because")?,
        }),
        None => None,
    };
    Ok(StoredSlot {
        view: SlotView {
            slot: Slot {
                headnode: HeadnodeName::new(row.get::<_, String>("headnode")?),
                group: GroupName::new(row.get::<_, String>("group_name")?),
                slot: row.get("slot")?,
                gpu: row.get("gpu")?,
            },
            state,
            draining: row.get("draining")?,
        },
        holder,
    })
}
