//! Who is seen to write, by lease and in /proc. The writers are processes of their
//! own, as our own descriptors would be seen in any case.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::unistd::geteuid;

use super::*;

/// A shell that holds a file open until it is dropped.
struct Holder(Child);

impl Holder {
    /// `how` is a redirection such as `3>>`.
    #[allow(clippy::disallowed_methods, reason = "a writer must be a process of its own")]
    fn open(how: &str, file: &Path) -> Self {
        let script = format!("exec {how}\"$0\" || exit 1; echo open; read -r _");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Self(shell.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(holder.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "open\n");
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn search(file: &Path) -> Writers {
    let mut search = Search::default();
    search.look("f", file, &fs::symlink_metadata(file).unwrap()).unwrap();
    search.finish()
}

/// Nobody writes, once children that other tests start have let go of the descriptors
/// that they inherit until they become another program.
#[track_caller]
fn check_nobody(file: &Path) {
    let limit = 100_000;
    let nobody = || search(file) == Writers::None && !in_table(file);
    assert!((0..limit).any(|_| nobody()), "{:?}", search(file));
}

fn in_table(file: &Path) -> bool {
    let meta = fs::metadata(file).unwrap();
    OpenFiles::read().written.contains(&(meta.dev(), meta.ino()))
}

fn open() -> Writers {
    Writers::Open { path: "f".to_owned() }
}

#[test]
fn a_process_that_writes_is_seen_until_it_closes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "1").unwrap();
    check_nobody(&file);
    for how in ["3>>", "3<>"] {
        let writer = Holder::open(how, &file);
        assert_eq!((search(&file), in_table(&file)), (open(), true), "{how}");
        drop(writer);
        check_nobody(&file);
    }
}

#[test]
fn a_process_that_reads_is_no_writer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "1").unwrap();
    let _reader = Holder::open("3<", &file);
    check_nobody(&file);
}

#[test]
fn a_file_that_was_removed_while_open_is_of_no_interest() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("f"), folder.path().join("g"));
    fs::write(&file, "1").unwrap();
    fs::write(&other, "1").unwrap();
    let _writer = Holder::open("3>>", &file);
    fs::remove_file(&file).unwrap();
    check_nobody(&other);
}

#[test]
fn looking_takes_nothing_from_a_process_that_opens_the_file_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "1").unwrap();
    std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            for _ in 0..2_000 {
                search(&file);
            }
        });
        // Each of these may break a lease; the signal of that must not end us.
        while !looker.is_finished() {
            File::options().append(true).open(&file).unwrap();
        }
    });
    check_nobody(&file);
}

#[test]
fn a_fifo_in_place_of_the_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("f");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(search(&fifo), Writers::None);
}

#[test]
fn flags_are_read_as_the_kernel_writes_them() {
    assert!(opened_for_writing("pos:\t0\nflags:\t0100001\nmnt_id:\t27\n"));
    assert!(opened_for_writing("flags:\t02100002\n"));
    assert!(!opened_for_writing("flags:\t0100000\n"));
    assert!(!opened_for_writing("flags:\t012000000\n"), "O_PATH");
    assert!(!opened_for_writing(""));
}

/// /etc/passwd belongs to root: no lease for anybody else, and root's processes are
/// hidden. Root runs this test as another user.
#[test]
fn hidden_processes_of_other_users_are_said_to_be_hidden() {
    if geteuid().is_root() {
        run_as_nobody("hidden_processes_of_other_users_are_said_to_be_hidden");
    } else {
        assert_eq!(search(Path::new("/etc/passwd")), Writers::NoneVisible);
    }
}

#[test]
fn our_own_files_need_no_privilege() {
    if geteuid().is_root() {
        run_as_nobody("our_own_files_need_no_privilege");
    } else {
        a_process_that_writes_is_seen_until_it_closes_the_file();
    }
}

/// Runs one test of this module anew, in a process that is not root's.
#[allow(clippy::disallowed_methods, reason = "the test program itself is started")]
fn run_as_nobody(test: &str) {
    // A copy, as the program may lie where others may not look.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, mode(0o755)).unwrap();
    let name = format!("intake::directory::writers::tests::{test}");
    let run = Command::new(&program)
        .args(["--exact", &name, "--test-threads", "1"])
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
}

fn mode(bits: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(bits)
}
