//! `check`: what is well, what is not, and that it leaves nothing behind.

use serde_json::Value;

use super::site::Site;
use crate::wait::{LIMIT, until};

/// The findings that do not depend on the machine, one a line, with the text of those
/// that are not well; the exit code first.
fn checked(site: &Site) -> String {
    let ran = site.run(&["check", "--json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("it is JSON");
    let ok = report["ok"].as_bool().expect("it says whether all is well");
    assert_eq!(ran.code, Some(if ok { 0 } else { 1 }), "{ran:?}");
    let mut text = format!("exit {}\n", ran.code.unwrap_or(-1));
    for finding in report["findings"].as_array().expect("a list") {
        let field = |name: &str| finding[name].as_str().unwrap_or_default();
        let (check, level) = (field("check"), field("level"));
        if check.ends_with(".logout") || check == "inotify" {
            continue;
        }
        text.push_str(&format!("{level:<5}{check}"));
        if level != "ok" {
            text.push_str(&format!(": {}\n     hint: {}", field("text"), field("hint")));
        }
        text.push('\n');
    }
    text
}

#[test]
fn a_new_site_is_healthy_and_stays_as_it_was() {
    let site = Site::with("true", "", "results: {fetch: [out]}\nprivacy: {log_tail: true}");
    site.write("new_cases/a/file", "text");
    let before = site.tree();
    insta::assert_snapshot!(checked(&site));
    assert_eq!(site.tree(), before);
}

#[test]
fn a_running_daemon_is_seen_and_not_disturbed() {
    let site = Site::new("true");
    let daemon = site.daemon();
    until("it has taken its work_dir", LIMIT, || site.has("work/.daylily-watch/owner"));
    insta::assert_snapshot!(checked(&site));
    site.write("new_cases/a/file", "text");
    daemon.until_it_says("a: Succeeded at");
}

#[test]
fn every_breakage_is_told_with_what_to_do() {
    let site = Site::with(
        "true",
        "mount_check: mounted, watch: poll",
        "state_dir: ./no/such/state\nresults: {fetch: [out], to: ./config.yaml/results, group: no-such-group}",
    );
    site.write("work/.daylily-watch/owner", "01OTHER 7\n");
    insta::assert_snapshot!(checked(&site));
    std::fs::remove_dir_all(site.at("work")).expect("it is ours");
    std::fs::remove_dir(site.at("new_cases")).expect("it is empty");
    site.write("work", "a file in its place");
    insta::assert_snapshot!(checked(&site));
}

#[test]
fn a_database_that_cannot_be_read_is_told() {
    let site = Site::new("true");
    site.write("state/daylily.db", "this is no database, however long it may be");
    site.write(
        "state/alive.json",
        r#"{"pid": 4194304, "version": "0.1.0", "started_at": "2026-11-20T06:00:00Z",
            "at": "2026-11-20T06:00:00Z", "loops": {}}"#,
    );
    let text = checked(&site);
    assert!(text.contains("fail database: [dir]/state/daylily.db is not a database"), "{text}");
    assert!(text.contains("warn daemon: the daemon (process 4194304) was ended"), "{text}");
    assert!(text.contains("warn now: what would start is not known"), "{text}");
    site.write("work/.daylily-watch/owner", "01OTHER 7\n");
    let text = checked(&site);
    assert!(
        text.contains("warn headnode.here.owner: whose work_dir it is cannot be told"),
        "{text}"
    );
}

#[test]
fn a_file_in_place_of_state_dir_is_one_failure() {
    let site = Site::new("true");
    site.write("state", "a file");
    let text = checked(&site);
    assert_eq!(text.matches("fail ").count(), 1, "{text}");
    assert!(text.contains("fail state_dir: [dir]/state is no folder"), "{text}");
    assert!(!text.contains("ok   database"), "{text}");
}

#[test]
fn a_command_that_is_not_there_and_the_red_button_are_told() {
    let site = Site::new("no-such-program --fast");
    site.write("state/STOP", "smoke");
    let ran = site.run(&["check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = "no-such-program is not found in PATH of the headnode (pipeline default)";
    assert!(ran.out.contains(told), "{}", ran.out);
    assert!(ran.out.contains("STOPPED"), "{}", ran.out);
}

#[test]
fn people_read_one_line_for_each_finding() {
    let ran = Site::new("true").run(&["check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let known = ["ok    ", "warn  ", "FAIL  ", "      hint: "];
    assert!(ran.out.lines().all(|line| known.iter().any(|start| line.starts_with(start))));
    assert!(ran.out.contains("\nwarn  daemon: no daemon runs\n      hint: daylily-watch run"));
}
