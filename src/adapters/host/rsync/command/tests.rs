//! The words of the command, against the rules of those who read them.

use std::path::Path;
use std::process::Command;

use super::{There, Way, arguments, host, remote_shell};
use crate::adapters::host::rsync::{Lease, Owner};

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
#[allow(clippy::disallowed_methods, reason = "the login shell is the judge of its words")]
fn run(there: &There<'_>, shell: &str) -> String {
    let text = format!("{} --server -s . './'", there.program().unwrap());
    let output = Command::new(shell).arg("-c").arg(text).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_word_for_the_headnode_works_in_any_folder_and_lock_and_path() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("it's $(id) `id` \"x\" *");
    let root = odd.join("root");
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
        There { root, owner, path, lock: Some(lock), umask: 0o027, dir: dest }
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
fn a_path_that_no_login_shell_can_be_given_is_refused() {
    let owner = Owner::of_start("db", 1, "word");
    let there = There { root: "/w", owner: &owner, path: &[], lock: None, umask: 0, dir: "/a\nb" };
    assert!(there.program().is_err());
}

#[test]
fn the_limit_of_a_line_is_never_none() {
    let lease = Lease { remote_shell: words(&["ssh"]), host: "hpc".into(), held: Box::new(()) };
    let owner = Owner::of_start("db", 1, "word");
    let there = There { root: "/w", owner: &owner, path: &[], lock: None, umask: 0, dir: "/w" };
    let way = Way::Ship { source: Path::new("/intake/-x: y") };
    let limited = |bytes: u64| {
        let bandwidth = Some(daylily_lifecycle::ids::ByteCount(bytes));
        let words = arguments(&way, &lease, &there, bandwidth).unwrap();
        let limit = words.iter().find(|word| word.to_string_lossy().starts_with("--bwlimit"));
        assert_eq!(words.last().unwrap(), "hpc:./");
        assert_eq!(words[words.len() - 2], "/intake/-x: y/");
        limit.unwrap().to_string_lossy().into_owned()
    };
    assert_eq!(limited(10 << 20), "--bwlimit=10240");
    assert_eq!(limited(1), "--bwlimit=1");
}
