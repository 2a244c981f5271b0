//! Removes what ended cases have left on their headnodes. What may be removed by what
//! is known here is judged by [`judge`]; whether anything of it lives is looked at
//! anew, there and at that moment. Never removed is what exists nowhere else, unless a
//! person names the case and says why.

use std::path::{Path, PathBuf};

use daylily_lifecycle::attempt::{Attempt, Place, Tenure};
use daylily_lifecycle::case::{Case, Failure, State};
use daylily_lifecycle::explain::argument;
use daylily_lifecycle::ids::{Actor, AttemptId, ByteCount, CaseId};
use daylily_lifecycle::observation::{Observation, Observed};
use daylily_lifecycle::outcome::Fault;
use daylily_lifecycle::policy::HeadnodeState;

use super::naming::manifest;
use super::{Context, Node, Pass};
use crate::adapters::host::record::CaseRecord;
use crate::adapters::host::{CleanOrder, Cleaned};
use crate::config::{Settings, Ship};
use crate::results::{is_kept, keep_log, kept_log};

/// What is kept of a job's log before the log itself goes.
const LOG: ByteCount = ByteCount(1024 * 1024);

/// Who wants a case's data removed.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) actor: Actor,
    pub(super) reason: Option<String>,
    /// A person has named the case and said why: also what exists nowhere else goes.
    pub(super) by_hand: bool,
}

/// What would be removed of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleanable {
    pub attempts: Vec<AttemptId>,
    /// As it was shipped; what its jobs wrote there comes on top.
    pub bytes: ByteCount,
}

