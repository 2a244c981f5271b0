//! The owner file of a work_dir as earlier versions wrote it.

use std::fs;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::Host;

use crate::stage::{Stage, owner};

#[tokio::test]
async fn an_owner_without_a_word_is_believed_by_its_generation_and_written_anew() {
    let stage = Stage::bare();
    let file = stage.path().join(".daylily-watch/owner");
    fs::create_dir(stage.path().join(".daylily-watch")).expect("it can be made");
    fs::write(&file, "ours 4\n").expect("it can be written");
    let refused = stage.host_of(owner("ours", 3)).own(true).await;
    assert_eq!(refused.expect_err("a later start was here").class, FaultClass::FatalHost);
    let refused = stage.host_of(owner("theirs", 9)).own(true).await;
    assert_eq!(refused.expect_err("it is not theirs").class, FaultClass::FatalHost);
    let host = stage.host_of(owner("ours", 5));
    host.own(true).await.expect("it is a later start of the same database");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "ours 5 start-5\n");
    host.free_space().await.expect("it is ours");
}

#[tokio::test]
async fn what_was_never_a_work_dir_is_not_taken_over() {
    let stage = Stage::bare();
    let fault = stage.host.take_over().await.expect_err("it may not be mounted");
    assert_eq!(fault.class, FaultClass::FatalHost);
    assert!(fault.text.contains("is missing\nhint: is"), "{}", fault.text);
    assert!(fs::metadata(stage.path().join(".daylily-watch")).is_err(), "nothing was made");
}

#[tokio::test]
async fn a_spoilt_owner_is_refused_and_can_be_taken_over() {
    let stage = Stage::new().await;
    fs::write(stage.path().join(".daylily-watch/owner"), "").expect("it can be written");
    let fault = stage.host.own(true).await.expect_err("it cannot be read");
    assert!(fault.text.contains("`daylily-watch adopt here --reason '...'`"), "{}", fault.text);
    assert_eq!(stage.host.take_over().await, Ok(None));
    stage.host.own(true).await.expect("it is ours");
}
