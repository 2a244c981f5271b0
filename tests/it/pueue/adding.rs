//! How entries get into the list.

use std::collections::BTreeSet;
use std::fs;

use daylily_lifecycle::ids::{AttemptId, TaskId};
use daylily_lifecycle::outcome::{Conclusion, FaultClass, QueueWord};
use daylily_watch::adapters::host::Host;
use daylily_watch::adapters::host::local::{LocalHost, LocalHostSettings};
use daylily_watch::adapters::queue::Queue;
use daylily_watch::adapters::queue::pueue::Pueue;

use super::ground::{COUNTED, Ground, NEVER_SEEN, in_group};
use crate::stage::{entry, job_in, new_attempt, owner, settings_in};
use crate::wait::{LIMIT, until};

#[tokio::test]
async fn several_are_one_script_and_each_is_told_its_id() {
    let ground = Ground::new().await;
    let mut attempts = Vec::new();
    for _ in 0..5 {
        attempts.push(ground.stage.prepared("true").await);
    }
    let entries: Vec<_> = attempts.iter().map(entry).collect();
    let answers = ground.queue.add(&entries).await;
    for (attempt, answer) in attempts.iter().zip(answers) {
        let task = answer.expect("it is added").expect("it has an id");
        let listed = ground.pueued.labelled(attempt.as_str());
        assert_eq!(listed.len(), 1);
        assert_eq!(TaskId::new(&listed[0].0), task);
    }
}

#[tokio::test]
async fn warnings_before_an_id_are_passed_over() {
    let ground = Ground::new().await;
    let queue =
        ground.queue_by_script("echo 'Different daemon version'; echo; exec \"$real\" \"$@\"");
    let attempt = ground.stage.prepared("true").await;
    let task = queue.add(&[entry(&attempt)]).await.remove(0).expect("it is added");
    assert_eq!(task, Some(TaskId::new("0")));
    assert!(queue.look().await.expect("it is read").words.contains_key(&attempt));
}

#[tokio::test]
async fn an_entry_has_one_word_and_nothing_of_our_environment() {
    let ground = Ground::new().await;
    let mut way = ground.way();
    way.env.insert("A_SECRET".to_owned(), "5ecret".to_owned());
    way.env.insert("LC_ALL".to_owned(), "C".to_owned());
    let attempt = ground.waiting("true").await;
    ground.queue_by(way).add(&[entry(&attempt)]).await.remove(0).expect("it is added");
    for (_, task) in ground.pueued.labelled(attempt.as_str()) {
        let names: BTreeSet<&str> =
            task["envs"].as_object().unwrap().keys().map(String::as_str).collect();
        let allowed = ["HOME", "USER", "LANG", "PATH", "XDG_RUNTIME_DIR", "PUEUE_CONFIG_PATH"];
        assert!(names.is_subset(&BTreeSet::from(allowed)), "{names:?}");
        assert_eq!(task["path"], "/");
        let root = ground.stage.path().join(".daylily-watch").display().to_string();
        assert_eq!(task["command"], format!("exec /bin/sh '{root}'/{attempt}/job.sh"));
    }
}

#[tokio::test]
async fn a_job_runs_from_a_work_dir_of_any_name() {
    let ground = Ground::new().await;
    let work_dir = ground.stage.path().join("it's $HOME; `id` \"é\" (x) & \\n");
    let way = ground.way();
    let usual = settings_in(&work_dir, owner("ours", 1));
    let host = LocalHost::new(LocalHostSettings { path: way.path, env: way.env, ..usual });
    host.own(false).await.expect("it is new");
    let attempt = new_attempt();
    let job = job_in(&work_dir, &attempt, "echo executed >>executed");
    fs::create_dir_all(&job.dir).unwrap();
    host.prepare(&job).await.expect("it can be prepared");
    let queue = Pueue::new(host.work_dir().clone(), way.settings);
    queue.add(&[entry(&attempt)]).await.remove(0).expect("it is added");
    let executed = format!("{}/executed", job.dir);
    until("it was executed", LIMIT, || fs::read_to_string(&executed).is_ok_and(|t| !t.is_empty()));
}

