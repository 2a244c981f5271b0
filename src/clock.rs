//! Owns time: nothing else in the program reads a clock. Times are whole
//! milliseconds, which is what the database stores, so that a time read back is
//! equal to the one that was written.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use nix::time::{ClockId, clock_gettime};

pub trait Clock: Send + Sync {
    /// The wall clock, in whole milliseconds.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start, which no step of the wall clock changes and
    /// which goes on while the machine sleeps.
    fn monotonic(&self) -> Duration;
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
    fn now(&self) -> Timestamp {
        whole_milliseconds(Timestamp::now())
    }

    fn monotonic(&self) -> Duration {
        // The call fails only for a clock that the kernel does not know; CLOCK_BOOTTIME
        // is older than any kernel this runs on.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }
}

/// Cuts off what is finer than a millisecond.
pub fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// How long ago a library took this instant.
pub(crate) fn age(taken: Instant) -> Duration {
    taken.elapsed()
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct FakeClock {
    hands: Mutex<Hands>,
}

#[derive(Debug, Clone, Copy)]
struct Hands {
    wall: Timestamp,
    monotonic: Duration,
}

impl FakeClock {
    pub fn new(now: Timestamp) -> Self {
        let hands = Hands { wall: whole_milliseconds(now), monotonic: Duration::ZERO };
        Self { hands: Mutex::new(hands) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.turn(|hands| {
            hands.monotonic += by;
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            hands.wall = hands.wall.checked_add(by).unwrap_or(Timestamp::MAX);
        });
    }

    /// Sets the wall clock, as an administrator or NTP would; no time passes.
    pub fn step_to(&self, now: Timestamp) {
        self.turn(|hands| hands.wall = whole_milliseconds(now));
    }

    fn turn(&self, change: impl FnOnce(&mut Hands)) {
        change(&mut self.hands.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn hands(&self) -> Hands {
        *self.hands.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        whole_milliseconds(self.hands().wall)
    }

    fn monotonic(&self) -> Duration {
        self.hands().monotonic
    }
}

#[cfg(test)]
mod tests;
