//! The table of the attempt directory, row by row: real files, locks and processes
//! are staged, read through the host, joined with the queue's word, and concluded.

use std::fs;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{
    AfterClaim, Conclusion, Evidence, ExitRecord, Fault, Look, QueueWord, Seen, conclude,
};
use daylily_watch::adapters::host::{Host, HostLook};

use crate::stage::{Holder, Stage, carriers, kill, owner};
use crate::wait::{LIMIT, until};

const AT: &str = "2026-11-20T06:00:00.000Z";

const ALL: [QueueWord; 7] = [
    QueueWord::Running,
    QueueWord::Waiting,
    QueueWord::Done,
    QueueWord::Killed,
    QueueWord::FailedToSpawn,
    QueueWord::Absent,
    QueueWord::Unreadable,
];

const NEVER_SEEN: Seen = Seen { claimed_at: None, in_queue: false, queue_wiped: Some(false) };
const SEEN: Seen = Seen { claimed_at: None, in_queue: true, queue_wiped: Some(false) };
const WIPED: Seen = Seen { claimed_at: None, in_queue: true, queue_wiped: Some(true) };

fn join(looks: Result<Vec<HostLook>, Fault>, queue: QueueWord) -> Look {
    match looks.map(|mut looks| looks.remove(0)) {
        Ok(HostLook::Saw { exit, claim, alive }) => {
            Look::Saw(Evidence { exit, claim, alive, queue })
        }
        Ok(HostLook::CouldNot { why }) => Look::CouldNot { why },
        Err(fault) => Look::CouldNot { why: fault.text },
    }
}

/// One real reading, concluded with each word of the queue.
async fn readings(
    host: &dyn Host,
    attempt: &AttemptId,
    words: &[QueueWord],
    seen: Seen,
) -> Vec<(QueueWord, Conclusion)> {
    let looks = host.read(std::slice::from_ref(attempt)).await;
    words.iter().map(|&word| (word, conclude(&join(looks.clone(), word), seen))).collect()
}

async fn check(
    stage: &Stage,
    attempt: &AttemptId,
    words: &[QueueWord],
    seen: Seen,
    expected: impl Fn(&Conclusion) -> bool,
) {
    for (word, concluded) in readings(&stage.host, attempt, words, seen).await {
        assert!(expected(&concluded), "{word:?}: {concluded:?}");
    }
}

/// The conclusion is "could not look", and `why` is part of its reason.
async fn check_could_not(stage: &Stage, attempt: &AttemptId, why: &str) {
    check(
        stage,
        attempt,
        &ALL,
        SEEN,
        |c| matches!(c, Conclusion::CouldNotLook { why: said } if said.contains(why)),
    )
    .await;
}

fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux has it");
    text.trim().to_owned()
}

fn here() -> (String, String) {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has it");
    let machine = fs::read_to_string("/etc/machine-id").expect("this machine has an id");
    (host.trim().to_owned(), machine.trim().to_owned())
}

fn forge_claim(stage: &Stage, attempt: &AttemptId, host: &str, machine: &str, boot: &str) {
    let claim = format!(
        "{{\"by\":\"job\",\"token\":\"t\",\"attempt\":\"{attempt}\",\"host\":\"{host}\",\
         \"machine_id\":\"{machine}\",\"boot_id\":\"{boot}\",\"pid\":1,\"at\":\"{AT}\"}}\n"
    );
    fs::write(stage.file(attempt, "claim"), claim).expect("it can be written");
}

/// A claim of a machine that is not this one.
fn forge_elsewhere(stage: &Stage, attempt: &AttemptId) {
    forge_claim(stage, attempt, "node7", "another-machine", "another-boot");
}

fn forge_exit(stage: &Stage, attempt: &AttemptId, code: i32) {
    let exit =
        format!("{{\"code\":{code},\"signal\":null,\"started\":\"{AT}\",\"ended\":\"{AT}\"}}");
    fs::write(stage.file(attempt, "exit.json"), exit).expect("it can be written");
}

async fn running(stage: &Stage) -> AttemptId {
    let attempt = stage.prepared("sleep 1000").await;
    stage.add(&attempt).await.expect("it starts");
    attempt
}

