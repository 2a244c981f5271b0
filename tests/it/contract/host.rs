//! What every host does, as functions over a [`Rig`]. Shipping and fetching have a
//! suite of their own.

mod rigs;

use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Alive, Claim, ExitRecord, Fault, FaultClass};
use daylily_watch::adapters::host::job::case_json;
use daylily_watch::adapters::host::record::CaseRecord;
use daylily_watch::adapters::host::{CleanOrder, Cleaned, Host, HostLook, Job, Prepared};

use crate::stage::{new_attempt, owner, owner_of_a_copy};
use crate::wait::{LIMIT, until, until_seen};
use rigs::Rig;

const NOT_ALIVE: Alive = Alive::No { rebooted: false };

async fn owned(rig: &impl Rig) -> Box<dyn Host> {
    let host = rig.host(owner("ours", 1));
    host.own(false).await.expect("nobody owned it");
    host
}

async fn prepared(rig: &impl Rig, host: &dyn Host) -> AttemptId {
    let attempt = new_attempt();
    host.prepare(&rig.job(&attempt)).await.expect("it can be prepared");
    attempt
}

async fn started(rig: &impl Rig, host: &dyn Host) -> AttemptId {
    let attempt = prepared(rig, host).await;
    assert!(rig.start(&attempt).await, "it claims");
    until("its command began", LIMIT, || rig.executed(&attempt) > 0);
    attempt
}

async fn look(host: &dyn Host, attempt: &AttemptId) -> (ExitRecord, Claim, Alive) {
    let mut looks = host.read(std::slice::from_ref(attempt)).await.expect("the host answers");
    match looks.remove(0) {
        HostLook::Saw { exit, claim, alive } => (exit, claim, alive),
        HostLook::CouldNot { why } => panic!("could not look: {why}"),
    }
}

async fn until_over(host: &dyn Host, attempt: &AttemptId) -> (ExitRecord, Claim) {
    until_seen("nothing of it lives", LIMIT, || async { look(host, attempt).await.2 == NOT_ALIVE })
        .await;
    let (exit, claim, _) = look(host, attempt).await;
    (exit, claim)
}

fn class<T: std::fmt::Debug>(answer: Result<T, Fault>) -> FaultClass {
    answer.expect_err("it is refused").class
}

async fn own_may_be_repeated(rig: &impl Rig) {
    let host = owned(rig).await;
    host.own(false).await.expect("it is ours");
    host.own(true).await.expect("it is ours");
}

async fn a_later_start_takes_over_and_the_earlier_one_is_shut_out(rig: &impl Rig) {
    let first = owned(rig).await;
    let second = rig.host(owner("ours", 2));
    assert_eq!(class(second.free_space().await), FaultClass::FatalHost, "it is not its own yet");
    second.own(true).await.expect("it is the same database");
    assert_eq!(class(first.free_space().await), FaultClass::FatalHost);
    assert_eq!(class(first.own(true).await), FaultClass::FatalHost);
    second.free_space().await.expect("it is ours");
}

async fn a_daemon_on_a_copy_of_the_database_is_refused_until_it_takes_over(rig: &impl Rig) {
    let ours = rig.host(owner("ours", 2));
    ours.own(false).await.expect("nobody owned it");
    // By number it is the same start, a later one, and one that never saw ours.
    for generation in [2, 3, 9] {
        let mut copy = owner_of_a_copy("ours", generation);
        copy.earlier.retain(|&earlier, _| earlier != 2);
        let copy = rig.host(copy);
        for before in [false, true] {
            let fault = copy.own(before).await.expect_err("it is not its own");
            assert_eq!(fault.class, FaultClass::FatalHost);
            assert!(fault.text.contains("on a copy of this database"), "{}", fault.text);
        }
    }
    let copy = rig.host(owner_of_a_copy("ours", 2));
    let former = copy.take_over().await.expect("a person has asked for it");
    assert_eq!(former.as_deref(), Some("ours 2 start-2"));
    copy.free_space().await.expect("it is its own");
    assert_eq!(class(ours.free_space().await), FaultClass::FatalHost);
    let later = rig.host(owner("ours", 3));
    assert_eq!(class(later.own(true).await), FaultClass::FatalHost, "nor does a restart help");
    copy.take_over().await.expect("it may be repeated");
}

async fn another_database_is_refused_with_the_way_out(rig: &impl Rig) {
    let ours = owned(rig).await;
    let theirs = rig.host(owner("theirs", 9));
    for before in [false, true] {
        let fault = theirs.own(before).await.expect_err("it is not theirs");
        assert_eq!(fault.class, FaultClass::FatalHost);
        assert!(fault.text.contains("work_dir of its own"), "{}", fault.text);
    }
    ours.free_space().await.expect("it is still ours");
}

