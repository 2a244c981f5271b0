use super::{Odd, parse};
use crate::adapters::host::attempts::globs;

fn read(listing: &str, pattern: &str) -> Result<Vec<String>, Odd> {
    let wanted = globs(&[pattern.to_owned()]).expect("it is a pattern");
    let files = parse(listing.as_bytes(), &wanted)?;
    Ok(files.into_iter().map(|file| format!("{} {}", file.path, file.bytes.0)).collect())
}

const TWO: &str = "sub/b.txt\x002\x0020.5\0./a.txt\x001\x0010.0\0";

#[test]
fn what_is_wanted_is_listed_by_its_path() {
    assert_eq!(read(TWO, "**"), Ok(vec!["a.txt 1".to_owned(), "sub/b.txt 2".to_owned()]));
    assert_eq!(read(TWO, "*.txt"), Ok(vec!["a.txt 1".to_owned()]));
    assert_eq!(read("", "**"), Ok(Vec::new()));
    assert_eq!(read("a\nline\x001\x0010\0", "a*"), Ok(vec!["a\nline 1".to_owned()]));
}

#[test]
fn a_list_that_is_not_whole_is_none() {
    // Wherever it is cut but between two files.
    for end in 1..TWO.len() {
        let whole = end == TWO.find("./a").expect("it is there");
        assert_eq!(read(&TWO[..end], "**").is_ok(), whole, "{:?}", &TWO[..end]);
    }
}

#[test]
fn what_no_listing_says_is_refused() {
    for odd in [
        "a\0much\x0010\0",
        "a\x001\0soon\0",
        "a\x001\x0010.x\0",
        "a\x001\x0010.-1\0",
        "a\0-1\x0010\0",
        "/etc/passwd\x001\x0010\0",
        "../a\x001\x0010\0",
        "sub/../../a\x001\x0010\0",
        "\x001\x0010\0",
        "\0",
        "\0\0\0",
        "a\x001\x0010\0\0",
    ] {
        assert!(read(odd, "**").is_err(), "{odd:?}");
        assert!(read(odd, "nothing of it").is_err(), "{odd:?}");
    }
}
