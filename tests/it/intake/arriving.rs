//! When a real folder is complete, however it arrives.

use std::fs;
use std::sync::Arc;

use daylily_lifecycle::case::ConditionName;
use daylily_watch::clock::SystemClock;
use daylily_watch::intake::directory::listing::{ListSettings, list};
use daylily_watch::intake::directory::watch::{WatchMode, Watcher};
use tempfile::tempdir;

use super::sender::Sender;
use super::{Desk, Settle, missing, names, seconds, settle};
use crate::wait::{LIMIT, until};

#[test]
fn a_folder_written_in_place_is_complete_after_its_quiet_period() {
    let case = tempdir().unwrap();
    fs::write(case.path().join("R1.fastq.gz"), "reads").unwrap();
    let mut desk = Desk::default();
    let early = desk.look(case.path(), &settle(), seconds(0));
    assert!(!early.complete);
    assert_eq!(early.next_look, early.last_change.at + seconds(10));
    until("it is complete once the period is over", LIMIT, || {
        desk.look(case.path(), &settle(), seconds(10)).complete
    });
}

#[test]
fn a_marker_written_before_the_data_does_not_start_a_case() {
    let case = tempdir().unwrap();
    let marked = Settle { marker: Some("daylily.ready".to_owned()), ..settle() };
    let mut desk = Desk::default();
    fs::write(case.path().join("daylily.ready"), "").unwrap();
    let alone = desk.look(case.path(), &marked, seconds(3_600));
    assert_eq!(missing(&alone), [ConditionName::Content]);
    fs::write(case.path().join("R1.fastq.gz"), "reads").unwrap();
    let judged = Desk::default().look(case.path(), &marked, seconds(0));
    assert_eq!((judged.complete, missing(&judged)), (false, vec![ConditionName::Quiet]));
}

#[test]
fn a_sender_slower_than_the_quiet_period_does_not_split_a_case() {
    let case = tempdir().unwrap();
    let mut sender = Sender::open(&case.path().join("R1.fastq.gz"));
    sender.append("first");
    let mut desk = Desk::default();
    let judged = desk.look(case.path(), &settle(), seconds(3_600));
    assert_eq!(missing(&judged), [ConditionName::NoWriters]);
    sender.append("second");
    drop(sender);
    // A late file begins the period anew.
    fs::write(case.path().join("R2.fastq.gz"), "reads").unwrap();
    let judged = Desk::default().look(case.path(), &settle(), seconds(0));
    assert_eq!(missing(&judged), [ConditionName::Quiet]);
    assert!(Desk::default().look(case.path(), &settle(), seconds(11)).complete);
}

#[test]
fn a_transfer_into_temporary_names_is_complete_only_after_its_renames() {
    let case = tempdir().unwrap();
    let partial = case.path().join(".R1.fastq.gz.aB3xY9");
    fs::write(&partial, "reads").unwrap();
    let judged = Desk::default().look(case.path(), &settle(), seconds(3_600));
    assert_eq!(missing(&judged), [ConditionName::Unfinished]);
    fs::rename(&partial, case.path().join("R1.fastq.gz")).unwrap();
    let judged = Desk::default().look(case.path(), &settle(), seconds(0));
    assert_eq!(missing(&judged), [ConditionName::Quiet], "a rename is a change");
    assert!(Desk::default().look(case.path(), &settle(), seconds(11)).complete);
}

#[test]
fn writes_from_another_host_are_found_without_inotify() {
    let root = tempdir().unwrap();
    let case = root.path().join("HG002");
    fs::create_dir(&case).unwrap();
    fs::write(case.join("R1.fastq.gz"), "reads").unwrap();
    let poll =
        Watcher::start(root.path(), WatchMode::Poll, names(&[]), Arc::new(SystemClock), |_| {
            panic!("polling has no hints")
        });
    let network = Settle { equal_scans: 2, ..settle() };
    let mut desk = Desk::default();
    assert!(!desk.look(&case, &network, seconds(3_600)).complete, "one scan proves nothing");
    fs::write(case.join("R2.fastq.gz"), "reads").unwrap();
    assert!(!desk.look(&case, &network, seconds(3_611)).complete, "it changed meanwhile");
    assert!(!desk.look(&case, &network, seconds(3_615)).complete, "equal, but too soon");
    assert!(desk.look(&case, &network, seconds(3_622)).complete);
    assert_eq!(poll.trouble(), None);
}

#[test]
fn folders_already_there_at_start_are_found_without_an_event() {
    let root = tempdir().unwrap();
    fs::create_dir(root.path().join("HG002")).unwrap();
    fs::write(root.path().join("HG002/R1.fastq.gz"), "reads").unwrap();
    let settings =
        ListSettings { ignore: names(&[]), unfinished: names(&[]), expected: Vec::new() };
    for _ in 0..2 {
        let listing = list(root.path(), &settings).unwrap();
        let [found] = &listing.found[..] else { panic!("{listing:?}") };
        assert_eq!((found.name.as_str(), &found.problem), ("HG002", &None));
        assert!(Desk::default().look(&found.path, &settle(), seconds(3_600)).complete);
    }
}

#[test]
fn thumbnails_made_by_a_browsing_colleague_are_no_content() {
    let case = tempdir().unwrap();
    fs::write(case.path().join("Thumbs.db"), "x").unwrap();
    let judged = Desk::default().look(case.path(), &settle(), seconds(3_600));
    assert_eq!(missing(&judged), [ConditionName::Content]);
}