async fn a_missing_owner_where_there_was_one_is_not_made_again(rig: &impl Rig) {
    let host = owned(rig).await;
    rig.unmount();
    let fault = host.own(true).await.expect_err("it is not there");
    assert_eq!(fault.class, FaultClass::FatalHost);
    assert!(fault.text.contains("mounted"), "{}", fault.text);
    assert_eq!(class(host.free_space().await), FaultClass::FatalHost);
}

async fn nothing_is_read_or_done_for_a_stranger(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    let stranger = rig.host(owner("theirs", 1));
    let job = rig.job(&attempt);
    assert_eq!(class(stranger.prepare(&job).await), FaultClass::FatalHost);
    assert_eq!(class(stranger.read(std::slice::from_ref(&attempt)).await), FaultClass::FatalHost);
    assert_eq!(class(stranger.take_claim(&attempt).await), FaultClass::FatalHost);
    assert_eq!(class(stranger.end(&attempt, Force::KillAll).await), FaultClass::FatalHost);
    assert_eq!(class(stranger.outputs(&job.dir, &[]).await), FaultClass::FatalHost);
    assert_eq!(class(stranger.tail(&attempt, 10).await), FaultClass::FatalHost);
    assert_eq!(class(stranger.bell(Duration::from_secs(5)).await), FaultClass::FatalHost);
    assert_eq!(look(&*host, &attempt).await.2, Alive::Yes);
}

async fn a_prepared_attempt_has_nothing_yet(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = prepared(rig, &*host).await;
    let expected = (ExitRecord::Absent, Claim::Absent, NOT_ALIVE);
    assert_eq!(look(&*host, &attempt).await, expected);
    host.prepare(&rig.job(&attempt)).await.expect("it may be repeated");
    assert_eq!(look(&*host, &attempt).await, expected);
}

async fn preparing_again_leaves_a_running_job_as_it_is(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    host.prepare(&rig.job(&attempt)).await.expect("it may be repeated");
    let (exit, claim, alive) = look(&*host, &attempt).await;
    assert_eq!((exit, alive), (ExitRecord::Absent, Alive::Yes));
    assert!(matches!(claim, Claim::Job { .. }), "{claim:?}");
    assert_eq!(rig.executed(&attempt), 1);
}

async fn several_are_prepared_in_one_go(rig: &impl Rig) {
    let host = owned(rig).await;
    let running = started(rig, &*host).await;
    let attempts = [new_attempt(), running.clone(), new_attempt()];
    let jobs = attempts.each_ref().map(|attempt| rig.job(attempt));
    let answers = host.prepare_all(&jobs).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(answers[1], Ok(Prepared::There), "what was there is never told as new");
    assert_eq!(host.prepare_all(&jobs).await, [0; 3].map(|_| Ok(Prepared::There)));
    let expected = (ExitRecord::Absent, Claim::Absent, NOT_ALIVE);
    for attempt in [&attempts[0], &attempts[2]] {
        assert_eq!(look(&*host, attempt).await, expected);
    }
    assert_eq!(look(&*host, &running).await.2, Alive::Yes);
    assert_eq!(rig.executed(&running), 1);
    assert_eq!(host.prepare_all(&[]).await, []);
    let stranger = rig.host(owner("theirs", 1));
    let refused = stranger.prepare_all(&jobs).await;
    assert!(refused.into_iter().all(|one| class(one) == FaultClass::FatalHost));
}

async fn a_finished_job_has_its_code_and_its_output(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    assert_eq!(host.tail(&attempt, 100).await, Ok(String::new()));
    rig.finish(&attempt, "that was it", 3);
    let (exit, claim) = until_over(&*host, &attempt).await;
    assert!(matches!(exit, ExitRecord::Present { code: Some(3), signal: None, .. }), "{exit:?}");
    assert!(matches!(claim, Claim::Job { .. }), "{claim:?}");
    assert_eq!(host.tail(&attempt, 100).await, Ok("that was it\n".to_owned()));
    assert_eq!(host.tail(&attempt, 4).await, Ok(" it\n".to_owned()));
}

async fn looks_come_in_the_order_asked_and_one_missing_stops_none(rig: &impl Rig) {
    let host = owned(rig).await;
    let (running, waiting) = (started(rig, &*host).await, prepared(rig, &*host).await);
    let unknown = new_attempt();
    let looks = host.read(&[waiting, unknown, running]).await.expect("the host answers");
    assert!(
        matches!(
            &looks[..],
            [
                HostLook::Saw { claim: Claim::Absent, .. },
                HostLook::CouldNot { .. },
                HostLook::Saw { claim: Claim::Job { .. }, alive: Alive::Yes, .. },
            ]
        ),
        "{looks:?}"
    );
}

