//! What a scan sees, counts, refuses and leaves out.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::stat::Mode;
use nix::unistd::{Uid, geteuid, mkfifo, setfsuid};

use super::*;
use crate::clock::{Clock, SystemClock};

fn names(patterns: &[&str]) -> Names {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Names::new(&patterns).unwrap()
}

fn settings() -> ScanSettings {
    ScanSettings {
        ignore: names(&["Thumbs.db", "._*", ".nfs*"]),
        unfinished: names(&[".*.??????", "*.part"]),
        marker: Some("daylily.ready".to_owned()),
        no_writers: true,
        by_fingerprint_only: false,
    }
}

/// A folder that others may enter, so that a test can look at it as somebody else.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn see(folder: &Path) -> Tree {
    scan(folder, &settings(), SystemClock.now()).unwrap()
}

#[track_caller]
fn check_problems(folder: &Path, expected: &[&str]) {
    assert_eq!(see(folder).problems, expected);
}

#[test]
fn files_and_bytes_are_counted_and_the_newest_is_named() {
    let case = folder();
    fs::create_dir(case.path().join("run2")).unwrap();
    fs::write(case.path().join("a"), "123").unwrap();
    fs::write(case.path().join("run2/R1.fastq.gz"), "12345").unwrap();
    let tree = see(case.path());
    assert_eq!((tree.files, tree.bytes), (2, ByteCount(8)));
    // Written in one tick of the clock with its folder, the file is what is named.
    let newest = tree.newest.unwrap().path;
    assert!(["a", "run2/R1.fastq.gz"].contains(&newest.as_str()), "{newest}");
    assert_eq!((tree.undated, tree.unfinished, tree.marker), (None, None, false));
    assert_eq!(tree.problems, Vec::<String>::new());
}

#[test]
fn every_change_of_a_file_changes_the_fingerprint() {
    let case = folder();
    let file = case.path().join("a");
    let mut seen = vec![see(case.path()).fingerprint];
    let mut differs = |what: &str| {
        let fingerprint = see(case.path()).fingerprint;
        assert!(!seen.contains(&fingerprint), "{what}");
        seen.push(fingerprint);
    };
    fs::write(&file, "1").unwrap();
    differs("made");
    fs::write(&file, "12").unwrap();
    differs("grown");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    differs("touched");
    fs::rename(&file, case.path().join("b")).unwrap();
    differs("renamed");
    fs::create_dir(case.path().join("c")).unwrap();
    differs("a folder");
    symlink("b", case.path().join("d")).unwrap();
    differs("a symlink");
    fs::remove_file(case.path().join("d")).unwrap();
    symlink("c", case.path().join("d")).unwrap();
    differs("a symlink to elsewhere");
}

#[test]
fn an_unchanged_folder_keeps_its_fingerprint() {
    let case = folder();
    fs::write(case.path().join("a"), "1").unwrap();
    let settings = ScanSettings { no_writers: false, ..settings() };
    let see = || scan(case.path(), &settings, SystemClock.now()).unwrap();
    let before = see();
    fs::read(case.path().join("a")).unwrap();
    assert_eq!(see(), before);
}

#[test]
fn ignored_names_and_the_marker_are_no_data() {
    let case = folder();
    fs::create_dir(case.path().join("run")).unwrap();
    fs::write(case.path().join("run/a"), "1").unwrap();
    let before = see(case.path());
    for ignored in ["Thumbs.db", "run/Thumbs.db", "run/._a", "run/.nfs0000001"] {
        fs::write(case.path().join(ignored), "x").unwrap();
    }
    fs::write(case.path().join("daylily.ready"), "x").unwrap();
    let after = see(case.path());
    assert_eq!((after.files, after.bytes), (1, ByteCount(1)));
    assert_eq!(after.fingerprint, before.fingerprint);
    assert!(after.marker && !before.marker);
    fs::write(case.path().join("run/daylily.ready"), "x").unwrap();
    assert_eq!(see(case.path()).files, 2, "only at its own place is it the marker");
}

