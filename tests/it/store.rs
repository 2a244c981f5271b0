//! The database as the daemon, the command line and a person with `sqlite3` meet it.

#![expect(clippy::disallowed_methods, reason = "tests start processes and measure time")]

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daylily_lifecycle::case::{
    CaseKind, Condition, ConditionName, LastChange, Order, Place, Priority, QueueKind, StateName,
};
use daylily_lifecycle::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Fingerprint, FolderIdentity, GroupName,
    HeadnodeName, IntakeName, PipelineName, Slot,
};
use daylily_lifecycle::observation::{
    Appeared, AttemptSeed, Observation, Observed, Request, Scanned, Verb,
};
use daylily_lifecycle::policy::{HeadnodeState, Pause, SlotState};
use daylily_lifecycle::record::Recorded;
use daylily_watch::store::error::StoreError;
use daylily_watch::store::journal::JournalId;
use daylily_watch::store::open::Opened;
use daylily_watch::store::places::Paused;
use daylily_watch::store::read::Reader;
use daylily_watch::store::read::lookup::Lookup;
use daylily_watch::store::recording::Fact;
use daylily_watch::store::requests::{self, NewRequest};
use daylily_watch::store::{Planned, Store};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

const VERSION: &str = "1.3";

fn now() -> Timestamp {
    "2026-11-20T06:00:00Z".parse().expect("it is an instant")
}

fn state_dir() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

fn open(state_dir: &Path) -> (Store, Opened) {
    Store::open(state_dir, now(), VERSION).expect("it opens")
}

fn refused(state_dir: &Path) -> StoreError {
    match Store::open(state_dir, now(), VERSION) {
        Ok(_) => panic!("it opens"),
        Err(error) => error,
    }
}

fn observed(what: Observation) -> Observed {
    Observed { at: now(), actor: Actor::new("daylily-watch"), what }
}

fn appeared(id: &str, name: &str, arrival: Arrival) -> Observed {
    observed(Observation::Appeared(Box::new(Appeared {
        case: CaseId::new(id),
        intake: IntakeName::new("new_cases"),
        name: CaseName::new(name),
        arrival,
        path: format!("/in/{name}"),
        kind_of_case: CaseKind::Folder,
        order: Order {
            pipeline: PipelineName::new("default"),
            priority: Priority::Normal,
            headnode: HeadnodeName::new("hpc"),
            group: None,
            gpus: 1,
        },
        folder: Some(FolderIdentity::new("17")),
        prior: None,
        baseline: None,
    })))
}

fn complete() -> Observed {
    observed(Observation::Scanned(Box::new(Scanned {
        files: 3,
        bytes: ByteCount(30),
        fingerprint: Fingerprint::new("f"),
        last_change: LastChange { path: "R1.fastq.gz".to_owned(), at: now() },
        settles_at: None,
        conditions: vec![Condition {
            name: ConditionName::Quiet,
            holds: true,
            detail: "nothing changed for 10 s".to_owned(),
            since: now(),
        }],
        problems: Vec::new(),
        refused: None,
        folder: None,
    })))
}

fn gpu(slot: u32) -> Slot {
    Slot {
        headnode: HeadnodeName::new("hpc"),
        group: GroupName::new("gpu_a"),
        slot,
        gpu: Some(slot.to_string()),
    }
}

fn granted(attempt: &str, slots: Vec<Slot>) -> Observed {
    observed(Observation::Granted {
        attempt: AttemptSeed {
            id: AttemptId::new(attempt),
            place: Place {
                headnode: HeadnodeName::new("hpc"),
                queue: QueueKind::Pueue,
                work_dir: "/data".to_owned(),
                remote_dir: "/data/new_cases/HG002".to_owned(),
                attempt_dir: format!("/data/.daylily-watch/{attempt}"),
                owner: "o".to_owned(),
                command: "dy-r".to_owned(),
                config_hash: "h".to_owned(),
            },
        },
        slots,
    })
}

fn asked(verb: Verb) -> Observed {
    observed(Observation::Asked(Request { verb, reason: None }))
}

