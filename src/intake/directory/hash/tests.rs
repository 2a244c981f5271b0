//! That a folder's digest is one of its content and of nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn names(patterns: &[&str]) -> Names {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Names::new(&patterns).unwrap()
}

fn digest_of(folder: &Path) -> Digest {
    let ignore = names(&["Thumbs.db"]);
    digest(folder, &ignore, Some("daylily.ready"), &CancellationToken::new()).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("run")).unwrap();
    fs::write(folder.path().join("run/R1.fastq.gz"), "reads").unwrap();
    symlink("run", folder.path().join("latest")).unwrap();
    folder
}

#[test]
fn a_copy_has_the_digest_of_the_original() {
    let (one, other) = (folder(), folder());
    fs::write(other.path().join("daylily.ready"), "").unwrap();
    fs::write(other.path().join("run/Thumbs.db"), "x").unwrap();
    assert_eq!(digest_of(one.path()), digest_of(other.path()));
}

#[test]
fn it_is_the_digest_that_shipping_computes() {
    let mut shipped = TreeDigest::new();
    shipped.symlink("latest", Path::new("run"));
    shipped.file("run/R1.fastq.gz", 5, blake3::hash(b"reads"));
    shipped.folder("run");
    assert_eq!(digest_of(folder().path()), shipped.finish());
}

#[test]
fn content_of_the_same_size_is_told_apart() {
    let changed = folder();
    fs::write(changed.path().join("run/R1.fastq.gz"), "READS").unwrap();
    assert_ne!(digest_of(folder().path()), digest_of(changed.path()));
}

#[test]
fn a_file_larger_than_one_chunk_is_hashed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let content = vec![7; 2 * CHUNK + 1];
    fs::write(folder.path().join("a"), &content).unwrap();
    let mut expected = TreeDigest::new();
    expected.file("a", content.len() as u64, blake3::hash(&content));
    assert_eq!(digest_of(folder.path()), expected.finish());
}

#[test]
fn it_stops_when_told() {
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = digest(folder().path(), &names(&[]), None, &stop);
    assert!(matches!(stopped, Err(HashError::Stopped { .. })), "{stopped:?}");
}

#[test]
fn a_folder_that_is_gone_has_no_digest() {
    let gone = folder().path().join("gone");
    let hashed = digest(&gone, &names(&[]), None, &CancellationToken::new());
    assert!(matches!(hashed, Err(HashError::Walk { .. })), "{hashed:?}");
}
