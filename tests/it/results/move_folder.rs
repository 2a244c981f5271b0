//! Moving a finished folder, within a file system and between two.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use daylily_lifecycle::ids::AttemptId;
use daylily_watch::results::{ResultsError, move_folder, move_folder_by_copy};
use tempfile::TempDir;

use crate::copy::world::{listing, mode, set_mode, write};

type Mover = fn(&Path, &Path, &str, &AttemptId) -> Result<PathBuf, ResultsError>;

const BOTH: [Mover; 2] = [move_folder, move_folder_by_copy];

struct Intake {
    _dir: TempDir,
    from: PathBuf,
    to: PathBuf,
}

impl Intake {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("new/HG002"), dir.path().join("done"));
        let intake = Self { _dir: dir, from, to };
        intake.fill(b"a");
        intake
    }

    fn fill(&self, content: &[u8]) {
        write(&self.from.join("run 1/R1"), content);
        write(&self.from.join("run.sh"), b"#!/bin/sh");
        set_mode(&self.from.join("run.sh"), 0o755);
        fs::create_dir(self.from.join("empty")).unwrap();
        symlink("run 1/R1", self.from.join("link")).unwrap();
    }

    fn run(&self, mover: Mover, attempt: &str) -> Result<PathBuf, ResultsError> {
        mover(&self.from, &self.to, "HG002", &AttemptId::new(attempt))
    }

    fn record(&self, attempt: &str) -> PathBuf {
        self.to.join(format!(".daylily-watch-moves/{attempt}.json"))
    }
}

#[test]
fn a_folder_is_moved_whole_and_once() {
    for mover in BOTH {
        let intake = Intake::new();
        let before = listing(&intake.from);
        let moved = intake.run(mover, "dw-1").unwrap();
        assert_eq!(moved, intake.to.join("HG002"));
        assert_eq!(listing(&moved), before);
        assert_eq!(mode(&moved.join("run.sh")), 0o755);
        assert!(!intake.from.try_exists().unwrap());
        assert_eq!(intake.run(mover, "dw-1").unwrap(), moved);
    }
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    for mover in BOTH {
        let intake = Intake::new();
        write(&intake.to.join("HG002/theirs"), b"theirs");
        write(&intake.to.join("HG002~1"), b"theirs");
        let moved = intake.run(mover, "dw-1").unwrap();
        assert_eq!(moved, intake.to.join("HG002~2"));
        assert_eq!(fs::read(intake.to.join("HG002/theirs")).unwrap(), b"theirs");
        assert_eq!(intake.run(mover, "dw-1").unwrap(), moved);
    }
}

#[test]
fn a_folder_that_came_later_under_the_name_is_not_moved_for_an_old_attempt() {
    for mover in BOTH {
        let intake = Intake::new();
        let moved = intake.run(mover, "dw-1").unwrap();
        intake.fill(b"later");
        assert_eq!(intake.run(mover, "dw-1").unwrap(), moved);
        assert_eq!(fs::read(intake.from.join("run 1/R1")).unwrap(), b"later");
        assert_eq!(intake.run(mover, "dw-2").unwrap(), intake.to.join("HG002~1"));
    }
}

#[test]
fn a_folder_that_is_gone_without_a_record_is_an_error() {
    for mover in BOTH {
        let intake = Intake::new();
        fs::remove_dir_all(&intake.from).unwrap();
        write(&intake.to.join("HG002/x"), b"somebody else's");
        let error = intake.run(mover, "dw-1").unwrap_err();
        assert!(matches!(error, ResultsError::Gone { .. }), "{error}");
    }
}

/// Puts the record back to what it was before the last step.
fn not_done(intake: &Intake) {
    let path = intake.record("dw-1");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"done\":true", "\"done\":false")).unwrap();
}

