//! One monitor after the other, by a clock that stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daylily_lifecycle::ids::{AttemptId, HeadnodeName};
use daylily_lifecycle::outcome::FaultClass;
use daylily_lifecycle::workset::{Lock, Sentinel};

use super::{End, Finished, Lapse, Lease, Leases, LockBody, Owner, Running, Taken, Terms};
use crate::adapters::objects::fake::{Call, Conditions, FakeBucket, Moment};
use crate::adapters::objects::name::Prefix;
use crate::adapters::objects::probe::{Heeds, probe};
use crate::chance::SeededChance;
use crate::clock::FakeClock;

pub(super) const LEASE: Duration = Duration::from_mins(10);
pub(super) const WAIT: Duration = Duration::from_secs(30);

pub(super) struct World {
    pub(super) bucket: Arc<FakeBucket>,
    pub(super) clock: Arc<FakeClock>,
    /// Each monitor draws other words, also a later start of the same.
    started: AtomicU64,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = FakeClock::new("2026-11-20T06:00:00Z".parse().unwrap());
        let (bucket, clock) = (Arc::new(FakeBucket::new()), Arc::new(clock));
        Self { bucket, clock, started: AtomicU64::default() }
    }

    pub(super) fn monitor(&self, name: &str) -> Arc<Leases> {
        self.monitor_of(name, Heeds::Conditions)
    }

    pub(super) fn monitor_of(&self, name: &str, heeds: Heeds) -> Arc<Leases> {
        let started = self.started.fetch_add(1, Ordering::Relaxed);
        let chance = Arc::new(SeededChance::new(started));
        let owner = Owner { owner: name.to_owned(), host: format!("{name}-host"), pid: 1 };
        let terms = Terms { lease: LEASE, wait: WAIT, heeds };
        Arc::new(Leases::new(self.bucket.clone(), self.clock.clone(), chance, owner, terms))
    }

    pub(super) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn there(&self) -> Vec<String> {
        self.bucket.state().objects.keys().cloned().collect()
    }

    fn lock(&self) -> String {
        self.bucket.state().text("ws/daylily.lock").unwrap_or_default()
    }
}

pub(super) fn ws() -> Prefix {
    Prefix::new("ws")
}

pub(super) fn running(name: &str) -> Running {
    let id = AttemptId::new(format!("dw-{name}"));
    Running { id, headnode: HeadnodeName::new("hpc"), dir: format!("/data/{name}") }
}

#[track_caller]
pub(super) fn held(taken: Taken) -> (Lease, Option<LockBody>) {
    match taken {
        Taken::Held { lease, former } => (lease, former),
        other => panic!("it is not held: {other:?}"),
    }
}

#[track_caller]
fn busy(taken: Taken) -> Lock {
    match taken {
        Taken::Busy(standing) => standing.lock,
        other => panic!("it is not another's: {other:?}"),
    }
}

async fn taken(monitor: &Arc<Leases>) -> Lease {
    held(monitor.take(&ws()).await.unwrap()).0
}

#[tokio::test]
async fn a_free_lock_is_taken_and_says_who_has_it() {
    let world = World::new();
    let lease = taken(&world.monitor("anna")).await;
    assert_eq!(lease.rest(), LEASE);
    let read = LockBody::read(world.lock().as_bytes());
    assert_eq!(read.lease(), Some(lease.body()));
    assert_eq!(read.holder(), "anna (process 1 on anna-host)");
    for part in ["\"owner\":\"anna\"", "\"host\":\"anna-host\"", "\"pid\":1", "\"acquired\":\"2026"]
    {
        assert!(world.lock().contains(part), "{part}: {}", world.lock());
    }
    assert!(world.lock().contains("\"expires\":\"2026-11-20T06:10:00Z\""), "{}", world.lock());
}

#[tokio::test]
async fn the_loser_writes_nothing() {
    let world = World::new();
    let (anna, ben) = (world.monitor("anna"), world.monitor("ben"));
    let _lease = taken(&anna).await;
    let before = world.lock();
    world.bucket.state().calls.clear();
    assert_eq!(busy(ben.take(&ws()).await.unwrap()), Lock::Theirs);
    assert!(!world.bucket.state().calls.contains(&Call::Put));
    assert_eq!(world.lock(), before);
}

#[tokio::test]
async fn a_renewed_lease_never_expires() {
    let world = World::new();
    let (anna, ben) = (world.monitor("anna"), world.monitor("ben"));
    let mut lease = taken(&anna).await;
    for _ in 0..20 {
        assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Theirs);
        world.pass(LEASE / 2);
        lease.renew().await.unwrap();
        assert_eq!(lease.rest(), LEASE);
    }
}

