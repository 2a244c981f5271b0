//! What differs between two readings, and from when on it acts.

use super::{LEAST, read};
use crate::config::changes::{When, changes};

fn differ(old: &str, new: &str) -> Vec<(String, When)> {
    let changes = changes(&read(&format!("{LEAST}{old}")), &read(&format!("{LEAST}{new}")));
    changes.into_iter().map(|change| (change.key_path, change.when)).collect()
}

fn one(old: &str, new: &str, key: &str, when: When) {
    assert_eq!(differ(old, new), [(key.to_owned(), when)], "{new}");
}

#[test]
fn how_it_is_written_is_no_change() {
    assert_eq!(differ("", "# a remark\npoll: {max: 30s}\nlost_after: 120s\n"), []);
}

#[test]
fn each_key_says_from_when_on_it_acts() {
    one("", "lost_after: 5m\n", "lost_after", When::Now);
    one("", "poll: {min: 3s}\n", "poll.min", When::Now);
    one("", "timezone: Europe/Berlin\n", "timezone", When::Restart);
    one("", "log: {level: debug}\n", "log.level", When::Restart);
    one("", "state_dir: ./other\n", "state_dir", When::Restart);
    one("", "privacy: {log_tail: true}\n", "privacy.log_tail", When::NotActive);
    let pipeline = |what: &str| format!("pipelines: {{default: {{{what}}}}}\n");
    let (before, after) = (pipeline("command: one"), pipeline("command: two"));
    one(&before, &after, "pipelines.default.command", When::NextAttempt);
    let after = pipeline("command: one, stop: end-it");
    one(&before, &after, "pipelines.default.stop", When::NextAttempt);
    let expect = pipeline("command: one, expect: [out]");
    assert!(differ(&before, &expect).iter().all(|(_, when)| *when == When::Now));
    let rule = "rules: [{files: '*.dcm', priority: urgent}]\n";
    let rules = differ("", rule);
    assert!(!rules.is_empty() && rules.iter().all(|(_, when)| *when == When::LaterCases));
}

#[test]
fn what_waits_for_a_restart_stays_as_it_is_until_then() {
    let (old, new) = (read(LEAST), read(&format!("{LEAST}timezone: Asia/Tokyo\naging: 2h\n")));
    let within = new.clone().within(&old);
    assert_eq!((&within.time_zone, within.aging), (&old.time_zone, new.aging));
    let left: Vec<String> = changes(&within, &new).into_iter().map(|c| c.key_path).collect();
    assert_eq!(left, ["timezone"]);
}
