//! Quoted texts, read back by a real shell.

use std::process::Command;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};

use super::quote;

#[allow(clippy::disallowed_methods, reason = "only a real shell proves the quoting")]
fn through_sh(word: &str) -> String {
    let script = format!("printf %s {word}");
    let output = Command::new("/bin/sh").arg("-c").arg(script).output().expect("sh runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("what went in was UTF-8")
}

#[test]
fn odd_texts_survive_a_real_shell() {
    for text in ["", "'", "''", "a'b", "$HOME `id` $(id) \\ \" * ~ !", "-n", "a\nb\n\n", "äöü 😀"]
    {
        assert_eq!(through_sh(&quote(text).expect("no NUL")), text);
    }
}

#[test]
fn a_nul_is_refused() {
    assert!(quote("a\0b").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_texts_survive_a_real_shell(texts in prop::collection::vec(any::<String>(), 1..8)) {
        let text = texts.join("'").replace('\0', "");
        prop_assert_eq!(through_sh(&quote(&text).expect("no NUL")), text);
    }
}
