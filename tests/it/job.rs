//! What `job.sh` does, run for real.

use std::fs;

use daylily_lifecycle::attempt::ClaimedBy;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Alive, Claim, ExitRecord};
use daylily_watch::adapters::host::local::LocalHost;
use daylily_watch::adapters::host::{Host, HostLook, Job};

use crate::stage::{Holder, Stage, carriers, kill, new_attempt, owner, settings_in};
use crate::wait::{LIMIT, until};

async fn exit_of(stage: &Stage, attempt: &AttemptId) -> (Option<i32>, Option<i32>) {
    match stage.look(attempt).await {
        HostLook::Saw { exit: ExitRecord::Present { code, signal, .. }, .. } => (code, signal),
        other => panic!("{other:?}"),
    }
}

/// Runs the job as a queue would and compares its exit code and record.
async fn check(job: impl FnOnce(&mut Job), status: i32, recorded: (Option<i32>, Option<i32>)) {
    let stage = Stage::new().await;
    let attempt = new_attempt();
    let mut made = stage.job(&attempt, "true");
    job(&mut made);
    stage.prepare(&made).await;
    assert_eq!(stage.run_job(&attempt), Some(status), "{made:?}");
    let output = stage.text(&attempt, "output.log");
    assert_eq!(exit_of(&stage, &attempt).await, recorded, "{made:?} {output}");
}

#[tokio::test]
async fn the_exit_code_is_recorded_and_passed_on() {
    for code in [0, 1, 42, 255] {
        check(|job| job.command = format!("exit {code}"), code, (Some(code), None)).await;
    }
}

#[tokio::test]
async fn death_by_a_signal_is_recorded_as_one() {
    check(|job| job.command = "kill -KILL $$".to_owned(), 137, (Some(137), Some(9))).await;
}

#[tokio::test]
async fn a_shell_that_is_not_there_has_the_code_of_that() {
    check(|job| job.shell = vec!["/no/such/shell".to_owned()], 127, (Some(127), None)).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_executes_nothing() {
    check(|job| job.dir.push_str("/gone"), 96, (Some(96), None)).await;
}

#[tokio::test]
async fn a_failing_setup_is_the_end_of_the_job() {
    let with = |setup: &str| {
        let setup = setup.to_owned();
        move |job: &mut Job| {
            job.setup = Some(setup);
            job.command = "[ \"$X\" = y ] && exit 9".to_owned();
        }
    };
    check(with("false"), 1, (Some(1), None)).await;
    check(with("exit 33"), 33, (Some(33), None)).await;
    check(with("X=y\n# done"), 9, (Some(9), None)).await;
    check(with("# nothing\n"), 1, (Some(1), None)).await;
    check(with("set -- a b; X=y"), 9, (Some(9), None)).await;
}

#[tokio::test]
async fn a_term_to_the_whole_tree_still_leaves_a_record() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("echo begun; sleep 1000; true").await;
    let mut job = stage.spawn_job(&attempt);
    until("the command runs", LIMIT, || stage.text(&attempt, "output.log").contains("begun"));
    until("sleep runs", LIMIT, || carriers(&attempt).len() >= 3);
    carriers(&attempt).into_iter().for_each(|pid| kill(pid, "TERM"));
    assert_eq!(job.wait().expect("it was started").code(), Some(143));
    assert_eq!(exit_of(&stage, &attempt).await, (Some(143), Some(15)));
}

#[tokio::test]
async fn the_command_meets_signals_as_usual() {
    let signals = "grep -E 'SigIgn|SigBlk' /proc/self/status";
    let stage = Stage::new().await;
    let attempt = stage.prepared(signals).await;
    stage.run(&attempt).await;
    for line in stage.text(&attempt, "output.log").lines() {
        let (_, mask) = line.split_once(":\t").expect("a name and a mask");
        // glibc ignores its own two, 32 and 33, in what it spawns.
        let mask = u64::from_str_radix(mask, 16).expect("a mask is hexadecimal") & 0x7fff_ffff;
        assert_eq!(mask, 0, "{line}");
    }
}