#[test]
fn a_half_written_name_anywhere_is_found() {
    let case = folder();
    fs::create_dir(case.path().join("run")).unwrap();
    fs::write(case.path().join("run/.R1.fastq.gz.aB3xY9"), "1").unwrap();
    assert_eq!(see(case.path()).unfinished.as_deref(), Some("run/.R1.fastq.gz.aB3xY9"));
}

#[test]
fn other_dot_files_are_data() {
    let case = folder();
    fs::write(case.path().join(".config"), "1").unwrap();
    assert_eq!(see(case.path()).files, 1);
}

#[test]
fn a_ctime_in_the_future_is_not_believed() {
    let case = folder();
    fs::write(case.path().join("a"), "1").unwrap();
    let long_ago = "2001-01-01T00:00:00Z".parse().unwrap();
    let tree = scan(case.path(), &settings(), long_ago).unwrap();
    assert_eq!((tree.newest, tree.undated.as_deref()), (None, Some("a")));
}

#[test]
fn by_fingerprint_only_no_ctime_counts() {
    let case = folder();
    fs::write(case.path().join("a"), "1").unwrap();
    let polling = ScanSettings { by_fingerprint_only: true, ..settings() };
    let tree = scan(case.path(), &polling, SystemClock.now()).unwrap();
    assert_eq!((tree.newest, tree.undated.as_deref()), (None, Some("a")));
}

#[test]
fn a_fifo_is_a_problem_and_does_not_stop_the_scan() {
    let case = folder();
    mkfifo(&case.path().join("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    check_problems(case.path(), &["pipe is a FIFO, which cannot be copied"]);
}

#[test]
fn names_that_cannot_be_used_are_told_and_the_rest_is_scanned() {
    let case = folder();
    fs::create_dir(case.path().join("run")).unwrap();
    fs::write(case.path().join(OsStr::from_bytes(b"run/caf\xe9")), "1").unwrap();
    fs::write(case.path().join("two\nlines"), "1").unwrap();
    fs::write(case.path().join("good \u{e9} 'name\" $x"), "1").unwrap();
    check_problems(
        case.path(),
        &[
            r"run/caf\xe9 has a name that is not valid UTF-8",
            r"two\x0alines has a control character in its name",
        ],
    );
    assert_eq!(see(case.path()).files, 2);
}

#[test]
fn a_name_of_255_bytes_is_scanned() {
    let case = folder();
    fs::write(case.path().join("n".repeat(255)), "1").unwrap();
    assert_eq!((see(case.path()).files, see(case.path()).problems), (1, vec![]));
}

#[test]
fn symlinks_that_leave_the_case_are_problems_and_others_are_not() {
    let case = folder();
    let at = |path: &str| case.path().join(path);
    fs::create_dir_all(at("sub/deep")).unwrap();
    fs::write(at("sub/file"), "1").unwrap();
    symlink("sub/file", at("in")).unwrap();
    symlink("../file", at("sub/deep/up")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("loop_b", at("loop_a")).unwrap();
    symlink("loop_a", at("loop_b")).unwrap();
    check_problems(case.path(), &[]);

    symlink("/etc/passwd", at("absolute")).unwrap();
    symlink("../../etc", at("sub/dots")).unwrap();
    // Each of these stays inside by its text; the second leaves by way of the first.
    symlink("..", at("sub/top")).unwrap();
    symlink("top/..", at("sub/winding")).unwrap();
    symlink("top/../missing", at("sub/winding_missing")).unwrap();
    check_problems(
        case.path(),
        &[
            "absolute is a symlink that leaves the case, to /etc/passwd",
            "sub/dots is a symlink that leaves the case, to ../../etc",
            "sub/winding is a symlink that leaves the case, to top/..",
            "sub/winding_missing is a symlink that leaves the case, to top/../missing",
        ],
    );
}

#[test]
fn a_folder_reached_through_a_symlink_keeps_its_inner_symlinks() {
    let place = folder();
    fs::create_dir(place.path().join("real")).unwrap();
    fs::create_dir(place.path().join("real/case")).unwrap();
    fs::write(place.path().join("real/case/a"), "1").unwrap();
    symlink("a", place.path().join("real/case/b")).unwrap();
    symlink("real", place.path().join("link")).unwrap();
    check_problems(&place.path().join("link/case"), &[]);
}

#[test]
fn problems_are_listed_up_to_a_bound_and_then_counted() {
    let case = folder();
    for number in 0..60 {
        symlink("/", case.path().join(format!("link{number}"))).unwrap();
    }
    let problems = see(case.path()).problems;
    assert_eq!(problems.len(), 51);
    assert_eq!(problems[50], "there are 10 problems more");
}

/// Runs with the file permissions of another user where this is root, whom nothing
/// stops from reading.
fn as_ordinary_user<T: Send>(look: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            if geteuid().is_root() {
                // Of this thread only, which ends with the scope.
                setfsuid(Uid::from_raw(65_534));
            }
            look()
        });
        looker.join().unwrap()
    })
}