/// Whether a case's data may be removed, by what is known of it here; else why not.
/// Looks at the results on this machine.
pub fn judge(case: &Case, state_dir: &Path, by_hand: bool) -> Result<Cleanable, String> {
    if !case.state.name().is_terminal() {
        return Err(format!("it has not ended: it is {}", case.state.name().in_plain_words()));
    }
    let left: Vec<&Attempt> =
        case.attempts().filter(|attempt| attempt.cleaned_at.is_none()).collect();
    if left.is_empty() {
        return Err("nothing of it is on a headnode".to_owned());
    }
    let open =
        |attempt: &&&Attempt| attempt.end.is_none() || !matches!(attempt.tenure, Tenure::None);
    if let Some(attempt) = left.iter().find(open) {
        return Err(format!("its attempt {} has not ended", attempt.number));
    }
    if !by_hand {
        is_safe_elsewhere(case, state_dir)?;
    }
    let mut folders: Vec<&str> = left.iter().map(|a| a.place.remote_dir.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    let times = u64::try_from(folders.len()).unwrap_or(u64::MAX);
    let bytes = ByteCount(case.content.bytes.0.saturating_mul(times));
    Ok(Cleanable { attempts: left.iter().map(|attempt| attempt.id.clone()).collect(), bytes })
}

/// What was made of the case is on this machine, or nothing was.
fn is_safe_elsewhere(case: &Case, state_dir: &Path) -> Result<(), String> {
    let name = argument(&case.name);
    let only_there = |what: &str, place: &Place| {
        Err(format!(
            "{what} on {} alone; `clean --reason '...' {name}` removes it all the same",
            place.headnode
        ))
    };
    match &case.state {
        State::Succeeded { attempt, stored, .. } => match &stored.to {
            None => only_there("nothing was fetched, so its results are", &attempt.place),
            Some(to) if is_kept(Path::new(to), &attempt.id) => Ok(()),
            Some(to) => only_there(
                &format!("its results are not as they were put into {to}, so they may be"),
                &attempt.place,
            ),
        },
        State::Failed { attempt, failure: Failure::Missing { .. } } => only_there(
            "it came to its end without all outputs, and what it made is",
            &attempt.place,
        ),
        // Of a failed run its log is what is kept.
        State::Failed { attempt, failure: Failure::Exit { .. } | Failure::Limit { .. } } => {
            let fetched = attempt.stored.is_some();
            if fetched && !kept_log(state_dir, &attempt.id) {
                return only_there("the copy of its log is gone, so its log is", &attempt.place);
            }
            Ok(())
        }
        State::Cancelled { attempt: Some(attempt) } if attempt.started_at.is_some() => {
            only_there("it was cancelled while it ran, and what it made is", &attempt.place)
        }
        State::Cancelled { .. } => Ok(()),
        State::Arriving
        | State::Ready
        | State::Shipping { .. }
        | State::Staged { .. }
        | State::Submitting { .. }
        | State::Queued { .. }
        | State::Running { .. }
        | State::Returning { .. }
        | State::Cancelling { .. }
        | State::Rejected { .. } => Err("it has not ended".to_owned()),
    }
}

/// Answers what was asked: `done: ...`, or why it is kept.
pub(super) async fn clean(context: &Context, id: &CaseId, asked: &Asked) -> Pass<String> {
    let id = id.clone();
    let Some(case) = context.store.read(move |reader| reader.case(&id)).await? else {
        return Ok("there is no such case".to_owned());
    };
    let (looked_at, state_dir, by_hand) =
        (case.clone(), context.state_dir().clone(), asked.by_hand);
    let judged = tokio::task::spawn_blocking(move || judge(&looked_at, &state_dir, by_hand)).await;
    let cleanable = match judged {
        Ok(Ok(cleanable)) => cleanable,
        Ok(Err(why)) => return Ok(why),
        Err(error) => return Ok(format!("the program itself failed on it: {error}")),
    };
    let mut bytes = 0_u64;
    for group in groups(&case, &cleanable) {
        match of_folder(context, &case, &group, asked).await? {
            Ok(Cleaned::Done { bytes: freed }) => bytes = bytes.saturating_add(freed.0),
            Ok(Cleaned::Kept { why }) => return Ok(why),
            Err(fault) => return Ok(fault.text),
        }
    }
    let bytes = ByteCount(bytes);
    let (attempts, reason) = (cleanable.attempts, asked.reason.clone());
    let what = Observation::Cleaned { attempts, bytes, reason };
    let observed = Observed { at: context.clock.now(), actor: asked.actor.clone(), what };
    context.store.record(case.id.clone(), observed).await?;
    Ok(format!("done: {bytes}"))
}

/// The attempts that ran in one folder of one headnode, oldest first.
fn groups(case: &Case, cleanable: &Cleanable) -> Vec<Vec<Attempt>> {
    let mut groups: Vec<Vec<Attempt>> = Vec::new();
    for attempt in case.attempts().filter(|attempt| cleanable.attempts.contains(&attempt.id)) {
        let same = |group: &&mut Vec<Attempt>| {
            group.iter().any(|other| {
                (&other.place.headnode, &other.place.remote_dir)
                    == (&attempt.place.headnode, &attempt.place.remote_dir)
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(attempt.clone()),
            None => groups.push(vec![attempt.clone()]),
        }
    }
    groups
}

async fn of_folder(
    context: &Context,
    case: &Case,
    attempts: &[Attempt],
    asked: &Asked,
) -> Pass<Result<Cleaned, Fault>> {
    let kept = |why: String| Ok(Ok(Cleaned::Kept { why }));
    let Some(place) = attempts.first().map(|attempt| &attempt.place) else {
        return kept("nothing of it is on a headnode".to_owned());
    };
    let Some(node) = context.node(&place.headnode) else {
        return kept(format!("{} is not in the configuration any more", place.headnode));
    };
    let name = place.headnode.clone();
    let stored = context.store.read(move |reader| reader.headnode(&name)).await?;
    if stored.is_some_and(|stored| stored.state != HeadnodeState::Ok) {
        return kept(format!("{} cannot be worked with at present", place.headnode));
    }
    let with_folder = is_ours(case, place);
    if !with_folder && node.settings.ship == Ship::Copy {
        return kept(format!("{} is not where cases are copied to", place.remote_dir));
    }
    let (looked_at, dir) = (case.clone(), place.remote_dir.clone());
    let shared =
        move |reader: &crate::store::read::Reader| reader.is_place_of_another(&looked_at, &dir);
    if context.store.read(shared).await? {
        return kept(format!("{} is the folder of another case too", place.remote_dir));
    }
    let ids: Vec<AttemptId> = attempts.iter().map(|attempt| attempt.id.clone()).collect();
    match removed_from_queue(node, &ids).await {
        Ok(None) => {}
        Ok(Some(id)) => return kept(format!("the queue still has {id}")),
        Err(fault) => return Ok(Err(fault)),
    }
    if let Err(fault) = keep_logs(context, node, attempts).await {
        return Ok(Err(fault));
    }
    let at = context.clock.now();
    let order = CleanOrder {
        attempts: attempts.iter().map(|attempt| CaseRecord::tombstone(case, attempt, at)).collect(),
        intake: case.intake.clone(),
        remote_name: place.remote_dir.rsplit('/').next().unwrap_or_default().to_owned(),
        with_folder,
        manifest: manifest(case, place),
        apart: apart(&context.settings, case),
        outside: outside(&context.settings),
    };
    tracing::info!(case = %case.name, dir = place.remote_dir, actor = %asked.actor, "is being removed");
    Ok(node.host.clean(&order).await)
}

/// Whether the folder has the form `<work_dir>/<intake>/<case>`, so that nobody else's
/// is meant.
fn is_ours(case: &Case, place: &Place) -> bool {
    let below = place.remote_dir.strip_prefix(place.work_dir.trim_end_matches('/'));
    let folder = below
        .and_then(|below| below.strip_prefix('/'))
        .and_then(|below| below.strip_prefix(case.intake.as_str()))
        .and_then(|below| below.strip_prefix('/'));
    folder.is_some_and(|folder| !matches!(folder, "" | "." | "..") && !folder.contains('/'))
}

/// Takes entries that are over out of the queue; one that stays is named.
async fn removed_from_queue(node: &Node, ids: &[AttemptId]) -> Result<Option<AttemptId>, Fault> {
    let listed = |words: &crate::adapters::queue::QueueLook| -> Vec<AttemptId> {
        ids.iter().filter(|id| words.words.contains_key(*id)).cloned().collect()
    };
    let there = listed(&node.queue.look().await?);
    if there.is_empty() {
        return Ok(None);
    }
    node.queue.remove(&there).await?;
    Ok(listed(&node.queue.look().await?).into_iter().next())
}

/// What a job printed can be read with `log` also when its file is gone.
async fn keep_logs(context: &Context, node: &Node, attempts: &[Attempt]) -> Result<(), Fault> {
    for attempt in attempts.iter().filter(|attempt| attempt.started_at.is_some()) {
        let id = attempt.id.clone();
        if kept_log(context.state_dir(), &id) {
            continue;
        }
        let log = node.host.tail(&id, LOG.0).await?;
        if log.is_empty() {
            continue;
        }
        let state_dir = context.state_dir().clone();
        let kept =
            tokio::task::spawn_blocking(move || keep_log(&state_dir, &id, log.as_bytes(), LOG));
        match kept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Fault::new(error.class(), error.to_string())),
            Err(error) => {
                tracing::error!(%error, "keeping a log failed by our own fault");
            }
        }
    }
    Ok(())
}

/// Folders of cases as they came: none may be what is removed, whatever the paths are.
fn apart(settings: &Settings, case: &Case) -> Vec<PathBuf> {
    let moved = case.attempts().filter_map(|attempt| attempt.stored.as_ref()?.moved_to.as_ref());
    let mut apart: Vec<PathBuf> = moved.map(PathBuf::from).collect();
    apart.push(PathBuf::from(&case.path));
    for intake in &settings.intakes {
        apart.push(intake.path.clone());
        apart.extend(intake.success_to.clone());
        apart.extend(intake.failure_to.clone());
    }
    apart
}

fn outside(settings: &Settings) -> Vec<PathBuf> {
    vec![settings.state_dir.clone(), settings.results.to.clone(), settings.file.clone()]
}
