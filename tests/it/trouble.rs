//! Whose trouble it is when a script does not work: what one case made is its own, and
//! no other case waits for it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daylily_lifecycle::attempt::Force;
use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::attempts::ShellHost;
use daylily_watch::adapters::host::job::JobGround;
use daylily_watch::adapters::host::local::{LocalHost, LocalHostSettings};
use daylily_watch::adapters::host::shell::{Answer, Ask, Ran, Shell, WorkDir};
use daylily_watch::adapters::host::{Host, Prepared};

use crate::stage::{Stage, job_in, new_attempt, owner, settings_in};

/// A headnode on which every script ends the same.
#[derive(Clone)]
struct Same {
    ran: Ran,
    limits: Arc<Mutex<Vec<Duration>>>,
}

#[async_trait::async_trait]
impl Shell for Same {
    async fn run(&self, ask: Ask<'_>) -> Result<Ran, Fault> {
        self.limits.lock().expect("nobody panics with it").push(ask.limit);
        Ok(self.ran.clone())
    }
}

fn every(ran: Ran) -> (Same, ShellHost<Same>) {
    let shell = Same { ran, limits: Arc::default() };
    let work_dir = WorkDir::new(
        shell.clone(),
        HeadnodeName::new("same"),
        "/work".to_owned(),
        owner("ours", 1),
    );
    let ground = JobGround {
        root: work_dir.root(),
        path: Vec::new(),
        env: BTreeMap::new(),
        umask: 0o022,
        retry_every: Duration::from_secs(10),
        retries: 1,
    };
    (shell, ShellHost::new(HeadnodeName::new("same"), Arc::new(work_dir), ground))
}

fn ended(code: i32, stderr: &str) -> Ran {
    Ran::Ended(Answer {
        code: Some(code),
        stdout: Vec::new(),
        cut: false,
        stderr: stderr.to_owned(),
    })
}

fn class<T: std::fmt::Debug>(answer: Result<T, Fault>) -> FaultClass {
    answer.expect_err("it does not work").class
}

/// Of everything that shares a fate: the headnode, an attempt's directory, a case.
async fn classes(host: &ShellHost<Same>) -> (Vec<FaultClass>, Vec<FaultClass>, Vec<FaultClass>) {
    let id = &new_attempt();
    (
        vec![
            class(host.own(true).await),
            class(host.free_space().await),
            class(host.read(std::slice::from_ref(id)).await),
        ],
        vec![
            class(host.prepare(&job_in(Path::new("/work"), id, "true")).await),
            class(host.take_claim(id).await),
        ],
        vec![
            class(host.outputs("/work/new/case", &[]).await),
            class(host.tail(id, 10).await),
            class(host.end(id, Force::Terminate).await),
        ],
    )
}

#[tokio::test]
async fn what_is_refused_below_one_case_is_its_own_trouble() {
    for said in ["sh: cannot create x: Permission denied", "x: Read-only file system"] {
        let (host, attempt, case) = classes(&every(ended(1, said)).1).await;
        assert_eq!(host, [FaultClass::FatalHost; 3], "{said}");
        assert_eq!(attempt, [FaultClass::TransientStep; 2], "{said}");
        assert_eq!(case, [FaultClass::TransientStep; 3], "{said}");
    }
}

#[tokio::test]
async fn what_is_slow_is_the_cases_trouble_where_a_case_can_make_it_slow() {
    let (host, attempt, case) = classes(&every(Ran::TimedOut).1).await;
    assert_eq!(host, [FaultClass::TransientHost; 3]);
    assert_eq!(attempt, [FaultClass::TransientHost; 2]);
    assert_eq!(case, [FaultClass::TransientStep; 3]);
}

#[tokio::test]
async fn a_full_disk_and_a_wrong_owner_are_the_same_with_every_script() {
    let (host, attempt, case) = classes(&every(ended(1, "x: No space left on device")).1).await;
    assert!([host, attempt, case].iter().flatten().all(|&class| class == FaultClass::NoSpace));
    // No owner, another one, a newer one, an odd one, no /proc, nothing can be written.
    for code in [90, 91, 92, 93, 95, 97] {
        let (host, attempt, case) = classes(&every(ended(code, "")).1).await;
        let all = [host, attempt, case];
        assert!(all.iter().flatten().all(|&class| class == FaultClass::FatalHost), "{code}");
    }
}

#[tokio::test]
async fn a_listing_has_more_time_than_a_look() {
    let (shell, host) = every(Ran::TimedOut);
    let _ = host.outputs("/work/new/case", &[]).await;
    let _ = host.read(&[new_attempt()]).await;
    let limits = shell.limits.lock().expect("nobody panics with it");
    assert_eq!(limits[..], [Duration::from_secs(600), Duration::from_secs(30)]);
}

