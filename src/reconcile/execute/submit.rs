//! Hands jobs over: prepares their attempt directories, looks whether they were handed
//! over before, adds those that were not, and looks again whatever the answer was.
//!
//! Each question takes its time on the way, so the queue is asked while the directories are
//! made, and a directory that was made by that is not read: it can tell nothing yet.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{Attempt, ClaimedBy};
use daylily_lifecycle::case::{Case, StepName};
use daylily_lifecycle::circuit::Met;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Conclusion, Fault, FaultClass, Seen, conclude};
use daylily_lifecycle::policy::Part;

use super::{Context, Node, step_failed, step_of_case_failed};
use crate::adapters::host::record::CaseRecord;
use crate::adapters::host::{Job, Prepared};
use crate::adapters::queue::{Entry, QueueLook};
use crate::reconcile::Pass;
use crate::reconcile::contact::host_fault;
use crate::reconcile::poll::{look_at, read_after};

pub(super) async fn submit(context: Context, node: Node, cases: Vec<Case>) -> Pass<()> {
    let (context, node) = (&context, &node);
    let of: Vec<(&Case, &Attempt)> =
        cases.iter().filter_map(|case| Some((case, case.attempt()?))).collect();
    let jobs: Vec<Job> =
        of.iter().map(|(case, attempt)| job(context, node, case, attempt)).collect();
    let (answers, words) = tokio::join!(node.host.prepare_all(&jobs), node.queue.look());
    let mut to_add = Vec::new();
    let mut prepared: Vec<(&Case, &Attempt)> = Vec::new();
    for ((case, attempt), answer) in of.into_iter().zip(answers) {
        match answer {
            Ok(Prepared::Made) if is_unheard_of(attempt, &words) => to_add.push((case, attempt)),
            Ok(Prepared::Made | Prepared::There) => prepared.push((case, attempt)),
            Err(fault) => {
                let id = Some(&attempt.id);
                step_failed(context, Some(node), &case.id, id, StepName::Submit, fault).await?;
            }
        }
    }
    if prepared.is_empty() {
        return add(context, node, to_add).await;
    }
    let ids: Vec<AttemptId> = prepared.iter().map(|(_, attempt)| attempt.id.clone()).collect();
    let looks = match read_after(node, &ids, words).await {
        Ok(looks) => looks,
        Err((part, fault)) => {
            return host_fault(context, node, part, &fault, Met::Working).await.map(drop);
        }
    };
    for ((case, attempt), look) in prepared.into_iter().zip(looks) {
        let seen = seen_of(attempt);
        if conclude(&look, seen) == Conclusion::NotSubmitted {
            to_add.push((case, attempt));
        } else {
            let what = Observation::Looked {
                attempt: attempt.id.clone(),
                look,
                queue_wiped: None,
                begun: None,
            };
            context.record(case.id.clone(), what).await?;
        }
    }
    add(context, node, to_add).await
}

/// Whether nothing was ever known of it and its queue has nothing: with a directory that
/// was not there before, the row of an attempt that was not submitted.
fn is_unheard_of(attempt: &Attempt, words: &Result<QueueLook, Fault>) -> bool {
    attempt.submitted_at.is_none()
        && attempt.queued_at.is_none()
        && attempt.claimed_by.is_none()
        && words.as_ref().is_ok_and(|look| !look.words.contains_key(&attempt.id))
}

async fn add(context: &Context, node: &Node, to_add: Vec<(&Case, &Attempt)>) -> Pass<()> {
    if to_add.is_empty() {
        return Ok(());
    }
    let entries: Vec<Entry> = to_add
        .iter()
        .filter_map(|(_, attempt)| {
            let group = attempt.tenure.slots().first()?.group.clone();
            Some(Entry { attempt: attempt.id.clone(), group })
        })
        .collect();
    let answers = node.queue.add(&entries).await;
    let answered: BTreeMap<&AttemptId, _> =
        entries.iter().map(|entry| &entry.attempt).zip(answers).collect();
    let mut unclear = Vec::new();
    for (case, attempt) in &to_add {
        match answered.get(&attempt.id) {
            Some(Ok(task)) => {
                tracing::debug!(case = %case.name, attempt = %attempt.id, "handed over");
                let what =
                    Observation::Submitted { attempt: attempt.id.clone(), task: task.clone() };
                context.record(case.id.clone(), what).await?;
                unclear.push((*case, *attempt, None));
            }
            Some(Err(fault)) => unclear.push((*case, *attempt, Some(fault.clone()))),
            None => {}
        }
    }
    let ids: Vec<AttemptId> = unclear.iter().map(|(_, attempt, _)| attempt.id.clone()).collect();
    let looks = match look_at(node, &ids).await {
        Ok(looks) => looks,
        Err((part, fault)) => {
            return host_fault(context, node, part, &fault, Met::Working).await.map(drop);
        }
    };
    for ((case, attempt, fault), look) in unclear.into_iter().zip(looks) {
        let seen = seen_of(attempt);
        let there = conclude(&look, seen) != Conclusion::NotSubmitted;
        match fault {
            // Not there after all: the answer was the truth.
            Some(fault) if !there => refused(context, node, case, attempt, fault).await?,
            Some(_) | None => {
                let what = Observation::Looked {
                    attempt: attempt.id.clone(),
                    look,
                    queue_wiped: None,
                    begun: None,
                };
                context.record(case.id.clone(), what).await?;
            }
        }
    }
    Ok(())
}

