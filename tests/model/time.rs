//! Owns time in the model: it stands while anything is being done and jumps to the next
//! instant at which something is due.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use daylily_watch::clock::{Clock, whole_milliseconds};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every life begins.
pub(crate) fn beginning() -> Timestamp {
    Timestamp::from_second(1_795_000_000).expect("it is in the year 2026")
}

/// Tenths of a second, in which schedules are written.
pub(crate) fn tenths(count: u32) -> Duration {
    Duration::from_millis(u64::from(count) * 100)
}

#[derive(Debug)]
pub(crate) struct ModelClock {
    begun: Instant,
    /// How far the wall clock was set on, in seconds.
    set_on: AtomicI64,
}

impl ModelClock {
    pub(crate) fn begin() -> Self {
        Self { begun: instant(), set_on: AtomicI64::new(0) }
    }

    pub(crate) fn step(&self, seconds: i32) {
        self.set_on.fetch_add(i64::from(seconds), Ordering::Relaxed);
    }
}

#[allow(clippy::disallowed_methods, reason = "time is that of the paused runtime")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

impl Clock for ModelClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.monotonic()).expect("lives are short");
        let set_on = SignedDuration::from_secs(self.set_on.load(Ordering::Relaxed));
        whole_milliseconds(beginning() + passed + set_on)
    }

    fn monotonic(&self) -> Duration {
        instant().duration_since(self.begun)
    }
}
