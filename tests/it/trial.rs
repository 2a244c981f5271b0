//! A job that is tried: what it comes to, and that nothing of it is left, however it went.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::{GroupName, HeadnodeName};
use daylily_watch::adapters::host::local::LocalShell;
use daylily_watch::adapters::host::shell::Shell;
use daylily_watch::adapters::host::trial::{
    CameTo, Trial, TrialGround, TrialOrder, TrialPlace, Tried,
};
use daylily_watch::adapters::queue::direct::Direct;
use daylily_watch::clock::SystemClock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::stage::carriers;
use crate::wait::{LIMIT, until};

fn order(command: &str) -> TrialOrder {
    TrialOrder {
        group: GroupName::new("default"),
        shell: vec!["sh".to_owned(), "-c".to_owned()],
        setup: Some("LEVEL=3".to_owned()),
        command: command.to_owned(),
        env: BTreeMap::from([("COLOUR".to_owned(), "it's blue".to_owned())]),
        begin: LIMIT,
        run: LIMIT,
    }
}

/// Tries it in a folder of its own, which must be as it was afterwards.
async fn tried(order: TrialOrder, stop: &CancellationToken) -> Tried {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let tried = trial_in(&dir).run(&order, stop).await.expect("it can be begun");
    let left: Vec<_> = fs::read_dir(dir.path()).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
    tried
}

fn trial_in(dir: &TempDir) -> Trial<Arc<dyn Shell>> {
    let shell: Arc<dyn Shell> = Arc::new(LocalShell::new(&[], &BTreeMap::new()));
    let folder = dir.path().to_string_lossy();
    let place = TrialPlace::new(
        shell,
        HeadnodeName::new("here"),
        &folder,
        &ulid::Ulid::generate().to_string(),
    );
    let queue = Arc::new(Direct::new(place.work_dir().clone()));
    let ground = TrialGround {
        headnode: HeadnodeName::new("here"),
        path: Vec::new(),
        env: BTreeMap::new(),
        umask: 0o027,
    };
    Trial::new(place, ground, queue, None, Arc::new(SystemClock))
}

#[tokio::test]
async fn one_that_ends_tells_its_code_and_its_last_words() {
    let command = "echo \"$LEVEL $COLOUR $(umask)\"; touch made; exit 3";
    let tried = tried(order(command), &CancellationToken::new()).await;
    assert_eq!(tried.came_to, CameTo::Ended { code: Some(3) });
    assert_eq!(tried.said.trim(), "3 it's blue 0027");
    assert_eq!(tried.left, None);
}

#[tokio::test]
async fn one_that_does_not_end_in_time_is_ended_with_all_that_it_started() {
    let command = "echo begun; setsid sleep 1000 & trap '' TERM; sleep 1000; sleep 1000";
    let order = TrialOrder { run: Duration::from_millis(500), ..order(command) };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let trial = trial_in(&dir);
    let label = trial.label().clone();
    let tried = trial.run(&order, &CancellationToken::new()).await.expect("it can be begun");
    assert_eq!(tried.came_to, CameTo::TookTooLong);
    assert_eq!((tried.said.trim(), tried.left), ("begun", None));
    until("all of it is gone", LIMIT, || carriers(&label).is_empty());
    assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
}

#[tokio::test]
async fn one_that_is_broken_off_is_ended_and_cleared_away() {
    let stop = CancellationToken::new();
    stop.cancel();
    let tried = tried(order("sleep 1000"), &stop).await;
    assert_eq!((tried.came_to, tried.left), (CameTo::Stopped, None));
}

#[tokio::test]
async fn one_that_cannot_be_begun_leaves_nothing_either() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let order = TrialOrder { shell: Vec::new(), ..order("true") };
    let fault = trial_in(&dir).run(&order, &CancellationToken::new()).await;
    let fault = fault.expect_err("there is no shell to run it");
    assert!(fault.text.contains("no shell is configured"), "{fault}");
    assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
}
