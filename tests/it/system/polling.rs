//! How often a headnode is asked, by its own count, and what becomes of answers that
//! cannot be understood.

use std::fs;
use std::time::Duration;

use daylily_lifecycle::case::StateName;

use super::instruments::COUNT;
use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::wait;

const LASTING: Duration = Duration::from_secs(8);

/// How often the list was asked for within [`LASTING`], once so many cases run.
fn asked_for_the_list(site: Site, cases: usize) -> (usize, World) {
    let mut world = World::new(Setup {
        poll: "{min: 1s, max: 1s}",
        headnode: vec!["max_transfers: 4".to_owned(), "ship_ahead: 4".to_owned()],
        ..Setup::job(site, "exec sleep 1000").slots(cases)
    });
    world.count_pueue();
    world.start();
    for n in 0..cases {
        write(&world.intake().join(format!("case {n}/input")), "x");
    }
    world.until_within("all run", Duration::from_secs(120), |world| {
        let counts = world.reader().counts().unwrap();
        let running = counts.iter().find(|count| count.state == StateName::Running);
        running.is_some_and(|count| usize::try_from(count.cases) == Ok(cases))
    });
    let before = world.pueue_calls("status");
    wait::holds(LASTING, || false);
    (world.pueue_calls("status") - before, world)
}

fn one_request_a_tick_with_1_and_with_50_running_cases(site: Site) {
    let (with_1, world) = asked_for_the_list(site, 1);
    drop(world);
    let (with_50, world) = asked_for_the_list(site, 50);
    #[allow(clippy::print_stderr, reason = "what was measured")]
    {
        eprintln!("in {LASTING:?} the list was asked for {with_1} and {with_50} times");
    }
    let most = usize::try_from(LASTING.as_secs()).unwrap() + 1;
    assert!((most - 5..=most).contains(&with_1), "{with_1}");
    assert!((most - 5..=most).contains(&with_50), "{with_50}");
    if site.is_far() {
        let connections = world.ground.sshd().connections();
        assert!(connections <= 3, "{connections} connections");
    }
}

fn a_list_that_is_cut_short_once_is_asked_for_again_and_nothing_is_said(site: Site) {
    let mut world = World::new(Setup::job(site, UNTIL_LET_GO));
    world.before_pueue(&format!(
        "{COUNT}[ \"$1\" = status ] && [ -e \"$NOTES/cut\" ] || exec \"$REAL\" \"$@\"
rm \"$NOTES/cut\"; \"$REAL\" \"$@\" | head -c 200; : >\"$NOTES/was cut\""
    ));
    world.start();
    write(&world.intake().join("runs/input"), "x");
    world.until_running("runs");
    world.until_because("runs", "Running on hpc since");
    let because = world.because("runs");
    for _ in 0..3 {
        world.give_sign("cut");
        world.until("it was cut", |world| {
            assert!(world.is_reached(), "the headnode was set aside");
            world.sign("was cut").try_exists().unwrap()
        });
        fs::remove_file(world.sign("was cut")).unwrap();
        let asked = world.pueue_calls("status");
        world.until("it was asked for again", |world| world.pueue_calls("status") > asked);
        assert_eq!(world.because("runs"), because);
    }
    assert!(world.is_reached());
    assert_eq!(world.warnings(), [""; 0]);
    world.let_go();
    world.until_succeeded(&["runs"]);
    world.is_settled();
}

fn a_format_that_changed_for_good_sets_the_headnode_aside_and_loses_no_end(site: Site) {
    let mut world = World::new(Setup::job(site, UNTIL_LET_GO).slots(2));
    world.before_pueue(
        "[ \"$1\" = status ] && [ -e \"$NOTES/changed\" ] || exec \"$REAL\" \"$@\"
echo '{\"jobs\": [{\"id\": 1, \"state\": \"fine\"}]}'",
    );
    world.start();
    write(&world.intake().join("runs/input"), "x");
    world.until_running("runs");
    world.give_sign("changed");
    world.until("it is set aside", World::is_broken);
    let kept: Vec<_> = fs::read_dir(world.path("state")).unwrap().flatten().collect();
    let kept = kept.iter().find(|file| file.file_name().to_string_lossy().ends_with("status.json"));
    let kept = fs::read_to_string(kept.expect("the document is beside the database").path());
    assert!(kept.unwrap().contains("\"state\": \"fine\""));

    // Nothing is handed over, and nothing is given up.
    write(&world.intake().join("waits/input"), "x");
    world.until_because("waits", "resume --headnode");
    assert!(world.because("waits").contains("status.json"), "{}", world.because("waits"));
    assert_eq!(world.state("runs"), Some(StateName::Running));
    assert!(!world.all_slots_are_free());
    // The end is read from the attempt directory all the same.
    world.let_go();
    world.until("the end of the job is recorded", |world| {
        world.case("runs").unwrap().attempt().unwrap().end.is_some()
    });
    assert!(world.runs_of("waits").is_empty());
    assert!(world.is_broken());

    fs::remove_file(world.sign("changed")).unwrap();
    world.resume_headnode();
    world.until_succeeded(&["runs", "waits"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

on_sites! {
    // Without a queue there is no list.
    one_request_a_tick_with_1_and_with_50_running_cases: ssh_pueue;
    a_list_that_is_cut_short_once_is_asked_for_again_and_nothing_is_said: here_pueue, ssh_pueue;
    a_format_that_changed_for_good_sets_the_headnode_aside_and_loses_no_end: here_pueue, ssh_pueue;
}