#[test]
fn files_and_folders_that_cannot_be_read_are_all_named() {
    let case = folder();
    let at = |path: &str| case.path().join(path);
    fs::create_dir(at("locked")).unwrap();
    fs::write(at("a"), "1").unwrap();
    fs::write(at("secret"), "1").unwrap();
    let forbid = |path: &str, mode| {
        fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    forbid("locked", 0o000);
    forbid("secret", 0o000);
    for no_writers in [true, false] {
        let settings = ScanSettings { no_writers, ..settings() };
        let seen = as_ordinary_user(|| scan(case.path(), &settings, SystemClock.now()));
        assert_eq!(
            seen.unwrap().problems,
            [
                "locked cannot be read: permission denied",
                "secret cannot be read: permission denied"
            ]
        );
    }
    forbid("locked", 0o755);
}

#[test]
fn a_case_that_cannot_be_read_at_all_has_that_problem() {
    let case = folder();
    fs::set_permissions(case.path(), fs::Permissions::from_mode(0o000)).unwrap();
    let seen = as_ordinary_user(|| see(case.path()));
    assert_eq!(seen.problems, ["the folder cannot be read: permission denied"]);
    fs::set_permissions(case.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_folder_that_is_gone_has_vanished() {
    let gone = folder().path().join("gone");
    let error = scan(&gone, &settings(), SystemClock.now()).unwrap_err();
    assert!(matches!(error, ScanError::Vanished { .. }), "{error}");
}

#[test]
fn a_file_in_place_of_the_folder_is_a_problem() {
    let place = folder();
    let file = place.path().join("HG002");
    fs::write(&file, "1").unwrap();
    check_problems(&file, &["a case is a folder, and this is none"]);
}

#[test]
fn folders_nested_deeper_than_any_path_are_a_problem_and_not_a_crash() {
    use nix::fcntl::{OFlag, openat};
    use nix::sys::stat::mkdirat;

    let case = folder();
    let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY;
    let mut here = nix::fcntl::open(case.path(), flags, Mode::empty()).unwrap();
    for _ in 0..4_000 {
        mkdirat(&here, "d", Mode::S_IRWXU).unwrap();
        here = openat(&here, "d", flags, Mode::empty()).unwrap();
    }
    // On a thread whose stack a walk by recursion would overflow.
    let seen = std::thread::scope(|scope| {
        let small = std::thread::Builder::new().stack_size(512 * 1024);
        small.spawn_scoped(scope, || see(case.path())).unwrap().join().unwrap()
    });
    let [problem] = &seen.problems[..] else { panic!("{:?}", seen.problems) };
    assert!(problem.starts_with("d/d/d/"), "{problem}");
    assert!(problem.ends_with("d/d is nested too deeply, its path is too long"), "{problem}");
    // Removing it level by level from the top, as no path reaches the bottom.
    let (top, rest) = (case.path().join("d"), case.path().join("rest"));
    while fs::rename(top.join("d"), &rest).is_ok() {
        fs::remove_dir(&top).unwrap();
        fs::rename(&rest, &top).unwrap();
    }
}
