//! What a manifest means, from the first look to the last.

use jiff::{SignedDuration, Timestamp};

use crate::case::{Compared, ConditionName, LastChange};
use crate::ids::{ByteCount, Fingerprint};
use crate::settle::{
    Judged, Manifest, MarkerMissing, Memory, Settle, Tree, Writers, judge as judge_tree,
};

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn there(missing: u64) -> Manifest {
    Manifest::There {
        name: "SHA256SUMS".to_owned(),
        files: 12,
        missing,
        first: (missing > 0).then(|| "run2/R1.fastq.gz".to_owned()),
    }
}

/// A tree that is complete but for its manifest.
fn judge(manifest: Manifest, compared: Option<&Compared>, accepted: bool) -> Judged {
    let tree = Tree {
        files: 12,
        bytes: ByteCount(10),
        fingerprint: Fingerprint::new("a"),
        newest: Some(LastChange { path: "x".to_owned(), at: t(0) }),
        undated: None,
        unfinished: None,
        marker: false,
        writers: Writers::None,
        manifest,
        problems: Vec::new(),
    };
    let settle = Settle {
        quiet: SignedDuration::from_secs(10),
        equal_scans: 1,
        no_writers: true,
        marker: None,
        marker_timeout: None,
        marker_missing: MarkerMissing::Wait,
        manual: false,
    };
    let memory = Memory {
        first_seen: t(0),
        fingerprint: Some(&tree.fingerprint),
        last_change: None,
        conditions: &[],
        compared,
        accepted,
        last_event: None,
        new_content: None,
    };
    judge_tree(&tree, &memory, &settle, t(100))
}

fn compared(manifest: &str, print: &str, problems: &[&str]) -> Compared {
    Compared {
        manifest: manifest.to_owned(),
        fingerprint: Fingerprint::new(print),
        problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
    }
}

fn failing(judged: &Judged) -> Vec<(ConditionName, &str)> {
    let failing = judged.conditions.iter().filter(|condition| !condition.holds);
    failing.map(|condition| (condition.name, condition.detail.as_str())).collect()
}

const UNCOMPARED: (ConditionName, &str) =
    (ConditionName::Checksums, "the 12 files are compared with what SHA256SUMS says");

#[test]
fn a_named_file_that_is_not_there_keeps_a_case_arriving() {
    let judged = judge(there(3), None, false);
    let missing = "SHA256SUMS names run2/R1.fastq.gz, which is not there yet, and 2 more";
    assert_eq!(failing(&judged)[0], (ConditionName::Manifest, missing));
    assert!(!judged.complete && !judged.refuted);
}

#[test]
fn a_manifest_that_is_asked_for_and_not_there_is_waited_for() {
    let judged = judge(Manifest::Missing { name: "sums.txt".to_owned() }, None, false);
    assert_eq!(failing(&judged), [(ConditionName::Manifest, "sums.txt has not come")]);
}

#[test]
fn a_person_may_leave_out_what_is_missing_and_the_rest_is_compared() {
    let judged = judge(Manifest::Missing { name: "sums.txt".to_owned() }, None, true);
    assert!(judged.complete);
    let judged = judge(there(1), None, true);
    let rest = "the 11 files are compared with what SHA256SUMS says";
    assert_eq!(failing(&judged), [(ConditionName::Checksums, rest)]);
}

#[test]
fn all_there_is_compared_and_then_complete() {
    assert_eq!(failing(&judge(there(0), None, false)), [UNCOMPARED]);
    assert!(judge(there(0), Some(&compared("SHA256SUMS", "a", &[])), false).complete);
}

#[test]
fn another_tree_or_another_manifest_is_compared_anew() {
    for stale in [compared("SHA256SUMS", "b", &["x"]), compared("MD5SUMS", "a", &["x"])] {
        let judged = judge(there(0), Some(&stale), false);
        assert_eq!(failing(&judged), [UNCOMPARED]);
        assert!(!judged.refuted && judged.disagreements.is_empty());
    }
}

#[test]
fn what_disagrees_refutes_the_case_and_no_word_helps() {
    for accepted in [false, true] {
        let known = compared("SHA256SUMS", "a", &["x is another"]);
        let judged = judge(there(0), Some(&known), accepted);
        assert!(judged.refuted && !judged.complete);
        assert_eq!(judged.disagreements, ["x is another"]);
    }
}

#[test]
fn one_that_cannot_be_read_refutes_the_case() {
    let judged = judge(Manifest::Odd { name: "md5sum.txt".to_owned() }, None, true);
    assert!(judged.refuted && !judged.complete);
}