/// A job that claimed and was then killed with all its processes.
async fn silenced(stage: &Stage) -> AttemptId {
    let attempt = running(stage).await;
    until("nothing of it lives", LIMIT, || {
        carriers(&attempt).into_iter().for_each(|pid| kill(pid, "KILL"));
        carriers(&attempt).is_empty()
    });
    attempt
}

#[tokio::test]
async fn a_wrong_owner_lets_nothing_be_concluded() {
    let stage = Stage::new().await;
    let attempt = running(&stage).await;
    for stranger in [owner("theirs", 1), owner("ours", 0)] {
        let host = stage.host_of(stranger);
        for (word, concluded) in readings(&host, &attempt, &ALL, SEEN).await {
            assert!(matches!(concluded, Conclusion::CouldNotLook { .. }), "{word:?} {concluded:?}");
        }
    }
    fs::remove_file(stage.path().join(".daylily-watch/owner")).expect("it is there");
    check_could_not(&stage, &attempt, "mounted").await;
}

#[tokio::test]
async fn a_missing_directory_lets_nothing_be_concluded() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    fs::remove_dir_all(stage.file(&attempt, "")).expect("it is there");
    check_could_not(&stage, &attempt, "directory").await;
}

#[tokio::test]
async fn a_missing_job_script_lets_nothing_be_concluded() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("exit 0").await;
    stage.run(&attempt).await;
    fs::remove_file(stage.file(&attempt, "job.sh")).expect("it is there");
    check_could_not(&stage, &attempt, "job.sh is missing").await;
}

#[tokio::test]
async fn a_missing_lock_lets_nothing_be_concluded_and_is_not_made() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    fs::remove_file(stage.file(&attempt, "lock")).expect("it is there");
    check_could_not(&stage, &attempt, "lock is missing").await;
    assert!(!stage.has(&attempt, "lock"));
}

#[tokio::test]
async fn a_claim_that_is_no_claim_lets_nothing_be_concluded() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    for claim in ["", "{\"by\":", "nonsense\n"] {
        fs::write(stage.file(&attempt, "claim"), claim).expect("it can be written");
        check_could_not(&stage, &attempt, "claim").await;
    }
    fs::remove_file(stage.file(&attempt, "claim")).expect("it is there");
    fs::create_dir(stage.file(&attempt, "claim")).expect("it can be made");
    check_could_not(&stage, &attempt, "not a regular file").await;
}

#[tokio::test]
async fn an_end_record_beside_our_claim_is_impossible() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    stage.host.take_claim(&attempt).await.expect("nobody has it");
    forge_exit(&stage, &attempt, 0);
    check(&stage, &attempt, &ALL, SEEN, |c| *c == Conclusion::Impossible).await;
}

#[tokio::test]
async fn a_record_and_nothing_alive_is_an_end_with_its_code() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("exit 7").await;
    stage.run(&attempt).await;
    let is_end =
        |c: &Conclusion| matches!(c, Conclusion::Ended { code: Some(7), signal: None, .. });
    check(&stage, &attempt, &ALL, SEEN, is_end).await;
    // Somebody tidied the claim away: the record still counts.
    fs::remove_file(stage.file(&attempt, "claim")).expect("it is there");
    check(&stage, &attempt, &ALL, SEEN, is_end).await;
}

#[tokio::test]
async fn a_record_and_living_processes_is_an_end_with_left_overs() {
    let stage = Stage::new().await;
    let left = "exec 8>&- 9>&-; setsid -f sleep 1000 </dev/null >/dev/null 2>&1; exit 2";
    let attempt = stage.prepared(left).await;
    stage.add(&attempt).await.expect("it starts");
    until("its end is written", LIMIT, || stage.has(&attempt, "exit.json"));
    check(&stage, &attempt, &ALL, SEEN, |c| {
        matches!(c, Conclusion::EndedWithLeftOvers { code: Some(2), .. })
    })
    .await;
    carriers(&attempt).into_iter().for_each(|pid| kill(pid, "KILL"));
    stage.until_nothing_lives(&attempt);
    check(&stage, &attempt, &ALL, SEEN, |c| matches!(c, Conclusion::Ended { code: Some(2), .. }))
        .await;
}

