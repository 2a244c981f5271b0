//! What ssh, its log and a login shell say, whatever it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::answer::sift;
use super::log::{Names, fault, some_fault, word};
use super::login::ran_nothing;
use super::prelude::input;
use crate::adapters::host::shell::Ask;
use crate::clock::FakeClock;
use crate::hostile::{bytes, can_be_told, mangled, meaning, soon, text};

const LOGS: [&[u8]; 4] = [
    b"anna@headnode: Permission denied (publickey,keyboard-interactive).\r\n",
    b"Host key for headnode has changed and you have requested strict checking.\n\
      Offending ED25519 key in /home/anna/.ssh/known_hosts:7\nHost key verification failed.\n",
    b"ssh: connect to host headnode port 22: Connection refused\r\n",
    b"/home/anna/.ssh/config: line 3: Bad configuration option: porst\n",
];

fn names() -> Names {
    let word = str::to_owned;
    Names { headnode: word("hpc"), ssh: word("ssh"), host: word("headnode"), us: word("pipeline") }
}

proptest! {
    #[test]
    fn any_log_is_a_fault_that_can_be_told(log in mangled(&LOGS), code in prop::option::of(0..300_i32)) {
        let log = String::from_utf8_lossy(&log).into_owned();
        let said = soon(|| some_fault(&log, "the connection was lost", &names()));
        prop_assert!(!said.text.is_empty());
        can_be_told(&said.text);
        if let Some(known) = fault(&log, &names()) {
            can_be_told(&known.text);
        }
        can_be_told(&ran_nothing(code, [&log, ""], &names()).text);
    }

    #[test]
    fn an_answer_is_what_follows_the_token_however_it_is_cut(
        noise in bytes(), answer in bytes(), cuts in prop::collection::vec(1..40_usize, 1..20),
        keep in 0..500_usize,
    ) {
        let token = "01J0TOKEN0000000000000000";
        prop_assert!(!noise.windows(token.len()).any(|part| part == token.as_bytes()));
        let said = [&noise[..], token.as_bytes(), b" 17.5\n", &answer].concat();
        let clock = FakeClock::new(Timestamp::UNIX_EPOCH);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = &said[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(Ok::<_, std::io::Error>(piece.to_vec()));
            rest = more;
        }
        let (mut into, from) = tokio::io::duplex(64);
        let sifted = runtime.block_on(async {
            let write = async {
                for piece in pieces {
                    tokio::io::AsyncWriteExt::write_all(&mut into, &piece.unwrap()).await.unwrap();
                }
                drop(into);
            };
            tokio::join!(write, sift(from, token, keep, &clock)).1
        }).unwrap();
        prop_assert_eq!(&sifted.kept, &answer[..answer.len().min(keep)]);
        prop_assert_eq!(sifted.cut, answer.len() > keep);
        prop_assert_eq!(&sifted.token.unwrap().says, "17.5");
        prop_assert!(sifted.noise.len() <= 3 * (4 << 10));
    }

    #[test]
    fn bytes_without_the_token_are_noise(bytes in bytes()) {
        let clock = FakeClock::new(Timestamp::UNIX_EPOCH);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sifted = runtime.block_on(sift(&bytes[..], "01J0TOKEN", 10, &clock)).unwrap();
        prop_assert!(sifted.token.is_none() && sifted.kept.is_empty());
    }

    #[test]
    fn a_prelude_says_its_own_length_and_no_word_leaves_its_quotes(
        args in prop::collection::vec(text(), 0..4), value in text(), folder in text(),
        stdin in bytes(), time in any::<bool>(),
    ) {
        let limit = std::time::Duration::from_secs(3);
        let ask = Ask { script: "true", args, stdin: &stdin, more: None, limit, keep: 10 };
        let env = BTreeMap::from([("NAME".to_owned(), value)]);
        let Ok((input, is_more)) = input(&ask, &[folder], &env, "TOKEN", time) else {
            return Ok(());
        };
        let line = input.iter().position(|byte| *byte == b'\n').unwrap();
        let length: usize = std::str::from_utf8(&input[..line]).unwrap().parse().unwrap();
        prop_assert_eq!(length, input.len() - line - 1);
        prop_assert!(!input.contains(&0));
        prop_assert!(is_more || std::str::from_utf8(&stdin).is_ok());
    }

    #[test]
    fn a_word_to_be_pasted_is_one_word(name in text()) {
        let name = name.replace('\0', "");
        prop_assert_eq!(meaning(&word(&name), "-_./@:%+,="), Some(name));
    }
}
