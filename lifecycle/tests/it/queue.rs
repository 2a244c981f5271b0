//! What is concluded from a queue as a whole.

use std::collections::BTreeMap;

use daylily_lifecycle::diagram::at;
use daylily_lifecycle::explain::{self, Clock};
use daylily_lifecycle::ids::GroupName;
use daylily_lifecycle::policy::GroupSlots;
use daylily_lifecycle::queue::{
    Differs, Drift, GroupSeen, Missing, QueueSeen, drift, is_wiped, missing_groups,
    paused_by_restart,
};

use crate::sentences::policy;

fn entries(entries: u64, ours: u64, instance: Option<&str>) -> QueueSeen {
    QueueSeen { entries, ours, instance: instance.map(str::to_owned), ..QueueSeen::default() }
}

#[test]
fn a_queue_was_emptied_or_an_entry_was_removed() {
    // Before and now: entries, ours, run. Then: known to be there, missing, emptied.
    let one = Some("run 1");
    let two = Some("run 2");
    let rows = [
        ("nothing is missing", (3, 3, one), (3, 3, one), (3, 0), false),
        ("one of several", (3, 3, one), (2, 2, one), (3, 1), false),
        ("all of several", (3, 3, one), (0, 0, one), (3, 3), true),
        ("all of several, others are left", (5, 3, one), (2, 0, one), (3, 3), true),
        ("the only one", (1, 1, one), (0, 0, one), (1, 1), false),
        ("the only one of ours, others are left", (3, 1, one), (2, 0, one), (1, 1), false),
        ("the only one of ours, all are gone", (3, 1, one), (0, 0, one), (1, 1), true),
        ("the only one, another run answers", (1, 1, one), (0, 0, two), (1, 1), true),
        ("another run has others", (1, 1, one), (4, 0, two), (1, 1), false),
        ("another run kept it", (1, 1, one), (1, 1, two), (1, 0), false),
        ("runs are not told apart", (1, 1, None), (0, 0, None), (1, 1), false),
        ("never seen before", (0, 0, None), (0, 0, one), (0, 0), false),
    ];
    for (name, before, now, (known, missing), wiped) in rows {
        let seen = |(all, ours, run): (u64, u64, Option<&str>)| entries(all, ours, run);
        let of = Missing { known, missing };
        assert_eq!(is_wiped(&seen(before), &seen(now), of), wiped, "{name}");
    }
}

fn group(name: &str) -> GroupName {
    GroupName::new(name)
}

fn wanted() -> Vec<GroupSlots> {
    vec![
        GroupSlots { group: group("gpu_a"), slots: 2, gpus: 2 },
        GroupSlots { group: group("cpu"), slots: 4, gpus: 0 },
    ]
}

fn groups(of: &[(&str, bool, u32)]) -> BTreeMap<GroupName, GroupSeen> {
    of.iter()
        .map(|(name, paused, places)| (group(name), GroupSeen { paused: *paused, places: *places }))
        .collect()
}

fn with(run: Option<&str>, of: &[(&str, bool, u32)]) -> QueueSeen {
    QueueSeen { instance: run.map(str::to_owned), groups: Some(groups(of)), ..QueueSeen::default() }
}

#[test]
fn only_what_the_queue_paused_itself_is_started() {
    let (one, two) = (Some("run 1"), Some("run 2"));
    let runs = [("gpu_a", false, 2), ("cpu", false, 4)];
    let paused = [("gpu_a", true, 2), ("cpu", false, 4)];
    let gpu = vec![group("gpu_a")];
    let rows = [
        ("a person's pause", with(one, &runs), with(one, &paused), false, vec![]),
        ("a person's pause in a silence", with(one, &runs), with(one, &paused), true, vec![]),
        ("restarted", with(one, &runs), with(two, &paused), false, gpu.clone()),
        ("paused by a person before", with(one, &paused), with(two, &paused), false, vec![]),
        ("runs not told apart, silent", with(None, &runs), with(None, &paused), true, gpu),
        ("runs not told apart", with(None, &runs), with(None, &paused), false, vec![]),
        ("first seen", QueueSeen::default(), with(one, &paused), false, vec![]),
        ("not ours", with(one, &[("x", false, 1)]), with(two, &[("x", true, 1)]), false, vec![]),
    ];
    for (name, before, now, silent, start) in rows {
        assert_eq!(paused_by_restart(&wanted(), &before, &now, silent), start, "{name}");
    }
}

