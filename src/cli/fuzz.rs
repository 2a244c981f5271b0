//! What people type and what is shown to them, whatever it is.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::Parser as _;
use daylily_lifecycle::explain::{argument, quoted};
use daylily_lifecycle::ids::CaseName;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::sample;

use super::args::Cli;
use super::output_file::{keep_what_may_be_printed, keep_whole_lines, last_lines};
use super::printer::steady;
use super::words;
use crate::hostile::{bytes, meaning, soon, text};

const WORDS: &[&str] = &[
    "status",
    "show",
    "why",
    "history",
    "log",
    "slots",
    "check",
    "retry",
    "rerun",
    "cancel",
    "hold",
    "resume",
    "accept",
    "priority",
    "note",
    "confirm-dead",
    "pause",
    "drain",
    "adopt",
    "clean",
    "backup",
    "restore",
    "run",
    "--json",
    "--config",
    "--reason",
    "--follow",
    "--lines",
    "--all",
    "--headnode",
    "--intake",
    "--state",
    "--held",
    "--abandon",
    "--attempt",
    "0",
    "-1",
    "--",
];

proptest! {
    #[test]
    fn no_words_make_the_command_line_panic(
        known in prop::collection::vec(sample::select(WORDS), 0..4),
        odd in prop::collection::vec(bytes(), 0..3), first in any::<bool>(),
    ) {
        let known = known.into_iter().map(OsString::from);
        let odd = odd.into_iter().map(OsString::from_vec);
        let mut words: Vec<OsString> = vec!["daylily-watch".into()];
        if first { words.extend(known.chain(odd)) } else { words.extend(odd.chain(known)) };
        if let Err(error) = soon(|| Cli::try_parse_from(words)) {
            let shown = steady(&error.to_string()).into_owned();
            prop_assert!(shown.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')));
        }
    }

    #[test]
    fn nothing_that_is_shown_steers_a_terminal(text in text(), width in prop::option::of(0..90_usize)) {
        let plain = words::plain(&text);
        prop_assert!(!plain.chars().any(char::is_control));
        let broken = soon(|| words::hanging(&text, 2, 4, width)).join("");
        prop_assert!(!broken.chars().any(char::is_control));
        let steady = steady(&text);
        let odd = steady.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r', '\0']);
        prop_assert!(!odd);
        let _ = words::shortened(text, width);
    }

    #[test]
    fn a_word_in_a_hint_is_one_word_of_a_shell(name in text()) {
        let word = quoted(&name);
        prop_assert_eq!(meaning(&word, "._-~+/"), Some(name.clone()));
        prop_assert!(!word.starts_with(['-', '~']));
        let argument = argument(&CaseName::new(&name));
        prop_assert_eq!(argument.starts_with("-- "), name.starts_with('-'));
    }

    #[test]
    fn the_lines_of_any_output(output in bytes(), lines in 0..20_usize, cut in any::<bool>()) {
        let text = soon(|| last_lines(output.clone(), cut, lines));
        prop_assert!(text.len() <= 3 * output.len());
        let mut whole = output.clone();
        keep_whole_lines(&mut whole);
        prop_assert!(whole.is_empty() || whole.ends_with(b"\n"));
        let mut printed = output.clone();
        keep_what_may_be_printed(&mut printed, true);
        prop_assert_eq!(printed.is_empty(), output.is_empty());
    }
}
