//! What a headnode's trouble means for its cases: what they say, and what is still done.

use daylily_lifecycle::action::{Action, Wake};
use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::diagram::{self, at, attempt_id};
use daylily_lifecycle::explain;
use daylily_lifecycle::ids::{GroupName, HeadnodeName};
use daylily_lifecycle::plan::{may_start, plan};
use daylily_lifecycle::policy::{HeadnodeState, Hours, Part, TransferHours, World};
use daylily_lifecycle::queue::{Differs, Drift};
use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::sentences::{policy, world};

fn case(name: &str) -> Case {
    diagram::cases()[name].clone()
}

fn in_trouble(state: HeadnodeState) -> World {
    let mut world = world();
    world.headnode.state = state;
    world
}

fn unreachable(part: Part, needs_person: bool, because: &str) -> World {
    in_trouble(HeadnodeState::Unreachable {
        part,
        since: at(50),
        because: because.to_owned(),
        next_try: at(300),
        needs_person,
    })
}

fn broken(part: Part, because: &str) -> World {
    in_trouble(HeadnodeState::Broken { part, since: at(50), because: because.to_owned() })
}

fn troubles() -> Vec<(&'static str, World)> {
    let refused = "permission denied (publickey)\nhint: `ssh-copy-id hpc` gives it our key";
    vec![
        ("silent", unreachable(Part::Host, false, "connection refused")),
        ("refused", unreachable(Part::Host, true, refused)),
        ("broken", broken(Part::Host, "it belongs to another database")),
        ("queue silent", unreachable(Part::Queue, false, "pueued: connection refused")),
        ("queue refused", unreachable(Part::Queue, true, "pueued asks for a secret")),
        ("queue broken", broken(Part::Queue, "its answer is kept in state/queue-hpc.json")),
    ]
}

