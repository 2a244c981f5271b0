//! What pueue and the scripts around it say, whatever they say.

use proptest::prelude::{prop, prop_assert, proptest};

use super::answers::{Answer, answers, looked};
use super::trouble::{Asked, Doing, fault, without_colours, wrong_secret};
use super::{document, is_one_word};
use crate::adapters::host::names::is_plain_id;
use crate::hostile::{can_be_told, mangled, soon, text};

const LOOKED: &[u8] =
    b"user anna\nruntime /run/user/7\nconfig /home/anna/p.yml\npath /usr/bin:/bin\n\
    found /opt/x/bin\npueued 12 1 345 yes\nanswer\nDifferent daemon version detected.\n\
    {\"tasks\":{\"1\":{\"id\":1,\"label\":\"dw-1\",\"status\":{\"Running\":{\"start\":\"x\"}},\
    \"command\":\"exec /bin/sh '/w'/.daylily-watch/dw-1/job.sh\"},\"2\":{\"label\":null,\
    \"status\":{\"Done\":{\"result\":{\"Failed\":3}}}}},\"groups\":{\"default\":\
    {\"status\":\"Running\",\"parallel_tasks\":2}}}";
const ANSWERS: &[u8] = b"answer dw-1 0\n| 7\nmissing dw-2\nanswer dw-3 1\n| Error:\n|    0: no group\nuser anna\nend\n";
const SAID: &[u8] =
    b"\x1b[31mError:\x1b[0m\n   0: \x1b[91mCouldn't find a configuration\x1b[0m\n\n\
    Location:\n   src/main.rs:7\nDid you start it?\n";

proptest! {
    #[test]
    fn a_list_of_anything_is_a_list_or_is_none(answer in mangled(&[LOOKED])) {
        let (around, list) = soon(|| looked(&answer));
        let _ = around.instance();
        match soon(|| document::read(list)) {
            Ok(look) => {
                for (label, word) in &look.words {
                    prop_assert!(is_plain_id(label.as_str()) && label.as_str().starts_with("dw-"));
                    prop_assert!(word.task.as_ref().is_none_or(|task| task.as_str().len() <= 100));
                }
            }
            Err(odd) => prop_assert!(odd.to_string().len() < 1_000),
        }
    }

    #[test]
    fn answers_of_anything_are_of_some_key_or_of_none(said in mangled(&[ANSWERS])) {
        let all = soon(|| answers(&said));
        for (key, answer) in &all.of {
            prop_assert!(!key.contains(' '));
            if let Answer::Said { text, .. } = answer {
                prop_assert!(text.is_empty() || text.ends_with('\n'));
            }
        }
    }

    #[test]
    fn any_trouble_can_be_told(
        answer in mangled(&[LOOKED]), said in mangled(&[SAID]), code in prop::option::of(-1..300_i32),
        command in text(), group in prop::option::of(text()),
    ) {
        let (around, _) = looked(&answer);
        let said = String::from_utf8_lossy(&said);
        for doing in [Doing::Looking, Doing::Adding, Doing::Changing] {
            let asked = Asked { headnode: "hpc", command: &command, doing, around: &around };
            can_be_told(&soon(|| fault(asked, code, &said, group.as_deref())).text);
            can_be_told(&wrong_secret(asked, &said).text);
        }
        let coloured = without_colours(&said).contains('\u{1b}');
        prop_assert!(!coloured);
    }

    #[test]
    fn one_word_is_one_line_and_one_word(text in text()) {
        if is_one_word(&text) {
            prop_assert_eq_words(&text);
        }
    }
}

#[track_caller]
fn prop_assert_eq_words(text: &str) {
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), [text]);
    assert_eq!(text.lines().count(), 1);
}
