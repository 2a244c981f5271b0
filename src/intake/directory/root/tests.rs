//! That a root which cannot be believed never gives a listing.

use std::fs;

use super::*;
use crate::tree::Names;

fn look_at(root: &Path, remembered: Option<&str>, mount_check: Option<&str>) -> RootLook {
    let none = Names::new(&[]).unwrap();
    let settings = ListSettings { ignore: none.clone(), unfinished: none, expected: Vec::new() };
    look(root, remembered, mount_check, &settings)
}

#[track_caller]
fn listed(look: RootLook) -> (Mount, Option<String>, usize) {
    match look {
        RootLook::Listed { mount, replaced, listing } => (mount, replaced, listing.found.len()),
        RootLook::Unreadable { because } => panic!("{because}"),
    }
}

#[test]
fn a_root_is_listed_and_its_mount_given_to_remember() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("HG002")).unwrap();
    let (mount, replaced, found) = listed(look_at(root.path(), None, None));
    assert_eq!((replaced, found), (None, 1));
    let again = listed(look_at(root.path(), Some(&mount.to_text()), None));
    assert_eq!(again, (mount, None, 1));
}

#[test]
fn an_emptied_and_remade_root_is_unreadable_until_something_is_in_it() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("in");
    fs::create_dir_all(root.join("HG002")).unwrap();
    let (mount, ..) = listed(look_at(&root, None, None));
    // The old one stays, so that its inode is not given out again.
    fs::rename(&root, place.path().join("old")).unwrap();
    fs::create_dir(&root).unwrap();
    let remembered = mount.to_text();
    let because = format!("{} was replaced by an empty folder", root.display());
    assert_eq!(look_at(&root, Some(&remembered), None), RootLook::Unreadable { because });
    fs::create_dir(root.join("HG003")).unwrap();
    let (now, replaced, found) = listed(look_at(&root, Some(&remembered), None));
    assert_ne!(now, mount);
    assert_eq!((replaced.is_some(), found), (true, 1));
}

#[test]
fn a_root_that_is_gone_is_unreadable() {
    let place = tempfile::tempdir().unwrap();
    let gone = place.path().join("gone");
    let because = format!("{} is not there", gone.display());
    assert_eq!(look_at(&gone, None, None), RootLook::Unreadable { because });
}