#[tokio::test]
async fn a_lease_that_stands_still_expires_after_a_whole_one_that_was_watched() {
    let world = World::new();
    let (anna, ben) = (world.monitor("anna"), world.monitor("ben"));
    let mut lease = taken(&anna).await;
    // However long it was there before: ben has not seen it stand still.
    world.pass(LEASE * 5);
    assert_eq!(busy(ben.take(&ws()).await.unwrap()), Lock::Theirs);
    world.pass(LEASE - Duration::from_millis(1));
    assert_eq!(busy(ben.take(&ws()).await.unwrap()), Lock::Theirs);
    world.pass(Duration::from_millis(1));
    let (bens, former) = held(ben.take(&ws()).await.unwrap());
    assert_eq!(former.and_then(|former| former.lease().cloned()).as_ref(), Some(lease.body()));
    assert_eq!(bens.rest(), LEASE);
    let lost = lease.renew().await.unwrap_err();
    assert!(matches!(&lost, Lapse::Lost { holder, .. } if holder.starts_with("ben")), "{lost}");
    assert_eq!(lease.rest(), Duration::ZERO);
    let announced = lease.announce(running("1")).await;
    assert!(matches!(announced, Err(Lapse::Lost { .. })), "{announced:?}");
}

#[tokio::test]
async fn no_wall_clock_has_a_say() {
    let world = World::new();
    let (anna, ben) = (world.monitor("anna"), world.monitor("ben"));
    let lease = taken(&anna).await;
    assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Theirs);
    world.clock.step_to("2030-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Theirs);
    assert_eq!(lease.rest(), LEASE);
    world.clock.step_to("2020-01-01T00:00:00Z".parse().unwrap());
    world.pass(LEASE);
    assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Expired);
}

#[tokio::test]
async fn a_longer_lease_of_another_is_waited_for_but_not_for_ever() {
    let world = World::new();
    let ben = world.monitor("ben");
    let lock = |lease_ms: u64| {
        format!(
            r#"{{"owner":"anna","host":"h","pid":1,"word":"w","renewed":0,"more":true,
            "acquired":"2026-11-20T06:00:00Z","expires":"2026-11-20T06:00:01Z","lease_ms":{lease_ms}}}"#
        )
    };
    for (lease_ms, expires_after) in [(7_200_000, LEASE * 12), (1, LEASE), (u64::MAX, LEASE * 144)]
    {
        world.bucket.state().store("ws/daylily.lock", lock(lease_ms));
        assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Theirs);
        world.pass(expires_after - Duration::from_millis(1));
        assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Theirs);
        world.pass(Duration::from_millis(1));
        assert_eq!(ben.look(&ws()).await.unwrap().lock, Lock::Expired);
    }
}

#[tokio::test]
async fn who_takes_over_finds_the_run_and_keeps_telling_of_it() {
    let world = World::new();
    let (anna, ben) = (world.monitor("anna"), world.monitor("ben"));
    let mut lease = taken(&anna).await;
    lease.announce(running("1")).await.unwrap();
    lease.renew().await.unwrap();
    ben.look(&ws()).await.unwrap();
    world.pass(LEASE);
    let (mut bens, former) = held(ben.take(&ws()).await.unwrap());
    let told = former.and_then(|former| former.lease()?.attempt.clone());
    assert_eq!(told, Some(running("1")));
    bens.renew().await.unwrap();
    assert_eq!(bens.body().attempt, Some(running("1")));
}

#[tokio::test]
async fn a_later_start_of_ours_has_it_at_once_and_a_copy_elsewhere_does_not() {
    let world = World::new();
    let mut first = taken(&world.monitor("anna")).await;
    let second = held(world.monitor("anna").take(&ws()).await.unwrap());
    assert!(second.1.is_some());
    assert!(matches!(first.renew().await, Err(Lapse::Lost { .. })), "it is another's word");
    let owner = Owner { owner: "anna".to_owned(), host: "elsewhere".to_owned(), pid: 1 };
    let (bucket, clock) = (world.bucket.clone(), world.clock.clone());
    let terms = Terms { lease: LEASE, wait: WAIT, heeds: Heeds::Conditions };
    let chance = Arc::new(SeededChance::new(99));
    let copy = Arc::new(Leases::new(bucket, clock, chance, owner, terms));
    assert_eq!(busy(copy.take(&ws()).await.unwrap()), Lock::Theirs);
}

