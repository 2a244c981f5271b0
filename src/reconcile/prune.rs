//! Removes what has had its time: answered requests; with `retention` also the data of
//! cases that ended long enough ago, which is named here and removed as what people ask
//! for is. A finished case's row stays, it is what tells a name that comes back.

use daylily_lifecycle::ids::CaseId;

use super::{Context, Pass};
use crate::store::read::Reader;

/// The cases whose data has had its time.
pub(super) async fn prune(context: &Context, reader: &Reader) -> Pass<Vec<CaseId>> {
    let now = context.clock.now();
    let pruned = context.store.prune(now, None).await?;
    if pruned.requests > 0 {
        tracing::debug!(requests = pruned.requests, "removed old requests");
    }
    // A time before all times: nothing has ended as long ago as that.
    match context.settings.retention.map(|retention| now.checked_sub(retention)) {
        Some(Ok(before)) => reader.uncleaned(before),
        Some(Err(_)) | None => Ok(Vec::new()),
    }
}