#[tokio::test]
async fn a_record_from_elsewhere_waits_for_the_word_of_the_queue() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    forge_elsewhere(&stage, &attempt);
    forge_exit(&stage, &attempt, 5);
    let (wait, free) = ALL
        .into_iter()
        .partition::<Vec<_>, _>(|w| matches!(w, QueueWord::Running | QueueWord::Unreadable));
    check(&stage, &attempt, &wait, SEEN, |c| {
        matches!(c, Conclusion::EndedUnconfirmed { code: Some(5), .. })
    })
    .await;
    check(&stage, &attempt, &free, SEEN, |c| matches!(c, Conclusion::Ended { code: Some(5), .. }))
        .await;
}

#[tokio::test]
async fn a_partial_record_counts_as_absent_and_is_remembered() {
    let stage = Stage::new().await;
    let attempt = silenced(&stage).await;
    for (file, content) in
        [("exit.json.tmp", "{\"code\":0,\"sig   "), ("exit.json", "{\"code\":0"), ("exit.json", "")]
    {
        fs::write(stage.file(&attempt, file), content).expect("it can be written");
        check(&stage, &attempt, &ALL, SEEN, |c| {
            matches!(c, Conclusion::Silent { partial: true, rebooted: false, .. })
        })
        .await;
    }
    let _held = Holder::of(&stage.file(&attempt, "lock"));
    check(&stage, &attempt, &[QueueWord::Running], SEEN, |c| {
        matches!(c, Conclusion::Running { orphaned: false, .. })
    })
    .await;
}

#[tokio::test]
async fn a_claimed_job_that_lives_is_running_whatever_the_queue_says() {
    let stage = Stage::new().await;
    let attempt = running(&stage).await;
    for seen in [NEVER_SEEN, SEEN] {
        for (word, concluded) in readings(&stage.host, &attempt, &ALL, seen).await {
            let denied = match word {
                QueueWord::Running | QueueWord::Unreadable => false,
                // A list that once had it, or none at all.
                QueueWord::Absent => seen.in_queue,
                QueueWord::Waiting
                | QueueWord::Done
                | QueueWord::Killed
                | QueueWord::FailedToSpawn => true,
            };
            assert!(
                matches!(concluded, Conclusion::Running { orphaned, .. } if orphaned == denied),
                "{word:?}: {concluded:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_held_lock_alone_is_life_even_of_a_claim_from_elsewhere() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    forge_elsewhere(&stage, &attempt);
    let _held = Holder::of(&stage.file(&attempt, "lock"));
    check(&stage, &attempt, &ALL, SEEN, |c| matches!(c, Conclusion::Running { .. })).await;
}

#[tokio::test]
async fn a_claimed_job_without_life_or_record_is_silent() {
    let stage = Stage::new().await;
    let attempt = silenced(&stage).await;
    check(&stage, &attempt, &ALL, SEEN, |c| {
        matches!(c, Conclusion::Silent { rebooted: false, partial: false, .. })
    })
    .await;
}

#[tokio::test]
async fn the_same_machine_after_a_restart_is_silent_and_says_so() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    let (host, machine) = here();
    forge_claim(&stage, &attempt, &host, &machine, "the-boot-before");
    check(&stage, &attempt, &ALL, SEEN, |c| matches!(c, Conclusion::Silent { rebooted: true, .. }))
        .await;
    forge_claim(&stage, &attempt, "a-container", "", &boot_id());
    check(&stage, &attempt, &ALL, SEEN, |c| {
        matches!(c, Conclusion::Silent { rebooted: false, .. })
    })
    .await;
}

#[tokio::test]
async fn a_job_elsewhere_is_running_while_the_queue_says_so() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    forge_elsewhere(&stage, &attempt);
    check(&stage, &attempt, &[QueueWord::Running], SEEN, |c| {
        matches!(c, Conclusion::Running { orphaned: false, .. })
    })
    .await;
}

#[tokio::test]
async fn a_job_elsewhere_that_the_queue_gave_up_has_an_unconfirmed_end() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    forge_elsewhere(&stage, &attempt);
    let words = [
        QueueWord::Waiting,
        QueueWord::Done,
        QueueWord::Killed,
        QueueWord::FailedToSpawn,
        QueueWord::Absent,
    ];
    check(&stage, &attempt, &words, SEEN, |c| *c == Conclusion::EndUnconfirmed).await;
}

