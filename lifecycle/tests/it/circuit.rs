//! The circuit of a headnode: what opens it, how often it is tried, what closes it.

use daylily_lifecycle::backoff::{until_probe, until_probe_of_refusal};
use daylily_lifecycle::circuit::{Met, Turned, close, open};
use daylily_lifecycle::diagram::at;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::policy::{HeadnodeState, Part};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Strategy, any, prop_assert, proptest};

fn fault(class: FaultClass) -> Fault {
    Fault::new(class, "connection refused")
}

fn after(state: &HeadnodeState, class: FaultClass, part: Part, second: i64) -> Turned {
    open(state, 0, part, &fault(class), Met::Probing, at(second), 7)
}

fn unreachable(state: &HeadnodeState) -> (Part, Timestamp, Timestamp, bool) {
    match state {
        HeadnodeState::Unreachable { part, since, next_try, needs_person, .. } => {
            (*part, *since, *next_try, *needs_person)
        }
        HeadnodeState::Ok | HeadnodeState::Broken { .. } => panic!("{state:?}"),
    }
}

/// The instants, counted from the first fault, at which one that does not answer for
/// `lasted` is tried in vain, and when it is seen again.
fn probes(class: FaultClass, lasted: SignedDuration, seed: u64) -> (Vec<i64>, SignedDuration) {
    let (mut state, mut failures, mut now) = (HeadnodeState::Ok, 0, at(0));
    let mut tried = Vec::new();
    while now.duration_since(at(0)) < lasted {
        let part = Part::Host;
        let turned = open(&state, failures, part, &fault(class), Met::Probing, now, seed);
        tried.push(now.duration_since(at(0)).as_secs());
        (state, failures) = (turned.state, turned.failures);
        now = unreachable(&state).2;
    }
    (tried, now.duration_since(at(0)) - lasted)
}