#[tokio::test]
async fn a_second_job_of_an_attempt_executes_and_truncates_nothing() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("echo executed").await;
    assert_eq!(stage.run_job(&attempt), Some(0));
    let claim = stage.text(&attempt, "claim");
    assert_eq!(stage.run_job(&attempt), Some(98));
    assert_eq!(stage.text(&attempt, "output.log"), "executed\n");
    assert_eq!(stage.text(&attempt, "claim"), claim);
    assert_eq!(exit_of(&stage, &attempt).await, (Some(0), None));
}

#[tokio::test]
async fn another_attempt_of_a_running_case_executes_nothing_and_may_come_back() {
    let stage = Stage::new().await;
    let first = stage.prepared("sleep 1000").await;
    stage.add(&first).await.expect("it starts");
    let second = new_attempt();
    let mut job = stage.job(&first, "echo second");
    job.attempt = second.clone();
    stage.prepare(&job).await;
    assert_eq!(stage.run_job(&second), Some(97));
    let fault = stage.add(&second).await.expect_err("the case is locked");
    assert!(fault.text.contains("another attempt"), "{}", fault.text);
    assert!(!stage.has(&second, "claim") && !stage.has(&second, "output.log"));
    carriers(&first).into_iter().for_each(|pid| kill(pid, "KILL"));
    stage.until_nothing_lives(&first);
    assert_eq!(stage.run_job(&second), Some(0));
    assert_eq!(stage.text(&second, "output.log"), "second\n");
}

#[tokio::test]
async fn what_a_job_leaves_behind_keeps_its_case_locked() {
    let stage = Stage::new().await;
    let first = stage.prepared("sleep 1000 >/dev/null 2>&1 & exit 0").await;
    assert_eq!(stage.run_job(&first), Some(0));
    assert_eq!(carriers(&first).len(), 1);
    let second = new_attempt();
    let mut job = stage.job(&first, "true");
    job.attempt = second.clone();
    stage.prepare(&job).await;
    assert_eq!(stage.run_job(&second), Some(97));
}

#[tokio::test]
async fn a_claim_of_the_daemon_lets_nothing_start() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("echo executed").await;
    assert_eq!(stage.host.take_claim(&attempt).await, Ok(ClaimedBy::Daemon));
    assert_eq!(stage.run_job(&attempt), Some(98));
    assert!(!stage.has(&attempt, "output.log") && !stage.has(&attempt, "exit.json.tmp"));
}

