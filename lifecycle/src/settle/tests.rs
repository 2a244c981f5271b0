//! When a folder is complete, condition by condition, and what never happens:
//! a start within the quiet period of a change.

use proptest::prelude::*;

use super::*;

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn s(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn change(path: &str, at: i64) -> LastChange {
    LastChange { path: path.to_owned(), at: t(at) }
}

/// One file, written at 0, nothing wrong with it.
fn tree() -> Tree {
    Tree {
        files: 1,
        bytes: ByteCount(10),
        fingerprint: Fingerprint::new("a"),
        newest: Some(change("run2/R1.fastq.gz", 0)),
        undated: None,
        unfinished: None,
        marker: false,
        writers: Writers::None,
        manifest: Manifest::None,
        problems: Vec::new(),
    }
}

/// `watch: poll`: nothing dates a change.
fn polled() -> Tree {
    Tree { newest: None, undated: Some("run2/R1.fastq.gz".to_owned()), ..tree() }
}

fn settle() -> Settle {
    Settle {
        quiet: s(10),
        equal_scans: 1,
        no_writers: true,
        marker: None,
        marker_timeout: None,
        marker_missing: MarkerMissing::Wait,
        manual: false,
    }
}

fn with_marker(missing: MarkerMissing) -> Settle {
    Settle {
        marker: Some("daylily.ready".to_owned()),
        marker_timeout: Some(s(100)),
        marker_missing: missing,
        ..settle()
    }
}

/// What a caller remembers between scans, as the store keeps it.
#[derive(Default)]
struct Remembered {
    fingerprint: Option<Fingerprint>,
    last_change: Option<LastChange>,
    last_event: Option<LastChange>,
    conditions: Vec<Condition>,
    accepted: bool,
    new_content: Option<bool>,
    compared: Option<Compared>,
}

impl Remembered {
    fn scan(&mut self, tree: &Tree, settle: &Settle, at: i64) -> Judged {
        let judged = self.look(tree, settle, t(at));
        self.fingerprint = Some(tree.fingerprint.clone());
        self.last_change = Some(judged.last_change.clone());
        self.conditions.clone_from(&judged.conditions);
        judged
    }

    fn look(&self, tree: &Tree, settle: &Settle, now: Timestamp) -> Judged {
        let memory = Memory {
            first_seen: t(0),
            fingerprint: self.fingerprint.as_ref(),
            last_change: self.last_change.as_ref(),
            conditions: &self.conditions,
            accepted: self.accepted,
            last_event: self.last_event.as_ref(),
            new_content: self.new_content,
            compared: self.compared.as_ref(),
        };
        judge(tree, &memory, settle, now)
    }
}

fn first_look(tree: &Tree, settle: &Settle, at: i64) -> Judged {
    Remembered::default().scan(tree, settle, at)
}

#[track_caller]
fn failing(judged: &Judged) -> Vec<(ConditionName, &str)> {
    let failing = judged.conditions.iter().filter(|c| !c.holds);
    failing.map(|c| (c.name, c.detail.as_str())).collect()
}

#[test]
fn a_folder_is_complete_at_the_end_of_its_quiet_period_and_not_before() {
    let early = first_look(&tree(), &settle(), 9);
    assert!(!early.complete);
    assert_eq!(early.next_look, t(10));
    let late = first_look(&tree(), &settle(), 10);
    assert!(late.complete, "{:?}", late.conditions);
    assert_eq!(late.last_change, change("run2/R1.fastq.gz", 0));
}

#[test]
fn an_event_later_than_any_ctime_counts() {
    let mut seen =
        Remembered { last_event: Some(change("run2/R2.fastq.gz", 5)), ..Remembered::default() };
    let judged = seen.scan(&tree(), &settle(), 12);
    assert_eq!(judged.last_change, change("run2/R2.fastq.gz", 5));
    assert_eq!(judged.next_look, t(15));
    assert!(seen.scan(&tree(), &settle(), 15).complete);
}

#[test]
fn one_scan_at_the_end_decides_when_the_ctime_explains_the_change() {
    let mut seen = Remembered::default();
    seen.scan(&tree(), &settle(), 1);
    let grown = Tree {
        fingerprint: Fingerprint::new("b"),
        newest: Some(change("run2/R2.fastq.gz", 6)),
        ..tree()
    };
    assert!(seen.scan(&grown, &settle(), 16).complete);
}

#[test]
fn a_change_that_no_ctime_explains_counts_from_when_it_was_seen() {
    let mut seen = Remembered::default();
    seen.scan(&tree(), &settle(), 1);
    let other = Tree { fingerprint: Fingerprint::new("b"), ..tree() };
    let judged = seen.scan(&other, &settle(), 20);
    assert_eq!((judged.complete, judged.next_look), (false, t(30)));
    assert!(seen.scan(&other, &settle(), 30).complete);
}

#[test]
fn while_polling_the_first_look_starts_the_period() {
    let mut seen = Remembered::default();
    let judged = seen.scan(&polled(), &settle(), 500);
    assert_eq!(judged.last_change, change("run2/R1.fastq.gz", 500));
    assert_eq!((judged.complete, judged.next_look), (false, t(510)));
    assert!(seen.scan(&polled(), &settle(), 510).complete);
}

#[test]
fn a_ctime_in_the_future_leaves_the_fingerprint_to_decide() {
    // The scan leaves out the ctime that lies ahead and says that one did.
    let ahead = Tree { undated: Some("run2/R1.fastq.gz".to_owned()), ..tree() };
    let mut seen = Remembered::default();
    assert_eq!(seen.scan(&ahead, &settle(), 50).next_look, t(60));
    assert!(seen.scan(&ahead, &settle(), 60).complete);
}

#[test]
fn a_network_file_system_needs_two_equal_scans_a_quiet_period_apart() {
    let network = Settle { equal_scans: 2, quiet: s(300), ..settle() };
    let mut seen = Remembered::default();
    // Old by its ctime, but that is the server's clock.
    let judged = seen.scan(&tree(), &network, 4_000);
    assert_eq!((judged.complete, judged.next_look), (false, t(4_300)));
    assert!(!seen.scan(&tree(), &network, 4_299).complete);
    let grown = Tree { fingerprint: Fingerprint::new("b"), ..tree() };
    assert!(!seen.scan(&grown, &network, 4_300).complete);
    assert!(seen.scan(&grown, &network, 4_600).complete);
}

#[test]
fn a_wall_clock_set_back_costs_one_quiet_period_at_most() {
    let mut seen = Remembered::default();
    seen.scan(&tree(), &settle(), 0);
    seen.last_change = Some(change("run2/R1.fastq.gz", 86_400));
    assert_eq!(seen.scan(&tree(), &settle(), 100).next_look, t(110));
    assert!(seen.scan(&tree(), &settle(), 110).complete);
}

#[test]
fn an_empty_folder_is_not_complete() {
    let empty = Tree { files: 0, bytes: ByteCount(0), ..tree() };
    let judged = first_look(&empty, &settle(), 1_000);
    assert_eq!(failing(&judged), [(ConditionName::Content, "no file is there")]);
}

#[test]
fn an_open_file_keeps_a_case_arriving_however_long_it_is_quiet() {
    let open = Tree { writers: Writers::Open { path: "run2/R1.fastq.gz".to_owned() }, ..tree() };
    let judged = first_look(&open, &settle(), 100_000);
    let detail = "run2/R1.fastq.gz is held open for writing";
    assert_eq!(failing(&judged), [(ConditionName::NoWriters, detail)]);
    let not_asked = Settle { no_writers: false, ..settle() };
    assert!(first_look(&open, &not_asked, 100_000).complete);
}

#[test]
fn a_scan_that_did_not_look_for_writers_completes_nothing() {
    let unlooked = Tree { writers: Writers::NotLooked, ..tree() };
    assert!(!first_look(&unlooked, &settle(), 1_000).complete);
}

#[test]
fn writers_that_cannot_be_seen_double_the_quiet_period() {
    let hidden = Tree { writers: Writers::NoneVisible, ..tree() };
    let judged = first_look(&hidden, &settle(), 10);
    assert_eq!((judged.complete, judged.next_look), (false, t(20)));
    assert!(first_look(&hidden, &settle(), 20).complete);
}

#[test]
fn a_half_written_name_keeps_a_case_arriving() {
    let partial = Tree { unfinished: Some("run2/.R1.fastq.gz.aB3xY9".to_owned()), ..tree() };
    let judged = first_look(&partial, &settle(), 1_000);
    let detail = "run2/.R1.fastq.gz.aB3xY9 is still being written, by its name";
    assert_eq!(failing(&judged), [(ConditionName::Unfinished, detail)]);
}

/// Lesson 1.
#[test]
fn a_marker_written_before_the_data_does_not_start_a_case() {
    let wait = with_marker(MarkerMissing::Wait);
    let mut seen = Remembered::default();
    let alone = Tree { files: 0, bytes: ByteCount(0), marker: true, ..tree() };
    assert!(!seen.scan(&alone, &wait, 50).complete);
    let data = Tree {
        fingerprint: Fingerprint::new("b"),
        newest: Some(change("run2/R1.fastq.gz", 60)),
        marker: true,
        ..tree()
    };
    assert!(!seen.scan(&data, &wait, 69).complete);
    assert!(seen.scan(&data, &wait, 70).complete);
}

/// Lesson 2.
#[test]
fn a_marker_that_never_comes_follows_the_configured_policy() {
    let look = |missing, at| first_look(&tree(), &with_marker(missing), at);
    for missing in [MarkerMissing::Wait, MarkerMissing::Accept, MarkerMissing::Reject] {
        let judged = look(missing, 99);
        assert_eq!(failing(&judged), [(ConditionName::Marker, "daylily.ready has not come")]);
        assert_eq!(judged.refused, None);
        assert_eq!(judged.marker_due, (missing != MarkerMissing::Wait).then(|| t(100)));
    }
    assert_eq!(look(MarkerMissing::Accept, 99).next_look, t(100));
    assert!(!look(MarkerMissing::Wait, 100_000).complete);
    assert!(look(MarkerMissing::Accept, 100).complete);
    let rejected = look(MarkerMissing::Reject, 100);
    assert_eq!(
        (rejected.complete, rejected.refused.as_deref()),
        (false, Some("daylily.ready has not come and its time is over"))
    );
}

/// Lesson 2.
#[test]
fn a_person_overrides_a_marker_that_never_comes() {
    let accepted = Remembered { accepted: true, ..Remembered::default() };
    for missing in [MarkerMissing::Wait, MarkerMissing::Reject] {
        let judged = accepted.look(&tree(), &with_marker(missing), t(1_000));
        assert!(judged.complete);
        let marker = judged.conditions.iter().find(|c| c.name == ConditionName::Marker).unwrap();
        assert_eq!(marker.detail, "accepted without daylily.ready");
    }
    assert!(!accepted.look(&tree(), &with_marker(MarkerMissing::Wait), t(9)).complete);
}

#[test]
fn a_marker_that_comes_after_its_time_lifts_the_refusal() {
    let reject = with_marker(MarkerMissing::Reject);
    let mut seen = Remembered::default();
    assert!(seen.scan(&tree(), &reject, 200).refused.is_some());
    let there = Tree { marker: true, newest: Some(change("", 210)), ..tree() };
    assert_eq!(seen.scan(&there, &reject, 211).refused, None);
    assert!(seen.scan(&there, &reject, 220).complete);
}

#[test]
fn a_transfer_longer_than_the_marker_timeout_is_neither_started_nor_refused() {
    for missing in [MarkerMissing::Accept, MarkerMissing::Reject] {
        let mut seen = Remembered::default();
        seen.scan(&tree(), &with_marker(missing), 1);
        let grown = Tree {
            fingerprint: Fingerprint::new("b"),
            newest: Some(change("run2/R1.fastq.gz", 190)),
            ..tree()
        };
        let judged = seen.scan(&grown, &with_marker(missing), 205);
        assert_eq!((judged.complete, judged.refused.is_some()), (false, false));
        assert_eq!(judged.next_look, t(290));
    }
}

#[test]
fn a_missing_marker_does_not_refuse_what_is_still_arriving() {
    let open = Tree { writers: Writers::Open { path: "R1".to_owned() }, ..tree() };
    let judged = first_look(&open, &with_marker(MarkerMissing::Reject), 10_000);
    assert_eq!(judged.refused, None);
    assert!(!judged.complete);
}

#[test]
fn a_manual_intake_starts_what_a_person_accepted() {
    let manual = Settle { manual: true, ..settle() };
    let judged = first_look(&tree(), &manual, 100);
    assert_eq!(failing(&judged), [(ConditionName::Start, "nobody has accepted it yet")]);
    let accepted = Remembered { accepted: true, ..Remembered::default() };
    assert!(accepted.look(&tree(), &manual, t(100)).complete);
}

#[test]
fn a_name_seen_before_waits_until_its_content_is_known_to_be_new() {
    let look = |new_content| {
        let seen = Remembered { new_content, ..Remembered::default() };
        seen.look(&tree(), &settle(), t(100)).complete
    };
    assert_eq!([look(None), look(Some(false)), look(Some(true))], [true, false, true]);
}

#[test]
fn since_is_kept_until_what_is_seen_changes() {
    let since = |judged: &Judged, name| {
        judged.conditions.iter().find(|c| c.name == name).map(|c| c.since).unwrap()
    };
    let mut seen = Remembered::default();
    seen.scan(&tree(), &settle(), 1);
    let judged = seen.scan(&tree(), &settle(), 5);
    assert_eq!(since(&judged, ConditionName::Quiet), t(1));
    let judged = seen.scan(&tree(), &settle(), 12);
    assert_eq!(since(&judged, ConditionName::Quiet), t(12));
    assert_eq!(since(&judged, ConditionName::NoWriters), t(1));
    let judged = seen.scan(&tree(), &settle(), 3_600);
    assert_eq!(since(&judged, ConditionName::Quiet), t(12));
}

#[test]
fn details_have_neither_instants_nor_full_stops() {
    let everything = Settle { manual: true, ..with_marker(MarkerMissing::Reject) };
    let worst = Tree {
        unfinished: Some("a.part".to_owned()),
        writers: Writers::Open { path: "a.part".to_owned() },
        ..tree()
    };
    let seen = Remembered { new_content: Some(false), ..Remembered::default() };
    let lines = |judged: Judged| {
        let line = |c: Condition| format!("{:?} {}: {}\n", c.name, c.holds, c.detail);
        judged.conditions.into_iter().map(line).collect::<String>()
    };
    insta::assert_snapshot!(lines(seen.look(&worst, &everything, t(5))), @r"
    Content true: 1 file of 10 bytes is there
    Quiet false: run2/R1.fastq.gz changed within the quiet period
    NoWriters false: a.part is held open for writing
    Unfinished false: a.part is still being written, by its name
    NewContent false: the content is not known to differ from what was here before under this name
    Start false: nobody has accepted it yet
    Marker false: daylily.ready has not come
    ");
}

/// One step in the life of a folder that is scanned now and then.
#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Change,
    Scan,
    /// A scan exactly when the last one said to look again.
    ScanWhenTold,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..25_i64).prop_map(Step::Wait),
        Just(Step::Change),
        Just(Step::Scan),
        Just(Step::ScanWhenTold),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn nothing_is_complete_within_the_quiet_period_of_a_change(
        steps in steps(),
        dated in any::<bool>(),
        equal_scans in 1..3_u32,
        quiet in 1..20_i64,
        hidden in any::<bool>(),
        told in any::<bool>(),
    ) {
        let settle = Settle { quiet: s(quiet), equal_scans, ..settle() };
        let period = if hidden { 2 * quiet } else { quiet };
        let (mut now, mut changed_at, mut changes) = (0, 0, 0);
        let mut seen = Remembered::default();
        let mut told_look: Option<Timestamp> = None;
        // Two changes in one tick of the clock cannot be told apart by their ctime.
        let mut same_tick = false;
        for step in steps {
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Change => {
                    same_tick |= changed_at == now;
                    (changed_at, changes) = (now, changes + 1);
                    if told {
                        seen.last_event = Some(change("f", now));
                    }
                    continue;
                }
                Step::Scan => {}
                Step::ScanWhenTold => {
                    let Some(look) = told_look.take() else { continue };
                    if look > t(now) + s(3_600) {
                        continue;
                    }
                    now = now.max(look.duration_since(t(0)).as_secs());
                }
            }
            let tree = Tree {
                fingerprint: Fingerprint::new(changes.to_string()),
                newest: dated.then(|| change("f", changed_at)),
                undated: (!dated).then(|| "f".to_owned()),
                writers: if hidden { Writers::NoneVisible } else { Writers::None },
                ..tree()
            };
            let judged = seen.scan(&tree, &settle, now);
            if judged.complete {
                prop_assert!(now - changed_at >= period, "{} after a change", now - changed_at);
            } else {
                prop_assert!(judged.next_look > t(now));
                prop_assert!(judged.next_look <= t(now + period));
            }
            if dated && equal_scans == 1 && !same_tick && now - changed_at >= period {
                prop_assert!(judged.complete, "late: {} after the change", now - changed_at);
            }
            told_look = Some(judged.next_look);
        }
    }

    #[test]
    fn an_unchanged_tree_that_was_complete_stays_complete(
        first in 0..200_i64,
        later in 0..100_000_i64,
        dated in any::<bool>(),
        newest in 0..100_i64,
        event in proptest::option::of(0..200_i64),
        remembered in proptest::option::of(0..200_i64),
        equal_scans in 1..3_u32,
        marker in any::<bool>(),
        missing in prop_oneof![
            Just(MarkerMissing::Wait), Just(MarkerMissing::Accept), Just(MarkerMissing::Reject)
        ],
    ) {
        let tree = Tree {
            newest: dated.then(|| change("f", newest)),
            undated: (!dated).then(|| "f".to_owned()),
            marker,
            ..tree()
        };
        let settle = Settle { equal_scans, ..with_marker(missing) };
        let mut seen = Remembered {
            fingerprint: remembered.map(|_| tree.fingerprint.clone()),
            last_change: remembered.map(|at| change("f", at)),
            last_event: event.map(|at| change("f", at)),
            ..Remembered::default()
        };
        let unsaved = seen.look(&tree, &settle, t(first + later));
        let before = seen.scan(&tree, &settle, first);
        let after = seen.look(&tree, &settle, t(first + later));
        if before.complete {
            prop_assert!(after.complete);
        }
        if before.complete && remembered.is_some() {
            prop_assert!(unsaved.complete);
        }
        if before.next_look <= t(first + later) && marker && settle.equal_scans == 1 {
            prop_assert!(after.complete);
        }
    }
}
