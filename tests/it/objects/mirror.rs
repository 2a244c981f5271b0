//! What is brought here from a store, and what is not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::Progress;
use daylily_watch::adapters::objects::Bucket;
use daylily_watch::adapters::objects::fake::{Call, FakeBucket, Moment};
use daylily_watch::adapters::objects::mirror::inventory::{Scope, inventory};
use daylily_watch::adapters::objects::mirror::{forget, mirror};
use daylily_watch::adapters::objects::name::Prefix;
use daylily_watch::adapters::objects::s3::S3;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::world::{a_folder, export_order, exported, files, mirror_order, mirrored, noise, write};
use crate::contract::objects::rigs::{Rig, fake, moto, s3s_fs};
use crate::servers::s3::{BUCKET, Kind, Store};
use crate::wait::{LIMIT, until};

fn place() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("ws");
    (dir, to)
}

fn there(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// A folder goes there and back, and a second time nothing moves.
async fn there_and_back(rig: Rig) {
    let source = tempfile::tempdir().unwrap();
    let from = source.path().join("results");
    let expected = a_folder(&from);
    let sent = exported(&rig.bucket, &export_order(&from)).await.unwrap();
    assert_eq!((sent.objects, sent.uploaded), (42, 42));
    assert_eq!(sent.left_out, Vec::<String>::new());
    assert_eq!(there(source.path()), ["results"], "the record of uploads is gone");
    let again = exported(&rig.bucket, &export_order(&from)).await.unwrap();
    assert_eq!((again.objects, again.uploaded), (42, 0), "all of it is there");

    let (dir, to) = place();
    let done = mirrored(&rig.bucket, &mirror_order(&to)).await.unwrap();
    assert!(files(&to) == expected, "something is another");
    assert_eq!((done.fetched, done.inventory.objects), (42, 42));
    assert_eq!(done.inventory.bytes, sent.bytes);
    assert!(done.by_checksum >= 41, "{done:?}");
    let again = mirrored(&rig.bucket, &mirror_order(&to)).await.unwrap();
    assert_eq!((again.fetched, again.inventory), (0, done.inventory));
    assert_eq!(there(dir.path()), [".ws.mirror", "ws"]);
    assert_eq!(there(&dir.path().join(".ws.mirror")), ["ledger"]);
    forget(&to).unwrap();
    forget(&to).unwrap();
    assert_eq!(there(dir.path()), ["ws"]);
    let left = rig.bucket.uploads(&Prefix::default()).await.unwrap().unwrap_or_default();
    assert_eq!(left, [], "no upload is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_goes_there_and_back_on_the_fake() {
    there_and_back(fake()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_goes_there_and_back_on_moto() {
    there_and_back(moto()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_goes_there_and_back_on_s3s_fs() {
    there_and_back(s3s_fs()).await;
}

fn fake_with(keys: &[&str]) -> (Arc<FakeBucket>, Arc<dyn Bucket>) {
    let fake = Arc::new(FakeBucket::new());
    for key in keys {
        fake.state().store(key, key.to_string());
    }
    (fake.clone(), fake)
}

#[tokio::test]
async fn sentinels_and_neighbours_are_no_part_of_it_and_folders_of_people_are() {
    let (fake, bucket) = fake_with(&[
        "root/ws/a",
        "root/ws/daylily.ready",
        "root/ws/daylily.lock",
        "root/ws/sub/daylily.ready",
        "root/ws/sample_data/r1",
        "root/ws10/a",
    ]);
    fake.state().store("root/ws/", "");
    fake.state().store("root/ws/empty/", "");
    let (_dir, to) = place();
    let order = mirror_order(&to);
    mirrored(&bucket, &order).await.unwrap();
    let names: Vec<String> = files(&to).into_keys().collect();
    assert_eq!(names, ["a", "sample_data/r1", "sub/daylily.ready"]);
    assert!(to.join("empty").is_dir());
    let (_dir, to) = place();
    let order = daylily_watch::adapters::objects::mirror::MirrorOrder {
        scope: Scope::ManifestOnly,
        ..mirror_order(&to)
    };
    mirrored(&bucket, &order).await.unwrap();
    let names: Vec<String> = files(&to).into_keys().collect();
    assert_eq!(names, ["a", "sub/daylily.ready"]);
}

#[tokio::test]
async fn keys_that_lead_elsewhere_are_refused_before_anything_is_written() {
    for (keys, expected) in [
        (vec!["root/ws/../x"], "has a name that leads elsewhere"),
        (vec!["root/ws/a/../../../x"], "has a name that leads elsewhere"),
        (vec!["root/ws/./x"], "has a name that leads elsewhere"),
        (vec!["root/ws//etc/passwd"], "has an empty name"),
        (vec!["root/ws/a//b"], "has an empty name"),
        (vec!["root/ws/a\nb"], "has a character that cannot be seen"),
        (vec!["root/ws/folder/"], "ends with / and has content"),
        (vec!["root/ws/f", "root/ws/f-x", "root/ws/f/y"], "'f' is a file and a folder too"),
    ] {
        let (fake, bucket) = fake_with(&keys);
        fake.state().store("root/ws/fine", "1");
        let (dir, to) = place();
        let fault = mirrored(&bucket, &mirror_order(&to)).await.expect_err("it is refused");
        assert_eq!(fault.class, FaultClass::FatalCase, "{fault}");
        assert!(fault.text.contains(expected), "{fault}");
        assert!(fault.text.ends_with("hint: rename it, nothing was brought here"), "{fault}");
        assert_eq!(there(dir.path()), Vec::<String>::new(), "{keys:?}");
    }
    let long = format!("root/ws/{}", "x".repeat(256));
    let (_, bucket) = fake_with(&[&long]);
    let told = inventory(&*bucket, &Prefix::new("root/ws"), Scope::All).await.unwrap();
    assert!(told.problems[0].contains("more than 255 bytes"), "{told:?}");
}

#[tokio::test]
async fn what_changes_or_vanishes_under_way_is_told_and_then_brought_as_it_is() {
    let (fake, bucket) = fake_with(&["root/ws/a", "root/ws/b"]);
    let (_dir, to) = place();
    fake.before(Call::Get, |state| {
        state.store("root/ws/a", "another one");
    });
    let fault = mirrored(&bucket, &mirror_order(&to)).await.expect_err("it changed");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert_eq!(fault.text, "s3://fake/root/ws/a changed while it was brought here");
    fake.before(Call::Get, |state| drop(state.objects.remove("root/ws/a")));
    let fault = mirrored(&bucket, &mirror_order(&to)).await.expect_err("it vanished");
    assert_eq!(fault.text, "s3://fake/root/ws/a vanished while it was brought here");
    let done = mirrored(&bucket, &mirror_order(&to)).await.unwrap();
    assert_eq!(files(&to).into_keys().collect::<Vec<_>>(), ["b"]);
    // What was judged is not what is there.
    let mut order = mirror_order(&to);
    order.judged = Some(done.inventory.fingerprint);
    mirrored(&bucket, &order).await.unwrap();
    fake.state().store("root/ws/c", "new");
    let fault = mirrored(&bucket, &order).await.expect_err("there is more by now");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert!(!to.join("c").try_exists().unwrap());
}

#[tokio::test]
async fn what_is_gone_from_the_store_goes_here_and_what_changed_is_brought_again() {
    let (fake, bucket) = fake_with(&["root/ws/a", "root/ws/b", "root/ws/c"]);
    let (_dir, to) = place();
    mirrored(&bucket, &mirror_order(&to)).await.unwrap();
    fake.state().objects.remove("root/ws/a");
    fake.state().store("root/ws/b", "of the same length as before?");
    fs::write(to.join("mine"), "of somebody else").unwrap();
    let done = mirrored(&bucket, &mirror_order(&to)).await.unwrap();
    assert_eq!(done.fetched, 1);
    assert_eq!(files(&to).into_keys().collect::<Vec<_>>(), ["b", "c", "mine"]);
    assert_eq!(fs::read(to.join("b")).unwrap(), b"of the same length as before?");
}

#[tokio::test]
async fn a_broken_line_is_mended_and_a_long_one_told() {
    let (fake, bucket) = fake_with(&[]);
    fake.state().store("root/ws/large", noise(40 << 20, 1));
    let (_dir, to) = place();
    for _ in 0..2 {
        fake.fail(Call::Read, Moment::After, FaultClass::TransientHost);
    }
    mirrored(&bucket, &mirror_order(&to)).await.unwrap();
    assert!(fs::read(to.join("large")).unwrap() == noise(40 << 20, 1));
    forget(&to).unwrap();
    fs::remove_dir_all(&to).unwrap();
    for _ in 0..20 {
        fake.fail(Call::Read, Moment::After, FaultClass::TransientHost);
    }
    let fault = mirrored(&bucket, &mirror_order(&to)).await.expect_err("it breaks always");
    assert_eq!(fault.class, FaultClass::TransientHost);
    assert!(!to.join("large").try_exists().unwrap());
}

#[tokio::test]
async fn what_came_before_a_stop_is_not_brought_again() {
    let (fake, bucket) = fake_with(&[]);
    let content = noise(100 << 20, 1);
    fake.state().store("root/ws/large", content.clone());
    for n in 0..50 {
        fake.state().store(&format!("root/ws/n{n:02}"), format!("{n}"));
    }
    let (dir, to) = place();
    let stop = CancellationToken::new();
    let by_event = stop.clone();
    // After three of the seven ranges, and some of the others, it is dropped.
    for _ in 0..3 {
        fake.before(Call::Read, |_| {});
    }
    fake.before(Call::Read, move |_| by_event.cancel());
    let order =
        daylily_watch::adapters::objects::mirror::MirrorOrder { parallel: 1, ..mirror_order(&to) };
    let stopped = mirror(&bucket, &order, &Progress::default(), &stop).await;
    assert_eq!(stopped.expect_err("it was stopped").class, FaultClass::TransientStep);
    assert!(!to.join("large").try_exists().unwrap());
    assert_eq!(there(&dir.path().join(".ws.mirror")).len(), 2, "a ledger and a part");
    fake.state().calls.clear();
    let done = mirrored(&bucket, &order).await.unwrap();
    let reads = fake.state().calls.iter().filter(|call| **call == Call::Read).count();
    assert!(reads < 7, "{reads} of 7 ranges were read again");
    assert!(done.fetched > 0);
    assert!(fs::read(to.join("large")).unwrap() == content);
}

#[tokio::test]
async fn what_is_not_what_its_checksum_says_gets_no_name() {
    let store = Store::start(Kind::S3sFs);
    let bucket: Arc<dyn Bucket> = Arc::new(store.bucket());
    let source = tempfile::tempdir().unwrap();
    let from = source.path().join("results");
    write(&from, "small", &noise(1000, 1));
    write(&from, "medium", &noise(3 << 20, 2));
    exported(&bucket, &export_order(&from)).await.unwrap();
    for name in ["small", "medium"] {
        let (_dir, to) = place();
        let file = store.file(&format!("root/ws/{name}"));
        let good = fs::read(&file).unwrap();
        let mut bad = good.clone();
        bad[500] ^= 1;
        fs::write(&file, bad).unwrap();
        let fault = mirrored(&bucket, &mirror_order(&to)).await.expect_err("a bit is wrong");
        assert_eq!(fault.class, FaultClass::TransientStep);
        let expected = format!("root/ws/{name} is not what the checksum of the store says");
        assert!(fault.text.ends_with(&expected), "{fault}");
        assert!(!to.join(name).try_exists().unwrap());
        fs::write(&file, good).unwrap();
        mirrored(&bucket, &mirror_order(&to)).await.unwrap();
        assert!(files(&to) == files(&from));
    }
}

const CHILD: &str = "OBJECTS_MIRROR_CHILD";

/// This very test, as a process that is killed, mirrors what its environment says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_half_way_leaves_what_it_has_and_needs_little_memory() {
    #[allow(clippy::disallowed_methods, reason = "this is how the child is told its part")]
    if let Ok(part) = std::env::var(CHILD) {
        return act_as_child(&part).await;
    }
    let store = Store::start(Kind::S3sFs);
    let bucket: Arc<dyn Bucket> = Arc::new(store.bucket());
    let source = tempfile::tempdir().unwrap();
    let from = source.path().join("results");
    for n in 0..1500 {
        write(&from, &format!("d{}/f{n}", n % 20), &noise(1000, n));
    }
    write(&from, "z.bam", &noise(250 << 20, 9999));
    exported(&bucket, &export_order(&from)).await.unwrap();
    let (dir, to) = place();
    let settings = store.settings();
    let credentials = settings.credentials_file.unwrap();
    let part = format!("{}\n{}\n{}", store.endpoint(), credentials.display(), to.display());
    let mut child = spawn(&part);
    let parts = dir.path().join(".ws.mirror");
    let ranges = || {
        let ledger = fs::read_to_string(parts.join("ledger")).unwrap_or_default();
        ledger.lines().filter(|line| line.starts_with("range")).count()
    };
    until("some ranges of the large one are here", LIMIT, || ranges() >= 3);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!to.join("z.bam").try_exists().unwrap(), "it was killed too late to show anything");
    let had = files(&to).len();
    assert!(had >= 1000, "only {had} files came before the large one");
    let second = spawn(&part).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(second.status.success(), "{said}");
    let number = |name: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {said}")).trim().parse().unwrap()
    };
    assert!(number("fetched ") <= 1501 - had as u64, "{said}");
    assert!(number("peak KiB ") < 128 << 10, "{said}");
    assert!(files(&to) == files(&from), "something is another");
}

#[allow(clippy::disallowed_methods, reason = "a process of its own can be killed")]
fn spawn(part: &str) -> std::process::Child {
    let name = "objects::mirror::a_process_that_is_killed_half_way_leaves_what_it_has_and_needs_little_memory";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(CHILD, part);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

async fn act_as_child(part: &str) {
    let mut lines = part.lines();
    let mut next = || lines.next().unwrap().to_owned();
    let settings = daylily_watch::adapters::objects::s3::Settings {
        profile: Some("test".to_owned()),
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(next()),
        path_style: true,
        credentials_file: Some(next().into()),
        ..Default::default()
    };
    let to = std::path::PathBuf::from(next());
    let bucket: Arc<dyn Bucket> = Arc::new(S3::new(settings).bucket(BUCKET));
    let done = mirrored(&bucket, &mirror_order(&to)).await.unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB");
    #[allow(clippy::print_stdout, reason = "this is what the parent reads")]
    {
        println!("\nfetched {}\npeak KiB {peak}", done.fetched);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_comes_in_a_second_than_may() {
    use daylily_lifecycle::ids::ByteCount;
    use daylily_watch::adapters::objects::pace::Pace;
    use daylily_watch::clock::FakeClock;
    let (_, bucket) = fake_with(&[]);
    let fake = Arc::new(FakeBucket::new());
    for n in 0..10 {
        fake.state().store(&format!("root/ws/{n}"), noise(100_000, n));
    }
    drop(bucket);
    let bucket: Arc<dyn Bucket> = fake;
    let (_dir, to) = place();
    let mut order = mirror_order(&to);
    let clock = FakeClock::new("2026-11-20T06:00:00Z".parse().unwrap());
    order.pace = Arc::new(Pace::new(Arc::new(clock), Some(ByteCount(100_000))));
    #[allow(clippy::disallowed_methods, reason = "what is measured is tokio's own time")]
    let begun = tokio::time::Instant::now();
    mirrored(&bucket, &order).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
}