async fn what_the_daemon_claimed_never_starts(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = prepared(rig, &*host).await;
    assert_eq!(host.take_claim(&attempt).await, Ok(ClaimedBy::Daemon));
    assert_eq!(host.take_claim(&attempt).await, Ok(ClaimedBy::Daemon));
    assert!(!rig.start(&attempt).await);
    assert_eq!(rig.executed(&attempt), 0);
    assert_eq!(look(&*host, &attempt).await, (ExitRecord::Absent, Claim::Daemon, NOT_ALIVE));
}

async fn a_claim_of_the_job_is_not_taken_from_it(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    assert_eq!(host.take_claim(&attempt).await, Ok(ClaimedBy::Job));
    rig.finish(&attempt, "done", 0);
    let (exit, _) = until_over(&*host, &attempt).await;
    assert!(matches!(exit, ExitRecord::Present { code: Some(0), .. }), "{exit:?}");
    assert_eq!(host.take_claim(&attempt).await, Ok(ClaimedBy::Job));
}

async fn ending_leaves_the_record_that_its_force_allows(rig: &impl Rig) {
    let host = owned(rig).await;
    for (force, expected) in
        [(Force::Terminate, Some(15)), (Force::KillChildren, Some(9)), (Force::KillAll, None)]
    {
        let attempt = started(rig, &*host).await;
        host.end(&attempt, force).await.expect("it can be ended");
        let (exit, claim) = until_over(&*host, &attempt).await;
        match expected {
            Some(signal) => assert!(
                matches!(exit, ExitRecord::Present { code: Some(c), signal: Some(s), .. }
                    if s == signal && c == 128 + signal),
                "{force:?}: {exit:?}"
            ),
            None => assert_eq!(exit, ExitRecord::Absent),
        }
        assert!(matches!(claim, Claim::Job { .. }), "{claim:?}");
        host.end(&attempt, force).await.expect("it may be repeated");
    }
}

/// As `case.json` has it.
fn record(job: &Job) -> CaseRecord {
    serde_json::from_str(&case_json(job)).expect("it is a record")
}

fn clean_order(rig: &impl Rig, attempts: &[&AttemptId]) -> CleanOrder {
    let jobs: Vec<Job> = attempts.iter().map(|attempt| rig.job(attempt)).collect();
    let cleaned_at = "2026-11-20T07:00:00Z".parse().ok();
    let tombstone = |job| CaseRecord { cleaned_at, ..record(job) };
    CleanOrder {
        attempts: jobs.iter().map(tombstone).collect(),
        intake: jobs[0].intake.clone(),
        remote_name: jobs[0].remote_name.clone(),
        with_folder: true,
        manifest: String::new(),
        apart: Vec::new(),
        outside: Vec::new(),
    }
}

async fn every_attempt_directory_is_listed_with_its_record(rig: &impl Rig) {
    let host = owned(rig).await;
    assert_eq!(host.list().await, Ok(Vec::new()));
    let mut attempts = [prepared(rig, &*host).await, started(rig, &*host).await];
    attempts.sort();
    let found = host.list().await.expect("it can be listed");
    assert_eq!(
        found.iter().map(|found| &found.id).collect::<Vec<_>>(),
        [&attempts[0], &attempts[1]]
    );
    assert_eq!(host.names().await.map(|names| names.len()), Ok(2));
    for found in found {
        assert!(found.has_job);
        assert_eq!(found.record.as_deref(), Some(&record(&rig.job(&found.id))));
    }
    rig.finish(&attempts[0], "", 0);
    rig.finish(&attempts[1], "", 0);
}

async fn what_is_cleaned_leaves_a_tombstone_and_can_never_start(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = prepared(rig, &*host).await;
    rig.put(&attempt, "out.bam", "12345");
    let order = clean_order(rig, &[&attempt]);
    for again in [false, true] {
        let cleaned = host.clean(&order).await.expect("it is done");
        let Cleaned::Done { bytes } = cleaned else { panic!("{cleaned:?}") };
        assert!(again || bytes.0 > 0, "{bytes}");
        assert!(!rig.start(&attempt).await, "there is no job any more");
        assert_eq!(rig.executed(&attempt), 0);
        let found = host.list().await.expect("it can be listed").remove(0);
        assert!(!found.has_job);
        assert!(found.record.expect("it stays").cleaned_at.is_some());
        let refused = host.prepare(&rig.job(&attempt)).await.expect_err("it has run");
        assert_eq!(refused.class, FaultClass::FatalCase);
    }
}

