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
    let about = findings.filter(|finding| field(finding, "check").contains(".pueue"));
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
    let here: &[&str] = &["ok | pueue |", "pueue 4.0.4 answers, with 0 entries"];
    let fine: &[&str] = &["ok | pueue.groups.default"];
    check(
        &plain,
        &[
            here,
            fine,
            &["fail | pueue.groups.gpu_a", "pueue group add gpu_a --parallel 2", "create_groups"],
        ],
    );
    let created = site(&pueued, PROGRAMS, "create_groups: true");
    check(&created, &[here, fine, &["ok | pueue.groups.gpu_a", "is made at the first contact"]]);
    pueued.must(&["group", "add", "--parallel", "1", "gpu_a"]);
    let few: &[&str] = &["warn | pueue.groups.gpu_a", "pueue parallel --group gpu_a 2"];
    check(&plain, &[here, fine, few]);
    pueued.must(&["pause", "--group", "default"]);
    let paused: &[&str] = &["warn | pueue.groups.default", "pueue start --group default"];
    check(&plain, &[here, paused, few]);
    assert_eq!(plain.tree(), before);
}

#[test]
fn a_pueue_that_cannot_be_asked_is_told_with_the_way_out() {
    let mut pueued = Pueued::start();
    let nowhere = site(&pueued, "/no/such/folder", "command: pueue-of-nobody");
    check(&nowhere, &[&["fail | pueue |", "pueue-of-nobody is not found", "cargo install pueue"]]);
    let plain = site(&pueued, PROGRAMS, "");
    pueued.kill_9();
    check(&plain, &[&["fail | pueue |", "pueued does not run on here", "`pueued -d`"]]);
}
