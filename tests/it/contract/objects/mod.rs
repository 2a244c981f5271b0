//! What every store does, as functions over a [`Rig`]. Where real ones differ the rig says
//! it as a fact, and the suite holds them to that too.

pub(crate) mod rigs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bytes::Bytes;
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::objects::name::{ETag, Key, Prefix};
use daylily_watch::adapters::objects::probe::{Heeds, probe};
use daylily_watch::adapters::objects::s3::Checksums;
use daylily_watch::adapters::objects::{
    Bucket, Checksum, Condition, Deleted, Head, Listing, Meta, Page, Put, Reading, Stored, walk,
};
use futures_util::{StreamExt as _, stream};
use rigs::Rig;

const MANY: ByteCount = ByteCount(1 << 20);

fn key(text: &str) -> Key {
    Key::new(text)
}

async fn store(bucket: &dyn Bucket, name: &str, body: impl Into<Bytes>) -> ETag {
    match bucket.put(&Put::new(key(name), body, Condition::Always)).await.expect("it is written") {
        Stored::Yes(etag) => etag,
        other => panic!("{name}: {other:?}"),
    }
}

async fn text(bucket: &dyn Bucket, name: &str) -> Option<String> {
    let whole = bucket.get(&key(name), MANY).await.expect("the store answers")?;
    Some(String::from_utf8(whole.bytes.to_vec()).expect("it is text"))
}

async fn meta(bucket: &dyn Bucket, name: &str) -> Meta {
    match bucket.head(&key(name)).await.expect("the store answers") {
        Head::Found(meta) => meta,
        other => panic!("{name}: {other:?}"),
    }
}

async fn all(bucket: &dyn Bucket, what: &Listing) -> (Vec<String>, Vec<String>) {
    let (mut objects, mut folders) = (Vec::new(), Vec::new());
    walk(bucket, what, |page| {
        assert!(page.objects.len() + page.folders.len() <= 1000, "a page is no longer");
        objects.extend(page.objects.iter().map(|object| object.key.to_string()));
        folders.extend(page.folders.iter().map(Prefix::to_string));
        Ok(())
    })
    .await
    .expect("the store answers");
    (objects, folders)
}

