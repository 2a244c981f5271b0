//! Scripts over a real sshd: their answers, their ends, and what they cost.

use std::time::Duration;

use daylily_watch::adapters::host::shell::{Answer, Ask, Ran, Shell as _};
use daylily_watch::adapters::host::ssh::shell::SshShell;

use super::far::{Far, printed, script};
use crate::wait::{LIMIT, until, until_seen};

fn ended(ran: Ran) -> Answer {
    match ran {
        Ran::Ended(answer) => answer,
        Ran::TimedOut => panic!("it has timed out"),
    }
}

#[tokio::test]
async fn a_script_gets_its_words_and_gives_its_answer() {
    let far = Far::start();
    let ask = Ask {
        args: vec!["it's".to_owned(), "$HOME\n".to_owned()],
        stdin: b"a\0b",
        ..script("printf '<%s>' \"$@\"; od -An -tx1; echo trouble >&2; exit 3")
    };
    let answer = ended(far.shell().run(ask).await.expect("sshd answers"));
    assert_eq!(answer.code, Some(3));
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "<it's><$HOME\n> 61 00 62\n");
    assert_eq!(answer.stderr, "trouble\n");
    assert!(!answer.cut);
}

#[tokio::test]
async fn a_script_over_its_time_is_ended_there() {
    let far = Far::start();
    let ask = Ask { limit: Duration::from_millis(300), ..script("sleep 1000 & sleep 1000") };
    assert_eq!(far.shell().run(ask).await, Ok(Ran::TimedOut));
    let own = ended(far.shell().run(script("exit 124")).await.expect("sshd answers"));
    assert_eq!(own.code, Some(124), "its own code is no time that is up");
    until("nothing of it runs", LIMIT, || far.sshd.session_processes() == 0);
}

#[tokio::test]
async fn a_script_that_nobody_waits_for_any_more_ends_there() {
    let far = Far::start();
    let shell = std::sync::Arc::new(far.shell());
    let began = far.sshd.home().join("began");
    let waiting = tokio::spawn({
        let shell = shell.clone();
        async move { shell.run(script("touch ~/began; sleep 1000")).await }
    });
    until_seen("it runs", LIMIT, || async { began.is_file() }).await;
    waiting.abort();
    until_seen("it is gone", LIMIT, || async { far.sshd.session_processes() == 0 }).await;
    // More often than sshd allows sessions.
    for _ in 0..12 {
        std::fs::remove_file(&began).expect("it is there");
        let asked = shell.run(script("touch ~/began; sleep 1000"));
        let seen = until_seen("it runs", LIMIT, || async { began.is_file() });
        tokio::select! {
            answer = asked => panic!("it has ended: {answer:?}"),
            () = seen => {}
        }
    }
    assert_eq!(printed(&shell, "echo ok").await, Ok("ok\n".to_owned()));
    assert_eq!(far.sshd.connections(), 1);
}

#[tokio::test]
async fn what_is_printed_is_read_to_its_end_and_kept_in_part() {
    let far = Far::start();
    let ask =
        Ask { keep: 1000, ..script("yes | head -c 5000000; yes | head -c 300000 >&2; exit 7") };
    let answer = ended(far.shell().run(ask).await.expect("sshd answers"));
    assert_eq!((answer.code, answer.stdout.len(), answer.cut), (Some(7), 1000, true));
    assert_eq!(answer.stderr.len(), 64 << 10);
    let large = vec![b'x'; 3_000_000];
    let ask = Ask { stdin: &large, ..script("wc -c") };
    let answer = ended(far.shell().run(ask).await.expect("sshd answers"));
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "3000000");
    let ask = Ask { stdin: &large, ..script("exit 4") };
    let answer = ended(far.shell().run(ask).await.expect("sshd answers"));
    assert_eq!(answer.code, Some(4), "it need not read what it is given");
}

#[tokio::test]
async fn every_code_arrives_and_so_does_the_end_by_a_signal() {
    let far = Far::start();
    for (text, code) in [
        ("exit 0", 0),
        ("exit 97", 97),
        ("no-such-program", 127),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
    ] {
        let answer = ended(far.shell().run(script(text)).await.expect("sshd answers"));
        assert_eq!(answer.code, Some(code), "{text}");
    }
}

#[tokio::test]
async fn the_surroundings_are_clean_and_the_headnodes_own_count() {
    let far = Far::start();
    let path = vec!["~/.cargo/bin".to_owned(), "/opt/a b".to_owned()];
    let env = [("XDG_RUNTIME_DIR", "/run/odd"), ("DEEP", "it's $HOME")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let shell = SshShell::new(far.masters.clone(), far.clock.clone(), path, env);
    let text = "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^LANG= -e ^PATH= | sort; pwd; \
                printf '%s\n' \"$PATH\"; grep SigIgn /proc/$$/status";
    let home = far.sshd.home().display().to_string();
    let told = printed(&shell, text).await.expect("sshd answers");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "DEEP=it's $HOME",
            &format!("HOME={home}"),
            &format!("USER={}", far.sshd.user()),
            "XDG_RUNTIME_DIR=/run/odd",
            "/",
        ]
    );
    assert!(lines[5].starts_with(&format!("{home}/.cargo/bin:/opt/a b:/")), "{}", lines[5]);
    let ignored = lines[6].strip_prefix("SigIgn:\t").map(|hex| u64::from_str_radix(hex, 16));
    let ignored = ignored.expect("the kernel tells it").expect("it is a number");
    // Above are those that no program sends.
    assert_eq!(ignored & 0x7fff_ffff, 0, "jobs are started from here");
}

#[tokio::test]
async fn the_clock_there_is_compared_with_ours_once_in_a_while() {
    let far = Far::start();
    let shell = far.shell();
    assert_eq!(shell.heard().clock_skew_ms, None);
    printed(&shell, "true").await.expect("sshd answers");
    // It is the same clock, seen from a busy machine.
    let skew = shell.heard().clock_skew_ms.expect("it was asked for");
    assert!(skew.abs() < 5_000, "{skew} ms");
}
