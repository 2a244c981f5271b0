//! What the look at results prints, and what it never should.

use std::collections::BTreeSet;

use std::collections::HashMap;

use daylily_lifecycle::outcome::Fault;

use super::There;

fn parse(
    answer: &[u8],
    files: &BTreeSet<String>,
    from: &str,
) -> Result<HashMap<String, There>, Fault> {
    super::parse(answer, files.iter(), from)
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

const LOOKED: &[u8] = b"/w/HG002\x002\0/w/HG002/a\0/w/HG002/real\0a\x0081a4\x003\x001.5\0\
    link\x0081a4\x004\x002.0\0\0";

#[test]
fn a_look_is_understood() {
    let there = parse(LOOKED, &names(&["a", "link"]), "/w/HG002").unwrap();
    assert_eq!((there["a"].size, there["a"].modified.nanoseconds), (3, 500_000_000));
    assert_eq!(there["link"].real, "real");
}

#[test]
fn a_look_that_is_cut_anywhere_or_says_more_is_not_believed() {
    for cut in 0..LOOKED.len() {
        assert!(parse(&LOOKED[..cut], &names(&["a", "link"]), "/w/HG002").is_err(), "{cut}");
    }
    assert!(parse(LOOKED, &names(&["a"]), "/w/HG002").is_err());
    assert!(parse(LOOKED, &names(&["a", "b", "link"]), "/w/HG002").is_err());
    assert!(parse(&[b"Welcome\n", LOOKED].concat(), &names(&["a", "link"]), "/w/HG002").is_err());
}