#[tokio::test]
async fn what_is_not_prepared_or_has_no_group_keeps_no_other_from_the_list() {
    let ground = Ground::new().await;
    let nowhere = ground.stage.prepared("true").await;
    let (unprepared, last) = (new_attempt(), ground.stage.prepared("true").await);
    let entries = [in_group(&nowhere, "gpu_z"), entry(&unprepared), entry(&last)];
    let answers = ground.queue.add(&entries).await;
    let fault = answers[0].as_ref().expect_err("there is no such group");
    assert_eq!(fault.class, FaultClass::NeedsPerson);
    assert!(fault.text.contains("pueue on hpc has no group gpu_z"), "{fault}");
    assert!(fault.text.contains(" group add gpu_z --parallel N, with"), "{fault}");
    let fault = answers[1].as_ref().expect_err("it has no job.sh");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert!(fault.text.contains("job.sh"), "{fault}");
    assert!(answers[2].is_ok(), "{answers:?}");
    let words = ground.look().await.words;
    assert_eq!(words.into_keys().collect::<Vec<_>>(), [last]);
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_the_entry_is_found() {
    let ground = Ground::new().await;
    for end in ["exit 124", "kill -9 $$", "exit 101", "echo 'Failed to save state' >&2; exit 1"] {
        let script = format!(
            "case $1 in add) \"$real\" \"$@\" >/dev/null 2>&1; {end} ;; *) exec \"$real\" \"$@\" ;; esac"
        );
        let queue = ground.queue_by_script(&script);
        let attempt = ground.stage.prepared(&format!("{COUNTED}sleep 1000")).await;
        assert_eq!(ground.concluded(&attempt, NEVER_SEEN).await, Conclusion::NotSubmitted);
        let fault = queue.add(&[entry(&attempt)]).await.remove(0).expect_err("it got no answer");
        assert_eq!(fault.class, FaultClass::Ambiguous, "{end}: {fault}");
        assert_ne!(ground.concluded(&attempt, NEVER_SEEN).await, Conclusion::NotSubmitted);
        ground.until_says(&attempt, QueueWord::Running).await;
        until("it was executed", LIMIT, || ground.executed(&attempt) == 1);
    }
}

#[tokio::test]
async fn what_was_not_tried_because_another_got_no_answer_was_not_added() {
    let ground = Ground::new().await;
    let queue = ground.queue_by_script("exit 124");
    let attempts = [ground.stage.prepared("true").await, ground.stage.prepared("true").await];
    let answers = queue.add(&attempts.each_ref().map(entry)).await;
    let classes: Vec<_> =
        answers.into_iter().map(|answer| answer.expect_err("nobody answers").class).collect();
    assert_eq!(classes, [FaultClass::Ambiguous, FaultClass::TransientHost]);
    assert!(ground.look().await.words.is_empty());
}

#[tokio::test]
async fn an_owner_that_is_not_us_adds_nothing() {
    let ground = Ground::new().await;
    let attempt = ground.stage.prepared("true").await;
    let other = ground.stage.host_of(owner("theirs", 1));
    let way = ground.way();
    let usual = settings_in(ground.stage.path(), owner("theirs", 1));
    let host = LocalHost::new(LocalHostSettings { path: way.path, env: way.env, ..usual });
    let queue = Pueue::new(host.work_dir().clone(), way.settings);
    let fault = queue.add(&[entry(&attempt)]).await.remove(0).expect_err("it is not ours");
    assert_eq!(fault.class, FaultClass::FatalHost);
    assert!(queue.look().await.is_err() && other.own(true).await.is_err());
    assert!(ground.look().await.words.is_empty());
}

/// A client that is killed at any moment between its start and its answer.
const KILLED_ANY_TIME: &str = r#"
[ "$1" = add ] || exec "$real" "$@"
"$real" "$@" &
client=$!
n=$(od -An -N1 -tu1 /dev/urandom)
sleep "0.00$((n % 9))"
kill -9 "$client" 2>/dev/null
wait "$client"
"#;

#[tokio::test]
#[allow(clippy::print_stdout, reason = "how many were killed is worth knowing")]
async fn forty_attempts_and_clients_killed_at_random_execute_each_command_once() {
    let ground = Ground::new().await;
    let queue = ground.queue_by_script(KILLED_ANY_TIME);
    let mut attempts: Vec<AttemptId> = Vec::new();
    for _ in 0..40 {
        attempts.push(ground.stage.prepared(&format!("{COUNTED}true")).await);
    }
    let (mut killed, mut there) = (0, 0);
    let mut absent = attempts.clone();
    for round in 0.. {
        assert!(round < 200, "{} of them never got in", absent.len());
        if absent.is_empty() {
            break;
        }
        let asked = absent.clone();
        let answers = queue.add(&asked.iter().map(entry).collect::<Vec<_>>()).await;
        // The first that is killed ends the script: the rest was not tried.
        let words = ground.look().await.words;
        for (attempt, answer) in asked.iter().zip(answers) {
            let known = words.contains_key(attempt);
            match answer {
                Ok(_) => assert!(known, "{attempt} was answered and is not there"),
                Err(fault) if fault.class == FaultClass::Ambiguous => {
                    killed += 1;
                    there += usize::from(known);
                }
                Err(fault) => {
                    assert_eq!(fault.class, FaultClass::TransientHost, "{fault}");
                    assert!(!known, "{attempt} was not tried and is there");
                }
            }
        }
        absent.retain(|attempt| !words.contains_key(attempt));
    }
    println!("{killed} clients were killed, {there} of them had added their entry");
    for attempt in &attempts {
        until("it was executed", LIMIT, || ground.executed(attempt) > 0);
    }
    for attempt in &attempts {
        ground.until_says(attempt, QueueWord::Done).await;
        assert_eq!(ground.executed(attempt), 1, "{attempt}");
    }
}
