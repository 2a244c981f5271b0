//! Owns the rows of attempts: one try at running a case each. It must keep every
//! field apart, so that an attempt loaded equals the one that was stored.

use daylily_lifecycle::attempt::{
    Attempt, End, Ending, Place, QueueKind, Silence, Stopping, Stored, Tenure,
};
use daylily_lifecycle::ids::{Actor, AttemptId, ByteCount, CaseId, HeadnodeName, Slot, TaskId};
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};

use super::column::{Instant, List, maybe};
use super::upsert::upsert;
use super::words::{AsWord, StoppingWord, TenureWord};

/// All attempts of a case, oldest first.
pub(super) fn of_case(db: &Connection, case: &CaseId) -> rusqlite::Result<Vec<Attempt>> {
    db.prepare_cached("SELECT * FROM attempts WHERE case_id = ? ORDER BY number")?
        .query_map([case.as_str()], from_row)?
        .collect()
}

pub(super) fn put(db: &Connection, case: &CaseId, attempt: &Attempt) -> rusqlite::Result<()> {
    let place = &attempt.place;
    let (tenure, slots, tenure_since, tenure_because) = match &attempt.tenure {
        Tenure::None => (TenureWord::None, None, None, None),
        Tenure::Reserved { slots, since } => {
            (TenureWord::Reserved, Some(slots), Some(Instant(*since)), None)
        }
        Tenure::Quarantined { slots, since, because } => {
            (TenureWord::Quarantined, Some(slots), Some(Instant(*since)), Some(because))
        }
    };
    let group = slots.and_then(|slots| slots.first()).map(|slot| slot.group.as_str());
    let gpus = slots.map(|slots| {
        slots.iter().filter_map(|slot| slot.gpu.as_deref()).collect::<Vec<_>>().join(",")
    });
    let (stopping, stopping_since) = match attempt.stopping {
        None => (None, None),
        Some(Stopping::Due { since }) => (Some(StoppingWord::Due), Some(since)),
        Some(Stopping::Done { since }) => (Some(StoppingWord::Done), Some(since)),
        Some(Stopping::Waived { since }) => (Some(StoppingWord::Waived), Some(since)),
    };
    let silence = attempt.silence.as_ref();
    let ending = attempt.ending.as_ref();
    let sent = ending.and_then(|ending| ending.sent);
    let end = attempt.end.as_ref();
    let stored = attempt.stored.as_ref();
    upsert(
        db,
        "attempts",
        &["id"],
        // The last slots an attempt had stay readable after it gave them back.
        &["slots", "group_name", "gpus"],
        named_params! {
            ":id": attempt.id.as_str(),
            ":case_id": case.as_str(),
            ":number": attempt.number,
            ":headnode": place.headnode.as_str(),
            ":group_name": group,
            ":slots": slots.map(List),
            ":gpus": gpus,
            ":tenure": AsWord(tenure),
            ":tenure_since": tenure_since,
            ":tenure_because": tenure_because,
            ":work_dir": place.work_dir,
            ":remote_dir": place.remote_dir,
            ":attempt_dir": place.attempt_dir,
            ":queue": AsWord(place.queue),
            ":owner": place.owner,
            ":command": place.command,
            ":config_hash": place.config_hash,
            ":params": (!place.params.is_empty()).then_some(List(&place.params)),
            ":stop": place.stop,
            ":stopping": stopping.map(AsWord),
            ":stopping_since": maybe(stopping_since),
            ":task_id": attempt.task_id.as_ref().map(TaskId::as_str),
            ":made_at": Instant(attempt.made_at),
            ":intent_at": maybe(attempt.intent_at),
            ":submitted_at": maybe(attempt.submitted_at),
            ":queued_at": maybe(attempt.queued_at),
            ":started_at": maybe(attempt.started_at),
            ":ended_at": end.map(|end| Instant(end.at)),
            ":claimed_by": attempt.claimed_by.map(AsWord),
            ":giving_up": attempt.giving_up.map(AsWord),
            ":silence_first": silence.map(|silence| Instant(silence.first)),
            ":silence_last": silence.map(|silence| Instant(silence.last)),
            ":silence_rebooted": silence.map(|silence| silence.rebooted),
            ":silence_partial": silence.map(|silence| silence.partial),
            ":ending": ending.map(|ending| AsWord(ending.why)),
            ":ending_at": ending.map(|ending| Instant(ending.asked_at)),
            ":ending_by": ending.map(|ending| ending.by.as_str()),
            ":ending_reason": ending.and_then(|ending| ending.reason.as_deref()),
            ":ending_sent": sent.map(|(force, _)| AsWord(force)),
            ":ending_sent_at": sent.map(|(_, at)| Instant(at)),
            ":end_how": end.map(|end| AsWord(end.how)),
            ":exit_code": end.and_then(|end| end.code),
            ":signal": end.and_then(|end| end.signal),
            ":result": attempt.result.map(AsWord),
            ":error": attempt.error,
            ":stored_to": stored.and_then(|stored| stored.to.as_deref()),
            ":stored_files": stored.map(|stored| stored.files),
            ":stored_bytes": stored.map(|stored| stored.bytes.0),
            ":stored_missing": stored.map(|stored| List(&stored.missing)),
            ":moved_to": stored.and_then(|stored| stored.moved_to.as_deref()),
            ":log_tail": stored.map(|stored| stored.log_tail.as_str()),
            ":cleaned_at": maybe(attempt.cleaned_at),
        },
    )
}

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let headnode: String = row.get("headnode")?;
    Ok(Attempt {
        id: AttemptId::new(row.get::<_, String>("id")?),
        number: row.get("number")?,
        place: Place {
            headnode: HeadnodeName::new(headnode),
            queue: row.get::<_, AsWord<QueueKind>>("queue")?.0,
            work_dir: row.get("work_dir")?,
            remote_dir: row.get("remote_dir")?,
            attempt_dir: row.get("attempt_dir")?,
            owner: row.get("owner")?,
            command: row.get("command")?,
            stop: row.get("stop")?,
            params: row.get::<_, Option<List<_>>>("params")?.map(|list| list.0).unwrap_or_default(),
            config_hash: row.get("config_hash")?,
        },
        tenure: tenure(row)?,
        made_at: row.get::<_, Instant>("made_at")?.0,
        intent_at: instant(row, "intent_at")?,
        submitted_at: instant(row, "submitted_at")?,
        queued_at: instant(row, "queued_at")?,
        task_id: row.get::<_, Option<String>>("task_id")?.map(TaskId::new),
        claimed_by: row.get::<_, Option<AsWord<_>>>("claimed_by")?.map(|word| word.0),
        started_at: instant(row, "started_at")?,
        silence: silence(row)?,
        stopping: stopping(row)?,
        giving_up: row.get::<_, Option<AsWord<_>>>("giving_up")?.map(|word| word.0),
        ending: ending(row)?,
        end: end(row)?,
        result: row.get::<_, Option<AsWord<_>>>("result")?.map(|word| word.0),
        error: row.get("error")?,
        stored: stored(row)?,
        cleaned_at: instant(row, "cleaned_at")?,
    })
}