#[tokio::test]
async fn a_lock_whose_answer_was_lost_is_found_to_be_ours() {
    let world = World::new();
    let anna = world.monitor("anna");
    world.bucket.fail(Call::Put, Moment::After, FaultClass::Ambiguous);
    let mut lease = taken(&anna).await;
    world.bucket.fail(Call::Put, Moment::After, FaultClass::Ambiguous);
    world.pass(LEASE / 2);
    lease.renew().await.unwrap();
    assert_eq!(lease.rest(), LEASE);
    // One that did not arrive: nothing is known to have been renewed.
    world.bucket.fail(Call::Put, Moment::Before, FaultClass::Ambiguous);
    world.pass(LEASE / 2);
    assert!(matches!(lease.announce(running("1")).await, Err(Lapse::Fault(_))));
    assert_eq!(lease.rest(), LEASE / 2);
    lease.announce(running("1")).await.unwrap();
    assert_eq!(lease.body().attempt, Some(running("1")));
}

#[tokio::test]
async fn a_renewal_that_arrives_late_is_not_taken_for_anothers() {
    let world = World::new();
    let mut lease = taken(&world.monitor("anna")).await;
    let before = world.lock();
    world.bucket.fail(Call::Put, Moment::After, FaultClass::TransientHost);
    assert!(matches!(lease.renew().await, Err(Lapse::Fault(_))), "it says that it did nothing");
    assert_ne!(world.lock(), before);
    lease.renew().await.unwrap();
    assert_eq!(lease.body().renewed, 3, "no two are the same");
}

#[tokio::test]
async fn nothing_is_written_in_the_last_quarter() {
    let world = World::new();
    let mut lease = taken(&world.monitor("anna")).await;
    world.pass(LEASE / 4 * 3);
    let end = End::Complete;
    for late in [lease.begin().await, lease.clear().await, lease.finish(&end, None).await.map(drop)]
    {
        assert!(matches!(late, Err(Lapse::Late { .. })), "{late:?}");
    }
    assert_eq!(world.there(), ["ws/daylily.lock"]);
    lease.renew().await.unwrap();
    lease.begin().await.unwrap();
    lease.begin().await.expect("it may be repeated");
    assert_eq!(world.there(), ["ws/daylily.in_progress", "ws/daylily.lock"]);
}

#[tokio::test]
async fn an_end_is_written_first_and_then_lock_and_in_progress_go() {
    for (end, name) in [
        (End::Complete, "ws/daylily.complete"),
        (End::Error { reason: "exit code 1".to_owned() }, "ws/daylily.error"),
    ] {
        let world = World::new();
        world.bucket.state().store("ws/daylily.ready", "");
        let lease = taken(&world.monitor("anna")).await;
        lease.begin().await.unwrap();
        let attempt = AttemptId::new("dw-1");
        let before = world.bucket.state().calls.len();
        assert_eq!(lease.finish(&end, Some(&attempt)).await.unwrap(), Finished::Done);
        assert_eq!(world.there(), [name, "ws/daylily.ready"]);
        let state = world.bucket.state();
        let calls = &state.calls[before..];
        let put = calls.iter().position(|call| *call == Call::Put).unwrap();
        let delete = calls.iter().position(|call| *call == Call::Delete).unwrap();
        assert!(put < delete);
        assert_eq!(state.objects[name].metadata["daylily-attempt"], "dw-1");
        if let End::Error { .. } = end {
            assert_eq!(state.text(name).unwrap(), "2026-11-20T06:00:00Z\texit code 1");
        }
    }
}

#[tokio::test]
async fn an_end_goes_on_where_it_was_interrupted() {
    let attempt = AttemptId::new("dw-1");
    for (call, moment) in [
        (Call::Put, Moment::Before),
        (Call::Put, Moment::After),
        (Call::Delete, Moment::Before),
        (Call::Delete, Moment::After),
        (Call::Get, Moment::Before),
        (Call::List, Moment::Before),
    ] {
        let world = World::new();
        let lease = taken(&world.monitor("anna")).await;
        lease.begin().await.unwrap();
        world.bucket.fail(call, moment, FaultClass::Ambiguous);
        let fault = lease.finish(&End::Complete, Some(&attempt)).await;
        assert!(matches!(fault, Err(Lapse::Fault(_))), "{call:?} {moment:?}: {fault:?}");
        let again = lease.finish(&End::Complete, Some(&attempt)).await.unwrap();
        assert_eq!(again, Finished::Done, "{call:?} {moment:?}");
        assert_eq!(world.there(), ["ws/daylily.complete"], "{call:?} {moment:?}");
    }
}

#[tokio::test]
async fn what_has_ended_is_not_ended_again() {
    let world = World::new();
    let lease = taken(&world.monitor("anna")).await;
    for name in ["ws/daylily.error", "ws/daylily.complete"] {
        world.bucket.state().store(name, "20251016T111111");
        let finished = lease.finish(&End::Complete, Some(&AttemptId::new("dw-1"))).await.unwrap();
        let sentinel = Sentinel::of_name(&name[3..]).unwrap();
        assert_eq!(finished, Finished::Before { sentinel, attempt: None });
        assert_eq!(world.there(), [name, "ws/daylily.lock"], "nothing was changed");
        world.bucket.state().objects.remove(name);
    }
}

