//! Does what people asked for. Other processes write rows; each is answered in the
//! transaction that does it, so that a daemon killed in between does it once.

use daylily_lifecycle::case::Priority;
use daylily_lifecycle::ids::{CaseId, HeadnodeName, IntakeName};
use daylily_lifecycle::observation::{Observation, Observed, Request, Verb};
use daylily_lifecycle::policy::{HeadnodeState, Pause};

use super::errands::Errands;
use super::poll::Poller;
use super::reload::{Reloaded, reload};
use super::stop_file::remove_stop_file;
use super::{Context, Pass};
use crate::config::Settings;
use crate::store::error::StoreError;
use crate::store::places::Paused;
use crate::store::read::Reader;
use crate::store::recording::Fact;
use crate::store::requests::{NewRequest, StoredRequest};

/// What the answers come to beside themselves.
#[derive(Default)]
pub(super) struct Answered {
    /// Something around the cases was changed, so that all are to be planned anew.
    pub(super) turned: bool,
    /// The configuration was read anew.
    pub(super) anew: Option<Settings>,
}

pub(super) async fn answer(
    context: &Context,
    reader: &Reader,
    errands: &mut Errands,
    poller: &Poller,
) -> Pass<Answered> {
    let mut turned = false;
    for stored in reader.take_requests()? {
        let request = &stored.request;
        if errands.has(stored.id) || waits(reader, errands, poller, request)? {
            continue;
        }
        tracing::info!(
            verb = request.verb,
            target = request.target,
            actor = %request.actor,
            reason = request.reason,
            "asked"
        );
        match what(request) {
            Ok(What::Case { case, verb }) => match superseded(reader, &case, &verb)? {
                Some(why) => finish(context, &stored, &why).await?,
                None => of_case(context, &stored, case, verb).await?,
            },
            Ok(What::Adopt(headnode)) => {
                turned = true;
                errands.adopt(headnode, &stored);
            }
            Ok(What::Clean { case, by_hand }) => match headnode_of(reader, &case)? {
                Some(headnode) => errands.clean(headnode, case, by_hand, &stored),
                None => finish(context, &stored, "nothing of it is on a headnode").await?,
            },
            Ok(What::Pause(paused)) => {
                turned = true;
                let pause = Pause {
                    by: Some(request.actor.clone()),
                    since: context.clock.now(),
                    reason: request.reason.clone(),
                };
                context.store.set_pause(paused, Some(pause)).await?;
                finish(context, &stored, "done").await?;
            }
            Ok(What::GoOn(paused)) => {
                turned = true;
                let outcome = go_on(context, paused).await?;
                finish(context, &stored, &outcome).await?;
            }
            Ok(What::Reload { only_look }) => {
                let reloaded = reload(context, reader, only_look).await?;
                tell_of_reload(&reloaded);
                finish(context, &stored, &reloaded.told).await?;
                if reloaded.anew.is_some() {
                    // What else is asked is answered by who has read it.
                    return Ok(Answered { turned, anew: reloaded.anew });
                }
            }
            Ok(What::Drain(headnode)) => {
                turned = true;
                let drain = context.store.change_headnode(headnode, |node| node.draining = true);
                drain.await?;
                finish(context, &stored, "done").await?;
            }
            Err(why) => finish(context, &stored, &why).await?,
        }
    }
    Ok(Answered { turned, anew: None })
}

fn tell_of_reload(reloaded: &Reloaded) {
    let told = reloaded.told.replace('\n', "; ");
    if reloaded.taken {
        tracing::info!(told, "the configuration was read anew");
    } else {
        tracing::warn!(told, "the configuration was not taken");
    }
}

/// Whether a request waits until what is being done is done: one thing at a time on a
/// headnode, and what is being removed does not start again meanwhile.
fn waits(reader: &Reader, errands: &Errands, poller: &Poller, request: &NewRequest) -> Pass<bool> {
    Ok(match what(request) {
        // A reading that began before would say what was so before.
        Ok(What::Adopt(headnode)) => errands.is_busy(&headnode) || poller.is_reading(&headnode),
        Ok(What::Clean { case, .. }) => match headnode_of(reader, &case)? {
            Some(headnode) => {
                errands.is_busy(&headnode) || poller.is_to_be_owned(reader, &headnode)?
            }
            None => false,
        },
        Ok(What::Case { case, .. }) => errands.is_cleaning(&case),
        Ok(What::Pause(_) | What::GoOn(_) | What::Drain(_) | What::Reload { .. }) | Err(_) => false,
    })
}

/// Where the last attempt of a case was.
fn headnode_of(reader: &Reader, case: &CaseId) -> Pass<Option<HeadnodeName>> {
    let case = reader.case(case)?;
    let last = case.as_ref().and_then(|case| case.attempts().last());
    Ok(last.map(|attempt| attempt.place.headnode.clone()))
}

enum What {
    Case { case: CaseId, verb: Verb },
    Adopt(HeadnodeName),
    Clean { case: CaseId, by_hand: bool },
    Pause(Paused),
    GoOn(Paused),
    Drain(HeadnodeName),
    Reload { only_look: bool },
}

