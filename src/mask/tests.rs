use std::io::Write as _;

use proptest::prelude::{prop_assert, proptest};

use super::{Masking, learn, masked, masked_bytes};

// What is learnt here is masked in all other tests of this process: no other has such texts.
const ONE: &str = "mask-test-wo\"rd\\one";
const LONGER: &str = "mask-test-wo\"rd\\one-and-more";

#[test]
fn what_was_learnt_is_in_nothing_that_passes() {
    learn(ONE);
    learn(LONGER);
    learn("abc");
    assert_eq!(masked(&format!("a {LONGER} b {ONE}")), "a *** b ***");
    assert_eq!(masked("abc is too short to be one"), "abc is too short to be one");
    assert_eq!(masked_bytes(format!("\u{1b}{ONE}").as_bytes()), "\u{1b}***".as_bytes());
    assert_eq!(masked_bytes(b"\xff"), &b"\xff"[..]);
    let mut log = Masking(Vec::new());
    // As the log is written: each event at once.
    log.write_all(serde_json::json!({ "error": LONGER }).to_string().as_bytes()).unwrap();
    let log = String::from_utf8(log.0).unwrap();
    assert!(!log.contains("mask-test") && log.contains("***"), "{log}");
}

proptest! {
    #[test]
    fn no_text_around_it_saves_a_secret(before in ".{0,40}", after in ".{0,40}") {
        learn(ONE);
        let text = format!("{before}{ONE}{after}");
        prop_assert!(!masked(&text).contains(ONE));
        let bytes = masked_bytes(text.as_bytes()).into_owned();
        prop_assert!(!bytes.windows(ONE.len()).any(|part| part == ONE.as_bytes()));
    }
}
