//! The states, against every observation, and the page that shows them.

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::diagram;
use daylily_lifecycle::observation::{Observation, Observed};
use daylily_lifecycle::record::{Recorded, record};

#[test]
fn there_is_a_case_in_every_state() {
    let cases = diagram::cases();
    for state in StateName::ALL {
        assert!(cases.values().any(|case| case.state.name() == state), "none is {state}");
    }
    for (name, case) in &cases {
        assert!(name.starts_with(case.state.name().as_str()), "{name} is {}", case.state.name());
    }
}

#[test]
fn every_observation_in_every_state_does_what_the_table_says() {
    insta::assert_snapshot!(diagram::table());
}

/// `UPDATE_DOCS=1` writes the page anew: `make docs`.
#[test]
fn the_page_of_states_is_what_the_code_does() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md");
    let page = diagram::page();
    #[allow(clippy::disallowed_methods, reason = "the switch by which `make docs` writes")]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::write(file, &page).expect("docs/states.md can be written");
    }
    let stored =
        std::fs::read_to_string(file).expect("docs/states.md is there; `make docs` writes it");
    assert!(stored == page, "docs/states.md is not what the code does; `make docs` writes it anew");
}

/// Else a job that ends before the first look has begun at no time, and outputs that
/// were there before it would count as its own.
#[test]
fn a_job_that_ended_before_the_first_look_began_when_it_claimed() {
    let case = &diagram::cases()["submitting"];
    for (name, look) in diagram::looks().into_iter().filter(|(name, _)| name.starts_with("ended")) {
        let what = Observation::Looked {
            attempt: diagram::attempt_id(1),
            look,
            queue_wiped: Some(false),
            begun: None,
        };
        let Recorded::Changed(next) = record(Some(case), &diagram::seen(200, what)) else {
            panic!("{name} changes the case");
        };
        assert_eq!(next.attempt().and_then(|a| a.started_at), Some(diagram::at(60)), "{name}");
        assert_eq!(next.started_at, Some(diagram::at(60)), "{name}");
    }
}

#[test]
fn every_observation_survives_the_journal() {
    for named in diagram::observations(1) {
        let observed = diagram::seen(7, named.observation);
        let text = serde_json::to_string(&observed).expect("it can be written");
        let back: Observed = serde_json::from_str(&text).expect(&text);
        assert_eq!(back, observed, "{text}");
    }
}
