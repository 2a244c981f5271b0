//! What `bounded_name` promises, for any name.

use proptest::prelude::{any, proptest};

use super::{bounded_name, is_plain_id};

#[test]
fn ordinary_names_stay_as_they_are() {
    assert_eq!(bounded_name("HG002", ".lock"), "HG002.lock");
    assert_eq!(bounded_name("Müller, A. $(x)", ""), "Müller, A. $(x)");
}

#[test]
fn a_name_of_255_bytes_gets_room_for_its_suffix() {
    let name = bounded_name(&"ä".repeat(127), ".lock");
    assert!(name.len() <= 255, "{}", name.len());
    assert!(name.starts_with("ää") && name.ends_with(".lock"), "{name}");
}

#[test]
fn names_that_are_cut_alike_stay_apart() {
    let (one, two) = (format!("{}1", "x".repeat(260)), format!("{}2", "x".repeat(260)));
    assert_ne!(bounded_name(&one, ".lock"), bounded_name(&two, ".lock"));
}

#[test]
fn no_name_leaves_its_folder() {
    for name in ["", ".", "..", "a/../../b", "/etc"] {
        let bounded = bounded_name(name, "");
        assert!(!bounded.contains('/') && bounded.len() > 8, "{bounded}");
    }
}

#[test]
fn ids_with_anything_odd_are_not_plain() {
    assert!(is_plain_id("dw-01JABCDEFGHJKMNPQRSTVWXYZ0"));
    for id in ["", "-x", ".", "a b", "a/b", "ä", "a\nb", &"x".repeat(101)] {
        assert!(!is_plain_id(id), "{id}");
    }
}

proptest! {
    #[test]
    fn any_name_is_one_file_name(name in any::<String>()) {
        let bounded = bounded_name(&name.repeat(20), ".lock");
        assert!(bounded.len() <= 255 && !bounded.contains('/') && !bounded.contains('\0'));
        assert!(bounded.len() > ".lock".len());
    }
}
