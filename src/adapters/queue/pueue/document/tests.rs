use std::fmt::Write as _;
use std::path::PathBuf;

use proptest::prelude::{Strategy, any, prop, proptest};
use serde_json::{Map, Value, json};

use super::*;

/// The captures of one version by name, with labels that are like ours.
fn captures(version: &str) -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pueue");
    let files = std::fs::read_dir(folder.join(version)).unwrap();
    let mut all: Vec<(String, Value)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let mut document: Value = serde_json::from_str(&text).unwrap();
            for (id, task) in document["tasks"].as_object_mut().unwrap() {
                let label = match task["label"].as_str() {
                    Some(label) => format!("dw-{label}"),
                    None => format!("dw-nameless-{id}"),
                };
                task["label"] = json!(label);
            }
            (path.file_stem().unwrap().to_string_lossy().into_owned(), document)
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn told(look: &QueueLook) -> String {
    let mut text = format!("  {} entries\n", look.entries);
    for (label, Word { says, task, copies }) in &look.words {
        let task = task.as_ref().map_or("?", TaskId::as_str);
        writeln!(text, "  {label} {says:?}, task {task}, {copies} of it").unwrap();
    }
    for (name, GroupLook { paused, places }) in look.groups.iter().flatten() {
        let paused = if *paused { ", paused" } else { "" };
        writeln!(text, "  group {name} with {places}{paused}").unwrap();
    }
    text
}

fn check_captures(version: &str) {
    let mut text = String::new();
    for (name, document) in captures(version) {
        let look = read(document.to_string().as_bytes()).unwrap();
        writeln!(text, "{name}\n{}", told(&look)).unwrap();
    }
    insta::assert_snapshot!(format!("captures_of_{version}"), text);
}

#[test]
fn every_capture_of_version_3_is_read() {
    check_captures("v3");
}

#[test]
fn every_capture_of_version_4_is_read() {
    check_captures("v4");
}

fn entry(label: &str, status: Value) -> Value {
    json!({"id": 0, "label": label, "status": status})
}

fn list(tasks: &[Value]) -> Value {
    let tasks: Map<String, Value> =
        tasks.iter().enumerate().map(|(id, task)| (id.to_string(), task.clone())).collect();
    json!({"tasks": tasks, "groups": {"default": {"status": "Running", "parallel_tasks": 1}}})
}

fn read_list(tasks: &[Value]) -> Result<QueueLook, Odd> {
    read(list(tasks).to_string().as_bytes())
}

fn says_of(status: Value) -> QueueWord {
    read_list(&[entry("dw-a", status)]).unwrap().words[&AttemptId::new("dw-a")].says
}

#[test]
fn a_status_that_nobody_knows_lives() {
    for status in [json!("Dreaming"), json!({"Dreaming": {"since": 1}}), json!({"Frozen": null})] {
        assert_eq!(says_of(status), QueueWord::Waiting);
    }
}

#[test]
fn an_end_is_one_whatever_its_result_is_called() {
    let ends = [
        (json!({"Done": "Success"}), QueueWord::Done),
        (json!({"Done": {"Failed": 98}}), QueueWord::Done),
        (json!({"Done": {"result": {"Failed": 97}}}), QueueWord::Done),
        (json!({"Done": "DependencyFailed"}), QueueWord::Done),
        (json!({"Done": {"Exploded": 3}}), QueueWord::Done),
        (json!({"Done": {}}), QueueWord::Done),
        (json!("Done"), QueueWord::Done),
        (json!({"Done": "Killed"}), QueueWord::Killed),
        (json!({"Done": {"result": "Errored"}}), QueueWord::Killed),
        (json!({"Done": {"FailedToSpawn": "no shell"}}), QueueWord::FailedToSpawn),
        (json!({"Done": {"result": {"FailedToSpawn": "no shell"}}}), QueueWord::FailedToSpawn),
    ];
    for (status, word) in ends {
        assert_eq!(says_of(status.clone()), word, "{status}");
    }
}

