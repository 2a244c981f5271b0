//! The words of the command, against the rules of those who read them.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use daylily_lifecycle::ids::AttemptId;

use super::{There, Way, arguments, host, remote_shell};
use crate::adapters::host::rsync::{Lease, Owner};

/// What nothing but the root is said of.
fn plain(root: &str) -> There<'_> {
    static ATTEMPT: LazyLock<AttemptId> = LazyLock::new(|| AttemptId::new("dw-1"));
    static OWNER: LazyLock<Owner> = LazyLock::new(|| Owner::of_start("db", 3, "word"));
    let (attempt, owner) = (&*ATTEMPT, &*OWNER);
    There { root, attempt, file: "rsync.sh", owner, path: &[], lock: None, umask: 0, dir: root }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// rsync's own rule, from its source: blanks part words, a quote lasts to the next of its
/// kind, and two of them inside are one.
fn split(text: &str) -> Vec<String> {
    let mut split = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next_if(|_| true) {
        if c == ' ' {
            continue;
        }
        let (mut word, mut quote, mut next) = (String::new(), None, Some(c));
        while let Some(c) = next {
            match quote {
                None if c == ' ' => break,
                None if c == '\'' || c == '"' => quote = Some(c),
                Some(open) if c == open => {
                    if rest.next_if_eq(&open).is_some() {
                        word.push(open);
                    } else {
                        quote = None;
                    }
                }
                Some(_) | None => word.push(c),
            }
            next = rest.next();
        }
        split.push(word);
    }
    split
}

#[test]
fn words_of_the_remote_shell_are_split_again_as_they_were() {
    for case in [
        &["ssh", "-S", "/run/a b/cm", "-o", "ProxyCommand=nc 'x y' \"z\""][..],
        &["ssh", "it's", "\"", "'", "''", "\"'", "a\tb", ""],
        &["/opt/my ssh/ssh", "-F", "/home/anna/it's/config"],
    ] {
        let quoted = remote_shell(&words(case)).unwrap();
        assert_eq!(split(&quoted), case, "{quoted}");
    }
    assert!(remote_shell(&words(&["a\0b"])).is_err());
}

#[test]
fn hosts_are_passed_on_so_that_no_colon_ends_them() {
    for (given, passed) in [
        ("headnode", "headnode"),
        ("pipeline@headnode", "pipeline@headnode"),
        ("fe80::1", "[fe80::1]"),
        ("anna@[::1]", "anna@[::1]"),
        ("anna@::1", "anna@[::1]"),
        ("a@b@host", "a@b@host"),
    ] {
        assert_eq!(host(given).unwrap(), passed);
    }
    for given in ["", "-oProxyCommand=x", "a/b", "anna@", "@host", "a:b@host", "-x@host"] {
        assert!(host(given).is_err(), "{given}");
    }
}

/// What the login shell makes of the word, with the program in place of rsync.
fn run(there: &There<'_>, shell: &str) -> String {
    let begin = there.begin().unwrap();
    let folder = Path::new(there.root).join(there.attempt.as_str());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(there.file), begin.script).unwrap();
    said(shell, &begin.program)
}

