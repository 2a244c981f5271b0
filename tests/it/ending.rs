//! Ending processes, and jobs that nobody ends: what is signalled is exactly what
//! belongs to the attempt, however it hides.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use daylily_lifecycle::attempt::Force;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Alive, ExitRecord};
use daylily_watch::adapters::host::local::{LocalHost, LocalShell};
use daylily_watch::adapters::host::{Host, HostLook};
use daylily_watch::adapters::queue::Queue;
use daylily_watch::adapters::queue::direct::Direct;

use crate::stage::{Holder, Stage, carriers, entry, owner, settings_in};
use crate::wait::{LIMIT, until};

async fn alive(stage: &Stage, attempt: &AttemptId) -> Alive {
    match stage.look(attempt).await {
        HostLook::Saw { alive, .. } => alive,
        HostLook::CouldNot { why } => panic!("{why}"),
    }
}

/// Starts a job and waits till `carriers` processes carry its id.
async fn started(stage: &Stage, command: &str, processes: usize) -> AttemptId {
    let attempt = stage.prepared(command).await;
    stage.add(&attempt).await.expect("it starts");
    until("its processes are there", LIMIT, || carriers(&attempt).len() >= processes);
    attempt
}

const HIDING: &str = "setsid -f sh -c 'exec 8>&- 9>&- </dev/null >/dev/null 2>&1; sleep 1000; true'; \
                      sleep 1000; true";

#[tokio::test]
async fn children_that_left_session_and_descriptors_are_found_and_ended() {
    for force in [Force::Terminate, Force::KillChildren, Force::KillAll] {
        let stage = Stage::new().await;
        // job.sh, the command's shell and its sleep, the hidden shell and its sleep.
        let attempt = started(&stage, HIDING, 5).await;
        stage.host.end(&attempt, force).await.expect("it can be ended");
        stage.until_nothing_lives(&attempt);
        assert_eq!(alive(&stage, &attempt).await, Alive::No { rebooted: false });
        assert_eq!(stage.has(&attempt, "exit.json"), force != Force::KillAll, "{force:?}");
    }
}

#[tokio::test]
async fn a_job_that_ignores_term_is_ended_by_kill_and_job_sh_tells_of_it() {
    let stage = Stage::new().await;
    let deaf = "trap '' TERM; echo deaf; while :; do sleep 1000; done";
    let attempt = started(&stage, deaf, 3).await;
    until("it is deaf", LIMIT, || stage.text(&attempt, "output.log").contains("deaf"));
    stage.host.end(&attempt, Force::Terminate).await.expect("it can be asked");
    assert_eq!(alive(&stage, &attempt).await, Alive::Yes);
    stage.host.end(&attempt, Force::KillChildren).await.expect("it can be ended");
    stage.until_nothing_lives(&attempt);
    let look = stage.look(&attempt).await;
    assert!(
        matches!(
            look,
            HostLook::Saw {
                exit: ExitRecord::Present { code: Some(137), signal: Some(9), .. },
                ..
            }
        ),
        "{look:?}"
    );
}

#[tokio::test]
async fn a_tree_that_keeps_forking_is_ended() {
    let stage = Stage::new().await;
    let forking = "for i in 1 2 3; do (while :; do (sleep 0.01; true) & wait; done) & done; wait";
    let attempt = started(&stage, forking, 8).await;
    stage.host.end(&attempt, Force::KillAll).await.expect("it can be ended");
    stage.until_nothing_lives(&attempt);
}

#[tokio::test]
async fn who_holds_the_lock_without_the_id_is_ended_too() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    let mut holder = Holder::of(&stage.file(&attempt, "lock"));
    assert_eq!(alive(&stage, &attempt).await, Alive::Yes);
    stage.host.end(&attempt, Force::Terminate).await.expect("it can be ended");
    until("the holder is gone", LIMIT, || !holder.is_alive());
    assert_eq!(alive(&stage, &attempt).await, Alive::No { rebooted: false });
}

