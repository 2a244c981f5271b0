//! What another process meets: a kill in the middle, a folder that is not its own.

#![expect(clippy::disallowed_methods, reason = "these tests start processes")]

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use daylily_lifecycle::ids::{Arrival, CaseId};
use daylily_lifecycle::record::Recorded;
use daylily_watch::store::read::Reader;
use daylily_watch::store::requests;
use rusqlite::Connection;

use super::world::{VERSION, appeared, names_in, open, refused, state_dir};

/// Set in a process that this one starts to play a part: what to do, and where.
const PART: &str = "DAYLILY_TEST_STORE_PART";

/// Starts this test binary once more, to run `the_other_process` only.
fn other_process(part: &str, state_dir: &Path, nobody: bool) -> Child {
    let program = std::env::current_exe().expect("it is running");
    let mut command = Command::new(program);
    command
        .args(["--exact", "store::processes::the_other_process", "--nocapture"])
        .env(PART, format!("{part} {}", state_dir.display()))
        .stdin(Stdio::piped())
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
        "hold" => hold_the_lock(Path::new(state_dir)),
        "look" => look(Path::new(state_dir)),
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

/// As an sqlite3 shell does in which somebody has typed BEGIN and gone for lunch.
fn hold_the_lock(state_dir: &Path) {
    let db = Connection::open(state_dir.join("daylily.db")).expect("it opens");
    db.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    tell("holding");
    std::io::stdin().read_line(&mut String::new()).expect("it is a pipe");
}

/// As `sqlite3 state/daylily.db 'select name from cases'` does. Ours, since 3.51, keeps
/// the log where it finds that another process maps its index; an older one trusts the
/// locks alone, and what it would do to the log is done here.
fn look(state_dir: &Path) {
    if !is_locked(&state_dir.join("daylily.db")) {
        for name in ["daylily.db-wal", "daylily.db-shm"] {
            std::fs::remove_file(state_dir.join(name)).expect("it is there");
        }
    }
    let db = Connection::open(state_dir.join("daylily.db")).expect("it opens");
    let mut names = db.prepare("SELECT name FROM cases ORDER BY name").expect("there are cases");
    let names = names.query_map([], |row| row.get(0)).expect("it can be read");
    let names: Vec<String> = names.collect::<Result<_, _>>().expect("it can be read");
    tell(&format!("seen: {}", names.join(" ")));
}

/// Whether another process holds a lock on the bytes that each SQLite with the database
/// open has a lock on: https://www.sqlite.org/lockingv3.html
fn is_locked(database: &Path) -> bool {
    let file = std::fs::File::options().write(true).open(database).expect("it opens");
    let short = |constant| i16::try_from(constant).expect("it is small");
    let mut lock = nix::libc::flock {
        l_type: short(nix::libc::F_WRLCK),
        l_whence: short(nix::libc::SEEK_SET),
        l_start: 0x4000_0002,
        l_len: 510,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETLK(&mut lock)).expect("it can be asked");
    lock.l_type != short(nix::libc::F_UNLCK)
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
async fn a_lock_of_another_program_only_delays() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    let mut other = other_process("hold", dir.path(), false);
    let mut lines = BufReader::new(other.stdout.take().expect("it is a pipe")).lines();
    assert!(lines.any(|line| line.expect("it is text") == "holding"));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.appear(appeared("A", "A", Arrival::FIRST)).await }
    });
    tokio::task::yield_now().await;
    // Reading goes on meanwhile.
    assert_eq!(store.read(|reader| reader.live_cases()).await.expect("it can be read"), []);
    assert!(!waiting.is_finished());
    drop(other.stdin.take());
    other.wait().expect("it has ended");
    let recorded = waiting.await.expect("it did not panic");
    assert!(matches!(recorded, Ok(Recorded::Changed(_))), "{recorded:?}");
}

/// Whoever closes the database last removes its log. A daemon that had lost its locks
/// would not be counted, and would write into the removed one.
#[tokio::test]
async fn another_program_that_looks_does_not_take_the_log_away() {
    let dir = state_dir();
    let (store, opened) = open(dir.path());
    assert!(opened.created);
    let log = || std::fs::metadata(dir.path().join("daylily.db-wal")).map(|log| log.ino()).ok();
    let first = log();
    assert!(first.is_some());
    let mut stored = Vec::new();
    for (name, way) in ["A", "B", "C", "D"].into_iter().zip(0..) {
        match way {
            0 => drop(store.reader().expect("it opens")),
            1 => {
                let read = || store.read(|reader| reader.live_cases());
                let (one, two) = tokio::join!(read(), read());
                assert_eq!(one.expect("it can be read"), two.expect("it can be read"));
            }
            2 => drop(Reader::open(dir.path(), VERSION).expect("it opens")),
            _ => {
                requests::file_all(dir.path(), VERSION, &[]).expect("it opens");
            }
        }
        for _ in 0..2 {
            assert_eq!(seen_from_outside(dir.path()), stored.join(" "), "way {way}");
            assert_eq!(log(), first, "way {way}");
        }
        store.appear(appeared(name, name, Arrival::FIRST)).await.expect("stored");
        stored.push(name);
        assert_eq!(seen_from_outside(dir.path()), stored.join(" "), "way {way}");
    }
    assert_eq!(log(), first);
    // With another start as well, whose database was there before.
    store.close().await;
    let (store, opened) = open(dir.path());
    assert!(!opened.created);
    let first = log();
    assert_eq!(seen_from_outside(dir.path()), stored.join(" "));
    assert_eq!(log(), first);
    drop(store);
}

fn seen_from_outside(state_dir: &Path) -> String {
    let said = said_by(other_process("look", state_dir, false));
    let seen = said.iter().find_map(|line| line.strip_prefix("seen: "));
    seen.expect("it tells").to_owned()
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