/// Cases A, B and C that are ready, and two GPUs.
async fn three_ready(store: &Store) {
    let gpus = vec![Some("0".to_owned()), Some("1".to_owned())];
    store
        .sync_slots(HeadnodeName::new("hpc"), vec![(GroupName::new("gpu_a"), gpus)])
        .await
        .expect("stored");
    for id in ["A", "B", "C"] {
        store.appear(appeared(id, id, Arrival::FIRST)).await.expect("stored");
        let recorded = store.record(CaseId::new(id), complete()).await.expect("stored");
        assert!(matches!(recorded, Recorded::Changed(_)), "{recorded:?}");
    }
}

async fn slot_states(store: &Store) -> Vec<(SlotState, Option<String>)> {
    let slots = store.read(Reader::slots).await.expect("they can be read");
    slots
        .into_iter()
        .map(|slot| (slot.view.state, slot.holder.map(|holder| holder.name.to_string())))
        .collect()
}

#[tokio::test]
async fn slots_are_given_all_or_none_and_come_back_with_the_end() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    let first = store.record(CaseId::new("A"), granted("dw-1", vec![gpu(0)])).await;
    assert!(matches!(first, Ok(Recorded::Changed(_))), "{first:?}");

    let second = store.record(CaseId::new("B"), granted("dw-2", vec![gpu(1), gpu(0)])).await;
    assert!(matches!(second, Ok(Recorded::Stale { .. })), "{second:?}");
    let taken = [(SlotState::Reserved, Some("A".to_owned())), (SlotState::Free, None)];
    assert_eq!(slot_states(&store).await, taken);
    let case = store.read(|reader| reader.case(&CaseId::new("B"))).await.expect("it can be read");
    assert_eq!(case.map(|case| case.state.name()), Some(StateName::Ready));
    let journal = store.read(|reader| reader.journal(&CaseId::new("B"), JournalId::START)).await;
    assert_eq!(journal.expect("it can be read").len(), 2, "a grant that failed is not journalled");

    store.record(CaseId::new("A"), asked(Verb::Cancel { abandon: false })).await.expect("stored");
    let free = [(SlotState::Free, None), (SlotState::Free, None)];
    assert_eq!(slot_states(&store).await, free);
}

#[tokio::test]
async fn two_facts_are_recorded_together_or_not_at_all() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    let facts = vec![
        Fact { case: CaseId::new("A"), observed: granted("dw-1", vec![gpu(0)]) },
        Fact { case: CaseId::new("B"), observed: granted("dw-2", vec![gpu(0)]) },
    ];
    let recorded = store.record_many(facts).await.expect("answered");
    assert!(recorded.iter().all(|one| matches!(one, Recorded::Stale { .. })), "{recorded:?}");
    let case = store.read(|reader| reader.case(&CaseId::new("A"))).await.expect("it can be read");
    assert_eq!(case.map(|case| case.state.name()), Some(StateName::Ready));
}

#[tokio::test]
async fn a_dropped_case_is_gone_and_its_journal_stays() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.appear(appeared("A", "HG002", Arrival::FIRST)).await.expect("stored");
    let dropped = store.record(CaseId::new("A"), observed(Observation::Vanished)).await;
    assert!(matches!(dropped, Ok(Recorded::Dropped { .. })), "{dropped:?}");
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.case(&CaseId::new("A")).expect("it can be read"), None);
    let journal = reader.journal(&CaseId::new("A"), JournalId::START).expect("it can be read");
    assert_eq!(journal.len(), 2);
    assert!(journal[1].to.is_none() && journal[1].note.is_some(), "{journal:?}");
    // The name is free again.
    let again = store.appear(appeared("B", "HG002", Arrival::FIRST)).await;
    assert!(matches!(again, Ok(Recorded::Changed(_))), "{again:?}");
    let twice = store.appear(appeared("C", "HG002", Arrival::FIRST)).await;
    assert!(matches!(twice, Ok(Recorded::Refused { .. })), "{twice:?}");
}

