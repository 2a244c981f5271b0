//! `demo`: it shows what it promises and cleans up.

use std::time::Duration;

use super::site::Site;
use crate::wait::until;

#[test]
fn it_shows_every_step_and_leaves_nothing() {
    let site = Site::bare();
    let ran = site.run(&["demo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for wanted in
        ["Still arriving:", "running", "Succeeded at", "lane2/deep/HG002_R1.fastq", "sqlite3 "]
    {
        assert!(ran.out.contains(wanted), "{wanted:?} is in {}", ran.out);
    }
    assert_eq!(site.tree().len(), 0);
}

#[test]
fn what_is_kept_can_be_played_with() {
    let site = Site::bare();
    let ran = site.run(&["demo", "--keep"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let folder = site.tree().into_keys().find(|name| name.starts_with("daylily-watch-demo-"));
    let folder =
        folder.expect("the folder is left").split('/').next().unwrap_or_default().to_owned();
    site.write(&format!("{folder}/new_cases/HG003/a.fastq"), "@1\nA\n+\nI\n");
    let config = format!("{folder}/config.yaml");
    let again = site.run(&["--config", &config, "--run-once"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let counts = site.read(&format!("{folder}/results/new_cases/HG003/counts.tsv"));
    assert_eq!(counts, "file\treads\na.fastq\t1\n");
}

#[test]
fn interrupted_it_ends_its_job_and_leaves_nothing() {
    let site = Site::bare();
    let mut demo = site.start(&["demo"]);
    let has_run =
        || ["Running on here", "Succeeded"].iter().any(|w| site.read("stdout").contains(w));
    until("its job runs", Duration::from_secs(60), has_run);
    demo.signal("INT");
    let ended = demo.until_it_ends(Duration::from_secs(20));
    // It may have been done just before.
    assert!(matches!(ended.code(), Some(0 | 1)), "{}", demo.said());
    assert_eq!(site.tree().into_keys().collect::<Vec<_>>(), ["stderr", "stdout"]);
}
