//! What is a case, what is none yet, and what never can be one.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

fn names(patterns: &[&str]) -> Names {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Names::new(&patterns).unwrap()
}

fn look(root: &Path) -> Listing {
    let settings = ListSettings {
        ignore: names(&["lost+found", "Thumbs.db", "$RECYCLE.BIN"]),
        unfinished: names(&["*.part"]),
        expected: vec![".mounted".to_owned(), "daylily.ready".to_owned()],
    };
    list(root, &settings).unwrap()
}

fn shown_names(listing: &Listing) -> Vec<&str> {
    listing.found.iter().map(|found| found.name.as_str()).collect()
}

#[test]
fn folders_are_cases_in_byte_order() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b", "a", "Z", "caf\u{e9} 'x\" $y"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    let listing = look(root.path());
    assert_eq!(shown_names(&listing), ["Z", "a", "b", "caf\u{e9} 'x\" $y"]);
    assert!(listing.found.iter().all(|found| found.folder.is_some() && found.problem.is_none()));
}

#[test]
fn what_is_not_a_case_yet_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    for folder in [
        ".hidden",
        "New folder",
        "New folder (2)",
        "untitled folder 3",
        "lost+found",
        "$RECYCLE.BIN",
        "case.part",
    ] {
        fs::create_dir(root.path().join(folder)).unwrap();
    }
    for file in [".mounted", "daylily.ready", "Thumbs.db", "x.zip.part"] {
        fs::write(root.path().join(file), "").unwrap();
    }
    fs::create_dir(root.path().join("New folder of Anna")).unwrap();
    fs::create_dir(root.path().join("New folders")).unwrap();
    assert_eq!(shown_names(&look(root.path())), ["New folder of Anna", "New folders"]);
}

#[test]
fn what_can_never_be_a_case_is_told_with_its_reason() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x.txt"), "").unwrap();
    fs::create_dir(root.path().join("two\nlines")).unwrap();
    fs::create_dir(root.path().join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
    symlink("/tmp", root.path().join("link")).unwrap();
    let listing = look(root.path());
    let problems: Vec<_> =
        listing.found.iter().filter_map(|found| found.problem.as_deref()).collect();
    assert_eq!(
        problems,
        [
            r"the name caf\xe9 is not valid UTF-8",
            "link is a symlink; a case is a folder: put the folder itself there",
            r"the name two\x0alines has a control character in it",
            "x.txt is a file; a case is a folder: put it into a folder of its own",
        ]
    );
}

#[test]
fn a_broken_name_does_not_hide_the_case_that_reads_the_same() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join(OsStr::from_bytes(b"a\xff"))).unwrap();
    fs::create_dir(root.path().join(r"a\xff")).unwrap();
    let listing = look(root.path());
    let [found] = &listing.found[..] else { panic!("{listing:?}") };
    assert_eq!(found.problem, None);
}

#[test]
fn problems_are_bounded_and_folders_are_not() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..1_010 {
        fs::write(root.path().join(format!("file{number}")), "").unwrap();
        fs::create_dir(root.path().join(format!("case{number}"))).unwrap();
    }
    let listing = look(root.path());
    assert_eq!((listing.found.len(), listing.more_problems), (2_010, 10));
}

#[test]
fn a_folder_made_anew_under_its_name_has_another_identity() {
    let root = tempfile::tempdir().unwrap();
    let case = root.path().join("HG002");
    fs::create_dir(&case).unwrap();
    let first = look(root.path()).found[0].folder.clone();
    assert_eq!(look(root.path()).found[0].folder, first);
    // The old one stays, so that its inode is not given out again.
    fs::rename(&case, root.path().join("HG001")).unwrap();
    fs::create_dir(&case).unwrap();
    let listing = look(root.path());
    assert_eq!(listing.found[0].folder, first, "a renamed folder stays itself");
    assert_ne!(listing.found[1].folder, first);
}

#[test]
fn a_root_that_is_gone_is_an_error_and_not_empty() {
    let root = tempfile::tempdir().unwrap();
    let gone = root.path().join("gone");
    let settings =
        ListSettings { ignore: names(&[]), unfinished: names(&[]), expected: Vec::new() };
    assert!(list(&gone, &settings).is_err());
}
