//! Files that people and senders of cases write, whatever they write into them.

use std::path::Path;

use proptest::prelude::{prop_assert, proptest};

use super::case_file;
use super::error::Problems;
use super::{kind, places, resolve, tree, units};
use crate::hostile::{mangled, soon, text};

const FILE: &[u8] =
    b"state_dir: ./state\nintakes:\n  - name: new\n    path: ./new\n    settle: &s \
    {quiet: auto, marker: null}\nheadnodes:\n  - name: hpc\n    host: pipeline@headnode\n    \
    work_dir: /data\n    env: {A: 'b', \"C\": \"d\\n\"}\n    groups: [{name: default, slots: 2}]\n\
    pipelines: {default: {command: \"dy-r\", <<: {setup: |\n    x\n}}}\nretry: {first: 5s}\n";
const CASE: &[u8] = b"priority: urgent\ngroup: gpu_a\ngpus: 2\nnotify: [anna@example.org]\n\
    params: &p\n  threads: 08\n  label: \"a 'b' $c\"\n  <<: {x: 1}\n";

/// Aliases that stand for aliases: ten of each make a billion of the last.
#[test]
fn a_bomb_of_aliases_is_refused_and_not_unpacked() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let all = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{all}]\n"));
    }
    let problems = soon(|| case_file::read(&bomb)).unwrap_err();
    prop_ends_with(&problems, "the file is too large for a configuration");
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        let deep = format!("params: {}x{}", open.repeat(10_000), close.repeat(10_000));
        assert!(soon(|| case_file::read(&deep)).is_err(), "{open}");
    }
}

#[track_caller]
fn prop_ends_with(problems: &[String], end: &str) {
    assert!(problems[0].ends_with(end), "{problems:?}");
}

proptest! {
    #[test]
    fn a_case_file_of_anything_is_understood_or_told(file in mangled(&[CASE])) {
        let Ok(file) = String::from_utf8(file) else { return Ok(()) };
        match soon(|| case_file::read(&file)) {
            Ok(said) => {
                for (name, value) in &said.params {
                    prop_assert!(kind::parameter(name).is_ok() && !value.contains('\0'));
                }
            }
            Err(problems) => {
                prop_assert!(problems.len() <= 51);
                for problem in problems {
                    prop_assert!(problem.starts_with("case.yaml") || problem.starts_with("there are"));
                    prop_assert!(!problem.chars().any(|c| c.is_control() && c != '\n'), "{problem:?}");
                    prop_assert!(problem.chars().count() < 5_000, "{problem:.300}");
                }
            }
        }
    }

    #[test]
    fn a_configuration_of_anything_is_understood_or_told(file in mangled(&[FILE])) {
        let Ok(file) = String::from_utf8(file) else { return Ok(()) };
        let name = Path::new("/etc/daylily-watch/config.yaml");
        let (name, places) = places::of(name).unwrap();
        let read = soon(|| resolve::settings(&file, &name, &places, Problems::new(&name)));
        if let Err(errors) = read {
            prop_assert!(!errors.0.is_empty());
            for error in errors.0 {
                prop_assert!(!error.to_string().chars().any(|c| c.is_control() && c != '\n'), "{error}");
            }
        }
    }

    #[test]
    fn any_text_is_a_tree_or_has_a_place_where_it_is_none(text in text()) {
        if let Err((at, complaint)) = soon(|| tree::parse_any(&text)) {
            prop_assert!(at.line >= 1 && at.column >= 1 && !complaint.message.is_empty());
        }
    }

    #[test]
    fn no_number_overflows(text in text(), number in "[0-9]{1,30}", unit in "(ms|s|m|h|d|B/s|GiB/s|)") {
        for text in [text, format!("{number}{unit}")] {
            let _ = (units::duration(&text), units::rate(&text), units::mode(&text));
            let _ = units::hours(&text);
        }
    }
}