#[tokio::test]
async fn a_job_elsewhere_and_an_unreadable_queue_let_nothing_be_concluded() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    forge_elsewhere(&stage, &attempt);
    check(&stage, &attempt, &[QueueWord::Unreadable], SEEN, |c| {
        matches!(c, Conclusion::CouldNotLook { .. })
    })
    .await;
}

#[tokio::test]
async fn what_the_daemon_claimed_never_ran() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    stage.host.take_claim(&attempt).await.expect("nobody has it");
    check(&stage, &attempt, &ALL, SEEN, |c| *c == Conclusion::NeverRan).await;
}

#[tokio::test]
async fn life_before_the_claim_is_starting() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    let held = Holder::of(&stage.file(&attempt, "lock"));
    check(&stage, &attempt, &ALL, NEVER_SEEN, |c| *c == Conclusion::Starting).await;
    // The same while job.sh itself waits for that lock.
    let mut job = stage.spawn_job(&attempt);
    until("job.sh carries its id", LIMIT, || !carriers(&attempt).is_empty());
    check(&stage, &attempt, &ALL, NEVER_SEEN, |c| *c == Conclusion::Starting).await;
    drop(held);
    assert_eq!(job.wait().expect("it was started").code(), Some(0));
}

#[tokio::test]
async fn what_was_never_seen_is_not_submitted() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    check(&stage, &attempt, &[QueueWord::Absent], NEVER_SEEN, |c| *c == Conclusion::NotSubmitted)
        .await;
}

#[tokio::test]
async fn what_the_queue_lost_has_its_claim_taken() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    for (seen, then) in [(WIPED, AfterClaim::NewAttempt), (SEEN, AfterClaim::Hold)] {
        check(&stage, &attempt, &[QueueWord::Absent], seen, |c| {
            *c == Conclusion::TakeClaim { then }
        })
        .await;
    }
}

#[tokio::test]
async fn what_waits_in_the_queue_is_waiting() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    for seen in [NEVER_SEEN, SEEN, WIPED] {
        check(&stage, &attempt, &[QueueWord::Waiting], seen, |c| *c == Conclusion::Waiting).await;
    }
}

#[tokio::test]
async fn what_the_queue_runs_and_has_not_claimed_is_starting() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    check(&stage, &attempt, &[QueueWord::Running], SEEN, |c| *c == Conclusion::Starting).await;
}

#[tokio::test]
async fn what_the_queue_is_done_with_unclaimed_has_its_claim_taken() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    let words = [QueueWord::Done, QueueWord::Killed, QueueWord::FailedToSpawn];
    check(&stage, &attempt, &words, SEEN, |c| {
        *c == Conclusion::TakeClaim { then: AfterClaim::Retry }
    })
    .await;
}

#[tokio::test]
async fn an_unclaimed_job_and_an_unreadable_queue_let_nothing_be_concluded() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    for seen in [NEVER_SEEN, SEEN, WIPED] {
        check(&stage, &attempt, &[QueueWord::Unreadable], seen, |c| {
            matches!(c, Conclusion::CouldNotLook { .. })
        })
        .await;
    }
}

#[tokio::test]
async fn an_unclaimed_partial_record_counts_as_absent() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    fs::write(stage.file(&attempt, "exit.json"), "{").expect("it can be written");
    let looks = stage.look(&attempt).await;
    assert!(matches!(looks, HostLook::Saw { exit: ExitRecord::Partial, .. }), "{looks:?}");
    check(&stage, &attempt, &[QueueWord::Absent], NEVER_SEEN, |c| *c == Conclusion::NotSubmitted)
        .await;
}
