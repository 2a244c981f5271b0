//! What the list says, and what is said where there is none to be understood.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use daylily_lifecycle::ids::{GroupName, TaskId};
use daylily_lifecycle::outcome::{FaultClass, QueueWord};
use daylily_watch::adapters::queue::pueue::PueueSettings;
use daylily_watch::adapters::queue::{GroupLook, Queue, QueueLook, Word};

use super::ground::Ground;

#[tokio::test]
async fn the_word_follows_the_entry() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("until [ -e go ]; do sleep 0.05; done").await;
    assert_eq!(ground.says(&attempt).await, QueueWord::Waiting);
    ground.pueued.must(&["start", "--group", "default"]);
    ground.until_says(&attempt, QueueWord::Running).await;
    // A process that was stopped is there all the same.
    ground.pueued.must(&["pause", "0"]);
    assert_eq!(
        ground.pueued.labelled(attempt.as_str())[0].1["status"]["Running"],
        serde_json::Value::Null
    );
    assert_eq!(ground.says(&attempt).await, QueueWord::Running);
    ground.pueued.must(&["start", "0"]);
    fs::write(format!("{}/go", ground.stage.job(&attempt, "").dir), "").unwrap();
    ground.until_says(&attempt, QueueWord::Done).await;
    ground.pueued.must(&["clean"]);
    assert_eq!(ground.says(&attempt).await, QueueWord::Absent);
}

#[tokio::test]
async fn groups_entries_and_copies_are_counted() {
    let ground = Ground::new().await;
    ground.pueued.must(&["group", "add", "--parallel", "3", "gpu_a"]);
    let attempt = ground.waiting("true").await;
    ground.add(&attempt).await.expect("it is added");
    ground.pueued.add("theirs", "true");
    let look = ground.look().await;
    let group = |paused, places| GroupLook { paused, places };
    let groups =
        [(GroupName::new("default"), group(true, 10)), (GroupName::new("gpu_a"), group(false, 3))];
    assert_eq!(look.groups, Some(groups.into()));
    assert_eq!(look.entries, 3);
    let word = Word { says: QueueWord::Waiting, task: Some(TaskId::new("0")), copies: 2 };
    assert_eq!(look.words, [(attempt, word)].into());
}

#[tokio::test]
async fn an_instance_is_one_run_of_the_daemon() {
    let mut ground = Ground::new().await;
    let first = ground.look().await.instance.expect("our configuration tells it from others");
    assert!(first.starts_with(&format!("{} ", ground.pueued.pid())), "{first}");
    assert_eq!(ground.look().await.instance.as_ref(), Some(&first));
    ground.pueued.kill_9();
    ground.pueued.start_again();
    let second = ground.look().await.instance.expect("it is told");
    assert_ne!(first, second);
}

#[tokio::test]
async fn the_version_is_the_clients() {
    let ground = Ground::new().await;
    assert_eq!(ground.queue.version().await, Ok(Some("4.0.4".to_owned())));
    let old = ground.queue_by_script("echo 'pueue 3.4.1'");
    assert_eq!(old.version().await, Ok(Some("3.4.1".to_owned())));
    let odd = ground.queue_by_script("echo hello");
    let fault = odd.version().await.expect_err("that is no version");
    assert!(fault.text.contains("hello"), "{fault}");
}

/// A client whose list is what this script prints, the first time and after that.
fn twice(first: &str, then: &str) -> String {
    format!(
        "mark=$(dirname \"$0\")/asked; [ -e \"$mark\" ] && {{ {then}; exit 0; }}; : >\"$mark\"; {first}"
    )
}

#[tokio::test]
async fn a_list_cut_off_once_is_asked_for_again() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    for once in ["\"$real\" \"$@\" | head -c 100", "true", "echo nonsense", "echo '{\"tasks\":3}'"]
    {
        let queue = ground.queue_by_script(&twice(once, "exec \"$real\" \"$@\""));
        let _ = fs::remove_file(ground.pueued.path("stand-in/asked"));
        let look = queue.look().await.expect("the second is whole");
        assert!(look.words.contains_key(&attempt), "{once}: {look:?}");
    }
    assert!(fs::metadata(ground.kept()).is_err());
}

#[tokio::test]
async fn a_list_that_stays_odd_is_kept_and_named() {
    let ground = Ground::new().await;
    for (says, why) in [
        ("{\"jobs\":[1]}", "no list of tasks"),
        ("{\"tasks\":{\"7\":{\"label\":\"dw-a\"}}}", "entry 7, which is ours, has no status"),
        ("{\"tasks\":{", "no JSON"),
    ] {
        let queue = ground.queue_by_script(&format!("echo '{says}'"));
        let fault = queue.look().await.expect_err("nobody understands it");
        assert_eq!(fault.class, FaultClass::FatalHost, "{fault}");
        assert!(fault.text.contains(why), "{fault}");
        let kept = ground.kept();
        assert!(fault.text.contains(&kept.display().to_string()), "{fault}");
        assert_eq!(fs::read_to_string(&kept).unwrap().trim(), says);
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_kept_is_odd_all_the_same() {
    let ground = Ground::new().await;
    fs::write(ground.pueued.path("state"), "a file in its place").unwrap();
    let fault = ground.queue_by_script("echo nonsense").look().await.expect_err("it is odd");
    assert_eq!(fault.class, FaultClass::FatalHost);
    assert!(fault.text.contains("could not be kept"), "{fault}");
}

fn with_most(ground: &Ground, list_max: usize) -> super::ground::Way {
    let mut way = ground.way();
    way.settings = PueueSettings { list_max, ..way.settings };
    way
}

#[tokio::test]
async fn others_cannot_make_the_list_too_long_to_see_ours() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    for _ in 0..5 {
        ground.pueued.add("theirs", &format!("true {}", "x".repeat(2000)));
    }
    let queue = ground.queue_by(with_most(&ground, 8 << 10));
    for _ in 0..2 {
        let look = queue.look().await.expect("ours alone are few");
        assert!(look.words.into_keys().eq([attempt.clone()]));
        assert_eq!(look.entries, 1);
    }
    let tiny = ground.queue_by(with_most(&ground, 800));
    let fault = tiny.look().await.expect_err("even ours are too many");
    assert_eq!(fault.class, FaultClass::FatalHost);
    assert!(fault.text.contains("more than 800 bytes"), "{fault}");
}

#[tokio::test]
async fn the_real_list_is_read_as_pueue_prints_it() {
    let ground = Ground::new().await;
    let bytes = ground.pueued.must(&["status", "--json"]);
    let look = daylily_watch::adapters::queue::pueue::document::read(bytes.as_bytes());
    let groups = [(GroupName::new("default"), GroupLook { paused: false, places: 10 })];
    assert_eq!(look, Ok(QueueLook { groups: Some(groups.into()), ..QueueLook::default() }));
}
