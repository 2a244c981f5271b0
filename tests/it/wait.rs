//! Owns waiting in tests: for a condition, with a limit, never for a while.

use std::time::{Duration, Instant};

/// More than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// Returns when `condition` holds; panics with `what` when it does not within `limit`.
pub(crate) fn until(what: &str, limit: Duration, condition: impl FnMut() -> bool) {
    assert!(holds(limit, condition), "waited {limit:?} in vain: {what}");
}

/// Whether `condition` comes to hold within `limit`, as soon as it does.
pub(crate) fn holds(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    #[allow(clippy::disallowed_methods, reason = "a limit needs a clock")]
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() >= limit {
            return false;
        }
        #[allow(clippy::disallowed_methods, reason = "the one place where tests wait")]
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The same for a condition that has to be asked for.
pub(crate) async fn until_seen<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) {
    let look = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = tokio::time::timeout(limit, look).await;
    assert!(seen.is_ok(), "waited {limit:?} in vain: {what}");
}
