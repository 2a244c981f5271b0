//! Who gets a slot.

use daylily_lifecycle::case::Priority;
use daylily_lifecycle::diagram::at;
use daylily_lifecycle::ids::{AttemptId, CaseId, GroupName, HeadnodeName, Slot};
use daylily_lifecycle::policy::{SlotState, SlotView};
use daylily_lifecycle::schedule::{Ahead, Scheduled, Waiting, ahead_of, schedule};
use jiff::SignedDuration;
use proptest::prelude::*;

const AGING: SignedDuration = SignedDuration::from_hours(24);

fn waiting(name: &str, since: i64) -> Waiting {
    Waiting {
        case: CaseId::new(name),
        headnode: HeadnodeName::new("hpc"),
        group: None,
        gpus: 0,
        priority: Priority::Normal,
        since: at(since),
        staged: None,
    }
}

fn view(group: &str, number: u32, gpu: bool, state: SlotState) -> SlotView {
    SlotView {
        slot: Slot {
            headnode: HeadnodeName::new("hpc"),
            group: GroupName::new(group),
            slot: number,
            gpu: gpu.then(|| number.to_string()),
        },
        state,
        draining: false,
    }
}

fn none_ahead() -> Vec<Ahead> {
    vec![Ahead { headnode: HeadnodeName::new("hpc"), ship_ahead: 0, under_way: 0 }]
}

/// In order: `a@gpu/0,gpu/1` for a grant, `a ahead`.
fn check(waiting: &[Waiting], slots: &[SlotView], ahead: &[Ahead], now: i64, expected: &[&str]) {
    let given: Vec<String> = schedule(waiting, slots, ahead, AGING, at(now))
        .into_iter()
        .map(|scheduled| match scheduled {
            Scheduled::Grant { case, slots, .. } => {
                let slots: Vec<String> =
                    slots.iter().map(|slot| format!("{}/{}", slot.group, slot.slot)).collect();
                format!("{case}@{}", slots.join(","))
            }
            Scheduled::ShipAhead { case } => format!("{case} ahead"),
        })
        .collect();
    assert_eq!(given, expected);
}

#[test]
fn the_oldest_goes_first() {
    let slots = [view("cpu", 0, false, SlotState::Free)];
    check(&[waiting("b", 2), waiting("a", 1)], &slots, &none_ahead(), 10, &["a@cpu/0"]);
}

#[test]
fn urgent_goes_before_older_and_low_after_younger() {
    let mut urgent = waiting("u", 9);
    urgent.priority = Priority::Urgent;
    let mut low = waiting("l", 0);
    low.priority = Priority::Low;
    let slots = [view("cpu", 0, false, SlotState::Free), view("cpu", 1, false, SlotState::Free)];
    check(&[low, waiting("n", 5), urgent], &slots, &none_ahead(), 10, &["u@cpu/0", "n@cpu/1"]);
}

#[test]
fn staged_goes_before_ready_at_equal_rank() {
    let mut staged = waiting("s", 5);
    staged.staged = Some(AttemptId::new("dw-1"));
    let slots = [view("cpu", 0, false, SlotState::Free)];
    check(&[waiting("r", 1), staged], &slots, &none_ahead(), 10, &["s@cpu/0"]);
}

#[test]
fn a_case_that_asks_for_no_gpu_leaves_them_to_others() {
    let slots = [view("gpu", 0, true, SlotState::Free), view("cpu", 0, false, SlotState::Free)];
    check(&[waiting("a", 1)], &slots, &none_ahead(), 10, &["a@cpu/0"]);
}

#[test]
fn a_case_for_two_gpus_gets_both_or_none() {
    let mut two = waiting("two", 1);
    two.gpus = 2;
    let busy = [view("gpu", 0, true, SlotState::Reserved), view("gpu", 1, true, SlotState::Free)];
    check(std::slice::from_ref(&two), &busy, &none_ahead(), 10, &[]);
    let free = [view("gpu", 0, true, SlotState::Free), view("gpu", 1, true, SlotState::Free)];
    check(&[two], &free, &none_ahead(), 10, &["two@gpu/0,gpu/1"]);
}

