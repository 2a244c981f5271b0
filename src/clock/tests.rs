//! What callers may rely on.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn times_are_whole_milliseconds() {
    assert_eq!(SystemClock.now().subsec_nanosecond() % 1_000_000, 0);
    let clock = FakeClock::new(at("2026-11-20T06:00:00.123456Z"));
    clock.advance(Duration::from_micros(900));
    assert_eq!(clock.now(), at("2026-11-20T06:00:00.123Z"));
    clock.advance(Duration::from_micros(100));
    assert_eq!(clock.now(), at("2026-11-20T06:00:00.124Z"));
}

#[test]
fn the_monotonic_clock_runs() {
    let start = SystemClock.monotonic();
    assert!(start > Duration::ZERO);
    assert!(SystemClock.monotonic() >= start);
}

#[test]
fn a_step_of_the_wall_clock_is_no_passing_of_time() {
    let clock = FakeClock::new(at("2026-11-20T06:00:00Z"));
    clock.advance(Duration::from_secs(5));
    clock.step_to(at("2026-11-20T05:00:00Z"));
    assert_eq!(clock.now(), at("2026-11-20T05:00:00Z"));
    assert_eq!(clock.monotonic(), Duration::from_secs(5));
}