async fn bytes(reading: Reading) -> Result<Vec<u8>, Fault> {
    let Reading::Bytes(mut chunks) = reading else { panic!("there is nothing to read") };
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn class<T: Debug>(answer: Result<T, Fault>) -> FaultClass {
    answer.expect_err("it is refused").class
}

async fn what_is_put_is_got_and_told(rig: &Rig) {
    let bucket = &*rig.bucket;
    assert_eq!(text(bucket, "a/one").await, None);
    assert_eq!(bucket.head(&key("a/one")).await.unwrap(), Head::Missing);
    let metadata = BTreeMap::from([("daylily-attempt".to_owned(), "dw-1".to_owned())]);
    let put = Put { metadata: metadata.clone(), ..Put::new(key("a/one"), "1", Condition::Always) };
    let Stored::Yes(etag) = bucket.put(&put).await.unwrap() else { panic!("it is written") };
    assert_eq!(text(bucket, "a/one").await.as_deref(), Some("1"));
    let told = meta(bucket, "a/one").await;
    assert_eq!((told.size, told.etag, told.metadata), (ByteCount(1), etag, metadata));
    let crc32 = rig.facts.tells_checksums.then(|| Checksum::Crc32("g9zvtw==".to_owned()));
    assert_eq!(told.checksum, crc32);
}

async fn a_put_replaces_and_its_version_is_another_one(rig: &Rig) {
    let first = store(&*rig.bucket, "a", "1").await;
    let second = store(&*rig.bucket, "a", "2").await;
    assert_ne!(first, second);
    assert_eq!(text(&*rig.bucket, "a").await.as_deref(), Some("2"));
}

async fn more_than_may_be_read_is_not_read(rig: &Rig) {
    store(&*rig.bucket, "a", "12345").await;
    let fault = rig.bucket.get(&key("a"), ByteCount(4)).await.expect_err("it is too long");
    assert_eq!(fault.class, FaultClass::FatalCase);
    assert!(fault.text.ends_with("/a has 5 bytes and may have 4 bytes"), "{}", fault.text);
    assert!(rig.bucket.get(&key("a"), ByteCount(5)).await.unwrap().is_some());
}

async fn a_prefix_is_a_folder_and_not_the_start_of_a_name(rig: &Rig) {
    let bucket = &*rig.bucket;
    for name in ["in/ws1/a", "in/ws1/b/c", "in/ws10/a", "in/ws1.txt", "other"] {
        store(bucket, name, name).await;
    }
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    let ws1 = Prefix::new("in/ws1");
    let (objects, folders) = all(bucket, &Listing::all(&ws1)).await;
    assert_eq!((objects, folders), (names(&["in/ws1/a", "in/ws1/b/c"]), vec![]));
    let (objects, folders) = all(bucket, &Listing::one_level(&Prefix::new("in"))).await;
    assert_eq!((objects, folders), (names(&["in/ws1.txt"]), names(&["in/ws1/", "in/ws10/"])));
    let (objects, _) = all(bucket, &Listing::all(&Prefix::default())).await;
    assert_eq!(objects.len(), 5);
    assert_eq!(all(bucket, &Listing::all(&Prefix::new("in/ws"))).await, (vec![], vec![]));
    let starts = Listing { starts: "ws1.".to_owned(), ..Listing::one_level(&Prefix::new("in")) };
    assert_eq!(all(bucket, &starts).await.0, names(&["in/ws1.txt"]));
}

async fn more_than_a_thousand_are_listed_page_by_page(rig: &Rig) {
    let names: Vec<String> = (0..1203).map(|n| format!("ws/{n:05}/x")).collect();
    let puts = names.iter().map(|name| store(&*rig.bucket, name, "x"));
    stream::iter(puts).buffer_unordered(16).collect::<Vec<_>>().await;
    let first = rig.bucket.list(&Listing::all(&Prefix::new("ws")), None).await.unwrap();
    assert_eq!((first.objects.len(), first.next.is_some()), (1000, true));
    let all_of_them = all(&*rig.bucket, &Listing::all(&Prefix::new("ws"))).await.0;
    assert_eq!(all_of_them, names);
    let (objects, folders) = all(&*rig.bucket, &Listing::one_level(&Prefix::new("ws"))).await;
    let folders: BTreeSet<String> = folders.into_iter().collect();
    assert_eq!((objects.len(), folders.len()), (0, 1203));
}

async fn a_list_tells_size_and_version(rig: &Rig) {
    let etag = store(&*rig.bucket, "a/x", "12345").await;
    let page: Page = rig.bucket.list(&Listing::all(&Prefix::new("a")), None).await.unwrap();
    let listed = &page.objects[0];
    assert_eq!(listed.size, ByteCount(5));
    assert_eq!(listed.etag, rig.facts.lists_etags.then_some(etag));
}

async fn odd_names_are_what_they_are(rig: &Rig) {
    let odd = ["a b", "a+b", "a%2Fb", "ä€𝄞", "a&<>\"'b", "-a", "a?b#c", "a\\b", "a=b,c;d:e@f"];
    let names = odd.iter().chain(rig.facts.odder_names);
    let names: BTreeSet<String> = names.map(|name| format!("odd/{name}")).collect();
    for name in &names {
        store(&*rig.bucket, name, name.clone()).await;
    }
    let listed = all(&*rig.bucket, &Listing::all(&Prefix::new("odd"))).await.0;
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names);
    for name in &names {
        assert_eq!(text(&*rig.bucket, name).await.as_ref(), Some(name));
        assert_eq!(meta(&*rig.bucket, name).await.size.0, name.len() as u64);
        rig.bucket.delete(&key(name), None).await.unwrap();
    }
    assert_eq!(all(&*rig.bucket, &Listing::all(&Prefix::default())).await.0.len(), 0);
}

async fn a_range_of_a_version_is_read(rig: &Rig) {
    let etag = store(&*rig.bucket, "a", "0123456789").await;
    let read = async |first, length| {
        bytes(rig.bucket.read(&key("a"), &etag, first, length).await.unwrap()).await.unwrap()
    };
    assert_eq!(read(0, 10).await, b"0123456789");
    assert_eq!(read(3, 4).await, b"3456");
    assert_eq!(read(8, 4).await, b"89", "it ends where the object ends");
    let empty = store(&*rig.bucket, "empty", "").await;
    let nothing = rig.bucket.read(&key("empty"), &empty, 0, 0).await.unwrap();
    assert_eq!(bytes(nothing).await.unwrap(), b"");
}

async fn another_version_or_none_is_not_read(rig: &Rig) {
    let old = store(&*rig.bucket, "a", "0123456789").await;
    store(&*rig.bucket, "a", "another").await;
    let read = async |name, first| rig.bucket.read(&key(name), &old, first, 4).await.unwrap();
    assert!(matches!(read("a", 0).await, Reading::Changed));
    assert!(matches!(read("a", 8).await, Reading::Changed), "it is shorter by now");
    assert!(matches!(read("b", 0).await, Reading::Missing));
}

