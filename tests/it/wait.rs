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
}
