//! What `clean` does to real folders: never more than the case's own, wherever links
//! lead and whatever a job left behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use daylily_lifecycle::ids::AttemptId;
use daylily_watch::adapters::host::job::case_json;
use daylily_watch::adapters::host::record::CaseRecord;
use daylily_watch::adapters::host::{CleanOrder, Cleaned, Host, Job};

use crate::stage::{Holder, Stage};

fn order(job: &Job) -> CleanOrder {
    let record: CaseRecord = serde_json::from_str(&case_json(job)).expect("it is a record");
    CleanOrder {
        attempts: vec![CaseRecord { cleaned_at: "2026-11-20T07:00:00Z".parse().ok(), ..record }],
        intake: job.intake.clone(),
        remote_name: job.remote_name.clone(),
        with_folder: true,
        manifest: String::new(),
        apart: Vec::new(),
        outside: Vec::new(),
    }
}

async fn ran(stage: &Stage) -> (AttemptId, CleanOrder) {
    let attempt = stage.prepared("echo result >out.txt").await;
    stage.run(&attempt).await;
    let order = order(&stage.job(&attempt, ""));
    (attempt, order)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("it is there").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

async fn kept(stage: &Stage, order: &CleanOrder) -> String {
    match stage.host.clean(order).await.expect("it answers") {
        Cleaned::Kept { why } => why,
        done @ Cleaned::Done { .. } => panic!("{done:?}"),
    }
}

async fn done(stage: &Stage, order: &CleanOrder) {
    let cleaned = stage.host.clean(order).await.expect("it answers");
    assert!(matches!(cleaned, Cleaned::Done { .. }), "{cleaned:?}");
}

#[tokio::test]
async fn of_a_cleaned_case_nothing_stays_but_its_record() {
    let stage = Stage::new().await;
    let (attempt, order) = ran(&stage).await;
    let other = stage.prepared("true").await;
    done(&stage, &order).await;
    assert!(!is_there(&stage.path().join("new").join(&order.remote_name)));
    assert_eq!(names(stage.file(&attempt, "").as_path()), ["case.json"]);
    assert!(stage.text(&attempt, "case.json").contains("cleaned_at"));
    assert!(stage.has(&other, "job.sh"), "another case is not touched");
    assert!(is_there(Path::new(&stage.job(&other, "").dir)));
}

#[tokio::test]
async fn what_a_clean_that_was_stopped_has_taken_away_is_removed_by_the_next() {
    let stage = Stage::new().await;
    let (attempt, order) = ran(&stage).await;
    let root = stage.path().join(".daylily-watch");
    fs::remove_file(stage.file(&attempt, "job.sh")).expect("it is there");
    let trash = root.join(format!("removed-{attempt}"));
    fs::rename(stage.path().join("new").join(&order.remote_name), &trash).expect("it is there");
    done(&stage, &order).await;
    assert!(!is_there(&trash));
    assert_eq!(names(stage.file(&attempt, "").as_path()), ["case.json"]);
}

#[tokio::test]
async fn links_are_never_followed_to_what_is_removed() {
    let stage = Stage::new().await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("precious"), "data").expect("it can be written");
    let (_, order) = ran(&stage).await;
    let folder = stage.path().join("new").join(&order.remote_name);
    symlink(elsewhere.path(), folder.join("link")).expect("it can be made");
    done(&stage, &order).await;

    // The case's folder, then that of its intake, is a link by now.
    let (attempt, order) = ran(&stage).await;
    let folder = stage.path().join("new").join(&order.remote_name);
    fs::remove_dir_all(&folder).expect("it is there");
    symlink(elsewhere.path(), &folder).expect("it can be made");
    assert_eq!(kept(&stage, &order).await, "its folder is a symlink or no folder");
    fs::remove_file(&folder).expect("it is there");
    fs::create_dir(elsewhere.path().join(&order.remote_name)).expect("it can be made");
    fs::rename(stage.path().join("new"), stage.path().join("old")).expect("it is there");
    symlink(elsewhere.path(), stage.path().join("new")).expect("it can be made");
    assert_eq!(kept(&stage, &order).await, "the folder of its intake is a symlink");
    assert!(stage.has(&attempt, "job.sh"), "nothing was removed");
    assert_eq!(names(elsewhere.path()), [order.remote_name.as_str(), "precious"]);
}

#[tokio::test]
async fn an_intake_is_never_removed_whatever_it_is_called_on_the_headnode() {
    let stage = Stage::new().await;
    let (_, mut order) = ran(&stage).await;
    let folder = stage.path().join("new").join(&order.remote_name);
    // Another way to the same folder.
    symlink(stage.path(), stage.path().join("way")).expect("it can be made");
    order.apart = vec![stage.path().join("way/new")];
    assert!(kept(&stage, &order).await.starts_with("its folder lies in"));
    order.apart = vec![folder.clone()];
    assert!(kept(&stage, &order).await.ends_with("lies in its folder"));
    fs::create_dir(folder.join("results")).expect("it can be made");
    order.apart = Vec::new();
    order.outside = vec![folder.join("results")];
    assert!(kept(&stage, &order).await.ends_with("lies in its folder"));
    order.outside = vec![stage.path().to_owned()];
    done(&stage, &order).await;
}

#[tokio::test]
async fn a_lock_that_is_held_keeps_everything() {
    let stage = Stage::new().await;
    let (attempt, order) = ran(&stage).await;
    for lock in [
        stage.file(&attempt, "lock"),
        stage.path().join(format!(".daylily-watch/cases/new/{}.lock", order.remote_name)),
    ] {
        let holder = Holder::of(&lock);
        let why = kept(&stage, &order).await;
        assert!(why.contains("still runs") || why.contains("holds its lock"), "{why}");
        drop(holder);
    }
    assert!(stage.has(&attempt, "exit.json"), "nothing was removed");
    done(&stage, &order).await;
}

#[tokio::test]
async fn a_folder_that_is_to_stay_stays() {
    let stage = Stage::new().await;
    let (attempt, mut order) = ran(&stage).await;
    order.with_folder = false;
    done(&stage, &order).await;
    assert!(is_there(&stage.path().join("new").join(&order.remote_name).join("out.txt")));
    assert!(!stage.has(&attempt, "job.sh"));
}

#[tokio::test]
async fn a_job_that_ran_elsewhere_and_left_no_record_keeps_everything() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    let claim = r#"{"by":"job","token":"t","attempt":"a","host":"far","machine_id":"m","boot_id":"b","pid":1,"at":"2026-11-20T06:00:00Z"}"#;
    fs::write(stage.file(&attempt, "claim"), claim).expect("it can be written");
    let order = order(&stage.job(&attempt, ""));
    assert!(kept(&stage, &order).await.contains("ran on another machine"));
    fs::write(stage.file(&attempt, "exit.json"), "{}").expect("it can be written");
    done(&stage, &order).await;
}
