//! Words and bytes to a script and back.

use std::time::Duration;

use daylily_watch::adapters::host::shell::{Ask, Ran, Shell as _};
use daylily_watch::adapters::host::ssh::shell::SshShell;
use proptest::collection::vec;
use proptest::prelude::Strategy;

use super::{nothing_was_run, runner, shells};
use crate::hostile::{bytes, text};
use crate::servers::sshd::Login;
use crate::ssh::far::Far;

/// What it was given, each ended by a NUL: its words, a variable, what it may read.
const ECHO: &str = r#"printf '%s\0' "$@" "$VALUE" "${PATH%%:/*}"; cat"#;

#[test]
fn any_words_arrive_at_a_script_as_they_are_and_are_never_run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let given = (vec(text(), 1..30), text(), text(), bytes());
    let given = given.prop_map(|(words, value, folder, stdin)| {
        let without_nul = |text: String| text.replace('\0', "");
        let words: Vec<String> = words.into_iter().map(without_nul).collect();
        // A PATH is told apart at colons.
        (
            words,
            without_nul(value),
            without_nul(folder).replace(':', "").chars().take(60).collect::<String>(),
            stdin,
        )
    });
    for shell in shells() {
        let far = Far::with(Login::Shell(shell), &[]);
        let tried = runner(30).run(&given, |(words, value, folder, stdin)| {
            let env = [("VALUE".to_owned(), value.clone())].into();
            // Absolute, as a configuration has it.
            let path = vec![format!("x{folder}")];
            let there = SshShell::new(far.masters.clone(), far.clock.clone(), path, env);
            let limit = Duration::from_secs(30);
            let ask = Ask {
                script: ECHO,
                args: words.clone(),
                stdin: &stdin,
                more: None,
                limit,
                keep: 8 << 20,
            };
            let answer = match runtime.block_on(there.run(ask)) {
                Ok(Ran::Ended(answer)) => answer,
                other => panic!("{shell}: {other:?}"),
            };
            assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{shell}");
            let mut said = answer.stdout.as_slice();
            for word in words.iter().chain([&value, &format!("x{folder}")]) {
                let end = said.iter().position(|&byte| byte == 0).unwrap();
                let read = String::from_utf8_lossy(&said[..end]);
                assert_eq!(read, *word, "{shell}");
                said = &said[end + 1..];
            }
            assert_eq!(said, stdin, "{shell}");
            Ok(())
        });
        tried.unwrap_or_else(|error| panic!("{shell}: {error}"));
        nothing_was_run(&far.sshd, &[]);
    }
}