#[tokio::test]
async fn a_claim_taken_while_the_job_waits_for_its_lock_wins() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("echo executed").await;
    let held = Holder::of(&stage.file(&attempt, "lock"));
    let mut job = stage.spawn_job(&attempt);
    // job.sh itself and the flock that waits for it.
    until("it waits for the lock", LIMIT, || carriers(&attempt).len() == 2);
    assert_eq!(stage.host.take_claim(&attempt).await, Ok(ClaimedBy::Daemon));
    drop(held);
    assert_eq!(job.wait().expect("it was started").code(), Some(98));
    assert!(!stage.has(&attempt, "output.log"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_claimers_exactly_one_wins() {
    for daemons in [0, 5] {
        let stage = Stage::new().await;
        let attempt = stage.prepared("echo executed").await;
        let mut jobs: Vec<_> = (0..20).map(|_| stage.spawn_job(&attempt)).collect();
        let claims = (0..daemons).map(|_| {
            let (host, attempt) = (stage.host_of(owner("ours", 1)), attempt.clone());
            tokio::spawn(async move { host.take_claim(&attempt).await.expect("it is answered") })
        });
        let claims: Vec<_> = claims.collect();
        let mut winners = Vec::new();
        for claim in claims {
            winners.push(claim.await.expect("it does not panic"));
        }
        let codes: Vec<_> =
            jobs.iter_mut().map(|job| job.wait().expect("it was started").code()).collect();
        let executed = stage.text(&attempt, "output.log").lines().count();
        let expected = match winners.first() {
            Some(ClaimedBy::Daemon) => 0,
            Some(ClaimedBy::Job) | None => 1,
        };
        assert_eq!(executed, expected, "{winners:?} {codes:?}");
        assert!(winners.windows(2).all(|two| two[0] == two[1]), "{winners:?}");
        let ran = codes.iter().filter(|code| **code == Some(0)).count();
        let refused = codes.iter().filter(|code| **code == Some(98)).count();
        assert_eq!((ran, refused), (expected, 20 - expected), "{codes:?}");
    }
}

#[tokio::test]
async fn odd_names_and_values_arrive_as_they_are() {
    let odd = "it's a \"$HOME\" `id` $(id) \\ * ä 😀 --";
    let stage = Stage::new().await;
    let attempt = new_attempt();
    let mut job = stage.job(&attempt, "pwd; printf '%s\\n' \"$ODD\"; echo 'a'\"'\"'b'");
    job.remote_name = odd.to_owned();
    job.dir = stage.path().join("new").join(odd).to_string_lossy().into_owned();
    fs::create_dir_all(&job.dir).expect("it can be made");
    job.env.insert("ODD".to_owned(), odd.to_owned());
    stage.prepare(&job).await;
    stage.run(&attempt).await;
    let expected = format!("{}\n{odd}\na'b\n", job.dir);
    assert_eq!(stage.text(&attempt, "output.log"), expected);
}

#[tokio::test]
async fn a_name_of_255_bytes_has_a_lock_of_its_own() {
    let stage = Stage::new().await;
    let attempt = new_attempt();
    let mut job = stage.job(&attempt, "true");
    job.remote_name = "ä".repeat(127);
    stage.prepare(&job).await;
    assert_eq!(stage.run_job(&attempt), Some(0));
}

#[tokio::test]
async fn the_environment_is_clean_and_carries_the_id() {
    let stage = Stage::new().await;
    let attempt = new_attempt();
    let mut job = stage.job(&attempt, "env | cut -d= -f1 | sort | tr '\\n' ' '; cat");
    job.env.insert("DAYLILY_CASE".to_owned(), "x".to_owned());
    stage.prepare(&job).await;
    stage.run(&attempt).await;
    let output = stage.text(&attempt, "output.log");
    let known = [
        "DAYLILY_ATTEMPT",
        "DAYLILY_CASE",
        "HOME",
        "LANG",
        "PATH",
        "PWD",
        "OLDPWD",
        "USER",
        "XDG_RUNTIME_DIR",
        "SHLVL",
        "_",
    ];
    for name in output.split_whitespace() {
        assert!(known.contains(&name), "{output}");
    }
    assert!(output.contains("DAYLILY_ATTEMPT DAYLILY_CASE HOME LANG"), "{output}");
}

#[tokio::test]
async fn path_environment_and_umask_of_the_headnode_reach_the_command() {
    let stage = Stage::new().await;
    let mut settings = settings_in(stage.path(), owner("ours", 1));
    settings.umask = 0o027;
    settings.path.push("~/odd folder".to_owned());
    settings.env.insert("LAB".to_owned(), "it's".to_owned());
    let attempt = new_attempt();
    let job = stage.job(&attempt, "umask; echo \"$LAB\"; echo \"${PATH%%:*}\"; echo ~");
    LocalHost::new(settings).prepare(&job).await.expect("it can be prepared");
    stage.run(&attempt).await;
    let output = stage.text(&attempt, "output.log");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..2], ["0027", "it's"]);
    assert_eq!(lines[2], format!("{}/odd folder", lines[3]));
}