#[test]
fn the_tries_within_an_outage_are_few() {
    let count = |class, lasted| probes(class, lasted, 1).0.len();
    let outages = [
        ("60 s", SignedDuration::from_secs(60)),
        ("1 h", SignedDuration::from_hours(1)),
        ("24 h", SignedDuration::from_hours(24)),
    ];
    let mut text = String::new();
    for (name, lasted) in outages {
        let silent = count(FaultClass::TransientHost, lasted);
        let refused = count(FaultClass::NeedsPerson, lasted);
        text.push_str(&format!("{name}: {silent} where nobody answers, {refused} refused\n"));
    }
    insta::assert_snapshot!(text, @r"
    60 s: 28 where nobody answers, 2 refused
    1 h: 99 where nobody answers, 15 refused
    24 h: 390 where nobody answers, 305 refused
    ");
}

fn seconds() -> impl Strategy<Value = i64> {
    1_i64..200_000
}

proptest! {
    #[test]
    fn after_an_outage_it_is_seen_again_within_a_sixteenth_of_it(
        lasted in seconds(),
        seed in any::<u64>(),
    ) {
        let lasted = SignedDuration::from_secs(lasted);
        let (_, late) = probes(FaultClass::TransientHost, lasted, seed);
        let allowed = (lasted / 16).clamp(SignedDuration::from_secs(2), SignedDuration::from_mins(5));
        prop_assert!(late <= allowed, "{late:?} after {lasted:?}");
    }

    #[test]
    fn refused_logins_stay_below_what_gets_an_address_banned(seed in any::<u64>()) {
        let (tried, _) = probes(FaultClass::NeedsPerson, SignedDuration::from_hours(3), seed);
        for window in tried.windows(5) {
            prop_assert!(window[4] - window[0] > 600, "five within ten minutes: {tried:?}");
        }
    }

    #[test]
    fn no_wait_is_shorter_than_2_s_by_more_than_a_tenth_nor_longer_than_5_min(
        lasted in any::<i32>(),
        tries in any::<u32>(),
        seed in any::<u64>(),
    ) {
        let lasted = SignedDuration::from_secs(i64::from(lasted));
        for wait in [until_probe(lasted, seed), until_probe_of_refusal(tries, seed)] {
            prop_assert!(wait >= SignedDuration::from_millis(1800), "{wait:?}");
            prop_assert!(wait <= SignedDuration::from_mins(5), "{wait:?}");
        }
    }
}

#[test]
fn every_class_of_fault_makes_of_a_headnode_what_the_table_says() {
    let classes = [
        FaultClass::TransientHost,
        FaultClass::TransientStep,
        FaultClass::NoSpace,
        FaultClass::Throttled,
        FaultClass::Ambiguous,
        FaultClass::FatalHost,
        FaultClass::FatalCase,
        FaultClass::NeedsPerson,
    ];
    let ok = HeadnodeState::Ok;
    let states = [
        ("ok", ok.clone()),
        ("silent", after(&ok, FaultClass::TransientHost, Part::Host, 0).state),
        ("refusing", after(&ok, FaultClass::NeedsPerson, Part::Host, 0).state),
        ("queue silent", after(&ok, FaultClass::TransientHost, Part::Queue, 0).state),
        ("queue broken", after(&ok, FaultClass::FatalHost, Part::Queue, 0).state),
        ("broken", after(&ok, FaultClass::FatalHost, Part::Host, 0).state),
    ];
    let word = |turned: &Turned| {
        let word = match &turned.state {
            HeadnodeState::Ok => "ok".to_owned(),
            HeadnodeState::Unreachable { part, since, needs_person, .. } => {
                let person = if *needs_person { ", needs a person" } else { "" };
                format!(
                    "{part:?} unreachable since {}{person}",
                    since.duration_since(at(0)).as_secs()
                )
            }
            HeadnodeState::Broken { part, since, .. } => {
                format!("{part:?} broken since {}", since.duration_since(at(0)).as_secs())
            }
        };
        if turned.is_news { format!("{word} (told)") } else { word }
    };
    let mut text = String::new();
    for (name, state) in &states {
        text.push_str(&format!("{name}\n"));
        for part in [Part::Host, Part::Queue] {
            for class in classes {
                let (part_name, class_name) = (format!("{part:?}"), format!("{class:?}"));
                let became = word(&after(state, class, part, 100));
                text.push_str(&format!("    {part_name:<6} {class_name:<14} {became}\n"));
            }
        }
        for queue in [true, false] {
            let became = word(&close(state, 3, queue));
            let what = if queue { "answers, queue too" } else { "answers, queue not" };
            text.push_str(&format!("    {what:<21} {became}\n"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_was_begun_before_and_fails_now_neither_restarts_nor_delays_anything() {
    let opened = after(&HeadnodeState::Ok, FaultClass::TransientHost, Part::Host, 0);
    let before = unreachable(&opened.state);
    for class in [FaultClass::TransientHost, FaultClass::NeedsPerson] {
        for part in [Part::Host, Part::Queue] {
            let now = at(1);
            let late = open(&opened.state, 1, part, &fault(class), Met::Working, now, 7);
            assert_eq!(unreachable(&late.state), before, "{class:?}, {part:?}");
            assert!(!late.is_news && late.failures == 1);
        }
    }
}

#[test]
fn a_queue_that_answers_no_more_is_told_apart_from_its_headnode() {
    let queue = after(&HeadnodeState::Ok, FaultClass::TransientHost, Part::Queue, 0).state;
    let met = Met::Working;
    let host = open(&queue, 1, Part::Host, &fault(FaultClass::TransientHost), met, at(1), 7);
    let (part, since, _, _) = unreachable(&host.state);
    assert_eq!((part, since), (Part::Host, at(1)), "the host had answered until then");
    assert!(host.is_news);
    let back = after(&host.state, FaultClass::TransientHost, Part::Queue, 30);
    assert_eq!(unreachable(&back.state).1, at(1), "neither has answered since");
}

#[test]
fn a_wall_clock_that_was_set_back_is_no_reason_to_wait_long() {
    let silent = after(&HeadnodeState::Ok, FaultClass::TransientHost, Part::Host, 10_000).state;
    let next = after(&silent, FaultClass::TransientHost, Part::Host, 100).state;
    let wait = unreachable(&next).2.duration_since(at(100));
    assert!(wait <= SignedDuration::from_secs(2), "{wait:?}");
}