#[tokio::test]
async fn a_plan_is_stored_once_and_only_for_the_case_it_was_made_of() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.appear(appeared("A", "HG002", Arrival::FIRST)).await.expect("stored");
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.due(now()).expect("it can be read").len(), 1);
    let later = now().checked_add(SignedDuration::from_secs(10)).expect("it is valid");
    let plan = |version| Planned {
        case: CaseId::new("A"),
        version,
        because: "Still arriving.".to_owned(),
        wake_at: Some(later),
    };
    assert_eq!(store.planned(vec![plan(7)]).await.expect("answered"), 0);
    assert_eq!(store.planned(vec![plan(1)]).await.expect("answered"), 1);
    assert_eq!(store.planned(vec![plan(1)]).await.expect("answered"), 0);
    assert_eq!(reader.due(now()).expect("it can be read"), []);
    assert_eq!(reader.next_wake().expect("it can be read"), Some(later));
    assert_eq!(reader.due(later).expect("it can be read").len(), 1);
    let board = reader.board(0).expect("it can be read");
    assert_eq!(board[0].because, "Still arriving.");
}

#[tokio::test]
async fn what_people_type_finds_a_case() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    for (id, name, arrival) in
        [("01AAA", "HG002", 1), ("01AAB", "HG002", 2), ("01ABC", "HG0021", 1), ("01B", "x/y", 1)]
    {
        store.appear(appeared(id, name, Arrival(arrival))).await.expect("stored");
    }
    let reader = store.reader().expect("it opens");
    let find = |text: &str| match reader.lookup(text).expect("it can be read") {
        Lookup::One(found) => found.case.to_string(),
        Lookup::Several(found) => format!("{} cases", found.len()),
        Lookup::None => "none".to_owned(),
    };
    for (text, expected) in [
        ("HG002", "01AAB"),
        ("new_cases/HG002", "01AAB"),
        ("HG002.1", "01AAA"),
        ("HG0021", "01ABC"),
        ("HG", "2 cases"),
        ("01ab", "01ABC"),
        ("01aaa", "01AAA"),
        ("01A", "2 cases"),
        ("x/y", "01B"),
        ("%", "none"),
        ("", "none"),
    ] {
        assert_eq!(find(text), expected, "{text:?}");
    }
    let latest = reader.find(&IntakeName::new("new_cases"), &CaseName::new("HG002"));
    assert_eq!(latest.expect("it can be read").map(|case| case.arrival), Some(Arrival(2)));
    let known = reader.known_names(&IntakeName::new("new_cases")).expect("it can be read");
    let known: Vec<_> = known.iter().map(|known| (known.name.as_str(), known.arrival.0)).collect();
    assert_eq!(known, [("HG002", 2), ("HG0021", 1), ("x/y", 1)]);
}

#[tokio::test]
async fn a_request_of_another_process_is_answered_once() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    let request = NewRequest {
        at: now(),
        actor: Actor::new("anna (uid 1000)"),
        verb: "note".to_owned(),
        target: "A".to_owned(),
        args: serde_json::Map::new(),
        reason: Some("look at the reads".to_owned()),
    };
    let id = requests::file(dir.path(), VERSION, &request).expect("it is filed");
    let open = store.read(Reader::take_requests).await.expect("it can be read");
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].request, request);
    let fact = Fact { case: CaseId::new("A"), observed: asked(Verb::Note) };
    store.record_request(id, vec![fact], now()).await.expect("stored");
    assert_eq!(store.read(Reader::take_requests).await.expect("it can be read"), []);
    let answered = store.read(move |reader| reader.request(id)).await.expect("it can be read");
    let outcome = answered.and_then(|request| request.done).map(|done| done.outcome);
    assert_eq!(outcome.as_deref(), Some("done"));

    let month = now().checked_add(SignedDuration::from_hours(31 * 24)).expect("it is valid");
    assert_eq!(store.prune(month, None).await.expect("stored").requests, 1);
}

