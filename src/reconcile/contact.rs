//! Keeps each headnode's circuit: what a fault or an answer makes of it is stored and
//! told once. What that means for a case is for its plan.

use daylily_lifecycle::circuit::{self, Met, Turned};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::Fault;
use daylily_lifecycle::policy::{HeadnodeState, Part};
use tokio::sync::oneshot;

use super::{Context, Node, Pass};
use crate::mask::masked;

/// Opens a headnode's circuit, or sets it aside. Returns its state.
pub(super) async fn host_fault(
    context: &Context,
    node: &Node,
    part: Part,
    fault: &Fault,
    met: Met,
) -> Pass<HeadnodeState> {
    let fault = &Fault::new(fault.class, masked(&fault.text));
    let now = context.clock.now();
    let name = &node.settings.name;
    let seed = u64::from_le_bytes(
        blake3::hash(name.as_str().as_bytes()).as_bytes()[..8].try_into().unwrap_or_default(),
    );
    let met_fault = fault.clone();
    let turned = turn(context, node, move |state, failures| {
        circuit::open(state, failures, part, &met_fault, met, now, seed)
    });
    let turned = turned.await?;
    let (class, failures, text) = (fault.class, turned.failures, &fault.text);
    if turned.is_news {
        tracing::warn!(headnode = %name, ?part, ?class, error = %text, "the headnode is in trouble");
    } else {
        tracing::debug!(headnode = %name, ?part, ?class, failures, error = %text, "still in trouble");
    }
    Ok(turned.state)
}

/// The headnode has answered, and perhaps its queue. Steps that did not work there are
/// tried afresh when it had not.
pub(super) async fn answers(context: &Context, node: &Node, queue: bool) -> Pass<HeadnodeState> {
    let turned = turn(context, node, move |state, failures| circuit::close(state, failures, queue));
    let turned = turned.await?;
    if turned.is_news {
        tracing::info!(headnode = %node.settings.name, "answers again");
        let name = node.settings.name.clone();
        let troubled = context.store.read(move |reader| reader.troubled(&name)).await?;
        super::all(
            troubled.into_iter().map(|case| context.record(case, Observation::ContactRegained)),
        )
        .await?;
    }
    Ok(turned.state)
}

async fn turn(
    context: &Context,
    node: &Node,
    how: impl FnOnce(&HeadnodeState, u32) -> Turned + Send + 'static,
) -> Pass<Turned> {
    let (tell, told) = oneshot::channel();
    let name = node.settings.name.clone();
    let change = context.store.change_headnode(name, move |headnode| {
        let turned = how(&headnode.state, headnode.failures);
        headnode.state = turned.state.clone();
        headnode.failures = turned.failures;
        // Nobody waits for it when the program is being ended.
        let _ = tell.send(turned);
    });
    let headnode = change.await?;
    let kept = Turned { state: headnode.state, failures: headnode.failures, is_news: false };
    Ok(told.await.unwrap_or(kept))
}
