//! What tar makes of it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Archive, Stamp, record};

const WHEN: Stamp = Stamp { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

fn unpacked(archive: Archive) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    #[allow(clippy::disallowed_methods, reason = "the program that it is made for")]
    let mut tar = Command::new("tar");
    tar.args(["-x", "-f", "-"]).current_dir(dir.path()).stdin(Stdio::piped());
    let mut tar = tar.spawn().expect("tar is installed");
    tar.stdin.take().expect("it is piped").write_all(&archive.finish()).expect("tar reads all");
    assert!(tar.wait().expect("it is our child").success());
    dir
}

fn time(path: &Path) -> (i64, i64) {
    let meta = fs::symlink_metadata(path).expect("it is there");
    (meta.mtime(), meta.mtime_nsec())
}

#[test]
fn names_targets_and_contents_of_any_length_arrive_as_they_are() {
    for length in [1, 90, 98, 99, 100, 101, 250, 255] {
        let name = "x".repeat(length);
        let (inside, target) = (format!("-d/{name}/é {name}"), format!("{name}/{name}"));
        let mut archive = Archive::default();
        archive.folder("-d", WHEN);
        archive.folder(&format!("-d/{name}"), WHEN);
        // A name has 255 bytes at most.
        let inside = inside.chars().take(3 + length + 1 + 250).collect::<String>();
        archive.file(&inside, WHEN, false, &vec![7; length * 10]);
        archive.symlink("link", WHEN, &target);
        let dir = unpacked(archive);
        assert_eq!(fs::read(dir.path().join(&inside)).expect("it is there"), vec![7; length * 10]);
        assert_eq!(time(&dir.path().join(&inside)), (WHEN.seconds, WHEN.nanoseconds));
        let link = fs::read_link(dir.path().join("link")).expect("it is a link");
        assert_eq!(link.to_str(), Some(target.as_str()));
    }
}

#[test]
fn a_program_stays_one_and_nothing_is_empty_or_large_by_accident() {
    let mut archive = Archive::default();
    archive.file("run", WHEN, true, b"#!/bin/sh\n");
    for size in [0, 1, 511, 512, 513, 10_240] {
        archive.file(&size.to_string(), WHEN, false, &vec![1; size]);
    }
    let dir = unpacked(archive);
    let mode = |name: &str| fs::metadata(dir.path().join(name)).expect("it is there").mode();
    assert_ne!(mode("run") & 0o100, 0);
    for size in [0, 1, 511, 512, 513, 10_240] {
        let name = size.to_string();
        assert_eq!(mode(&name) & 0o111, 0);
        assert_eq!(fs::read(dir.path().join(&name)).expect("it is there"), vec![1; size]);
    }
}

#[test]
fn a_record_counts_the_digits_of_its_own_length() {
    for length in [0, 1, 84, 85, 86, 87, 88, 981, 982, 983, 984, 985, 5000] {
        let mut text = Vec::new();
        record(&mut text, "path", &"x".repeat(length));
        let said = String::from_utf8(text.clone()).expect("it is text");
        let (said, _) = said.split_once(' ').expect("it begins with its length");
        assert_eq!(said.parse(), Ok(text.len()));
    }
}