pub(super) fn instant(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Instant>>(column)?.map(|instant| instant.0))
}

fn tenure(row: &Row<'_>) -> rusqlite::Result<Tenure> {
    let slots = || row.get::<_, List<Vec<Slot>>>("slots").map(|slots| slots.0);
    let since = || row.get::<_, Instant>("tenure_since").map(|since| since.0);
    Ok(match row.get::<_, AsWord<TenureWord>>("tenure")?.0 {
        TenureWord::None => Tenure::None,
        TenureWord::Reserved => Tenure::Reserved { slots: slots()?, since: since()? },
        TenureWord::Quarantined => Tenure::Quarantined {
            slots: slots()?,
            since: since()?,
            because: row.get("tenure_because")?,
        },
    })
}

fn silence(row: &Row<'_>) -> rusqlite::Result<Option<Silence>> {
    let Some(first) = instant(row, "silence_first")? else { return Ok(None) };
    Ok(Some(Silence {
        first,
        last: row.get::<_, Instant>("silence_last")?.0,
        rebooted: row.get("silence_rebooted")?,
        partial: row.get("silence_partial")?,
    }))
}

fn stopping(row: &Row<'_>) -> rusqlite::Result<Option<Stopping>> {
    let Some(word) = row.get::<_, Option<AsWord<_>>>("stopping")? else { return Ok(None) };
    let since = row.get::<_, Instant>("stopping_since")?.0;
    Ok(Some(match word.0 {
        StoppingWord::Due => Stopping::Due { since },
        StoppingWord::Done => Stopping::Done { since },
        StoppingWord::Waived => Stopping::Waived { since },
    }))
}

fn ending(row: &Row<'_>) -> rusqlite::Result<Option<Ending>> {
    let Some(why) = row.get::<_, Option<AsWord<_>>>("ending")? else { return Ok(None) };
    let sent = match row.get::<_, Option<AsWord<_>>>("ending_sent")? {
        Some(force) => Some((force.0, row.get::<_, Instant>("ending_sent_at")?.0)),
        None => None,
    };
    Ok(Some(Ending {
        why: why.0,
        asked_at: row.get::<_, Instant>("ending_at")?.0,
        by: Actor::new(row.get::<_, String>("ending_by")?),
        reason: row.get("ending_reason")?,
        sent,
    }))
}

pub(super) fn end(row: &Row<'_>) -> rusqlite::Result<Option<End>> {
    let Some(how) = row.get::<_, Option<AsWord<_>>>("end_how")? else { return Ok(None) };
    Ok(Some(End {
        at: row.get::<_, Instant>("ended_at")?.0,
        code: row.get("exit_code")?,
        signal: row.get("signal")?,
        how: how.0,
    }))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Option<Stored>> {
    let Some(files) = row.get("stored_files")? else { return Ok(None) };
    Ok(Some(Stored {
        to: row.get("stored_to")?,
        files,
        bytes: ByteCount(row.get("stored_bytes")?),
        moved_to: row.get("moved_to")?,
        log_tail: row.get("log_tail")?,
        missing: row.get::<_, List<Vec<String>>>("stored_missing")?.0,
    }))
}
