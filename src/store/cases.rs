//! Owns the rows of a case: `cases`, with its attempts, conditions and trouble, to
//! and from the one value the lifecycle works on. What the lifecycle does not know
//! (`because`, `wake_at`, when a condition was last looked at) is left alone.

use daylily_lifecycle::attempt::{Attempt, End, Stored};
use daylily_lifecycle::case::{
    Case, Changed, Compared, Condition, Content, Failure, Hold, LastChange, Order, Prior,
    RejectedBy, State, StateName, Troubles, Word,
};
use daylily_lifecycle::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity,
    GroupName, HeadnodeName, IntakeName, PipelineName,
};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::attempts::{self, instant};
use super::column::{Instant, List, maybe};
use super::steps;
use super::upsert::upsert;
use super::words::{AsWord, FailureWord};

/// Loads a case with all its rows.
pub(super) fn load(db: &Connection, id: &CaseId) -> rusqlite::Result<Option<Case>> {
    let mut select = db.prepare_cached("SELECT * FROM cases WHERE id = ?")?;
    select.query_row([id.as_str()], |row| from_row(db, row)).optional()
}

/// Completes a row of `cases` with the case's other rows.
pub(super) fn from_row(db: &Connection, row: &Row<'_>) -> rusqlite::Result<Case> {
    let id = CaseId::new(row.get::<_, String>("id")?);
    let mut attempts = attempts::of_case(db, &id)?;
    let current = match row.get::<_, Option<String>>("attempt_id")?.map(AttemptId::new) {
        Some(current) => {
            let position = attempts.iter().position(|attempt| attempt.id == current);
            position.map(|position| attempts.remove(position))
        }
        None => None,
    };
    // The trouble is told in the row itself, so most cases need no look into `steps`.
    let troubles = match row.get::<_, Option<String>>("error")? {
        Some(_) => steps::troubles(db, &id)?,
        None => Troubles::default(),
    };
    Ok(Case {
        conditions: conditions(db, &id)?,
        state: state(row, current)?,
        past: attempts,
        troubles,
        id,
        intake: IntakeName::new(row.get::<_, String>("intake")?),
        name: CaseName::new(row.get::<_, String>("name")?),
        arrival: Arrival(row.get("arrival")?),
        path: row.get("path")?,
        kind: row.get::<_, AsWord<_>>("kind")?.0,
        order: Order {
            pipeline: PipelineName::new(row.get::<_, String>("pipeline")?),
            priority: row.get::<_, AsWord<_>>("priority")?.0,
            headnode: HeadnodeName::new(row.get::<_, String>("headnode")?),
            group: row.get::<_, Option<String>>("group_name")?.map(GroupName::new),
            gpus: row.get("gpus")?,
            params: row.get::<_, Option<List<_>>>("params")?.map(|list| list.0).unwrap_or_default(),
            notify: row.get::<_, Option<List<_>>>("notify")?.map(|list| list.0).unwrap_or_default(),
            rule: row.get("rule")?,
            priority_by: row.get::<_, Option<String>>("priority_by")?.map(Actor::new),
            workset: row.get::<_, Option<List<_>>>("workset")?.map(|workset| workset.0),
        },
        folder: row.get::<_, Option<String>>("folder")?.map(FolderIdentity::new),
        content: Content {
            files: row.get("files")?,
            bytes: ByteCount(row.get("bytes")?),
            fingerprint: row.get::<_, Option<String>>("fingerprint")?.map(Fingerprint::new),
            digest: row.get::<_, Option<String>>("digest")?.map(Digest::new),
        },
        prior: prior(row)?,
        last_change: last_change(row)?,
        compared: compared(row)?,
        settles_at: instant(row, "settles_at")?,
        hold: hold(row)?,
        accepted: accepted(row)?,
        changed: changed(row)?,
        vanished_at: instant(row, "vanished_at")?,
        first_seen: row.get::<_, Instant>("first_seen")?.0,
        ready_at: instant(row, "ready_at")?,
        started_at: instant(row, "started_at")?,
        finished_at: instant(row, "finished_at")?,
        updated_at: row.get::<_, Instant>("updated_at")?.0,
        version: row.get("version")?,
    })
}

