//! Ends what must not run: takes the claim of a job that has not begun, or signals the
//! processes of one that has. That it is over is what a look says, not this.

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::case::{Case, StepName};
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::FaultClass;

use super::submit::job;
use super::{Context, Node, step_failed};
use crate::reconcile::Pass;

pub(super) async fn take_claim(
    context: &Context,
    node: &Node,
    case: &Case,
    attempt: &AttemptId,
) -> Pass<()> {
    let taken = async {
        // Never handed over, perhaps never prepared: the claim needs a directory to lie in.
        let mut refused = None;
        if let Some(this) = case.attempt().filter(|this| this.submitted_at.is_none()) {
            match node.host.prepare(&job(context, node, case, this)).await {
                Ok(()) => {}
                // A tombstone is directory enough.
                Err(fault) if fault.class == FaultClass::FatalCase => refused = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        node.host.take_claim(attempt).await.map_err(|fault| refused.unwrap_or(fault))
    };
    match taken.await {
        Ok(by) => {
            tracing::info!(case = %case.name, %attempt, ?by, "asked for the claim");
            let what = Observation::Claimed { attempt: attempt.clone(), by };
            context.record(case.id.clone(), what).await?;
            if by == ClaimedBy::Daemon
                && let Err(fault) = node.queue.remove(std::slice::from_ref(attempt)).await
            {
                // An entry that is left is inert by the claim; the next look removes it.
                tracing::warn!(%attempt, error = %fault.text, "an entry stays in the queue");
            }
            Ok(())
        }
        Err(fault) => {
            let step = StepName::Claim;
            step_failed(context, Some(node), &case.id, Some(attempt), step, fault).await
        }
    }
}

/// Runs the `stop` that the attempt was made with. It may have run before.
pub(super) async fn stop(
    context: &Context,
    node: &Node,
    case: &Case,
    attempt: &AttemptId,
) -> Pass<()> {
    let Some((this, command)) =
        case.attempt().and_then(|this| Some((this, this.place.stop.as_deref()?)))
    else {
        return Ok(());
    };
    match node.host.stop(&job(context, node, case, this), command).await {
        Ok(()) => {
            tracing::info!(case = %case.name, %attempt, "stopped what it may have left elsewhere");
            let what = Observation::Stopped { attempt: attempt.clone() };
            context.record(case.id.clone(), what).await?;
            Ok(())
        }
        Err(fault) => {
            let step = StepName::Stop;
            step_failed(context, Some(node), &case.id, Some(attempt), step, fault).await
        }
    }
}

pub(super) async fn end_processes(
    context: &Context,
    node: &Node,
    case: &Case,
    attempt: &AttemptId,
    force: Force,
) -> Pass<()> {
    match node.host.end(attempt, force).await {
        Ok(()) => {
            tracing::info!(case = %case.name, %attempt, ?force, "signalled its processes");
            let what = Observation::Signalled { attempt: attempt.clone(), force };
            context.record(case.id.clone(), what).await?;
            Ok(())
        }
        Err(fault) => {
            let step = StepName::End;
            step_failed(context, Some(node), &case.id, Some(attempt), step, fault).await
        }
    }
}
