//! What is put into `job.sh`, and what is refused. That it runs is tested in tests/it.

use std::collections::BTreeMap;
use std::time::Duration;

use daylily_lifecycle::ids::{Arrival, AttemptId, CaseName, IntakeName};

use super::{JobError, JobGround, case_json, case_lock, job_script};
use crate::adapters::host::Job;

fn job() -> Job {
    Job {
        attempt: AttemptId::new("dw-1"),
        intake: IntakeName::new("new"),
        name: CaseName::new("it's"),
        arrival: Arrival(2),
        digest: None,
        number: 3,
        remote_name: "it's.2".to_owned(),
        dir: "/data/new/it's.2".to_owned(),
        shell: vec!["sh".to_owned(), "-c".to_owned()],
        setup: None,
        command: "dy-r".to_owned(),
        env: BTreeMap::new(),
        record: None,
    }
}

fn ground() -> JobGround {
    JobGround {
        root: "/data/.daylily-watch".to_owned(),
        path: vec!["~/.cargo/bin".to_owned(), "/opt/a b".to_owned()],
        env: BTreeMap::from([("A".to_owned(), "ground".to_owned())]),
        umask: 0o027,
        retry_every: Duration::from_secs(10),
        retries: 8640,
    }
}

#[test]
fn values_are_quoted_and_the_fixed_part_follows() {
    let text = job_script(&job(), &ground()).expect("it can be written");
    for line in [
        "attempt_dir='/data/.daylily-watch/dw-1'",
        r"case_lock='/data/.daylily-watch/cases/new/it'\''s.2.lock'",
        r#"path="${HOME:-/}"/'.cargo/bin':'/opt/a b':"${PATH:-/usr/local/bin:/usr/bin:/bin}""#,
        "    umask 0027",
        r"    cd -- '/data/new/it'\''s.2'",
        "    exec 'sh' '-c' 'dy-r'",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.ends_with(include_str!("../scripts/job.sh")));
}

#[test]
fn the_jobs_environment_goes_before_the_headnodes_and_never_changes_the_id() {
    let mut job = job();
    job.env.insert("A".to_owned(), "job".to_owned());
    job.env.insert("DAYLILY_ATTEMPT".to_owned(), "dw-other".to_owned());
    let text = job_script(&job, &ground()).expect("it can be written");
    assert!(text.contains("export A='job'\n") && !text.contains("A='ground'"), "{text}");
    assert!(text.contains("export DAYLILY_ATTEMPT='dw-1'\n") && !text.contains("dw-other"));
}

#[test]
fn what_no_shell_can_take_is_refused() {
    let mut odd = job();
    odd.env.insert("a-b".to_owned(), String::new());
    assert!(matches!(job_script(&odd, &ground()), Err(JobError::VariableName { .. })));
    let mut odd = job();
    odd.command = "a\0b".to_owned();
    assert!(matches!(job_script(&odd, &ground()), Err(JobError::Unquotable(_))));
    let mut odd = job();
    odd.shell.clear();
    assert!(matches!(job_script(&odd, &ground()), Err(JobError::NoShell)));
}

#[test]
fn the_lock_of_a_long_name_still_has_a_name() {
    let mut long = job();
    long.remote_name = "x".repeat(255);
    let (intake, lock) = case_lock(&long);
    assert_eq!(intake, "new");
    assert!(lock.len() <= 255 && lock.ends_with(".lock"));
}

#[test]
fn case_json_has_what_a_lost_row_needs() {
    let read: serde_json::Value = serde_json::from_str(&case_json(&job())).expect("it is JSON");
    assert_eq!(read["intake"], "new");
    assert_eq!(read["name"], "it's");
    assert_eq!(read["arrival"], 2);
    assert_eq!(read["number"], 3);
    assert!(read["digest"].is_null());
}
