//! Owns a headnode behind a real sshd: a work_dir of the user who logs in there, jobs
//! that run as that user, and connections of its own. What it started is ended with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::{AttemptId, HeadnodeName};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::headnode::Headnode;
use daylily_watch::adapters::host::shell::{Ask, Owner, Ran, Shell as _};
use daylily_watch::adapters::host::ssh::masters::{LineSettings, Masters};
use daylily_watch::adapters::host::ssh::shell::SshShell;
use daylily_watch::adapters::host::ssh::sockets::SocketFolder;
use daylily_watch::adapters::host::ssh::{SshHostSettings, ssh_host};
use daylily_watch::adapters::host::{
    FetchOrder, Fetched, Job, Progress, ShipOrder, Shipped, Transfer,
};
use daylily_watch::adapters::queue::direct::Direct;
use daylily_watch::clock::{Clock, SystemClock};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::servers::sshd::{Login, Sshd};
use crate::stage::{carriers, job_in, kill};

pub(crate) struct Far {
    pub(crate) sshd: Sshd,
    pub(crate) masters: Arc<Masters>,
    pub(crate) clock: Arc<dyn Clock>,
    sockets: TempDir,
}

pub(crate) type FarHost = Headnode<SshShell, Nothing>;

/// Moves no files.
pub(crate) struct Nothing;

impl Far {
    pub(crate) fn start() -> Self {
        Self::of(Sshd::start())
    }

    pub(crate) fn with(login: Login, lines: &[&str]) -> Self {
        Self::of(Sshd::with(login, lines))
    }

    pub(crate) fn of(sshd: Sshd) -> Self {
        let sockets = tempfile::tempdir().expect("a temporary directory");
        let settings = settings(&sshd, &sockets.path().join("run"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let masters = Arc::new(Masters::new(settings, clock.clone()));
        Self { sshd, masters, clock, sockets }
    }

    /// As if the daemon had been started again, with these settings.
    pub(crate) fn masters_with(&self, change: impl FnOnce(&mut LineSettings)) -> Arc<Masters> {
        let mut settings = self.masters.settings().clone();
        change(&mut settings);
        Arc::new(Masters::new(settings, self.clock.clone()))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.sshd.remote_dir()
    }

    /// Our sockets' folder.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.sockets.path().join("run"));
        let entries = entries.into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_none());
        paths.sort();
        paths
    }

    pub(crate) fn shell(&self) -> SshShell {
        SshShell::new(self.masters.clone(), self.clock.clone(), Vec::new(), [].into())
    }

    pub(crate) fn host_of(&self, owner: Owner) -> FarHost {
        let settings = SshHostSettings {
            name: HeadnodeName::new("hpc"),
            work_dir: self.path().display().to_string(),
            owner,
            path: Vec::new(),
            env: [].into(),
            umask: 0o022,
        };
        ssh_host(settings, self.masters.clone(), self.clock.clone(), |_| Nothing)
    }

    pub(crate) fn direct_of(&self, host: &FarHost) -> Direct<SshShell> {
        Direct::new(host.work_dir().clone())
    }

    /// A job whose case has a folder of its own, the user's who runs it.
    pub(crate) fn job(&self, attempt: &AttemptId, command: &str) -> Job {
        let job = job_in(&self.path(), attempt, command);
        fs::create_dir_all(&job.dir).expect("the case's folder can be made");
        for folder in Path::new(&job.dir).ancestors().take(2) {
            self.sshd.give_to_user(folder);
        }
        job
    }
}

impl Drop for Far {
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

pub(crate) fn settings(sshd: &Sshd, sockets: &Path) -> LineSettings {
    LineSettings {
        headnode: HeadnodeName::new("hpc"),
        host: sshd.host().to_owned(),
        config_file: Some(sshd.config_file()),
        connect_timeout: Duration::from_secs(5),
        control_path: None,
        folder: SocketFolder::at(sockets.to_owned()),
        whose: "ours".to_owned(),
    }
}

/// A script without anything to read, and a limit that it does not reach.
pub(crate) fn script(script: &'static str) -> Ask<'static> {
    Ask {
        script,
        args: Vec::new(),
        stdin: b"",
        more: None,
        limit: Duration::from_secs(30),
        keep: 1 << 20,
    }
}

/// What a script prints that ends with 0.
pub(crate) async fn printed(shell: &SshShell, text: &'static str) -> Result<String, Fault> {
    match shell.run(script(text)).await? {
        Ran::Ended(answer) if answer.code == Some(0) => {
            Ok(String::from_utf8(answer.stdout).expect("it prints text"))
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[async_trait::async_trait]
impl Transfer for Nothing {
    async fn ship(
        &self,
        _order: &ShipOrder,
        _progress: &Progress,
        _stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        Err(Fault::new(FaultClass::FatalHost, "this one moves nothing"))
    }

    async fn fetch(
        &self,
        _order: &FetchOrder,
        _progress: &Progress,
        _stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        Err(Fault::new(FaultClass::FatalHost, "this one moves nothing"))
    }

    async fn get_ready(&self) {}

    fn compares_the_owner(&self) -> bool {
        false
    }
}