#[allow(clippy::disallowed_methods, reason = "the login shell is the judge of its words")]
fn said(shell: &str, program: &str) -> String {
    let text = format!("{program} --server -s . './'");
    let output = Command::new(shell).arg("-c").arg(text).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_word_for_the_headnode_works_in_any_folder_and_lock_and_path() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("it's $(id) `id` \"x\" * \\' ; touch PWNED ; \\' ! \n\\");
    let root = dir.path().join("my work: +@%,=~-");
    std::fs::create_dir_all(odd.join("bin")).unwrap();
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("owner"), "db 3 word\n").unwrap();
    let program = odd.join("bin/rsync");
    std::fs::write(&program, "#!/bin/sh\npwd\numask\nprintf '%s|' \"$@\"\n").unwrap();
    let mut mode = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (root, lock, dest) = (text(&root), text(&odd.join("ship.lock")), text(&odd));
    let path = vec![text(&odd.join("bin")), "~/bin".to_owned()];
    let owner = |generation, word| Owner::of_start("db", generation, word);
    let (ours, older, copy) = (owner(3, "word"), owner(2, "word"), owner(3, "another"));
    fn placed<'a>(
        owner: &'a Owner,
        (root, path, lock, dest): (&'a str, &'a [String], &'a str, &'a str),
    ) -> There<'a> {
        There { owner, path, lock: Some(lock), umask: 0o027, dir: dest, ..plain(root) }
    }
    let place = (root.as_str(), path.as_slice(), lock.as_str(), dest.as_str());
    for shell in ["/bin/sh", "/bin/bash"] {
        let said = run(&placed(&ours, place), shell);
        assert_eq!(said, format!("{dest}\n0027\n--server|-s|.|./|"), "{shell}");
        for not_ours in [&older, &copy] {
            let said = run(&placed(not_ours, place), shell);
            assert!(said.contains("daylily-watch: not the owner"), "{said}");
        }
    }
    let other = Owner::of_start("other", 3, "word");
    assert!(run(&placed(&other, place), "/bin/sh").contains("daylily-watch: not the owner"));

    let held = std::fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    assert!(run(&placed(&ours, place), "/bin/sh").contains("daylily-watch: the lock is held"));
    let unlocked = There { lock: None, ..placed(&ours, place) };
    assert!(run(&unlocked, "/bin/sh").ends_with("--server|-s|.|./|"));

    std::fs::remove_file(&program).unwrap();
    let alone = There { dir: "/none", ..placed(&ours, place) };
    held.unlock().unwrap();
    assert!(run(&alone, "/bin/sh").contains("daylily-watch: the directory cannot be entered"));
}

#[test]
fn the_login_shell_is_given_the_same_few_words_whatever_a_case_is_called() {
    for name in
        ["a", "it's", r"a\' ; touch PWNED ; \'", "!x", r"end\", "$(touch x)`id`", "a\nb", "é"]
    {
        let (dir, lock) = (format!("/w/new/{name}"), format!("/w/{name}/ship.lock"));
        let path = vec![format!("/opt/{name}"), format!("~/{name}")];
        let owner = Owner::of_start(name, 1, name);
        for lock in [Some(lock.as_str()), None] {
            let there = There { dir: &dir, lock, path: &path, owner: &owner, ..plain("/w/.d") };
            let program = there.begin().unwrap().program;
            let tag = program.strip_prefix("/bin/sh '/w/.d/dw-1/rsync.sh' ").unwrap();
            assert!(tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit()), "{program}");
        }
    }
}

#[test]
fn a_work_dir_that_login_shells_may_misread_is_refused() {
    for root in ["/it's", r"/a\b", "/a!b", "/$HOME", "/a\nb", "/a\"b", "/é", "/`id`", "/a;b"] {
        assert!(plain(root).begin().is_err(), "{root}");
    }
    assert!(There { dir: "/a\0b", ..plain("/w") }.begin().is_err());
}

#[test]
fn a_transfer_that_comes_late_does_not_begin_by_the_script_of_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_str().unwrap();
    std::fs::write(dir.path().join("owner"), "db 4 next\n").unwrap();
    let late = plain(root).begin().unwrap().program;
    let next = Owner::of_start("db", 4, "next");
    let next = There { owner: &next, dir: "/none", ..plain(root) };
    assert!(run(&next, "/bin/sh").contains("the directory cannot be entered"));
    assert!(said("/bin/sh", &late).contains("daylily-watch: not the owner"));
}

#[test]
fn the_limit_of_a_line_is_never_none() {
    let lease = Lease { remote_shell: words(&["ssh"]), host: "hpc".into(), held: Box::new(()) };
    let way = Way::Ship { source: Path::new("/intake/-x: y"), lock: "/w/ship.lock" };
    let limited = |bytes: u64| {
        let bandwidth = Some(daylily_lifecycle::ids::ByteCount(bytes));
        let words = arguments(&way, &lease, "rsync", bandwidth).unwrap();
        let limit = words.iter().find(|word| word.to_string_lossy().starts_with("--bwlimit"));
        assert_eq!(words.last().unwrap(), "hpc:./");
        assert_eq!(words[words.len() - 2], "/intake/-x: y/");
        limit.unwrap().to_string_lossy().into_owned()
    };
    assert_eq!(limited(10 << 20), "--bwlimit=10240");
    assert_eq!(limited(1), "--bwlimit=1");
}
