//! What a tree's digest tells apart, and what it does not.

use super::*;

fn digest(tell: impl FnOnce(&mut TreeDigest)) -> Digest {
    let mut digest = TreeDigest::new();
    tell(&mut digest);
    digest.finish()
}

fn file(digest: &mut TreeDigest, path: &str, content: &str) {
    digest.file(path, content.len() as u64, blake3::hash(content.as_bytes()));
}

#[test]
fn the_order_in_which_entries_are_told_does_not_matter() {
    let forth = digest(|d| {
        d.folder("run");
        file(d, "run/a", "1");
        file(d, "run/b", "2");
    });
    let back = digest(|d| {
        file(d, "run/b", "2");
        file(d, "run/a", "1");
        d.folder("run");
    });
    assert_eq!(forth, back);
}

#[test]
fn a_file_told_again_counts_as_told_last() {
    let twice = digest(|d| {
        file(d, "a", "half");
        file(d, "a", "whole");
    });
    assert_eq!(twice, digest(|d| file(d, "a", "whole")));
}

#[test]
fn trees_that_differ_have_different_digests() {
    let trees = [
        digest(|_| {}),
        digest(|d| file(d, "a", "1")),
        digest(|d| file(d, "a", "2")),
        digest(|d| file(d, "b", "1")),
        digest(|d| file(d, "a", "")),
        digest(|d| d.folder("a")),
        digest(|d| d.symlink("a", Path::new("b"))),
        digest(|d| d.symlink("a", Path::new("c"))),
        digest(|d| {
            d.folder("a");
            d.folder("b");
        }),
        digest(|d| d.folder("a/b")),
    ];
    for (i, one) in trees.iter().enumerate() {
        for other in &trees[i + 1..] {
            assert_ne!(one, other);
        }
    }
}

/// Digests are stored: a release that computes another one would run every folder
/// that comes back again.
#[test]
fn the_digest_of_a_known_tree_stays_what_it_is() {
    let known = digest(|d| {
        d.folder("run");
        file(d, "run/R1.fastq.gz", "reads");
        d.symlink("latest", Path::new("run"));
    });
    insta::assert_snapshot!(known, @"64568ccee705a3a22ef9196742f0b7107e46bd1d35c1ff4099f596dbd832e1ee");
}