#[test]
fn of_several_entries_the_one_that_lives_speaks() {
    let (running, queued) = (json!("Running"), json!("Queued"));
    let done = json!({"Done": {"Failed": 98}});
    let killed = json!({"Done": "Killed"});
    for (statuses, says, task) in [
        ([&done, &running, &done], QueueWord::Running, "1"),
        ([&queued, &done, &running], QueueWord::Running, "2"),
        ([&done, &queued, &done], QueueWord::Waiting, "1"),
        ([&killed, &done, &done], QueueWord::Done, "1"),
        ([&running, &running, &running], QueueWord::Running, "0"),
    ] {
        let entries = statuses.map(|status| entry("dw-a", status.clone()));
        let look = read_list(&entries).unwrap();
        let word = Word { says, task: Some(TaskId::new(task)), copies: 3 };
        assert_eq!(look.words[&AttemptId::new("dw-a")], word);
    }
}

#[test]
fn what_belongs_to_others_may_look_like_anything() {
    let others = [
        json!(null),
        json!([]),
        json!({}),
        json!({"label": null, "command": "sh /w/.daylily-watch/dw-a/job.sh"}),
        json!({"label": 7}),
        entry("dw-with a blank", json!(7)),
        entry("../dw-a", json!(7)),
        entry("theirs", json!([])),
    ];
    let look = read_list(&others).unwrap();
    assert!(look.words.is_empty(), "{look:?}");
    assert_eq!(look.entries, 8);
}

#[test]
fn an_entry_of_ours_that_cannot_be_read_spoils_the_document() {
    let job = "exec /bin/sh '/w'/.daylily-watch/dw-a/job.sh";
    for odd in [
        json!({"label": "dw-a"}),
        entry("dw-a", json!(null)),
        entry("dw-a", json!(3)),
        entry("dw-a", json!({})),
        entry("dw-a", json!({"Running": {}, "Done": {}})),
        json!({"tag": "dw-a", "command": job}),
        json!({"label": {"text": "dw-a"}, "command": job}),
    ] {
        let read = read_list(&[entry("dw-b", json!("Queued")), odd.clone()]);
        assert!(matches!(read, Err(Odd::OurEntry { .. })), "{odd}: {read:?}");
    }
}

#[test]
fn without_a_list_of_tasks_there_is_no_list() {
    for text in ["{}", "{\"groups\":{}}", "{\"tasks\":[]}", "{\"tasks\":null}", "{\"tasks\":3}"] {
        assert_eq!(read(text.as_bytes()), Err(Odd::NoTasks), "{text}");
    }
    for text in ["", "\n", "[]", "null", "{\"tasks\":{", "{\"tasks\":{}} and more", "\u{0}"] {
        let read = read(text.as_bytes());
        assert!(matches!(read, Err(Odd::NoJson(_))), "{text}: {read:?}");
    }
}

#[test]
fn warnings_before_the_list_are_passed_over() {
    let text = "Different daemon version detected '3.3.0'.\n\n{\"tasks\":{}}\n";
    assert_eq!(read(text.as_bytes()), Ok(QueueLook::default()));
}

#[test]
fn groups_that_cannot_be_read_are_not_told_of() {
    for groups in [json!(null), json!([]), json!({"a": {}}), json!({"a": {"status": "Running"}})] {
        let document = json!({"tasks": {}, "groups": groups});
        assert_eq!(read(document.to_string().as_bytes()).unwrap().groups, None, "{groups}");
    }
}