async fn what_lives_is_not_cleaned(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    let order = clean_order(rig, &[&attempt]);
    let cleaned = host.clean(&order).await.expect("it answers");
    assert!(matches!(cleaned, Cleaned::Kept { .. }), "{cleaned:?}");
    assert_eq!(look(&*host, &attempt).await.2, Alive::Yes);
    rig.finish(&attempt, "done", 0);
    until_over(&*host, &attempt).await;
    let cleaned = host.clean(&order).await.expect("it answers");
    assert!(matches!(cleaned, Cleaned::Done { .. }), "{cleaned:?}");
}

async fn a_stop_says_whether_it_has_worked_and_may_be_repeated(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    host.end(&attempt, Force::KillAll).await.expect("it can be ended");
    until_over(&*host, &attempt).await;
    let job = rig.job(&attempt);
    for _ in 0..2 {
        let fault = host.stop(&job, "exit 3").await.expect_err("it has not worked");
        assert_eq!(fault.class, FaultClass::TransientStep);
        assert!(fault.text.contains("exit code 3"), "{}", fault.text);
        assert_eq!(host.stop(&job, "exit 0").await, Ok(()));
    }
    let stranger = rig.host(owner("theirs", 1));
    assert_eq!(class(stranger.stop(&job, "exit 0").await), FaultClass::FatalHost);
    assert_eq!(look(&*host, &attempt).await.2, NOT_ALIVE);
}

async fn outputs_are_the_files_that_match(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = prepared(rig, &*host).await;
    for (path, content) in
        [("results/a b.bam", "12345"), ("results/deep/x.bam", ""), ("log.txt", "x"), ("é.bam", "1")]
    {
        rig.put(&attempt, path, content);
    }
    let dir = rig.job(&attempt).dir;
    let found = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        let (host, dir) = (&host, &dir);
        async move {
            let files = host.outputs(dir, &patterns).await.expect("it can be listed");
            files.into_iter().map(|f| (f.path, f.bytes.0)).collect::<Vec<_>>()
        }
    };
    let ab = ("results/a b.bam".to_owned(), 5);
    let x = ("results/deep/x.bam".to_owned(), 0);
    let e = ("é.bam".to_owned(), 1);
    assert_eq!(found(&["results/*.bam"]).await, std::slice::from_ref(&ab));
    assert_eq!(found(&["**/*.bam"]).await, [ab, x, e.clone()]);
    assert_eq!(found(&["*.bam", "nothing"]).await, [e]);
    assert_eq!(found(&[]).await, []);
}

async fn the_bell_rings_at_the_end_of_a_job(rig: &impl Rig) {
    let host = owned(rig).await;
    let attempt = started(rig, &*host).await;
    assert_eq!(host.bell(Duration::from_millis(50)).await, Ok(false));
    let (rung, ()) = tokio::join!(host.bell(LIMIT), async {
        // A ring that nobody waits for is lost.
        rig.until_listened_to().await;
        rig.finish(&attempt, "done", 0);
    });
    assert_eq!(rung, Ok(true));
    // At once: it rings when nothing lives any more.
    let (exit, _, alive) = look(&*host, &attempt).await;
    assert!(matches!(exit, ExitRecord::Present { code: Some(0), .. }), "{exit:?}");
    assert_eq!(alive, NOT_ALIVE);
}

async fn there_is_some_space(rig: &impl Rig) {
    assert!(owned(rig).await.free_space().await.expect("it can be told").0 > 0);
}

macro_rules! suite {
    ($($test:ident,)*) => {
        mod real {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::rigs::real()).await;
            })*
        }
        mod ssh {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::rigs::ssh()).await;
            })*
        }
        mod fake {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::rigs::fake()).await;
            })*
        }
    };
}

suite! {
    own_may_be_repeated,
    a_later_start_takes_over_and_the_earlier_one_is_shut_out,
    another_database_is_refused_with_the_way_out,
    a_daemon_on_a_copy_of_the_database_is_refused_until_it_takes_over,
    a_missing_owner_where_there_was_one_is_not_made_again,
    nothing_is_read_or_done_for_a_stranger,
    a_prepared_attempt_has_nothing_yet,
    preparing_again_leaves_a_running_job_as_it_is,
    several_are_prepared_in_one_go,
    a_finished_job_has_its_code_and_its_output,
    looks_come_in_the_order_asked_and_one_missing_stops_none,
    what_the_daemon_claimed_never_starts,
    a_claim_of_the_job_is_not_taken_from_it,
    ending_leaves_the_record_that_its_force_allows,
    every_attempt_directory_is_listed_with_its_record,
    what_is_cleaned_leaves_a_tombstone_and_can_never_start,
    what_lives_is_not_cleaned,
    a_stop_says_whether_it_has_worked_and_may_be_repeated,
    outputs_are_the_files_that_match,
    the_bell_rings_at_the_end_of_a_job,
    there_is_some_space,
}
