//! Owns a stage for attempts on this machine: a work_dir of its own with real files,
//! real locks and real processes. What it started is ended with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use daylily_lifecycle::ids::{
    Arrival, AttemptId, CaseName, GroupName, HeadnodeName, IntakeName, TaskId,
};
use daylily_lifecycle::outcome::Fault;
use daylily_watch::adapters::host::job::{JobGround, job_script};
use daylily_watch::adapters::host::local::{LocalHost, LocalHostSettings, LocalShell};
use daylily_watch::adapters::host::shell::Owner;
use daylily_watch::adapters::host::{Host, HostLook, Job};
use daylily_watch::adapters::queue::direct::Direct;
use daylily_watch::adapters::queue::{Entry, Queue};
use tempfile::TempDir;

use crate::wait::{LIMIT, until};

pub(crate) struct Stage {
    dir: TempDir,
    pub(crate) host: LocalHost,
    pub(crate) direct: Direct<LocalShell>,
}

pub(crate) fn owner(database_id: &str, generation: u64) -> Owner {
    let word = |generation| format!("start-{generation}");
    Owner {
        database_id: database_id.to_owned(),
        generation,
        word: word(generation),
        earlier: (1..generation).map(|earlier| (earlier, word(earlier))).collect(),
    }
}

/// The same start by the number, of a daemon on a copy of the database.
pub(crate) fn owner_of_a_copy(database_id: &str, generation: u64) -> Owner {
    let word = format!("copy-{generation}");
    Owner { word, ..owner(database_id, generation) }
}

/// An id that no other test has: processes are told by it on the whole machine.
pub(crate) fn new_attempt() -> AttemptId {
    AttemptId::new(format!("dw-{}", ulid::Ulid::generate()))
}

pub(crate) fn entry(attempt: &AttemptId) -> Entry {
    Entry { attempt: attempt.clone(), group: GroupName::new("default") }
}

impl Stage {
    /// A work_dir that is owned by generation 1 of the database `ours`.
    pub(crate) async fn new() -> Self {
        let stage = Self::bare();
        stage.host.own(false).await.expect("the work_dir is new");
        stage
    }

    /// The same before anybody owned it.
    pub(crate) fn bare() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let host = host_in(dir.path(), owner("ours", 1));
        let direct = Direct::new(host.work_dir().clone());
        Self { dir, host, direct }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn host_of(&self, owner: Owner) -> LocalHost {
        host_in(self.path(), owner)
    }

    /// A file of the attempt's directory.
    pub(crate) fn file(&self, attempt: &AttemptId, name: &str) -> PathBuf {
        self.path().join(".daylily-watch").join(attempt.as_str()).join(name)
    }

    pub(crate) fn text(&self, attempt: &AttemptId, name: &str) -> String {
        fs::read_to_string(self.file(attempt, name)).unwrap_or_default()
    }

    pub(crate) fn has(&self, attempt: &AttemptId, name: &str) -> bool {
        self.file(attempt, name).symlink_metadata().is_ok()
    }

    /// A job whose case has a folder of its own.
    pub(crate) fn job(&self, attempt: &AttemptId, command: &str) -> Job {
        let job = job_in(self.path(), attempt, command);
        fs::create_dir_all(&job.dir).expect("the case's folder can be made");
        job
    }

    /// A new attempt with its directory, not started.
    pub(crate) async fn prepared(&self, command: &str) -> AttemptId {
        let attempt = new_attempt();
        self.prepare(&self.job(&attempt, command)).await;
        attempt
    }

    pub(crate) async fn prepare(&self, job: &Job) {
        self.host.prepare(job).await.expect("it can be prepared");
    }

    /// The same, and its end record is tried again every 50 ms.
    pub(crate) async fn prepare_impatient(&self, job: &Job) {
        self.prepare(job).await;
        let ground = JobGround {
            root: self.path().join(".daylily-watch").to_string_lossy().into_owned(),
            path: Vec::new(),
            env: BTreeMap::new(),
            umask: 0o022,
            retry_every: Duration::from_millis(50),
            retries: 400,
        };
        let script = job_script(job, &ground).expect("it can be written");
        fs::write(self.file(&job.attempt, "job.sh"), script).expect("it can be written");
    }

    pub(crate) async fn add(&self, attempt: &AttemptId) -> Result<Option<TaskId>, Fault> {
        let mut answers = self.direct.add(&[entry(attempt)]).await;
        answers.remove(0)
    }