async fn only_the_first_is_written_where_nothing_was(rig: &Rig) {
    let put = |body: &'static str| Put::new(key("lock"), body, Condition::Absent);
    let Stored::Yes(first) = rig.bucket.put(&put("a")).await.unwrap() else { panic!("it is free") };
    assert_eq!(rig.bucket.put(&put("b")).await.unwrap(), Stored::Refused);
    assert_eq!(rig.bucket.put(&put("a")).await.unwrap(), Stored::Refused, "also the same again");
    assert_eq!(text(&*rig.bucket, "lock").await.as_deref(), Some("a"));
    let renew = Put::new(key("lock"), "c", Condition::Version(first.clone()));
    let Stored::Yes(second) = rig.bucket.put(&renew).await.unwrap() else { panic!("it is that") };
    let late = Put::new(key("lock"), "d", Condition::Version(first));
    assert_eq!(rig.bucket.put(&late).await.unwrap(), Stored::Refused);
    assert_eq!(meta(&*rig.bucket, "lock").await.etag, second);
    let gone = Put::new(key("gone"), "d", Condition::Version(second));
    assert_eq!(rig.bucket.put(&gone).await.unwrap(), Stored::Refused);
    assert_eq!(text(&*rig.bucket, "gone").await, None);
}

async fn the_probe_finds_conditions_and_leaves_nothing(rig: &Rig) {
    let under = Prefix::new("root");
    for word in ["a", "b", "a"] {
        assert_eq!(probe(&*rig.bucket, &under, word).await.unwrap(), Heeds::Conditions);
    }
    assert_eq!(all(&*rig.bucket, &Listing::all(&Prefix::default())).await.0.len(), 0);
}

async fn of_eight_who_write_at_once_one_is_first(rig: &Rig) {
    const ROUNDS: usize = 30;
    for round in 0..ROUNDS {
        let name = format!("race/{round}");
        let tries = (0..8).map(|n| {
            let (bucket, name) = (rig.bucket.clone(), name.clone());
            tokio::spawn(async move {
                let put = Put::new(key(&name), format!("contender {n}"), Condition::Absent);
                bucket.put(&put).await.expect("the store answers") != Stored::Refused
            })
        });
        let mut won = 0;
        for one in tries.collect::<Vec<_>>() {
            won += usize::from(one.await.expect("it does not panic"));
        }
        // One that is not atomic has at least one winner, and that is all that can be said.
        assert!(if rig.facts.atomic { won == 1 } else { won >= 1 }, "round {round}: {won}");
    }
}

async fn what_is_removed_is_gone_also_the_second_time(rig: &Rig) {
    let etag = store(&*rig.bucket, "a", "1").await;
    let other = ETag::new("00000000000000000000000000000000");
    if rig.facts.heeds_conditions_of_delete {
        let answer = rig.bucket.delete(&key("a"), Some(&other)).await.unwrap();
        assert_eq!(answer, Deleted::Refused);
        assert_eq!(text(&*rig.bucket, "a").await.as_deref(), Some("1"));
    }
    for only in [Some(&etag), None] {
        assert_eq!(rig.bucket.delete(&key("a"), only).await.unwrap(), Deleted::Gone);
        assert_eq!(text(&*rig.bucket, "a").await, None);
    }
}

/// The shortest part that S3 takes, but for the last.
const PART: usize = 5 << 20;

async fn parts_become_an_object_when_it_is_completed(rig: &Rig) {
    let bucket = &*rig.bucket;
    let metadata = BTreeMap::from([("kind".to_owned(), "large".to_owned())]);
    let upload = bucket.begin_upload(&key("up/large"), &metadata).await.unwrap();
    let body: Bytes = (0..=250).cycle().take(PART + 3).collect();
    // The parts come in any order, and one comes twice.
    let last = bucket.put_part(&upload, 2, body.slice(PART..)).await.unwrap();
    let _ = bucket.put_part(&upload, 1, Bytes::from_static(b"not this")).await.unwrap();
    let first = bucket.put_part(&upload, 1, body.slice(..PART)).await.unwrap();
    assert_eq!(text(bucket, "up/large").await, None, "it is not there yet");
    let told = bucket.uploads(&Prefix::new("up")).await.unwrap();
    assert_eq!(told, rig.facts.lists_uploads.then(|| vec![upload.clone()]));
    if rig.facts.lists_uploads {
        assert_eq!(bucket.uploads(&Prefix::new("u")).await.unwrap(), Some(vec![]));
    }
    let parts = [first, last];
    let etag = bucket.complete_upload(&upload, &parts).await.unwrap();
    let told = meta(bucket, "up/large").await;
    assert_eq!((told.size, &told.etag), (ByteCount(PART as u64 + 3), &etag));
    assert_eq!(told.metadata, metadata);
    let of_parts = matches!(told.checksum, Some(Checksum::Crc32OfParts(_)));
    assert_eq!(of_parts, rig.facts.tells_checksums_of_parts, "{:?}", told.checksum);
    let whole = bucket.read(&key("up/large"), &etag, 0, PART as u64 + 3).await.unwrap();
    assert!(bytes(whole).await.unwrap() == body, "the content is another");
    assert_eq!(bucket.uploads(&Prefix::new("up")).await.unwrap().unwrap_or_default(), []);
    if rig.facts.knows_ended_uploads {
        match bucket.complete_upload(&upload, &parts).await {
            Ok(again) => assert_eq!(again, etag),
            Err(fault) => assert_eq!(fault.class, FaultClass::Ambiguous, "{fault}"),
        }
    }
}