#[test]
fn a_starving_case_collects_slots_that_smaller_ones_would_take() {
    let mut two = waiting("two", 0);
    two.gpus = 2;
    let mut one = waiting("one", 80_000);
    one.gpus = 1;
    let slots = [view("gpu", 0, true, SlotState::Reserved), view("gpu", 1, true, SlotState::Free)];
    check(&[two.clone(), one.clone()], &slots, &none_ahead(), 80_100, &["one@gpu/1"]);
    check(&[two, one], &slots, &none_ahead(), 86_500, &[]);
}

#[test]
fn quarantined_and_draining_slots_are_given_to_nobody() {
    let mut draining = view("cpu", 1, false, SlotState::Free);
    draining.draining = true;
    let slots = [view("cpu", 0, false, SlotState::Quarantined), draining];
    check(&[waiting("a", 1)], &slots, &none_ahead(), 10, &[]);
}

#[test]
fn no_more_than_ship_ahead_go_without_a_slot() {
    let ahead = vec![Ahead { headnode: HeadnodeName::new("hpc"), ship_ahead: 2, under_way: 1 }];
    let slots = [view("cpu", 0, false, SlotState::Reserved)];
    check(&[waiting("a", 1), waiting("b", 2)], &slots, &ahead, 10, &["a ahead"]);
}

#[test]
fn the_rank_that_is_told_is_the_order_in_which_slots_go() {
    let mut urgent = waiting("u", 9);
    urgent.priority = Priority::Urgent;
    let all = [waiting("a", 1), waiting("b", 2), urgent];
    assert_eq!(ahead_of(&CaseId::new("u"), &all, AGING, at(10)), 0);
    assert_eq!(ahead_of(&CaseId::new("a"), &all, AGING, at(10)), 1);
    assert_eq!(ahead_of(&CaseId::new("b"), &all, AGING, at(10)), 2);
}

fn any_waiting() -> impl Strategy<Value = Vec<Waiting>> {
    prop::collection::vec((0..100_000_i64, 0..3_u32, 0..3_usize, 0..3_usize), 0..12).prop_map(
        |cases| {
            cases
                .into_iter()
                .enumerate()
                .map(|(number, (since, gpus, priority, group))| Waiting {
                    gpus,
                    priority: [Priority::Low, Priority::Normal, Priority::Urgent][priority],
                    group: [None, Some("gpu"), Some("cpu")][group].map(GroupName::new),
                    ..waiting(&format!("c{number}"), since)
                })
                .collect()
        },
    )
}

fn any_slots() -> impl Strategy<Value = Vec<SlotView>> {
    let states = [SlotState::Free, SlotState::Reserved, SlotState::Quarantined];
    prop::collection::vec((0..3_usize, any::<bool>()), 0..8).prop_map(move |slots| {
        let mut made = Vec::new();
        for (number, (state, gpu)) in (0_u32..).zip(slots) {
            made.push(view(if gpu { "gpu" } else { "cpu" }, number, gpu, states[state]));
        }
        made
    })
}

proptest! {
    #[test]
    fn no_slot_is_given_twice_and_none_that_is_taken(waiting in any_waiting(), slots in any_slots()) {
        let mut given = Vec::new();
        for scheduled in schedule(&waiting, &slots, &none_ahead(), AGING, at(100_000)) {
            if let Scheduled::Grant { case, slots: got, .. } = scheduled {
                let asked = waiting.iter().find(|w| w.case == case).expect("it waits");
                prop_assert_eq!(got.len(), asked.gpus.max(1) as usize);
                given.extend(got);
            }
        }
        for slot in &given {
            let view = slots.iter().find(|view| view.slot == *slot).expect("it exists");
            prop_assert_eq!(view.state, SlotState::Free);
        }
        let count = given.len();
        given.sort();
        given.dedup();
        prop_assert_eq!(given.len(), count);
    }
}