/// The words of the command line as what they mean.
fn what(request: &NewRequest) -> Result<What, String> {
    let flag = |name: &str| request.args.get(name).and_then(serde_json::Value::as_bool);
    let text = |name: &str| request.args.get(name).and_then(serde_json::Value::as_str);
    let paused = match (text("intake"), text("headnode"), flag("all")) {
        (Some(name), None, None) => Some(Paused::Intake(IntakeName::new(name))),
        (None, Some(name), None) => Some(Paused::Headnode(HeadnodeName::new(name))),
        (None, None, Some(true)) => Some(Paused::All),
        _ => None,
    };
    let abandon = flag("abandon").unwrap_or(false);
    let verb = match (request.verb.as_str(), paused) {
        ("pause", Some(paused)) => return Ok(What::Pause(paused)),
        ("resume", Some(paused)) => return Ok(What::GoOn(paused)),
        ("adopt", _) => return Ok(What::Adopt(HeadnodeName::new(&request.target))),
        ("clean", _) => {
            // What exists nowhere else goes only with a reason.
            let by_hand = flag("named").unwrap_or(false) && request.reason.is_some();
            return Ok(What::Clean { case: CaseId::new(&request.target), by_hand });
        }
        ("reload", _) => {
            return Ok(What::Reload { only_look: flag("dry_run").unwrap_or(false) });
        }
        ("drain", Some(Paused::Headnode(name))) => return Ok(What::Drain(name)),
        ("accept", _) => Verb::Accept,
        ("hold", _) => Verb::Hold,
        ("resume", None) => Verb::Resume,
        ("retry", _) => Verb::Retry,
        ("rerun", _) => Verb::Rerun { abandon },
        ("cancel", _) => Verb::Cancel { abandon },
        ("confirm-dead", _) => Verb::ConfirmDead,
        ("note", _) => Verb::Note,
        ("priority", _) => Verb::SetPriority {
            priority: match text("priority") {
                Some("urgent") => Priority::Urgent,
                Some("normal") => Priority::Normal,
                Some("low") => Priority::Low,
                other => return Err(format!("there is no priority {other:?}")),
            },
        },
        (verb, _) => return Err(format!("this version does not know how to {verb}")),
    };
    if request.target.is_empty() {
        return Err("it names no case".to_owned());
    }
    Ok(What::Case { case: CaseId::new(&request.target), verb })
}

/// Why an earlier arrival of a name is not run again: the folder that is there now is
/// that of a later one.
fn superseded(reader: &Reader, case: &CaseId, verb: &Verb) -> Pass<Option<String>> {
    if !matches!(verb, Verb::Rerun { .. }) {
        return Ok(None);
    }
    let Some(case) = reader.case(case)? else { return Ok(None) };
    let stored = case.attempt().and_then(|attempt| attempt.stored.as_ref());
    if stored.is_some_and(|stored| stored.moved_to.is_some()) {
        // Its own folder lies where it was moved to.
        return Ok(None);
    }
    let last = reader.last_arrival(&case.intake, &case.name)?;
    Ok(last.filter(|last| last.arrival > case.arrival).map(|last| {
        format!(
            "its folder was replaced: what is there now is {}.{}, and `rerun {}` runs that",
            case.name, last.arrival.0, last.case
        )
    }))
}

async fn of_case(context: &Context, stored: &StoredRequest, case: CaseId, verb: Verb) -> Pass<()> {
    let request = &stored.request;
    let what = Observation::Asked(Request { verb, reason: request.reason.clone() });
    let at = context.clock.now();
    let observed = Observed { at, actor: request.actor.clone(), what };
    let facts = vec![Fact { case: case.clone(), observed }];
    match context.store.record_request(stored.id, facts, at).await {
        Err(StoreError::Panicked { text, .. }) => {
            finish(context, stored, &format!("the program failed on it: {text}")).await?;
            context.record(case, Observation::Panicked { text }).await?;
            Ok(())
        }
        recorded => recorded.map(drop),
    }
}

/// Lifts a pause. A headnode that was set aside is taken back at the same time, and an
/// intake's mount is looked at as if for the first time.
async fn go_on(context: &Context, paused: Paused) -> Pass<String> {
    context.store.set_pause(paused.clone(), None).await?;
    match paused {
        Paused::All => {
            if let Err(error) = remove_stop_file(context.state_dir()) {
                return Ok(format!("the file STOP in state_dir cannot be removed: {error}"));
            }
        }
        Paused::Intake(name) => {
            context.store.change_intake(name, |intake| intake.mount = None).await?;
        }
        Paused::Headnode(name) => {
            // What was put right may be the way there: a new connection shows it.
            let was = context.store.reader()?.headnode(&name)?.map(|node| node.state);
            if let (Some(node), Some(HeadnodeState::Broken { .. })) = (context.node(&name), was) {
                node.host.close().await;
            }
            let change = context.store.change_headnode(name, |headnode| {
                headnode.state = HeadnodeState::Ok;
                headnode.failures = 0;
                headnode.draining = false;
            });
            change.await?;
        }
    }
    Ok("done".to_owned())
}

async fn finish(context: &Context, stored: &StoredRequest, outcome: &str) -> Pass<()> {
    context.store.finish_request(stored.id, context.clock.now(), outcome.to_owned()).await
}