#[tokio::test]
async fn circuits_and_pauses_outlive_the_daemon() {
    let dir = state_dir();
    let (store, first) = open(dir.path());
    let hpc = HeadnodeName::new("hpc");
    let down = HeadnodeState::Unreachable {
        since: now(),
        because: "connection timed out".to_owned(),
        next_try: now(),
    };
    let state = down.clone();
    store.change_headnode(hpc.clone(), move |node| node.state = state).await.expect("stored");
    store.change_headnode(hpc.clone(), |node| node.failures += 1).await.expect("stored");
    let anna = Pause { by: Some(Actor::new("anna")), since: now(), reason: None };
    let bert = Pause { by: Some(Actor::new("bert")), ..anna.clone() };
    for pause in [&anna, &bert] {
        for what in [Paused::All, Paused::Headnode(hpc.clone())] {
            store.set_pause(what, Some(pause.clone())).await.expect("stored");
        }
    }
    store.close().await;

    let (store, second) = open(dir.path());
    assert_eq!(second.database, first.database);
    assert!(second.generation > first.generation && !second.created);
    let reader = store.reader().expect("it opens");
    let node = reader.headnode(&hpc).expect("it can be read").expect("it is there");
    assert_eq!((node.state, node.failures), (down, 1));
    assert_eq!(node.paused, Some(anna.clone()), "who stopped it first stays told");
    assert_eq!(reader.stopped().expect("it can be read"), Some(anna));
    store.set_pause(Paused::All, None).await.expect("stored");
    assert_eq!(reader.stopped().expect("it can be read"), None);
}

#[tokio::test]
async fn journals_of_finished_cases_are_pruned_whole() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    store.record(CaseId::new("A"), asked(Verb::Cancel { abandon: false })).await.expect("stored");
    let day = SignedDuration::from_hours(24);
    let later = now().checked_add(day * 2).expect("it is valid");
    assert_eq!(store.prune(later, None).await.expect("stored").journal, 0);
    assert_eq!(store.prune(later, Some(day)).await.expect("stored").journal, 3);
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.history(JournalId::START, 100).expect("it can be read").len(), 4);
    assert!(reader.case(&CaseId::new("A")).expect("it can be read").is_some());
}

#[test]
fn a_second_daemon_is_told_who_has_the_folder() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    let text = refused(dir.path()).to_string();
    assert!(text.contains(&format!("process {} on ", std::process::id())), "{text}");
    assert!(text.contains("\nhint: "), "{text}");
    // The lock alone decides: reading goes on.
    Reader::open(dir.path(), VERSION).expect("it opens");
    drop(store);
}

#[test]
fn reading_without_a_database_says_what_to_do() {
    let dir = state_dir();
    let error = Reader::open(dir.path(), VERSION).expect_err("there is none");
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("\nhint: "), "{error}");
    assert_eq!(names_in(dir.path()), [""; 0], "reading makes nothing");
}

#[tokio::test]
async fn reading_works_without_a_daemon() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    store.close().await;
    let reader = Reader::open(dir.path(), VERSION).expect("it opens");
    assert_eq!(reader.board(5).expect("it can be read").len(), 3);
    assert_eq!(reader.damage().expect("it can be read"), None);
    let copy = dir.path().join("copy.db");
    reader.back_up(&copy).expect("it is copied");
    let copy = Connection::open(copy).expect("it opens");
    let cases: i64 = copy.query_row("SELECT count(*) FROM cases", [], |row| row.get(0)).expect("1");
    assert_eq!(cases, 3);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    for (content, expected) in [
        ("this is a text, long enough to be taken for a page of something".repeat(100), "is not a"),
        (String::new(), "is empty"),
    ] {
        let dir = state_dir();
        let path = dir.path().join("daylily.db");
        std::fs::write(&path, &content).expect("it can be written");
        let error = refused(dir.path()).to_string();
        assert!(error.contains(expected) && error.contains("\nhint: "), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("it is text"), content);
    }
    let dir = state_dir();
    let other = Connection::open(dir.path().join("daylily.db")).expect("it opens");
    other.execute_batch("CREATE TABLE cases (a); PRAGMA user_version = 1;").expect("it is made");
    drop(other);
    assert!(matches!(refused(dir.path()), StoreError::NotOurs { .. }));
}

