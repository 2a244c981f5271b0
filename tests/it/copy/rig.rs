//! The ways by which a case gets to a headnode, for tests that hold for each: the copy on
//! this machine, and rsync or one question through a real sshd that lets another user in.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::{ByteCount, HeadnodeName};
use daylily_lifecycle::outcome::Fault;
use daylily_watch::adapters::host::Verify;
use daylily_watch::adapters::host::rsync::{Lease, Line, RsyncSettings, RsyncTransfer};
use daylily_watch::adapters::host::shell::{Owner, WorkDir};
use daylily_watch::adapters::host::ssh::masters::Masters;
use daylily_watch::adapters::host::ssh::shell::SshShell;

use crate::servers::sshd::Sshd;
use crate::ssh::far::Far;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rig {
    Copy,
    Rsync,
    /// To the same headnode, small cases that were never there in one question.
    AtOnce,
}

/// A headnode behind a real sshd, with a work_dir that is ours.
pub(crate) struct Headnode {
    pub(crate) far: Far,
}

impl Headnode {
    pub(crate) fn start() -> Self {
        Self::of(Sshd::start())
    }

    pub(crate) fn of(sshd: Sshd) -> Self {
        let node = Self { far: Far::of(sshd) };
        let root = node.work().join(".daylily-watch");
        fs::create_dir_all(root.join("cases")).unwrap();
        fs::write(root.join("owner"), "db 1 word\n").unwrap();
        node.give();
        node
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.far.sshd.remote_dir().join("work")
    }

    /// Makes all that lies in the work_dir the user's, as it is when the user made it.
    pub(crate) fn give(&self) {
        give(&self.work(), &self.far.sshd);
    }

    pub(crate) fn work_dir(&self) -> (Arc<WorkDir<SshShell>>, Owner) {
        let owner = Owner::of_start("db", 1, "word");
        let work = self.work().to_str().unwrap().to_owned();
        (
            Arc::new(WorkDir::new(self.far.shell(), HeadnodeName::new("far"), work, owner.clone())),
            owner,
        )
    }

    /// `remote_shell` is what rsync goes by in place of our own connections.
    pub(crate) fn transfer(
        &self,
        settings: RsyncSettings,
        remote_shell: Option<String>,
    ) -> RsyncTransfer<SshShell> {
        let masters = self.far.masters.clone();
        let line: Arc<dyn Line> = match remote_shell {
            None => masters,
            Some(program) => Arc::new(OtherLine { program, masters }),
        };
        let (work_dir, owner) = self.work_dir();
        RsyncTransfer::new(line, work_dir, owner, settings)
    }
}

/// Slow enough that something can happen meanwhile to a file of 64 MiB.
pub(crate) fn settings() -> RsyncSettings {
    RsyncSettings {
        program: "rsync".into(),
        path: vec!["~/bin".into(), "/opt/it's here/bin".into()],
        umask: 0o027,
        verify: Verify::Quick,
        bandwidth: Some(ByteCount(32 << 20)),
        stall_after: Duration::from_secs(30),
        at_once: None,
    }
}

struct OtherLine {
    program: String,
    masters: Arc<Masters>,
}

#[async_trait::async_trait]
impl Line for OtherLine {
    async fn lease(&self) -> Result<Lease, Fault> {
        let host = "headnode".to_owned();
        Ok(Lease { remote_shell: vec![self.program.clone()], host, held: Box::new(()) })
    }

    async fn failed(&self, _lease: Lease) {}

    fn told(&self, said: &str) -> Option<Fault> {
        self.masters.told(said)
    }

    async fn is_up(&self, _lease: &Lease) -> bool {
        true
    }

    fn lost(&self, _lease: &Lease) -> Option<Fault> {
        None
    }
}

fn give(path: &Path, sshd: &Sshd) {
    lchown(path, Some(sshd.uid().as_raw()), Some(sshd.gid().as_raw())).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), sshd);
        }
    }
}