/// Stores what has changed from `old` to `new`. `at` is when that was seen.
pub(super) fn put(
    db: &Connection,
    old: Option<&Case>,
    new: &Case,
    at: Timestamp,
) -> rusqlite::Result<()> {
    check_storable(new)?;
    // An attempt refers to its case and the case to its attempt: first a case
    // without one, then the attempts, then the case as it is.
    if old.is_none() && new.attempts().next().is_some() {
        put_row(db, new, None, StateName::Arriving, at)?;
    }
    let known = |attempt: &Attempt| old.is_some_and(|old| old.attempts().any(|a| a == attempt));
    for attempt in new.attempts().filter(|attempt| !known(attempt)) {
        attempts::put(db, &new.id, attempt)?;
    }
    let entered = new.state.name();
    put_row(db, new, old.map(|old| old.state.name()), entered, at)?;
    if old.map(|old| &old.conditions) != Some(&new.conditions) {
        put_conditions(db, &new.id, &new.conditions, at)?;
    }
    let state_changed = old.is_some_and(|old| old.state.name() != entered);
    let before = old.map(|old| &old.troubles);
    if state_changed || before.map_or(!new.troubles.is_empty(), |before| *before != new.troubles) {
        let attempt = new.attempt().map(|attempt| &attempt.id);
        steps::put_troubles(db, &new.id, attempt, &new.troubles, at)?;
    }
    Ok(())
}

/// Deletes all rows of a case but its journal. A slot that it holds prevents it.
pub(super) fn delete(db: &Connection, id: &CaseId) -> rusqlite::Result<()> {
    for sql in [
        "UPDATE cases SET attempt_id = NULL WHERE id = ?",
        "DELETE FROM steps WHERE case_id = ?",
        "DELETE FROM conditions WHERE case_id = ?",
        "DELETE FROM attempts WHERE case_id = ?",
        "DELETE FROM cases WHERE id = ?",
    ] {
        db.prepare_cached(sql)?.execute([id.as_str()])?;
    }
    Ok(())
}

/// The results that a state tells of stand in its attempt's row only.
fn check_storable(case: &Case) -> rusqlite::Result<()> {
    if let State::Succeeded { attempt, stored, .. } = &case.state
        && attempt.stored.as_ref() != Some(stored)
    {
        let text = format!("case {} and its attempt tell of different results", case.id);
        return Err(rusqlite::Error::ToSqlConversionFailure(text.into()));
    }
    Ok(())
}

/// Writes the row of `cases`. `entered` is Arriving for a case that has no attempts yet.
fn put_row(
    db: &Connection,
    case: &Case,
    left: Option<StateName>,
    entered: StateName,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let full = entered == case.state.name();
    let attempt = if full { case.attempt().map(|attempt| attempt.id.as_str()) } else { None };
    let told = if full { Told::by(&case.state) } else { Told::default() };
    let hold = case.hold.as_ref();
    let accepted = case.accepted.as_ref();
    let changed = case.changed.as_ref();
    let compared = case.compared.as_ref();
    let trouble = case.troubles.latest();
    // Kept when NULL is given: a state that goes on was entered before.
    let state_since = (left != Some(entered)).then_some(Instant(at));
    let row = named_params! {
        ":id": case.id.as_str(),
        ":intake": case.intake.as_str(),
        ":name": case.name.as_str(),
        ":arrival": case.arrival.0,
        ":path": case.path,
        ":kind": AsWord(case.kind),
        ":state": AsWord(entered),
        ":hold": hold.map(|hold| hold.reason.as_str()),
        ":hold_why": hold.map(|hold| AsWord(hold.why)),
        ":hold_since": hold.map(|hold| Instant(hold.since)),
        ":hold_by": hold.map(|hold| hold.by.as_str()),
        ":pipeline": case.order.pipeline.as_str(),
        ":priority": AsWord(case.order.priority),
        ":headnode": case.order.headnode.as_str(),
        ":group_name": case.order.group.as_ref().map(GroupName::as_str),
        ":gpus": case.order.gpus,
        ":params": (!case.order.params.is_empty()).then_some(List(&case.order.params)),
        ":notify": (!case.order.notify.is_empty()).then_some(List(&case.order.notify)),
        ":rule": case.order.rule,
        ":priority_by": case.order.priority_by.as_ref().map(Actor::as_str),
        ":workset": case.order.workset.as_ref().map(List),
        ":manifest_name": compared.map(|compared| compared.manifest.as_str()),
        ":manifest_fingerprint": compared.map(|compared| compared.fingerprint.as_str()),
        ":manifest_problems": compared.map(|compared| List(&compared.problems)),
        ":files": case.content.files,
        ":bytes": case.content.bytes.0,
        ":digest": case.content.digest.as_ref().map(Digest::as_str),
        ":fingerprint": case.content.fingerprint.as_ref().map(Fingerprint::as_str),
        ":folder": case.folder.as_ref().map(FolderIdentity::as_str),
        ":prior_case": case.prior.as_ref().map(|prior| prior.case.as_str()),
        ":prior_digest":
            case.prior.as_ref().and_then(|prior| prior.digest.as_ref()).map(Digest::as_str),
        ":last_change_path": case.last_change.as_ref().map(|change| change.path.as_str()),
        ":last_change_at": case.last_change.as_ref().map(|change| Instant(change.at)),
        ":settles_at": maybe(case.settles_at),
        ":accepted_at": accepted.map(|word| Instant(word.at)),
        ":accepted_by": accepted.map(|word| word.by.as_str()),
        ":accepted_reason": accepted.and_then(|word| word.reason.as_deref()),
        ":changed_since": changed.map(|changed| Instant(changed.since)),
        ":changed_path": changed.map(|changed| changed.path.as_str()),
        ":vanished_at": maybe(case.vanished_at),
        ":attempt_id": attempt,
        ":end_how": told.end.map(|end| AsWord(end.how)),
        ":ended_at": told.end.map(|end| Instant(end.at)),
        ":exit_code": told.end.and_then(|end| end.code),
        ":signal": told.end.and_then(|end| end.signal),
        ":failure": told.failure.map(AsWord),
        ":rejected_by": told.rejected_by.map(AsWord),
        ":problems": told.problems.map(List),
        ":error_class": trouble.map(|trouble| AsWord(trouble.class)),
        ":error": trouble.map(|trouble| trouble.text.as_str()),
        ":first_seen": Instant(case.first_seen),
        ":ready_at": maybe(case.ready_at),
        ":started_at": maybe(case.started_at),
        ":finished_at": maybe(case.finished_at),
        ":updated_at": Instant(case.updated_at),
        ":version": case.version,
        ":state_since": state_since,
    };
    if left.is_some() { update_row(db, row) } else { upsert(db, "cases", &["id"], &[], row) }
}

