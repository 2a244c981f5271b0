//! Scripts over a real sshd: their answers, their ends, and what they cost.

use std::time::Duration;

use daylily_watch::adapters::host::shell::{Answer, Ask, Ran, Shell as _};

use super::far::{Far, script};
use crate::wait::{LIMIT, until};

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
