//! What `check` says of pueue on a headnode.

use serde_json::Value;

use super::site::Site;
use crate::servers::pueued::{PROGRAMS, Pueued};

fn site(pueued: &Pueued, path: &str, more: &str) -> Site {
    let site = Site::bare();
    let config = pueued.config().display().to_string();
    site.write("new_cases/.keep", "");
    site.write(
        "config.yaml",
        &format!(
            "intakes: [{{name: new_cases, path: ./new_cases}}]\n\
             headnodes:\n  - name: here\n    host: local\n    work_dir: ./work\n    \
             queue: pueue\n    path: [\"{path}\"]\n    env: {{PUEUE_CONFIG_PATH: \"{config}\"}}\n    \
             groups: [{{name: default, slots: 2}}, {{name: gpu_a, gpus: [0, 1]}}]\n    \
             pueue: {{{more}}}\n\
             pipelines: {{default: {{command: \"true\"}}}}\n"
        ),
    );
    site
}

/// The findings about pueue: level, check, text and hint.
fn found(site: &Site) -> Vec<String> {
    let ran = site.run(&["check", "--json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("it is JSON");
    let findings = report["findings"].as_array().expect("a list").iter();
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let is_about = |check: &str| check.ends_with(".pueue") || check.contains(".group.");
    let about = findings.filter(|finding| is_about(&field(finding, "check")));
    let told = about.map(|finding| {
        let words = ["level", "check", "text", "hint"].map(|name| field(finding, name));
        words.join(" | ").replace("headnode.here.", "")
    });
    told.collect()
}

fn check(site: &Site, expected: &[&[&str]]) {
    let found = found(site);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, words) in found.iter().zip(expected) {
        assert!(words.iter().all(|word| line.contains(word)), "{line}: {words:?}");
    }
}

#[test]
fn its_version_and_its_groups_are_told_with_the_line_to_paste() {
    let pueued = Pueued::start();
    let plain = site(&pueued, PROGRAMS, "");
    let before = plain.tree();
    pueued.must(&["parallel", "2"]);
    let here: &[&str] = &["ok | pueue |", "pueue 4.0.4 and pueued 4.0.4, 0 entries"];
    let fine: &[&str] = &["ok | group.default"];
    check(
        &plain,
        &[here, fine, &["fail | group.gpu_a", "| pueue -c ", " group add gpu_a --parallel 2"]],
    );
    let created = site(&pueued, PROGRAMS, "create_groups: true");
    check(
        &created,
        &[here, fine, &["ok | group.gpu_a", "is made with 2 places at the first contact"]],
    );
    pueued.must(&["group", "add", "--parallel", "1", "gpu_a"]);
    let few: &[&str] = &["warn | group.gpu_a", "| pueue -c ", " parallel -g gpu_a 2"];
    check(&plain, &[here, fine, few]);
    pueued.must(&["pause", "--group", "default"]);
    let paused: &[&str] = &["fail | group.default", "| pueue -c ", " start -g default"];
    check(&plain, &[here, paused, few]);
    pueued.must(&["start", "--group", "default"]);
    pueued.must(&["parallel", "0"]);
    let any: &[&str] = &["warn | group.default", "any number at a time", "-g default 2"];
    check(&plain, &[here, any, few]);
    assert_eq!(plain.tree(), before);
}

#[test]
fn a_pueue_that_cannot_be_asked_is_told_with_the_way_out() {
    let mut pueued = Pueued::start();
    let nowhere = site(&pueued, "/no/such/folder", "command: pueue-of-nobody");
    check(&nowhere, &[&["fail | pueue |", "pueue-of-nobody is not found", "cargo install pueue"]]);
    let plain = site(&pueued, PROGRAMS, "");
    pueued.kill_9();
    check(&plain, &[&["fail | pueue |", "pueued does not run on here", "| pueued -c "]]);
}
