//! A pipeline's `stop` on a real machine: what it finds there, and that it is never taken
//! for a process of the job.

use std::fs;
use std::path::Path;

use daylily_lifecycle::outcome::{Alive, FaultClass};
use daylily_watch::adapters::host::{Host, HostLook, Job};

use crate::stage::{Holder, Stage, new_attempt};
use crate::wait::{LIMIT, until, until_seen};

async fn prepared(stage: &Stage) -> Job {
    let attempt = new_attempt();
    let mut job = stage.job(&attempt, "true");
    job.setup = Some("label=\"of $DAYLILY_CASE\"".to_owned());
    for (name, value) in
        [("DAYLILY_CASE", "it's $x"), ("DAYLILY_ATTEMPT", attempt.as_str()), ("EXTRA", "a\nb")]
    {
        job.env.insert(name.to_owned(), value.to_owned());
    }
    stage.prepare(&job).await;
    job
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_has_the_folder_the_setup_and_the_environment_of_the_job() {
    let stage = Stage::new().await;
    let job = prepared(&stage).await;
    let stop = "printf '%s|' \"$PWD\" \"$label\" \"$EXTRA\" \"$DAYLILY_ATTEMPT\" >found\n\
                env | grep -c '^LC_ALL=\\|^DAYLILY_ATTEMPT=' >>found\n\
                sh -c 'printf %s \"$DAYLILY_STOP\"' >>found; [ ! -s /dev/stdin ]";
    stage.host.stop(&job, stop).await.expect("it works");
    let id = &job.attempt;
    let found = text(&Path::new(&job.dir).join("found"));
    assert_eq!(found, format!("{}|of it's $x|a\nb|{id}|0\n{id}", job.dir));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_ends_with_is_told_with_its_last_words_whatever_the_code() {
    let stage = Stage::new().await;
    let job = prepared(&stage).await;
    // Codes that our own scripts use for something else among them.
    for code in [1, 91, 92, 94, 97, 255] {
        let stop = format!("echo first; echo 'no daemon at /run/x.sock' >&2; exit {code}");
        let fault = stage.host.stop(&job, &stop).await.expect_err("it has not worked");
        assert_eq!(fault.class, FaultClass::TransientStep);
        let expected = format!("`stop` ended with exit code {code}: no daemon at /run/x.sock");
        assert_eq!(fault.text, expected);
    }
    let fault = stage.host.stop(&job, "kill -9 $$").await.expect_err("it was killed");
    assert_eq!(fault.class, FaultClass::TransientStep);
    fs::remove_dir_all(&job.dir).expect("it is ours");
    let fault = stage.host.stop(&job, "true").await.expect_err("there is no folder");
    assert!(fault.text.contains("exit code 96"), "{}", fault.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_not_run_beside_itself_and_is_no_process_of_the_job() {
    let stage = Stage::new().await;
    let job = prepared(&stage).await;
    let (begun, go) = (Path::new(&job.dir).join("begun"), Path::new(&job.dir).join("go"));
    let stop = "sh -c ': >begun; until [ -e go ]; do sleep 0.02; done'";
    let first = stage.host.stop(&job, stop);
    let second = async {
        until_seen("the first has begun", LIMIT, || async { begun.is_file() }).await;
        let fault = stage.host.stop(&job, "true").await.expect_err("the first still runs");
        assert!(fault.text.contains("has not ended yet"), "{}", fault.text);
        let look = stage.look(&job.attempt).await;
        let HostLook::Saw { alive, .. } = look else { panic!("{look:?}") };
        assert_eq!(alive, Alive::No { rebooted: false });
        fs::write(&go, "").expect("it can be written");
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first, Ok(()));
    assert_eq!(stage.host.stop(&job, "true").await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_leaves_running_keeps_it_from_being_run_again() {
    let stage = Stage::new().await;
    let job = prepared(&stage).await;
    stage.host.stop(&job, "true").await.expect("it works");
    let holder = Holder::of(&stage.file(&job.attempt, "stop.lock"));
    let fault = stage.host.stop(&job, "true").await.expect_err("something of it runs");
    assert!(fault.text.contains("has not ended yet"), "{}", fault.text);
    drop(holder);
    until("the lock is free", LIMIT, || stage.has(&job.attempt, "stop.lock"));
    stage.host.stop(&job, "true").await.expect("it works again");
}