#[tokio::test]
async fn a_full_disk_delays_the_record_and_keeps_the_lock() {
    let stage = Stage::new().await;
    let attempt = new_attempt();
    let full = "rm -f \"$D/exit.json.tmp\"; ln -s /dev/full \"$D/exit.json.tmp\"; exit 4";
    let mut job = stage.job(&attempt, full);
    let dir = stage.file(&attempt, "");
    job.env.insert("D".to_owned(), dir.to_string_lossy().into_owned());
    stage.prepare_impatient(&job).await;
    let mut started = stage.spawn_job(&attempt);
    until("it met the full disk", LIMIT, || {
        stage.text(&attempt, "output.log").contains("No space left")
            || stage.text(&attempt, "output.log").contains("I/O error")
    });
    let look = stage.look(&attempt).await;
    assert!(
        matches!(
            look,
            HostLook::Saw { alive: Alive::Yes, claim: Claim::Job { .. }, .. }
                | HostLook::CouldNot { .. }
        ),
        "{look:?}"
    );
    assert!(!stage.has(&attempt, "exit.json"));
    fs::remove_file(stage.file(&attempt, "exit.json.tmp")).expect("it is there");
    assert_eq!(started.wait().expect("it was started").code(), Some(4));
    assert_eq!(exit_of(&stage, &attempt).await, (Some(4), None));
}

#[tokio::test]
async fn a_disk_that_is_full_before_the_start_delays_the_command() {
    let stage = Stage::new().await;
    let attempt = new_attempt();
    stage.prepare_impatient(&stage.job(&attempt, "echo executed")).await;
    let room = stage.file(&attempt, "exit.json.tmp");
    std::os::unix::fs::symlink("/dev/full", &room).expect("it can be made");
    let mut started = stage.spawn_job(&attempt);
    until("it claimed", LIMIT, || stage.has(&attempt, "claim"));
    assert!(!stage.has(&attempt, "output.log"));
    fs::remove_file(room).expect("it is there");
    assert_eq!(started.wait().expect("it was started").code(), Some(0));
    assert_eq!(stage.text(&attempt, "output.log"), "executed\n");
}

#[tokio::test]
async fn an_attempt_without_a_lock_does_not_begin() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("echo executed").await;
    fs::remove_file(stage.file(&attempt, "lock")).expect("it is there");
    assert_eq!(stage.run_job(&attempt), Some(96));
    assert!(!stage.has(&attempt, "claim") && !stage.has(&attempt, "lock"));
}

#[tokio::test]
async fn a_missing_bell_is_not_made_a_file() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("exit 0").await;
    let bell = stage.path().join(".daylily-watch/bell");
    fs::remove_file(&bell).expect("it is there");
    assert_eq!(stage.run_job(&attempt), Some(0));
    assert!(bell.symlink_metadata().is_err());
}

/// Whether a job has come to some step.
type Reached = fn(&Stage, &AttemptId) -> bool;

#[tokio::test]
async fn a_job_killed_at_any_step_and_started_again_executes_once_at_most() {
    let steps: [(&str, Reached); 6] = [
        ("it carries its id", |_, attempt| !carriers(attempt).is_empty()),
        ("it asks for a lock", |_, attempt| carriers(attempt).len() > 1),
        ("it claimed", |stage, attempt| stage.has(attempt, "claim")),
        ("it reserved room", |stage, attempt| stage.has(attempt, "exit.json.tmp")),
        ("it opened its output", |stage, attempt| stage.has(attempt, "output.log")),
        ("it executed", |stage, attempt| !stage.text(attempt, "output.log").is_empty()),
    ];
    for (step, reached) in steps {
        let stage = Stage::new().await;
        let attempt = stage.prepared("echo executed; [ -e go ] || sleep 1000").await;
        let mut first = stage.spawn_job(&attempt);
        until(step, LIMIT, || reached(&stage, &attempt));
        until("nothing of it lives", LIMIT, || {
            carriers(&attempt).into_iter().for_each(|pid| kill(pid, "KILL"));
            carriers(&attempt).is_empty()
        });
        first.wait().expect("it was started");
        let claimed = stage.has(&attempt, "claim");
        fs::write(format!("{}/go", stage.job(&attempt, "").dir), "").expect("it can be written");
        let expected = if claimed { 98 } else { 0 };
        assert_eq!(stage.run_job(&attempt), Some(expected), "{step}");
        let executed = stage.text(&attempt, "output.log").lines().count();
        assert!(executed <= 1 && (claimed || executed == 1), "{step}: {executed}");
        assert_eq!(stage.has(&attempt, "exit.json"), !claimed, "{step}");
    }
}