#[tokio::test]
async fn a_damaged_schema_is_told_at_once() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.close().await;
    let path = dir.path().join("daylily.db");
    let mut bytes = std::fs::read(&path).expect("it can be read");
    bytes[100..4000].fill(0xA5);
    std::fs::write(&path, bytes).expect("it can be written");
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("\nhint: "), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let dir = state_dir();
    let error = refused(&dir.path().join("a/b"));
    assert!(matches!(error, StoreError::NoParent { .. }), "{error}");
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[tokio::test]
async fn the_folder_and_the_file_are_for_the_owner_only() {
    let dir = state_dir();
    let state = dir.path().join("state");
    let (store, opened) = open(&state);
    assert!(opened.created);
    for (path, mode) in [(state.clone(), 0o700), (state.join("daylily.db"), 0o600)] {
        let meta = std::fs::metadata(&path).expect("it is there");
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{}", path.display());
    }
    store.close().await;
    assert_eq!(names_in(&state), ["daylily.db", "lock"], "nothing half-made is left");
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Set in a process that this one starts to play a part: what to do, and where.
const PART: &str = "DAYLILY_TEST_STORE_PART";

/// Starts this test binary once more, to run `the_other_process` only.
fn other_process(part: &str, state_dir: &Path, nobody: bool) -> Child {
    let program = std::env::current_exe().expect("it is running");
    let mut command = Command::new(program);
    command
        .args(["--exact", "store::the_other_process", "--nocapture"])
        .env(PART, format!("{part} {}", state_dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if nobody {
        command.uid(65_534).gid(65_534);
    }
    command.spawn().expect("it starts")
}

/// Does nothing unless another test started it.
#[tokio::test]
async fn the_other_process() {
    let Ok(part) = std::env::var(PART) else { return };
    let (part, state_dir) = part.split_once(' ').expect("two words");
    match part {
        "write" => write_for_ever(Path::new(state_dir)).await,
        "fail" => tell(&format!("refused: {:?}", refused(Path::new(state_dir)).to_string())),
        _ => panic!("no such part: {part}"),
    }
}

/// Tells each case once its record was answered.
async fn write_for_ever(state_dir: &Path) {
    let (store, _) = open(state_dir);
    for number in 0_u32.. {
        let name = format!("{number:06}");
        store.appear(appeared(&name, &name, Arrival::FIRST)).await.expect("stored");
        tell(&format!("stored: {name}"));
    }
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn tell(line: &str) {
    println!("\n{line}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let dir = state_dir();
    let mut writer = other_process("write", dir.path(), false);
    let lines = BufReader::new(writer.stdout.take().expect("it is a pipe")).lines();
    let mut last = None;
    let mut told = 0;
    for line in lines {
        let line = line.expect("it is text");
        if let Some(name) = line.strip_prefix("stored: ") {
            last = Some(name.to_owned());
            told += 1;
        }
        if told == 50 {
            writer.kill().expect("it runs");
            break;
        }
    }
    writer.wait().expect("it has ended");
    let (store, opened) = open(dir.path());
    assert!(!opened.created);
    let reader = store.reader().expect("it opens");
    let last = CaseId::new(last.expect("it wrote"));
    assert!(reader.case(&last).expect("it can be read").is_some(), "{last} was answered");
    let cases = reader.live_cases().expect("it can be read");
    assert!(cases.len() >= 50);
    for case in cases {
        assert_eq!(reader.replay(&case.id).expect("it can be read"), Some(case));
    }
    assert_eq!(reader.damage().expect("it can be read"), None);
}

#[tokio::test]
async fn a_folder_or_file_that_may_not_be_written_is_told() {
    let top = state_dir();
    // The other process is nobody, whom a mode of 0555 keeps out even where we are root.
    std::fs::set_permissions(top.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let empty = top.path().join("empty");
    std::fs::create_dir(&empty).expect("there is room");
    let full = top.path().join("full");
    let (store, _) = open(&full);
    store.close().await;
    for (path, mode) in [
        (empty.clone(), 0o555),
        (full.clone(), 0o777),
        (full.join("lock"), 0o666),
        (full.join("daylily.db"), 0o444),
    ] {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }
    let root = nix::unistd::geteuid().is_root();
    for state in [empty.clone(), full] {
        let said = said_by(other_process("fail", &state, root));
        let refusal = said.iter().find_map(|line| line.strip_prefix("refused: "));
        let refusal = refusal.unwrap_or_default();
        assert!(refusal.contains("cannot write in") && refusal.contains("hint: "), "{said:#?}");
    }
    assert_eq!(names_in(&empty), [""; 0]);
}

fn said_by(mut process: Child) -> Vec<String> {
    let out = BufReader::new(process.stdout.take().expect("it is a pipe"));
    let lines = out.lines().collect::<Result<_, _>>().expect("it is text");
    process.wait().expect("it has ended");
    lines
}

/// A hundred thousand finished cases, each with an attempt and four journal entries.
fn fill(path: &PathBuf) {
    let db = Connection::open(path).expect("it opens");
    db.execute_batch(
        "PRAGMA synchronous = OFF;
         BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n;
         INSERT INTO cases (id, intake, name, arrival, path, kind, state, state_since, because,
             pipeline, priority, headnode, gpus, files, bytes, fingerprint, first_seen, finished_at,
             updated_at, version, planned_version)
         SELECT printf('01%024d', i), 'new_cases', 'HG' || i, 1, '/in/HG' || i, 'folder',
             'cancelled', '2026-01-01T00:00:00.000Z', 'Cancelled by anna.', 'default', 'normal',
             'hpc', 0, 5, 1000, hex(randomblob(32)), '2026-01-01T00:00:00.000Z',
             '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 9, 9 FROM n;
         INSERT INTO attempts (id, case_id, number, headnode, tenure, work_dir, remote_dir,
             attempt_dir, queue, owner, command, config_hash, made_at)
         SELECT printf('dw-01%024d', i), printf('01%024d', i), 1, 'hpc', 'none', '/w', '/w/r',
             '/w/a', 'pueue', 'o', 'dy-r', 'h', '2026-01-01T00:00:00.000Z' FROM n;
         INSERT INTO journal (case_id, at, actor, kind, detail)
         SELECT printf('01%024d', i), '2026-01-01T00:00:00.000Z', 'daylily-watch', 'vanished',
             hex(randomblob(150)) FROM n, (VALUES (1), (2), (3), (4));
         COMMIT;",
    )
    .expect("it is filled");
}

#[tokio::test]
async fn a_hundred_thousand_finished_cases_cost_nothing() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.close().await;
    fill(&dir.path().join("daylily.db"));

    let begin = Instant::now();
    let (store, _) = open(dir.path());
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.live_cases().expect("it can be read"), []);
    assert_eq!(reader.slots().expect("it can be read"), []);
    let ready = begin.elapsed();
    assert!(ready < Duration::from_secs(1), "ready after {ready:?}");

    let begin = Instant::now();
    for _ in 0..100 {
        reader.due(now()).expect("it can be read");
        reader.waiting().expect("it can be read");
        reader.running(&HeadnodeName::new("hpc")).expect("it can be read");
        reader.take_requests().expect("it can be read");
    }
    let ticks = begin.elapsed();
    assert!(ticks < Duration::from_secs(1), "100 ticks took {ticks:?}");
    store.appear(appeared("A", "HG1", Arrival::FIRST.next())).await.expect("stored");
    let due = reader.due(now()).expect("it can be read");
    assert_eq!(due.len(), 1);
    if std::env::var_os("DAYLILY_TEST_MEASURE").is_some() {
        tell(&format!("ready after {ready:?}, a tick takes {:?}", ticks / 100));
        let begin = Instant::now();
        let names = reader.known_names(&IntakeName::new("new_cases")).expect("it can be read");
        tell(&format!("{} known names after {:?}", names.len(), begin.elapsed()));
    }
}
