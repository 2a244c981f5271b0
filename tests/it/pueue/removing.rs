//! What is taken out of the list, and what never is.

use daylily_lifecycle::outcome::{FaultClass, QueueWord};
use daylily_watch::adapters::queue::Queue;

use super::ground::Ground;
use crate::stage::{carriers, entry, new_attempt};

#[tokio::test]
async fn entries_that_wait_or_are_over_go_and_others_stay() {
    let ground = Ground::new().await;
    let running = ground.running("sleep 1000").await;
    let over = ground.stage.prepared("true").await;
    ground.add(&over).await.expect("it is added");
    ground.until_says(&over, QueueWord::Done).await;
    ground.pueued.must(&["pause", "--wait", "--group", "default"]);
    let (queued, stashed) =
        (ground.stage.prepared("true").await, ground.stage.prepared("true").await);
    for attempt in [&queued, &stashed, &queued] {
        ground.add(attempt).await.expect("it is added");
    }
    let id = ground.pueued.labelled(stashed.as_str())[0].0.clone();
    ground.pueued.must(&["stash", &id]);
    let theirs = ground.pueued.add("theirs", "true");
    let kept = ground.stage.prepared("true").await;
    ground.add(&kept).await.expect("it is added");

    let all = [running.clone(), over, queued, stashed, new_attempt()];
    for _ in 0..2 {
        ground.queue.remove(&all).await.expect("absent is success");
        let look = ground.look().await;
        let mut left = vec![running.clone(), kept.clone()];
        left.sort();
        assert_eq!(look.words.into_keys().collect::<Vec<_>>(), left);
        assert_eq!(look.entries, 3);
    }
    assert_eq!(ground.pueued.labelled("theirs")[0].0, theirs);
    assert_eq!(ground.says(&running).await, QueueWord::Running);
    assert!(!carriers(&running).is_empty());
}

#[tokio::test]
async fn a_label_that_another_begins_with_is_another() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    let longer = ground.pueued.add(&format!("{attempt}x"), "true");
    ground.queue.remove(&[attempt]).await.expect("it waits");
    assert_eq!(ground.look().await.entries, 1);
    assert!(ground.pueued.list()["tasks"].get(&longer).is_some());
}

#[tokio::test]
async fn a_text_that_looks_like_an_id_is_none() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    let theirs = ground.pueued.add("theirs", "true");
    let label = format!("--label={attempt}");
    let text = format!("echo '\"{theirs}\":{{\"id\":{theirs},'");
    ground.pueued.must(&["add", &label, "--", &text]);
    ground.queue.remove(&[attempt]).await.expect("they wait");
    let left = ground.pueued.list()["tasks"].as_object().unwrap().clone();
    assert_eq!(left.keys().collect::<Vec<_>>(), [&theirs]);
}

#[tokio::test]
async fn a_client_that_asks_whether_one_is_sure_is_told_yes() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    let config = std::fs::read_to_string(ground.pueued.config()).unwrap();
    let asking = config.replace("client: {}", "client: {show_confirmation_questions: true}");
    assert_ne!(config, asking);
    std::fs::write(ground.pueued.config(), asking).unwrap();
    ground.queue.remove(std::slice::from_ref(&attempt)).await.expect("it is taken out");
    assert_eq!(ground.says(&attempt).await, QueueWord::Absent);
}

#[tokio::test]
async fn what_others_wait_for_stays_and_that_is_no_trouble() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    ground.pueued.must(&["add", "--after", "0", "--", "true"]);
    ground.queue.remove(std::slice::from_ref(&attempt)).await.expect("it may stay");
    assert_eq!(ground.says(&attempt).await, QueueWord::Waiting);
}

#[tokio::test]
async fn a_list_that_is_not_understood_takes_nothing_out() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    for list in ["[]", "{\"tasks\":[{\"id\":0}]}", "{\"tasks\":{\"0\":{\"number\":0}}}"] {
        let script = format!("[ \"$1\" = status ] || exec \"$real\" \"$@\"; echo '{list}'");
        let queue = ground.queue_by_script(&script);
        let fault = queue.remove(std::slice::from_ref(&attempt)).await.expect_err("it is odd");
        assert_eq!(fault.class, FaultClass::TransientHost, "{fault}");
        assert_eq!(ground.says(&attempt).await, QueueWord::Waiting);
    }
    // The key and the id in it have to be the same.
    let script =
        "[ \"$1\" = status ] || exec \"$real\" \"$@\"; echo '{\"tasks\":{\"1\":{\"id\":0,'";
    let queue = ground.queue_by_script(script);
    assert!(queue.remove(std::slice::from_ref(&attempt)).await.is_err());
    assert_eq!(ground.says(&attempt).await, QueueWord::Waiting);
    assert!(ground.queue.add(&[entry(&attempt)]).await.remove(0).is_ok());
}
