<<<<<<< HEAD
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
=======
//! Owns waiting in tests: for a condition, never for a time.

use std::time::{Duration, Instant};

/// Waits until a condition holds, and fails naming it after the limit.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "the one place in which tests wait")]
pub(crate) fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
>>>>>>> intake
}
