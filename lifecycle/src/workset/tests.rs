//! One test for each rule of the sentinels.

use super::*;
use Sentinel::{Complete, Error, Ignore, InProgress, Ready};

const LOCKS: [Lock; 6] =
    [Lock::Absent, Lock::Ours, Lock::Theirs, Lock::Expired, Lock::Classic, Lock::ClassicExpired];

fn skip(because: Because) -> Verdict {
    Verdict::Skip { because }
}

fn of(sentinels: &[Sentinel], lock: Lock) -> Verdict {
    decide(Seen::of(sentinels, lock))
}

fn restarted(sentinels: &[Sentinel], lock: Lock) -> Verdict {
    decide(Seen { restart: true, ..Seen::of(sentinels, lock) })
}

/// Every combination of what can be seen.
fn every() -> impl Iterator<Item = Seen> {
    (0..128_u32).flat_map(|bits| {
        let bit = move |at: u32| bits >> at & 1 == 1;
        LOCKS.into_iter().map(move |lock| Seen {
            ready: bit(0),
            in_progress: bit(1),
            complete: bit(2),
            error: bit(3),
            ignore: bit(4),
            known_here: bit(5),
            restart: bit(6),
            lock,
        })
    })
}

#[test]
fn with_none_of_them_it_is_not_ready() {
    for lock in LOCKS {
        assert_eq!(of(&[], lock), skip(Because::NotReady), "{lock:?}");
        assert_eq!(restarted(&[], lock), skip(Because::NotReady), "{lock:?}");
    }
}

#[test]
fn ignore_silences_everything() {
    for seen in every().filter(|seen| seen.ignore) {
        assert_eq!(decide(seen), Verdict::Ignored, "{seen:?}");
    }
}

#[test]
fn complete_is_left_alone_also_by_a_restart() {
    for seen in every().filter(|seen| seen.complete && !seen.ignore) {
        let because = if seen.error { Because::CompleteAndFailed } else { Because::Complete };
        assert_eq!(decide(seen), skip(because), "{seen:?}");
    }
}

#[test]
fn error_is_left_alone_until_a_restart_is_asked_for() {
    for lock in LOCKS {
        assert_eq!(of(&[Ready, Error], lock), skip(Because::Failed), "{lock:?}");
        assert_eq!(of(&[Ready, Error, InProgress], lock), skip(Because::Failed), "{lock:?}");
    }
    for lock in [Lock::Absent, Lock::Ours, Lock::Expired, Lock::ClassicExpired] {
        assert_eq!(restarted(&[Ready, Error], lock), Verdict::Restart, "{lock:?}");
        assert_eq!(restarted(&[Ready, Error, InProgress], lock), Verdict::Restart, "{lock:?}");
        assert_eq!(restarted(&[Error], lock), skip(Because::Failed), "{lock:?}: not ready");
    }
    for lock in [Lock::Theirs, Lock::Classic] {
        assert_eq!(restarted(&[Ready, Error], lock), skip(Because::Failed), "{lock:?}");
    }
}

#[test]
fn ready_and_none_of_the_others_is_begun() {
    assert_eq!(of(&[Ready], Lock::Absent), Verdict::Begin);
    assert_eq!(restarted(&[Ready], Lock::Absent), Verdict::Begin);
}

#[test]
fn what_another_holds_is_left_alone() {
    for lock in [Lock::Theirs, Lock::Classic] {
        assert_eq!(of(&[Ready], lock), skip(Because::Held));
        assert_eq!(restarted(&[Ready], lock), skip(Because::Held));
    }
    assert_eq!(of(&[Ready, InProgress], Lock::Theirs), skip(Because::Held));
    assert_eq!(restarted(&[Ready, InProgress], Lock::Theirs), skip(Because::Held));
}

#[test]
fn what_is_ours_goes_on() {
    assert_eq!(of(&[Ready], Lock::Ours), Verdict::GoOn);
    assert_eq!(of(&[Ready, InProgress], Lock::Ours), Verdict::GoOn);
    assert_eq!(of(&[InProgress], Lock::Ours), Verdict::GoOn);
}

