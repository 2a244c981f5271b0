//! A case that is stored and loaded is the same case, whatever it was before.

use jiff::Timestamp;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

use super::{fresh, values};
use crate::store::cases;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_case_is_loaded_as_it_was_stored(case in values::case("A")) {
        let db = fresh();
        cases::put(&db, None, &case, case.updated_at).expect("it can be stored");
        let loaded = cases::load(&db, &case.id).expect("it can be loaded").expect("it is there");
        prop_assert_eq!(loaded, case);
    }

    #[test]
    fn a_case_that_becomes_any_other_leaves_nothing_of_the_first(
        first in values::case("A"),
        mut second in values::case("A"),
    ) {
        // Attempts are never taken away from a case.
        let made = second.attempts().count();
        if made < first.attempts().count() {
            let missing: Vec<_> = first.attempts().skip(made).cloned().collect();
            second.past.extend(missing);
            second.past.sort_by_key(|attempt| attempt.number);
        }
        let db = fresh();
        cases::put(&db, None, &first, first.updated_at).expect("it can be stored");
        cases::put(&db, Some(&first), &second, second.updated_at).expect("it can be stored");
        let loaded = cases::load(&db, &second.id).expect("it can be loaded");
        prop_assert_eq!(loaded, Some(second));
    }

    #[test]
    fn an_instant_is_read_as_it_was_written(instant in values::instant()) {
        let db = fresh();
        let read: super::super::column::Instant = db
            .query_row("SELECT ?", [super::super::column::Instant(instant)], |row| row.get(0))
            .expect("it is an instant");
        prop_assert_eq!(read.0, instant);
    }
}

#[test]
fn an_instant_of_whole_milliseconds_has_three_digits() {
    let instant: Timestamp = "2026-11-20T06:00:00Z".parse().expect("it is an instant");
    let text = super::super::column::Instant(instant).to_string();
    assert_eq!(text, "2026-11-20T06:00:00.000Z");
}
