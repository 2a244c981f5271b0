//! What answers of S3 mean for a workset.

use std::sync::Arc;

use daylily_lifecycle::ids::ByteCount;
use tokio_util::sync::CancellationToken;

use super::fake::FakeHeads;
use super::{AT_ONCE, Asked, Head, Heads, ask};
use crate::config::error::Position;
use crate::intake::workset::document::Aws;
use crate::intake::workset::location::s3;
use crate::intake::workset::tables::{NamedFile, Place, Wanted};

fn objects(many: usize) -> Vec<NamedFile> {
    (0..many)
        .map(|n| NamedFile {
            table: "s.tsv".to_owned(),
            at: Position { line: n + 2, column: 7 },
            column: "R1_FQ".to_owned(),
            wanted: Wanted::File,
            place: Place::Object(s3(&format!("s3://b/{n}")).expect("it begins as one")),
        })
        .collect()
}

fn asked(heads: &Arc<FakeHeads>, objects: &[NamedFile]) -> Asked {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let heads: Arc<dyn Heads> = heads.clone();
    runtime.block_on(ask(&heads, &Aws::default(), objects, &CancellationToken::new()))
}

fn all_there(many: usize) -> Arc<FakeHeads> {
    let heads = FakeHeads::default();
    (0..many).for_each(|n| heads.put(&format!("s3://b/{n}"), Head::Found { bytes: ByteCount(1) }));
    Arc::new(heads)
}

#[test]
fn each_object_is_asked_for_once_and_many_at_a_time() {
    let heads = all_there(500);
    let twice: Vec<NamedFile> = objects(500).into_iter().chain(objects(500)).collect();
    assert!(matches!(asked(&heads, &twice), Asked::All { problems } if problems.0.is_empty()));
    let mut asked = heads.asked();
    asked.sort();
    asked.dedup();
    assert_eq!((asked.len(), heads.asked().len()), (500, 500));
    assert_eq!(*heads.at_once.lock().unwrap(), (0, AT_ONCE));
}

#[test]
fn what_is_missing_or_refused_is_told_all_at_once() {
    let heads = all_there(6);
    heads.put("s3://b/5", Head::Missing);
    heads.put("s3://b/1", Head::Missing);
    heads.put("s3://b/3", Head::Forbidden);
    let Asked::All { problems } = asked(&heads, &objects(6)) else { panic!("all answered") };
    insta::assert_snapshot!(problems.into_lines().join("\n"));
}

#[test]
fn an_answer_that_says_nothing_is_no_verdict() {
    let heads = all_there(6);
    heads.put("s3://b/1", Head::Missing);
    let why = || "503 SlowDown".to_owned();
    heads.put("s3://b/2", Head::Throttled { why: why() });
    let Asked::NotAll { throttled: true, why: told } = asked(&heads, &objects(6)) else { panic!() };
    assert_eq!(told, "S3 asks to be asked less for `s3://b/2`: 503 SlowDown (1 of 6 objects)");
    let heads = Arc::new(FakeHeads::default());
    (0..9_000).for_each(|n| heads.put(&format!("s3://b/{n}"), Head::Unreachable { why: why() }));
    assert!(matches!(asked(&heads, &objects(9_000)), Asked::NotAll { throttled: false, .. }));
    // Who is away is not asked nine thousand times.
    assert!(heads.asked().len() < 200, "{}", heads.asked().len());
}

#[test]
fn it_can_be_stopped() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let heads: Arc<dyn Heads> = all_there(2);
    let stopped = runtime.block_on(ask(&heads, &Aws::default(), &objects(2), &stop));
    assert_eq!(stopped, Asked::Stopped);
}
