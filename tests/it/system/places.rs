//! Slots and groups, as the jobs themselves saw them.

use std::collections::BTreeSet;

use super::runs::{Run, most_at_once};
use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, write};

fn eight(world: &World) -> Vec<String> {
    let names: Vec<String> = (1..=8).map(|n| format!("case {n}")).collect();
    for name in &names {
        write(&world.intake().join(name).join("input"), name);
    }
    names
}

fn groups_of_1_and_2_slots_never_run_more_at_once_than_they_have(site: Site) {
    let world = World::started(Setup {
        groups: "[{name: one, gpus: [3]}, {name: two, gpus: [4, GPU-5a]}]".to_owned(),
        // The first three wait for each other.
        ..Setup::job(
            site,
            "until [ \"$(grep -c ^start \"$RUNS\")\" -ge 3 ]; do sleep 0.1; done
sleep 0.7; cp input out.txt",
        )
    });
    let names = eight(&world);
    world.until_succeeded(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let runs = world.runs();
    assert_eq!(runs.len(), 8);
    let of = |slot: &str| runs.iter().filter(|run| run.slot.starts_with(slot)).collect::<Vec<_>>();
    for slot in ["one/0", "two/0", "two/1"] {
        assert!(!of(slot).is_empty(), "{slot} was never used");
        assert_eq!(most_at_once(&of(slot)), 1, "{slot}");
    }
    assert_eq!(most_at_once(&of("two")), 2, "two places are to be used together");
    assert_eq!(most_at_once(&of("")), 3, "three places are to be used together");
    for run in &runs {
        let cuda = match run.slot.as_str() {
            "one/0" => "3",
            "two/0" => "4",
            "two/1" => "GPU-5a",
            other => panic!("there is no slot {other}"),
        };
        assert_eq!(run.cuda, cuda, "{run:?}");
        let case = world.case(&run.case).unwrap();
        assert_eq!(case.attempt().unwrap().id.as_str(), run.attempt);
    }
    world.is_settled();
}

fn an_intake_bound_to_a_group_uses_that_group_alone(site: Site) {
    let world = World::started(Setup {
        groups: "[{name: cpu, slots: 1}, {name: gpu, gpus: [0]}]".to_owned(),
        intake: vec!["existing: process".to_owned(), "group: cpu".to_owned()],
        ..Setup::job(site, "sleep 0.2; cp input out.txt")
    });
    let names = eight(&world);
    world.until_succeeded(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let runs = world.runs();
    let slots: BTreeSet<&str> = runs.iter().map(|run| run.slot.as_str()).collect();
    assert_eq!(slots, BTreeSet::from(["cpu/0"]));
    assert_eq!(most_at_once(&runs.iter().collect::<Vec<&Run>>()), 1);
    // A headnode with GPUs hides them from a job that has none.
    assert!(runs.iter().all(|run| run.cuda.is_empty()), "{runs:?}");
    world.is_settled();
}

fn without_gpus_nothing_is_said_of_them(site: Site) {
    let world = World::started(Setup::at(site));
    write(&world.intake().join("plain/input"), "x");
    world.until_succeeded(&["plain"]);
    assert_eq!(world.runs()[0].cuda, "none");
    world.is_settled();
}

fn priority_does_what_it_says(site: Site) {
    let world = World::started(Setup {
        headnode: vec!["ship_ahead: 0".to_owned()],
        ..Setup::job(site, "[ \"$DAYLILY_CASE\" != first ] || until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt")
            .slots(1)
    });
    write(&world.intake().join("first/input"), "x");
    world.until("the place is taken", |world| world.runs().len() == 1);
    for name in ["b low", "c normal", "d urgent"] {
        write(&world.intake().join(name).join("input"), "x");
        world.until_state(name, daylily_lifecycle::case::StateName::Ready);
    }
    for (name, priority) in [("b low", "low"), ("d urgent", "urgent")] {
        let id = world.case(name).unwrap().id;
        let args = serde_json::json!({ "priority": priority });
        assert_eq!(
            world.ask_with("priority", id.as_str(), args.as_object().unwrap().clone()),
            "done"
        );
    }
    world.let_go();
    world.until_succeeded(&["b low", "c normal", "d urgent"]);
    let order: Vec<String> = world.runs().into_iter().map(|run| run.case).collect();
    assert_eq!(order, ["first", "d urgent", "c normal", "b low"]);
    world.is_settled();
}

on_sites! {
    groups_of_1_and_2_slots_never_run_more_at_once_than_they_have: here, ssh_pueue, ssh_direct;
    an_intake_bound_to_a_group_uses_that_group_alone: here, ssh_pueue, ssh_direct;
    without_gpus_nothing_is_said_of_them: here, ssh_pueue, ssh_direct;
    priority_does_what_it_says: here, ssh_pueue, ssh_direct;
}
