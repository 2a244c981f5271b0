//! Groups that are made and started.

use daylily_lifecycle::ids::GroupName;
use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::queue::{GroupLook, Queue};

use super::ground::{Ground, in_group};

fn named(name: &str, places: u32) -> (GroupName, u32) {
    (GroupName::new(name), places)
}

async fn group(ground: &Ground, name: &str) -> Option<GroupLook> {
    ground.look().await.groups.expect("it has groups").get(&GroupName::new(name)).copied()
}

#[tokio::test]
async fn what_is_there_stays_as_it_is() {
    let ground = Ground::new().await;
    let wanted = [named("default", 3), named("gpu_a", 2), named("gpu.b-1", 1)];
    for _ in 0..2 {
        ground.queue.create_groups(&wanted).await.expect("it may be repeated");
        for (name, places) in [("default", 10), ("gpu_a", 2), ("gpu.b-1", 1)] {
            let look = GroupLook { paused: false, places };
            assert_eq!(group(&ground, name).await, Some(look), "{name}");
        }
    }
    let attempt = ground.stage.prepared("true").await;
    let added = ground.queue.add(&[in_group(&attempt, "gpu.b-1")]).await.remove(0);
    assert!(added.is_ok(), "{added:?}");
}

#[tokio::test]
async fn paused_ones_are_started_and_others_are_left() {
    let ground = Ground::new().await;
    ground.pueued.must(&["group", "add", "gpu_a"]);
    for name in ["default", "gpu_a"] {
        ground.pueued.must(&["pause", "--group", name]);
    }
    for _ in 0..2 {
        ground.queue.start_groups(&[GroupName::new("gpu_a")]).await.expect("it may be repeated");
        assert!(!group(&ground, "gpu_a").await.expect("it is there").paused);
        assert!(group(&ground, "default").await.expect("it is there").paused);
    }
    let fault = ground.queue.start_groups(&[GroupName::new("nope")]).await.expect_err("none");
    assert_eq!(fault.class, FaultClass::NeedsPerson);
    assert!(fault.text.contains("no group nope"), "{fault}");
}

#[tokio::test]
async fn nothing_asked_is_nothing_done() {
    let mut ground = Ground::new().await;
    ground.pueued.kill_9();
    ground.queue.create_groups(&[]).await.expect("there is nothing to do");
    ground.queue.start_groups(&[]).await.expect("there is nothing to do");
    ground.queue.remove(&[]).await.expect("there is nothing to do");
    assert!(ground.queue.add(&[]).await.is_empty());
}
