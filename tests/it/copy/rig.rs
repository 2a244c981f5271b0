//! The two ways by which a case gets to a headnode, for tests that hold for both: the copy
//! on this machine, and rsync through a real sshd that lets another user in.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::quote::quote;
use daylily_watch::adapters::host::rsync::{Lease, Line, RsyncSettings, RsyncTransfer};
use daylily_watch::adapters::host::shell::{Answer, Ask, Owner, Ran, Shell, WorkDir};
use daylily_watch::adapters::host::{
    FetchOrder, Fetched, Progress, ShipOrder, Shipped, Transfer, Verify, copy,
};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::servers::sshd::Sshd;
use crate::wait::{LIMIT, until};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rig {
    Copy,
    Rsync,
}

pub(crate) struct LocalCopy {
    pub(crate) umask: u32,
}

#[async_trait::async_trait]
impl Transfer for LocalCopy {
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        copy::ship(order, self.umask, progress, stop).await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        copy::fetch(order, progress, stop).await
    }
}

/// A headnode behind a real sshd, reached over one master.
pub(crate) struct Headnode {
    pub(crate) sshd: Sshd,
    dir: tempfile::TempDir,
    master: Option<Child>,
}

impl Headnode {
    pub(crate) fn start() -> Self {
        Self::of(Sshd::start())
    }

    pub(crate) fn of(sshd: Sshd) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut node = Self { sshd, dir, master: None };
        node.connect();
        let root = node.work().join(".daylily-watch");
        fs::create_dir_all(root.join("cases")).unwrap();
        fs::write(root.join("owner"), "db 1\n").unwrap();
        node.give();
        node
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.sshd.remote_dir().join("work")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("master")
    }

    /// Opens the master, anew where it was lost.
    #[allow(clippy::disallowed_methods, reason = "the test starts ssh")]
    pub(crate) fn connect(&mut self) {
        self.disconnect();
        let master = Command::new("ssh")
            .arg("-F")
            .arg(self.sshd.config_file())
            .args(["-M", "-N", "-o", "ControlPersist=no", "-S"])
            .arg(self.socket())
            .arg(self.sshd.host())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.master = Some(master);
        until("the master to listen", LIMIT, || self.socket().try_exists().unwrap());
    }

    fn disconnect(&mut self) {
        if let Some(mut master) = self.master.take() {
            // It may have ended with its connection.
            let _ended = master.kill();
            master.wait().unwrap();
        }
        let _gone = fs::remove_file(self.socket());
    }

    /// Makes all that lies in the work_dir the user's, as it is when the user made it.
    pub(crate) fn give(&self) {
        give(&self.work(), &self.sshd);
    }

    pub(crate) fn shell(&self) -> PlainShell {
        PlainShell { words: self.words(), host: self.sshd.host().to_owned() }
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        vec![
            "ssh".to_owned(),
            "-F".to_owned(),
            text(self.sshd.config_file()),
            "-S".to_owned(),
            text(self.socket()),
        ]
    }

    pub(crate) fn line(&self) -> PlainLine {
        PlainLine { words: self.words(), host: self.sshd.host().to_owned() }
    }

    pub(crate) fn transfer(&self, settings: RsyncSettings) -> RsyncTransfer<PlainShell> {
        self.transfer_over(self.line(), settings)
    }

    pub(crate) fn transfer_over(
        &self,
        line: PlainLine,
        settings: RsyncSettings,
    ) -> RsyncTransfer<PlainShell> {
        let owner = Owner { database_id: "db".into(), generation: 1 };
        let work = self.work().to_str().unwrap().to_owned();
        let work_dir = Arc::new(WorkDir::new(self.shell(), work, owner.clone()));
        RsyncTransfer::new(Arc::new(line), work_dir, owner, settings)
    }
}

impl Drop for Headnode {
    fn drop(&mut self) {
        self.disconnect();
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
    }
}

pub(crate) struct PlainLine {
    pub(crate) words: Vec<String>,
    pub(crate) host: String,
}

#[async_trait::async_trait]
impl Line for PlainLine {
    async fn lease(&self) -> Result<Lease, Fault> {
        let (remote_shell, host) = (self.words.clone(), self.host.clone());
        Ok(Lease { remote_shell, host, held: Box::new(()) })
    }
}

/// Runs scripts by plain ssh.
#[derive(Debug)]
pub(crate) struct PlainShell {
    words: Vec<String>,
    host: String,
}

#[async_trait::async_trait]
impl Shell for PlainShell {
    async fn run(&self, ask: Ask<'_>) -> Result<Ran, Fault> {
        let mut text = format!("exec /bin/sh -c {} daylily-watch", quote(ask.script).unwrap());
        for arg in &ask.args {
            text.push(' ');
            text.push_str(&quote(arg).unwrap());
        }
        #[allow(clippy::disallowed_methods, reason = "the test starts ssh")]
        let mut command = tokio::process::Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg(&self.host).arg(text).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let talk = async {
            let say = async {
                let _ = stdin.write_all(ask.stdin).await;
                drop(stdin);
            };
            tokio::join!(say, child.wait_with_output()).1.unwrap()
        };
        let Ok(output) = tokio::time::timeout(ask.limit, talk).await else {
            return Ok(Ran::TimedOut);
        };
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(255) {
            return Err(Fault::new(FaultClass::TransientHost, stderr));
        }
        let cut = output.stdout.len() > ask.keep;
        Ok(Ran::Ended(Answer { code: output.status.code(), stdout: output.stdout, cut, stderr }))
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