/// Makes the record say that the folder now in the intake is the one to be moved.
fn is_meant(intake: &Intake) {
    let text = fs::read_to_string(intake.record("dw-1")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let meta = fs::metadata(&intake.from).unwrap();
    let born = meta.created().ok().map(|born| born.duration_since(UNIX_EPOCH).unwrap().as_nanos());
    record["folder"]["inode"] = meta.ino().into();
    record["folder"]["born"] = born.map(|born| u64::try_from(born).unwrap()).into();
    fs::write(intake.record("dw-1"), record.to_string()).unwrap();
}

#[test]
fn a_crash_after_the_rename_is_found_to_have_moved() {
    for mover in BOTH {
        let intake = Intake::new();
        let moved = intake.run(mover, "dw-1").unwrap();
        not_done(&intake);
        assert_eq!(intake.run(mover, "dw-1").unwrap(), moved);
        not_done(&intake);
        intake.fill(b"later");
        assert_eq!(intake.run(mover, "dw-1").unwrap(), moved);
        assert_eq!(fs::read(intake.from.join("run 1/R1")).unwrap(), b"later");
    }
}

#[test]
fn a_crash_before_the_rename_is_found_not_to_have_moved() {
    for mover in BOTH {
        let intake = Intake::new();
        let moved = intake.run(mover, "dw-1").unwrap();
        fs::rename(&moved, &intake.from).unwrap();
        not_done(&intake);
        is_meant(&intake);
        // Somebody takes the name meanwhile.
        write(&intake.to.join("HG002/theirs"), b"theirs");
        assert_eq!(intake.run(mover, "dw-1").unwrap(), intake.to.join("HG002~1"));
        assert_eq!(fs::read(intake.to.join("HG002/theirs")).unwrap(), b"theirs");
    }
}

/// As a crash leaves it while the source of a verified copy is removed.
fn half_removed() -> (Intake, PathBuf) {
    let intake = Intake::new();
    let moved = intake.run(move_folder_by_copy, "dw-1").unwrap();
    write(&intake.from.join("run.sh"), b"");
    fs::remove_file(intake.from.join("run.sh")).unwrap();
    fs::copy(moved.join("run.sh"), intake.from.join("run.sh")).unwrap();
    let modified = fs::metadata(moved.join("run.sh")).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(intake.from.join("run.sh")).unwrap();
    file.set_modified(modified).unwrap();
    not_done(&intake);
    is_meant(&intake);
    (intake, moved)
}

#[test]
fn a_crash_while_the_source_is_removed_goes_on_removing() {
    let (intake, moved) = half_removed();
    assert_eq!(intake.run(move_folder_by_copy, "dw-1").unwrap(), moved);
    assert!(!intake.from.try_exists().unwrap());
}

#[test]
fn a_file_that_came_after_the_copy_was_verified_is_not_removed() {
    let (intake, _) = half_removed();
    write(&intake.from.join("late"), b"late");
    let error = intake.run(move_folder_by_copy, "dw-1").unwrap_err();
    assert!(matches!(error, ResultsError::Late { .. }), "{error}");
    assert_eq!(fs::read(intake.from.join("late")).unwrap(), b"late");
}

#[test]
fn what_cannot_be_copied_stays_where_it_is() {
    let intake = Intake::new();
    let fifo = intake.from.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = intake.run(move_folder_by_copy, "dw-1").unwrap_err();
    assert!(matches!(error, ResultsError::Special { .. }), "{error}");
    assert!(intake.from.join("run 1/R1").try_exists().unwrap());
    assert!(!intake.to.join("HG002").try_exists().unwrap());
}

#[test]
fn a_half_made_copy_of_an_earlier_try_is_made_anew() {
    let intake = Intake::new();
    let before = listing(&intake.from);
    write(&intake.to.join(".daylily-watch-moves/dw-1.part/stale"), b"stale");
    let moved = intake.run(move_folder_by_copy, "dw-1").unwrap();
    assert_eq!(listing(&moved), before);
}