#[tokio::test]
async fn another_attempt_and_a_shared_prefix_are_left_alone() {
    let stage = Stage::new().await;
    let one = started(&stage, "sleep 1000; true", 3).await;
    let longer = AttemptId::new(format!("{one}x"));
    stage.prepare(&stage.job(&longer, "sleep 1000; true")).await;
    stage.add(&longer).await.expect("it starts");
    stage.host.end(&one, Force::KillAll).await.expect("it can be ended");
    stage.until_nothing_lives(&one);
    assert_eq!(alive(&stage, &longer).await, Alive::Yes);
    let looks = stage.host.read(&[one, longer]).await.expect("the host answers");
    assert!(
        matches!(
            &looks[..],
            [
                HostLook::Saw { alive: Alive::No { .. }, .. },
                HostLook::Saw { alive: Alive::Yes, .. }
            ]
        ),
        "{looks:?}"
    );
}

#[tokio::test]
async fn a_started_job_is_nobodys_child_and_in_a_session_of_its_own() {
    let stage = Stage::new().await;
    let attempt = started(&stage, "sleep 1000; true", 3).await;
    let own_session = session(std::process::id()).1;
    for pid in carriers(&attempt) {
        let (parent, of) = session(pid);
        assert_ne!(parent, std::process::id());
        assert_ne!(of, own_session);
    }
}

/// Parent and session of a process.
fn session(pid: u32) -> (u32, u32) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let after_name = stat.rsplit_once(") ").expect("a name is in brackets").1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    (fields[1].parse().expect("a number"), fields[3].parse().expect("a number"))
}

#[tokio::test]
async fn a_lost_answer_to_a_start_changes_nothing() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("echo executed; sleep 1000; true").await;
    // The future is dropped and with it the script's process group, at any moment.
    for millis in [0, 1, 2, 5, 10, 20, 40] {
        let limit = std::time::Duration::from_millis(millis);
        let _ = tokio::time::timeout(limit, stage.add(&attempt)).await;
    }
    stage.add(&attempt).await.expect("a repeat is inert");
    until("it runs", LIMIT, || stage.text(&attempt, "output.log").contains("executed"));
    assert_eq!(stage.text(&attempt, "output.log"), "executed\n");
    assert_eq!(alive(&stage, &attempt).await, Alive::Yes);
}

#[tokio::test]
async fn a_daemon_that_restarted_finds_its_jobs() {
    let stage = Stage::new().await;
    let attempt = started(&stage, "sleep 1000; true", 3).await;
    let next = stage.host_of(owner("ours", 2));
    next.own(true).await.expect("it is the same database");
    let looks = next.read(std::slice::from_ref(&attempt)).await.expect("the host answers");
    assert!(matches!(looks[0], HostLook::Saw { alive: Alive::Yes, .. }), "{looks:?}");
}

/// A user's service manager as far as the start of a job sees it.
fn with_systemd_run(stage: &Stage, script: &str) -> Direct<LocalShell> {
    let bin = stage.path().join("bin");
    let runtime = stage.path().join("runtime");
    fs::create_dir_all(&bin).expect("it can be made");
    fs::create_dir_all(&runtime).expect("it can be made");
    let _ = UnixListener::bind(runtime.join("bus")).expect("it can be bound");
    let command = bin.join("systemd-run");
    fs::write(&command, script).expect("it can be written");
    fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut settings = settings_in(stage.path(), owner("ours", 1));
    settings.path.push(bin.to_string_lossy().into_owned());
    let runtime = runtime.to_string_lossy().into_owned();
    settings.env.insert("XDG_RUNTIME_DIR".to_owned(), runtime);
    Direct::new(LocalHost::new(settings).work_dir().clone())
}

#[tokio::test]
async fn a_scope_is_used_where_it_works_and_done_without_where_not() {
    let fails = "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n";
    let works = "#!/bin/sh\necho \"$*\" >scoped\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";
    for (script, scoped) in [(fails, false), (works, true)] {
        let stage = Stage::new().await;
        let direct = with_systemd_run(&stage, script);
        let attempt = stage.prepared("echo executed; sleep 1000").await;
        direct.add(&[entry(&attempt)]).await.remove(0).expect("it starts");
        assert_eq!(alive(&stage, &attempt).await, Alive::Yes);
        until("it runs", LIMIT, || stage.text(&attempt, "output.log") == "executed\n");
        let asked = fs::read_to_string(stage.path().join(".daylily-watch/scoped"));
        assert_eq!(asked.is_ok_and(|words| words.starts_with("--user --scope")), scoped);
    }
}