async fn an_upload_that_is_given_up_leaves_nothing(rig: &Rig) {
    let bucket = &*rig.bucket;
    let upload = bucket.begin_upload(&key("up/x"), &BTreeMap::new()).await.unwrap();
    bucket.put_part(&upload, 1, Bytes::from_static(b"x")).await.unwrap();
    bucket.abort_upload(&upload).await.unwrap();
    assert_eq!(bucket.uploads(&Prefix::new("up")).await.unwrap().unwrap_or_default(), []);
    assert_eq!(text(bucket, "up/x").await, None);
    if rig.facts.knows_ended_uploads {
        bucket.abort_upload(&upload).await.expect("it may be repeated");
    }
    let part = bucket.put_part(&upload, 2, Bytes::from_static(b"x")).await;
    assert_eq!(class(part), rig.facts.part_of_an_ended_upload);
}

async fn without_checksums_beyond_the_needed_all_goes_as_well(rig: &Rig) {
    let needed = |settings: &mut daylily_watch::adapters::objects::s3::Settings| {
        settings.checksums = Checksums::WhenRequired;
    };
    let Some(bucket) = rig.with(needed) else { return };
    store(&*bucket, "a", "1").await;
    assert_eq!(meta(&*bucket, "a").await.checksum, None);
    let upload = bucket.begin_upload(&key("b"), &BTreeMap::new()).await.unwrap();
    let part = bucket.put_part(&upload, 1, Bytes::from_static(b"2")).await.unwrap();
    bucket.complete_upload(&upload, &[part]).await.unwrap();
    assert_eq!(text(&*bucket, "b").await.as_deref(), Some("2"));
}

async fn a_bucket_that_is_not_there_is_named_and_fatal(rig: &Rig) {
    let Some(bucket) = rig.other_bucket("no-such-bucket") else { return };
    let listed = bucket.list(&Listing::all(&Prefix::new("a")), None).await;
    let fault = listed.expect_err("it is not there");
    assert_eq!(fault.class, FaultClass::FatalHost);
    assert!(fault.text.starts_with("list s3://no-such-bucket/a/: "), "{}", fault.text);
    assert!(fault.text.contains("hint: look at the name of the bucket"), "{}", fault.text);
    assert_eq!(bucket.head(&key("a")).await.unwrap(), Head::Missing);
    let put = bucket.put(&Put::new(key("a"), "1", Condition::Always)).await;
    if rig.facts.makes_buckets {
        put.expect("it makes the bucket");
    } else {
        assert_eq!(class(put), FaultClass::FatalHost);
    }
}

macro_rules! suite {
    ($($test:ident,)*) => {
        suite!(@of fake, $($test,)*);
        suite!(@of moto, $($test,)*);
        suite!(@of s3s_fs, $($test,)*);
    };
    (@of $rig:ident, $($test:ident,)*) => {
        mod $rig {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::rigs::$rig()).await;
            })*
        }
    };
}

suite! {
    what_is_put_is_got_and_told,
    a_put_replaces_and_its_version_is_another_one,
    more_than_may_be_read_is_not_read,
    a_prefix_is_a_folder_and_not_the_start_of_a_name,
    more_than_a_thousand_are_listed_page_by_page,
    a_list_tells_size_and_version,
    odd_names_are_what_they_are,
    a_range_of_a_version_is_read,
    another_version_or_none_is_not_read,
    only_the_first_is_written_where_nothing_was,
    the_probe_finds_conditions_and_leaves_nothing,
    of_eight_who_write_at_once_one_is_first,
    what_is_removed_is_gone_also_the_second_time,
    parts_become_an_object_when_it_is_completed,
    an_upload_that_is_given_up_leaves_nothing,
    without_checksums_beyond_the_needed_all_goes_as_well,
    a_bucket_that_is_not_there_is_named_and_fatal,
}
