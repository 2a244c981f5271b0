//! What is brought to a store, and what becomes of it when that is interrupted.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::Progress;
use daylily_watch::adapters::objects::Bucket;
use daylily_watch::adapters::objects::export::export;
use daylily_watch::adapters::objects::fake::{Call, FakeBucket, Moment};
use daylily_watch::adapters::objects::name::{Key, Prefix};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::world::{export_order, exported, noise, write};
use crate::contract::objects::rigs::{Rig, fake, moto, s3s_fs};

struct Ground {
    dir: TempDir,
    from: std::path::PathBuf,
    fake: Arc<FakeBucket>,
    bucket: Arc<dyn Bucket>,
}

fn ground() -> Ground {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("results");
    fs::create_dir(&from).unwrap();
    let fake = Arc::new(FakeBucket::new());
    Ground { from, dir, bucket: fake.clone(), fake }
}

/// Stopped in the middle of an upload, and begun again.
async fn interrupted(rig: Rig) {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("results");
    write(&from, "a", b"1");
    write(&from, "large", &noise(20 << 20, 1));
    let upload = rig.bucket.begin_upload(&Key::new("root/ws/large"), &Default::default()).await;
    let upload = upload.unwrap();
    rig.bucket.put_part(&upload, 1, noise(5 << 20, 2).into()).await.unwrap();
    // As a process that was killed then has left it.
    let line = format!("{}\t{}\n", upload.id, upload.key);
    fs::write(dir.path().join(".results.uploads"), line).unwrap();
    let done = exported(&rig.bucket, &export_order(&from)).await.unwrap();
    assert_eq!(done.uploaded, 2);
    let left = rig.bucket.uploads(&Prefix::default()).await.unwrap();
    assert_eq!(left, rig.facts.lists_uploads.then(Vec::new));
    assert!(rig.bucket.put_part(&upload, 1, noise(9, 2).into()).await.is_err(), "it is over");
    assert!(!dir.path().join(".results.uploads").try_exists().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_a_crash_has_left_is_given_up_on_the_fake() {
    interrupted(fake()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_a_crash_has_left_is_given_up_on_moto() {
    interrupted(moto()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_a_crash_has_left_is_given_up_on_s3s_fs() {
    interrupted(s3s_fs()).await;
}

#[tokio::test]
async fn a_stop_at_any_call_leaves_nothing_that_the_next_try_does_not_mend() {
    let (large, mut ended) = (noise(17 << 20, 9), 0);
    // The last of these are not stopped any more.
    for stopped_at in 0..20 {
        let ground = ground();
        for n in 0..5 {
            write(&ground.from, &format!("f{n}"), &noise(100, n));
        }
        write(&ground.from, "large", &large);
        // Of others, under the same prefix.
        let theirs = Key::new("root/ws/theirs");
        ground.bucket.begin_upload(&theirs, &Default::default()).await.unwrap();
        ground.fake.state().steps = true;
        let stop = CancellationToken::new();
        let order = export_order(&ground.from);
        let progress = Progress::default();
        let mut run = Box::pin(export(&ground.bucket, &order, &progress, &stop));
        let begun = ground.fake.state().calls.len();
        let mut over = false;
        while ground.fake.state().calls.len() < begun + stopped_at && !over {
            tokio::select! {
                biased;
                _ = &mut run => over = true,
                () = tokio::task::yield_now() => {}
            }
        }
        drop(run);
        ended += usize::from(over);
        ground.fake.state().steps = false;
        exported(&ground.bucket, &order).await.unwrap();
        let state = ground.fake.state();
        let left: Vec<_> = state.uploads.values().map(|begun| begun.key.clone()).collect();
        assert_eq!(left, ["root/ws/theirs"], "stopped at {stopped_at}");
        assert_eq!(state.objects.len(), 6);
        assert!(state.objects["root/ws/large"].bytes == large);
    }
    assert!((1..10).contains(&ended), "{ended} were not stopped at all");
}

#[tokio::test]
async fn what_is_there_is_known_by_its_content() {
    let ground = ground();
    write(&ground.from, "same", b"1");
    write(&ground.from, "other", b"2");
    write(&ground.from, "large", &noise(20 << 20, 1));
    exported(&ground.bucket, &export_order(&ground.from)).await.unwrap();
    ground.fake.state().store("root/ws/other", "3");
    ground.fake.state().store("root/ws/of-others", "4");
    let again = exported(&ground.bucket, &export_order(&ground.from)).await.unwrap();
    assert_eq!(again.uploaded, 1);
    assert_eq!(ground.fake.state().text("root/ws/other").as_deref(), Some("2"));
    assert_eq!(ground.fake.state().text("root/ws/of-others").as_deref(), Some("4"), "it stays");
}

#[tokio::test]
async fn lost_answers_are_no_loss() {
    for (call, class) in [
        (Call::Put, FaultClass::Ambiguous),
        (Call::PutPart, FaultClass::TransientHost),
        (Call::CompleteUpload, FaultClass::Ambiguous),
        (Call::Head, FaultClass::TransientHost),
    ] {
        let ground = ground();
        write(&ground.from, "small", b"1");
        write(&ground.from, "large", &noise(20 << 20, 1));
        ground.fake.fail(call, Moment::After, class);
        exported(&ground.bucket, &export_order(&ground.from)).await.unwrap();
        let state = ground.fake.state();
        assert!(state.objects["root/ws/large"].bytes == noise(20 << 20, 1), "{call:?}");
        assert!(state.uploads.is_empty(), "{call:?}");
    }
    // A completion that did not happen.
    let ground = ground();
    write(&ground.from, "large", &noise(20 << 20, 1));
    ground.fake.fail(Call::CompleteUpload, Moment::Before, FaultClass::Ambiguous);
    let fault = exported(&ground.bucket, &export_order(&ground.from)).await.expect_err("it is not");
    assert_eq!(fault.class, FaultClass::Ambiguous);
    assert!(ground.fake.state().uploads.is_empty(), "it was given up");
    exported(&ground.bucket, &export_order(&ground.from)).await.unwrap();
}

#[tokio::test]
async fn what_is_not_what_was_sent_is_told() {
    for (event, expected) in [
        ("gone", "root/ws/a is not there after it was uploaded"),
        ("other", "root/ws/a is another version than the one that was uploaded"),
        ("short", "root/ws/a has 0 bytes after 1 byte were uploaded"),
    ] {
        let ground = ground();
        write(&ground.from, "a", b"1");
        // The second list is that of the verification.
        ground.fake.before(Call::List, |_| {});
        ground.fake.before(Call::List, move |state| match event {
            "gone" => drop(state.objects.remove("root/ws/a")),
            "other" => drop(state.store("root/ws/a", "2")),
            _ => drop(state.store("root/ws/a", "")),
        });
        let fault = exported(&ground.bucket, &export_order(&ground.from)).await.expect_err(event);
        assert_eq!(fault.class, FaultClass::TransientStep);
        assert!(fault.text.ends_with(expected), "{fault}");
    }
}

#[tokio::test]
async fn links_that_lead_out_and_names_of_sentinels_are_left_out_and_told() {
    let ground = ground();
    write(&ground.from, "d/a", b"1");
    write(&ground.from, "daylily.complete", b"of the pipeline");
    fs::write(ground.dir.path().join("secret"), "2").unwrap();
    symlink("d/a", ground.from.join("inside")).unwrap();
    symlink("../secret", ground.from.join("outside")).unwrap();
    symlink("nowhere", ground.from.join("dangling")).unwrap();
    symlink("d", ground.from.join("folder")).unwrap();
    let done = exported(&ground.bucket, &export_order(&ground.from)).await.unwrap();
    let keys: Vec<String> = ground.fake.state().objects.keys().cloned().collect();
    assert_eq!(keys, ["root/ws/d/a", "root/ws/inside"]);
    let no_file = "the link leads to no file of this folder";
    assert_eq!(
        done.left_out,
        [
            format!("dangling: {no_file}"),
            "daylily.complete: it is named like a sentinel".to_owned(),
            format!("folder: {no_file}"),
            format!("outside: {no_file}"),
        ]
    );
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_told() {
    let ground = ground();
    write(&ground.from, "large", &noise(20 << 20, 1));
    let path = ground.from.join("large");
    ground.fake.before(Call::PutPart, move |_| {
        fs::write(&path, noise(20 << 20, 2)).unwrap();
    });
    let fault = exported(&ground.bucket, &export_order(&ground.from)).await.expect_err("it did");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert!(fault.text.ends_with("large changed while it was uploaded"), "{fault}");
    assert!(ground.fake.state().objects.is_empty());
    assert!(ground.fake.state().uploads.is_empty());
}