#[tokio::test]
async fn a_claim_that_a_job_made_odd_is_trouble_of_its_attempt() {
    let stage = Stage::new().await;
    let attempt = stage.prepared("true").await;
    fs::write(stage.file(&attempt, "claim"), "odd").expect("it is ours");
    assert_eq!(class(stage.host.take_claim(&attempt).await), FaultClass::TransientStep);
}

#[tokio::test]
async fn one_attempt_that_cannot_be_prepared_stops_none_beside_it() {
    let stage = Stage::new().await;
    let ids = [new_attempt(), new_attempt(), new_attempt(), new_attempt()];
    let mut jobs = ids.each_ref().map(|id| stage.job(id, "true"));
    // In the place of the first lies a file; the third has what no shell can be told.
    fs::write(stage.path().join(".daylily-watch").join(ids[0].as_str()), "").expect("it is ours");
    jobs[2].command = "a\0b".to_owned();
    // A text that looks like the frame around it is text all the same.
    jobs[3].command = "printf '%s\\n' '\ndw-x\nnew\ncase.lock\n{}\n5\nabcde'\n0\n".to_owned();
    let answers = stage.host.prepare_all(&jobs).await;
    let [first, second, third, fourth] = answers.try_into().expect("one for each");
    let fault = first.expect_err("a file is in its place");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert!(fault.text.contains("File exists"), "{}", fault.text);
    assert_eq!(
        (second, class(third), fourth),
        (Ok(Prepared::Made), FaultClass::FatalCase, Ok(Prepared::Made))
    );
    for id in [&ids[1], &ids[3]] {
        assert!(stage.has(id, "job.sh") && stage.has(id, "case.json") && stage.has(id, "lock"));
    }
    assert!(stage.text(&ids[3], "job.sh").contains("dw-x"));
    assert!(!stage.has(&ids[2], "job.sh"));
    let left = fs::read_dir(stage.path().join(".daylily-watch")).expect("it is there");
    let names = left.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert!(!names.into_iter().any(|name| name.starts_with("job.sh")), "nothing is left over");
}

/// The stage's headnode with a `find` of our own.
fn with_find(stage: &Stage, script: &str) -> LocalHost {
    let bin = stage.path().join("bin");
    fs::create_dir(&bin).expect("there is room");
    fs::write(bin.join("find"), script).expect("there is room");
    fs::set_permissions(bin.join("find"), Permissions::from_mode(0o755)).expect("it is ours");
    let path = vec![bin.to_string_lossy().into_owned()];
    LocalHost::new(LocalHostSettings { path, ..settings_in(stage.path(), owner("ours", 1)) })
}

/// Nobody's find where we are root, whom no mode keeps out.
const NOBODYS: &str = "#!/bin/sh
PATH=/usr/bin:/bin
[ \"$(id -u)\" -ne 0 ] || set -- setpriv --reuid=65534 --regid=65534 --clear-groups find \"$@\"
[ \"$1\" = setpriv ] || set -- find \"$@\"
exec \"$@\"
";

#[tokio::test]
async fn a_folder_that_a_job_closed_hides_only_what_is_in_it() {
    let stage = Stage::new().await;
    let dir = stage.job(&new_attempt(), "true").dir;
    for path in ["closed", "half", "open"] {
        fs::create_dir(format!("{dir}/{path}")).expect("there is room");
        fs::write(format!("{dir}/{path}/out"), "1").expect("there is room");
    }
    fs::write(format!("{dir}/out"), "1").expect("there is room");
    let mode = |path: &str, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    };
    mode(&stage.path().to_string_lossy(), 0o755);
    mode(&format!("{dir}/closed"), 0o000);
    mode(&format!("{dir}/half"), 0o644);
    let host = with_find(&stage, NOBODYS);
    let found = host.outputs(&dir, &["**".to_owned()]).await;
    mode(&format!("{dir}/closed"), 0o755);
    mode(&format!("{dir}/half"), 0o755);
    let found = found.expect("the others can be listed");
    let paths: Vec<_> = found.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["open/out", "out"]);
}

#[tokio::test]
async fn a_listing_that_is_refused_is_trouble_of_its_case() {
    let stage = Stage::new().await;
    let dir = stage.job(&new_attempt(), "true").dir;
    let refused = "#!/bin/sh\necho \"find: './x': Permission denied\" >&2\nexit 1\n";
    let fault = with_find(&stage, refused).outputs(&dir, &[]).await.expect_err("it is refused");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert!(fault.text.contains("Permission denied"), "{}", fault.text);
}

#[tokio::test]
async fn a_case_without_its_folder_is_named_and_harms_no_other() {
    let stage = Stage::new().await;
    let dir = stage.path().join("new/gone").to_string_lossy().into_owned();
    let fault = stage.host.outputs(&dir, &[]).await.expect_err("it is gone");
    assert_eq!(fault.class, FaultClass::TransientStep);
    assert!(fault.text.contains(&format!("{dir} is missing")), "{}", fault.text);
    stage.host.free_space().await.expect("the headnode is well");
}