#[tokio::test]
async fn a_lock_that_is_anothers_by_now_is_not_removed() {
    let world = World::new();
    let lease = taken(&world.monitor("anna")).await;
    world.bucket.before(Call::Delete, |state| {
        state.store("ws/daylily.lock", "of another");
    });
    assert_eq!(lease.finish(&End::Complete, None).await.unwrap(), Finished::Done);
    assert_eq!(world.lock(), "of another");
}

#[tokio::test]
async fn what_is_cleared_for_a_restart_is_cleared_under_the_lease() {
    let world = World::new();
    for name in ["ready", "error", "in_progress"] {
        world.bucket.state().store(&format!("ws/daylily.{name}"), "");
    }
    let lease = taken(&world.monitor("anna")).await;
    lease.clear().await.unwrap();
    assert_eq!(world.there(), ["ws/daylily.lock", "ws/daylily.ready"]);
}

#[tokio::test]
async fn the_lock_of_a_classic_monitor_is_respected_for_a_whole_lease() {
    let world = World::new();
    let ben = world.monitor("ben");
    for body in ["2025-10-16T11:11:11Z", "20251016T111111", "", "{\"owner\":3}", "\u{0}"] {
        world.bucket.state().store("ws/daylily.lock", body);
        assert_eq!(busy(ben.take(&ws()).await.unwrap()), Lock::Classic, "{body}");
        world.pass(LEASE);
        let (lease, former) = held(ben.take(&ws()).await.unwrap());
        assert!(former.is_some_and(|former| former.lease().is_none()));
        assert_eq!(lease.finish(&End::Complete, None).await.unwrap(), Finished::Done);
        world.bucket.state().objects.clear();
    }
}

#[tokio::test]
async fn stores_that_heed_no_conditions_are_found_out() {
    for (conditions, expected) in [
        (Conditions::Honoured, Heeds::Conditions),
        (Conditions::Ignored, Heeds::Nothing),
        (Conditions::Unknown, Heeds::Nothing),
    ] {
        let bucket = FakeBucket::new();
        bucket.state().conditions = conditions;
        let heeds = probe(&bucket, &Prefix::new("root"), "word").await.unwrap();
        assert_eq!(heeds, expected);
        assert!(bucket.state().objects.is_empty());
        let terms = Terms { lease: LEASE, wait: WAIT, heeds };
        assert_eq!(terms.warning().is_some(), expected == Heeds::Nothing);
    }
}

#[tokio::test]
async fn without_conditions_it_is_written_waited_and_read_again() {
    let world = World::new();
    world.bucket.state().conditions = Conditions::Ignored;
    let (anna, ben) =
        (world.monitor_of("anna", Heeds::Nothing), world.monitor_of("ben", Heeds::Nothing));
    let Taken::Waiting(annas) = anna.take(&ws()).await.unwrap() else { panic!("it waits") };
    world.pass(WAIT / 2);
    let Taken::Waiting(annas) = anna.confirm(annas).await.unwrap() else { panic!("too early") };
    // Ben has looked before anna wrote, and writes over it.
    let of_anna = world.bucket.state().objects.remove("ws/daylily.lock").unwrap();
    let Taken::Waiting(bens) = ben.take(&ws()).await.unwrap() else { panic!("it waits") };
    assert!(of_anna.bytes.starts_with(b"{\"owner\":\"anna\""));
    world.pass(WAIT);
    let before = world.there();
    assert_eq!(busy(anna.confirm(annas).await.unwrap()), Lock::Theirs);
    assert_eq!(world.there(), before, "the loser writes nothing");
    let (mut lease, _) = held(ben.confirm(bens).await.unwrap());
    lease.renew().await.unwrap();
    lease.begin().await.unwrap();
    assert_eq!(lease.finish(&End::Complete, None).await.unwrap(), Finished::Done);
    assert_eq!(world.there(), ["ws/daylily.complete"]);
}

#[tokio::test]
async fn without_conditions_a_competing_sentinel_is_heeded() {
    let world = World::new();
    world.bucket.state().conditions = Conditions::Ignored;
    let anna = world.monitor_of("anna", Heeds::Nothing);
    for name in ["in_progress", "complete", "error", "ignore"] {
        let Taken::Waiting(pending) = anna.take(&ws()).await.unwrap() else { panic!("it waits") };
        world.bucket.state().store(&format!("ws/daylily.{name}"), "");
        world.pass(WAIT);
        assert!(matches!(anna.confirm(pending).await.unwrap(), Taken::Busy(_)), "{name}");
        world.bucket.state().objects.clear();
    }
}
