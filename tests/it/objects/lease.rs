//! Leases on a real store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::workset::Sentinel;
use daylily_watch::adapters::objects::lease::{End, Finished, Lapse, Leases, Owner, Taken, Terms};
use daylily_watch::adapters::objects::name::{Key, Prefix};
use daylily_watch::adapters::objects::probe::probe;
use daylily_watch::adapters::objects::{Bucket, Condition, Put, sentinels};
use daylily_watch::chance::SystemChance;
use daylily_watch::clock::FakeClock;

use crate::contract::objects::rigs::{Rig, moto, s3s_fs};

const LEASE: Duration = Duration::from_mins(10);

async fn monitors(rig: &Rig, clock: &Arc<FakeClock>, count: usize) -> Vec<Arc<Leases>> {
    let root = Prefix::new("root");
    let heeds = probe(&*rig.bucket, &root, "word").await.unwrap();
    let terms = Terms { lease: LEASE, wait: Duration::from_secs(30), heeds };
    let monitor = |n: usize| {
        let owner = Owner { owner: format!("monitor-{n}"), host: format!("host-{n}"), pid: 1 };
        let (bucket, chance) = (rig.bucket.clone(), Arc::new(SystemChance));
        Arc::new(Leases::new(bucket, clock.clone(), chance, owner, terms))
    };
    (0..count).map(monitor).collect()
}

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::new("2026-11-20T06:00:00Z".parse().unwrap()))
}

/// All of them at once; who holds it.
async fn contend(monitors: &[Arc<Leases>], workset: &Prefix) -> Vec<usize> {
    let tries: Vec<_> = monitors
        .iter()
        .cloned()
        .enumerate()
        .map(|(n, monitor)| {
            let workset = workset.clone();
            tokio::spawn(async move {
                let taken = monitor.take(&workset).await.expect("the store answers");
                matches!(taken, Taken::Held { .. }).then_some(n)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for one in tries {
        winners.extend(one.await.unwrap());
    }
    winners
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_who_contend_one_has_it_and_one_takes_over_in_each_of_thirty_rounds() {
    let (rig, clock) = (moto(), clock());
    let monitors = monitors(&rig, &clock, 8).await;
    let mut ever = BTreeSet::new();
    for round in 0..30 {
        let workset = Prefix::new(&format!("root/ws{round}"));
        let first = contend(&monitors, &workset).await;
        assert_eq!(first.len(), 1, "round {round}: {first:?}");
        // The owner is gone; the others have seen that its lock stands still.
        let others: Vec<_> =
            (0..8).filter(|n| *n != first[0]).map(|n| monitors[n].clone()).collect();
        assert_eq!(contend(&others, &workset).await, Vec::<usize>::new(), "round {round}");
        clock.advance(LEASE);
        let second = contend(&others, &workset).await;
        assert_eq!(second.len(), 1, "round {round}: {second:?}");
        ever.extend(first);
    }
    assert!(ever.len() > 1, "they never met: {ever:?}");
}

async fn from_the_lock_to_the_end(rig: Rig) {
    let clock = clock();
    let monitors = monitors(&rig, &clock, 2).await;
    let bucket: &dyn Bucket = &*rig.bucket;
    for name in ["root/ws1/daylily.ready", "root/ws10/daylily.ready", "root/ws1/sub/daylily.error"]
    {
        bucket.put(&Put::new(Key::new(name), "now", Condition::Always)).await.unwrap();
    }
    let ws1 = Prefix::new("root/ws1");
    let Taken::Held { mut lease, .. } = monitors[0].take(&ws1).await.unwrap() else {
        panic!("it is free");
    };
    assert!(matches!(monitors[1].take(&ws1).await.unwrap(), Taken::Busy(_)));
    lease.renew().await.unwrap();
    lease.begin().await.unwrap();
    let mut there = sentinels::look(bucket, &ws1).await.unwrap();
    there.sort();
    assert_eq!(there, [Sentinel::Ready, Sentinel::Lock, Sentinel::InProgress]);
    let end = End::Error { reason: "exit code 1".to_owned() };
    assert_eq!(lease.finish(&end, None).await.unwrap(), Finished::Done);
    let mut there = sentinels::look(bucket, &ws1).await.unwrap();
    there.sort();
    assert_eq!(there, [Sentinel::Ready, Sentinel::Error]);
    let said = sentinels::read(bucket, &ws1, Sentinel::Error).await.unwrap().unwrap();
    assert_eq!(said.reason.as_deref(), Some("exit code 1"));
    let ws10 = sentinels::look(bucket, &Prefix::new("root/ws10")).await.unwrap();
    assert_eq!(ws10, [Sentinel::Ready]);
    assert!(matches!(lease.renew().await, Err(Lapse::Lost { .. })));
}

#[tokio::test]
async fn a_workset_goes_from_its_lock_to_its_end_on_moto() {
    from_the_lock_to_the_end(moto()).await;
}

#[tokio::test]
async fn a_workset_goes_from_its_lock_to_its_end_on_s3s_fs() {
    from_the_lock_to_the_end(s3s_fs()).await;
}

#[tokio::test]
async fn sentinels_are_found_among_more_than_a_thousand_objects() {
    let rig = s3s_fs();
    let folder = rig.store.as_ref().unwrap().file("root/ws");
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..1500 {
        std::fs::write(folder.join(format!("a{n}")), "").unwrap();
    }
    for name in ["daylily.ready", "daylily.complete", "daylily.readyish"] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let mut there = sentinels::look(&*rig.bucket, &Prefix::new("root/ws")).await.unwrap();
    there.sort();
    assert_eq!(there, [Sentinel::Ready, Sentinel::Complete]);
}
