//! Owns the comparison of two trees, byte for byte, without any of the program's code.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Folder,
    File(Vec<u8>),
    Symlink(PathBuf),
    Other,
}

/// Panics unless `copy` holds exactly what `original` does, apart from `besides`.
pub(crate) fn assert_same(original: &Path, copy: &Path, besides: &[&str]) {
    let (original, mut copied) = (things(original), things(copy));
    for besides in besides {
        copied.remove(Path::new(besides));
    }
    assert_eq!(
        original.keys().collect::<Vec<_>>(),
        copied.keys().collect::<Vec<_>>(),
        "different names"
    );
    for (path, thing) in &original {
        assert!(copied[path] == *thing, "{} differs", path.display());
    }
}

fn things(root: &Path) -> BTreeMap<PathBuf, Thing> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let thing = if kind.is_dir() {
                open.push(path.clone());
                Thing::Folder
            } else if kind.is_symlink() {
                Thing::Symlink(fs::read_link(&path).unwrap())
            } else if kind.is_fifo() || kind.is_socket() {
                Thing::Other
            } else {
                Thing::File(fs::read(&path).unwrap())
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), thing);
        }
    }
    found
}