#[test]
fn what_nobody_needs_is_bounded_and_said() {
    let many: Map<String, Value> =
        (0..100_001).map(|n| (n.to_string(), entry(&format!("dw-{n}"), json!("Queued")))).collect();
    let document = json!({"tasks": many}).to_string();
    assert_eq!(read(document.as_bytes()), Err(Odd::TooMany));
    let groups: Map<String, Value> = (0..10_001)
        .map(|n| (n.to_string(), json!({"status": "Running", "parallel_tasks": 1})))
        .collect();
    let document = json!({"tasks": {}, "groups": groups}).to_string();
    assert_eq!(read(document.as_bytes()).unwrap().groups, None);
    let long = "9".repeat(1 << 20);
    let document = json!({"tasks": {&long: entry("dw-a", json!("Queued"))}}).to_string();
    let said = read(document.as_bytes()).unwrap_err().to_string();
    assert!(said.len() < 300 && said.ends_with("has no id that is one"), "{said}");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for place in [
            format!("{{\"tasks\":{{}},\"x\":{deep}}}"),
            format!("{{\"tasks\":{{\"1\":{{\"label\":\"x\",\"envs\":{deep}}}}}}}"),
            format!("{{\"tasks\":{{\"1\":{{\"label\":\"dw-a\",\"status\":{deep}}}}}}}"),
        ] {
            // Understood or not, it comes to an end and takes no stack.
            let _ = read(place.as_bytes());
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Harm {
    Remove,
    Swap,
    Rename,
}

/// Harms one value somewhere in it.
fn harm(value: &mut Value, path: &[usize], harm_it: Harm, with: &Value) {
    let Some((&at, deeper)) = path.split_first() else {
        *value = with.clone();
        return;
    };
    let Value::Object(map) = value else {
        *value = with.clone();
        return;
    };
    let Some(key) = map.keys().nth(at % map.len().max(1)).cloned() else { return };
    if !deeper.is_empty() {
        if let Some(inside) = map.get_mut(&key) {
            harm(inside, deeper, harm_it, with);
        }
        return;
    }
    let was = map.remove(&key);
    match harm_it {
        Harm::Remove => {}
        Harm::Swap => drop(map.insert(key, with.clone())),
        Harm::Rename => drop(map.insert(format!("{key}_"), was.unwrap_or_default())),
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let words = ["Running", "Done", "Queued", "dw-a", ""];
    prop::sample::select(vec![json!(null), json!(-1), json!([]), json!({}), json!(true)])
        .boxed()
        .prop_union(prop::sample::select(words.map(|word| json!(word)).to_vec()).boxed())
}

fn harms() -> impl Strategy<Value = Vec<(Vec<usize>, Harm, Value)>> {
    let kind = prop::sample::select(vec![Harm::Remove, Harm::Swap, Harm::Rename]);
    prop::collection::vec((prop::collection::vec(0..12_usize, 1..6), kind, anything()), 1..4)
}

proptest! {
    #[test]
    fn no_mangled_document_makes_a_running_entry_absent_or_over(
        (which, harms) in (any::<prop::sample::Index>(), harms()),
    ) {
        let mut all = captures("v3");
        all.extend(captures("v4"));
        let (_, mut document) = which.get(&all).clone();
        for (path, kind, with) in &harms {
            harm(&mut document, path, *kind, with);
        }
        // It does not panic, and one that is whole beside the harm is still found.
        if let Some(tasks) = document.get_mut("tasks").and_then(Value::as_object_mut) {
            tasks.insert("999".to_owned(), entry("dw-whole", json!({"Running": {}})));
        }
        if let Ok(look) = read(document.to_string().as_bytes()) {
            assert_eq!(look.words[&AttemptId::new("dw-whole")].says, QueueWord::Running);
        }
    }

    #[test]
    fn no_cut_document_is_taken_for_a_whole_one(
        (which, cut) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let all = captures("v4");
        let text = which.get(&all).1.to_string();
        let read = read(&text.as_bytes()[..cut.index(text.len())]);
        assert!(matches!(read, Err(Odd::NoJson(_))), "{read:?}");
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[b"{\"tasks\":{\"1\":", &bytes[..]].concat());
    }
}
