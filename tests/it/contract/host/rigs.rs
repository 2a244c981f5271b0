//! The headnodes that the suite runs on: a folder of this machine, one behind a real sshd,
//! and the one in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use daylily_lifecycle::ids::{AttemptId, HeadnodeName};
use daylily_watch::adapters::host::fake::{FakeHost, FakeMachine, Started};
use daylily_watch::adapters::host::shell::Owner;
use daylily_watch::adapters::host::{Host, Job};
use daylily_watch::adapters::queue::Queue as _;

use crate::ssh::far::Far;
use crate::stage::{Stage, entry, job_in, openers, owner};
use crate::wait::{LIMIT, until_seen};

/// A headnode whose jobs do as they are told.
#[async_trait::async_trait]
pub(crate) trait Rig: Send + Sync {
    fn host(&self, owner: Owner) -> Box<dyn Host>;
    /// A job that runs till it is told to finish.
    fn job(&self, attempt: &AttemptId) -> Job;
    /// Starts a prepared job; true when it has claimed.
    async fn start(&self, attempt: &AttemptId) -> bool;
    /// Has a running job print `line` and end with `code`.
    fn finish(&self, attempt: &AttemptId, line: &str, code: i32);
    /// How often the command was executed.
    fn executed(&self, attempt: &AttemptId) -> usize;
    /// Puts a file below the job's directory.
    fn put(&self, attempt: &AttemptId, path: &str, content: &str);
    /// Returns when somebody waits for the bell.
    async fn until_listened_to(&self);
    /// Takes the owner away, as an unmounted work_dir does.
    fn unmount(&self);
}

/// One whose work_dir can be looked into.
#[async_trait::async_trait]
trait OnDisk: Send + Sync {
    fn host(&self, owner: Owner) -> Box<dyn Host>;
    fn job(&self, attempt: &AttemptId, command: &str) -> Job;
    async fn add(&self, attempt: &AttemptId);
    fn work_dir(&self) -> PathBuf;
}

#[async_trait::async_trait]
impl<T: OnDisk> Rig for T {
    fn host(&self, owner: Owner) -> Box<dyn Host> {
        OnDisk::host(self, owner)
    }

    fn job(&self, attempt: &AttemptId) -> Job {
        OnDisk::job(self, attempt, AS_TOLD)
    }

    async fn start(&self, attempt: &AttemptId) -> bool {
        self.add(attempt).await;
        let claim = self.work_dir().join(format!(".daylily-watch/{attempt}/claim"));
        std::fs::read_to_string(claim).unwrap_or_default().contains("\"by\":\"job\"")
    }

    fn finish(&self, attempt: &AttemptId, line: &str, code: i32) {
        let dir = Rig::job(self, attempt).dir;
        let told = format!("echo '{line}'; exit {code}\n");
        std::fs::write(format!("{dir}/new"), told).expect("the folder is there");
        std::fs::rename(format!("{dir}/new"), format!("{dir}/told")).expect("it was written");
    }

    fn executed(&self, attempt: &AttemptId) -> usize {
        let lines = std::fs::read_to_string(format!("{}/executed", Rig::job(self, attempt).dir));
        lines.unwrap_or_default().lines().count()
    }

    fn put(&self, attempt: &AttemptId, path: &str, content: &str) {
        let path = Path::new(&Rig::job(self, attempt).dir).join(path);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
        std::fs::write(path, content).expect("it can be written");
    }

    async fn until_listened_to(&self) {
        let bell = &self.work_dir().join(".daylily-watch/bell");
        until_seen("somebody waits for the bell", LIMIT, || async { openers(bell) > 0 }).await;
    }

    fn unmount(&self) {
        let root = self.work_dir().join(".daylily-watch");
        std::fs::rename(root, self.work_dir().join("away")).expect("it is there");
    }
}

/// The command of a job that runs till it is told to finish.
const AS_TOLD: &str =
    "echo executed >>executed; while [ ! -s told ]; do sleep 0.02; done; . ./told";

pub(super) struct Real(Stage);

pub(super) fn real() -> Real {
    Real(Stage::bare())
}

#[async_trait::async_trait]
impl OnDisk for Real {
    fn host(&self, owner: Owner) -> Box<dyn Host> {
        Box::new(self.0.host_of(owner))
    }

    fn job(&self, attempt: &AttemptId, command: &str) -> Job {
        self.0.job(attempt, command)
    }

    async fn add(&self, attempt: &AttemptId) {
        let _ = self.0.add(attempt).await;
    }

    fn work_dir(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

pub(super) struct Ssh(Far);

pub(super) fn ssh() -> Ssh {
    Ssh(Far::start())
}

#[async_trait::async_trait]
impl OnDisk for Ssh {
    fn host(&self, owner: Owner) -> Box<dyn Host> {
        Box::new(self.0.host_of(owner))
    }

    fn job(&self, attempt: &AttemptId, command: &str) -> Job {
        self.0.job(attempt, command)
    }

    async fn add(&self, attempt: &AttemptId) {
        let host = self.0.host_of(owner("ours", 1));
        let _ = self.0.direct_of(&host).add(&[entry(attempt)]).await;
    }

    fn work_dir(&self) -> PathBuf {
        self.0.path()
    }
}

pub(super) struct Fake(Arc<FakeMachine>);

pub(super) fn fake() -> Fake {
    Fake(FakeMachine::new("2026-11-20T06:00:00Z".parse().expect("a time")))
}

#[async_trait::async_trait]
impl Rig for Fake {
    fn host(&self, owner: Owner) -> Box<dyn Host> {
        Box::new(FakeHost::new(HeadnodeName::new("fake"), self.0.clone(), owner))
    }

    fn job(&self, attempt: &AttemptId) -> Job {
        job_in(Path::new("/fake"), attempt, "true")
    }

    async fn start(&self, attempt: &AttemptId) -> bool {
        self.0.start(attempt) == Started::Claimed
    }

    fn finish(&self, attempt: &AttemptId, line: &str, code: i32) {
        if let Some(this) = self.0.state().attempts.get_mut(attempt) {
            this.output = format!("{line}\n");
        }
        self.0.finish(attempt, Some(code), None);
    }

    fn executed(&self, attempt: &AttemptId) -> usize {
        self.0.state().attempts.get(attempt).map_or(0, |this| this.executed as usize)
    }

    fn put(&self, attempt: &AttemptId, path: &str, content: &str) {
        let mut state = self.0.state();
        let path = format!("{}/{path}", state.attempts[attempt].job.dir);
        let now = state.now;
        state.files.insert(path, (content.as_bytes().to_vec(), now));
    }

    async fn until_listened_to(&self) {}

    fn unmount(&self) {
        self.0.state().owner = None;
    }
}