#[test]
fn an_expired_lease_is_taken_over_before_and_after_it_was_begun() {
    assert_eq!(of(&[Ready], Lock::Expired), Verdict::TakeOver);
    assert_eq!(of(&[Ready, InProgress], Lock::Expired), Verdict::TakeOver);
    assert_eq!(of(&[InProgress], Lock::Expired), Verdict::TakeOver);
    assert_eq!(restarted(&[Ready, InProgress], Lock::Expired), Verdict::Restart);
}

#[test]
fn a_classic_lock_that_never_became_a_run_is_taken_over() {
    assert_eq!(of(&[Ready], Lock::ClassicExpired), Verdict::TakeOver);
}

#[test]
fn a_run_that_nobody_renews_is_cleared_by_a_person_alone() {
    for lock in [Lock::Absent, Lock::Classic, Lock::ClassicExpired] {
        assert_eq!(of(&[Ready, InProgress], lock), skip(Because::Classic), "{lock:?}");
    }
    for lock in [Lock::Absent, Lock::ClassicExpired] {
        assert_eq!(restarted(&[Ready, InProgress], lock), Verdict::Restart, "{lock:?}");
    }
    assert_eq!(restarted(&[Ready, InProgress], Lock::Classic), skip(Because::Classic));
}

#[test]
fn our_own_database_finds_a_run_whose_lock_is_gone() {
    let seen = Seen { known_here: true, ..Seen::of(&[Ready, InProgress], Lock::Absent) };
    assert_eq!(decide(seen), Verdict::GoOn);
    assert_eq!(decide(Seen { restart: true, ..seen }), Verdict::GoOn, "it runs");
}

#[test]
fn nobody_writes_beside_a_lock_that_is_not_to_be_taken() {
    for seen in every().filter(|seen| matches!(seen.lock, Lock::Theirs | Lock::Classic)) {
        let verdict = decide(seen);
        assert!(matches!(verdict, Verdict::Ignored | Verdict::Skip { .. }), "{seen:?} {verdict:?}");
    }
}

#[test]
fn only_a_restart_clears_anything() {
    for seen in every().filter(|seen| !seen.restart) {
        assert_ne!(decide(seen), Verdict::Restart, "{seen:?}");
    }
}

#[test]
fn only_the_six_names_are_sentinels() {
    for sentinel in Sentinel::ALL {
        assert_eq!(Sentinel::of_name(sentinel.object_name()), Some(sentinel));
        assert!(sentinel.object_name().starts_with(Sentinel::START));
    }
    for name in ["daylily.Ready", "daylily.ready.bak", "daylily.", "ready", "a/daylily.ready"] {
        assert_eq!(Sentinel::of_name(name), None, "{name}");
    }
    assert_eq!(Complete.to_string(), "daylily.complete");
    assert_eq!(Ignore.to_string(), "daylily.ignore");
}

#[test]
fn bodies_of_all_sorts_are_read() {
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let eleven = at("2025-10-16T11:11:11Z");
    let reason = |text: &str| Some(text.to_owned());
    let rows: [(&[u8], Option<Timestamp>, Option<String>); 10] = [
        (b"2025-10-16T11:11:11Z", eleven, None),
        (b"2025-10-16T11:11:11Z\n", eleven, None),
        (b"20251016T111111", eleven, None),
        (b"20251016T111111Z", eleven, None),
        (b"2025-10-16 11:11:11", eleven, None),
        (b"2025-10-16T13:11:11+02:00\tno space left", eleven, reason("no space left")),
        (b"\xef\xbb\xbf2025-10-16T11:11:11Z\r\n", eleven, None),
        (b"anna said so", None, reason("anna said so")),
        (b"", None, None),
        (b"\xff\x00", None, reason("\u{fffd}\u{fffd}")),
    ];
    for (bytes, at, reason) in rows {
        assert_eq!(Body::read(bytes), Body { at, reason }, "{bytes:?}");
    }
}

#[test]
fn what_is_written_is_one_line_and_read_as_it_was_meant() {
    let at: Timestamp = "2026-11-20T06:00:00.120Z".parse().unwrap();
    assert_eq!(Body::write(at, None), "2026-11-20T06:00:00.12Z");
    let body = Body::write(at, Some("exit code 137\nhint:\trun again"));
    assert_eq!(body, "2026-11-20T06:00:00.12Z\texit code 137 hint: run again");
    let read = Body::read(body.as_bytes());
    assert_eq!(read.at, Some(at));
    assert_eq!(read.reason.as_deref(), Some("exit code 137 hint: run again"));
}