#[test]
fn every_trouble_of_a_headnode_has_its_sentence_in_every_state() {
    let mut text = String::new();
    for (trouble, world) in troubles() {
        text.push_str(&format!("{trouble}\n"));
        for (name, case) in diagram::cases() {
            let told = plan(&case, &world, &policy(), at(200)).because;
            let usual = plan(&case, &self::world(), &policy(), at(200)).because;
            let told = if told == usual { "as ever".to_owned() } else { told };
            text.push_str(&format!("    {name}\n        {told}\n"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn where_only_adopt_helps_nothing_else_is_named() {
    let headnode = HeadnodeName::new("hpc");
    let restored = format!("it was restored\nhint: `{}` takes over", explain::adopt(&headnode));
    let told = |because: &str| {
        let world = broken(Part::Host, because);
        let zone = TimeZone::UTC;
        let clock = explain::Clock { now: at(200), zone: &zone };
        let listed = explain::headnode_trouble(&headnode, &world.headnode.state, clock).unwrap();
        (plan(&case("running"), &world, &policy(), at(200)).because, listed)
    };
    let (sentence, listed) = told(&restored);
    assert_eq!(
        sentence,
        "Waiting for a person: hpc is set aside since 14:00 CET (it was restored; `daylily-watch \
         adopt hpc --reason '...'` takes over); nothing is concluded or started there until it is \
         adopted."
    );
    assert!(listed.ends_with("takes over)"), "{listed}");
    assert_eq!(
        explain::taken_back_by(&headnode, &restored),
        "daylily-watch adopt hpc --reason '...'"
    );
    let (sentence, listed) = told("rsync is not there");
    assert!(sentence.ends_with("there until `resume --headnode hpc`."), "{sentence}");
    assert!(listed.ends_with("; `resume --headnode hpc` takes it back"), "{listed}");
    assert_eq!(
        explain::taken_back_by(&headnode, "rsync is not there"),
        "daylily-watch resume --headnode hpc"
    );
}

#[test]
fn nothing_is_handed_over_or_begun_while_anything_of_a_headnode_is_in_trouble() {
    for (trouble, world) in troubles() {
        assert!(!may_start(&case("ready"), &world, &policy(), at(200)), "{trouble}");
        for name in ["ready", "staged", "submitting", "queued"] {
            let made = plan(&case(name), &world, &policy(), at(200));
            assert!(made.actions.is_empty(), "{trouble}, {name}: {made:?}");
        }
    }
}

#[test]
fn while_only_its_queue_is_in_trouble_copies_results_and_ends_go_on() {
    for (trouble, world) in troubles() {
        let host = !trouble.starts_with("queue");
        for name in ["shipping", "returning", "cancelling", "cancelling, unclaimed"] {
            let made = plan(&case(name), &world, &policy(), at(200));
            assert_eq!(made.actions.is_empty(), host, "{trouble}, {name}: {made:?}");
        }
    }
}

#[test]
fn a_case_in_a_group_that_is_not_as_configured_says_so_with_the_way_out() {
    let mut world = world();
    let group = GroupName::new("gpu_a");
    world.headnode.drift =
        vec![Drift { group, since: at(100), differs: Differs::Paused, client: None }];
    let because = |name: &str| plan(&case(name), &world, &policy(), at(200)).because;
    insta::assert_snapshot!(because("queued"), @"In the queue of hpc since 14:00 CET; the group gpu_a is paused there since 14:01 CET: `pueue start -g gpu_a` there starts it.");
    insta::assert_snapshot!(because("submitting"), @"Copied to hpc; its job is being handed over, then it starts; the group gpu_a is paused there since 14:01 CET: `pueue start -g gpu_a` there starts it.");
    assert_eq!(
        because("running"),
        plan(&case("running"), &self::world(), &policy(), at(200)).because
    );
    world.headnode.drift[0].group = GroupName::new("cpu");
    let queued = plan(&case("queued"), &world, &policy(), at(200)).because;
    assert!(!queued.contains("paused"), "another group is none of its business: {queued}");
}

#[test]
fn a_draining_headnode_begins_nothing_and_ends_what_has_its_place() {
    let mut world = world();
    world.headnode.draining = true;
    for name in ["ready", "staged"] {
        assert!(!may_start(&case(name), &world, &policy(), at(200)), "{name}");
        let made = plan(&case(name), &world, &policy(), at(200));
        assert!(made.actions.is_empty() && made.because.contains("being drained"), "{made:?}");
    }
    for name in ["shipping", "submitting", "returning"] {
        assert!(!plan(&case(name), &world, &policy(), at(200)).actions.is_empty(), "{name}");
    }
}

/// 14:03:20 in the zone of the policy, as all instants below.
fn at_noon() -> Timestamp {
    at(200)
}

fn hours(from: i8, to: i8) -> TransferHours {
    TransferHours { from: time(from, 0, 0, 0), to: time(to, 0, 0, 0) }
}

#[test]
fn cases_are_copied_only_in_their_hours_and_say_when_those_begin() {
    let mut at_night = policy();
    at_night.transfer_hours = Some(hours(20, 6));
    let opens = at(6 * 3600);
    for name in ["ready", "shipping"] {
        let made = plan(&case(name), &world(), &at_night, at_noon());
        assert_eq!((made.actions, made.wake), (Vec::new(), Wake::At(opens)), "{name}");
        assert!(!may_start(&case(name), &world(), &at_night, at_noon()));
    }
    let because = plan(&case("ready"), &world(), &at_night, at_noon()).because;
    insta::assert_snapshot!(because, @"Waiting for the transfer hours of hpc: it is copied from 20:00 CET on.");
    let open = plan(&case("shipping"), &world(), &at_night, opens);
    assert_eq!(open.actions, [Action::Ship { attempt: attempt_id(1) }]);
    assert_eq!(open.wake, Wake::At(at(16 * 3600)), "at 06:00 it is stopped");
    for name in ["staged", "submitting", "returning"] {
        let night = plan(&case(name), &world(), &at_night, at_noon());
        assert_eq!(night, plan(&case(name), &world(), &policy(), at_noon()), "{name}");
    }
    assert!(may_start(&case("staged"), &world(), &at_night, at_noon()), "it is there already");
}

#[test]
fn hours_may_pass_midnight_and_a_change_of_the_clocks() {
    let zone = TimeZone::get("Europe/Berlin").expect("it is known");
    let instant = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let rows = [
        (hours(20, 6), "2026-11-20T18:59:59Z", Hours::ClosedUntil(instant("2026-11-20T19:00:00Z"))),
        (hours(20, 6), "2026-11-20T19:00:00Z", Hours::OpenUntil(instant("2026-11-21T05:00:00Z"))),
        (hours(20, 6), "2026-11-21T04:59:59Z", Hours::OpenUntil(instant("2026-11-21T05:00:00Z"))),
        (hours(20, 6), "2026-11-21T05:00:00Z", Hours::ClosedUntil(instant("2026-11-21T19:00:00Z"))),
        (hours(8, 18), "2026-11-20T12:00:00Z", Hours::OpenUntil(instant("2026-11-20T17:00:00Z"))),
        (hours(8, 18), "2026-11-20T20:00:00Z", Hours::ClosedUntil(instant("2026-11-21T07:00:00Z"))),
        // In that night 02:00 is left out: it is 03:00.
        (hours(2, 5), "2026-03-28T22:00:00Z", Hours::ClosedUntil(instant("2026-03-29T01:00:00Z"))),
        // And in that one 02:30 comes twice: the hours are as long as the clock says.
        (hours(1, 4), "2026-10-25T00:30:00Z", Hours::OpenUntil(instant("2026-10-25T03:00:00Z"))),
    ];
    for (hours, now, expected) in rows {
        assert_eq!(hours.at(instant(now), &zone), expected, "{hours:?} at {now}");
    }
}

#[test]
fn a_turn_of_the_hours_always_lies_ahead() {
    let zone = TimeZone::get("Europe/Berlin").expect("it is known");
    let mut now: Timestamp = "2026-10-24T00:00:00Z".parse().expect("an instant");
    for _ in 0..500 {
        for (from, to) in [(20, 6), (2, 3), (1, 2), (0, 23)] {
            let (Hours::OpenUntil(turn) | Hours::ClosedUntil(turn)) =
                hours(from, to).at(now, &zone);
            assert!(turn > now, "{from} to {to} at {now}: {turn}");
        }
        now = now.checked_add(SignedDuration::from_mins(7)).expect("it is valid");
    }
    assert_eq!(case("ready").state.name(), StateName::Ready);
}