/// What a state tells besides its attempt.
#[derive(Default)]
struct Told<'a> {
    end: Option<&'a End>,
    failure: Option<FailureWord>,
    rejected_by: Option<RejectedBy>,
    problems: Option<&'a Vec<String>>,
}

impl<'a> Told<'a> {
    fn by(state: &'a State) -> Self {
        let failed =
            |end, failure| Self { end: Some(end), failure: Some(failure), ..Self::default() };
        match state {
            State::Returning { end, .. } | State::Succeeded { end, .. } => {
                Self { end: Some(end), ..Self::default() }
            }
            State::Failed { failure, .. } => match failure {
                Failure::Exit { end } => failed(end, FailureWord::Exit),
                Failure::Missing { end, patterns } => {
                    Self { problems: Some(patterns), ..failed(end, FailureWord::Missing) }
                }
                Failure::Limit { end } => failed(end, FailureWord::Limit),
            },
            State::Rejected { by, problems } => {
                Self { rejected_by: Some(*by), problems: Some(problems), ..Self::default() }
            }
            State::Arriving
            | State::Ready
            | State::Shipping { .. }
            | State::Staged { .. }
            | State::Submitting { .. }
            | State::Queued { .. }
            | State::Running { .. }
            | State::Cancelled { .. }
            | State::Cancelling { .. } => Self::default(),
        }
    }
}

fn update_row(db: &Connection, row: &super::upsert::Row<'_>) -> rusqlite::Result<()> {
    let mut updates = Vec::with_capacity(row.len());
    for &(value, _) in row {
        match value.trim_start_matches(':') {
            "id" => {}
            "state_since" => {
                updates.push("state_since = coalesce(:state_since, state_since)".to_owned());
            }
            column => updates.push(format!("{column} = {value}")),
        }
    }
    let sql = format!("UPDATE cases SET {} WHERE id = :id", updates.join(", "));
    db.prepare_cached(&sql)?.execute(row)?;
    Ok(())
}

fn put_conditions(
    db: &Connection,
    case: &CaseId,
    conditions: &[Condition],
    at: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM conditions WHERE case_id = ?")?.execute([case.as_str()])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO conditions (case_id, name, position, holds, detail, since, checked_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (position, condition) in conditions.iter().enumerate() {
        insert.execute(params![
            case.as_str(),
            AsWord(condition.name),
            position,
            condition.holds,
            condition.detail,
            Instant(condition.since),
            Instant(at),
        ])?;
    }
    Ok(())
}

fn conditions(db: &Connection, case: &CaseId) -> rusqlite::Result<Vec<Condition>> {
    db.prepare_cached("SELECT * FROM conditions WHERE case_id = ? ORDER BY position")?
        .query_map([case.as_str()], condition_from_row)?
        .collect()
}

pub(super) fn condition_from_row(row: &Row<'_>) -> rusqlite::Result<Condition> {
    Ok(Condition {
        name: row.get::<_, AsWord<_>>("name")?.0,
        holds: row.get("holds")?,
        detail: row.get("detail")?,
        since: row.get::<_, Instant>("since")?.0,
    })
}

