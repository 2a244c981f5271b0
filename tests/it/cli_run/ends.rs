//! How the daemon begins and ends.

use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::site::Site;
use crate::wait::{LIMIT, until};

/// What the design promises after SIGTERM.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn every_mistake_in_the_configuration_is_told_and_nothing_is_made() {
    let site = Site::bare();
    site.write("config.yaml", "intakes: []\nheadnodez: 1\nlost_after: 5\n");
    for args in [&["--config", "config.yaml"][..], &["run"], &["--run-once"], &["check"]] {
        let ran = site.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        for mistake in ["intakes", "headnodez", "lost_after"] {
            assert!(ran.err.contains(mistake), "{args:?} tells of {mistake}: {}", ran.err);
        }
    }
    assert_eq!(site.tree().into_keys().collect::<Vec<_>>(), ["config.yaml"]);
}

#[test]
fn words_that_mean_nothing_are_refused() {
    let site = Site::bare();
    assert_eq!(site.run(&["fly"]).code, Some(2));
    assert_eq!(site.run(&["--run-once", "--dry-run"]).code, Some(2));
    assert_eq!(site.run(&["run"]).code, Some(2), "there is no configuration");
    for (args, told) in [
        (&["--run-once", "status"][..], "--run-once and --dry-run are of `run` alone"),
        (&["--dry-run", "check"], "--run-once and --dry-run are of `run` alone"),
        (&["init", "-c", "x.yaml"], "hint: daylily-watch init FILE"),
        (&["demo", "-c", "x.yaml"], "a configuration of its own"),
    ] {
        let ran = site.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(told), "{ran:?}");
    }
    for args in [&["\u{1b}[2Jfly"][..], &["--config", "\u{1b}[2J", "check"]] {
        let ran = site.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(!ran.err.contains('\u{1b}') && ran.err.contains("\u{FFFD}[2J"), "{ran:?}");
    }
    assert!(site.tree().is_empty());
}

#[test]
fn nothing_but_the_name_shows_what_can_be_typed() {
    let ran = Site::bare().run(&[]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("Usage:"), "{}", ran.out);
}

#[test]
fn a_second_daemon_is_refused() {
    let site = Site::new("true");
    let _first = site.daemon();
    let second = site.run(&["run"]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("error: [dir]/state is in use by another daemon (process "));
    assert!(second.err.contains("\nhint: stop that one first"), "{}", second.err);
}

#[test]
fn a_signal_ends_the_daemon_soon_and_its_job_runs_on() {
    for signal in ["TERM", "INT"] {
        let site = Site::new("touch started; until [ -e finish ]; do sleep 0.05; done; echo done");
        site.write("new_cases/a/file", "text");
        let mut daemon = site.daemon();
        until("the job runs", LIMIT, || site.has("work/new_cases/a/started"));
        daemon.signal(signal);
        assert_eq!(daemon.until_it_ends(SOON).code(), Some(0), "{}", daemon.said());
        assert!(!site.has("state/alive.json"), "nothing says that it lives");

        site.write("work/new_cases/a/finish", "");
        let ran = site.run(&["--run-once"]);
        assert_eq!(ran.code, Some(0), "its end is found by the next start: {ran:?}");
        assert!(ran.err.contains("a: Succeeded at"), "{}", ran.err);
    }
}

#[test]
fn sighup_is_told_and_ends_nothing() {
    let site = Site::new("true");
    let mut daemon = site.daemon();
    daemon.signal("HUP");
    daemon.until_it_says("a SIGHUP came");
    site.write("new_cases/a/file", "text");
    daemon.until_it_says("a: Succeeded at");
    daemon.signal("TERM");
    assert_eq!(daemon.until_it_ends(SOON).code(), Some(0));
}

#[test]
fn without_a_terminal_each_turn_of_a_case_is_one_line() {
    let site = Site::with("true", "", "privacy: {log_tail: true}");
    site.write("new_cases/a/file", "text");
    let mut daemon = site.daemon();
    daemon.until_it_says("a: Succeeded at");
    daemon.signal("TERM");
    daemon.until_it_ends(SOON);
    let said = daemon.said();
    assert_eq!(said.matches("a: Succeeded at").count(), 1, "{said}");
    assert!(said.lines().all(|line| line.starts_with("20")), "{said}");
    assert_eq!(said.matches("not active yet").count(), 1, "{said}");
}