/// The queue did not take an entry, and both it and the headnode have just answered.
async fn refused(
    context: &Context,
    node: &Node,
    case: &Case,
    attempt: &Attempt,
    fault: Fault,
) -> Pass<()> {
    let class = match fault.class {
        FaultClass::FatalHost => {
            let met = Met::Working;
            return host_fault(context, node, Part::Queue, &fault, met).await.map(drop);
        }
        // What answers is not silent: it is the step that failed.
        FaultClass::TransientHost => FaultClass::TransientStep,
        // Such as a group that is missing: of this entry, and of no other.
        FaultClass::NeedsPerson
        | FaultClass::TransientStep
        | FaultClass::NoSpace
        | FaultClass::Throttled
        | FaultClass::Ambiguous
        | FaultClass::FatalCase => fault.class,
    };
    let fault = Fault { class, ..fault };
    let id = Some(&attempt.id);
    step_of_case_failed(context, &case.id, id, StepName::Submit, fault).await
}

fn seen_of(attempt: &Attempt) -> Seen {
    let claimed_at = attempt.started_at.filter(|_| attempt.claimed_by == Some(ClaimedBy::Job));
    Seen { claimed_at, in_queue: attempt.queued_at.is_some(), queue_wiped: None }
}

/// What `job.sh` is made of: the pipeline's command as the attempt was made with it,
/// and an environment that says whose job it is and which GPUs it may use.
pub(super) fn job(context: &Context, node: &Node, case: &Case, attempt: &Attempt) -> Job {
    let pipeline = context.settings.pipelines.get(&case.order.pipeline);
    let mut env = node.settings.env.clone();
    if let Some(pipeline) = pipeline {
        env.extend(pipeline.env.clone());
    }
    let slots = attempt.tenure.slots();
    let gpus: Vec<&str> = slots.iter().filter_map(|slot| slot.gpu.as_deref()).collect();
    let headnode_has_gpus =
        node.settings.groups.iter().any(|group| group.slots.iter().any(Option::is_some));
    if headnode_has_gpus {
        // Empty hides the GPUs from a job that has none of them.
        env.insert("CUDA_VISIBLE_DEVICES".to_owned(), gpus.join(","));
    }
    let named: Vec<String> =
        slots.iter().map(|slot| format!("{}/{}", slot.group, slot.slot)).collect();
    for (name, value) in &attempt.place.params {
        env.insert(format!("DAYLILY_PARAM_{name}"), value.clone());
    }
    env.insert("DAYLILY_SLOT".to_owned(), named.join(","));
    env.insert("DAYLILY_CASE".to_owned(), case.name.to_string());
    env.insert("DAYLILY_ATTEMPT".to_owned(), attempt.id.to_string());
    let remote_dir = &attempt.place.remote_dir;
    Job {
        attempt: attempt.id.clone(),
        intake: case.intake.clone(),
        name: case.name.clone(),
        arrival: case.arrival,
        digest: case.content.digest.clone(),
        number: attempt.number,
        remote_name: remote_dir.rsplit('/').next().unwrap_or_default().to_owned(),
        dir: remote_dir.clone(),
        shell: pipeline.map_or_else(
            || vec!["sh".to_owned(), "-c".to_owned()],
            |pipeline| pipeline.shell.clone(),
        ),
        setup: pipeline.and_then(|pipeline| pipeline.setup.clone()),
        command: attempt.place.command.clone(),
        env,
        record: Some(Box::new(CaseRecord::of(case, attempt))),
    }
}