fn state(row: &Row<'_>, attempt: Option<Attempt>) -> rusqlite::Result<State> {
    let name = row.get::<_, AsWord<StateName>>("state")?.0;
    let boxed = |attempt: Option<Attempt>| match attempt {
        Some(attempt) => Ok(Box::new(attempt)),
        None => Err(unreadable(row, "has no attempt")),
    };
    Ok(match name {
        StateName::Arriving => State::Arriving,
        StateName::Ready => State::Ready,
        StateName::Shipping => State::Shipping { attempt: boxed(attempt)? },
        StateName::Staged => State::Staged { attempt: boxed(attempt)? },
        StateName::Submitting => State::Submitting { attempt: boxed(attempt)? },
        StateName::Queued => State::Queued { attempt: boxed(attempt)? },
        StateName::Running => State::Running { attempt: boxed(attempt)? },
        StateName::Returning => {
            let attempt = boxed(attempt)?;
            State::Returning { end: end(row)?, attempt }
        }
        StateName::Succeeded => {
            let attempt = boxed(attempt)?;
            State::Succeeded { end: end(row)?, stored: stored(row, &attempt)?, attempt }
        }
        StateName::Failed => {
            let attempt = boxed(attempt)?;
            let end = end(row)?;
            let failure = match row.get::<_, AsWord<FailureWord>>("failure")?.0 {
                FailureWord::Exit => Failure::Exit { end },
                FailureWord::Missing => Failure::Missing { end, patterns: problems(row)? },
                FailureWord::Limit => Failure::Limit { end },
            };
            State::Failed { attempt, failure }
        }
        StateName::Cancelled => State::Cancelled { attempt: attempt.map(Box::new) },
        StateName::Cancelling => State::Cancelling { attempt: boxed(attempt)? },
        StateName::Rejected => State::Rejected {
            by: row.get::<_, AsWord<_>>("rejected_by")?.0,
            problems: problems(row)?,
        },
    })
}

fn problems(row: &Row<'_>) -> rusqlite::Result<Vec<String>> {
    Ok(row.get::<_, List<Vec<String>>>("problems")?.0)
}

fn end(row: &Row<'_>) -> rusqlite::Result<End> {
    attempts::end(row)?.ok_or_else(|| unreadable(row, "has not ended"))
}

fn stored(row: &Row<'_>, attempt: &Attempt) -> rusqlite::Result<Stored> {
    attempt.stored.clone().ok_or_else(|| unreadable(row, "has an attempt without results"))
}

fn unreadable(row: &Row<'_>, what: &str) -> rusqlite::Error {
    let id: String = row.get("id").unwrap_or_default();
    let state: String = row.get("state").unwrap_or_default();
    let text = format!("case {id} is {state} and {what}");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, text.into())
}

fn prior(row: &Row<'_>) -> rusqlite::Result<Option<Prior>> {
    let Some(case) = row.get::<_, Option<String>>("prior_case")? else { return Ok(None) };
    let digest = row.get::<_, Option<String>>("prior_digest")?.map(Digest::new);
    Ok(Some(Prior { case: CaseId::new(case), digest }))
}

fn last_change(row: &Row<'_>) -> rusqlite::Result<Option<LastChange>> {
    let Some(at) = instant(row, "last_change_at")? else { return Ok(None) };
    Ok(Some(LastChange { path: row.get("last_change_path")?, at }))
}

fn compared(row: &Row<'_>) -> rusqlite::Result<Option<Compared>> {
    let Some(manifest) = row.get("manifest_name")? else { return Ok(None) };
    Ok(Some(Compared {
        manifest,
        fingerprint: Fingerprint::new(row.get::<_, String>("manifest_fingerprint")?),
        problems: row.get::<_, List<Vec<String>>>("manifest_problems")?.0,
    }))
}

pub(super) fn hold(row: &Row<'_>) -> rusqlite::Result<Option<Hold>> {
    let Some(reason) = row.get("hold")? else { return Ok(None) };
    Ok(Some(Hold {
        why: row.get::<_, AsWord<_>>("hold_why")?.0,
        reason,
        since: row.get::<_, Instant>("hold_since")?.0,
        by: Actor::new(row.get::<_, String>("hold_by")?),
    }))
}

fn accepted(row: &Row<'_>) -> rusqlite::Result<Option<Word>> {
    let Some(at) = instant(row, "accepted_at")? else { return Ok(None) };
    Ok(Some(Word {
        at,
        by: Actor::new(row.get::<_, String>("accepted_by")?),
        reason: row.get("accepted_reason")?,
    }))
}

fn changed(row: &Row<'_>) -> rusqlite::Result<Option<Changed>> {
    let Some(since) = instant(row, "changed_since")? else { return Ok(None) };
    Ok(Some(Changed { since, path: row.get("changed_path")? }))
}
