use std::collections::BTreeSet;

use super::*;
use crate::adapters::queue::pueue::answers::Daemon;

/// As version 4 prints an error, colours and all.
fn chain(causes: &[&str]) -> String {
    let mut text = "Error: \n".to_owned();
    for (number, cause) in causes.iter().enumerate() {
        text.push_str(&format!("   {number}: \u{1b}[91m{cause}\u{1b}[0m\n"));
    }
    text + "\nLocation:\n   \u{1b}[35m/src/bin/pueue.rs\u{1b}[0m:\u{1b}[35m91\u{1b}[0m\n\n\
            Backtrace omitted. Run with RUST_BACKTRACE=1 environment variable to display it.\n"
}

fn no_stream(why: &str) -> String {
    let why = format!(
        "I/O error at path \"/run/user/1000/pueue_pipeline.socket\" while connecting to daemon. \
         Did you start it?:\n      {why}"
    );
    chain(&["Failed to initialize client.", "Failed to initialize stream.", &why])
}

fn around() -> Surroundings {
    Surroundings {
        user: "pipeline".to_owned(),
        runtime: "/run/user/1000".to_owned(),
        path: "/home/pipeline/.cargo/bin:/usr/bin:/bin".to_owned(),
        ..Surroundings::default()
    }
}

fn fault_of(doing: Doing, around: &Surroundings, code: Option<i32>, said: &str) -> Fault {
    let asked = Asked { headnode: "hpc", command: "pueue", doing, around };
    fault(asked, code, said, Some("gpu_a"))
}

/// Every text that was seen, what it means, and its class for a look and for an add.
fn seen() -> Vec<(Option<i32>, String, Trouble, FaultClass, FaultClass)> {
    use FaultClass::{Ambiguous, FatalCase, FatalHost, NeedsPerson, TransientHost};
    let secret = "I/O error at path \"/data/shared_secret\" while opening secret file. Did you \
                  start the daemon at least once?:\n      ";
    let config = "I/O error at path \"/data/pueue.yml\" while opening config file:\n      ";
    let row = |code, said: String, trouble, look, add| (Some(code), said, trouble, look, add);
    let both = |code, said: String, trouble, class| (Some(code), said, trouble, class, class);
    vec![
        both(127, "env: 'pueue': No such file".to_owned(), Trouble::NotFound, FatalHost),
        both(126, "env: 'pueue': Permission denied".to_owned(), Trouble::NotExecutable, FatalHost),
        row(124, String::new(), Trouble::Silent, TransientHost, Ambiguous),
        row(137, String::new(), Trouble::Silent, TransientHost, Ambiguous),
        row(101, "Broken pipe".to_owned(), Trouble::Panicked, TransientHost, Ambiguous),
        both(
            1,
            "Group gpu_a doesn't exists. Use one of these: [\"default\"]".to_owned(),
            Trouble::NoGroup,
            NeedsPerson,
        ),
        row(
            1,
            "Failed to save state. This is a bug: Failed to overwrite old state while saving state"
                .to_owned(),
            Trouble::NotSaved,
            TransientHost,
            Ambiguous,
        ),
        both(
            1,
            chain(&[&format!("{secret}No such file or directory (os error 2)")]),
            Trouble::NoSecret,
            FatalHost,
        ),
        both(
            1,
            chain(&[&format!("{secret}Permission denied (os error 13)")]),
            Trouble::SecretForbidden,
            FatalHost,
        ),
        both(
            1,
            chain(&["Couldn't find a configuration file. Did you start the daemon yet?"]),
            Trouble::NoConfiguration,
            FatalHost,
        ),
        both(
            1,
            chain(&[
                "Failed to read configuration.",
                &format!("{config}No such file or directory (os error 2)"),
            ]),
            Trouble::NoConfiguration,
            FatalHost,
        ),
        both(
            1,
            chain(&[
                "Failed to read configuration.",
                "Error while reading configuration:\n      shared: invalid type: sequence",
            ]),
            Trouble::BadConfiguration,
            FatalHost,
        ),
        both(1, no_stream("Permission denied (os error 13)"), Trouble::SocketForbidden, FatalHost),
        both(1, no_stream("Connection refused (os error 111)"), Trouble::NotRunning, TransientHost),
        both(
            1,
            no_stream("No such file or directory (os error 2)"),
            Trouble::NotRunning,
            TransientHost,
        ),
        both(
            1,
            "Error: Couldn't deserialize message:\nSemantic(None, \"unknown variant\")".to_owned(),
            Trouble::OtherMajor,
            FatalHost,
        ),
        both(
            1,
            chain(&["Got unexpected but valid message. Are you up-to-date?:\nMap([])"]),
            Trouble::OtherMajor,
            FatalHost,
        ),
        both(1, "Failed to deserialize message".to_owned(), Trouble::OtherMajor, FatalHost),
        both(
            1,
            chain(&[
                "Failed to initialize client.",
                "Failed to receive version during handshake with daemon.",
                "I/O error while reading request size header:\n      early eof",
            ]),
            Trouble::HungUp,
            TransientHost,
        ),
        both(
            1,
            "Daemon went away after sending secret. Did you use the correct secret?".to_owned(),
            Trouble::HungUp,
            TransientHost,
        ),
        row(
            1,
            chain(&["I/O error while reading request size header:\n      early eof"]),
            Trouble::BrokeOff,
            TransientHost,
            Ambiguous,
        ),
        both(
            1,
            chain(&["Failed to canonicalize given working directory path"]),
            Trouble::NoFolder,
            FatalCase,
        ),
        both(1, chain(&["Failed to parse query"]), Trouble::OldClient, FatalHost),
        both(
            2,
            "error: unexpected argument '--print-task-id' found".to_owned(),
            Trouble::OldClient,
            FatalHost,
        ),
        row(1, "the sky fell".to_owned(), Trouble::Other, TransientHost, Ambiguous),
        (None, String::new(), Trouble::Other, TransientHost, Ambiguous),
    ]
}