#[test]
fn a_missing_group_is_made_with_the_places_it_has_here() {
    assert_eq!(missing_groups(&wanted(), &QueueSeen::default()), [], "direct has none");
    let now = with(None, &[("cpu", false, 1), ("default", false, 1)]);
    assert_eq!(missing_groups(&wanted(), &now), [(group("gpu_a"), 2)]);
}

#[test]
fn drift_is_told_since_it_was_first_seen() {
    let now = groups(&[("cpu", true, 1)]);
    let first = drift(&wanted(), &[], Some(&now), at(100));
    let missing = Drift {
        group: group("gpu_a"),
        since: at(100),
        differs: Differs::Missing { wanted: 2 },
        client: None,
    };
    let paused =
        Drift { group: group("cpu"), since: at(100), differs: Differs::Paused, client: None };
    assert_eq!(first, [missing.clone(), paused]);
    let now = groups(&[("cpu", false, 1)]);
    let then = drift(&wanted(), &first, Some(&now), at(200));
    let places = Differs::Places { there: 1, wanted: 4 };
    let fewer = Drift { group: group("cpu"), since: at(200), differs: places, client: None };
    assert_eq!(then, [missing, fewer]);
    let zone = policy().time_zone;
    let clock = Clock { zone: &zone, now: at(200) };
    let told: Vec<String> =
        first.iter().chain(&then[1..]).map(|one| explain::drift(one, clock)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    the group gpu_a is missing there since 14:01 CET: `pueue group add -p 2 gpu_a` there makes it
    the group cpu is paused there since 14:01 CET: `pueue start -g cpu` there starts it
    the group cpu runs 1 at a time there and has 4 here since 14:03 CET: `pueue parallel -g cpu 4` there sets it
    ");
    assert_eq!(drift(&wanted(), &then, None, at(300)), [], "direct has none");
}

#[test]
fn a_groups_name_is_quoted_where_a_shell_would_split_it() {
    let zone = policy().time_zone;
    let clock = Clock { zone: &zone, now: at(200) };
    let odd =
        Drift { group: group("a b; rm"), since: at(0), differs: Differs::Paused, client: None };
    assert!(explain::drift(&odd, clock).contains("`pueue start -g 'a b; rm'`"));
}

#[test]
fn a_group_without_a_limit_is_told_in_words() {
    let zone = policy().time_zone;
    let clock = Clock { zone: &zone, now: at(200) };
    let differs = Differs::Places { there: 0, wanted: 2 };
    let told =
        explain::drift(&Drift { group: group("cpu"), since: at(0), differs, client: None }, clock);
    assert!(told.contains("runs any number at a time there and has 2 here"), "{told}");
}

#[test]
fn what_is_to_be_typed_names_the_pueue_that_is_ours() {
    let config = Some("/data/my pueue/p.yml");
    assert_eq!(explain::pueue_client("pueue", None), "pueue");
    assert_eq!(explain::pueue_client("pueue", Some("")), "pueue");
    assert_eq!(explain::pueue_client("pueue", config), "pueue -c '/data/my pueue/p.yml'");
    assert_eq!(explain::pueue_daemon("pueue", config), "pueued -c '/data/my pueue/p.yml'");
    assert_eq!(explain::pueue_client("~/bin/pueue", None), "~/bin/pueue");
    assert_eq!(explain::pueue_daemon("/opt/a b/pueue", None), "'/opt/a b/pueued'");
    assert_eq!(explain::pueue_daemon("/opt/our-pueue", None), "pueued");
    let zone = jiff::tz::TimeZone::UTC;
    let clock = Clock { zone: &zone, now: at(200) };
    let client = Some("pueue -c /data/p.yml".to_owned());
    let paused = Drift { group: group("cpu"), since: at(0), differs: Differs::Paused, client };
    let told = explain::drift(&paused, clock);
    assert!(told.contains("`pueue -c /data/p.yml start -g cpu` there"), "{told}");
}
