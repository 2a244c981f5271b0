//! The order of a walk, what it leaves out, and what stops it.

use std::fs;

use super::*;

fn none() -> Names {
    Names::new(&[]).unwrap()
}

fn paths(root: &Path, ignore: &Names) -> Result<Vec<String>, TreeError> {
    let mut paths = Vec::new();
    walk(root, ignore, &mut |entry| {
        paths.push(entry.path);
        Ok(())
    })?;
    Ok(paths)
}

#[test]
fn folders_come_before_what_is_in_them_and_names_in_byte_order() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("b/c")).unwrap();
    for file in ["b/z", "b/c/x", "b.txt", "B", "a"] {
        fs::write(root.path().join(file), "").unwrap();
    }
    let expected = ["B", "a", "b", "b/c", "b/c/x", "b/z", "b.txt"];
    assert_eq!(paths(root.path(), &none()).unwrap(), expected);
}

#[test]
fn an_ignored_folder_is_not_entered() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a/@eaDir/b")).unwrap();
    let ignore = Names::new(&["@eaDir".to_owned()]).unwrap();
    assert_eq!(paths(root.path(), &ignore).unwrap(), ["a"]);
}

#[test]
fn a_symlink_to_a_folder_is_not_followed() {
    let root = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(".", root.path().join("loop")).unwrap();
    assert_eq!(paths(root.path(), &none()).unwrap(), ["loop"]);
}

#[test]
fn a_name_that_is_not_utf8_ends_the_strict_walk_with_its_place() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("run")).unwrap();
    fs::write(root.path().join(OsStr::from_bytes(b"run/caf\xe9")), "").unwrap();
    let error = paths(root.path(), &none()).unwrap_err();
    assert_eq!(error.to_string(), r"the name 'caf\xe9' in 'run' is not valid UTF-8");
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(paths(&root.path().join("gone"), &none()), Err(TreeError::Io { .. })));
}

#[test]
fn a_name_is_shown_with_what_cannot_be_read_escaped() {
    assert_eq!(shown(OsStr::from_bytes(b"a\xff\xfeb\n\tc\xc3\xa9")), r"a\xff\xfeb\x0a\x09cé");
}

#[test]
fn a_bad_pattern_is_named() {
    let error = Names::new(&["[".to_owned()]).unwrap_err();
    assert_eq!(error.to_string(), "the pattern \"[\" cannot be used");
}