#[test]
fn every_text_that_was_seen_has_its_meaning_and_class() {
    for (code, said, meant, look, add) in seen() {
        assert_eq!(trouble(code, &said), meant, "{code:?} {said}");
        assert_eq!(meant.class(Doing::Looking), look, "{said}");
        assert_eq!(meant.class(Doing::Changing), look, "{said}");
        assert_eq!(meant.class(Doing::Adding), add, "{said}");
    }
}

#[test]
fn every_row_of_the_table_is_reached_by_a_text_that_was_seen() {
    let met: Vec<_> = seen().into_iter().map(|(code, said, ..)| trouble(code, &said)).collect();
    for row in &TABLE {
        assert!(met.contains(&row.trouble), "{:?}", row.trouble);
    }
}

#[test]
fn every_trouble_has_a_sentence_of_its_own() {
    let mut sentences = String::new();
    let mut different = BTreeSet::new();
    let mut meanings = Vec::new();
    for (code, said, trouble, ..) in seen() {
        let text = fault_of(Doing::Looking, &around(), code, &said).text;
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(!text.contains("Backtrace") && !text.contains("Location"), "{text}");
        if !meanings.contains(&trouble) {
            meanings.push(trouble);
            let first: Vec<&str> = text.split('(').take(1).collect();
            assert!(different.insert(first.concat()), "{text}");
        }
        sentences.push_str(&format!("{text}\n\n"));
    }
    sentences.push_str(&wrong_secret(asked(&around()), &seen()[18].1).text);
    insta::assert_snapshot!("sentences", sentences);
}

fn asked(around: &Surroundings) -> Asked<'_> {
    Asked { headnode: "hpc", command: "pueue", doing: Doing::Looking, around }
}

#[test]
fn a_program_that_is_elsewhere_is_told_with_its_folder() {
    let around = Surroundings { found: vec!["/opt/pueue/bin".to_owned()], ..around() };
    let text = fault_of(Doing::Looking, &around, Some(127), "").text;
    assert!(text.contains("looked for in /home/pipeline/.cargo/bin, /usr/bin, /bin"), "{text}");
    assert!(text.contains("hint: it is in /opt/pueue/bin: add that to `path`"), "{text}");
}

#[test]
fn a_daemon_that_listens_elsewhere_is_told_from_one_that_does_not_run() {
    let daemon = Daemon { pid: 4711, parent: 1, started: 5, named: None };
    let around = Surroundings { daemons: vec![daemon], runtime: String::new(), ..around() };
    let gone = no_stream("No such file or directory (os error 2)");
    let text = fault_of(Doing::Looking, &around, Some(1), &gone).text;
    assert!(text.contains("pueued runs on hpc (pid 4711)"), "{text}");
    assert!(text.contains("XDG_RUNTIME_DIR is not set for us"), "{text}");
    let refused = no_stream("Connection refused (os error 111)");
    let text = fault_of(Doing::Looking, &around, Some(1), &refused).text;
    assert!(text.contains("pueued does not run on hpc"), "{text}");
}

#[test]
fn colours_are_taken_out_wherever_they_end() {
    for (text, plain) in
        [("a\u{1b}[91mb\u{1b}[0mc", "abc"), ("a\u{1b}[", "a"), ("\u{1b}", ""), ("a\u{1b}[1", "a")]
    {
        assert_eq!(without_colours(text), plain);
    }
}

#[test]
fn what_is_to_be_typed_names_the_configuration_that_is_asked_with() {
    let around = Surroundings { config: "/data/my pueue.yml".to_owned(), ..around() };
    let told = |code, said: &str| fault_of(Doing::Looking, &around, Some(code), said).text;
    let silent = told(124, "");
    assert!(silent.contains("run `pueue -c '/data/my pueue.yml' status` there"), "{silent}");
    let away = told(1, "Connection refused");
    assert!(
        away.contains("hint: on hpc: pueued -c '/data/my pueue.yml' -d, as pipeline"),
        "{away}"
    );
    let group = told(1, "Group gpu_a doesn't exists. Use one of these: []");
    assert!(group.contains("on hpc: pueue -c '/data/my pueue.yml' group add gpu_a"), "{group}");
}