#[test]
fn the_log_goes_where_it_is_wanted() {
    let site = Site::with("true", "", "log: {file: ./state/logs/daylily.log, format: json}");
    let ran = site.run(&["--run-once"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let log = site.read("state/logs/daylily.log");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON");
    }
    assert!(log.contains("started"));

    assert_eq!(
        site.run(&["--run-once", "--log-file", "other", "--log-level", "error"]).code,
        Some(0)
    );
    assert_eq!(site.read("other"), "");
    let nowhere = site.run(&["--run-once", "--log-file", "no/such/folder/log"]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.err.starts_with("error: open the log file no/such/folder/log: No such file"));
}

#[test]
fn a_database_that_is_none_is_a_sentence_and_not_replaced() {
    let site = Site::new("true");
    site.write("state/daylily.db", "this is no database, however long it may be");
    let ran = site.run(&["run"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("is not a database of daylily-watch\nhint: "), "{}", ran.err);
    assert_eq!(site.read("state/daylily.db"), "this is no database, however long it may be");
}

#[test]
fn a_daemon_that_was_killed_is_told_at_once() {
    let site = Site::new("true");
    let mut daemon = site.daemon();
    let ran = site.run(&["status"]);
    assert!(!ran.err.contains("no daemon is running"), "{ran:?}");
    daemon.signal("KILL");
    daemon.until_it_ends(SOON);
    let ran = site.run(&["status"]);
    assert!(ran.err.contains("no daemon is running, the last was seen at"), "{ran:?}");
    let ran = site.run(&["check"]);
    assert!(ran.out.contains(") was ended; it last told"), "{ran:?}");
}

#[test]
fn a_loop_that_hangs_is_told_by_name_and_so_is_that_it_goes_on() {
    let site = Site::new("true");
    let daemon = site.daemon();
    assert!(site.run(&["check"]).out.contains(" runs, version "));
    // To read it waits for somebody who writes, as a file on a dead server does.
    let stop = site.at("state/STOP");
    nix::unistd::mkfifo(&stop, nix::sys::stat::Mode::S_IRWXU).expect("there is room");
    daemon.until_it_says("the daemon stands: this does not come to its end");
    // Whoever is stuck in it does not notice that it has another name.
    std::fs::rename(&stop, site.at("fifo")).expect("it is in one folder");
    let ran = site.run(&["check"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = ran.out.lines().find(|line| line.contains(" hangs, for ")).unwrap_or_default();
    assert!(said.contains(" in its loop `requests`"), "{ran:?}");
    assert!(ran.out.contains("hint: kill ") && ran.out.contains("jobs run on"), "{ran:?}");
    let ran = site.run(&["status"]);
    assert!(ran.err.contains("has not told"), "no other verb takes it for well: {ran:?}");

    drop(std::fs::File::options().write(true).open(site.at("fifo")).expect("it is read from"));
    daemon.until_it_says("what stood goes on");
    assert!(site.run(&["check"]).out.contains(" runs, version "), "{}", daemon.said());
}

#[test]
fn a_daemon_that_is_frozen_is_told_as_one_that_still_holds_its_lock() {
    let site = Site::new("true");
    let alive = format!(
        r#"{{"pid": {}, "version": "0.1.0", "started_at": "2026-01-20T06:00:00Z",
            "at": "2026-01-20T06:00:00Z", "loops": {{}}}}"#,
        std::process::id()
    );
    site.write("state/alive.json", &alive);
    site.write("state/lock", "");
    let file = std::fs::File::open(site.at("state/lock")).expect("it is there");
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect("nobody has it");
    let ran = site.run(&["check"]);
    assert!(ran.out.contains("has not told for"), "{ran:?}");
    drop(held);
    let ran = site.run(&["check"]);
    assert!(ran.out.contains(") was ended; it last told"), "{ran:?}");
}
