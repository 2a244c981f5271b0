//! `--dry-run`: all is told and nothing touched.

use super::site::Site;

#[test]
fn nothing_is_made_before_the_first_start() {
    let site = Site::with("echo hello", "existing: process", "");
    site.write("new_cases/ready/file", "text");
    site.write("new_cases/loose", "");
    site.write("new_cases/writing/R1.fastq.part", "");
    let before = site.tree();
    // What is written just now may be taken for complete already, or not.
    let ran = site.run(&["--config", "config.yaml", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(site.tree(), before);
    assert!(ran.err.contains("this would be the first start"));
    assert!(ran.out.contains("intake new_cases ([dir]/new_cases): 3 cases\n"), "{}", ran.out);
    assert!(ran.out.contains("loose is a file; a case is a folder"), "{}", ran.out);
    assert!(ran.out.contains("R1.fastq.part is still being written"), "{}", ran.out);
}

#[test]
fn what_would_start_is_told_with_its_place_and_command() {
    let site = Site::with("echo hello", "existing: process, settle: {quiet: 0s}", "");
    let config = site.read("config.yaml").replacen("settle: {quiet: 300ms}, ", "", 1);
    site.write("config.yaml", &config);
    for name in ["a", "b", "c", "d"] {
        site.write(&format!("new_cases/{name}/file"), "text");
    }
    let ran = site.run(&["run", "--dry-run"]);
    let cases: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(cases.len(), 4, "{ran:?}");
    // Which of those complete at the same time goes first is left open.
    let start = "would be copied to here:[dir]/work/new_cases/";
    for line in &cases[..2] {
        assert!(line.contains(start) && line.contains(" (4 bytes in 1 file; "), "{line}");
        assert!(line.ends_with("free there), then run `echo hello` in default"), "{line}");
    }
    assert!(cases[2].contains(start), "{}", cases[2]);
    assert!(cases[2].ends_with("and wait there for a place"), "{}", cases[2]);
    assert!(cases[3].ends_with(": would wait for a place; 3 cases go first"), "{}", cases[3]);
}

#[test]
fn what_is_known_is_not_told_as_new_and_the_database_stays_as_it_is() {
    let site = Site::new("true");
    site.write("new_cases/done/file", "text");
    site.write("new_cases/loose", "");
    assert_eq!(site.run(&["--run-once"]).code, Some(1));
    let kept = |site: &Site| {
        let mut tree = site.tree();
        // Readers share these; nothing of the database is in them.
        tree.retain(|name, bytes| !(name.ends_with("-shm") || bytes.is_empty()));
        tree
    };
    let before = kept(&site);
    let ran = site.run(&["--dry-run"]);
    assert_eq!(kept(&site), before);
    let wanted = "1 case, and 1 folder of cases that have ended\n";
    assert!(ran.out.contains(wanted), "{}", ran.out);
    assert!(!ran.out.contains("done"), "{}", ran.out);
}

#[test]
fn an_intake_that_cannot_be_looked_at_is_told() {
    let site = Site::new("true");
    std::fs::remove_dir(site.at("new_cases")).expect("it is empty");
    let ran = site.run(&["--dry-run"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("cannot be looked at: [dir]/new_cases is not there"), "{}", ran.out);
}

#[test]
fn an_intake_that_is_not_there_is_told_once_and_not_by_each_case() {
    let site = Site::with("true", "start: manual", "");
    site.write("new_cases/a/file", "text");
    assert_eq!(site.run(&["--run-once"]).code, Some(1));
    std::fs::remove_dir_all(site.at("new_cases")).expect("it is ours");
    let ran = site.run(&["--dry-run"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    assert!(ran.out.ends_with("; 1 case of it is known\n"), "{}", ran.out);
}

#[test]
fn what_a_rule_chooses_and_what_a_manifest_waits_for_is_told() {
    let rules = "rules: [{files: \"*.dcm\", pipeline: dose}]";
    let site = Site::with("echo hello", "existing: process, settle: {quiet: 0s}", rules);
    let config = site.read("config.yaml").replacen("settle: {quiet: 300ms}, ", "", 1);
    let config = config.replacen("{default:", "{dose: {command: ./dose}, default:", 1);
    site.write("config.yaml", &config);
    site.write("new_cases/a/series/1.dcm", "text");
    site.write("new_cases/b/md5sum.txt", "acbd18db4cc2f85cedef654fccc4a4d8  R1.fastq\n");
    site.write("new_cases/c/md5sum.txt", "acbd18db4cc2f85cedef654fccc4a4d8  R1.fastq\n");
    site.write("new_cases/c/R1.fastq", "foo");
    site.write("new_cases/d/md5sum.txt", "to come");
    site.write("new_cases/e/case.yaml", "prority: low");
    let ran = site.run(&["--config", "config.yaml", "--dry-run"]);
    for words in [
        "then run `./dose` in default (rules[0]: series/1.dcm matches *.dcm)",
        "md5sum.txt names R1.fastq, which is not there yet",
        "the 1 file is compared with what md5sum.txt says",
        "md5sum.txt line 1 is no checksum with the name of a file",
        "case.yaml:1:1: prority: unknown key; did you mean priority?",
    ] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
}
