//! Owns how fast bytes may move: those who move them wait here first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daylily_lifecycle::ids::ByteCount;

use crate::clock::Clock;

pub struct Pace {
    clock: Arc<dyn Clock>,
    /// Bytes of a second. None: as many as will go.
    rate: Option<ByteCount>,
    /// Until when what was let through takes, by the monotonic clock.
    busy_until: Mutex<Duration>,
}

impl Pace {
    pub fn new(clock: Arc<dyn Clock>, rate: Option<ByteCount>) -> Self {
        let rate = rate.filter(|rate| rate.0 > 0);
        Self { clock, rate, busy_until: Mutex::default() }
    }

    /// Returns when these bytes may move.
    pub async fn take(&self, bytes: u64) {
        let wait = self.book(bytes);
        if wait > Duration::ZERO {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long those who want to move these bytes have to wait for the ones before them.
    fn book(&self, bytes: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate.0);
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let now = self.clock.monotonic();
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*busy_until).max(now);
        *busy_until = begins.saturating_add(takes);
        begins - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FakeClock;

    #[test]
    fn bytes_wait_for_those_before_them() {
        let clock = Arc::new(FakeClock::new("2026-11-20T06:00:00Z".parse().unwrap()));
        let pace = Pace::new(clock.clone(), Some(ByteCount(1000)));
        assert_eq!(pace.book(500), Duration::ZERO);
        assert_eq!(pace.book(1000), Duration::from_millis(500));
        assert_eq!(pace.book(1), Duration::from_millis(1500));
        clock.advance(Duration::from_secs(10));
        assert_eq!(pace.book(1), Duration::ZERO, "what was not used is gone");
        let free = Pace::new(clock, None);
        assert_eq!((free.book(u64::MAX), free.book(1)), (Duration::ZERO, Duration::ZERO));
    }
}
