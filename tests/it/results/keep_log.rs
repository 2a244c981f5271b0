//! The kept end of a log.

use std::fs;

use daylily_lifecycle::ids::{AttemptId, ByteCount};
use daylily_watch::results::keep_log;

use crate::copy::world::mode;

#[track_caller]
fn check(output: &[u8], most: u64, kept: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let attempt = AttemptId::new("dw-1");
    for _ in 0..2 {
        let path = keep_log(dir.path(), &attempt, output, ByteCount(most)).unwrap();
        assert_eq!(path, dir.path().join("logs/dw-1.log"));
        assert_eq!(fs::read(&path).unwrap(), kept);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(dir.path().join("logs")).unwrap().count(), 1);
    }
}

#[test]
fn a_short_log_is_kept_whole() {
    check(b"one\ntwo\n", 100, b"one\ntwo\n");
    check(b"", 100, b"");
}

#[test]
fn a_long_log_is_kept_from_a_line_on() {
    check(b"one\ntwo\nthree\n", 10, b"two\nthree\n");
    check(b"one\ntwo\nthree\n", 9, b"three\n");
    check(b"one\ntwo\nthree\n", 6, b"three\n");
}

#[test]
fn the_end_of_one_long_line_is_kept() {
    check(&[b'x'; 100], 10, &[b'x'; 10]);
    check(b"xxxxxxxxxxxx\n", 4, b"xxx\n");
}

#[test]
fn an_attempt_that_is_a_path_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let attempt = AttemptId::new("../x");
    assert!(keep_log(dir.path(), &attempt, b"x", ByteCount(1)).is_err());
}
