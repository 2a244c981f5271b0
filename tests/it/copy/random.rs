//! Trees nobody thought of.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use daylily_watch::tree_digest::TreeDigest;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::{collection, proptest, sample};

use super::rig::Rig;
use super::world::{World, write};

#[derive(Debug, Clone)]
enum Node {
    File(Vec<u8>),
    Folder,
    Link,
}

fn name() -> impl Strategy<Value = String> {
    let odd = ["a", "a.b", "A", "-", "é", "x y", "$(x)", ".h", "a'", "\u{1F600}", "~1", "a\\n"];
    sample::select(odd.to_vec()).prop_map(str::to_owned)
}

fn trees() -> impl Strategy<Value = BTreeMap<Vec<String>, Node>> {
    let node = prop_oneof![
        5 => collection::vec(any::<u8>(), 0..2000).prop_map(Node::File),
        2 => proptest::strategy::Just(Node::Folder),
        1 => proptest::strategy::Just(Node::Link),
    ];
    collection::btree_map(collection::vec(name(), 1..4), node, 0..12)
}

/// Makes what can be made: a path below a file is left out.
fn plant(root: &Path, tree: &BTreeMap<Vec<String>, Node>) {
    for (path, node) in tree {
        let path = root.join(path.join("/"));
        if fs::symlink_metadata(&path).is_ok()
            || fs::create_dir_all(path.parent().unwrap()).is_err()
        {
            continue;
        }
        match node {
            Node::File(content) => write(&path, content),
            Node::Folder => fs::create_dir(&path).unwrap(),
            Node::Link => symlink("a", &path).unwrap(),
        }
    }
}

fn tell(digest: &mut TreeDigest, root: &Path, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let below = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            digest.folder(&below);
            tell(digest, root, &path);
        } else if meta.is_symlink() {
            digest.symlink(&below, &fs::read_link(&path).unwrap());
        } else {
            digest.file(&below, meta.len(), blake3::hash(&fs::read(&path).unwrap()));
        }
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 48,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    })]

    #[test]
    fn any_tree_is_copied_identically_and_then_turned_into_any_other(
        first in trees(),
        second in trees(),
    ) {
        let world = World::new(Rig::Copy);
        for tree in [&first, &second] {
            fs::remove_dir_all(&world.source).unwrap();
            fs::create_dir(&world.source).unwrap();
            plant(&world.source, tree);
            let shipped = world.ship().unwrap();
            world.assert_copied();
            let mut digest = TreeDigest::new();
            tell(&mut digest, &world.dest(), &world.dest());
            assert_eq!(shipped.digest, Some(digest.finish()));
        }
    }
}

proptest! {
    // Each has a headnode of its own.
    #![proptest_config(proptest::test_runner::Config {
        cases: 12,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    })]

    #[test]
    fn any_small_tree_goes_in_one_question_and_is_identical(tree in trees()) {
        let mut world = World::new(Rig::AtOnce);
        world.settings.program = "/nonexistent/rsync".into();
        plant(&world.source, &tree);
        let shipped = world.ship().unwrap();
        world.assert_copied();
        let mut digest = TreeDigest::new();
        tell(&mut digest, &world.dest(), &world.dest());
        assert_eq!(shipped.digest, Some(digest.finish()));
    }
}
