//! Owns the proof of what a person sees at a terminal of some width.

use super::{hanging, one_line, shortened, under};

#[test]
fn lines_are_broken_at_words_and_hang_under_the_first() {
    assert_eq!(
        hanging("quiet  does not hold  changed 3 s ago", 2, 6, Some(30)),
        ["  quiet  does not hold", "      changed 3 s ago"]
    );
    assert_eq!(under("one two", 4, Some(10)), ["    one two"], "never narrower than 20");
    assert_eq!(hanging("quiet  holds", 2, 6, None), ["  quiet  holds"]);
}

#[test]
fn long_names_are_cut_only_where_a_person_sees_them() {
    let name = "HG002_".repeat(10);
    assert_eq!(shortened(name.clone(), None), name);
    assert_eq!(shortened(name.clone(), Some(60)), "HG002_HG002_HG002_H…");
    assert_eq!(shortened(name, Some(400)).chars().count(), 40);
    assert_eq!(shortened("HG002".to_owned(), Some(20)), "HG002");
}

#[test]
fn hints_follow_what_went_wrong_on_its_line() {
    assert_eq!(one_line("no room\nhint: make some\n"), "no room - make some");
}
