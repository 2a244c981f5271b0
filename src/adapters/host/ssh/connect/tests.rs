use std::fs;

use super::{LOG_MAX, said_in};

#[test]
fn of_a_long_log_the_end_is_read_in_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("x.log");
    let chatter = "mux_client_request_session: session request failed\r\n".repeat(1000);
    let end = "Timeout, server 10.0.0.1 not responding.\r\n";
    fs::write(&log, format!("Permission denied (publickey).\r\n{chatter}{end}")).unwrap();
    let said = said_in(&log);
    assert!(said.ends_with(end), "{said}");
    assert!(said.starts_with("mux_client_request_session"), "{said}");
    assert!(said.len() as u64 <= LOG_MAX);
}

#[test]
fn a_short_log_is_read_whole_and_a_missing_one_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("x.log");
    assert_eq!(said_in(&log), "");
    fs::write(&log, "one\ntwo").unwrap();
    assert_eq!(said_in(&log), "one\ntwo");
    // A line without an end is better than none.
    fs::write(&log, "x".repeat(40_000)).unwrap();
    assert_eq!(said_in(&log).len() as u64, LOG_MAX);
}
