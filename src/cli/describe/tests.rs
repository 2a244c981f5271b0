//! What every kind of entry says.

use daylily_lifecycle::diagram::{observations, seen};

use super::describe;

#[test]
fn everything_that_can_happen_has_its_words() {
    let lines: Vec<String> = observations(1)
        .into_iter()
        .map(|named| format!("{}: {}", named.name, describe(&seen(0, named.observation))))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