    /// Starts it by the direct queue and waits till its record is there.
    pub(crate) async fn run(&self, attempt: &AttemptId) {
        self.add(attempt).await.expect("it starts");
        until("the end record is written", LIMIT, || self.has(attempt, "exit.json"));
        self.until_nothing_lives(attempt);
    }

    pub(crate) fn until_nothing_lives(&self, attempt: &AttemptId) {
        until("nothing of it lives", LIMIT, || carriers(attempt).is_empty());
    }

    /// `job.sh` as a child of ours, the way a queue starts it.
    #[allow(clippy::disallowed_methods, reason = "the test is the queue here")]
    pub(crate) fn spawn_job(&self, attempt: &AttemptId) -> Child {
        Command::new("/bin/sh")
            .arg(self.file(attempt, "job.sh"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh runs")
    }

    /// The exit code of `job.sh`, run to its end.
    pub(crate) fn run_job(&self, attempt: &AttemptId) -> Option<i32> {
        self.spawn_job(attempt).wait().expect("it was started").code()
    }

    pub(crate) async fn look(&self, attempt: &AttemptId) -> HostLook {
        let looks = self.host.read(std::slice::from_ref(attempt)).await;
        looks.expect("the host answers").remove(0)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let attempts = fs::read_dir(self.path().join(".daylily-watch"));
        for entry in attempts.into_iter().flatten().flatten() {
            let attempt = AttemptId::new(entry.file_name().to_string_lossy());
            for pid in carriers(&attempt) {
                kill(pid, "KILL");
            }
        }
    }
}

fn host_in(work_dir: &Path, owner: Owner) -> LocalHost {
    LocalHost::new(settings_in(work_dir, owner))
}

pub(crate) fn settings_in(work_dir: &Path, owner: Owner) -> LocalHostSettings {
    LocalHostSettings {
        name: HeadnodeName::new("here"),
        work_dir: work_dir.to_owned(),
        owner,
        path: Vec::new(),
        env: BTreeMap::new(),
        umask: 0o022,
    }
}

pub(crate) fn job_in(work_dir: &Path, attempt: &AttemptId, command: &str) -> Job {
    let name = format!("case-of-{attempt}");
    Job {
        attempt: attempt.clone(),
        intake: IntakeName::new("new"),
        name: CaseName::new(&name),
        arrival: Arrival::FIRST,
        digest: None,
        number: 1,
        dir: work_dir.join("new").join(&name).to_string_lossy().into_owned(),
        remote_name: name,
        shell: vec!["sh".to_owned(), "-c".to_owned()],
        setup: None,
        command: command.to_owned(),
        env: BTreeMap::new(),
        record: None,
    }
}

/// How many processes have this file open.
pub(crate) fn openers(file: &Path) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let fds = processes.filter_map(|entry| fs::read_dir(entry.path().join("fd")).ok());
    let opens = |mut fds: fs::ReadDir| {
        fds.any(|fd| fd.is_ok_and(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == file)))
    };
    fds.map(opens).filter(|&open| open).count()
}

/// Living processes that carry the attempt's id, found without the code under test.
pub(crate) fn carriers(attempt: &AttemptId) -> Vec<u32> {
    let wanted = format!("DAYLILY_ATTEMPT={attempt}");
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let environ = fs::read(entry.path().join("environ")).ok()?;
            environ.split(|&b| b == 0).any(|v| v == wanted.as_bytes()).then_some(pid)
        })
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "the test plays whoever ends processes")]
pub(crate) fn kill(pid: u32, signal: &str) {
    // It may be gone already.
    let _ =
        Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// A process that holds a lock until it is dropped.
pub(crate) struct Holder(Child);

impl Holder {
    #[allow(clippy::disallowed_methods, reason = "a real lock is held by a real process")]
    pub(crate) fn of(lock: &Path) -> Self {
        let child = Command::new("flock")
            .args(["--no-fork", "--exclusive"])
            .arg(lock)
            .args(["sleep", "1000"])
            .spawn()
            .expect("flock is installed");
        let holder = Self(child);
        let comm = format!("/proc/{}/comm", holder.0.id());
        // flock becomes sleep once it has the lock.
        until("the lock is held", LIMIT, || {
            fs::read_to_string(&comm).is_ok_and(|comm| comm.trim() == "sleep")
        });
        holder
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
