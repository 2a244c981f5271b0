//! Owns waiting in verbs that go on: a short pause between two looks.

use std::time::Duration;

/// Between two looks of a verb that follows.
const FOLLOWING: Duration = Duration::from_millis(250);

/// Between two looks for an answer.
pub(super) const ASKING: Duration = Duration::from_millis(50);

pub(super) fn pause() {
    pause_for(FOLLOWING);
}

#[allow(clippy::disallowed_methods, reason = "another process writes what is looked for")]
pub(super) fn pause_for(duration: Duration) {
    std::thread::sleep(duration);
}
