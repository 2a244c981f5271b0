//! `--run-once`: it ends when nothing goes on by itself, and says what is left.

use super::site::{Ran, Site};
use crate::wait::{LIMIT, until};

#[track_caller]
fn left(site: &Site, wanted: &[&str]) -> Ran {
    let ran = site.run(&["--run-once"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let mut lines = ran.out.lines();
    assert_eq!(lines.next().map(|line| line.starts_with("CASE")), Some(true), "{ran:?}");
    for wanted in wanted {
        assert!(ran.out.contains(wanted), "{wanted:?} is in {}", ran.out);
    }
    assert_eq!(lines.count(), wanted.len(), "{}", ran.out);
    ran
}

#[test]
fn once_runs_what_is_there_and_ends_well() {
    let site = Site::with("cat file > out", "", "results: {fetch: [out]}");
    site.write("new_cases/a/file", "one");
    site.write("new_cases/b c/file", "two");
    let ran = site.run(&["--run-once"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(site.read("results/new_cases/a/out"), "one");
    assert_eq!(site.read("results/new_cases/b c/out"), "two");
    let again = site.run(&["--run-once"]);
    assert_eq!((again.code, again.out.as_str()), (Some(0), ""), "nothing is left to be done");
}

#[test]
fn once_ends_at_once_where_there_is_nothing() {
    assert_eq!(Site::new("true").run(&["run", "--run-once"]).code, Some(0));
}

#[test]
fn once_lists_what_failed_and_what_must_be_corrected() {
    let site = Site::new("[ -e good ]");
    site.write("new_cases/bad/file", "");
    site.write("new_cases/good/good", "");
    site.write("new_cases/loose", "");
    site.write("new_cases/partly/R1.fastq.part", "");
    let wanted =
        ["Failed: the pipeline ended with exit code 1", "loose is a file", "R1.fastq.part"];
    left(&site, &wanted);
    left(&site, &["loose is a file", "R1.fastq.part"]);
}

#[test]
fn once_lists_what_waits_for_a_person() {
    let held = Site::with("true", "existing: hold", "");
    held.write("new_cases/a/file", "");
    left(&held, &["Waiting for a person: here before the first start"]);

    let manual = Site::with("true", "start: manual", "");
    manual.write("new_cases/a/file", "");
    left(&manual, &["`accept a` starts it"]);

    let stopped = Site::new("true");
    stopped.write("state/STOP", "the air conditioning is being repaired");
    stopped.write("new_cases/a/file", "");
    left(&stopped, &["the air conditioning is being repaired"]);
}

#[test]
fn once_does_not_wait_for_a_mount_or_an_owner() {
    let site = Site::new("true");
    std::fs::remove_dir(site.at("new_cases")).expect("it is empty");
    left(&site, &["[dir]/new_cases is not there"]);

    let owned = Site::new("true");
    owned.write("work/.daylily-watch/owner", "01OTHER 7\n");
    owned.write("new_cases/a/file", "");
    left(&owned, &["belongs to the database 01OTHER; one work_dir is for one database"]);
}

#[test]
fn once_that_is_ended_by_a_signal_lists_what_is_unfinished() {
    let site = Site::new("touch started; until [ -e finish ]; do sleep 0.05; done");
    site.write("new_cases/a/file", "");
    let mut once = site.start(&["--run-once"]);
    until("the job runs", LIMIT, || site.has("work/new_cases/a/started"));
    once.signal("TERM");
    assert_eq!(once.until_it_ends(LIMIT).code(), Some(1), "{}", once.said());
    let listed = site.read("stdout");
    assert!(listed.lines().any(|line| line.starts_with("a ")), "{listed}");
    site.write("work/new_cases/a/finish", "");
    assert_eq!(site.run(&["--run-once"]).code, Some(0));
}
