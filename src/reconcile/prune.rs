//! Removes what has had its time: answered requests. A finished case's row stays, it is
//! what tells a name that comes back.

use super::{Context, Pass};

pub(super) async fn prune(context: &Context) -> Pass<()> {
    let pruned = context.store.prune(context.clock.now(), None).await?;
    if pruned.requests > 0 {
        tracing::debug!(requests = pruned.requests, "removed old requests");
    }
    Ok(())
}
