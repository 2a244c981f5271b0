//! Owns waiting: for a condition, with a limit, never for a time alone.

use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Returns once `cond` holds. Panics with `what` when it has not within `limit`.
#[track_caller]
pub(crate) fn until(what: &str, limit: Duration, mut cond: impl FnMut() -> bool) {
    let looks = limit.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if cond() {
            return;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    assert!(cond(), "waited {limit:?} for {what}");
}
